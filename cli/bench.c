/* ness bench: how fast this machine simulates. A few models that are built in, each measured on one thread and on all,
 * for about MEASURE_S seconds, MEASURES times. The number of events is chosen from a short first run, and the work of
 * both measures is the same to the last event, since results do not depend on threads. Summary level, no dump: the
 * engine alone. */
#include "cli.h"

#include <string.h>
#include <sys/utsname.h>

#define MEASURE_S 0.2
#define MEASURES 3 /* the quickest counts: others use the machine too */
#define FIRST_EVENTS 2000
#define REPLICAS 64 /* enough for even shares */
#define TEXT_MOST 8192

typedef struct bench_model {
  const char *name, *what;
  void (*write)(char *text, size_t size);
} bench_model;

typedef struct bench_row {
  double events;   /* in all, of one measure */
  double one, all; /* s */
} bench_row;

static void write_pair(char *text, size_t size)
{
  snprintf(text, size, "model pair\nunits natural\nspecies A = 100, B = 0\nr: A <-> B @ 1, 2\n");
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

/* A chain of 100 places. */
static void write_chain(char *text, size_t size)
{
  size_t at = (size_t)snprintf(text, size, "model chain\nunits natural\nspecies X0 = 1000");
  for (int i = 1; i < 100 && at < size; i++) at += (size_t)snprintf(text + at, size - at, ", X%d = 0", i);
  for (int i = 0; i < 99 && at < size; i++) {
    at += (size_t)snprintf(text + at, size - at, "%sh%d: X%d <-> X%d @ 1, 1", i ? "\n" : "\n", i, i, i + 1);
  }
  if (at < size) snprintf(text + at, size - at, "\n");
}

static const bench_model models[] = {
    {"pair", "1 step, 2 species", write_pair},
    {"fuel", "2 steps, a driven cycle", write_fuel},
    {"dimer", "2 steps of second order", write_dimer},
    {"chain", "99 steps, 100 places", write_chain},
};
#define MODELS (sizeof models / sizeof models[0])

static int note_events(void *context, double done, double total, int64_t events, double seconds)
{
  double *const out = context;
  (void)done, (void)total, (void)seconds;
  *out = (double)events;
  return 0;
}

/* One simulation; its events and its wall time. */
static ness_status measure(ness_model *model, int64_t events, int64_t threads, ness_diags *diags, double *done,
                           double *seconds)
{
  ness_doc *doc = NULL;
  const ness_simulate_options options = {
      .struct_size = sizeof options,
      .replicas = REPLICAS,
      .events = events,
      .seed = 1,
      .threads = (int32_t)threads,
      .level = "summary",
      .progress = note_events,
      .progress_context = done,
  };
  const double start = cli_clock();
  const ness_status status = ness_simulate(model, &options, diags, &doc);
  *seconds = cli_clock() - start;
  ness_doc_free(doc);
  return status;
}

/* Measures on one thread and on all by turns. */
static ness_status bench(const cli *self, const bench_model *what, ness_diags *diags, bench_row *row)
{
  char text[TEXT_MOST];
  double seconds = 0;
  ness_model *model = NULL;
  what->write(text, sizeof text);
  ness_status status = ness_model_load(what->name, text, NULL, 0, diags, &model);
  if (!status) status = measure(model, FIRST_EVENTS, 1, diags, &row->events, &seconds);
  const double most = FIRST_EVENTS * MEASURE_S / (seconds > 1e-4 ? seconds : 1e-4);
  const int64_t events = most < 100 ? 100 : (int64_t)most;
  for (int i = 0; i < 2 * MEASURES && !status; i++) {
    double *const best = i % 2 ? &row->all : &row->one;
    status = measure(model, events, i % 2 ? self->given.threads : 1, diags, &row->events, &seconds);
    if (i < 2 || seconds < *best) *best = seconds;
  }
  ness_model_free(model);
  return status;
}

static void put_rows(const cli *self, const bench_row *rows)
{
  if (!self->given.json)
    printf("\n%-7s%14s%16s%16s%11s   %s\n", "model", "ns per event", "events per s", "on all", "speed-up", "what");
  else fputs(",\n  \"models\": [", stdout);
  for (size_t i = 0; i < MODELS; i++) {
    const bench_row *row = &rows[i];
    const double ns = 1e9 * row->one / row->events, one = row->events / row->one, all = row->events / row->all;
    if (self->given.json) {
      printf("%s\n    {\"model\": \"%s\", \"what\": \"%s\", \"ns_per_event\": %.17g, \"events_per_s\": %.17g, "
             "\"events_per_s_all\": %.17g, \"speed_up\": %.17g}",
             i ? "," : "", models[i].name, models[i].what, ns, one, all, all / one);
    } else {
      printf("%-7s%14.1f%16.3g%16.3g%11.2f   %s\n", models[i].name, ns, one, all, all / one, models[i].what);
    }
  }
  if (self->given.json) fputs("\n  ]", stdout);
}

int cli_bench(cli *self)
{
  bench_row rows[MODELS] = {{0, 0, 0}};
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
