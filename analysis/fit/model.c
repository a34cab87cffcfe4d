/* The fit as a model file. Invariant: the file is read by ness with the fitted rates to the last digit, or, where
 * balance was asked for, with energies and one rate a step, so that balance holds exactly; every number has its error
 * and its data in a comment. Names are such as the language takes. */
#include "analysis/fit/fit.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* Names of the file: letters, digits and underlines, none twice, none that the language has another use for. */
static bool name_take(name_table *taken, const char *wanted, char out[NAME_BYTES_MAX + 32])
{
  static const char *const used[] = {"and", "or", "not", "molecule"};
  size_t n = 0;
  if (!isalpha((unsigned char)wanted[0])) out[n++] = 's';
  for (const char *p = wanted; *p && n < NAME_BYTES_MAX; p++) out[n++] = isalnum((unsigned char)*p) ? *p : '_';
  out[n] = 0;
  bool clash = false;
  for (size_t k = 0; k < sizeof used / sizeof *used; k++) clash |= strcmp(out, used[k]) == 0;
  if (clash) snprintf(out + n, 32, "_");
  for (int32_t k = 2; names_find(taken, out, strlen(out)) >= 0; k++) snprintf(out + n, 32, "_%d", k);
  return names_add(taken, out, strlen(out)) >= 0;
}

static void put_rate(text_buffer *out, double rate, double error)
{
  char number[32], spread[32];
  number_exact(rate, number);
  number_short(rate * error, 2, spread);
  text_add(out, "%s", number);
  if (error > 0) text_add(out, " +- %s", spread);
}

static void states_text(const source *from, const name_table *names, const double *energy, const double *error,
                        const fit_graph *graph, text_buffer *out)
{
  char number[32], spread[32];
  text_add(out, "protein molecule copies 1 {\n");
  for (int32_t i = 0; i < from->net->nslot; i++) {
    text_add(out, "  state %s", names_text(names, i));
    if (energy) {
      number_exact(energy[i], number);
      number_short(error[i], 2, spread);
      text_add(out, graph->tree[i] < 0 ? " energy = 0" : " energy = %s  # kT, +- %s", number, spread);
    }
    if (from->is_record && strcmp(names_text(names, i), names_text(&from->measured.states, i)) != 0)
      text_add(out, "  # '%s' in the record", names_text(&from->measured.states, i));
    text_add(out, "\n");
  }
  text_add(out, "}\n");
}

static void step_text(const fit_problem *problem, const fit_result *fit, const fit_graph *graph, bool balanced,
                      int32_t s, const name_table *names, const char *name, text_buffer *out)
{
  const bool forward = fit->rate[2 * s] > 0, both = forward && fit->rate[2 * s + 1] > 0;
  const int32_t d = forward ? 2 * s : 2 * s + 1, from = graph->from[d], to = graph->to[d];
  text_add(out, "%s: %s %s %s @ ", name, names_text(names, from), both ? "<->" : "->", names_text(names, to));
  put_rate(out, fit->rate[d], fit->error[d]);
  if (both) text_add(out, ", ");
  if (both && balanced && graph->part[from] == graph->part[to]) text_add(out, "ldb");
  else if (both) put_rate(out, fit->rate[d ^ 1], fit->error[d ^ 1]);
  if (both) text_add(out, "  # %.0f and %.0f events\n", problem->count[d], problem->count[d ^ 1]);
  else text_add(out, "  # %.0f events; seen one way only\n", problem->count[d]);
}

ness_status fit_model(const source *from, const char *path, const fit_problem *problem, const fit_result *fit,
                      const double *energy, const double *energy_error, const fit_graph *graph, text_buffer *out)
{
  const ness_network *const net = from->net;
  name_table names = {0}, steps = {0};
  char name[NAME_BYTES_MAX + 32], wanted[2 * NAME_BYTES_MAX + 8];
  bool good = true;
  for (int32_t i = 0; i < net->nslot && good; i++)
    good = name_take(&names, network_text(net, net->slot_name[i]), name) && names_add(&steps, name, strlen(name)) >= 0;
  if (good) {
    const char *const slash = strrchr(path, '/');
    text_add(out, "# Rates by maximum likelihood from %s%s; the unit of time is that of the data.\n",
             slash ? slash + 1 : path, energy ? ", under detailed balance" : "");
    text_add(out, "# Behind +- stand standard errors, behind # the events forward and backward.\n");
    if (!energy)
      text_add(out, "# What breaks balance here (ness check) is in the rates: the data do not say what drives it.\n");
    text_add(out, "model fitted\nunits natural\n");
    states_text(from, &names, energy, energy_error, graph, out);
  }
  for (int32_t s = 0; s < net->nstep && good; s++) {
    const char *const had = network_text(net, net->step_name[s]);
    snprintf(wanted, sizeof wanted, "%s", had);
    good = name_take(&steps, wanted, name);
    if (!good) break;
    if (fit->rate[2 * s] > 0 || fit->rate[2 * s + 1] > 0)
      step_text(problem, fit, graph, energy != NULL, s, &names, name, out);
    else text_add(out, "# %s was never seen\n", name);
  }
  names_free(&names);
  names_free(&steps);
  return good && !out->failed ? NESS_OK : NESS_NOMEM;
}
