/* Events of the file: at times exactly, and when a condition becomes true. Invariant: `was` is what each condition was
 * after the last step of the flow or event, so that it fires on turning true and only then; at t = 0 it does not.
 * Method: a condition is looked at where the state is exact, at the ends of steps and after events; the step in which
 * one turns is made shorter by halving until its length has no more digits than count, and ends on the true side.
 * What is true for less than a step between two looks is not seen. Cost: the tapes of the conditions at every event in
 * a box where one may turn (local.c), and some forty steps where one does. */
#include "engine/hybrid/parts.h"

#include <math.h>

#define FILE_DIGITS 1e-12 /* of a step's length */
#define FILE_STILL 10000  /* firings of a condition without time moving */
#define FILE_MOST 100000  /* within the share of the time that comes */
#define FILE_SHARE 1e-6

/* A tape of the file at x, whole or real as the slots are. */
static double rule_value(const hybrid_net *net, int32_t rule, double *reg, const double *x)
{
  const ness_network *const of = net->net;
  const tape_op *op = of->rule + of->rule_start[rule];
  const int32_t length = of->rule_start[rule + 1] - of->rule_start[rule];
  for (int32_t i = 0; i < length; i++, op++) {
    const int32_t registers = tape_registers(op->code);
    const double a = op->code == TAPE_CONST ? of->tape_const[op->a] : op->code == TAPE_SLOT ? x[op->a] : reg[op->a];
    reg[i] = tape_apply((tape_code)op->code, a, registers > 1 ? reg[op->b] : 0, registers > 2 ? reg[op->c] : 0);
  }
  return reg[length - 1];
}

static bool holds(hybrid_replica *self, const hybrid_net *net, int32_t e, const double *x)
{
  const double value = rule_value(net, e + net->net->set_start[e], self->tape, x);
  return value != 0 && !isnan(value);
}

/* --- firing --- */

static hybrid_pause set_bad(hybrid_replica *self, int32_t e, int32_t slot, double value)
{
  self->at = e;
  self->slot = slot;
  self->value = value;
  return HYBRID_BAD_SET;
}

static hybrid_pause event_act(hybrid_replica *self, const hybrid_net *net, int32_t e)
{
  const ness_network *const of = net->net;
  const double before = book_energy(self, net);
  for (int32_t k = of->set_start[e]; k < of->set_start[e + 1]; k++) {
    const int32_t slot = of->set_slot[k], var = of->slot_var[slot];
    const bool whole = net->real_of[slot] < 0 && (var < 0 || of->var_kind[var] != VAR_PLAIN); /* counts, charges */
    const double given = rule_value(net, e + 1 + k, self->tape, self->x), value = whole ? floor(given + 0.5) : given;
    const double most = of->slot_max[slot] == MODEL_NO_MAX ? (double)INFINITY : (double)of->slot_max[slot];
    if (!(value >= 0 && value < (double)INFINITY && value <= most)) return set_bad(self, e, slot, given);
    self->set[k] = value;
  }
  book_set(self, net, -1);
  for (int32_t k = of->set_start[e]; k < of->set_start[e + 1]; k++) {
    const int32_t slot = of->set_slot[k];
    if (net->real_of[slot] < 0) book_slot(self, slot);
    self->x[slot] = self->set[k];
  }
  book_set(self, net, 1);
  self->set_work += book_energy(self, net) - before;
  hybrid_renew(self, net);
  return HYBRID_AT_TIME;
}

static bool chatters(hybrid_replica *self, const hybrid_net *net, int32_t e)
{
  hybrid_when *const when = &self->when[e];
  when->still = self->t == when->last ? when->still + 1 : 0;
  when->last = self->t;
  if (when->count == 0 || self->t - when->since > FILE_SHARE * net->time) {
    when->since = self->t;
    when->count = 0;
  }
  self->at = e;
  return ++when->count > FILE_MOST || when->still > FILE_STILL;
}

/* All that have turned true, and what turns true by them, in the order of the file. */
hybrid_pause file_conditions(hybrid_replica *self, const hybrid_net *net)
{
  if (self->open && !self->alert) return HYBRID_AT_TIME;
  for (;;) {
    int32_t first = -1;
    for (int32_t e = 0; e < net->net->nevent; e++) {
      if (!isnan(net->net->event_at[e])) continue;
      const bool now = holds(self, net, e, self->x);
      if (now && !self->when[e].was && first < 0) first = e;
      else if (!now) self->when[e].was = false;
    }
    if (first < 0) return HYBRID_AT_TIME;
    self->when[first].was = true;
    if (chatters(self, net, first)) return HYBRID_CHATTERS;
    const hybrid_pause pause = event_act(self, net, first);
    if (pause) return pause;
  }
}

/* --- times --- */

double file_next(const hybrid_replica *self, const hybrid_net *net)
{
  double next = (double)INFINITY;
  for (int32_t e = 0; e < net->net->nevent; e++) {
    if (self->when[e].next < next) next = self->when[e].next;
  }
  return next;
}

hybrid_pause file_times(hybrid_replica *self, const hybrid_net *net)
{
  const ness_network *const of = net->net;
  for (int32_t e = 0; e < of->nevent; e++) {
    hybrid_when *const when = &self->when[e];
    if (!(when->next <= self->t)) continue;
    const double every = of->event_every[e];
    when->turn++;
    when->next = every > 0 ? of->event_at[e] + (double)when->turn * every : (double)INFINITY;
    const hybrid_pause pause = event_act(self, net, e);
    if (pause) return pause;
  }
  return net->whens ? file_conditions(self, net) : HYBRID_AT_TIME;
}

hybrid_pause file_start(hybrid_replica *self, const hybrid_net *net)
{
  const ness_network *const of = net->net;
  for (int32_t e = 0; e < of->nevent; e++) {
    const bool timed = !isnan(of->event_at[e]);
    self->when[e] = (hybrid_when){.next = timed ? of->event_at[e] : (double)INFINITY, .last = -1};
    self->when[e].was = !timed && holds(self, net, e, self->x);
  }
  return file_times(self, net);
}

/* --- where a condition turns --- */

static bool turned(hybrid_replica *self, const hybrid_net *net)
{
  bool any = false;
  for (int32_t r = 0; r < net->nreal; r++) self->y[net->real[r]] = self->step.x[r];
  for (int32_t e = 0; e < net->net->nevent && !any; e++) {
    any = isnan(net->net->event_at[e]) && !self->when[e].was && holds(self, net, e, self->y);
  }
  return any;
}

bool file_turns(hybrid_replica *self, const hybrid_net *net)
{
  if ((self->open && !self->alert) || !turned(self, net)) return false;
  const double whole = self->step.h;
  double no = 0, yes = whole;
  while (yes - no > FILE_DIGITS * whole && self->t + no < self->t + yes) {
    const double middle = no + 0.5 * (yes - no);
    if (!(middle > no && middle < yes)) break;
    flow_fixed(self, net, middle);
    if (turned(self, net)) yes = middle;
    else no = middle;
  }
  if (self->step.h != yes) flow_fixed(self, net, yes);
  return yes < whole;
}
