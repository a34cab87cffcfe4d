/* Affinities of a cycle basis and what explains them.
 * The affinity of a cycle is the sum of ln(k_fwd/k_bwd) over its steps (Kolmogorov 1936; Hill 1977); free energies of
 * states drop out, so what reservoirs and voltages do around it needs no energies at all. A difference is drive the
 * file does not declare. A step through a capacitor has a ratio that changes with the charge; with the energy of the
 * charge added it is one number, which is asked for at states far apart. A step in a volume that follows a variable has
 * a ratio that changes with the variable, and the cycle none: so steps are asked with variables held at one place, and
 * cycles at two. Smallest correction: minimise sum (x_s/error_s)^2 with C x = -mismatch, by the normal equations and
 * Cholesky. Cost: the basis, plus cycles^3/3 for a correction; above THERMO_CORRECT cycles no correction is offered. */
#include "networks/thermo/thermo.h"
#include <math.h>
#include <string.h>

#define THERMO_CORRECT 1500

double thermo_cycle_work(const ness_network *net, const thermo_report *report, int32_t cycle, int32_t source)
{
  double sum = 0;
  for (int32_t i = report->cycles.start[cycle]; i < report->cycles.start[cycle + 1]; i++) {
    const int32_t s = report->cycles.id[i];
    for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) {
      if (net->work_src[w] == source) sum += (double)report->cycles.by[i] * net->work_kt[w];
    }
  }
  return sum;
}

static int32_t thermo_declared(const ness_network *net, const stoich_basis *basis, int32_t cycle, int32_t *flipped)
{
  const int32_t n = basis->start[cycle + 1] - basis->start[cycle];
  for (int32_t c = 0; c < net->ncycle; c++) {
    if (net->cycle_start[c + 1] - net->cycle_start[c] != n) continue;
    for (int sign = 1; sign >= -1; sign -= 2) {
      bool same = true;
      for (int32_t i = 0; i < n && same; i++) {
        bool found = false;
        for (int32_t k = net->cycle_start[c]; k < net->cycle_start[c + 1]; k++) {
          found = found || (net->cycle_step[k] == basis->id[basis->start[cycle] + i] &&
                            net->cycle_by[k] == sign * basis->by[basis->start[cycle] + i]);
        }
        same = found;
      }
      *flipped = sign < 0;
      if (same) return c;
    }
  }
  return -1;
}

/* --- ratios of tapes --- */

#define THERMO_SAME 1e-9
#define THERMO_STATES 3
#define THERMO_COPIES 1000 /* of each count, beyond the start */

typedef struct thermo_states {
  int64_t *n, *after; /* (nslot) */
  double *scratch;
  int32_t place; /* where variables are held: 0 or 1 */
} thermo_states;

/* What an event at n gives to the medium and to the capacitors; of a step that flows, at real counts. */
static double tape_ratio(const ness_network *net, int32_t s, const thermo_states *at)
{
  const int64_t *const n = at->n;
  const bool flows = net->step_flow[s] != FLOW_NONE;
  double sum = 0;
  for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
    const int32_t slot = net->change_slot[c], var = net->slot_var[slot];
    const double by = net->change_by[c], x = (double)n[slot];
    if (var >= 0) sum += by * network_var_pull(net, var, flows ? x : x + 0.5 * by);
    else if (flows) sum += by * log(x);
  }
  if (!flows) return sum + network_event_medium(net, s, 1, n, at->after, at->scratch);
  return sum + log(network_propensity(net, 2 * s, n, at->scratch) / network_propensity(net, 2 * s + 1, n, at->scratch));
}

/* States far apart, within what each slot may hold. */
static void state_choose(const ness_network *net, int32_t which, const thermo_states *at)
{
  for (int32_t i = 0; i < net->nslot; i++) {
    const bool capped = net->slot_max[i] != MODEL_NO_MAX;
    const int64_t more = (which + 1) * (THERMO_COPIES + (int64_t)which * (17 * i + 13));
    const int32_t var = net->slot_var[i];
    const bool held = var >= 0 && net->var_kind[var] == VAR_PLAIN;
    const int32_t part = 2 + (held ? at->place * (1 + var) : which); /* places where variables differ in their shares */
    at->n[i] = capped ? net->slot_max[i] / part : net->slot_start[i] + more;
  }
}

/* The ratio that is the same in all of them, else NaN. */
static double tape_lnk(const ness_network *net, int32_t s, const thermo_states *at)
{
  double first = 0;
  for (int32_t i = 0; i < THERMO_STATES; i++) {
    state_choose(net, i, at);
    const double ratio = tape_ratio(net, s, at);
    if (i == 0) first = ratio;
    if (!(fabs(ratio - first) <= THERMO_SAME * (1 + fabs(first)))) return (double)NAN;
  }
  return first;
}

/* Into lnk and, with variables held elsewhere, `other`. */
static ness_status thermo_ratios(const ness_network *net, thermo_report *out, double *other)
{
  const size_t slots = (size_t)net->nslot + 1;
  thermo_states at = {.n = mem_zero(slots, sizeof(int64_t)),
                      .after = mem_zero(slots, sizeof(int64_t)),
                      .scratch = mem_zero((size_t)net->tape_max + 1, sizeof(double))};
  const bool room = at.n && at.after && at.scratch;
  for (int32_t s = 0; room && s < net->nstep; s++) {
    const int32_t f = net->dir_law[2 * s], b = net->dir_law[2 * s + 1];
    const bool drifts = net->step_flow[s] == FLOW_DRIFT;
    out->lnk[s] = other[s] = net->step_lnk[s];
    out->drifts += drifts;
    out->one_way += !drifts && (f == LAW_NONE) != (b == LAW_NONE);
    if (drifts || (f != LAW_TAPE && b != LAW_TAPE) || f == LAW_NONE || b == LAW_NONE) continue;
    at.place = 0;
    out->lnk[s] = tape_lnk(net, s, &at);
    at.place = 1;
    other[s] = tape_lnk(net, s, &at);
    if (isnan(other[s])) out->lnk[s] = (double)NAN;
    out->tapes += isnan(out->lnk[s]);
  }
  mem_free(at.n);
  mem_free(at.after);
  mem_free(at.scratch);
  return room ? NESS_OK : NESS_NOMEM;
}

/* Whether the sum around a cycle changes with variables. */
static bool cycle_moves(const stoich_basis *basis, int32_t cycle, const double *lnk, const double *other)
{
  double change = 0, scale = 1;
  for (int32_t i = basis->start[cycle]; i < basis->start[cycle + 1]; i++) {
    const double by = (double)basis->by[i];
    change += by * (lnk[basis->id[i]] - other[basis->id[i]]);
    scale += fabs(by * lnk[basis->id[i]]);
  }
  return fabs(change) > THERMO_SAME * scale;
}

/* Steps that make a cycle change with variables have no ratio. */
static ness_status thermo_cycles_hold(const ness_network *net, const double *other, thermo_report *out)
{
  const stoich_basis *const basis = &out->cycles;
  bool *const moves = mem_zero((size_t)net->nstep + 1, sizeof *moves);
  if (!moves) return NESS_NOMEM;
  for (int32_t c = 0; c < basis->count; c++) {
    if (!cycle_moves(basis, c, out->lnk, other)) continue;
    for (int32_t i = basis->start[c]; i < basis->start[c + 1]; i++) {
      const int32_t s = basis->id[i];
      moves[s] = moves[s] || fabs(out->lnk[s] - other[s]) > THERMO_SAME * (1 + fabs(out->lnk[s]));
    }
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    if (!moves[s]) continue;
    out->lnk[s] = (double)NAN;
    out->tapes++;
  }
  mem_free(moves);
  return NESS_OK;
}

static void thermo_cycle_sum(const ness_network *net, const stoich_basis *basis, int32_t cycle, const double *lnk,
                             thermo_cycle *out)
{
  *out = (thermo_cycle){0};
  out->declared = thermo_declared(net, basis, cycle, &out->flipped);
  const int32_t undeclared = network_sources(net) - 1;
  for (int32_t i = basis->start[cycle]; i < basis->start[cycle + 1]; i++) {
    const int32_t s = basis->id[i];
    const double by = (double)basis->by[i];
    out->off = out->off || (net->dir_law[2 * s] == LAW_NONE && net->dir_law[2 * s + 1] == LAW_NONE);
    out->affinity += by * lnk[s];
    out->scale += fabs(by * lnk[s]);
    for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) {
      if (net->work_src[w] == undeclared) continue;
      out->allowed += by * net->work_kt[w];
      out->scale += fabs(by * net->work_kt[w]);
    }
    for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++)
      out->charge += by * net->exch_by[e] * net->res_charge[net->exch_res[e]];
  }
  out->undeclared = out->affinity - out->allowed;
  /* Each rate carries the rounding of the logarithm of a double; below that a difference is none. */
  if (fabs(out->undeclared) < 1e-14 * (out->scale + 10)) out->undeclared = 0;
  if (fabs(out->affinity) < 1e-14 * (out->scale + 10) && fabs(out->allowed) < 1e-14 * (out->scale + 10))
    out->affinity = 0;
  if (fabs(out->charge) < 1e-9) out->charge = 0;
}

/* --- correction --- */

static bool thermo_cholesky(double *a, int32_t n)
{
  for (int32_t j = 0; j < n; j++) {
    double *const row = a + (size_t)j * (size_t)n;
    for (int32_t k = 0; k <= j; k++) {
      const double *const other = a + (size_t)k * (size_t)n;
      double sum = row[k];
      for (int32_t i = 0; i < k; i++) sum -= row[i] * other[i];
      if (k < j) row[k] = sum / other[k];
      else if (sum > 0) row[j] = sqrt(sum);
      else return false;
    }
  }
  return true;
}

static void thermo_cholesky_solve(const double *a, int32_t n, double *b)
{
  for (int32_t i = 0; i < n; i++) {
    for (int32_t k = 0; k < i; k++) b[i] -= a[(size_t)i * (size_t)n + (size_t)k] * b[k];
    b[i] /= a[(size_t)i * (size_t)n + (size_t)i];
  }
  for (int32_t i = n - 1; i >= 0; i--) {
    for (int32_t k = i + 1; k < n; k++) b[i] -= a[(size_t)k * (size_t)n + (size_t)i] * b[k];
    b[i] /= a[(size_t)i * (size_t)n + (size_t)i];
  }
}

static bool thermo_usable(const thermo_report *r, int32_t c)
{
  return isfinite(r->cycle[c].affinity) && !r->cycle[c].off;
}

static ness_status thermo_correct(const ness_network *net, const bool *fixed, thermo_report *r)
{
  const stoich_basis *const b = &r->cycles;
  int32_t *const rows = mem_zero((size_t)b->count + 1, sizeof *rows);
  double *const dense = mem_zero((size_t)net->nstep + 1, sizeof *dense);
  if (!rows || !dense) {
    mem_free(rows);
    mem_free(dense);
    return NESS_NOMEM;
  }
  int32_t n = 0;
  for (int32_t c = 0; c < b->count; c++) {
    if (thermo_usable(r, c)) rows[n++] = c;
  }
  size_t cells = 0;
  double *matrix = NULL, *rhs = NULL;
  ness_status status = NESS_OK;
  if (n <= THERMO_CORRECT && size_mul((size_t)n, (size_t)n, &cells)) {
    matrix = mem_zero(cells + 1, sizeof *matrix);
    rhs = mem_zero((size_t)n + 1, sizeof *rhs);
    r->correction = mem_zero((size_t)net->nstep + 1, sizeof *r->correction);
    if (!matrix || !rhs || !r->correction) status = NESS_NOMEM;
  }
  bool solved = status == NESS_OK && matrix;
  for (int32_t i = 0; i < n && solved; i++) {
    for (int32_t k = b->start[rows[i]]; k < b->start[rows[i] + 1]; k++) {
      const int32_t s = b->id[k];
      const double error = net->step_lnk_error[s] > 0 ? net->step_lnk_error[s] : 1;
      dense[s] = fixed && fixed[s] ? 0 : (double)b->by[k] * error * error;
    }
    for (int32_t j = 0; j <= i; j++) {
      double sum = 0;
      for (int32_t k = b->start[rows[j]]; k < b->start[rows[j] + 1]; k++) sum += (double)b->by[k] * dense[b->id[k]];
      matrix[(size_t)i * (size_t)n + (size_t)j] = sum;
    }
    for (int32_t k = b->start[rows[i]]; k < b->start[rows[i] + 1]; k++) dense[b->id[k]] = 0;
    /* A cycle of fixed steps alone has no mismatch; a unit diagonal keeps it out of the way. */
    if (matrix[(size_t)i * (size_t)n + (size_t)i] == 0) matrix[(size_t)i * (size_t)n + (size_t)i] = 1;
    rhs[i] = r->cycle[rows[i]].undeclared;
  }
  solved = solved && thermo_cholesky(matrix, n);
  if (solved) {
    thermo_cholesky_solve(matrix, n, rhs);
    for (int32_t i = 0; i < n; i++) {
      for (int32_t k = b->start[rows[i]]; k < b->start[rows[i] + 1]; k++) {
        const int32_t s = b->id[k];
        const double error = net->step_lnk_error[s] > 0 ? net->step_lnk_error[s] : 1;
        if (!fixed || !fixed[s]) r->correction[s] -= error * error * (double)b->by[k] * rhs[i];
      }
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      const double error = net->step_lnk_error[s] > 0 ? net->step_lnk_error[s] : 1;
      if (fabs(r->correction[s]) < 1e-13 * r->worst_undeclared) r->correction[s] = 0;
      r->correction_norm += r->correction[s] * r->correction[s] / (error * error);
    }
    r->correction_norm = sqrt(r->correction_norm);
  } else if (r->correction) {
    mem_free(r->correction);
    r->correction = NULL;
  }
  mem_free(matrix);
  mem_free(rhs);
  mem_free(rows);
  mem_free(dense);
  return status;
}

/* A step explains everything when the mismatch of every cycle is one and the same multiple of how often the cycle runs
 * it. */
static ness_status thermo_suspects(const ness_network *net, const bool *fixed, double tolerance, thermo_report *r)
{
  double *const dot = mem_zero((size_t)net->nstep + 1, sizeof *dot), *const square = mem_zero((size_t)net->nstep + 1,
                                                                                              sizeof *square);
  double total = 0;
  r->suspect = mem_zero((size_t)net->nstep + 1, sizeof *r->suspect);
  r->suspect_change = mem_zero((size_t)net->nstep + 1, sizeof *r->suspect_change);
  const bool fine = dot && square && r->suspect && r->suspect_change;
  for (int32_t c = 0; c < r->cycles.count && fine; c++) {
    if (!thermo_usable(r, c)) continue;
    total += r->cycle[c].undeclared * r->cycle[c].undeclared;
    for (int32_t k = r->cycles.start[c]; k < r->cycles.start[c + 1]; k++) {
      dot[r->cycles.id[k]] += (double)r->cycles.by[k] * r->cycle[c].undeclared;
      square[r->cycles.id[k]] += (double)(r->cycles.by[k] * r->cycles.by[k]);
    }
  }
  for (int32_t s = 0; s < net->nstep && fine; s++) {
    if (square[s] == 0 || (fixed && fixed[s])) continue;
    const double rest = total - dot[s] * dot[s] / square[s];
    if (rest > tolerance * tolerance + 1e-12 * total) continue;
    r->suspect[r->suspects] = s;
    r->suspect_change[r->suspects++] = -dot[s] / square[s];
  }
  mem_free(dot);
  mem_free(square);
  return fine ? NESS_OK : NESS_NOMEM;
}

ness_status thermo_check(const ness_network *net, const bool *fixed, double tolerance, thermo_report *out)
{
  *out = (thermo_report){0};
  ness_status status = stoich_cycles(net, &out->cycles);
  if (status == NESS_OK) status = stoich_laws(net, &out->laws);
  if (status == NESS_OK && !(out->cycle = mem_zero((size_t)out->cycles.count + 1, sizeof *out->cycle)))
    status = NESS_NOMEM;
  double *const other = mem_zero((size_t)net->nstep + 1, sizeof *other);
  out->lnk = mem_zero((size_t)net->nstep + 1, sizeof *out->lnk);
  if (status == NESS_OK) status = other && out->lnk ? thermo_ratios(net, out, other) : NESS_NOMEM;
  if (status == NESS_OK) status = thermo_cycles_hold(net, other, out);
  mem_free(other);
  if (status != NESS_OK) {
    thermo_report_free(out);
    return status;
  }
  for (int32_t c = 0; c < out->cycles.count; c++) {
    thermo_cycle_sum(net, &out->cycles, c, out->lnk, &out->cycle[c]);
    if (!thermo_usable(out, c)) continue;
    out->worst_affinity = fmax(out->worst_affinity, fabs(out->cycle[c].affinity));
    out->worst_undeclared = fmax(out->worst_undeclared, fabs(out->cycle[c].undeclared));
  }
  if (out->worst_undeclared > tolerance) {
    status = thermo_correct(net, fixed, out);
    if (status == NESS_OK) status = thermo_suspects(net, fixed, tolerance, out);
  }
  if (status != NESS_OK) thermo_report_free(out);
  return status;
}

void thermo_report_free(thermo_report *self)
{
  stoich_free(&self->cycles);
  stoich_free(&self->laws);
  mem_free(self->cycle);
  mem_free(self->lnk);
  mem_free(self->correction);
  mem_free(self->suspect);
  mem_free(self->suspect_change);
  *self = (thermo_report){0};
}
