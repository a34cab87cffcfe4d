/* Diagnostics: what is kept and counted, and how they look; the expected texts stand here letter by letter. */
#include "check.h"
#include "engine/base/base.h"

static void check_render(ness_diags *self, const char *expected)
{
  char *text = ness_diags_render(self, 0);
  CHECK_STR(text, expected);
  ness_text_free(text);
  ness_diags_free(self);
}

static void test_places(void)
{
  ness_diags *d = ness_diags_create();
  diag_add_at(d, NESS_ERROR, "m.ness", 3, 11, 3, "r1: A <-> foo  # tail\nnext line", "did you mean \"fo\"?",
              "unknown name \"%s\"", "foo");
  diag_add_at(d, NESS_WARNING, "m.ness", 4, 0, 0, NULL, NULL, "a whole line");
  diag_add_at(d, NESS_NOTE, "m.ness", 0, 0, 0, NULL, NULL, "a whole file");
  diag_add_at(d, NESS_NOTE, NULL, 7, 0, 0, NULL, NULL, "no file");
  diag_add(d, NESS_ERROR, "no place");
  diag_hint(d, "mend it %d times", 2);
  CHECK(ness_diags_count(d, NULL) == 5 && diag_errors(d) == 2);
  CHECK_STR(ness_diags_get(d, 0)->source_line, "r1: A <-> foo  # tail");
  CHECK(ness_diags_get(d, 5) == NULL && ness_diags_get(d, -1) == NULL);
  check_render(d, "m.ness:3:11: error: unknown name \"foo\"\n"
                  "    3 | r1: A <-> foo  # tail\n"
                  "      |           ^~~\n"
                  "hint: did you mean \"fo\"?\n"
                  "m.ness:4: warning: a whole line\n"
                  "m.ness: note: a whole file\n"
                  "line 7: note: no file\n"
                  "error: no place\n"
                  "hint: mend it 2 times\n");
}

static void test_carets(void)
{
  ness_diags *d = ness_diags_create();
  diag_add_at(d, NESS_ERROR, "f", 1, 2, 2, "\tab", NULL, "tab before");
  diag_add_at(d, NESS_ERROR, "f", 123456, 1, 3, "a\tb", NULL, "tab inside");
  diag_add_at(d, NESS_ERROR, "f", 2, 4, 4, "\xCE\xB1 \xCE\xB2\xCE\xB3 x", NULL, "two letters of two bytes");
  diag_add_at(d, NESS_ERROR, "f", 3, 4, 1, "abc", NULL, "behind the end");
  diag_add_at(d, NESS_ERROR, "f", 4, 3, 100, "abc", NULL, "span beyond the end");
  diag_add_at(d, NESS_ERROR, "f", 5, 1, 1, "", NULL, "empty line");
  diag_add_at(d, NESS_ERROR, "f", 6, 2, 1, "a\033b", NULL, "control");
  check_render(d, "f:1:2: error: tab before\n    1 |         ab\n      |         ^~\n"
                  "f:123456:1: error: tab inside\n123456 | a       b\n       | ^~~~~~~~~\n"
                  "f:2:4: error: two letters of two bytes\n    2 | \xCE\xB1 \xCE\xB2\xCE\xB3 x\n      |   ^~\n"
                  "f:3:4: error: behind the end\n    3 | abc\n      |    ^\n"
                  "f:4:3: error: span beyond the end\n    4 | abc\n      |   ^\n"
                  "f:5:1: error: empty line\n    5 | \n      | ^\n"
                  "f:6:2: error: control\n    6 | a?b\n      |  ^\n");
}

static void test_colors(void)
{
  ness_diags *d = ness_diags_create();
  diag_add_at(d, NESS_WARNING, "f", 1, 1, 1, "x", NULL, "m");
  char *text = ness_diags_render(d, 1);
  CHECK_STR(text, "\033[1mf:1:1:\033[0m \033[1;35mwarning:\033[0m m\n    1 | x\n      | \033[1;35m^\033[0m\n");
  ness_text_free(text);
  ness_diags_free(d);
}

static void test_limit(void)
{
  ness_diags *d = ness_diags_create();
  int32_t more = -1;
  for (int i = 0; i < 23; i++) {
    diag_add(d, NESS_ERROR, "e%d", i);
    diag_hint(d, "h%d", i);
  }
  CHECK(ness_diags_count(d, &more) == 20 && more == 3 && diag_errors(d) == 23);
  CHECK_STR(ness_diags_get(d, 19)->hint, "h19"); /* hints of errors that were not kept go nowhere */
  diag_add(d, NESS_WARNING, "w");
  CHECK(ness_diags_count(d, &more) == 21 && more == 3);
  char *text = ness_diags_render(d, 0);
  CHECK(text && strstr(text, "warning: w\n3 more are not shown\n") != NULL);
  ness_text_free(text);
  ness_diags_free(d);

  diag_add(NULL, NESS_ERROR, "nowhere");
  diag_hint(NULL, "nowhere");
  CHECK(ness_diags_count(NULL, &more) == 0 && more == 0 && diag_errors(NULL) == 0);
  CHECK(ness_diags_get(NULL, 0) == NULL);
  ness_diags_free(NULL);
}

/* Whatever call fails, an error is counted and nothing breaks. */
static void test_memory(void)
{
  int64_t after = 0;
  for (bool clean = false; !clean; after++) {
    mem_fail_after(after);
    ness_diags *d = ness_diags_create();
    char *text = NULL;
    if (d) {
      for (int i = 0; i < 12; i++) {
        diag_add_at(d, NESS_ERROR, "file", 1, 1, 1, "source", "hint", "a longer message, number %d %0500d", i, i);
      }
      CHECK(diag_errors(d) == 12);
      int32_t more;
      const int32_t kept = ness_diags_count(d, &more);
      CHECK(kept + more == 12);
      text = ness_diags_render(d, 0);
      clean = kept == 12 && text;
    }
    mem_fail_after(-1);
    ness_text_free(text);
    ness_diags_free(d);
  }
  CHECK(after > 5);
}

int main(void)
{
  test_places();
  test_carets();
  test_colors();
  test_limit();
  test_memory();
  return check_done();
}
