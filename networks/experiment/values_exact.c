/* Functions of the steady state of the master equation beyond means and rates: cumulants of currents, control,
 * passages, relaxation. Each call solves what it asks for. Cost: see engine/cme. */
#include "engine/cme/noise.h"
#include "engine/cme/passage.h"
#include "engine/cme/response.h"
#include "engine/ode/ode.h"
#include "networks/experiment/solve.h"
#include <math.h>
#include <string.h>

static lang_unit rate_unit(const hook_context *c)
{
  return lang_file_of(c->v->model)->natural ? UNIT_NONE : UNIT_RATE;
}

static lang_unit time_unit(const hook_context *c)
{
  return unit_scale(rate_unit(c), -1);
}

bool values_weights(hook_context *c, const expr *node, double *weight, quantity *count)
{
  const ness_network *const net = lang_network(c->v->model);
  lang_linear l;
  if (!lang_linear_of(c->v->model, node, c->diags, &l)) return false;
  for (int32_t i = 0; i < 2 * net->nstep; i++) weight[i] = 0;
  for (int32_t i = 0; i < l.n; i++) {
    if (l.kind[i] == OBS_COUNT) {
      lang_error(c->diags, node->place, "take rate(step), netflux(X), current(compartment) or sums of them",
                 "a mean count is not a current");
      return false;
    }
    if (l.kind[i] != OBS_BWD) weight[2 * l.id[i]] += l.coef[i];
    if (l.kind[i] != OBS_FWD) weight[2 * l.id[i] + 1] += l.kind[i] == OBS_NET ? -l.coef[i] : l.coef[i];
  }
  *count = (quantity){l.scale.value, unit_add(l.scale.unit, time_unit(c))};
  return true;
}

/* --- cumulants --- */

static quantity cumulant_unit(const hook_context *c, double value, quantity count, int order)
{
  lang_unit unit = rate_unit(c);
  for (int k = 0; k < order; k++) {
    value *= count.value;
    unit = unit_add(unit, count.unit);
  }
  return (quantity){value, unit};
}

static bool values_noise(hook_context *c, const expr *const *node, int32_t n, quantity *count, noise *out)
{
  const ness_network *const net = lang_network(c->v->model);
  const size_t width = 2 * (size_t)net->nstep;
  double *const weight = mem_zero((size_t)n * width + 1, sizeof *weight);
  bool fine = weight != NULL;
  for (int32_t i = 0; fine && i < n; i++) fine = values_weights(c, node[i], weight + (size_t)i * width, &count[i]);
  fine = fine && noise_cumulants(net, c->v->exact, n, weight, c->diags, out) == NESS_OK;
  mem_free(weight);
  return fine;
}

/* cumulant(x, k), fano(x), uncertainty(x), covariance(x, y) */
static bool call_noise(hook_context *c, const expr *node, quantity *out)
{
  const expr_argument *const first = node->arguments, *const second = first ? first->next : NULL;
  const bool pair = strcmp(node->name, "covariance") == 0, ordered = strcmp(node->name, "cumulant") == 0;
  quantity count[2], order = {1, UNIT_NONE};
  noise n = {0};
  if (!first || (pair || ordered) != (second != NULL) || (second && second->next)) {
    lang_error(c->diags, node->place, "cumulant(x, k), fano(x), uncertainty(x), covariance(x, y)", "%s takes %s",
               node->name,
               pair      ? "two currents"
               : ordered ? "a current and 1, 2, 3 or 4"
                         : "a current");
    return false;
  }
  if (ordered && !lang_evaluate(c->v->model, second->value, NULL, NULL, c->diags, &order)) return false;
  if (ordered && !(order.value >= 1 && order.value <= NOISE_ORDER && order.value == floor(order.value))) {
    lang_error(c->diags, second->place, NULL, "cumulants are known for orders 1 to %d", NOISE_ORDER);
    return false;
  }
  const expr *const nodes[2] = {first->value, pair ? second->value : NULL};
  if (!values_noise(c, nodes, pair ? 2 : 1, count, &n)) return false;
  const int k = (int)order.value;
  const double mean = n.cumulant[0], variance = n.cumulant[1];
  if (ordered) {
    *out = cumulant_unit(c, n.cumulant[k - 1], count[0], k);
  } else if (pair) {
    *out = (quantity){n.covariance[1] * count[0].value * count[1].value,
                      unit_add(rate_unit(c), unit_add(count[0].unit, count[1].unit))};
  } else if (strcmp(node->name, "fano") == 0) {
    *out = (quantity){variance / fabs(mean) * count[0].value, count[0].unit};
  } else {
    *out = (quantity){variance * c->v->exact->entropy / (mean * mean), UNIT_NONE};
  }
  noise_free(&n);
  return true;
}

/* scgf(x, s): lim 1/t ln <exp(s N)>, N counting what x counts. */
static bool call_scgf(hook_context *c, const expr *node, quantity *out)
{
  const expr_argument *const first = node->arguments;
  const ness_network *const net = lang_network(c->v->model);
  quantity count, s;
  deviations d = {0};
  if (!first || !first->next || first->next->next) {
    lang_error(c->diags, node->place, NULL, "scgf takes a current and a tilt");
    return false;
  }
  double *const weight = mem_zero(2 * (size_t)net->nstep + 1, sizeof *weight);
  bool fine = weight && values_weights(c, first->value, weight, &count) &&
              lang_evaluate(c->v->model, first->next->value, NULL, NULL, c->diags, &s);
  if (fine && !unit_equal(unit_add(s.unit, count.unit), UNIT_NONE)) {
    lang_error(c->diags, first->next->place, NULL, "the tilt times what is counted is a plain number");
    fine = false;
  }
  const double tilt = fine ? s.value * count.value : 0;
  fine = fine && noise_deviations(net, c->v->exact, weight, 1, &tilt, c->diags, &d) == NESS_OK;
  if (fine) *out = (quantity){d.value[0], rate_unit(c)};
  deviations_free(&d);
  mem_free(weight);
  return fine;
}

/* --- control --- */

void response_weights(const lang_linear *l, double *weight, double *count)
{
  for (int32_t i = 0; i < l->n; i++) {
    const double coef = l->coef[i] * l->scale.value;
    if (l->kind[i] == OBS_COUNT) count[l->id[i]] += coef;
    if (l->kind[i] == OBS_NET || l->kind[i] == OBS_FWD) weight[2 * l->id[i]] += coef;
    if (l->kind[i] == OBS_NET) weight[2 * l->id[i] + 1] -= coef;
    if (l->kind[i] == OBS_BWD) weight[2 * l->id[i] + 1] += coef;
  }
}

bool response_of(hook_context *c, const expr *node, response *out)
{
  const ness_network *const net = lang_network(c->v->model);
  lang_linear l;
  if (node->kind == EXPR_NAME && node->path.parts == 1 && strcmp(node->path.name[0], "sigma") == 0)
    return response_entropy(net, c->v->exact, c->diags, out) == NESS_OK;
  if (!lang_linear_of(c->v->model, node, c->diags, &l)) return false;
  double *const weight = mem_zero(2 * (size_t)net->nstep + 1, sizeof *weight);
  double *const count = mem_zero((size_t)net->nslot + 1, sizeof *count);
  if (weight && count) response_weights(&l, weight, count);
  const bool fine = weight && count && response_linear(net, c->v->exact, weight, count, c->diags, out) == NESS_OK;
  mem_free(weight);
  mem_free(count);
  return fine;
}

/* control(x, step): d ln x / d ln of both rates of the step. */
static bool call_control(hook_context *c, const expr *node, quantity *out)
{
  const expr_argument *const first = node->arguments;
  response r = {0};
  if (!first || !first->next || first->next->next) {
    lang_error(c->diags, node->place, "as in control(netflux(Na.out), t1)",
               "control takes a flow, a mean or sigma, and a step");
    return false;
  }
  const int32_t step = lang_find(c->v->model, LANG_STEP, first->next->value, c->diags);
  if (step < 0) return false;
  if (!response_of(c, first->value, &r)) return false;
  double sum = 0;
  for (int32_t s = step; s <= lang_step_last(c->v->model, step); s++) sum += r.log_ka[s];
  *out = (quantity){sum / r.value, UNIT_NONE};
  response_free(&r);
  return true;
}

/* --- passages --- */

typedef struct condition {
  const lang_counts *first, *second; /* second NULL: none */
  double *scratch;
} condition;

static int32_t condition_holds(void *context, const int64_t *n)
{
  const condition *const self = context;
  const lang_counts *const tape[2] = {self->first, self->second};
  for (int32_t i = 0; i < 2 && tape[i]; i++) {
    if (network_tape(tape[i]->op, tape[i]->nop, tape[i]->constant, n, self->scratch) != 0) return i + 1;
  }
  return 0;
}

ness_status passage_of(hook_context *c, const expr *first, const expr *second, const passage_options *options,
                       passage *out)
{
  const ness_network *const net = lang_network(c->v->model);
  lang_counts tape[2] = {{0}};
  if (!lang_counts_of(c->v->model, first, c->diags, &tape[0])) return NESS_USAGE;
  if (second && !lang_counts_of(c->v->model, second, c->diags, &tape[1])) return NESS_USAGE;
  const int32_t longest = tape[0].nop > tape[1].nop ? tape[0].nop : tape[1].nop;
  const int32_t nslots = tape[0].nslot + tape[1].nslot;
  condition target = {&tape[0], second ? &tape[1] : NULL, mem_zero((size_t)longest + 1, sizeof(double))};
  int32_t *const slots = mem_zero((size_t)nslots + 1, sizeof *slots);
  for (int32_t i = 0; slots && i < nslots; i++) {
    slots[i] = i < tape[0].nslot ? tape[0].slot[i] : tape[1].slot[i - tape[0].nslot];
  }
  ness_status status = target.scratch && slots ? NESS_OK : NESS_NOMEM;
  if (status == NESS_OK) status = passage_find(net, slots, nslots, condition_holds, &target, options, c->diags, out);
  mem_free(target.scratch);
  mem_free(slots);
  return status;
}

/* passage(condition): mean first-passage time; passage_sd(condition); passage_by(condition, t); first(a, b) */
static bool call_passage(hook_context *c, const expr *node, quantity *out)
{
  const expr_argument *const a = node->arguments, *const b = a ? a->next : NULL;
  const bool by = strcmp(node->name, "passage_by") == 0, first = strcmp(node->name, "first") == 0;
  passage p = {0};
  passage_options options = {0};
  quantity t = {0};
  if (!a || (by || first) != (b != NULL) || (b && b->next)) {
    lang_error(c->diags, node->place, "passage(A == 0), passage_by(A == 0, 10 [s]), first(A == 0, A > 9)",
               "%s takes %s", node->name,
               by      ? "a condition and a time"
               : first ? "two conditions"
                       : "a condition");
    return false;
  }
  if (by && !lang_evaluate(c->v->model, b->value, NULL, NULL, c->diags, &t)) return false;
  if (by) options.times = &t.value, options.ntimes = 1;
  if (!question_still(c->v->model, c->diags) ||
      passage_of(c, a->value, first ? b->value : NULL, &options, &p) != NESS_OK)
    return false;
  *out = first                                   ? (quantity){p.first, UNIT_NONE}
         : by                                    ? (quantity){p.by[0], UNIT_NONE}
         : strcmp(node->name, "passage_sd") == 0 ? (quantity){sqrt(p.variance), time_unit(c)}
                                                 : (quantity){p.mean, time_unit(c)};
  passage_free(&p);
  return true;
}

/* --- relaxation --- */

/* relaxation(): the longest time in which the states forget their start; relaxation(k) the k-th. */
static bool call_relaxation(hook_context *c, const expr *node, quantity *out)
{
  quantity k = {1, UNIT_NONE};
  double slowest[64];
  int32_t found = 0;
  if (node->arguments && !lang_evaluate(c->v->model, node->arguments->value, NULL, NULL, c->diags, &k)) return false;
  if (!(k.value >= 1 && k.value <= 60)) {
    lang_error(c->diags, node->place, NULL, "relaxation takes a number from 1 to 60");
    return false;
  }
  for (int32_t p = 0; p < c->v->exact->nparts; p++) {
    const cme_part *const part = &c->v->exact->parts[p];
    spectrum s = {0};
    const int32_t wanted = (int32_t)k.value + part->classes.count;
    const ness_status status = part_spectrum(part, wanted, &s);
    for (int32_t i = 0; status == NESS_OK && i < s.count && s.real[i] <= 0; i++) {
      if (s.real[i] == 0) continue;
      int32_t at = found < 63 ? found++ : 63;
      for (; at > 0 && slowest[at - 1] < s.real[i]; at--) slowest[at] = slowest[at - 1];
      slowest[at] = s.real[i];
    }
    spectrum_free(&s);
    if (status) {
      lang_error(c->diags, node->place, NULL, "the spectrum of this network could not be found");
      return false;
    }
  }
  if (found < (int32_t)k.value) {
    lang_error(c->diags, node->place, NULL, "this network has %d relaxation times", (int)found);
    return false;
  }
  *out = (quantity){-1 / slowest[(int32_t)k.value - 1], time_unit(c)};
  return true;
}

/* growth(): the leading eigenvalue of the rate equations around the start: what is rare grows when it is positive. */
static bool call_growth(hook_context *c, quantity *out)
{
  const ness_network *const net = lang_network(c->v->model);
  ode_system *system = NULL;
  if (!question_still(c->v->model, c->diags)) return false;
  double *const x = mem_zero((size_t)net->nslot + 1, sizeof *x), re = 0;
  for (int32_t i = 0; x && i < net->nslot; i++) x[i] = (double)net->slot_start[i];
  const bool fine =
      x && ode_create(net, c->diags, &system) == NESS_OK && ode_growth(system, x, c->diags, &re, NULL) == NESS_OK;
  ode_free(system);
  mem_free(x);
  *out = (quantity){re, rate_unit(c)};
  return fine;
}

bool values_exact_call(hook_context *c, const expr *node, quantity *out, bool *ok)
{
  static const struct {
    const char *name;
    bool (*call)(hook_context *c, const expr *node, quantity *out);
  } known[] = {{"cumulant", call_noise},
               {"fano", call_noise},
               {"uncertainty", call_noise},
               {"covariance", call_noise},
               {"scgf", call_scgf},
               {"control", call_control},
               {"derivative", derivative_call},
               {"relaxation", call_relaxation},
               {"passage", call_passage},
               {"passage_sd", call_passage},
               {"passage_by", call_passage},
               {"first", call_passage}};
  if (strcmp(node->name, "growth") == 0 && !node->arguments) {
    *ok = call_growth(c, out);
    return true;
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(node->name, known[i].name) != 0) continue;
    const bool alone = known[i].call == call_passage; /* solves by itself, from the start */
    *ok = (alone || values_need(c->v, node, c->diags, true, ok)) && known[i].call(c, node, out);
    return true;
  }
  return false;
}
