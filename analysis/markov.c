/* The tests of memory as a chapter of the result, and in words what a failure means. */
#include "analysis/record/record.h"

#include <math.h>

bool markov_fails(const analysis *self)
{
  return self->memory && self->memory->p < 1 - self->level;
}

static const char *state_text(const analysis *self, const memory_test *test)
{
  return test->worst < 0 ? "" : network_text(self->net, self->net->slot_name[test->worst]);
}

void markov_warn(const analysis *self)
{
  char p[32];
  if (!markov_fails(self)) return;
  const memory_test *const worst = &self->memory->test[self->memory->worst];
  number_short(self->memory->p, 2, p);
  diag_add(self->diags, NESS_WARNING, "the trajectory remembers more than its state (p = %s): not true that %s, in %s",
           p, worst->name, state_text(self, worst));
  diag_hint(self->diags, "states may be hidden or wrongly told apart, or the record may drift: entropy production is a "
                         "lower bound then, and the test of balance no longer has its level");
}

void markov_doc(const analysis *self, doc_node *root)
{
  doc_node *const row = doc_object(root, "markov");
  if (!self->memory) {
    doc_string(row, "outcome", "not tested");
    doc_string(row, "why", "%s",
               self->flows   ? "what comes next depends on what flows as well"
               : self->moved ? "rates moved with the input, so that what comes next depends on the time as well"
               : self->run->level == DUMP_EVENTS
                   ? "only the states of one molecule are tested, and not of too large a network"
                   : "only a dump of level events tells the order of events");
    return;
  }
  const bool fails = markov_fails(self);
  doc_string(row, "outcome", "%s",
             fails                    ? "remembers more than its state"
             : isnan(self->memory->p) ? "not enough data"
                                      : "consistent with a Markov chain");
  number_or_null(row, "p", self->memory->p);
  doc_int(row, "visits", self->memory->visits);
  doc_node *const list = doc_array(row, "tests");
  for (int32_t k = 0; k < MEMORY_TESTS; k++) {
    const memory_test *const test = &self->memory->test[k];
    doc_node *const line = doc_object(list, NULL);
    const bool sampled = self->measured && self->measured->sampled && k == 0;
    doc_string(line, "hypothesis", "%s", sampled ? "dwell times are geometric" : test->name);
    number_or_null(line, "p", test->p);
    number_or_null(line, "statistic", test->freedom > 0 ? test->statistic : (double)NAN);
    number_or_null(line, "freedom", test->freedom > 0 ? test->freedom : (double)NAN);
    doc_string(line, "worst_state", "%s", state_text(self, test));
    number_or_null(line, "worst_p", test->worst_p);
  }
  doc_string(row, "method",
             "chi-square sums over states, each at its level; p by Holm over the tests, worst_p over the states");
  if (fails)
    doc_string(
        row, "meaning",
        "states are hidden or wrongly told apart, or the record drifts: entropy production is a lower bound, and "
        "the test of balance does not have its level");
}
