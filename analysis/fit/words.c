/* Constraints from the command line. A direction is "FROM->TO" by its states, or the name of a step, with a minus
 * before it for the way back. Invariant: a word that is not understood is answered with what there is. */
#include "analysis/fit/fit.h"

#include <math.h>
#include <string.h>

static word trimmed(const char *text, size_t length)
{
  while (length > 0 && *text == ' ') text++, length--;
  while (length > 0 && text[length - 1] == ' ') length--;
  return (word){text, length};
}

static bool word_equals(word w, const char *text)
{
  return strlen(text) == w.length && memcmp(text, w.text, w.length) == 0;
}

/* A state by its name in the file or in the network; -1 after a report. */
static int32_t find_state(const source *from, word name, ness_diags *diags)
{
  const ness_network *const net = from->net;
  for (int32_t i = 0; i < net->nslot; i++) {
    const bool file = from->is_record && word_equals(name, names_text(&from->measured.states, i));
    if (file || word_equals(name, network_text(net, net->slot_name[i]))) return i;
  }
  diag_add(diags, NESS_ERROR, "there is no state '%.*s'", (int)name.length, name.text);
  return -1;
}

/* A direction; -1 after a report. */
static int32_t find_direction(const source *from, const fit_graph *graph, word text, ness_diags *diags)
{
  const ness_network *const net = from->net;
  int32_t found = -1, several = 0, arrow = -1;
  for (size_t k = 0; k + 1 < text.length && arrow < 0; k++)
    if (text.text[k] == '-' && text.text[k + 1] == '>') arrow = (int32_t)k;
  if (arrow < 0) {
    const bool back = text.length > 0 && text.text[0] == '-';
    const word name = {text.text + back, text.length - back};
    for (int32_t s = 0; s < net->nstep && found < 0; s++)
      if (word_equals(name, network_text(net, net->step_name[s]))) found = 2 * s + back;
    if (found < 0) {
      diag_add(diags, NESS_ERROR, "there is no step '%.*s'", (int)name.length, name.text);
      diag_hint(diags, "a direction is FROM->TO by its states, or a step, or -STEP for its way back");
    }
    return found;
  }
  const int32_t i = find_state(from, trimmed(text.text, (size_t)arrow), diags);
  const int32_t j =
      i < 0 ? -1 : find_state(from, trimmed(text.text + arrow + 2, text.length - (size_t)arrow - 2), diags);
  if (j < 0) return -1;
  for (int32_t d = 0; d < 2 * net->nstep; d++) {
    if (graph->from[d] != i || graph->to[d] != j) continue;
    found = d;
    several++;
  }
  if (several == 1) return found;
  diag_add(diags, NESS_ERROR, several ? "several steps lead from %s to %s" : "no step joins %s and %s",
           network_text(net, net->slot_name[i]), network_text(net, net->slot_name[j]));
  if (several) diag_hint(diags, "name the step, with a minus before it for its way back");
  return -1;
}

static bool direction_timed(const fit_problem *problem, int32_t d, word text, ness_diags *diags)
{
  if (problem->time[d] > 0) return true;
  diag_add(diags, NESS_ERROR, "the rate of %.*s is not known: no time was spent where it begins", (int)text.length,
           text.text);
  return false;
}

ness_status fit_equal(fit_problem *problem, const source *from, const fit_graph *graph, const char *text,
                      ness_diags *diags)
{
  int32_t pair[2] = {-1, -1}, count = 0;
  const double by[2] = {1, -1};
  for (const char *p = text; *p; count++) {
    const size_t length = strcspn(p, "=");
    const word one = trimmed(p, length);
    const int32_t d = find_direction(from, graph, one, diags);
    if (d < 0 || !direction_timed(problem, d, one, diags)) return NESS_USAGE;
    pair[0] = pair[1];
    pair[1] = d;
    if (count > 0 && pair[0] != d && !fit_constraint(problem, 2, pair, by, 0)) return NESS_NOMEM;
    p += length;
    p += *p == '=';
  }
  if (count >= 2) return NESS_OK;
  diag_add(diags, NESS_ERROR, "--equal %s: expected two directions or more, as 'A->B=C->D'", text);
  return NESS_USAGE;
}

ness_status fit_fix(fit_problem *problem, const source *from, const fit_graph *graph, const char *text,
                    ness_diags *diags)
{
  const char *const equals = strrchr(text, '=');
  const double one = 1;
  double value = 0;
  if (!equals || !word_number(trimmed(equals + 1, strlen(equals + 1)), &value) || !(value > 0) || !isfinite(value)) {
    diag_add(diags, NESS_ERROR, "--fix %s: expected a direction and its rate above 0, as 'A->B=2.5'", text);
    return NESS_USAGE;
  }
  const word name = trimmed(text, (size_t)(equals - text));
  const int32_t d = find_direction(from, graph, name, diags);
  if (d < 0 || !direction_timed(problem, d, name, diags)) return NESS_USAGE;
  return fit_constraint(problem, 1, &d, &one, log(value)) ? NESS_OK : NESS_NOMEM;
}
