/* What a replica that could not go on says: where, when, what, and how to mend it. Owns the texts alone. */
#include "engine/hybrid/parts.h"

#include <math.h>
#include <stdio.h>

typedef struct place {
  const hybrid_replica *self;
  const ness_network *net;
  ness_diags *diags;
  char head[80], time[32];
} place;

/* A slot's number as the file has it: of a variable on its scale and with its unit. */
static void slot_value(const ness_network *net, int32_t slot, double n, char out[96])
{
  char number[32];
  const int32_t var = net->slot_var[slot];
  number_short(var < 0 ? n : (net->var_zero[var] + net->var_unit[var] * n) / net->var_print[var], 6, number);
  snprintf(out, 96, "%s%s%.48s", number, var < 0 ? "" : " ", var < 0 ? "" : network_text(net, net->var_text[var]));
}

static const char *slot_text(const place *p, int32_t slot)
{
  return network_text(p->net, p->net->slot_name[slot]);
}

static const char *slot_kind(const place *p, int32_t slot)
{
  return p->net->slot_var[slot] < 0 ? "slot" : "variable";
}

static void explain_rate(const place *p)
{
  const int32_t dir = p->self->at;
  const double rate = p->self->value;
  diag_add(p->diags, NESS_ERROR, "%sthe %s rate of step %s is %s at t = %s s", p->head,
           dir % 2 ? "backward" : "forward", network_text(p->net, p->net->step_name[dir / 2]),
           isnan(rate) ? "not a number"
           : rate < 0  ? "negative"
                       : "too large",
           p->time);
  diag_hint(p->diags, "a rate must be finite and at least 0 in every state that can be reached; x/(exp(x) - 1) at 0 is "
                      "1/exprel(x)");
}

static void explain_bound(const place *p)
{
  const int32_t dir = p->self->at;
  diag_add(p->diags, NESS_ERROR, "%sthe %s rate of step %s has no bound around its value at t = %s s", p->head,
           dir % 2 ? "backward" : "forward", network_text(p->net, p->net->step_name[dir / 2]), p->time);
  diag_hint(p->diags, "look for a division by what can be 0 or the logarithm of what can be 0; x/(exp(x) - 1) is "
                      "1/exprel(x), which is smooth at 0");
}

static void explain_range(const place *p)
{
  const int32_t slot = p->self->at;
  char value[96];
  slot_value(p->net, slot, p->self->value, value);
  diag_add(p->diags, NESS_ERROR, "%s%s %s leaves its range at t = %s s, %s = %s", p->head, slot_kind(p, slot),
           slot_text(p, slot), p->time, slot_text(p, slot), value);
  diag_hint(p->diags, p->net->slot_var[slot] >= 0
                          ? "widen `within`, or look at what moves the variable"
                          : "a rate that empties a slot must vanish with it, and one that fills "
                            "it before its max");
}

static void explain_blow_up(const place *p)
{
  const int32_t slot = p->self->at;
  char value[96];
  slot_value(p->net, slot, p->self->x[slot], value);
  diag_add(p->diags, NESS_ERROR, "%sthe motion cannot be followed beyond t = %s s: %s %s moves ever faster, at %s",
           p->head, p->time, slot_kind(p, slot), slot_text(p, slot), value);
  diag_hint(p->diags, "a solution that grows without bound ends there; a rate that jumps back and forth does the same");
}

static void explain_chatter(const place *p)
{
  diag_add(p->diags, NESS_ERROR, "%sthreshold chatters: \"%s\" fires again and again at t = %s s", p->head,
           network_text(p->net, p->net->event_name[p->self->at]), p->time);
  diag_hint(p->diags, "set what it looks at well below the threshold (hysteresis)");
}

static void explain_set(const place *p)
{
  char value[96];
  slot_value(p->net, p->self->slot, p->self->value, value);
  diag_add(p->diags, NESS_ERROR, "%s\"%s\" sets %s %s to %s at t = %s s, outside of its range", p->head,
           network_text(p->net, p->net->event_name[p->self->at]), slot_kind(p, p->self->slot),
           slot_text(p, p->self->slot), value, p->time);
  diag_hint(p->diags, "a count is at least 0 and at most its max; a variable stays within its range");
}

ness_status hybrid_explain(const hybrid_replica *self, const hybrid_net *net, int64_t index, hybrid_pause pause,
                           ness_diags *diags)
{
  place p = {.self = self, .net = net->net, .diags = diags};
  if (net->mode != HYBRID_MEAN) snprintf(p.head, sizeof p.head, "replica %lld: ", (long long)index);
  number_short(self->t, 9, p.time);
  switch (pause) {
  case HYBRID_BAD_RATE: explain_rate(&p); break;
  case HYBRID_NO_BOUND: explain_bound(&p); break;
  case HYBRID_RANGE: explain_range(&p); break;
  case HYBRID_BLOWS_UP: explain_blow_up(&p); break;
  case HYBRID_CHATTERS: explain_chatter(&p); break;
  case HYBRID_BAD_SET: explain_set(&p); break;
  case HYBRID_AT_TIME:
  case HYBRID_BUSY: break;
  }
  return NESS_NUMERIC;
}
