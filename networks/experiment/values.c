/* Expressions over results: every flow and mean is read from the exact solution or the sample at hand. A sample's error
 * comes from leaving out one batch of replicas at a time (jackknife), so any expression of rates and means gets one,
 * ratios included. Cost: one evaluation, times the number of batches for a sample. */
#include "networks/experiment/experiment.h"
#include <math.h>
#include <string.h>

static const ness_network *values_network(const values *self)
{
  return self->network ? self->network : lang_network(self->model);
}

/* Sum over batches of array[batch * width + id], without the one that is left out. */
static double values_sum(const values *self, const double *array, int32_t width, int32_t id)
{
  double sum = 0;
  for (int32_t b = 0; b < self->sample->batches; b++) {
    if (b != self->left_out) sum += array[(size_t)b * (size_t)width + (size_t)id];
  }
  return sum;
}

static double values_time(const values *self)
{
  return values_sum(self, self->sample->counted, 1, 0);
}

double values_linear(const values *self, int32_t kind, int32_t id)
{
  if (self->exact) {
    switch (kind) {
    case OBS_NET: return self->exact->net_rate[id];
    case OBS_FWD: return self->exact->dir_rate[2 * id];
    case OBS_BWD: return self->exact->dir_rate[2 * id + 1];
    default: return self->exact->mean[id];
    }
  }
  const ness_network *const net = values_network(self);
  const ssa_result *const r = self->sample;
  const double time = values_time(self);
  switch (kind) {
  case OBS_NET: return (values_sum(self, r->fwd, net->nstep, id) - values_sum(self, r->bwd, net->nstep, id)) / time;
  case OBS_FWD: return values_sum(self, r->fwd, net->nstep, id) / time;
  case OBS_BWD: return values_sum(self, r->bwd, net->nstep, id) / time;
  default: return values_sum(self, r->dwell, net->nslot, id) / time;
  }
}

double values_observable(const values *self, int32_t kind, int32_t id)
{
  (void)kind;
  const ness_network *const net = values_network(self);
  double sum = 0;
  for (int32_t i = net->obs_start[id]; i < net->obs_start[id + 1]; i++)
    sum += net->obs_coef[i] * values_linear(self, net->obs_kind[i], net->obs_id[i]);
  return sum;
}

double values_variance(const values *self, int32_t slot)
{
  if (self->exact) return self->exact->var[slot];
  const int32_t nslot = values_network(self)->nslot;
  const double mean = values_linear(self, OBS_COUNT, slot);
  return values_sum(self, self->sample->dwell2, nslot, slot) / values_time(self) - mean * mean;
}

/* Of a slot: a difference of counts (order 0), a count (1) or a square of counts (2), on the scale of a variable. */
static quantity values_scaled(const values *self, int32_t slot, double value, int order)
{
  const ness_network *const net = values_network(self);
  const int32_t variable = net->slot_var[slot];
  if (variable < 0) return (quantity){value, UNIT_NONE};
  const double step = net->var_unit[variable];
  const lang_unit unit = lang_slot_unit(self->model, slot);
  if (order == 2) return (quantity){value * step * step, unit_add(unit, unit)};
  return (quantity){value * step + (order == 1 ? net->var_zero[variable] : 0), unit};
}

/* With mass action alone, the work of all sources less the change of free energy, ends included. With rates that are
 * expressions, what their events summed as they fired and net events times ln(k_fwd/k_bwd) of the others, which leaves
 * the ends of the counts (ln n!) out. */
double values_entropy(const values *self)
{
  const ness_network *const net = values_network(self);
  if (self->exact) return self->exact->entropy;
  if (self->ledger)
    return self->ledger->one_way ? (double)INFINITY : values_sum(self, self->ledger->medium, 1, 0) / values_time(self);
  bool tapes = false;
  double work = 0, ratios = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    const int32_t forward = net->dir_law[2 * s], backward = net->dir_law[2 * s + 1];
    tapes = tapes || forward == LAW_TAPE || backward == LAW_TAPE;
    if ((forward == LAW_NONE) != (backward == LAW_NONE) &&
        values_linear(self, forward == LAW_NONE ? OBS_BWD : OBS_FWD, s) > 0)
      return INFINITY;
    if (forward == LAW_TAPE || backward == LAW_TAPE) continue;
    const double rate = values_linear(self, OBS_NET, s);
    if (rate == 0) continue;
    ratios += rate * net->step_lnk[s];
    for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) work += rate * net->work_kt[w];
  }
  const double time = values_time(self);
  return tapes ? ratios + values_sum(self, self->sample->tape_entropy, 1, 0) / time
               : work - values_sum(self, self->sample->free_energy, 1, 0) / time;
}

double values_work(const values *self, int32_t source)
{
  const ness_network *const net = values_network(self);
  const int32_t input = source - network_sources(net); /* those that move continuously are behind the network's */
  if (self->exact) return input >= 0 ? self->input_work : self->exact->source_work[source];
  const sample_ledger *const own = self->ledger;
  if (own)
    return (input >= 0 ? values_sum(self, own->input_work, own->ninput, input)
                       : values_sum(self, own->work, own->nsource, source)) /
           values_time(self);
  double sum = 0;
  for (int32_t s = 0; s < net->nstep; s++) {
    for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) {
      if (net->work_src[w] == source) sum += net->work_kt[w] * values_linear(self, OBS_NET, s);
    }
  }
  return sum;
}

/* --- functions that only results know --- */

bool values_need(values *self, const expr *node, ness_diags *diags, bool exact, bool *ok)
{
  *ok = exact ? self->exact && self->exact->parts : (self->exact || self->sample);
  if (!*ok && exact && self->exact && self->input)
    lang_error(diags, node->place, "flows, means, work and sigma are, over a period", "%s is not known while %s moves",
               node->name ? node->name : "this", self->input);
  else if (!*ok && exact && (self->sample || self->exact))
    lang_error(diags, node->place, "put it behind `solve steady`", "%s is known from the master equation only",
               node->name ? node->name : "this");
  else if (!*ok && self->path)
    lang_error(diags, node->place, "ask for mean_at(A, t), var_at(A, t), sigma_at(t), or put it behind `solve steady`",
               "a steady value was not solved for");
  else if (!*ok)
    lang_error(diags, node->place, "put `solve steady` or `simulate ...` before it",
               "nothing was solved or simulated yet");
  return *ok;
}

static bool values_of_linear(hook_context *c, const expr *node, quantity *out)
{
  lang_linear l;
  bool ok;
  if (!lang_linear_of(c->v->model, node, c->diags, &l) || !values_need(c->v, node, c->diags, false, &ok)) return false;
  double sum = 0;
  for (int32_t i = 0; i < l.n; i++) {
    const double value = values_linear(c->v, l.kind[i], l.id[i]);
    if (l.kind[i] == OBS_COUNT && isnan(value) && c->v->sample && values_network(c->v)->slot_var[l.id[i]] >= 0) {
      lang_error(c->diags, node->place, "its values at times are known: mean_at(V, t), behind `simulate ..., every T`",
                 "%s moves at random, and what it did between two looks nobody knows",
                 network_text(values_network(c->v), values_network(c->v)->slot_name[l.id[i]]));
      return false;
    }
    sum += l.coef[i] * value;
  }
  *out = (quantity){(sum + l.constant) * l.scale.value, l.scale.unit};
  return true;
}

/* The net flux of a declared cycle: the completions of the simple cycle with the same steps. */
static bool values_cycle_flux(hook_context *c, const expr *node, const expr *name, quantity *out)
{
  values *const v = c->v;
  const ness_network *const net = lang_network(v->model);
  const int32_t id = lang_find(v->model, LANG_CYCLE, name, c->diags);
  bool ok;
  if (id < 0 || !values_need(v, node, c->diags, true, &ok)) return false;
  if (!v->cycles_found) {
    if (!(v->cycles = mem_zero(1, sizeof *v->cycles))) return false;
    if (cme_cycles_find(net, v->exact, 0, c->diags, v->cycles) != NESS_OK) {
      mem_free(v->cycles);
      v->cycles = NULL;
      return false;
    }
    v->cycles_found = true;
  }
  double sum = 0;
  bool found = false;
  const int32_t n = net->cycle_start[id + 1] - net->cycle_start[id];
  for (int64_t i = 0; i < v->cycles->count; i++) {
    const cme_cycle *const cycle = &v->cycles->cycle[i];
    if (cycle->length != n) continue;
    for (int sign = 1; sign >= -1; sign -= 2) {
      bool same = true;
      for (int32_t k = net->cycle_start[id]; k < net->cycle_start[id + 1] && same; k++) {
        int32_t by = 0;
        for (int32_t j = 0; j < cycle->length; j++) {
          if (cycle->dir[j] / 2 == net->cycle_step[k]) by += cycle->dir[j] % 2 ? -1 : 1;
        }
        same = by == sign * net->cycle_by[k];
      }
      if (same) sum += sign * cycle->net;
      found = found || same;
    }
  }
  *out = (quantity){sum, lang_file_of(v->model)->natural ? UNIT_NONE : UNIT_RATE};
  for (int32_t k = net->cycle_start[id]; k < net->cycle_start[id + 1]; k++) {
    const int32_t s = net->cycle_step[k];
    if (net->dir_law[2 * s] == LAW_NONE && net->dir_law[2 * s + 1] == LAW_NONE) found = true; /* off: no flux */
  }
  if (v->cycles->complete && found) return true;
  if (v->cycles->complete) {
    lang_error(c->diags, node->place, "declare a closed path that visits no state twice",
               "%s is not a simple cycle of the states, so it has no flux of its own",
               network_text(net, net->cycle_name[id]));
    return false;
  }
  lang_error(c->diags, node->place, "use rate() of a step that only this cycle has",
             "the network has too many states for the flux of every cycle");
  return false;
}

/* --- grid functions: counts over replicas at grid times --- */

static int32_t values_grid_size(const values *self)
{
  return self->path ? self->path->ntimes : self->sample ? self->sample->ngrid : 0;
}

static double values_grid_time(const values *self, int32_t index)
{
  return self->path ? self->path->time[index] : self->sample->grid_time[index];
}

/* The index of a time of the grid, or -1 after a message at the expression that gave it. */
static int32_t values_grid_index_at(hook_context *c, const expr *node, double t)
{
  const values *const self = c->v;
  int32_t best = 0;
  for (int32_t i = 1; i < values_grid_size(self); i++) {
    if (fabs(values_grid_time(self, i) - t) < fabs(values_grid_time(self, best) - t)) best = i;
  }
  if (fabs(values_grid_time(self, best) - t) <= 1e-9 * fabs(t)) return best;
  lang_error(c->diags, node->place,
             "the grid stands at warmup + every, warmup + 2 every, ... from the start of the run",
             "%g is not a grid time; the nearest is %g", t, values_grid_time(self, best));
  return -1;
}

static void values_grid(const values *self, int32_t index, int32_t slot, double *mean, double *var)
{
  const ssa_result *const r = self->sample;
  const int32_t nslot = values_network(self)->nslot;
  double n = 0, sum = 0, sum2 = 0;
  if (self->path) {
    *mean = self->path->mean[(int64_t)index * nslot + slot];
    *var = self->path->var[(int64_t)index * nslot + slot];
    return;
  }
  for (int32_t b = 0; b < r->grid_batches; b++) {
    if (b == self->left_out && r->grid_batches > 1) continue;
    const size_t row = (size_t)b * (size_t)r->ngrid + (size_t)index;
    n += (double)r->grid_replicas[row];
    sum += r->grid_sum[row * (size_t)nslot + (size_t)slot];
    sum2 += r->grid_sum2[row * (size_t)nslot + (size_t)slot];
  }
  *mean = sum / n;
  *var = n > 1 ? (sum2 - sum * sum / n) / (n - 1) : NAN;
}

/* Least-squares line of the mean count against time through all grid points. */
static void values_line(const values *self, int32_t slot, double *slope, double *r2)
{
  double n = 0, st = 0, sy = 0, stt = 0, sty = 0, syy = 0;
  for (int32_t i = 0; i < values_grid_size(self); i++) {
    double y, var;
    values_grid(self, i, slot, &y, &var);
    const double t = values_grid_time(self, i);
    n++, st += t, sy += y, stt += t * t, sty += t * y, syy += y * y;
  }
  const double vt = stt - st * st / n, vy = syy - sy * sy / n, c = sty - st * sy / n;
  *slope = c / vt;
  *r2 = c * c / (vt * vy);
}

static bool values_grid_call(hook_context *c, const expr *node, quantity *out)
{
  values *const v = c->v;
  const expr_argument *const first = node->arguments;
  const bool at = strcmp(node->name, "mean_at") == 0 || strcmp(node->name, "var_at") == 0;
  const lang_unit second = lang_file_of(v->model)->natural ? UNIT_NONE : UNIT_SECOND;
  if (values_grid_size(v) < 2) {
    lang_error(c->diags, node->place, "write `solve transient time 10, every 1` or `simulate ... time 10, every 1`",
               "%s needs times", node->name);
    return false;
  }
  if (!first || (at && !first->next)) {
    lang_error(c->diags, node->place, NULL, at ? "%s takes a species and a time" : "%s takes a species", node->name);
    return false;
  }
  const int32_t slot = lang_find(v->model, LANG_SLOT, first->value, c->diags);
  if (slot < 0) return false;
  if (at) {
    quantity t;
    double mean, var;
    if (!lang_evaluate(v->model, first->next->value, NULL, NULL, c->diags, &t)) return false;
    const int32_t i = values_grid_index_at(c, first->next->value, t.value);
    if (i < 0) return false;
    values_grid(v, i, slot, &mean, &var);
    *out = strcmp(node->name, "mean_at") == 0 ? values_scaled(v, slot, mean, 1) : values_scaled(v, slot, var, 2);
    return true;
  }
  double slope, r2;
  values_line(v, slot, &slope, &r2);
  *out = values_scaled(v, slot, slope, 0);
  out->unit = unit_add(out->unit, unit_scale(second, -1));
  if (strcmp(node->name, "slope") != 0) *out = (quantity){r2, UNIT_NONE};
  return true;
}

/* --- entropy production at a time of `solve transient` --- */

static bool values_split_call(hook_context *c, const expr *node, size_t which, quantity *out)
{
  values *const v = c->v;
  const expr_argument *const first = node->arguments;
  quantity t;
  if (v->path && v->input) {
    lang_error(c->diags, node->place, "mean_at(A, t) and var_at(A, t) are; `simulate` has sigma of the whole time",
               "%s is not known while %s moves", node->name, v->input);
    return false;
  }
  if (!v->path || !v->path->entropy) {
    lang_error(c->diags, node->place, "put it behind `solve transient time 10, every 1`",
               "%s is known from the master equation in time only", node->name);
    return false;
  }
  if (!first || first->next) {
    lang_error(c->diags, node->place, NULL, "%s takes a time", node->name);
    return false;
  }
  if (!lang_evaluate(v->model, first->value, NULL, NULL, c->diags, &t)) return false;
  const int32_t i = values_grid_index_at(c, first->value, t.value);
  if (i < 0) return false;
  const split_row *const row = &v->path->entropy[i];
  const double value[] = {row->total, row->adiabatic, row->nonadiabatic, row->medium, row->system};
  if (isnan(value[which])) {
    lang_error(c->diags, node->place, "sigma_at(t), medium_at(t) and system_at(t) are known", "%s: %s",
               v->path->unsplit_part, split_text(v->path->unsplit));
    return false;
  }
  *out = (quantity){value[which], lang_file_of(v->model)->natural ? UNIT_NONE : UNIT_RATE};
  return true;
}

/* --- random draws for `random ... with` --- */

static bool values_draw(hook_context *c, const expr *node, quantity *out)
{
  values *const v = c->v;
  quantity low, high;
  const expr_argument *const first = node->arguments;
  if (!first || !first->next || first->next->next) {
    lang_error(c->diags, node->place, NULL, "%s takes a lower and an upper end", node->name);
    return false;
  }
  if (!lang_evaluate(v->model, first->value, NULL, NULL, c->diags, &low) ||
      !lang_evaluate(v->model, first->next->value, NULL, NULL, c->diags, &high))
    return false;
  if (!unit_equal(low.unit, high.unit) && low.value != 0 && high.value != 0) {
    lang_error(c->diags, node->place, NULL, "the two ends have different units");
    return false;
  }
  const double u = rng_double(v->random);
  const bool log_scale = strcmp(node->name, "loguniform") == 0;
  if (log_scale && !(low.value > 0 && high.value > 0)) {
    lang_error(c->diags, node->place, NULL, "loguniform needs positive ends");
    return false;
  }
  *out = (quantity){log_scale ? low.value * exp(u * log(high.value / low.value))
                              : low.value + u * (high.value - low.value),
                    low.unit};
  return true;
}

static bool values_hook(void *context, const expr *node, quantity *out, bool *ok)
{
  hook_context *const c = context;
  values *const v = c->v;
  const bool natural = lang_file_of(v->model)->natural;
  const expr_argument *const first = node->arguments;
  *ok = true;
  if (node->kind == EXPR_NAME) {
    const char *const name = node->path.parts == 1 && !node->path.from[0] ? node->path.name[0] : NULL;
    for (const let_value *l = name ? v->lets : NULL; l; l = l->next) {
      if (strcmp(l->name, name) != 0) continue;
      *out = l->value;
      if (v->left_out >= 0 && l->without && v->left_out < l->batches) out->value = l->without[v->left_out];
      return true;
    }
    if (name && strcmp(name, "sigma") == 0) {
      if (values_need(v, node, c->diags, false, ok))
        *out = (quantity){values_entropy(v), natural ? UNIT_NONE : UNIT_RATE};
      return true;
    }
    if (name && lang_find_text(v->model, LANG_OBSERVABLE, name) >= 0) {
      *ok = values_of_linear(c, node, out);
      return true;
    }
    return false;
  }
  if (lang_linear_call(node)) {
    *ok = values_of_linear(c, node, out);
    return true;
  }
  static const char *const grid[] = {"mean_at", "var_at", "slope", "r2"};
  for (size_t i = 0; i < sizeof grid / sizeof *grid; i++) {
    if (strcmp(node->name, grid[i]) == 0) {
      *ok = values_grid_call(c, node, out);
      return true;
    }
  }
  static const char *const split[] = {"sigma_at", "adiabatic_at", "nonadiabatic_at", "medium_at", "system_at"};
  for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
    if (strcmp(node->name, split[i]) == 0) {
      *ok = values_split_call(c, node, i, out);
      return true;
    }
  }
  if (v->random && (strcmp(node->name, "uniform") == 0 || strcmp(node->name, "loguniform") == 0)) {
    *ok = values_draw(c, node, out);
    return true;
  }
  if (strcmp(node->name, "var") == 0 && first && !first->next) {
    const int32_t slot = lang_find(v->model, LANG_SLOT, first->value, c->diags);
    *ok = slot >= 0 && values_need(v, node, c->diags, false, ok);
    if (*ok) *out = values_scaled(v, slot, values_variance(v, slot), 2);
    return true;
  }
  if (strcmp(node->name, "work") == 0 && first && !first->next) {
    const ness_network *const net = lang_network(v->model);
    const char *const name = lang_name_of(v->model, first->value, c->diags);
    int32_t source = v->input && name && strcmp(v->input, name) == 0 ? network_sources(net) : -1;
    for (int32_t k = 0; v->ledger && name && k < v->ledger->ninput; k++)
      source = strcmp(v->ledger->input[k].name, name) == 0 ? network_sources(net) + k : source;
    for (int32_t i = network_sources(net) - 1; name && i >= 0; i--) /* a process comes behind what it moves */
      source = strcmp(network_source_name(net, i), name) == 0 ? i : source;
    if (!name) {
      *ok = false;
      return true;
    }
    if (source < 0) source = lang_find(v->model, LANG_RESERVOIR, first->value, c->diags);
    *ok = source >= 0 && values_need(v, node, c->diags, false, ok);
    if (*ok) *out = (quantity){values_work(v, source), natural ? UNIT_NONE : UNIT_RATE};
    return true;
  }
  if (strcmp(node->name, "flux") == 0 && first && !first->next) {
    *ok = values_cycle_flux(c, node, first->value, out);
    return true;
  }
  return values_exact_call(c, node, out, ok);
}

bool values_estimate(values *self, const expr *node, ness_diags *diags, estimate *out)
{
  hook_context context = {self, diags};
  *out = (estimate){0};
  self->left_out = -1;
  if (!lang_evaluate(self->model, node, values_hook, &context, diags, &out->value)) return false;
  if (!self->sample || self->sample->batches < 2) return true;
  const int32_t batches = self->sample->batches;
  if (!(out->without = mem_zero((size_t)batches, sizeof *out->without))) return false;
  out->batches = batches;
  double sum = 0, square = 0;
  bool fine = true;
  for (int32_t b = 0; b < batches && fine; b++) {
    quantity q;
    self->left_out = b;
    fine = lang_evaluate(self->model, node, values_hook, &context, diags, &q);
    out->without[b] = q.value;
    sum += q.value;
  }
  self->left_out = -1;
  for (int32_t b = 0; b < batches && fine; b++)
    square += (out->without[b] - sum / batches) * (out->without[b] - sum / batches);
  out->error = sqrt(square * (batches - 1) / batches);
  if (!fine) estimate_free(out);
  return fine;
}

void estimate_free(estimate *self)
{
  mem_free(self->without);
  self->without = NULL;
}

void values_free(values *self)
{
  if (self->cycles) cme_cycles_free(self->cycles);
  mem_free(self->cycles);
  self->cycles = NULL;
  self->cycles_found = false;
}
