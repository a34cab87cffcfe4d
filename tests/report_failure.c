/* Pages of answers that are unlike those of ness: memory that runs out at every call leaves no file behind; names that
 * are markup stay text; tables too small, empty or without numbers are no fault (run this under the sanitizers). */
#include "check.h"
#include "engine/base/base.h"
#include <ness/report.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/ness-page-XXXXXX";
static char page_path[64];

static const char *const hostile = "<b>&'\"%s ]]> [mV]";

/* A table of rows x columns; the first two columns make a grid. Every third number is none. */
static void add_table(doc_node *root, const char *name, int rows, int columns)
{
  doc_node *const table = doc_array(root, name);
  for (int i = 0; i < rows; i++) {
    doc_node *const row = doc_object(table, NULL);
    for (int c = 0; c < columns; c++) {
      char key[64];
      snprintf(key, sizeof key, "%d%s", c, hostile);
      doc_number(row, key, c == 0 ? i / 3 : c == 1 ? i % 3 : (i + c) % 3 ? (double)(i - 4) : (double)NAN);
      snprintf(key, sizeof key, "sd %d%s", c, hostile);
      if (c == 2) doc_number(row, key, 1);
    }
  }
}

static ness_doc *answer(const char *table, int rows, int columns)
{
  ness_doc *const doc = doc_create(hostile);
  doc_string(doc_root(doc), "model", "%s", hostile);
  add_table(doc_root(doc), table, rows, columns);
  CHECK(doc_finish(doc) == NESS_OK);
  return doc;
}

static ness_status write_page(const ness_doc *doc, int32_t axes)
{
  ness_diags *const diags = ness_diags_create();
  const ness_page_options options = {
      .struct_size = sizeof options, .output = page_path, .command = hostile, .axes = axes};
  const ness_status status = ness_page_write(doc, &options, diags);
  ness_diags_free(diags);
  return status;
}

static char *read_page(void)
{
  FILE *const file = fopen(page_path, "rb");
  char *const text = calloc(1, 1 << 20);
  if (file && text) CHECK(fread(text, 1, (1 << 20) - 1, file) > 0);
  if (file) fclose(file);
  return text;
}

static void test_shapes(void)
{
  static const char *const tables[] = {"table", "course", "entropy_course", "reversals"};
  for (int t = 0; t < 4; t++) {
    for (int rows = 0; rows <= 9; rows += 3) {
      for (int columns = 0; columns <= 6; columns++) {
        for (int32_t axes = 0; axes <= 3; axes++) {
          ness_doc *const doc = answer(tables[t], rows, columns);
          CHECK(write_page(doc, axes) == NESS_OK);
          char *const text = read_page();
          CHECK(text && strstr(text, "</html>") && !strstr(text, "<b>&") && strstr(text, "&lt;b&gt;&amp;"));
          const bool drawn = (t == 0 && rows > 1 && axes <= 2 && columns > (axes ? axes : 1)) ||
                             ((t == 1 || t == 2) && rows > 0 && columns > 1);
          CHECK(!drawn == !(text && strstr(text, "<svg xmlns")));
          free(text);
          CHECK(unlink(page_path) == 0);
          ness_doc_free(doc);
        }
      }
    }
  }
}

static void test_memory(const char *table, int32_t axes)
{
  ness_doc *const doc = answer(table, 9, 5);
  ness_status status = NESS_NOMEM;
  int64_t after = 0;
  for (; status && after < 2000; after++) {
    mem_fail_after(after);
    status = write_page(doc, axes);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM || status == NESS_IO); /* no memory for the name of the new file */
    CHECK((status == NESS_OK) == (access(page_path, F_OK) == 0));
  }
  CHECK(after > 20 && after < 2000);
  CHECK(unlink(page_path) == 0);
  ness_doc_free(doc);
}

int main(void)
{
  if (!mkdtemp(folder)) return 1;
  snprintf(page_path, sizeof page_path, "%s/page.html", folder);
  test_shapes();
  test_memory("table", 1);
  test_memory("table", 2);
  test_memory("course", 1);
  CHECK(ness_page_write(NULL, NULL, NULL) == NESS_USAGE);
  CHECK(rmdir(folder) == 0); /* nothing was left behind */
  return check_done();
}
