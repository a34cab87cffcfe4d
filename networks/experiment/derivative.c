/* Exact derivatives of a steady state with respect to values of the model file. The compiler gives the slopes of all
 * rates (networks/lang/slopes.c, forward mode), the adjoint method what the rates do to a flow, a mean or the entropy
 * production (engine/cme/response.h), and what the expression itself says of the value is added. Invariant: a
 * derivative is exact or refused; a rate that is 0 in a state that is visited, and that the value would turn on, is
 * refused too, for there is no transition that could tell. Cost: one compilation a value, one solve an expression, two
 * walks along every tape a transition and value. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct along { /* d ln a of directions along each value */
  const ness_network *net;
  const lang_slopes *slopes;
  int32_t n;
  double *scratch; /* (2 tape_max) */
} along;

static bool along_moves(const along *self, int32_t k, int32_t dir)
{
  for (int32_t i = self->net->tape_start[dir]; i < self->net->tape_start[dir + 1]; i++) {
    const tape_op *const op = &self->net->tape[i];
    if (op->code == TAPE_CONST && self->slopes[k].constant[op->a] != 0) return true;
  }
  return false;
}

static double along_tape(const along *self, int32_t k, int32_t dir, const int64_t *n, double *slope)
{
  const ness_network *const net = self->net;
  const int32_t begin = net->tape_start[dir];
  return network_tape_slope(net->tape + begin, net->tape_start[dir + 1] - begin, net->tape_const,
                            self->slopes[k].constant, n, self->scratch, slope);
}

static void along_slope(void *context, int32_t dir, const int64_t *n, double *out)
{
  const along *const self = context;
  for (int32_t k = 0; k < self->n; k++) {
    double slope = 0;
    if (self->net->dir_law[dir] != LAW_TAPE) out[k] = self->slopes[k].log_k[dir];
    else if (!along_moves(self, k, dir)) out[k] = 0;
    else out[k] = along_tape(self, k, dir, n, &slope), out[k] = slope / out[k];
  }
}

/* --- rates without a derivative --- */

static bool guards_pass(const ness_network *net, int32_t dir, const int64_t *n)
{
  for (int32_t g = net->guard_start[dir]; g < net->guard_start[dir + 1]; g++) {
    if (n[net->guard_slot[g]] < net->guard_low[g] || n[net->guard_slot[g]] > net->guard_high[g]) return false;
  }
  return true;
}

/* Whether the tape of a direction has a derivative in every state that lasts; else the reason. */
static bool tape_smooth(const along *self, int32_t dir, const cme_part *part, int64_t *n, char reason[200])
{
  const char *const name = network_text(self->net, self->net->step_name[dir / 2]);
  for (int32_t i = 0; i < part->q.n; i++) {
    double slope;
    if (part->classes.of[i] < 0) continue;
    cme_counts(part, i, n);
    if (!guards_pass(self->net, dir, n)) continue;
    const double rate = along_tape(self, 0, dir, n, &slope);
    if (!isfinite(slope)) snprintf(reason, 200, "the rate of %s has a corner or a jump at some counts", name);
    else if (rate == 0 && slope != 0) snprintf(reason, 200, "it switches %s on at counts where its rate is 0", name);
    else continue;
    return false;
  }
  return true;
}

static bool tapes_smooth(const along *self, const cme_part *part, int64_t *n, char reason[200])
{
  for (int32_t d = 0; part->kind == CME_COUNTS && d < 2 * part->nstep; d++) {
    const int32_t dir = 2 * part->step[d / 2] + d % 2;
    if (self->net->dir_law[dir] != LAW_TAPE || !along_moves(self, 0, dir)) continue;
    if (interrupt_pending() || !tape_smooth(self, dir, part, n, reason)) return false;
  }
  return true;
}

/* The slopes to a value, whose rates have derivatives in every state that lasts. NESS_MODEL: they have not. */
static ness_status slopes_find(hook_context *c, const char *name, lang_place place, ness_diags *diags, lang_slopes *out)
{
  const ness_network *const net = lang_network(c->v->model);
  const cme_solution *const s = c->v->exact;
  char reason[200] = "";
  bool smooth = true;
  ness_status status = lang_slopes_find(c->v->model, name, place, diags, out);
  if (status != NESS_OK) return status;
  const along self = {net, out, 1, mem_zero(2 * (size_t)net->tape_max + 1, sizeof(double))};
  int64_t *const n = mem_zero((size_t)net->nslot + 1, sizeof *n);
  for (int32_t i = 0; n && i < net->nslot; i++) n[i] = net->slot_start[i];
  if (!n || !self.scratch) status = NESS_NOMEM;
  for (int32_t p = 0; status == NESS_OK && smooth && p < s->nparts; p++) {
    smooth = tapes_smooth(&self, &s->parts[p], n, reason);
  }
  if (!smooth) status = reason[0] ? NESS_MODEL : NESS_INTERRUPTED;
  if (status == NESS_MODEL) lang_error(diags, place, NULL, "no derivative with respect to %s: %s", name, reason);
  mem_free(n);
  mem_free(self.scratch);
  if (status) lang_slopes_free(out);
  return status;
}

/* --- derivatives --- */

static bool is_sigma(const expr *node)
{
  return node->kind == EXPR_NAME && node->path.parts == 1 && !node->path.from[0] &&
         strcmp(node->path.name[0], "sigma") == 0;
}

/* What the value does to the coefficients of the expression alone. */
static bool explicit_of(hook_context *c, const expr *node, const lang_slopes *slopes, double *out)
{
  lang_linear l;
  *out = 0;
  if (is_sigma(node)) return true;
  if (!lang_linear_of(slopes->model, node, c->diags, &l)) return false;
  for (int32_t i = 0; i < l.n; i++) {
    const double by = l.slope[i] * l.scale.value + l.coef[i] * l.scale_slope;
    if (by != 0) *out += by * values_linear(c->v, l.kind[i], l.id[i]);
  }
  return true;
}

static bool implicit_of(hook_context *c, const along *self, const lang_linear *l, double *out)
{
  const ness_network *const net = self->net;
  double *const weight = mem_zero(2 * (size_t)net->nstep + 1, sizeof *weight);
  double *const count = mem_zero((size_t)net->nslot + 1, sizeof *count);
  bool fine = weight && count;
  if (fine && l) response_weights(l, weight, count);
  along context = *self;
  fine = fine && response_parameters(net, c->v->exact, weight, count, l == NULL, self->n, along_slope, &context,
                                     c->diags, out) == NESS_OK;
  mem_free(weight);
  mem_free(count);
  return fine;
}

bool derivatives_of(hook_context *c, const expr *node, const lang_slopes *slopes, int32_t n, quantity *value,
                    double *out)
{
  const ness_network *const net = lang_network(c->v->model);
  const bool sigma = is_sigma(node);
  lang_linear l = {.n = 0};
  if (!sigma && !lang_linear_of(c->v->model, node, c->diags, &l)) return false;
  *value = (quantity){sigma ? values_entropy(c->v) : 0, l.scale.unit};
  if (sigma && !lang_file_of(c->v->model)->natural) value->unit = UNIT_RATE;
  for (int32_t i = 0; i < l.n; i++) value->value += l.coef[i] * l.scale.value * values_linear(c->v, l.kind[i], l.id[i]);
  const along self = {net, slopes, n, mem_zero(2 * (size_t)net->tape_max + 1, sizeof(double))};
  bool fine = self.scratch && implicit_of(c, &self, sigma ? NULL : &l, out);
  for (int32_t k = 0; fine && k < n; k++) {
    double by;
    fine = explicit_of(c, node, &slopes[k], &by);
    out[k] += by;
  }
  mem_free(self.scratch);
  return fine;
}

bool derivative_call(hook_context *c, const expr *node, quantity *out)
{
  const expr_argument *const first = node->arguments, *const second = first ? first->next : NULL;
  lang_slopes slopes;
  quantity x = {0, UNIT_NONE};
  double by = 0;
  if (!second || second->next || first->name || second->name) {
    lang_error(c->diags, node->place, "as in derivative(current(in), V)",
               "derivative takes a flow, a mean or sigma, and a parameter");
    return false;
  }
  const char *const name = lang_name_of(c->v->model, second->value, c->diags);
  if (!name || slopes_find(c, name, second->value->place, c->diags, &slopes) != NESS_OK) return false;
  const bool fine = derivatives_of(c, first->value, &slopes, 1, &x, &by);
  *out = (quantity){by, unit_add(x.unit, unit_scale(slopes.value.unit, -1))};
  lang_slopes_free(&slopes);
  return fine;
}

/* --- all values of a file --- */

#define DERIVATIVE_NAMES 1000 /* each keeps a compiled model */

/* Whether the value changes a rate or what one of the expressions is made of. */
static bool names_matter(hook_context *c, expr *const *nodes, int32_t nnodes, const lang_slopes *slopes)
{
  bool matters = slopes->any;
  for (int32_t i = 0; !matters && i < nnodes; i++) {
    double by;
    matters = !explicit_of(c, nodes[i], slopes, &by) || by != 0;
  }
  return matters;
}

static ness_status names_take(hook_context *c, const char *name, expr *const *nodes, int32_t nnodes,
                              derivative_names *out)
{
  ness_diags *const diags = ness_diags_create();
  lang_slopes slopes;
  if (!diags) return NESS_NOMEM;
  const ness_status status = slopes_find(c, name, (lang_place){0}, diags, &slopes);
  if (status == NESS_MODEL) {
    const char *const message = ness_diags_get(diags, 0)->message, *const colon = strstr(message, ": ");
    snprintf(out->reason[out->nrefused], sizeof *out->reason, "%s", colon ? colon + 2 : message);
    out->refused[out->nrefused++] = name;
  } else if (status == NESS_OK && names_matter(c, nodes, nnodes, &slopes)) {
    out->name[out->n] = name;
    out->slopes[out->n++] = slopes;
  } else if (status == NESS_OK) {
    lang_slopes_free(&slopes);
  }
  ness_diags_free(diags);
  return status == NESS_MODEL ? NESS_OK : status;
}

ness_status derivative_names_find(hook_context *c, expr *const *nodes, int32_t nnodes, derivative_names *out)
{
  int64_t all = 0;
  *out = (derivative_names){0};
  while (lang_slopes_name(c->v->model, all)) all++;
  if (all > DERIVATIVE_NAMES) {
    diag_add(c->diags, NESS_NOTE, "derivatives are left out: more than %d values; derivative(x, p) gives one",
             DERIVATIVE_NAMES);
    return NESS_OK;
  }
  const size_t room = (size_t)all + 1;
  out->slopes = mem_zero(room, sizeof *out->slopes);
  out->name = mem_zero(room, sizeof *out->name);
  out->refused = mem_zero(room, sizeof *out->refused);
  out->reason = mem_zero(room, sizeof *out->reason);
  ness_status status = out->slopes && out->name && out->refused && out->reason ? NESS_OK : NESS_NOMEM;
  for (int64_t i = 0; status == NESS_OK && i < all; i++) {
    if (interrupt_pending()) status = NESS_INTERRUPTED;
    else status = names_take(c, lang_slopes_name(c->v->model, i), nodes, nnodes, out);
  }
  return status;
}

void derivative_names_free(derivative_names *self)
{
  for (int32_t i = 0; i < self->n; i++) lang_slopes_free(&self->slopes[i]);
  mem_free(self->slopes);
  mem_free((void *)self->name);
  mem_free((void *)self->refused);
  mem_free(self->reason);
  *self = (derivative_names){0};
}
