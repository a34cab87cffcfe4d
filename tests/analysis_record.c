/* Measured sequences: a simulated record through every format says what the analysis of its dump says, number by
 * number; threads change no bit; what is hidden or sampled is named; memory that fails leaks nothing. A record cut by a
 * gap has the sums of its pieces. All seeds are fixed; a |z| beyond 4.5 has a chance of 7e-6. */
#include "analysis_memory.h"

#define REPLICAS 3

static char dump_path[256], path[256], other[256];

typedef struct sequence { /* of all replicas, one behind the other */
  double time[200000];
  int32_t state[200000], replica[200000];
  int64_t count;
} sequence;

static sequence rows;

static void put_row(int32_t replica, double time, int32_t state)
{
  if (rows.count == 200000) exit(2);
  rows.replica[rows.count] = replica;
  rows.time[rows.count] = time;
  rows.state[rows.count++] = state;
}

/* The rows of a dump of one molecule: the start, every jump, and the end. */
static void read_dump(double end)
{
  static int32_t state[REPLICAS];
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  static sequence by[REPLICAS];
  for (int r = 0; r < REPLICAS; r++) by[r].count = 0;
  if (dump_open(dump_path, NULL, &reader)) exit(2);
  const ness_network *const net = dump_network(reader);
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0) {
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    if (dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk)) exit(2);
    sequence *const to = &by[chunk.replica];
    for (int32_t i = 0; i < net->nslot && chunk.index == 0; i++)
      if (chunk.n0[i]) state[chunk.replica] = i;
    if (chunk.index == 0) to->state[to->count++] = state[chunk.replica];
    for (int64_t k = 0; k < chunk.rows; k++) {
      int32_t from, into;
      if (!memory_ends(net, chunk.row_dir[k], &from, &into) || from != state[chunk.replica]) exit(2);
      state[chunk.replica] = into;
      to->time[to->count] = chunk.row_time[k];
      to->state[to->count++] = into;
    }
  }
  rows.count = 0;
  for (int r = 0; r < REPLICAS; r++) {
    for (int64_t i = 0; i < by[r].count; i++) put_row(r, by[r].time[i], by[r].state[i]);
    put_row(r, end, by[r].state[by[r].count - 1]);
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
}

static FILE *begin(const char *name)
{
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/ness_record_%ld_%s", folder && strlen(folder) < 180 ? folder : "/tmp", (long)getpid(),
           name);
  FILE *const out = fopen(path, "wb");
  if (!out) exit(2);
  return out;
}

static void end(FILE *out)
{
  if (fclose(out)) exit(2);
}

static void put_npy(FILE *out, const char *header)
{
  const uint32_t length = (uint32_t)strlen(header);
  const unsigned char size[2] = {(unsigned char)length, (unsigned char)(length >> 8)};
  fwrite("\x93NUMPY\x01\x00", 1, 8, out);
  fwrite(size, 1, 2, out);
  fwrite(header, 1, length, out);
}

/* Numbers that must agree: those of the balance, the fluxes, the cycles, the plug-in entropy and the tests of memory.
 */
static void agree(const ness_doc *a, const ness_doc *b, double tolerance)
{
  static const char *const keys[] = {"balance.statistic",
                                     "balance.p",
                                     "balance.smallest_affinity_seen",
                                     "balance.drift_p",
                                     "run.events",
                                     "run.time",
                                     "entropy.plug_in.estimate",
                                     "entropy.plug_in.error",
                                     "entropy.plug_in.raw",
                                     "entropy.plug_in.bias",
                                     "cycles[0].estimate",
                                     "cycles[0].error",
                                     "cycles[0].affinity_data",
                                     "cycles[0].affinity_error",
                                     "cycles[1].completions",
                                     "cycles[1].forward",
                                     "cycles[1].backward",
                                     "cycles[1].log_ratio",
                                     "cycles[1].log_ratio_error",
                                     "steps[0].estimate",
                                     "steps[0].error",
                                     "steps[1].forward",
                                     "steps[1].forward_error",
                                     "steps[2].backward",
                                     "means[0].estimate",
                                     "means[1].error",
                                     "means[2].low",
                                     "markov.p",
                                     "markov.visits",
                                     "markov.tests[0].statistic",
                                     "markov.tests[1].statistic",
                                     "markov.tests[2].statistic",
                                     "markov.tests[3].statistic"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    const double x = ness_doc_number(a, keys[k]), y = ness_doc_number(b, keys[k]);
    if (!(fabs(x - y) <= tolerance * fmax(1e-3, fabs(y)))) fprintf(stderr, "%s: %.17g and %.17g\n", keys[k], x, y);
    CHECK(fabs(x - y) <= tolerance * fmax(1e-3, fabs(y)));
  }
}

static void same_as(const ness_doc *dump, const ness_analyze_options *options, double tolerance)
{
  ness_doc *const doc = analyze(path, options);
  agree(doc, dump, tolerance);
  ness_doc_free(doc);
  unlink(path);
}

static ness_doc *simulated(const ness_network *net, double last)
{
  const ness_simulate_options run = {.struct_size = sizeof run,
                                     .level = "events",
                                     .replicas = REPLICAS,
                                     .time = last,
                                     .seed = 4,
                                     .path = dump_path,
                                     .overwrite = 1};
  ness_doc *const doc =
      run_and_analyze(net, &run, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options)});
  read_dump(last);
  return doc;
}

/* A ring of three, its steps in the order and with the names that a record gives them. */
static ness_network *ring_of_record(double up, double down)
{
  network_builder *b = builder_create("ring", 0);
  int32_t s[3];
  static const char *const names[3] = {"E1", "E2", "E3"};
  for (int i = 0; i < 3; i++) s[i] = add_slot(b, names[i], i == 0, MODEL_NO_MAX);
  add_move(b, "E1.E2", s[0], s[1], up, down);
  add_move(b, "E1.E3", s[0], s[2], down, up);
  add_move(b, "E2.E3", s[1], s[2], up, down);
  return finish(b);
}

/* The whole chain: simulated, written out in every form, and analysed both ways. */
static void as_a_dump(void)
{
  ness_network *const net = ring_of_record(2, 1.7);
  ness_doc *const dump = simulated(net, 4000);

  FILE *out = begin("text.csv");
  fprintf(out, "replica,time,state\n");
  for (int64_t i = 0; i < rows.count; i++)
    fprintf(out, "r%d,%.17g,E%d\n", (int)rows.replica[i], rows.time[i], (int)rows.state[i] + 1);
  end(out);
  ness_doc *const one =
      analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 1});
  ness_doc *const four =
      analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 4});
  char *const a = ness_doc_json(one), *const b = ness_doc_json(four);
  CHECK_STR(a, b);
  CHECK_STR(ness_doc_string(one, "record.read_as"),
            "time in column 2, state in column 3, 3 replicas by column 1, a header");
  CHECK_STR(ness_doc_string(one, "verdict"), ness_doc_string(dump, "verdict"));
  CHECK(isnan(ness_doc_number(one, "cycles[0].affinity_model")) && isnan(ness_doc_number(one, "steps[0].exact")));
  ness_text_free(a);
  ness_text_free(b);
  ness_doc_free(one);
  ness_doc_free(four);
  same_as(dump, NULL, 1e-9);

  out = begin("mixed.txt"); /* replicas row by row side by side, and other clocks */
  int64_t at[REPLICAS], stop[REPLICAS];
  for (int r = 0; r < REPLICAS; r++) {
    at[r] = r ? stop[r - 1] : 0;
    for (stop[r] = at[r]; stop[r] < rows.count && rows.replica[stop[r]] == r;) stop[r]++;
  }
  for (bool more = true; more;) {
    more = false;
    for (int r = 0; r < REPLICAS; r++) {
      if (at[r] == stop[r]) continue;
      fprintf(out, "%.17g %d %d\n", rows.time[at[r]] + 1024 * r, (int)rows.state[at[r]], r);
      at[r]++;
      more = true;
    }
  }
  end(out);
  same_as(dump, NULL, 1e-6); /* the clocks round */

  out = begin("dwell.tsv");
  for (int64_t i = 0; i + 1 < rows.count; i++)
    if (rows.replica[i] == rows.replica[i + 1])
      fprintf(out, "%.17g\t%d\t%d\n", rows.time[i + 1] - rows.time[i], (int)rows.state[i], (int)rows.replica[i]);
  end(out);
  same_as(dump, NULL, 1e-6);

  char header[256];
  out = begin("rows.npy");
  snprintf(header, sizeof header, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 3), }\n", (int)rows.count);
  put_npy(out, header);
  for (int64_t i = 0; i < rows.count; i++) {
    const double row[3] = {rows.time[i], (double)rows.state[i], (double)rows.replica[i]};
    fwrite(row, sizeof *row, 3, out);
  }
  end(out);
  same_as(dump, NULL, 1e-9);

  out = begin("columns.npy");
  snprintf(header, sizeof header, "{'descr': '<f8', 'fortran_order': True, 'shape': (%d, 3), }\n", (int)rows.count);
  put_npy(out, header);
  fwrite(rows.time, sizeof *rows.time, (size_t)rows.count, out);
  for (int c = 0; c < 2; c++) {
    for (int64_t i = 0; i < rows.count; i++) {
      const double x = c ? rows.replica[i] : rows.state[i];
      fwrite(&x, sizeof x, 1, out);
    }
  }
  end(out);
  same_as(dump, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .columns = "time,state,replica"},
          1e-9);

  out = begin("fields.npy");
  snprintf(header, sizeof header,
           "{'descr': [('state', '<i4'), ('t', '<f8'), ('run', '|u1')], 'fortran_order': False, 'shape': (%d,), }\n",
           (int)rows.count);
  put_npy(out, header);
  for (int64_t i = 0; i < rows.count; i++) {
    const unsigned char run_byte = (unsigned char)rows.replica[i];
    fwrite(&rows.state[i], sizeof rows.state[i], 1, out);
    fwrite(&rows.time[i], sizeof rows.time[i], 1, out);
    fwrite(&run_byte, 1, 1, out);
  }
  end(out);
  same_as(dump, NULL, 1e-9);
  ness_doc_free(dump);
  network_free(net);
}

/* Sampled: the chain in discrete time, and a lower bound. */
static void sampled(void)
{
  FILE *out = begin("sampled.csv");
  const double step = 0.05;
  int64_t at = 0, jumps = 0;
  int32_t before = rows.state[0];
  for (int64_t k = 0; k < 80000; k++) {
    while (at + 1 < rows.count && rows.replica[at + 1] == 0 && rows.time[at + 1] <= (double)k * step) at++;
    jumps += rows.state[at] != before;
    before = rows.state[at];
    fprintf(out, "%.2f,%d\n", (double)k * step, (int)before);
  }
  end(out);
  ness_doc *doc = analyze(path, NULL);
  CHECK_NEAR(ness_doc_number(doc, "record.sampled_every"), step, 1e-9);
  CHECK(ness_doc_number(doc, "run.events") == (double)jumps);
  CHECK_STR(ness_doc_string(doc, "entropy.plug_in.is"), "a lower bound");
  /* A ring of three, sampled: p(step) has its closed form, and its affinity is what the test of balance estimates. */
  const double up = 2, down = 1.7, s = up + down, w = sqrt(3) / 2 * (up - down);
  const double e = exp(-1.5 * s * step), one = (1 - e * (cos(w * step) - sqrt(3) * sin(w * step))) / 3,
               two = (1 - e * (cos(w * step) + sqrt(3) * sin(w * step))) / 3;
  const double error = ness_doc_number(doc, "cycles[0].affinity_error");
  CHECK(fabs(fabs(ness_doc_number(doc, "cycles[0].affinity_data")) - 3 * log(one / two)) < 4.5 * error && error < 0.1);
  CHECK(ness_doc_number(doc, "markov.p") > 1e-5);
  ness_doc_free(doc);

  FILE *const plain = fopen(path, "rb");
  char line[64];
  static int64_t states[80000];
  for (int k = 0; k < 80000 && fgets(line, sizeof line, plain); k++) states[k] = strchr(line, ',')[1] - '0';
  fclose(plain);
  unlink(path);
  out = begin("states.npy");
  put_npy(out, "{'descr': '<i8', 'fortran_order': False, 'shape': (80000,), }\n");
  fwrite(states, sizeof *states, 80000, out);
  end(out);
  doc = analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .step = step});
  CHECK(ness_doc_number(doc, "run.events") == (double)jumps);
  CHECK_NEAR(ness_doc_number(doc, "run.time"), 79999 * step, 1e-9);
  ness_doc_free(doc);
  unlink(path);
}

/* Two states seen as one: named a lower bound, and the tests of memory find it. */
static void hidden(void)
{
  ness_network *const net = hidden_ring();
  ness_doc_free(simulated(net, 2000));
  FILE *const out = begin("hidden.csv");
  for (int64_t i = 0; i < rows.count; i++)
    fprintf(out, "%.17g,%d,%d\n", rows.time[i], (int)rows.state[i], (int)rows.replica[i]);
  end(out);
  ness_doc *const doc =
      analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .map = "a=0,1 b=2 c=3"});
  CHECK_STR(ness_doc_string(doc, "entropy.plug_in.is"), "a lower bound");
  CHECK_STR(ness_doc_string(doc, "record.map"), "4 states put together into 3");
  CHECK(ness_doc_number(doc, "markov.p") < 1e-6 && strstr(ness_doc_string(doc, "verdict"), "remember their past"));
  ness_doc_free(doc);
  unlink(path);
  network_free(net);
}

/* A record with a gap has the sums of its pieces, and the jump over the gap is none. */
static void gaps(void)
{
  FILE *out = begin("gap.csv");
  fprintf(out, "0,A\n1,B\n3,A\n4,\n10,B\n11,A\n14,B\n16,B\n");
  end(out);
  ness_doc *const doc = analyze(path, NULL);
  CHECK(ness_doc_number(doc, "run.events") == 4 && ness_doc_number(doc, "run.time") == 10);
  CHECK(ness_doc_number(doc, "states[0].time") == 5 && ness_doc_number(doc, "states[1].time") == 5);
  CHECK(ness_doc_number(doc, "steps[0].forward") == 2 / 10.0 && ness_doc_number(doc, "steps[0].backward") == 2 / 10.0);
  CHECK(ness_doc_number(doc, "record.rows_missing") == 1);
  ness_doc_free(doc);
}

/* The n-th allocation fails: an error and nothing more. */
static void memory_fails(const char *file)
{
  ness_status status = NESS_NOMEM;
  int64_t n = 0;
  for (; status == NESS_NOMEM && n < 3000; n++) {
    ness_doc *doc = NULL;
    ness_diags *const diags = ness_diags_create();
    mem_fail_after(n);
    status = ness_analyze(file, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = 1},
                          diags, &doc);
    mem_fail_after(-1);
    CHECK(status == NESS_NOMEM || status == NESS_OK);
    CHECK((status == NESS_OK) == (doc != NULL));
    ness_doc_free(doc);
    ness_diags_free(diags);
  }
  CHECK(status == NESS_OK && n > 50);
}

int main(void)
{
  test_path(dump_path, "record");
  as_a_dump();
  sampled();
  hidden();
  gaps();
  snprintf(other, sizeof other, "%s", path);
  memory_fails(other);
  unlink(other);
  unlink(dump_path);
  return check_done();
}
