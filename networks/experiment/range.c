/* Ranges of a scan: points at equal distances, or at equal ratios, which is what frequencies and concentrations ask
 * for. The end is a point when a whole number of steps leads there, rounding forgiven. */
#include "networks/experiment/experiment.h"
#include <math.h>

static bool range_units(quantity a, quantity b)
{
  return unit_equal(a.unit, b.unit) || a.value == 0 || b.value == 0;
}

bool range_find(lang_model *model, const expr *from, const expr_argument *rest, lang_place place, int64_t most,
                ness_diags *diags, scan_range *out)
{
  *out = (scan_range){.count = 1};
  if (!lang_evaluate(model, from, NULL, NULL, diags, &out->from)) return false;
  if (!rest || !rest->range_to) return true;
  quantity to, by = {0, UNIT_NONE};
  if (!lang_evaluate(model, rest->range_to, NULL, NULL, diags, &to)) return false;
  if (rest->range_by && !lang_evaluate(model, rest->range_by, NULL, NULL, diags, &by)) return false;
  out->factor = rest->factor;
  out->by = rest->range_by ? by.value : (to.value - out->from.value) / 20;
  if (!range_units(out->from, to) || (rest->range_by && !rest->factor && !range_units(by, to)) ||
      (rest->factor && !unit_equal(by.unit, UNIT_NONE))) {
    lang_error(diags, place, "one unit at the end counts for all: V=-100:100:5[mV]",
               "the parts of this range have different units");
    return false;
  }
  const bool signs = out->from.value > 0 && to.value > 0 && out->by > 0;
  const double steps = !out->factor ? (to.value - out->from.value) / out->by
                       : signs      ? log(to.value / out->from.value) / log(out->by)
                                    : (double)NAN;
  if (!(floor(steps + 1e-9) >= 0 && steps < (double)most)) {
    lang_error(diags, place, "write from:to:step, or from:to:*factor between two values above 0",
               "this range has no points, or more than %lld", (long long)most);
    return false;
  }
  out->count = (int64_t)floor(steps + 1e-9) + 1;
  if (out->from.value == 0 && out->from.unit.m == 0) out->from.unit = to.unit; /* a plain 0 */
  return true;
}

quantity range_value(const scan_range *self, int64_t point)
{
  return (quantity){self->factor ? self->from.value * pow(self->by, (double)point)
                                 : self->from.value + (double)point * self->by,
                    self->from.unit};
}
