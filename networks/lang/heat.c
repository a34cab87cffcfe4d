/* Temperatures of places. A compartment may have its own, T_h = T/tau; a step that takes from it or gives to it obeys
 * local detailed balance there: ln(k_fwd/k_bwd) = tau * (drop of energies) + (drop of ln concentrations), for energies
 * are divided by k_B T_h and the logarithms are entropies. Invariant: a step touches one temperature. Against the
 * ledger of the model, where everything counts at T, what is left is work of the heat q that the event draws from the
 * place: q (1 - T/T_h), Carnot's share (Esposito, Lindenberg and Van den Broeck, EPL 85, 60010 (2009)). Cost: linear.
 */
#include "networks/lang/compile.h"
#include <math.h>

static double heat_own(const lang_model *m) /* temperature of the model */
{
  return m->file->natural ? 1 : m->temperature;
}

bool heat_declare(lang_model *m, const expr *value, model_compartment *c)
{
  const eval self = {.m = m};
  double kelvin, slope;
  if (!eval_as(&self, value, UNIT_KELVIN, "the temperature", &kelvin, &slope)) return false;
  if (!(heat_own(m) > 0)) {
    lang_error(m->diags, value->place, "add a line such as `temperature 310.15 [K]`",
               "a place with a temperature needs that of the model, which is not given");
    return false;
  }
  if (!(kelvin > 0) || !isfinite(kelvin)) {
    lang_error(m->diags, value->place, NULL, "the temperature must be positive and finite");
    return false;
  }
  c->tau = heat_own(m) / kelvin;
  c->d.tau = ((m->file->natural ? 0 : m->d.temperature) - c->tau * slope) / kelvin;
  if (c->heat < 0) c->heat = m->nheat++;
  return true;
}

/* Of the places seen so far and the next one that which gives the step its temperature; -1 none yet, -2 after a report.
 */
static int32_t heat_meet(lang_model *m, const stmt *s, int32_t seen, int32_t next)
{
  if (next < 0 || next == seen || seen == -2) return seen;
  if (seen < 0) return next;
  const model_compartment *const a = &m->compartments[seen], *const b = &m->compartments[next];
  if (a->tau == b->tau) {
    if (!slope_flat(m, s->place, a->d.tau - b->d.tau, "one of two temperatures of a step")) return -2;
    return a->heat >= 0 ? seen : next;
  }
  lang_error(m->diags, s->place, "put a state or a site between them, and a step to either place",
             m->file->natural ? "this step touches two temperatures: %s is at %g, %s at %g"
                              : "this step touches two temperatures: %s is at %g K, %s at %g K",
             a->name, heat_own(m) / a->tau, b->name, heat_own(m) / b->tau);
  return -2;
}

bool heat_place(lang_model *m, model_step *step)
{
  int32_t place = -1;
  step->tau = 1;
  step->heat = 0;
  if (m->nheat == 0) return true;
  for (int side = 0; side < 2; side++) {
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    for (int32_t i = 0; i < n; i++) place = heat_meet(m, step->source, place, m->slots[ids[i]].compartment);
    const int32_t nres = side ? step->nres_right : step->nres_left;
    const int32_t *const res = side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < nres; i++) place = heat_meet(m, step->source, place, m->reservoirs[res[i]].compartment);
  }
  if (place >= 0) {
    step->tau = m->compartments[place].tau;
    step->d.tau = m->compartments[place].d.tau;
    step->heat = 1 + m->compartments[place].heat;
  }
  return place != -2;
}

heat_drop heat_drop_of(const lang_model *m, const model_step *step)
{
  const double c0 = m->file->natural ? 1 : CONST_C0;
  heat_drop out = {0};
  for (int side = 0; side < 2; side++) {
    const double sign = side ? -1 : 1;
    const int32_t n = side ? step->nright : step->nleft, *const ids = side ? step->right : step->left;
    for (int32_t i = 0; i < n; i++) {
      const model_slot *const slot = &m->slots[ids[i]];
      out.standard += sign * slot->standard;
      out.d.standard += sign * slot->d.standard;
      if (!(slot->volume > 0)) continue;
      out.concentrations -= sign * log(slot->volume * c0);
      out.d.concentrations -= sign * slot->d.volume / slot->volume;
    }
    const int32_t nres = side ? step->nres_right : step->nres_left;
    const int32_t *const res = side ? step->res_right : step->res_left;
    for (int32_t i = 0; i < nres; i++) {
      const model_reservoir *const r = &m->reservoirs[res[i]];
      out.standard += sign * (r->mu0 + r->z * r->phi);
      out.d.standard += sign * (r->d.mu0 + r->d.z * r->phi + r->z * r->d.phi);
      out.concentrations += sign * log(r->activity);
      out.d.concentrations += sign * r->d.log_activity;
      *(r->compartment >= 0 ? &out.d.place : &out.d.bath) += sign * r->d.log_activity;
      *(r->compartment >= 0 ? &out.place : &out.bath) += sign * log(r->activity);
    }
  }
  return out;
}

double heat_work(const lang_model *m, const model_step *step)
{
  if (step->tau == 1) return 0;
  const heat_drop drop = heat_drop_of(m, step);
  return (step->tau - 1) * (drop.standard + drop.bath + drop.place / step->tau);
}

double heat_work_slope(const lang_model *m, const model_step *step)
{
  const heat_drop drop = heat_drop_of(m, step);
  const double by_place = (drop.d.place - drop.place * step->d.tau / step->tau) / step->tau;
  return step->d.tau * (drop.standard + drop.bath + drop.place / step->tau) +
         (step->tau - 1) * (drop.d.standard + drop.d.bath + by_place);
}

/* mu0 + k_B T_h ln a of a reservoir at T_h. */
double heat_potential(const lang_model *m, const model_reservoir *r)
{
  return r->mu0 + log(r->activity) / (r->compartment >= 0 ? m->compartments[r->compartment].tau : 1);
}

double heat_potential_slope(const lang_model *m, const model_reservoir *r)
{
  if (r->compartment < 0) return r->d.mu0 + r->d.log_activity;
  const model_compartment *const c = &m->compartments[r->compartment];
  return r->d.mu0 + (r->d.log_activity - log(r->activity) * c->d.tau / c->tau) / c->tau;
}
