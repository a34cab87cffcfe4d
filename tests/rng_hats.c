/* The rejections behind rng_poisson and rng_binomial are exact only where the hat covers the law and the squeeze stays
 * below it. Scans both, over means and positions, against lgamma from libm; no random numbers. Planted: the published
 * PTRS constants, which the scan must refuse (hat by 0.5 %, squeeze by 0.3 %). */
#include "check.h"

#include "../engine/rng/rng_counts.h"

#define POSITIONS 2000

typedef struct {
  double top, slack; /* largest acceptance probability; smallest acceptance probability less squeeze */
} scan_result;

/* weight(k) through ln weight = base + k * slope - ln k! - ln (n - k)!, the last only for n >= 0. */
static scan_result scan(const rng_hat *hat, double base, double slope, double n, scan_result result)
{
  for (int i = 0; i <= 2 * POSITIONS; i++) {
    /* Half of the positions spread evenly, half crowd towards the poles, and the last is the squeeze's edge. */
    const double t = (double)(i % POSITIONS + 1) / POSITIONS;
    const double gap = i < POSITIONS ? 0.5 * t : i < 2 * POSITIONS ? 0.1 * pow(1e-6, 1 - t) : 0.07;
    for (int side = -1; side <= 1; side += 2) {
      const double u = side * (0.5 - gap);
      const double k = hat->whole + floor(hat->frac + (2 * hat->a / gap + hat->b) * u);
      if (k < 0 || (n >= 0 && k > n)) {
        result.slack = gap >= 0.07 ? fmin(result.slack, -hat->squeeze) : result.slack;
        continue;
      }
      const double ln_weight = base + k * slope - lgamma(k + 1) - (n >= 0 ? lgamma(n - k + 1) : 0);
      const double accept = exp(ln_weight) * (hat->a / (gap * gap) + hat->b) / hat->lift;
      result.top = fmax(result.top, accept);
      result.slack = gap >= 0.07 ? fmin(result.slack, accept - hat->squeeze) : result.slack;
    }
  }
  return result;
}

static scan_result scan_poisson(double from, double to, int published)
{
  scan_result result = {0, 1};
  for (double mean = from; mean < to; mean *= 1.01) {
    rng_hat hat = rng_poisson_hat(mean);
    if (published) {
      hat.lift /= 1.007;
      hat.squeeze += 0.0102;
    }
    result = scan(&hat, -mean, log(mean), -1, result);
  }
  return result;
}

static scan_result scan_binomial(double p, double from, double to)
{
  scan_result result = {0, 1};
  for (double mean = from; mean < to; mean *= 1.05) {
    const double n = ceil(mean / p), mode = floor((n + 1) * p), slope = log(p / (1 - p));
    const rng_hat hat = rng_binomial_hat(n, p);
    result = scan(&hat, lgamma(mode + 1) + lgamma(n - mode + 1) - mode * slope, slope, n, result);
  }
  return result;
}

int main(void)
{
  const scan_result poisson = scan_poisson(10, 1e5, 0);
  CHECK(poisson.top <= 1 && poisson.top > 0.98);
  CHECK(poisson.slack >= 0);

  const scan_result published = scan_poisson(10, 1e3, 1);
  CHECK(published.top > 1.004);
  CHECK(published.slack < -0.002);

  static const double ps[] = {1e-6, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.49, 0.5};
  for (size_t i = 0; i < sizeof ps / sizeof ps[0]; i++) {
    const scan_result binomial = scan_binomial(ps[i], 10, ps[i] < 1e-5 ? 1e3 : 1e5);
    CHECK(binomial.top <= 1);
    CHECK(binomial.slack >= 0);
    printf("binomial p = %g: hat %.5f, squeeze %+.5f\n", ps[i], binomial.top, binomial.slack);
  }
  printf("poisson: hat %.5f, squeeze %+.5f; as published %.5f, %+.5f\n", poisson.top, poisson.slack, published.top,
         published.slack);
  return check_done();
}
