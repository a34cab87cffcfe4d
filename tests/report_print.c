/* Prints pages of documents and networks that no command makes yet, or should never make, for tests/report_page.py: the
 * argument chooses. Names that are markup; chapters that the page does not know; windows without anything in them, and
 * with numbers beyond all range; more steps than can be drawn; and nothing at all. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/report/report.h"
#include "cme_build.h"

#define HOSTILE "<script>window.hit=1</script>&\"'<b>"

static void fill_unknown(doc_node *root)
{
  doc_string(root, "verdict", "driven, by %s", HOSTILE);
  doc_number(root, "single_new_number", 0.123456789);
  doc_node *const rows = doc_array(root, "waiting_times");
  for (int32_t i = 0; i < 3; i++) {
    doc_node *const row = doc_object(rows, NULL);
    doc_string(row, HOSTILE, "%s", HOSTILE);
    doc_number(row, "mean_kt", 12.3456789 + i);
    if (i == 1) doc_null(row, "late");
    if (i == 2) doc_number(row, "late", -INFINITY);
  }
  doc_node *const markov = doc_object(root, "markov_test");
  doc_bool(markov, "holds", true);
  doc_string(markov, "method", "%s", HOSTILE);
  doc_node *const inner = doc_object(markov, "inner");
  doc_number(inner, "deep_number", 98.7654321);
  doc_array(markov, "empty");
  doc_node *const flat = doc_array(markov, "flat");
  doc_number(flat, NULL, 1.5);
  doc_string(flat, NULL, "%s", HOSTILE);
  doc_node *const steps = doc_array(root, "steps");
  doc_node *const step = doc_object(steps, NULL);
  doc_string(step, "step", "%s", HOSTILE);
  doc_number(step, "estimate", INFINITY);
  doc_number(step, "forward", (double)NAN);
  doc_node *const entropy = doc_object(doc_object(root, "entropy"), "thermodynamic");
  doc_number(entropy, "estimate", INFINITY);
  doc_string(entropy, "method", "%s", HOSTILE);
}

static ness_network *small(const char *name, int32_t parallel)
{
  ness_network *net = NULL;
  network_builder *const b = builder_create(name, 300);
  const int32_t x = add_slot(b, name, 1, 1), y = add_slot(b, "y", 0, 1);
  for (int32_t i = 0; i < parallel; i++) add_move(b, name, x, y, 1 + i, 2);
  add_move(b, "out", y, -1, 1, 1);
  ness_diags *const diags = ness_diags_create();
  CHECKED(builder_finish(b, diags, &net));
  ness_diags_free(diags);
  builder_free(b);
  return net;
}

static void put(const report_sources *in)
{
  text_buffer page = {0};
  report_summary summary;
  CHECKED(report_write(in, &page, &summary));
  fwrite(page.data, 1, page.length, stdout);
  text_clear(&page);
}

int main(int argc, char **argv)
{
  const char *const which = argc > 1 ? argv[1] : "";
  static double still[8], wild[8] = {1e300, -1e300, 1e-300, 3, -3, 700, -700, 0}, none[WINDOWS_GRID];
  static double time[2] = {1, 2}, running[2] = {1e300, -1e300}, spread[2] = {(double)NAN, INFINITY};
  const bool nothing = strcmp(which, "nothing") == 0, many = strcmp(which, "many") == 0;
  windows w = {.entropy = strcmp(which, "wild") == 0 ? wild : still,
               .kept = 8,
               .seen = 8,
               .length = 1e-9,
               .total = true,
               .mean = 0,
               .integral = INFINITY,
               .error = (double)NAN,
               .points = 2,
               .time = time,
               .running = running,
               .spread = strcmp(which, "wild") == 0 ? spread : none,
               .replicas = 2};
  ness_network *const net = small(many ? "many" : HOSTILE, many ? 300 : 1);
  ness_doc *const doc = doc_create("analyze");
  fill_unknown(doc_root(doc));
  const report_sources full = {.net = net,
                               .analyze = doc,
                               .windows = &w,
                               .path = HOSTILE,
                               .command = HOSTILE,
                               .run_command = HOSTILE,
                               .settings = HOSTILE,
                               .seed = HOSTILE,
                               .hash = HOSTILE,
                               .level = HOSTILE,
                               .machine = HOSTILE,
                               .model_text = HOSTILE,
                               .no_check = HOSTILE,
                               .no_solve = HOSTILE,
                               .no_scan = HOSTILE};
  const report_sources empty = {.net = net, .path = "", .command = ""};
  put(nothing ? &empty : &full);
  ness_doc_free(doc);
  network_free(net);
  return 0;
}
