/* Power spectra of a chain that is looked at every Delta, from its transition matrix P = exp(Q Delta).
 *
 * With v_i = p_i (f_i - mean) the covariance at m Delta is v P^m f, so that S = Delta (2 Re g f - v f) with
 * g = sum over m >= 0 of z^m v P^m, z = exp(-i omega Delta): a geometric series in P, which has all aliases in it. Its
 * first 2^k terms are v (1 + z P)(1 + z^2 P^2)(1 + z^4 P^4)..., and there are as many factors as it takes until P^(2^k)
 * has forgotten where it began. P is a Taylor sum of uniformised steps over a short time, squared until the time is
 * Delta: nonnegative numbers throughout, with rows scaled back to the sum 1. Copies that come and go leave for good,
 * and theirs is the same with nothing taken off (their counts are Poisson, and a count is like itself while its copies
 * are inside). Cost: sampled.h. */
#include "engine/cme/sampled.h"
#include "engine/cme/ergodic.h"
#include "engine/cme/space.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define SAMPLED_POWERS 64
#define SAMPLED_TAYLOR 24  /* of a step of at most half an event: 0.5^24 / 24! is below 1e-30 */
#define SAMPLED_LEFT 1e-14 /* of a start, when it is forgotten */
#define SAMPLED_TURN 6.283185307179586

typedef struct sampled {
  const cme_part *part;
  ergodic states;
  int32_t n, powers;
  bool closed;
  double *power[SAMPLED_POWERS]; /* (n x n) P^(2^k) by rows */
  double *v, *f;                 /* (nobservable x n) */
} sampled;

/* a <- b c. */
static void product(int32_t n, const double *restrict b, const double *restrict c, double *restrict a)
{
  memset(a, 0, (size_t)n * (size_t)n * sizeof *a);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < n; k++) {
      const double by = b[i * n + k];
      for (int64_t j = 0; by != 0 && j < n; j++) a[i * n + j] += by * c[k * n + j];
    }
  }
}

static void rows_scale(int32_t n, double *a)
{
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += a[i * n + j];
    for (int64_t j = 0; j < n; j++) a[i * n + j] /= sum;
  }
}

/* 1 + Q / speed among the states. */
static void step_fill(const sampled *self, double speed, double *step)
{
  const int64_t n = self->n;
  memset(step, 0, (size_t)(n * n) * sizeof *step);
  for (int64_t k = 0; k < n; k++) {
    const int32_t i = self->states.state[k];
    double out = 0;
    for (int64_t e = self->part->q.start[i]; e < self->part->q.start[i + 1]; e++) {
      const int32_t to = self->part->q.to[e];
      if (to == i) continue;
      out += self->part->q.rate[e];
      if (self->states.local[to] >= 0) step[k * n + self->states.local[to]] += self->part->q.rate[e] / speed;
    }
    step[k * n + k] += 1 - out / speed;
  }
}

static double fastest_of(const sampled *self)
{
  double fastest = 0;
  for (int32_t k = 0; k < self->n; k++) {
    const int32_t i = self->states.state[k];
    double out = 0;
    for (int64_t e = self->part->q.start[i]; e < self->part->q.start[i + 1]; e++)
      out += self->part->q.to[e] == i ? 0 : self->part->q.rate[e];
    fastest = fmax(fastest, out);
  }
  return fastest;
}

/* What P^m still tells of where it began. */
static double left_of(const sampled *self, const double *a)
{
  const int64_t n = self->n;
  double left = 0;
  for (int64_t i = 0; i < n; i++) {
    double off = 0;
    for (int64_t j = 0; j < n; j++) off += fabs(a[i * n + j] - (self->closed ? a[j] : 0));
    left = fmax(left, off);
  }
  return left;
}

/* exp(Q every) into a; x and y are scratch, all (n x n). */
static void exponential(const sampled *self, double every, double *a, double *x, double *y)
{
  const int64_t n = self->n;
  const double fastest = fastest_of(self);
  double h = every, term = 1;
  int32_t squarings = 0;
  for (; fastest * h > 0.5; h /= 2) squarings++;
  const double speed = fastest > 0 ? fastest : 1;
  double *const step = self->power[SAMPLED_POWERS - 1];
  step_fill(self, speed, step);
  memset(a, 0, (size_t)(n * n) * sizeof *a);
  memset(x, 0, (size_t)(n * n) * sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i * n + i] = 1;
  for (int k = 0; k <= SAMPLED_TAYLOR; k++) {
    for (int64_t i = 0; i < n * n; i++) a[i] += term * x[i];
    term *= speed * h / (k + 1);
    product((int32_t)n, x, step, y);
    memcpy(x, y, (size_t)(n * n) * sizeof *x);
  }
  const double weight = exp(-speed * h);
  for (int64_t i = 0; i < n * n; i++) a[i] *= weight;
  for (int32_t k = 0; k <= squarings; k++) {
    if (self->closed) rows_scale((int32_t)n, a);
    if (k == squarings) break;
    product((int32_t)n, a, a, y);
    memcpy(a, y, (size_t)(n * n) * sizeof *a);
  }
}

static ness_status powers_find(sampled *self, double every)
{
  const size_t cells = (size_t)self->n * (size_t)self->n + 1;
  double *const x = mem_zero(cells, sizeof *x), *const y = mem_zero(cells, sizeof *y);
  double **const first = &self->power[0];
  *first = mem_zero(cells, sizeof **first);
  self->power[SAMPLED_POWERS - 1] = mem_zero(cells, sizeof **first);
  ness_status status = x && y && *first && self->power[SAMPLED_POWERS - 1] ? NESS_OK : NESS_NOMEM;
  if (!status) exponential(self, every, *first, x, y);
  for (self->powers = 1; !status && left_of(self, self->power[self->powers - 1]) > SAMPLED_LEFT; self->powers++) {
    if (self->powers == SAMPLED_POWERS - 1) {
      status = NESS_NUMERIC;
      break;
    }
    double *const next = self->power[self->powers] = mem_zero(cells, sizeof *next);
    if (!next) status = NESS_NOMEM;
    if (!status) product(self->n, self->power[self->powers - 1], self->power[self->powers - 1], next);
    if (!status && self->closed) rows_scale(self->n, next);
    if (!status && interrupt_pending()) status = NESS_INTERRUPTED;
    if (status) break;
  }
  mem_free(x);
  mem_free(y);
  return status;
}

/* f of an observable, above its mean where states are closed, and p f. `count` (nslot) is scratch. */
static void observe(const sampled *self, const spectral_observable *of, int64_t *count, double *v, double *f)
{
  const cme_part *const part = self->part;
  double mean = 0;
  for (int32_t k = 0; k < self->n; k++) {
    cme_counts(part, self->states.state[k], count);
    f[k] = 0;
    for (int32_t s = 0; s < part->nslot; s++) f[k] += of->count[part->slot[s]] * (double)count[part->slot[s]];
    mean += part->p[self->states.state[k]] * f[k];
  }
  for (int32_t k = 0; k < self->n; k++) {
    if (self->closed) f[k] -= mean;
    v[k] = part->p[self->states.state[k]] * f[k];
  }
}

/* The density of one observable; `room` has 4 n. */
static double density_at(const sampled *self, const double *v, const double *f, double turns, double *room)
{
  const int64_t n = self->n;
  double *re = room, *im = room + n, *next_re = room + 2 * n, *next_im = room + 3 * n, sum = 0;
  memcpy(re, v, (size_t)n * sizeof *re);
  memset(im, 0, (size_t)n * sizeof *im);
  for (int32_t k = 0; k < self->powers; k++) {
    const double *const p = self->power[k];
    const double phase = ldexp(turns, k), angle = -SAMPLED_TURN * (phase - floor(phase)); /* exact but for the last */
    const double c = cos(angle), s = sin(angle);
    memcpy(next_re, re, (size_t)n * sizeof *re);
    memcpy(next_im, im, (size_t)n * sizeof *im);
    for (int64_t i = 0; i < n; i++) {
      const double x = c * re[i] - s * im[i], y = c * im[i] + s * re[i];
      for (int64_t j = 0; j < n; j++) {
        next_re[j] += x * p[i * n + j];
        next_im[j] += y * p[i * n + j];
      }
    }
    memcpy(re, next_re, (size_t)n * sizeof *re);
    memcpy(im, next_im, (size_t)n * sizeof *im);
  }
  for (int64_t i = 0; i < n; i++) sum += (2 * re[i] - v[i]) * f[i];
  return sum;
}

static bool part_watched(const cme_part *part, const spectral_observable *of)
{
  bool watched = false;
  for (int32_t k = 0; k < part->nslot; k++) watched = watched || of->count[part->slot[k]] != 0;
  return watched;
}

static ness_status part_spectra(const sampled *self, int32_t nobservable, const spectral_observable *of,
                                int32_t nfrequency, const double *frequency, double every, int32_t threads,
                                double *density)
{
  const size_t n = (size_t)self->n;
  bool good = true;
#pragma omp parallel num_threads(threads) default(none)                                                                \
    shared(self, nobservable, of, nfrequency, frequency, every, density, n, good)
  {
    double *const room = mem_zero(4 * n + 1, sizeof *room);
#pragma omp for schedule(static)
    for (int32_t k = 0; k < nfrequency; k++) {
      for (int32_t o = 0; room && o < nobservable; o++) {
        if (!part_watched(self->part, &of[o])) continue;
        const int64_t at = (int64_t)o * (int64_t)n;
        density[(int64_t)o * nfrequency + k] +=
            every * self->part->scale * density_at(self, self->v + at, self->f + at, frequency[k] * every, room);
      }
    }
#pragma omp critical
    good = good && room;
    mem_free(room);
  }
  return good ? NESS_OK : NESS_NOMEM;
}

static ness_status part_open(sampled *self, const ness_network *net, int32_t nobservable, const spectral_observable *of,
                             double every, ness_diags *diags)
{
  ness_status status = ergodic_create(net, self->part, diags, &self->states);
  if (status) return status;
  self->n = self->states.n;
  self->closed = self->part->kind != CME_OPEN;
  if (self->n > SAMPLED_STATES) {
    char name[160];
    part_describe(net, self->part, name);
    diag_add(diags, NESS_ERROR, "%s has %d states; spectra of samples are had up to %d", name, (int)self->n,
             SAMPLED_STATES);
    return NESS_LIMIT;
  }
  const size_t cells = (size_t)nobservable * (size_t)self->n + 1;
  int64_t *const count = mem_zero((size_t)net->nslot + 1, sizeof *count);
  self->v = mem_zero(cells, sizeof *self->v);
  self->f = mem_zero(cells, sizeof *self->f);
  status = count && self->v && self->f ? powers_find(self, every) : NESS_NOMEM;
  for (int32_t o = 0; !status && o < nobservable; o++)
    observe(self, &of[o], count, self->v + (int64_t)o * self->n, self->f + (int64_t)o * self->n);
  mem_free(count);
  return status;
}

static void part_close(sampled *self)
{
  for (int k = 0; k < SAMPLED_POWERS; k++) mem_free(self->power[k]);
  mem_free(self->v);
  mem_free(self->f);
  ergodic_free(&self->states);
}

ness_status sampled_find(const ness_network *net, const cme_solution *solution, int32_t nobservable,
                         const spectral_observable *observable, int32_t nfrequency, const double *frequency,
                         double every, int32_t threads, ness_diags *diags, double *density)
{
  if (threads <= 0) threads = omp_get_max_threads();
  memset(density, 0, (size_t)nobservable * (size_t)nfrequency * sizeof *density);
  ness_status status = NESS_OK;
  for (int32_t p = 0; !status && p < solution->nparts; p++) {
    sampled self = {.part = &solution->parts[p]};
    bool watched = false;
    for (int32_t o = 0; o < nobservable; o++) watched = watched || part_watched(self.part, &observable[o]);
    if (!watched) continue;
    status = part_open(&self, net, nobservable, observable, every, diags);
    if (!status) status = part_spectra(&self, nobservable, observable, nfrequency, frequency, every, threads, density);
    part_close(&self);
  }
  return status;
}
