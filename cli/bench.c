/* ness bench: how fast this machine simulates. A few models that are built in, each measured as one trajectory, as an
 * ensemble on one thread, and on all, for about MEASURE_S seconds, MEASURES times. The number of events is chosen from
 * a short first run, and the work of both ensembles is the same to the last event, since results do not depend on
 * threads. Summary level, no dump: the engine alone. */
#include "cli.h"

#include <string.h>
#include <sys/utsname.h>

#define MEASURE_S 0.2
#define MEASURES 3         /* the quickest counts: others use the machine too */
#define FIRST_EVENTS 20000 /* so that the start of a replica does not count */
#define REPLICAS 64        /* enough for even shares */
#define TEXT_MOST 65536

typedef struct bench_model {
  const char *name, *what, *method;
  void (*write)(char *text, size_t size);
} bench_model;

enum { BENCH_TRAJECTORY, BENCH_ENSEMBLE, BENCH_ALL, BENCH_KINDS };

typedef struct bench_row {
  double ns[BENCH_KINDS]; /* an event, over all threads */
  double bytes;           /* of a replica in hand */
  char form[64];
} bench_row;

static void write_carrier(char *text, size_t size)
{
  snprintf(text, size,
           "model carrier\nunits natural\nspecies A = 1, B = 0, C = 0, D = 0, E = 0, F = 0\n"
           "r1: A <-> B @ 100, 40\nr2: B <-> C @ 200, 30\nr3: C <-> D @ 150, 60\nr4: D <-> E @ 300, 50\n"
           "r5: E <-> F @ 250, 24\nr6: F <-> A @ 120, 20\n");
}

static void write_fuel(char *text, size_t size)
{
  snprintf(text, size,
           "model fuel\nunits natural\nbath F = 5e-3, mu0 = ln(25)\nbath W = 1e-4\nspecies A = 500, B = 0\n"
           "r1: A <-> B @ 1, 2\nr2: B + F <-> A + W @ 500, ldb\n");
}

static void write_dimer(char *text, size_t size)
{
  snprintf(text, size,
           "model dimer\nunits natural\nspecies A = 1000, D = 0, T = 0\nr1: 2 A <-> D @ 1e-3, 1\n"
           "r2: A + D <-> T @ 1e-3, 1\n");
}

/* The same as expressions. */
static void write_expressions(char *text, size_t size)
{
  snprintf(text, size,
           "model expressions\nunits natural\nspecies A = 1000, D = 0, T = 0\n"
           "r1: 2 A <-> D @@ 1e-3*A*(A - 1), 1*D\nr2: A + D <-> T @@ 1e-3*A*D, 1*T\n");
}

/* A chain of 1,000 places. */
static void write_chain(char *text, size_t size)
{
  size_t at = (size_t)snprintf(text, size, "model chain\nunits natural\nspecies X0 = 10");
  for (int i = 1; i < 1000 && at < size; i++) at += (size_t)snprintf(text + at, size - at, ", X%d = 10", i);
  for (int i = 0; i < 999 && at < size; i++) {
    at += (size_t)snprintf(text + at, size - at, "\nh%d: X%d <-> X%d @ 1, 1", i, i, i + 1);
  }
  if (at < size) snprintf(text + at, size - at, "\n");
}

static const bench_model models[] = {
    {"carrier", "one molecule in a ring of 6 states", "direct", write_carrier},
    {"carrier", "one molecule in a ring of 6 states", "jumps", write_carrier},
    {"fuel", "2 steps, a driven cycle, 500 copies", "direct", write_fuel},
    {"dimer", "2 steps of second order", "direct", write_dimer},
    {"expressions", "the same, written as expressions", "direct", write_expressions},
    {"chain", "1,998 hops between 1,000 places", "direct", write_chain},
    {"chain", "1,998 hops between 1,000 places", "composition", write_chain},
};
#define MODELS (sizeof models / sizeof models[0])

static int note_events(void *context, double done, double total, int64_t events, double seconds)
{
  double *const out = context;
  (void)done, (void)total, (void)seconds;
  *out = (double)events;
  return 0;
}

/* One simulation; its nanoseconds an event. */
static ness_status measure(ness_model *model, const char *method, int64_t replicas, int64_t events, int64_t threads,
                           ness_diags *diags, bench_row *row, double *ns)
{
  ness_doc *doc = NULL;
  double done = 0;
  const ness_simulate_options options = {
      .struct_size = sizeof options,
      .replicas = replicas,
      .events = events,
      .seed = 1,
      .threads = (int32_t)threads,
      .method = method,
      .level = "summary",
      .progress = note_events,
      .progress_context = &done,
  };
  const double start = cli_clock();
  const ness_status status = ness_simulate(model, &options, diags, &doc);
  *ns = 1e9 * (cli_clock() - start) / done;
  if (!status) {
    snprintf(row->form, sizeof row->form, "%s", ness_doc_string(doc, "run.form"));
    row->bytes = ness_doc_number(doc, "run.replica_bytes");
  }
  ness_doc_free(doc);
  return status;
}

/* Measures the three by turns. */
static ness_status bench(const cli *self, const bench_model *what, ness_diags *diags, bench_row *row)
{
  static char text[TEXT_MOST];
  double ns = 0;
  ness_model *model = NULL;
  what->write(text, sizeof text);
  ness_status status = ness_model_load(what->name, text, NULL, 0, diags, &model);
  if (!status) status = measure(model, what->method, REPLICAS, FIRST_EVENTS, 1, diags, row, &ns);
  const double most = 1e9 * MEASURE_S / (ns > 1 ? ns : 1);
  for (int i = 0; i < BENCH_KINDS * MEASURES && !status; i++) {
    const int kind = i % BENCH_KINDS;
    const int64_t replicas = kind == BENCH_TRAJECTORY ? 1 : REPLICAS;
    status = measure(model, what->method, replicas, (int64_t)most / replicas + FIRST_EVENTS,
                     kind == BENCH_ALL ? self->given.threads : 1, diags, row, &ns);
    if (i < BENCH_KINDS || ns < row->ns[kind]) row->ns[kind] = ns;
  }
  ness_model_free(model);
  return status;
}

static void put_rows(const cli *self, const bench_row *rows)
{
  if (!self->given.json)
    printf("\n%-12s%12s%10s%8s%10s%9s   %-24s %s\n", "ns per event", "trajectory", "ensemble", "on all", "speed-up",
           "bytes", "how", "what");
  else fputs(",\n  \"models\": [", stdout);
  for (size_t i = 0; i < MODELS; i++) {
    const double *const ns = rows[i].ns, one = 1e9 / ns[BENCH_ENSEMBLE], all = 1e9 / ns[BENCH_ALL];
    if (self->given.json) {
      printf("%s\n    {\"model\": \"%s\", \"what\": \"%s\", \"method\": \"%s\", \"form\": \"%s\", "
             "\"ns_per_event_trajectory\": %.17g, \"ns_per_event\": %.17g, \"events_per_s\": %.17g, "
             "\"events_per_s_all\": %.17g, \"speed_up\": %.17g, \"replica_bytes\": %.17g}",
             i ? "," : "", models[i].name, models[i].what, models[i].method, rows[i].form, ns[BENCH_TRAJECTORY],
             ns[BENCH_ENSEMBLE], one, all, all / one, rows[i].bytes);
    } else {
      printf("%-12s%12.1f%10.1f%8.1f%10.2f%9.0f   %-24s %s\n", models[i].name, ns[BENCH_TRAJECTORY], ns[BENCH_ENSEMBLE],
             ns[BENCH_ALL], all / one, rows[i].bytes, rows[i].form, models[i].what);
    }
  }
  if (self->given.json) fputs("\n  ]", stdout);
}

int cli_bench(cli *self)
{
  bench_row rows[MODELS] = {{{0}, 0, {0}}};
  struct utsname machine;
  ness_status status = NESS_OK;
  ness_diags *diags = ness_diags_create();
  cli_progress progress;
  const double start = cli_clock();
  cli_progress_begin(&progress, self, "models");
  for (size_t i = 0; i < MODELS && !status; i++) {
    cli_progress_call(&progress, (double)i, (double)MODELS, 0, cli_clock() - start);
    status = bench(self, &models[i], diags, &rows[i]);
  }
  cli_progress_end(&progress);
  if (status) return cli_end(self, status == NESS_STOPPED ? NESS_INTERRUPTED : status, "bench", diags, NULL);
  ness_diags_free(diags);
  cli_record record = cli_record_begin(self, "bench", 8);
  if (uname(&machine) == 0) cli_record_text(&record, "machine", "%s %s", machine.sysname, machine.machine);
  const int64_t asked = self->given.threads;
  cli_record_number(&record, "threads", (double)(asked > 0 ? asked : cli_threads()));
  cli_record_number(&record, "replicas", REPLICAS);
  put_rows(self, rows);
  cli_record_end(&record);
  return 0;
}
