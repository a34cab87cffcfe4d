/* Steps of the flow where it is stiff: RODAS3, a linearly implicit method of order 3 with four stages, three right
 * sides and one matrix (Sandu, Verwer, Blom, Spee and Carmichael, Atmos. Environ. 31, 3459 (1997)), stiffly accurate.
 * Invariant: the integrals of rates, of x and of x^2 are taken by the same method, as further unknowns that nothing
 * depends on, so that the change of x is what the integrals of rates make of it. Cost: a factorisation of a dense
 * matrix of the real slots, n^3/3 multiplications. Inputs are unknowns too, that grow at their speed at the beginning:
 * so the method meets that its right side moves with time as it should, while its stages have the inputs themselves. */
#include "engine/hybrid/parts.h"

#include <math.h>
#include <string.h>

/* Stages y + sum A u, right sides + sum C/h u; unknowns u with (1/(gamma h) - J) u = right side. */
static const double gamma_of = 0.5;
static const double stage_a[4][3] = {{0, 0, 0}, {0, 0, 0}, {2, 0, 0}, {2, 0, 1}};
static const double stage_c[4][3] = {{0, 0, 0}, {4, 0, 0}, {1, -1, 0}, {1, -1, -8.0 / 3}};
static const double end_m[4] = {2, 0, 1, 1};
static const int32_t right_at[4] = {0, 0, 1, 2}; /* the second stage has the first one's right side */

/* --- the Jacobian --- */

static void dir_slopes(hybrid_replica *self, const hybrid_net *net, int32_t f)
{
  const hybrid_dir *const dir = &net->flow[f];
  const flow_stage *const at = &self->stage[0];
  double *slope = self->slope + dir->slope;
  double product = self->coef[f];
  const double value = dir->core >= 0 ? at->core[dir->core] : 1;
  for (int32_t i = dir->real_factor; i < dir->factor_end; i++) {
    product *= fmax(self->y[net->factor[i].slot] - net->factor[i].shift, 0);
  }
  if (dir->core >= 0) {
    const hybrid_core *const core = &net->core[dir->core];
    for (int32_t i = 0; i < core->nload; i++) {
      if (net->real_of[net->load[core->load + i].slot] < 0) continue;
      *slope++ = product * core_slope(net, core, self->reg + core->reg, self->dual + core->reg, i);
    }
  }
  for (int32_t i = dir->real_factor; i < dir->factor_end; i++) {
    double rest = self->coef[f] * value;
    for (int32_t j = dir->real_factor; j < dir->factor_end; j++) {
      if (j != i) rest *= fmax(self->y[net->factor[j].slot] - net->factor[j].shift, 0);
    }
    *slope++ = rest;
  }
}

/* The least of three norms, all of which bound the eigenvalues: rows, rows in units of what errors are relative to, and
 * columns. */
static void jacobian_norm(hybrid_replica *self, const hybrid_net *net)
{
  const int32_t n = net->nstate, width = net->nreal;
  const double *const x = self->stage[0].x;
  double rows = 0, scaled = 0, columns = 0;
  for (int32_t i = 0; i < n; i++) {
    double row = 0, units = 0, column = 0;
    for (int32_t j = 0; j < n; j++) {
      const double one = fabs(self->jac[(ptrdiff_t)i * width + j]);
      row += one;
      units += one * fmax(fabs(x[j]), net->scale[j]);
      column += fabs(self->jac[(ptrdiff_t)j * width + i]);
    }
    rows = fmax(rows, row);
    scaled = fmax(scaled, units / fmax(fabs(x[i]), net->scale[i]));
    columns = fmax(columns, column);
  }
  self->norm = fmin(rows, fmin(scaled, columns));
}

static void jacobian(hybrid_replica *self, const hybrid_net *net)
{
  const int32_t n = net->nreal;
  memset(self->jac, 0, (size_t)n * (size_t)n * sizeof *self->jac);
  for (int32_t r = 0; r < n; r++) self->y[net->real[r]] = self->stage[0].x[r];
  for (int32_t k = 0; k < net->nfcore; k++) {
    const hybrid_core *const core = &net->core[net->fcore[k]];
    core_value(net, core, self->reg + core->reg, self->y);
  }
  for (int32_t f = 0; f < net->nflow; f++) {
    dir_slopes(self, net, f);
    for (int32_t c = net->flow[f].change; c < net->flow[f].change_end; c++) {
      double *const row = self->jac + (ptrdiff_t)net->change[c].real * n;
      for (int32_t s = net->flow[f].slope; s < net->flow[f].slope_end; s++) {
        row[net->slope_real[s]] += net->change[c].by * self->slope[s];
      }
    }
  }
  jacobian_norm(self, net);
}

/* At stage 0, whose right side is known. */
void stiff_norm(hybrid_replica *self, const hybrid_net *net)
{
  jacobian(self, net);
}

/* --- linear systems: rows are swapped as the largest pivot wants --- */

static bool factor(double *a, int32_t *pivot, int32_t n)
{
  for (int32_t k = 0; k < n; k++) {
    int32_t best = k;
    for (int32_t i = k + 1; i < n; i++) {
      if (fabs(a[(ptrdiff_t)i * n + k]) > fabs(a[(ptrdiff_t)best * n + k])) best = i;
    }
    pivot[k] = best;
    const double top = a[(ptrdiff_t)best * n + k];
    if (!(fabs(top) > 0) || !isfinite(top)) return false;
    for (int32_t j = 0; j < n && best != k; j++) {
      const double swap = a[(ptrdiff_t)k * n + j];
      a[(ptrdiff_t)k * n + j] = a[(ptrdiff_t)best * n + j];
      a[(ptrdiff_t)best * n + j] = swap;
    }
    for (int32_t i = k + 1; i < n; i++) {
      double *const row = a + (ptrdiff_t)i * n;
      const double *const from = a + (ptrdiff_t)k * n;
      if (row[k] == 0) continue;
      const double by = row[k] /= top;
      for (int32_t j = k + 1; j < n; j++) row[j] -= by * from[j];
    }
  }
  return true;
}

static void solve(const double *a, const int32_t *pivot, int32_t n, double *b)
{
  for (int32_t k = 0; k < n; k++) {
    const double swap = b[k];
    b[k] = b[pivot[k]];
    b[pivot[k]] = swap;
  }
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < i; j++) b[i] -= a[(ptrdiff_t)i * n + j] * b[j];
  }
  for (int32_t i = n - 1; i >= 0; i--) {
    for (int32_t j = i + 1; j < n; j++) b[i] -= a[(ptrdiff_t)i * n + j] * b[j];
    b[i] /= a[(ptrdiff_t)i * n + i];
  }
}

/* --- stages --- */

/* Unknowns of the integrals in stage i: of each rate, x and x^2. */
static void stage_quadratures(hybrid_replica *self, const hybrid_net *net, int32_t i, double h)
{
  const int32_t n = net->nreal, flows = net->nflow;
  const flow_stage *const stage = &self->stage[right_at[i]];
  const double *const u = self->k[i];
  double *const q = self->quad[i];
  for (int32_t f = 0; f < flows; f++) {
    q[f] = stage->rate[f];
    for (int32_t s = net->flow[f].slope; s < net->flow[f].slope_end; s++) {
      q[f] += self->slope[s] * u[net->slope_real[s]];
    }
  }
  for (int32_t r = 0; r < n; r++) {
    q[flows + r] = stage->x[r] + u[r];
    q[flows + n + r] = stage->x[r] * stage->x[r] + 2 * self->stage[0].x[r] * u[r];
  }
  for (int32_t k = 0; k < flows + 2 * n; k++) {
    for (int32_t j = 0; j < i; j++) q[k] += stage_c[i][j] / h * self->quad[j][k];
    q[k] *= gamma_of * h;
  }
}

static bool stage_unknowns(hybrid_replica *self, const hybrid_net *net, int32_t i, double h)
{
  const int32_t n = net->nreal;
  flow_stage *const stage = &self->stage[right_at[i]];
  if (i > 1) {
    for (int32_t r = 0; r < n; r++) {
      stage->x[r] = self->stage[0].x[r];
      for (int32_t j = 0; j < i; j++) stage->x[r] += stage_a[i][j] * self->k[j][r];
    }
    if (!flow_right(self, net, stage, self->t + h)) return false; /* both of these are at the end */
  }
  for (int32_t r = 0; r < n; r++) {
    self->k[i][r] = r < net->nstate ? stage->dx[r] : self->stage[0].dx[r];
    for (int32_t j = 0; j < i; j++) self->k[i][r] += stage_c[i][j] / h * self->k[j][r];
  }
  solve(self->lu, self->pivot, n, self->k[i]);
  return true;
}

static void step_ends(hybrid_replica *self, const hybrid_net *net)
{
  const int32_t n = net->nreal, flows = net->nflow;
  flow_step *const step = &self->step;
  for (int32_t r = 0; r < n; r++) {
    step->x[r] = self->stage[0].x[r];
    step->area[r] = step->area2[r] = 0;
  }
  for (int32_t f = 0; f < flows; f++) step->flux[f] = 0;
  for (int32_t i = 0; i < 4; i++) {
    for (int32_t r = 0; r < n; r++) {
      step->x[r] += end_m[i] * self->k[i][r];
      step->area[r] += end_m[i] * self->quad[i][flows + r];
      step->area2[r] += end_m[i] * self->quad[i][flows + n + r];
    }
    for (int32_t f = 0; f < flows; f++) step->flux[f] += end_m[i] * self->quad[i][f];
  }
}

double stiff_step(hybrid_replica *self, const hybrid_net *net, double h)
{
  const int32_t n = net->nreal;
  flow_step *const step = &self->step;
  jacobian(self, net);
  for (int32_t i = 0; i < n; i++) {
    for (int32_t j = 0; j < n; j++) self->lu[(ptrdiff_t)i * n + j] = -self->jac[(ptrdiff_t)i * n + j];
    self->lu[(ptrdiff_t)i * n + i] += 1 / (gamma_of * h);
  }
  if (!factor(self->lu, self->pivot, n)) return (double)INFINITY;
  for (int32_t i = 0; i < 4; i++) {
    if (!stage_unknowns(self, net, i, h)) return (double)INFINITY;
    stage_quadratures(self, net, i, h);
  }
  step_ends(self, net);
  step->h = h;
  flow_inputs(self, net);
  memcpy(self->stage[3].x, step->x, (size_t)n * sizeof *step->x);
  if (!flow_right(self, net, &self->stage[3], self->t + h)) return (double)INFINITY;
  step->end_known = true;
  step->nodes = 2;
  step->node[0] = (flow_node){0, 0.5 * h};
  step->node[1] = (flow_node){3, 0.5 * h};
  static const double trapezium[HYBRID_STAGES] = {0.5, 0, 0, 0.5}; /* what entropy and works are taken by */
  return fmax(flow_error(net, step->x, self->k[3]), flow_loose(self, net, h, trapezium, step->flux));
}
