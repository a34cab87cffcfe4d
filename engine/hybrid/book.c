/* What is counted: events and integrals of rates, dwell times, entropy, works and energies. Invariant: medium entropy =
 * sum of works - change of energy on every trajectory. Energy is a function of the state; the change of a capacitor's
 * is what its charges met half way, exactly, since the energy is quadratic: stiff * (mean of before and after) *
 * charge. What a step by tapes holds beyond the declared work is undeclared, and so is all that equations and events of
 * the file do to energies. Of the parts that inputs have in energies and potentials a step keeps sums over its events,
 * taken at their times; the work of an input, the integral of n dg, is then that of the ends less these sums (summation
 * by parts, exact for what jumps and for what flows as exact as the sums). Mass action gives its lnk to the medium per
 * event, whatever the counts; a tape the logarithm of its quotient of rates, without the mixing (engine/model/law.c). A
 * event or a flow whose way back has no rate gives nothing to the medium, and what it does to energies is undeclared:
 * it is counted beside, for the medium is infinite by right. Cost: of a step of the flow, the flowing
 * directions and real slots, and a logarithm a step with tapes both ways. */
#include "engine/hybrid/parts.h"

#include <math.h>
#include <string.h>

#define PRODUCT_LEAST 1e-100
#define PRODUCT_MOST 1e100

static double part_value(hybrid_replica *self, const hybrid_net *net, int32_t p, const double *x)
{
  return network_part_value(&net->part[p], x[net->part[p].input], self->rule);
}

/* What the copies there are have of a part. */
static double part_bound(hybrid_replica *self, const hybrid_net *net, int32_t p)
{
  const network_part *const part = &net->part[p];
  double copies = 0;
  for (int32_t i = 0; i < part->nslot; i++) copies += part->by[i] * self->x[part->slot[i]];
  return part->nslot ? copies * part_value(self, net, p, self->x) : 0;
}

double book_energy(hybrid_replica *self, const hybrid_net *net)
{
  const ness_network *const of = net->net;
  const double *const x = self->x;
  double sum = 0;
  for (int32_t i = 0; i < of->nslot; i++) {
    const int32_t var = of->slot_var[i];
    if (var < 0) {
      sum += x[i] * of->slot_g[i];
    } else if (of->var_stiff[var] > 0) {
      const double pull = network_var_pull(of, var, x[i]);
      sum += 0.5 * pull * pull / of->var_stiff[var];
    }
  }
  for (int32_t p = 0; p < net->npart; p++) sum += part_bound(self, net, p);
  return sum;
}

void book_set(hybrid_replica *self, const hybrid_net *net, double sign)
{
  for (int32_t p = 0; p < net->npart; p++) self->bound[p] += sign * part_bound(self, net, p);
}

void book_clear(hybrid_replica *self, const hybrid_net *net)
{
  const ness_network *const of = net->net;
  const size_t steps = (size_t)of->nstep, slots = (size_t)of->nslot;
  self->begin = self->t;
  self->events = self->candidates = self->boxes = self->moves = self->barred = 0;
  self->set_work = 0;
  memset(self->fired, 0, 2 * steps * sizeof *self->fired);
  memset(self->medium, 0, steps * sizeof *self->medium);
  memset(self->lost, 0, steps * sizeof *self->lost);
  memset(self->pulled, 0, steps * sizeof *self->pulled);
  memset(self->dwell, 0, slots * sizeof *self->dwell);
  memset(self->dwell2, 0, slots * sizeof *self->dwell2);
  for (int32_t s = 0; s < of->nstep; s++) self->quotient[s] = 1;
  for (int32_t i = 0; i < of->nslot; i++) self->since[i] = self->t;
  memset(self->shared, 0, (size_t)net->share_start[of->nstep] * sizeof *self->shared);
  for (int32_t p = 0; p < net->npart; p++) self->bound[p] = part_bound(self, net, p);
  self->energy = book_energy(self, net);
}

/* --- the flow --- */

/* What a forward event of a flowing step gives to the medium at a stage. */
static double flow_force(const hybrid_net *net, int32_t step, const flow_stage *stage)
{
  const ness_network *const of = net->net;
  const int32_t f = net->place[2 * step], b = net->place[2 * step + 1];
  const hybrid_dir *const forth = &net->flow[f], *const back = &net->flow[b];
  double force = 0;
  if (net->pure[step]) {
    const double top = forth->constant * (forth->core >= 0 ? stage->core[forth->core] : 1);
    return rng_ln(top / (back->constant * (back->core >= 0 ? stage->core[back->core] : 1)));
  }
  for (int32_t c = of->change_start[step]; c < of->change_start[step + 1]; c++) {
    const int32_t slot = of->change_slot[c];
    if (of->slot_var[slot] < 0) force += of->change_by[c] * rng_ln(fmax(stage->x[net->real_of[slot]], 0));
  }
  return rng_ln(stage->rate[f] / stage->rate[b]) + force;
}

static void flow_medium(hybrid_replica *self, const hybrid_net *net)
{
  const flow_step *const step = &self->step;
  for (int32_t i = 0; i < net->nforced; i++) {
    const int32_t s = net->forced[i], f = net->place[2 * s], b = net->place[2 * s + 1];
    double sum = 0;
    for (int32_t j = 0; j < step->nodes; j++) {
      const flow_stage *const stage = &self->stage[step->node[j].stage];
      const double flux = net->mode == HYBRID_LANGEVIN ? step->flux[f] - step->flux[b]
                                                       : step->node[j].weight * (stage->rate[f] - stage->rate[b]);
      if (flux == 0) continue;
      const double force = local_force(self, net, s) ? local_value(&self->force[s], stage->x[net->force_alone[s] - 1])
                                                     : flow_force(net, s, stage);
      if (isfinite(force)) sum += flux * force;
      else self->lost[s] += fabs(flux);
    }
    self->medium[s] += sum;
  }
}

/* Integrals of net rates times parts. */
static void flow_shares(hybrid_replica *self, const hybrid_net *net)
{
  const flow_step *const step = &self->step;
  for (int32_t j = 0; j < step->nodes; j++) {
    const flow_stage *const stage = &self->stage[step->node[j].stage];
    for (int32_t k = 0, r = net->nstate; k < net->ninput; k++, r++) self->y[net->real[r]] = stage->x[r];
    for (int32_t i = 0; i < net->npaid; i++) {
      const int32_t s = net->paid[i], f = net->place[2 * s], b = net->place[2 * s + 1];
      const bool noise = net->mode == HYBRID_LANGEVIN; /* which has one node */
      const double *const way = noise ? step->flux : stage->rate;
      const double flux = (noise ? 1 : step->node[j].weight) * ((f >= 0 ? way[f] : 0) - (b >= 0 ? way[b] : 0));
      for (int32_t k = net->share_start[s]; k < net->share_start[s + 1]; k++) {
        self->shared[k] += flux * part_value(self, net, net->share[k].part, self->y);
      }
    }
  }
}

void book_flow(hybrid_replica *self, const hybrid_net *net)
{
  const flow_step *const step = &self->step;
  for (int32_t f = 0; f < net->nflow; f++) self->fired[net->flow[f].dir] += step->flux[f];
  for (int32_t r = 0; r < net->nreal; r++) {
    self->dwell[net->real[r]] += step->area[r];
    self->dwell2[net->real[r]] += step->area2[r];
  }
  for (int32_t i = 0; i < net->npull; i++) {
    const hybrid_pull *const pull = &net->pull[i];
    const int32_t f = net->place[2 * pull->step], b = net->place[2 * pull->step + 1];
    const double flux = (f >= 0 ? step->flux[f] : 0) - (b >= 0 ? step->flux[b] : 0);
    const double middle = 0.5 * (self->x[net->real[pull->real]] + step->x[pull->real]);
    self->pulled[pull->step] += pull->by * flux * network_var_pull(net->net, pull->var, middle);
  }
  if (net->nforced) flow_medium(self, net);
  if (net->npaid) flow_shares(self, net);
}

void book_inputs(hybrid_replica *self, const hybrid_net *net)
{
  for (int32_t k = 0; k < net->ninput; k++) {
    const int32_t slot = net->input[k].slot;
    double area = (double)NAN, area2 = area; /* nobody knows what a drawn one did between looks */
    if (!path_random(&net->input[k].path)) path_areas(&self->path[k], self->since[slot], self->t, &area, &area2);
    self->dwell[slot] += area;
    self->dwell2[slot] += area2;
    self->since[slot] = self->t;
  }
}

/* --- events --- */

/* ln((x + by)! / x!) for real x as for whole ones. */
static double mixing(double x, int32_t by)
{
  double product = 1;
  const double top = by > 0 ? x + by : x;
  for (int32_t j = 0; j < (by > 0 ? by : -by); j++) product *= top - j;
  return by > 0 ? rng_ln(product) : -rng_ln(product);
}

/* The part of a direction's rate that the medium sees. */
static double event_rate(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  double rate = dir->constant;
  for (int32_t i = dir->factor; i < dir->real_factor && !dir->pure; i++) {
    rate *= self->x[net->factor[i].slot] - net->factor[i].shift;
  }
  return rate * (dir->core >= 0 ? hybrid_core_now(self, net, dir->core) : 1);
}

static void event_shares(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  const int32_t step = dir->dir / 2;
  for (int32_t k = net->share_start[step]; k < net->share_start[step + 1]; k++) {
    const double value = part_value(self, net, net->share[k].part, self->x);
    self->shared[k] += dir->dir % 2 ? -value : value;
  }
}

bool book_event(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  const ness_network *const of = net->net;
  self->fired[dir->dir]++;
  self->events++;
  if (dir->paid) event_shares(self, net, dir);
  const int32_t step = dir->dir / 2;
  const bool local = dir->tape && local_force(self, net, step);
  if (local) {
    const double force = local_value(&self->force[step], self->x[net->real[net->force_alone[step] - 1]]);
    self->medium[step] += dir->dir % 2 ? -force : force;
  } else if (dir->tape) {
    self->value = event_rate(self, net, dir);
  }
  const bool ask = dir->tape && !local;
  if (!dir->charged && (!dir->tape || dir->pure)) return ask;
  for (int32_t c = dir->change; c < dir->change_end; c++) {
    const hybrid_change *const change = &net->change[c];
    const int32_t var = of->slot_var[change->slot];
    const double x = self->x[change->slot];
    if (var >= 0) self->pulled[dir->dir / 2] += change->by * network_var_pull(of, var, x + 0.5 * change->by);
    else if (dir->tape && !dir->pure) self->medium[dir->dir / 2] += mixing(x, (int32_t)change->by);
  }
  return ask;
}

/* After: what the way back has. The logarithm is that of a product of quotients, taken when it grows long. */
void book_event_after(hybrid_replica *self, const hybrid_net *net, const hybrid_dir *dir)
{
  const double back = event_rate(self, net, &net->fire[net->place[dir->dir ^ 1]]);
  if (!(back > 0)) {
    self->lost[dir->dir / 2]++;
    return;
  }
  const double quotient = self->value / back;
  double *const product = &self->quotient[dir->dir / 2];
  if (!(quotient > PRODUCT_LEAST && quotient < PRODUCT_MOST)) {
    self->medium[dir->dir / 2] += rng_ln(self->value) - rng_ln(back);
    return;
  }
  *product *= quotient;
  if (!(*product > PRODUCT_LEAST && *product < PRODUCT_MOST)) {
    self->medium[dir->dir / 2] += rng_ln(*product);
    *product = 1;
  }
}

/* --- the end --- */

static double step_energy(const hybrid_replica *self, const ness_network *net, int32_t step, double count)
{
  double energy = self->pulled[step];
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    energy += net->slot_var[net->change_slot[c]] < 0 ? count * net->change_by[c] * net->slot_g[net->change_slot[c]] : 0;
  }
  return energy;
}

/* What a step's shares in parts add to works and to energies. */
static double shares_settle(const hybrid_replica *self, const hybrid_net *net, int32_t step, double *work,
                            double *energy)
{
  double sum = 0;
  for (int32_t k = net->share_start[step]; k < net->share_start[step + 1]; k++) {
    const hybrid_share *const share = &net->share[k];
    const double one = share->work * self->shared[k];
    if (share->work != 0) work[net->part[share->part].source] += one;
    *energy += share->energy * self->shared[k];
    sum += one;
  }
  return sum;
}

/* Medium of one step, and its works added to those of the sources. */
static double step_settle(hybrid_replica *self, const hybrid_net *net, int32_t step, double *work)
{
  const ness_network *const of = net->net;
  const int32_t undeclared = network_sources(of) - 1;
  const hybrid_book book = (hybrid_book)net->book[step];
  const double count = self->fired[2 * step] - self->fired[2 * step + 1];
  double declared = 0, moved = 0;
  for (int32_t w = of->work_start[step]; w < of->work_start[step + 1]; w++) {
    const double one = isfinite(of->work_kt[w]) ? count * of->work_kt[w] : 0;
    work[of->work_src[w]] += one;
    declared += one;
  }
  const double paid = shares_settle(self, net, step, work, &moved);
  const double energy = step_energy(self, of, step, count);
  switch (book) {
  case BOOK_MASS: work[undeclared] += moved - paid; return count * of->step_lnk[step];
  case BOOK_TAPE:
    work[undeclared] += self->medium[step] + (energy + moved) - (declared + paid);
    return self->medium[step];
  case BOOK_DRIFT: work[undeclared] += energy - declared; return 0;
  case BOOK_ONE_WAY:
    self->lost[step] = fabs(self->fired[2 * step]) + fabs(self->fired[2 * step + 1]);
    work[undeclared] += energy + moved - (declared + paid);
    return 0;
  case BOOK_FLIP: break;
  }
  return 0;
}

static void inputs_settle(hybrid_replica *self, const hybrid_net *net, double *input_work)
{
  memset(input_work, 0, (size_t)net->ninput * sizeof *input_work);
  for (int32_t p = 0; p < net->npart; p++) input_work[net->part_input[p]] += part_bound(self, net, p) - self->bound[p];
  for (int32_t k = 0; k < net->share_start[net->net->nstep]; k++) {
    input_work[net->part_input[net->share[k].part]] -= net->share[k].energy * self->shared[k];
  }
}

hybrid_totals book_settle(hybrid_replica *self, const hybrid_net *net, double *work, double *input_work)
{
  const ness_network *const of = net->net;
  const int32_t sources = network_sources(of);
  hybrid_totals totals = {0};
  memset(work, 0, (size_t)sources * sizeof *work);
  for (int32_t i = 0; i < of->nslot; i++) {
    if (net->real_of[i] < 0) book_slot(self, i);
  }
  if (!hybrid_moves(net)) book_inputs(self, net);
  for (int32_t s = 0; s < of->nstep; s++) {
    self->medium[s] += rng_ln(self->quotient[s]);
    self->quotient[s] = 1;
  }
  for (int32_t s = 0; s < of->nstep; s++) {
    totals.medium += step_settle(self, net, s, work);
    totals.one_way |= self->lost[s] > 0;
  }
  work[sources - 1] += self->set_work;
  inputs_settle(self, net, input_work);
  totals.energy = book_energy(self, net) - self->energy;
  return totals;
}
