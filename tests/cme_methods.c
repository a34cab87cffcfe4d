/* One answer by three methods: 1,000 random reaction networks by elimination, by sparse LU and by multilevel
 * aggregation. Every probability agrees within the sum of the two certified bounds, and so do means, variances, rates
 * and the entropy production; work, energy and entropy close by every method. Elimination solves all of them; the other
 * two may refuse, with NESS_NUMERIC and its reason, at most 1 in 100 (found: none, and 1 or 2 in 1,000). A probability
 * that is off by three times the bounds is noticed. */
#include "check.h"
#include "cme_build.h"

enum { NETWORKS = 1000, METHODS = 3 };

static const solver_method method_of[METHODS] = {SOLVER_GTH, SOLVER_KLU, SOLVER_MULTILEVEL};
static const double rounding = 1e-13; /* of sums, which the bounds of the probabilities do not count */

typedef struct tally {
  int64_t refused[METHODS], parts, states, compared, planted, noticed;
  double bound[METHODS], apart_in_bounds;
} tally;

static bool method_solve(const ness_network *net, int k, cme_solution *out)
{
  ness_diags *const diags = ness_diags_create();
  const ness_status status = cme_steady(net, &(cme_options){.solve = {.method = method_of[k]}}, diags, out);
  if (status) {
    CHECK(status == NESS_NUMERIC && k > 0);
    CHECK(ness_diags_count(diags, NULL) > 0 && out->nparts == 0);
    const char *const words = ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "";
    CHECK(strstr(words, solver_name(method_of[k])) || strstr(words, "double precision"));
  }
  ness_diags_free(diags);
  return status == NESS_OK;
}

/* The allowed distance of two probabilities with bounds a and b on their relative errors, relative to the second. */
static double allowed(double a, double b)
{
  return (a + b) / (1 - b) + 4e-16; /* half an ulp each of weight and product, in both */
}

/* Whether all probabilities agree; *apart <- the largest distance in units of what is allowed. */
static bool probabilities_agree(const cme_part *x, const double *p, double bound, const cme_part *y, double *apart)
{
  *apart = 0;
  for (int32_t i = 0; i < x->q.n; i++) {
    if ((p[i] > 0) != (y->p[i] > 0)) return false;
    if (y->p[i] > 0) *apart = fmax(*apart, fabs(p[i] - y->p[i]) / y->p[i] / allowed(bound, y->report.bound));
  }
  return *apart <= 1;
}

static void compare_part(const cme_part *x, const cme_part *y, tally *count, uint64_t *seed)
{
  double apart;
  CHECK(x->q.n == y->q.n && x->classes.count == y->classes.count);
  if (x->q.n != y->q.n) return;
  CHECK(probabilities_agree(x, x->p, x->report.bound, y, &apart));
  count->compared += x->q.n;
  count->apart_in_bounds = fmax(count->apart_in_bounds, apart);
  int32_t at = (int32_t)(x->q.n * draw(seed));
  while (x->p[at] == 0) at = (at + 1) % x->q.n;
  double *const wrong = malloc((size_t)x->q.n * sizeof *wrong);
  memcpy(wrong, x->p, (size_t)x->q.n * sizeof *wrong);
  wrong[at] *= 1 + 3 * allowed(x->report.bound, y->report.bound);
  count->planted++;
  count->noticed += !probabilities_agree(x, wrong, x->report.bound, y, &apart);
  free(wrong);
}

/* Sum over all transitions of flow times |entropy| where this is finite: what the error of a power is relative to. */
static double power_of(const ness_network *net, const cme_solution *s)
{
  double power = 0;
  double *const scratch = calloc((size_t)net->tape_max + 1, sizeof *scratch);
  int64_t *const n = calloc((size_t)net->nslot, sizeof *n), *const after = calloc((size_t)net->nslot, sizeof *after);
  for (int32_t p = 0; p < s->nparts; p++) {
    const cme_part *const part = &s->parts[p];
    for (int32_t i = 0; i < part->q.n; i++) {
      cme_counts(part, i, n);
      for (int64_t e = part->q.start[i]; e < part->q.start[i + 1]; e++) {
        const int32_t dir = part->dir[e];
        const double entropy = network_event_entropy(net, dir / 2, dir % 2 ? -1 : 1, n, after, scratch);
        if (isfinite(entropy)) power += part->scale * part->p[i] * part->q.rate[e] * fabs(entropy);
      }
    }
  }
  free(scratch);
  free(n);
  free(after);
  return power;
}

static void compare_totals(const ness_network *net, const cme_solution *x, const cme_solution *y, double power)
{
  const double within = allowed(x->report.bound, y->report.bound) + rounding;
  for (int32_t i = 0; i < net->nslot; i++) {
    CHECK(fabs(x->mean[i] - y->mean[i]) <= within * y->mean[i]);
    CHECK(fabs(x->var[i] - y->var[i]) <= 2 * within * (y->var[i] + y->mean[i] * within) + 1e-300);
  }
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    CHECK(fabs(x->dir_rate[d] - y->dir_rate[d]) <= within * y->dir_rate[d]);
  }
  for (int32_t k = 0; k < net->nstep; k++) {
    CHECK(fabs(x->net_rate[k] - y->net_rate[k]) <= within * (y->dir_rate[2 * k] + y->dir_rate[2 * k + 1]));
  }
  CHECK(x->one_way_running == y->one_way_running);
  if (isfinite(y->entropy)) CHECK(fabs(x->entropy - y->entropy) <= within * power);
  else CHECK(isinf(x->entropy));
}

static void check_network(uint64_t seed, tally *count)
{
  ness_network *const net = reaction_network(seed * 7368787 + 11, seed % 2, seed % 8 == 0 ? 2 : 0);
  cme_solution s[METHODS] = {{0}};
  bool solved[METHODS];
  for (int k = 0; k < METHODS; k++) {
    solved[k] = method_solve(net, k, &s[k]);
    count->refused[k] += !solved[k];
    if (!solved[k]) continue;
    const double power = power_of(net, &s[k]);
    CHECK(s[k].report.bound >= 0 && s[k].report.bound < 1);
    CHECK(s[k].closure <= (rounding + 2 * s[k].report.bound) * power);
    CHECK(fabs(s[k].internal) <= (rounding + 2 * s[k].report.bound) * (power + 1));
    count->bound[k] = fmax(count->bound[k], s[k].report.bound);
    for (int l = 0; l < k; l++) {
      if (!solved[l]) continue;
      CHECK(s[k].nparts == s[l].nparts);
      for (int32_t p = 0; p < s[k].nparts; p++) compare_part(&s[k].parts[p], &s[l].parts[p], count, &seed);
      compare_totals(net, &s[k], &s[l], power);
    }
  }
  count->parts += s[0].nparts;
  count->states += s[0].states;
  for (int k = 0; k < METHODS; k++) cme_solution_free(&s[k]);
  network_free(net);
}

int main(void)
{
  tally count = {.parts = 0};
  for (uint64_t seed = 0; seed < NETWORKS; seed++) check_network(seed, &count);
  printf("%d networks, %lld parts, %lld states; %lld pairs of probabilities, at most %.2g of the bounds apart\n",
         NETWORKS, (long long)count.parts, (long long)count.states, (long long)count.compared, count.apart_in_bounds);
  for (int k = 0; k < METHODS; k++) {
    printf("%-24s refuses %lld, largest bound %.2g\n", solver_name(method_of[k]), (long long)count.refused[k],
           count.bound[k]);
    CHECK(count.refused[k] <= (k == 0 ? 0 : NETWORKS / 100));
  }
  printf("probabilities three bounds off: %lld of %lld noticed\n", (long long)count.noticed, (long long)count.planted);
  CHECK(count.noticed == count.planted && count.planted > NETWORKS);
  return check_done();
}
