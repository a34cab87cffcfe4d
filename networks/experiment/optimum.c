/* ness optimum: where an exact steady value is largest. The box of the ranges, logarithmic along values whose ends are
 * positive and more than 20-fold apart, is covered by a grid, its best points go down by minimum.c, and around the best
 * of them it is told how flat the value is. Invariant: the start grid is the same for any number of threads, and its
 * best point is never better than the answer. A narrow peak between the points of the grid is not seen. Cost: 41 to 256
 * solutions in parallel, then some hundreds. */
#include "networks/experiment/minimum.h"
#include "networks/experiment/study.h"
#include <math.h>
#include <omp.h>
#include <string.h>

#define OPTIMUM_STARTS 4  /* local optima of the grid that are followed */
#define OPTIMUM_FLAT 0.01 /* of the value: the share that flatness is told for */
#define OPTIMUM_POINTS 256

static const int32_t optimum_side[SCAN_AXES + 1] = {0, 41, 13, 6, 4};

typedef struct optimum {
  study *self;
  double sign; /* 1 of the largest value, -1 of the smallest */
  lang_unit unit;
  /* flatness: the walk along one axis from `best`, to where this value is reached */
  const minimum *best;
  int32_t axis;
  double level;
} optimum;

static void optimum_values(const study *self, const double *u, double x[SCAN_AXES])
{
  for (int32_t a = 0; a < self->naxes; a++) x[a] = study_x(&self->axes[a], u[a]);
}

/* What is made small. Where the expression has no number it is infinite. */
static ness_status optimum_solve(const optimum *self, const double *u, ness_diags *diags, double *y, lang_unit *unit)
{
  double x[SCAN_AXES];
  point p;
  quantity q = {0, UNIT_NONE};
  optimum_values(self->self, u, x);
  const ness_status status = study_at(self->self, self->self->of, x, diags, &p, &q);
  point_free(&p);
  *y = isfinite(q.value) ? -self->sign * q.value : INFINITY;
  if (unit && q.value != 0) *unit = q.unit;
  return status;
}

static ness_status optimum_value(void *context, const double *u, double *y)
{
  optimum *const self = context;
  return optimum_solve(self, u, self->self->diags, y, &self->unit);
}

/* --- the grid --- */

static int32_t grid_points(int32_t n)
{
  int32_t points = 1;
  for (int32_t a = 0; a < n; a++) points *= optimum_side[n];
  return points;
}

static void grid_place(int32_t n, int32_t index, double u[SCAN_AXES])
{
  for (int32_t a = 0; a < n; a++, index /= optimum_side[n])
    u[a] = (double)(index % optimum_side[n]) / (optimum_side[n] - 1);
}

static ness_status grid_fill(optimum *self, double y[OPTIMUM_POINTS])
{
  const int32_t n = self->self->naxes, points = grid_points(n);
  const int asked = self->self->options->simulation.threads, threads = asked > 0 ? asked : omp_get_max_threads();
  int32_t first_bad = points;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int32_t i = 0; i < points; i++) {
    double u[SCAN_AXES];
    ness_diags *const own = ness_diags_create();
    grid_place(n, i, u);
    const ness_status mine = own ? optimum_solve(self, u, own, &y[i], NULL) : NESS_NOMEM;
    ness_diags_free(own);
    if (mine == NESS_OK) continue;
#pragma omp critical(optimum_grid)
    if (i < first_bad) first_bad = i;
  }
  if (interrupt_pending()) return NESS_STOPPED;
  if (first_bad == points) return NESS_OK;
  double u[SCAN_AXES], now; /* once more, now with the caller's diagnostics */
  grid_place(n, first_bad, u);
  const ness_status status = optimum_value(self, u, &now);
  return status ? status : NESS_NOMEM; /* what goes well at the second try was memory */
}

static bool grid_lowest(int32_t n, const double *y, int32_t index)
{
  for (int32_t a = 0, stride = 1; a < n; a++, stride *= optimum_side[n]) {
    const int32_t place = index / stride % optimum_side[n];
    if (place > 0 && y[index - stride] < y[index]) return false;
    if (place + 1 < optimum_side[n] && y[index + stride] < y[index]) return false;
  }
  return true;
}

/* The lowest of the local minima, lowest first; of equals the first. */
static int32_t grid_starts(int32_t n, const double *y, int32_t start[OPTIMUM_STARTS])
{
  int32_t count = 0;
  for (int32_t i = 0; i < grid_points(n); i++) {
    if (!isfinite(y[i]) || !grid_lowest(n, y, i)) continue;
    int32_t at = count;
    while (at > 0 && y[i] < y[start[at - 1]]) at--;
    if (at == OPTIMUM_STARTS) continue;
    count += count < OPTIMUM_STARTS;
    for (int32_t k = count - 1; k > at; k--) start[k] = start[k - 1];
    start[at] = i;
  }
  return count;
}

static ness_status optimum_find(optimum *self, minimum *best)
{
  const study *const s = self->self;
  double y[OPTIMUM_POINTS];
  int32_t start[OPTIMUM_STARTS];
  ness_status status = grid_fill(self, y);
  if (status) return status;
  const int32_t starts = grid_starts(s->naxes, y, start);
  *best = (minimum){.y = INFINITY};
  for (int32_t i = 0; i < starts && !status; i++) {
    minimum at = {.y = y[start[i]]};
    grid_place(s->naxes, start[i], at.u);
    status = minimum_find(optimum_value, self, s->naxes, 1.0 / (optimum_side[s->naxes] - 1), &at);
    if (!status && at.y < best->y) *best = at;
  }
  if (!status && starts == 0) {
    diag_add(s->diags, NESS_ERROR, "%s is a number nowhere in these ranges", s->title);
    status = NESS_USAGE;
  }
  return status;
}

/* --- how flat --- */

static ness_status flat_value(void *context, double u, double *y)
{
  optimum *const self = context;
  double at[SCAN_AXES];
  memcpy(at, self->best->u, sizeof at);
  at[self->axis] = u;
  const ness_status status = optimum_value(self, at, y);
  *y = isfinite(*y) ? *y - self->level : fabs(self->level) + 1;
  return status;
}

/* Where along an axis, towards `border`, a hundredth of the value is lost: steps that double find a bracket. *u is the
 * border where it is lost nowhere. */
static ness_status flat_end(optimum *self, double border, double *u)
{
  const double from = self->best->u[self->axis], way = border < from ? -1 : 1;
  double inner = from, y;
  for (double step = 1e-4; inner != border; step *= 2) {
    const double outer = fabs(border - from) > step ? from + way * step : border;
    root_found found;
    ness_status status = flat_value(self, outer, &y);
    if (!status && y > 0) {
      status = root_find(flat_value, self, inner, outer, &found);
      *u = found.crosses ? found.x : outer;
      return status;
    }
    if (status) return status;
    inner = outer;
  }
  *u = border;
  return NESS_OK;
}

/* --- the answer --- */

static ness_status optimum_axis(optimum *self, const point *at, const double x[SCAN_AXES], doc_node *rows)
{
  const study *const s = self->self;
  const scan_axis *const a = &s->axes[self->axis];
  const double u = self->best->u[self->axis];
  double ends[2];
  char words[64];
  quantity slope;
  bool exact;
  ness_status status = flat_end(self, 0, &ends[0]);
  if (!status) status = flat_end(self, 1, &ends[1]);
  if (!status) status = study_slope(s, s->of, x, self->axis, at, &slope, &exact);
  if (status) return status;
  doc_node *const row = doc_object(rows, NULL);
  doc_string(row, "name", "%s", a->name);
  answer_quantity(row, "value", (quantity){x[self->axis], a->from.unit});
  doc_string(row, "border", u <= 0 ? "lower end" : u >= 1 ? "upper end" : "no");
  doc_number(row, "within_1_percent_from", answer_words((quantity){study_x(a, ends[0]), a->from.unit}, words));
  doc_number(row, "within_1_percent_to", answer_words((quantity){study_x(a, ends[1]), a->from.unit}, words));
  doc_string(row, "scale", study_by_factors(a) ? "logarithmic" : "linear");
  doc_number(row, "derivative", answer_words(slope, words));
  if (words[0]) doc_string(row, "derivative_unit", "%s", words);
  doc_string(row, "derivative_by", exact ? "exact" : "difference");
  return NESS_OK;
}

static void optimum_row(const optimum *self, const point *at, const double x[SCAN_AXES], quantity value, doc_node *root)
{
  const study *const s = self->self;
  doc_node *const row = doc_object(doc_array(root, "table"), NULL);
  for (int32_t a = 0; a < s->naxes; a++) answer_column(row, s->axes[a].name, (quantity){x[a], s->axes[a].from.unit});
  answer_column(row, s->title, value);
  answer_column(row, "sigma", (quantity){at->exact.entropy, lang_file_of(at->model)->natural ? UNIT_NONE : UNIT_RATE});
}

ness_status study_optimum(study *self, doc_node *root)
{
  minimum best = {.y = INFINITY};
  optimum job = {.self = self, .sign = self->options->minimal ? -1 : 1, .best = &best};
  double x[SCAN_AXES];
  point at = {0};
  quantity value = {0, UNIT_NONE};
  ness_status status = study_of(self);
  if (!status) status = optimum_find(&job, &best);
  if (status) return status;
  optimum_values(self, best.u, x);
  status = study_at(self, self->of, x, self->diags, &at, &value);
  job.level = best.y + OPTIMUM_FLAT * fabs(best.y);
  if (!status) {
    doc_string(root, "search", "%s of %s over exact steady states, from a grid of %d points by %s",
               self->options->minimal ? "smallest value" : "largest value", self->title, (int)grid_points(self->naxes),
               self->naxes == 1 ? "parabolas (Brent)" : "simplices (Nelder and Mead)");
    optimum_row(&job, &at, x, value, root);
  }
  doc_node *const rows = status ? NULL : doc_array(root, "values");
  for (job.axis = 0; job.axis < self->naxes && !status; job.axis++) status = optimum_axis(&job, &at, x, rows);
  if (!status) study_answer(self, &at, root);
  point_free(&at);
  return status ? status : study_curves(self, x, value.unit);
}
