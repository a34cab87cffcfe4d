/* One suite that every way to simulate exactly has to pass on every network that it takes: `methods` here and `cases`
 * of ssa_cases.h are all there is to extend. A method is held against the master equation (ssa_master.h, whose moments
 * are held against engine/cme) and against the plain oracle: states at a time by chi-square, mean events of every
 * direction, mean integrals of every count; the pause at the end is absorption where nothing is open, and nowhere else.
 * It is held so on the network as given and with steps shuffled, slots shuffled and both ways taken apart. A method
 * that repeats another gives its bits. Ways taken apart change no bits, nor does the order of slots unless a rate
 * multiplies two. Each method has to notice a rate that is 5 % off in the master equation, or 10 % in the oracle, by
 * the same comparison at the same level. A comparison raises a false alarm with a probability of ALARM, all of them
 * together below 1e-6 under random seeds, and the seeds are fixed. Cost: 10 s. */
#include "check.h"
#include "engine/base/simd.h"
#include "engine/cme/evolve.h"
#include "engine/ssa/lockstep.h"
#include "ssa_cases.h"
#include "ssa_forms.h"
#include "ssa_master.h"

enum { SAMPLES = 18000, BITS = 500, BINS = MASTER_STATES + 1, PLACES = ORACLE_MAX };

#define ALARM 8e-11
#define SIGMA 6.5  /* two-sided 8e-11 of the normal law */
#define SLACK 12.0 /* events that a mean of few may be off: a Poisson law has a longer tail */
#define PLANTED 0.05

static double comparisons;

/* --- what runs leave --- */

typedef struct moments {
  double sum, square;
} moments;

typedef struct sample {
  int64_t samples;
  int64_t state[BINS];                 /* the last: none that the master equation knows */
  moments fired[PLACES], area[PLACES]; /* by directions and slots of the given network */
  uint64_t digest[SAMPLES];            /* of a replica's time, stream, counts, integrals and events at its end */
  uint64_t entropy;                    /* of the tapes' entropies, in no order */
  int64_t wrong_ends;
} sample;

static void moments_add(moments *self, double x)
{
  self->sum += x;
  self->square += x * x;
}

static uint64_t digest_add(uint64_t digest, const void *data, size_t bytes)
{
  const unsigned char *at = data;
  for (uint64_t word; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
    memcpy(&word, at, sizeof word);
    digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    digest ^= digest >> 29;
  }
  return digest;
}

static int sample_state(sample *self, const master *exact, const int64_t *n)
{
  const int state = master_find(exact, n);
  self->state[state < 0 ? BINS - 1 : state]++;
  self->samples++;
  return state;
}

/* One replica at its end. */
static void sample_replica(sample *self, const master *exact, const form *f, ssa_replica *r, double t, int64_t index,
                           ssa_pause pause)
{
  int64_t n[PLACES];
  double time;
  uint64_t rng[4];
  ssa_checkpoint(r, &time, rng);
  uint64_t digest = digest_add(digest_add(1, &time, sizeof time), rng, sizeof rng);
  ssa_settle(r, f->net);
  self->entropy ^= digest_add(1, &r->tape_entropy, sizeof r->tape_entropy);
  for (int i = 0; i < f->nslot; i++) {
    const ssa_slot *const slot = &r->slot[f->slot[i]];
    n[i] = r->n[f->slot[i]];
    moments_add(&self->area[i], slot->dwell);
    digest = digest_add(digest_add(digest, &n[i], sizeof n[i]), slot, sizeof *slot);
  }
  for (int d = 0; d < f->ndir; d++) {
    const int64_t fired = f->dir[d] < 0 ? 0 : (f->dir[d] % 2 ? r->bwd : r->fwd)[f->dir[d] / 2];
    moments_add(&self->fired[d], (double)fired);
    digest = digest_add(digest, &fired, sizeof fired);
  }
  self->digest[index] = digest;
  const int state = sample_state(self, exact, n);
  self->wrong_ends += r->t != t || pause != (state >= 0 && exact->leave[state] <= 0 ? SSA_ABSORBED : SSA_AT_TIME);
}

/* --- the methods --- */

typedef struct method {
  const char *label;
  const ssa_kernel *kernel;
  bool (*takes)(const ness_network *net);
  void (*run)(const struct method *self, const form *f, const master *exact, double t, int64_t samples, sample *out);
  simd_level level;
  bool rows; /* in step: with the table of few states */
  int twin;  /* the method whose bits it has, -1 none */
} method;

static void run_alone(const method *self, const form *f, const master *exact, double t, int64_t samples, sample *out)
{
  ssa_replica r;
  int32_t bad;
  simd_limit(self->level);
  CHECK(ssa_replica_init(&r, f->net, self->kernel) == NESS_OK);
  for (int64_t i = 0; i < samples; i++) {
    ssa_replica_start(&r, f->net, self->kernel, 20260101, i);
    ssa_pause pause = SSA_AT_EVENTS;
    while (pause == SSA_AT_EVENTS) pause = ssa_advance(&r, f->net, self->kernel, t, 0, NULL, &bad); /* of batch */
    sample_replica(out, exact, f, &r, t, i, pause);
  }
  simd_limit(SIMD_LEVELS - 1);
  ssa_replica_free(&r);
}

static void run_in_step(const method *self, const form *f, const master *exact, double t, int64_t samples, sample *out)
{
  ssa_replica r[LOCKSTEP_LANES];
  int64_t of[LOCKSTEP_LANES], next = 0;
  lockstep steps;
  small_net small;
  void *block;
  states_table *const rows = mem_zero(1, sizeof *rows);
  small_compile(f->net, &small);
  if (self->rows) states_build(rows, &small, f->net->slot_start);
  simd_limit(self->level);
  lockstep_init(&steps, &small, rows, carve_block(lockstep_size(), &block));
  simd_limit(SIMD_LEVELS - 1);
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) {
    CHECK(ssa_replica_init(&r[lane], f->net, self->kernel) == NESS_OK);
    ssa_replica_start(&r[lane], f->net, self->kernel, 20260101, of[lane] = next++);
    lockstep_seat(&steps, lane, &r[lane], t, 0);
  }
  while (steps.taken > 0) {
    ssa_pause pause;
    const int32_t lane = lockstep_next(&steps, &pause);
    sample_replica(out, exact, f, &r[lane], t, of[lane], pause);
    if (next == samples) continue;
    ssa_replica_start(&r[lane], f->net, self->kernel, 20260101, of[lane] = next++);
    lockstep_seat(&steps, lane, &r[lane], t, 0);
  }
  for (int32_t lane = 0; lane < LOCKSTEP_LANES; lane++) ssa_replica_free(&r[lane]);
  mem_free(rows);
  mem_free(block);
}

static void run_oracle(const form *f, const master *exact, double t, oracle_fault fault, sample *out)
{
  memset(out, 0, sizeof *out);
  for (int i = 0; i < SAMPLES; i++) {
    oracle o;
    int64_t n[PLACES];
    oracle_start(&o, f->net, (uint64_t)i + 1, fault);
    oracle_run(&o, t);
    for (int s = 0; s < f->nslot; s++) {
      n[s] = o.n[f->slot[s]];
      moments_add(&out->area[s], o.area[f->slot[s]]);
    }
    for (int d = 0; d < f->ndir; d++) moments_add(&out->fired[d], f->dir[d] < 0 ? 0 : (double)o.fired[f->dir[d]]);
    sample_state(out, exact, n);
  }
}

static bool takes_all(const ness_network *net)
{
  return net->nslot > 0;
}

static bool takes_mass(const ness_network *net)
{
  bool mass = true;
  for (int d = 0; d < 2 * net->nstep; d++) mass = mass && net->dir_law[d] != LAW_TAPE;
  return mass;
}

static bool takes_few(const ness_network *net)
{
  static states_table rows;
  small_net small;
  if (!small_fits(net)) return false;
  memset(&rows, 0, sizeof rows);
  small_compile(net, &small);
  states_build(&rows, &small, net->slot_start);
  return rows.rows > 0;
}

enum { SMALL_ROW = 0 };

static const method methods[] = {
    {"small, plain", &ssa_kernel_small, small_fits, run_alone, SIMD_PLAIN, false, -1},
    {"small, AVX2", &ssa_kernel_small, small_fits, run_alone, SIMD_AVX2, false, SMALL_ROW},
    {"small in step, plain", &ssa_kernel_small, small_fits, run_in_step, SIMD_PLAIN, false, SMALL_ROW},
    {"small in step, AVX2", &ssa_kernel_small, small_fits, run_in_step, SIMD_AVX2, false, SMALL_ROW},
    {"small in step, AVX-512", &ssa_kernel_small, small_fits, run_in_step, SIMD_AVX512, false, SMALL_ROW},
    {"few states in step, plain", &ssa_kernel_small, takes_few, run_in_step, SIMD_PLAIN, true, SMALL_ROW},
    {"few states in step, AVX2", &ssa_kernel_small, takes_few, run_in_step, SIMD_AVX2, true, SMALL_ROW},
    {"few states in step, AVX-512", &ssa_kernel_small, takes_few, run_in_step, SIMD_AVX512, true, SMALL_ROW},
    {"tree of sums", &ssa_kernel_tree, takes_all, run_alone, 0, false, -1},
    {"composition", &ssa_kernel_composition, takes_all, run_alone, 0, false, -1},
    {"batch", &ssa_kernel_batch, takes_mass, run_alone, 0, false, -1},
    {"jumps", &ssa_kernel_jumps, takes_few, run_alone, 0, false, -1},
};

enum { METHODS = sizeof methods / sizeof methods[0] };

/* --- the comparisons --- */

/* Two means, `error` the variance of their difference; `unit` is the least that one run adds. */
static bool mean_near(double x, double y, double variance, double unit)
{
  comparisons++;
  return fabs(x - y) <= SIGMA * sqrt(fmax(variance, 0)) + SLACK * unit;
}

static double mean_of(const moments *m, const sample *from)
{
  return m->sum / (double)from->samples;
}

static double variance_of(const moments *m, const sample *from)
{
  const double mean = mean_of(m, from);
  return (m->square / (double)from->samples - mean * mean) / (double)from->samples;
}

static bool like_master(const sample *x, const master *exact, double t)
{
  static double expected[BINS];
  const double samples = (double)x->samples;
  bool like = x->state[BINS - 1] == 0;
  for (int s = 0; s < exact->states; s++) expected[s] = samples * exact->p[s];
  comparisons++;
  like = like && chi_one(x->state, expected, exact->states) > ALARM;
  for (int d = 0; d < 2 * exact->net->nstep; d++) {
    const moments *const m = &x->fired[d];
    like = mean_near(mean_of(m, x), exact->fired[d], variance_of(m, x), 1 / samples) && like;
  }
  for (int i = 0; i < exact->net->nslot; i++) {
    const moments *const m = &x->area[i];
    like = mean_near(mean_of(m, x), exact->area[i], variance_of(m, x), t / samples) && like;
  }
  return like;
}

/* The states and the events of samples of one size. */
static bool like_sample(const sample *x, const sample *y, int dirs)
{
  comparisons++;
  bool like = chi_two(x->state, y->state, BINS) > ALARM;
  for (int d = 0; d < dirs; d++) {
    const moments *const a = &x->fired[d], *const b = &y->fired[d];
    like =
        mean_near(mean_of(a, x), mean_of(b, y), variance_of(a, x) + variance_of(b, y), 2 / (double)x->samples) && like;
  }
  return like;
}

enum { CASES = sizeof cases / sizeof cases[0] };

/* --- the suite --- */

/* The reference is no better than what it is held against: moments and rates by engine/cme. */
static void reference_holds(const master *exact, double t)
{
  const ness_network *const net = exact->net;
  evolution e;
  CHECK(evolve_run(net, NULL, NULL, &t, 1, NULL, &e) == NESS_OK);
  for (int i = 0; i < net->nslot; i++) {
    CHECK_NEAR(exact->mean[i], e.mean[i], 1e-7);
    CHECK_NEAR(exact->var[i], e.var[i], 1e-7);
  }
  for (int d = 0; d < 2 * net->nstep; d++) CHECK_NEAR(exact->rates[d], e.dir_rate[d], 1e-7);
  evolve_free(&e);
}

/* Whether some rate multiplies the counts of two slots, which rounds by their order. */
static bool multiplies(const ness_network *net)
{
  bool found = false;
  for (int d = 0; d < 2 * net->nstep; d++) found = found || net->react_start[d + 1] - net->react_start[d] > 1;
  return found;
}

/* What the methods are held against, of one case. */
typedef struct reference {
  const test_case *of;
  ness_network *net;
  master exact, off;     /* off: with the fault */
  sample *plain, *wrong; /* by the oracle, without and with it */
} reference;

/* The oracle passes, and each of its faults is noticed. */
static void oracle_holds(reference *self)
{
  const double t = self->of->t;
  const form given = form_make(self->net, FORM_GIVEN);
  run_oracle(&given, &self->exact, t, (oracle_fault){0, 1, 0}, self->wrong);
  CHECK(!like_master(self->wrong, &self->exact, t));
  if (self->of->stale) {
    run_oracle(&given, &self->exact, t, (oracle_fault){0, 0, 1}, self->wrong);
    CHECK(!like_master(self->wrong, &self->exact, t));
  }
  run_oracle(&given, &self->exact, t, (oracle_fault){2 * PLANTED, 0, 0}, self->wrong);
  CHECK(!like_master(self->wrong, &self->exact, t));
  run_oracle(&given, &self->exact, t, (oracle_fault){0, 0, 0}, self->plain);
  CHECK(like_master(self->plain, &self->exact, t) && !like_master(self->plain, &self->off, t));
  network_free(given.net);
}

static void law_holds(const reference *self, const method *m, const form *f, sample *x)
{
  const double t = self->of->t;
  memset(x, 0, sizeof *x);
  m->run(m, f, &self->exact, t, SAMPLES, x);
  const bool fine = x->samples == SAMPLES && x->wrong_ends == 0 && like_master(x, &self->exact, t) &&
                    like_sample(x, self->plain, f->ndir);
  const bool found = !like_master(x, &self->off, t) && !like_sample(x, self->wrong, f->ndir);
  CHECK(fine);
  CHECK(found);
  if (!fine || !found)
    fprintf(stderr, "%s by %s: %s\n", self->of->label, m->label, fine ? "fault missed" : "another law");
}

/* The replicas of a method, on another form, that end with other bits than on the given one. */
static int64_t bits_change(const reference *self, const method *m, int kind, const uint64_t *given)
{
  static sample x;
  const form f = form_make(self->net, kind);
  int64_t other = 0;
  x.samples = 0;
  m->run(m, &f, &self->exact, self->of->t, BITS, &x);
  for (int i = 0; i < BITS; i++) other += x.digest[i] != given[i];
  network_free(f.net);
  return other;
}

/* One method on one case; `twin` is what the method that it repeats left, which it leaves itself otherwise. */
static void method_holds(const reference *self, const method *m, sample *x, sample *twin, int64_t *changed)
{
  form f = form_make(self->net, FORM_GIVEN);
  const bool takes = m->takes(f.net) && (int)simd_best() >= (int)m->level;
  if (takes) law_holds(self, m, &f, x);
  network_free(f.net);
  if (takes && m->twin >= 0) {
    CHECK(memcmp(x->digest, twin->digest, sizeof x->digest) == 0 && x->entropy == twin->entropy);
  } else if (takes) {
    *twin = *x;
    CHECK(bits_change(self, m, FORM_ONE_WAY, x->digest) == 0);
    CHECK(bits_change(self, m, FORM_SLOTS, x->digest) == 0 || multiplies(self->net));
    *changed += bits_change(self, m, FORM_STEPS, x->digest);
    f = form_make(self->net, FORM_ALL);
    law_holds(self, m, &f, x);
    network_free(f.net);
  }
}

/* The names that a user may give lead to methods of the table. */
static void names_hold(const ness_network *net)
{
  static const char *const names[] = {"direct", "composition", "batch", NULL};
  for (int i = 0; i < 4; i++) {
    bool listed = false;
    for (int m = 0; m < METHODS; m++) {
      listed = listed || methods[m].kernel == ssa_kernel_find(names[i], net);
    }
    CHECK(listed);
  }
}

int main(void)
{
  static sample plain, wrong, x, twin;
  int64_t changed[METHODS] = {0};
  for (int c = 0; c < CASES; c++) {
    reference r = {.of = &cases[c], .net = cases[c].make(), .plain = &plain, .wrong = &wrong};
    CHECK(fabs(master_solve(&r.exact, r.net, 0, r.of->t, r.of->most)) < 1e-9);
    CHECK(fabs(master_solve(&r.off, r.net, PLANTED, r.of->t, r.of->most)) < 1e-9);
    reference_holds(&r.exact, r.of->t);
    names_hold(r.net);
    oracle_holds(&r);
    for (int m = 0; m < METHODS; m++) method_holds(&r, &methods[m], &x, &twin, &changed[m]);
    master_free(&r.exact);
    master_free(&r.off);
    network_free(r.net);
  }
  for (int m = 0; m < METHODS; m++) CHECK(methods[m].twin >= 0 || changed[m] > 0); /* the steps were shuffled */
  CHECK(comparisons * ALARM < 1e-6);
  printf("%d methods on %d networks, %.0f comparisons\n", METHODS, CASES, comparisons);
  return check_done();
}
