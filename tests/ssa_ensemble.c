/* The ensemble without a file: the same bits for any number of threads, options that are refused, progress and
 * stopping, batches and grid moments against the replicas themselves, memory that fails. */
#include "check.h"
#include "engine/ssa/ssa.h"
#include "ssa_oracle.h"

#include <signal.h>
#include <sys/resource.h>

static ness_simulate_options base_options(void)
{
  return (ness_simulate_options){.struct_size = sizeof(ness_simulate_options), .replicas = 150, .time = 3, .seed = 9};
}

static int same_array(const void *a, const void *b, size_t count, size_t width)
{
  return (!a && !b) || (a && b && memcmp(a, b, count * width) == 0);
}

static int same_result(const ness_network *net, const ssa_result *a, const ssa_result *b)
{
  const size_t k = (size_t)a->batches, s = (size_t)net->nslot, d = (size_t)net->nstep,
               g = (size_t)a->ngrid * (size_t)a->grid_batches;
  return a->batches == b->batches && a->replicas == b->replicas && a->events == b->events &&
         a->absorbed == b->absorbed && a->ngrid == b->ngrid && same_array(a->counted, b->counted, k, 8) &&
         same_array(a->fwd, b->fwd, k * d, 8) && same_array(a->bwd, b->bwd, k * d, 8) &&
         same_array(a->dwell, b->dwell, k * s, 8) && same_array(a->dwell2, b->dwell2, k * s, 8) &&
         same_array(a->tape_entropy, b->tape_entropy, k, 8) && same_array(a->free_energy, b->free_energy, k, 8) &&
         same_array(a->grid_time, b->grid_time, (size_t)a->ngrid, 8) &&
         same_array(a->grid_replicas, b->grid_replicas, g, 8) && same_array(a->grid_sum, b->grid_sum, g * s, 8) &&
         same_array(a->grid_sum2, b->grid_sum2, g * s, 8);
}

static void threads(const ness_network *net, const char *method, const char *level, double every)
{
  ssa_result one, more;
  ness_simulate_options options = base_options();
  options.method = method;
  options.level = level;
  options.every = every;
  options.warmup = 0.25;
  options.threads = 1;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &one) == NESS_OK);
  for (int32_t n = 2; n <= 4; n++) {
    options.threads = n;
    CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &more) == NESS_OK);
    CHECK(same_result(net, &one, &more));
    ssa_result_free(&more);
  }
  CHECK(one.batches == 64 && one.events > 0);
  ssa_result_free(&one);
}

/* Batches and moments from replicas run by hand. */
static void by_hand(const ness_network *net)
{
  ness_simulate_options options = base_options();
  options.level = "summary";
  options.every = 0.4;
  ssa_result r;
  ssa_replica replica;
  const ssa_kernel *kernel = ssa_kernel_find(NULL, net);
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK(r.ngrid == 7 && r.replicas == 150 && fabs(r.grid_time[6] - 2.8) < 1e-12);
  CHECK(ssa_replica_init(&replica, net, kernel) == NESS_OK);
  double sum[64][7] = {{0}}, sum2[64][7] = {{0}}, fwd[64] = {0}, dwell[64] = {0}, energy[64] = {0};
  int64_t events = 0;
  for (int i = 0; i < 150; i++) {
    int32_t bad;
    const int batch = i * 64 / 150;
    ssa_replica_start(&replica, net, kernel, 9, i);
    energy[batch] -= network_free_energy(net, replica.n);
    for (int k = 0; k < 7; k++) {
      ssa_advance(&replica, net, kernel, r.grid_time[k], 0, NULL, &bad);
      sum[batch][k] += (double)replica.n[0];
      sum2[batch][k] += (double)(replica.n[0] * replica.n[0]);
    }
    ssa_advance(&replica, net, kernel, 3, 0, NULL, &bad);
    ssa_settle(&replica, net);
    fwd[batch] += (double)replica.fwd[0];
    dwell[batch] += replica.slot[0].dwell;
    energy[batch] += network_free_energy(net, replica.n);
    events += replica.events;
  }
  CHECK(r.grid_batches == 64);
  for (int k = 0; k < 64 * 7; k++) {
    const int b = k / 7;
    CHECK(r.grid_sum[k * net->nslot] == sum[b][k % 7] && r.grid_sum2[k * net->nslot] == sum2[b][k % 7]);
    CHECK(r.grid_replicas[k] == 2 || r.grid_replicas[k] == 3);
  }
  for (int b = 0; b < 64; b++) {
    CHECK(r.fwd[b * net->nstep] == fwd[b]);
    CHECK_NEAR(r.dwell[b * net->nslot], dwell[b], 1e-12);
    CHECK_NEAR(r.free_energy[b], energy[b], 1e-9);
  }
  CHECK(r.events == events);
  ssa_replica_free(&replica);
  ssa_result_free(&r);
}

static void limits(const ness_network *net)
{
  ness_simulate_options options = base_options();
  ssa_result r;
  options.time = 0;
  options.events = 37;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK(r.events == 37 * 150 && r.absorbed == 0);
  ssa_result_free(&r);
  options.time = 3;
  options.every = 0.1;
  options.events = 2;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  int64_t first = 0, last = 0;
  for (int32_t b = 0; b < r.grid_batches; b++) {
    first += r.grid_replicas[b * 30];
    last += r.grid_replicas[b * 30 + 29];
  }
  CHECK(r.ngrid == 30 && first <= 150 && last < 150);
  ssa_result_free(&r);
  ness_network *death = net_make("death", 1, (net_slot[]){{"X", 5, 0}}, 1, (net_step[]){{"die", 1, 0, 1, {0}, 0, {0}}});
  options = base_options();
  options.time = 100;
  options.replicas = 3;
  CHECK(ssa_ensemble(death, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK(r.absorbed == 3 && r.batches == 3 && r.events == 15);
  CHECK_NEAR(r.counted[2], 100, 1e-12);
  ssa_result_free(&r);
  options.time = 0;
  options.events = 10;
  CHECK(ssa_ensemble(death, &options, NULL, NULL, NULL, &r) == NESS_OK);
  CHECK(r.absorbed == 3 && r.events == 15 && r.counted[0] < 50);
  ssa_result_free(&r);
  network_free(death);
}

static void refused(const ness_network *net)
{
  struct {
    ness_simulate_options options;
    const char *word;
  } cases[] = {{base_options(), "end"},      {base_options(), "warmup"}, {base_options(), "method"},
               {base_options(), "level"},    {base_options(), "time"},   {base_options(), "replicas"},
               {base_options(), "negative"}, {base_options(), "grid"},   {base_options(), "struct_size"},
               {base_options(), "grid"},     {base_options(), "time"},   {base_options(), "negative"}};
  cases[0].options.time = 0;
  cases[1].options.warmup = 3;
  cases[2].options.method = "leap";
  cases[3].options.level = "fluxes";
  cases[4].options.time = -1;
  cases[5].options.replicas = -5;
  cases[6].options.events = -1;
  cases[7].options.time = 0;
  cases[7].options.events = 5;
  cases[7].options.every = 1;
  cases[8].options.struct_size = 0;
  cases[9].options.every = 0.1;
  cases[9].options.path = "unwritten.msgpack";
  cases[10].options.time = NAN;
  cases[11].options.window = -1;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ssa_result r;
    ness_diags *diags = ness_diags_create();
    CHECK(ssa_ensemble(net, &cases[i].options, NULL, NULL, diags, &r) == NESS_USAGE);
    CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, cases[i].word));
    const char *const hint = ness_diags_get(diags, 0)->hint;
    CHECK(i != 2 || (hint && strstr(hint, "\"direct\"") && strstr(hint, "\"composition\"")));
    ness_diags_free(diags);
  }
}

typedef struct watch {
  int calls, stop_at, fail_at;
  double last;
} watch;

static int watch_progress(void *context, double done, double total, int64_t events, double seconds)
{
  watch *self = context;
  CHECK(done >= self->last && done <= total + 1e-9 && total == 4 && events >= 0 && seconds >= 0);
  self->last = done;
  self->calls++;
  if (self->calls == self->fail_at) {
    mem_fail_after(0); /* from here on nothing may be allocated */
  }
  return self->calls == self->stop_at;
}

static void progress(const ness_network *net)
{
  ness_simulate_options options = base_options();
  ssa_result r;
  watch seen = {0, 0, 1, 0};
  options.replicas = 4;
  options.time = 30000;
  options.threads = 2;
  options.progress = watch_progress;
  options.progress_context = &seen;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_OK);
  mem_fail_after(-1);
  CHECK(seen.calls >= 1 && seen.calls < 200 && seen.last == 4);
  ssa_result_free(&r);
  seen = (watch){0, 1, 0, 0};
  options.time = 1e9;
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_STOPPED);
  CHECK(seen.calls == 1 && r.fwd == NULL);
  ness_interrupt();
  CHECK(ssa_ensemble(net, &options, NULL, NULL, NULL, &r) == NESS_STOPPED);
  ness_interrupt_clear();
}

static void no_memory(const ness_network *net)
{
  ness_simulate_options options = base_options();
  options.every = 0.5;
  options.threads = 2;
  options.replicas = 8;
  int64_t n = 0;
  ness_status status = NESS_NOMEM;
  for (; n < 1000 && status == NESS_NOMEM; n++) {
    ssa_result r;
    mem_fail_after(n);
    status = ssa_ensemble(net, &options, NULL, NULL, NULL, &r);
    mem_fail_after(-1);
    ssa_result_free(&r);
  }
  CHECK(status == NESS_OK && n > 10);
}

/* A file that cannot grow beyond its first chunks stops the run, whoever has the next frame in hand; that is said once,
 * and what was written is whole. */
static void full_disk(const ness_network *net)
{
  const char *const path = "ssa_ensemble_full.msgpack";
  struct rlimit before, small;
  CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
  signal(SIGXFSZ, SIG_IGN);
  small = (struct rlimit){1 << 20, before.rlim_max};
  for (int32_t threads = 1; threads <= 3; threads++) {
    ness_simulate_options options = base_options();
    ness_diags *diags = ness_diags_create();
    dump_reader *reader = NULL;
    dump_frame frame = {0};
    int32_t more = 0, chunks = 0;
    options.threads = threads;
    options.path = path;
    options.overwrite = 1;
    options.level = "events";
    options.time = 200;
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(ssa_ensemble(net, &options, "", "", diags, NULL) == NESS_IO);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(ness_diags_count(diags, &more) == 1 && more == 0);
    CHECK(dump_open(path, NULL, &reader) == NESS_OK);
    while (dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes > 0) {
      chunks += frame.kind == DUMP_KIND_CHUNK;
    }
    CHECK(chunks > 2 && !dump_complete(reader));
    dump_frame_free(&frame);
    dump_reader_free(reader);
    ness_diags_free(diags);
    remove(path);
  }
}

int main(void)
{
  ness_network *nets[] = {net_ring(), net_fuel(), net_tape(3), net_chain(30, 2)};
  for (int i = 0; i < 4; i++) {
    for (int m = 0; m < 2; m++) {
      const char *const method = m ? "composition" : NULL;
      threads(nets[i], method, NULL, 0);
      threads(nets[i], method, "flux", 0.7);
      threads(nets[i], method, "summary", 0.3);
      threads(nets[i], method, "grid", 0);
      threads(nets[i], method, "events", 0);
    }
    by_hand(nets[i]);
    no_memory(nets[i]);
  }
  limits(nets[1]);
  refused(nets[0]);
  progress(nets[0]);
  full_disk(nets[1]);
  for (int i = 0; i < 4; i++) {
    network_free(nets[i]);
  }
  return check_done();
}
