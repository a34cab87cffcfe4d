/* Result trees: building, reading by path, and both renderings letter by letter. */
#include "check.h"
#include "engine/base/base.h"

static void fill(ness_doc *doc)
{
  doc_node *root = doc_root(doc);
  doc_string(root, "verdict", "The engine runs at %d %%.", 45);
  doc_number(root, "total_rate", 0.1);
  doc_int(root, "states", INT64_C(9007199254740993));
  doc_bool(root, "closed", true);
  doc_null(root, "bound");
  doc_array(root, "one_way");
  doc_node *list = doc_array(root, "list");
  doc_number(list, NULL, 1.0 / 3);
  doc_number(list, NULL, -INFINITY);
  doc_string(list, NULL, "a\"\\\n\x01\x7f\xff\xc3\xa9");
  doc_node *entropy = doc_object(root, "entropy");
  doc_number(entropy, "total", 1e-300);
  doc_number(doc_object(entropy, "parts"), "Na.out", 3);
  doc_node *steps = doc_array(root, "steps");
  for (int i = 0; i < 3; i++) {
    doc_node *step = doc_object(steps, NULL);
    doc_string(step, "name", "step%d", i * 1000);
    if (i != 1) {
      doc_number(step, "rate_fwd", i * 1000 / 3.0);
    }
    doc_int(step, "line", i + 9);
    doc_string(step, "note", "%s", i == 2 ? "" : "caf\xc3\xa9 au lait");
    if (i == 0) {
      doc_node *ids = doc_array(step, "ids");
      doc_int(ids, NULL, 1);
      doc_int(ids, NULL, 2);
    }
  }
  doc_node *matrix = doc_array(root, "matrix");
  for (int i = 0; i < 2; i++) {
    doc_node *row = doc_array(matrix, NULL);
    doc_int(row, NULL, i);
    doc_int(row, NULL, -i);
  }
  doc_object(root, "empty");
}

static void test_json(const ness_doc *doc)
{
  char expected[4096];
  snprintf(expected, sizeof expected, "%s%s%s",
           "{\n"
           "  \"schema\": \"ness/1\",\n"
           "  \"kind\": \"steady\",\n"
           "  \"version\": \"",
           ness_version_text(),
           "\",\n"
           "  \"verdict\": \"The engine runs at 45 %.\",\n"
           "  \"total_rate\": 0.1,\n"
           "  \"states\": 9007199254740993,\n"
           "  \"closed\": true,\n"
           "  \"bound\": null,\n"
           "  \"one_way\": [],\n"
           "  \"list\": [0.3333333333333333, \"-inf\", \"a\\\"\\\\\\n\\u0001\\u007f\xEF\xBF\xBD\xc3\xa9\"],\n"
           "  \"entropy\": {\n"
           "    \"total\": 1e-300,\n"
           "    \"parts\": {\n"
           "      \"Na.out\": 3\n"
           "    }\n"
           "  },\n"
           "  \"steps\": [\n"
           "    {\n"
           "      \"name\": \"step0\",\n"
           "      \"rate_fwd\": 0,\n"
           "      \"line\": 9,\n"
           "      \"note\": \"caf\xc3\xa9 au lait\",\n"
           "      \"ids\": [1, 2]\n"
           "    },\n"
           "    {\n"
           "      \"name\": \"step1000\",\n"
           "      \"line\": 10,\n"
           "      \"note\": \"caf\xc3\xa9 au lait\"\n"
           "    },\n"
           "    {\n"
           "      \"name\": \"step2000\",\n"
           "      \"rate_fwd\": 666.6666666666666,\n"
           "      \"line\": 11,\n"
           "      \"note\": \"\"\n"
           "    }\n"
           "  ],\n"
           "  \"matrix\": [\n"
           "    [0, 0],\n"
           "    [1, -1]\n"
           "  ],\n"
           "  \"empty\": {}\n"
           "}\n");
  char *text = ness_doc_json(doc);
  CHECK_STR(text, expected);
  ness_text_free(text);
  text = ness_doc_json(NULL);
  CHECK_STR(text, "null\n");
  ness_text_free(text);
}

static void test_text(const ness_doc *doc)
{
  char *text = ness_doc_text(doc, 0, 0);
  CHECK_STR(text, "The engine runs at 45 %.\n"
                  "\n"
                  "kind         steady\n"
                  "total rate   0.1\n"
                  "states       9007199254740993\n"
                  "closed       yes\n"
                  "bound        -\n"
                  "one way      none\n"
                  "list         0.333333, -inf, a\"\\   \xff\xc3\xa9\n"
                  "empty        none\n"
                  "\n"
                  "entropy\n"
                  "  total   1e-300\n"
                  "  parts\n"
                  "    Na.out   3\n"
                  "\n"
                  "steps\n"
                  "  name      rate fwd  line  note          ids\n"
                  "  step0            0     9  caf\xc3\xa9 au lait  1, 2\n"
                  "  step1000              10  caf\xc3\xa9 au lait\n"
                  "  step2000   666.667    11\n"
                  "\n"
                  "matrix\n"
                  "  0, 0\n"
                  "  1, -1\n");
  ness_text_free(text);
  text = ness_doc_text(doc, 12, 1);
  CHECK(text && strncmp(text, "\033[1mThe engine\nruns at 45\n%.\033[0m\n\n", 33) == 0);
  CHECK(text && strstr(text, "\033[1mentropy\033[0m\n") != NULL);
  ness_text_free(text);
}

static void test_paths(const ness_doc *doc)
{
  CHECK(ness_doc_number(doc, "total_rate") == 0.1);
  CHECK(ness_doc_number(doc, "closed") == 1);
  CHECK(ness_doc_number(doc, "steps[2].rate_fwd") == 2000 / 3.0);
  CHECK(ness_doc_number(doc, "steps[0].ids[1]") == 2);
  CHECK(ness_doc_number(doc, "matrix[1][1]") == -1);
  CHECK(ness_doc_number(doc, "entropy.parts.Na.out") == 3); /* a key with a dot */
  CHECK(ness_doc_number(doc, "list[1]") == -INFINITY);
  CHECK_STR(ness_doc_string(doc, "steps[1].name"), "step1000");
  CHECK_STR(ness_doc_string(doc, "kind"), "steady");
  CHECK(ness_doc_count(doc, "steps") == 3 && ness_doc_count(doc, "") == 14 && ness_doc_count(doc, "one_way") == 0);
  static const char *const wrong[] = {
      "steps[3]",   "steps[-1]",     "steps[]",  "steps[1",      "steps[99999999999999999999]",
      "steps.name", "nothing",       "entropy.", "entropy.tota", "total_rate.x",
      "[0]",        "total_rate[0]", ".",        "verdict"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK(isnan(ness_doc_number(doc, wrong[i])) && ness_doc_count(doc, wrong[i]) == -1);
  }
  CHECK(ness_doc_string(doc, "total_rate") == NULL && ness_doc_count(doc, "total_rate") == -1);
  CHECK(isnan(ness_doc_number(NULL, "x")) && !ness_doc_string(NULL, "x") && ness_doc_count(NULL, "x") == -1);
  CHECK(ness_doc_count(doc, NULL) == -1);
}

/* Every call that may fail, one after another: the tree says so at the end, and what is there can be shown. */
static void test_memory(void)
{
  int64_t after = 0;
  for (bool clean = false; !clean; after++) {
    mem_fail_after(after);
    ness_doc *doc = doc_create("steady");
    char *json = NULL, *text = NULL;
    if (doc) {
      fill(doc);
      const bool whole = doc_finish(doc) == NESS_OK;
      json = ness_doc_json(doc);
      text = ness_doc_text(doc, 0, 0);
      CHECK(whole || doc_finish(doc) == NESS_NOMEM);
      clean = whole && json && text;
    }
    mem_fail_after(-1);
    if (doc && !json) {
      json = ness_doc_json(doc); /* a tree with holes still shows */
      CHECK(json != NULL);
    }
    ness_text_free(json);
    ness_text_free(text);
    ness_doc_free(doc);
  }
  CHECK(after > 30);
  CHECK(doc_finish(NULL) == NESS_NOMEM && doc_root(NULL) == NULL);
  ness_doc_free(NULL);
}

int main(void)
{
  ness_doc *doc = doc_create("steady");
  fill(doc);
  CHECK(doc_finish(doc) == NESS_OK);
  test_json(doc);
  test_text(doc);
  test_paths(doc);
  ness_doc_free(doc);
  test_memory();
  return check_done();
}
