/* Power spectra of currents and counts from the resolvent of the generator.
 *
 * z_i = integral over tau > 0 of exp(-i omega tau) times what is expected of x a time tau after state i, above its
 * mean: (i omega - Q) z = f - p f, where f is the count in a state plus what its ways out count per second. With it
 *   S(omega) = sum over transitions of flow |w + z_j - z_i|^2,
 * since the Fourier integral of x is, up to its ends, the sum of exp(-i omega t) (w + z_j - z_i) over the events, whose
 * surprises at different times are uncorrelated. At omega = 0 that is the variance rate of noise.c; at large omega z
 * vanishes and shot noise remains. Copies that come and go enter at random, so theirs is the same sum with z = 0
 * outside and nothing taken off (Campbell's theorem). Invariant: a sum of squares, so no spectrum is negative and the
 * shot part does not drown what is correlated. Only differences of z are needed: with the likeliest state k taken out,
 * z_i - z_k = u_i - i omega z_k v_i, u and v solved among the others with f and 1, z_k = -p u / (1 - i omega p v),
 * which holds for omega = 0 as well. Cost: a factorisation of markov/harmonic.h for each part and frequency, in
 * parallel over frequencies, and a solve for each observable. */
#include "engine/cme/spectral.h"
#include "engine/cme/ergodic.h"
#include "engine/cme/space.h"
#include "engine/markov/harmonic.h"
#include "engine/markov/sum.h"

#include <omp.h>

#define SPECTRAL_ROOM 1e9 /* bytes of factors of all threads together */

typedef struct spectral_part {
  const ness_network *net;
  const cme_part *part;
  ergodic states;
  chain q;         /* among the states without the pinned one, or among the places inside */
  int32_t *kept;   /* (q.n) ids in the part */
  int32_t pinned;  /* -1: outside is where z is 0 */
  double *collect; /* (nobservable x states of the part) f above its mean */
} spectral_part;

typedef struct spectral_worker {
  harmonic *system;
  harmonic_number *one, *solved; /* (q.n) */
  harmonic_number *z;            /* (states of the part) differences to the pinned state */
} spectral_worker;

static double weight_of(const spectral_observable *of, int32_t dir)
{
  return of->weight ? of->weight[dir] : 0;
}

static bool part_watched(const cme_part *part, const spectral_observable *of)
{
  bool watched = false;
  for (int32_t k = 0; k < part->nstep; k++)
    watched = watched || weight_of(of, 2 * part->step[k]) != 0 || weight_of(of, 2 * part->step[k] + 1) != 0;
  for (int32_t k = 0; of->count && k < part->nslot; k++) watched = watched || of->count[part->slot[k]] != 0;
  return watched;
}

/* f of an observable, above its mean where states are closed. `n` (nslot) is scratch. */
static void part_collect(const spectral_part *self, const spectral_observable *of, int64_t *n, double *f)
{
  const cme_part *const part = self->part;
  exact_sum mean = {0, 0}, whole = {0, 0};
  for (int32_t k = 0; k < self->states.n; k++) {
    const int32_t i = self->states.state[k];
    exact_sum sum = {0, 0};
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++)
      sum_add(&sum, part->q.rate[e] * weight_of(of, part->dir[e]));
    if (of->count) cme_counts(part, i, n);
    for (int32_t s = 0; of->count && s < part->nslot; s++)
      sum_add(&sum, of->count[part->slot[s]] * (double)n[part->slot[s]]);
    f[i] = sum_get(&sum);
    sum_add(&mean, part->p[i] * f[i]);
    sum_add(&whole, part->p[i]);
  }
  if (part->kind == CME_OPEN) return;
  const double off = sum_get(&mean) / sum_get(&whole);
  for (int32_t k = 0; k < self->states.n; k++) f[self->states.state[k]] -= off;
}

/* The chain to solve on. */
static ness_status part_chain(spectral_part *self)
{
  const cme_part *const part = self->part;
  int32_t n = 0;
  self->pinned = -1;
  for (int32_t k = 0; part->kind != CME_OPEN && k < self->states.n; k++) {
    const int32_t i = self->states.state[k];
    if (self->pinned < 0 || part->p[i] > part->p[self->pinned]) self->pinned = i;
  }
  int32_t *const local = mem_zero((size_t)part->q.n + 1, sizeof *local);
  self->kept = mem_zero((size_t)self->states.n + 1, sizeof *self->kept);
  if (!local || !self->kept) {
    mem_free(local);
    return NESS_NOMEM;
  }
  for (int32_t k = 0; k < self->states.n; k++) {
    if (self->states.state[k] != self->pinned) self->kept[n++] = self->states.state[k];
  }
  const ness_status status = chain_part(&part->q, self->kept, n, true, local, &self->q);
  mem_free(local);
  return status;
}

static ness_status part_open(spectral_part *self, int32_t nobservable, const spectral_observable *of, ness_diags *diags)
{
  ness_status status = ergodic_create(self->net, self->part, diags, &self->states);
  if (status) return status;
  int64_t *const n = mem_zero((size_t)self->net->nslot + 1, sizeof *n);
  self->collect = mem_zero((size_t)nobservable * (size_t)self->part->q.n + 1, sizeof *self->collect);
  status = n && self->collect ? part_chain(self) : NESS_NOMEM;
  for (int32_t o = 0; status == NESS_OK && o < nobservable; o++)
    part_collect(self, &of[o], n, self->collect + (int64_t)o * self->part->q.n);
  mem_free(n);
  return status;
}

static void part_close(spectral_part *self)
{
  ergodic_free(&self->states);
  chain_free(&self->q);
  mem_free(self->kept);
  mem_free(self->collect);
}

static void worker_free(spectral_worker *self)
{
  harmonic_free(self->system);
  mem_free(self->one);
  mem_free(self->solved);
  mem_free(self->z);
}

static ness_status worker_create(const spectral_part *part, spectral_worker *out)
{
  const size_t n = (size_t)part->q.n + 1;
  *out = (spectral_worker){0};
  ness_status status = harmonic_create(&part->q, &out->system);
  out->one = mem_zero(n, sizeof *out->one);
  out->solved = mem_zero(n, sizeof *out->solved);
  out->z = mem_zero((size_t)part->part->q.n + 1, sizeof *out->z);
  if (!status && (!out->one || !out->solved || !out->z)) status = NESS_NOMEM;
  return status;
}

static harmonic_number mean_of(const spectral_part *self, const harmonic_number *x)
{
  exact_sum re = {0, 0}, im = {0, 0};
  for (int32_t k = 0; k < self->q.n; k++) {
    sum_add(&re, self->part->p[self->kept[k]] * x[k].re);
    sum_add(&im, self->part->p[self->kept[k]] * x[k].im);
  }
  return (harmonic_number){sum_get(&re), sum_get(&im)};
}

/* z of an observable, less z of the pinned state. */
static void worker_solve(const spectral_part *self, spectral_worker *at, const double *f, double omega)
{
  harmonic_number shift = {0, 0}; /* i omega z_k */
  for (int32_t k = 0; k < self->q.n; k++) at->solved[k] = (harmonic_number){f[self->kept[k]], 0};
  harmonic_solve(at->system, at->solved);
  if (self->pinned >= 0) {
    const harmonic_number u = mean_of(self, at->solved), v = mean_of(self, at->one);
    const double p = self->part->p[self->pinned];
    exact_sum whole = {p, 0};
    for (int32_t k = 0; k < self->q.n; k++) sum_add(&whole, self->part->p[self->kept[k]]);
    const double re = sum_get(&whole) + omega * v.im, im = -omega * v.re, size = re * re + im * im;
    const harmonic_number z = {-(u.re * re + u.im * im) / size, -(u.im * re - u.re * im) / size};
    shift = (harmonic_number){-omega * z.im, omega * z.re};
  }
  for (int32_t k = 0; k < self->q.n; k++) {
    const harmonic_number v = at->one[k];
    at->z[self->kept[k]] = (harmonic_number){at->solved[k].re - (shift.re * v.re - shift.im * v.im),
                                             at->solved[k].im - (shift.re * v.im + shift.im * v.re)};
  }
}

static double density_of(const spectral_part *self, const harmonic_number *z, const spectral_observable *of)
{
  const cme_part *const part = self->part;
  exact_sum sum = {0, 0};
  for (int32_t i = 0; i < part->q.n; i++) {
    if (part->p[i] == 0) continue;
    for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
      const int32_t to = part->q.to[e];
      const double re = weight_of(of, part->dir[e]) + (z[to].re - z[i].re), im = z[to].im - z[i].im;
      const double square = re * re + im * im;
      if (square > 0) sum_add(&sum, ergodic_flow(part, i, e) * square);
    }
  }
  return sum_get(&sum);
}

static ness_status worker_visit(const spectral_part *self, spectral_worker *at, const spectral_observable *of,
                                double frequency, int32_t column, spectral *out)
{
  const double omega = 6.283185307179586 * frequency;
  const ness_status status = harmonic_factor(at->system, omega);
  if (status) return status;
  for (int32_t k = 0; k < self->q.n; k++) at->one[k] = (harmonic_number){1, 0};
  if (self->pinned >= 0) harmonic_solve(at->system, at->one);
  for (int32_t o = 0; o < out->nobservable; o++) {
    if (!part_watched(self->part, &of[o])) continue;
    worker_solve(self, at, self->collect + (int64_t)o * self->part->q.n, omega);
    out->density[(int64_t)o * out->nfrequency + column] += density_of(self, at->z, &of[o]);
  }
  return NESS_OK;
}

static ness_status part_spectra(const spectral_part *self, const spectral_observable *of, const double *frequency,
                                int32_t threads, spectral *out)
{
  const double bytes = 16.0 * self->q.n * (8 + (double)self->q.n); /* of a worker, at most */
  if (threads > out->nfrequency) threads = out->nfrequency;
  while (threads > 1 && bytes * threads > SPECTRAL_ROOM) threads--;
  ness_status status = NESS_OK;
#pragma omp parallel num_threads(threads) default(none) shared(self, of, frequency, out, status)
  {
    spectral_worker at;
    ness_status mine = worker_create(self, &at);
#pragma omp for schedule(dynamic)
    for (int32_t f = 0; f < out->nfrequency; f++) {
      if (!mine) mine = worker_visit(self, &at, of, frequency[f], f, out);
      if (!mine && interrupt_pending()) mine = NESS_INTERRUPTED;
    }
    worker_free(&at);
#pragma omp critical
    if (mine < status) status = mine;
  }
  return status;
}

static ness_status spectral_part_add(const ness_network *net, const cme_part *part, const spectral_observable *of,
                                     const double *frequency, int32_t threads, ness_diags *diags, spectral *out)
{
  spectral_part self = {.net = net, .part = part};
  ness_status status = part_open(&self, out->nobservable, of, diags);
  if (status == NESS_OK) status = part_spectra(&self, of, frequency, threads, out);
  part_close(&self);
  if (status == NESS_LIMIT) {
    char name[160];
    part_describe(net, part, name);
    diag_add(diags, NESS_ERROR, "%s has %d states that are joined too widely for power spectra", name, self.part->q.n);
    diag_hint(diags, "a model with fewer states, or 'ness analyze' of a simulation, shows them");
  }
  return status;
}

ness_status spectral_find(const ness_network *net, const cme_solution *solution, int32_t nobservable,
                          const spectral_observable *observable, int32_t nfrequency, const double *frequency,
                          int32_t threads, ness_diags *diags, spectral *out)
{
  if (threads <= 0) threads = omp_get_max_threads();
  *out = (spectral){.nobservable = nobservable, .nfrequency = nfrequency};
  out->density = mem_zero((size_t)nobservable * (size_t)nfrequency + 1, sizeof *out->density);
  out->shot = mem_zero((size_t)nobservable + 1, sizeof *out->shot);
  ness_status status = out->density && out->shot ? NESS_OK : NESS_NOMEM;
  for (int32_t p = 0; status == NESS_OK && p < solution->nparts; p++) {
    bool watched = false;
    for (int32_t o = 0; o < nobservable; o++) watched = watched || part_watched(&solution->parts[p], &observable[o]);
    if (watched) status = spectral_part_add(net, &solution->parts[p], observable, frequency, threads, diags, out);
  }
  for (int32_t o = 0; status == NESS_OK && o < nobservable; o++) {
    exact_sum sum = {0, 0};
    for (int32_t d = 0; d < 2 * net->nstep; d++) {
      const double w = weight_of(&observable[o], d);
      if (w != 0) sum_add(&sum, solution->dir_rate[d] * w * w);
    }
    out->shot[o] = sum_get(&sum);
  }
  if (status) spectral_free(out);
  return status;
}

void spectral_free(spectral *self)
{
  mem_free(self->density);
  mem_free(self->shot);
  *self = (spectral){0};
}
