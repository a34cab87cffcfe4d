/* The steady state of a model whose input is prescribed and periodic: means over the period, and the waves in what the
 * file observes. */
#include "networks/experiment/driven.h"
#include "networks/experiment/solve.h"
#include <math.h>
#include <stdio.h>

/* Observables as mean and waves of the input's period, cosine waves that lag by a phase. */
static void solve_harmonics(ness_model *self, const driven *d, const driven_steady *s, doc_node *root)
{
  const ness_network *const net = d->net;
  doc_node *const rows = net->nobs ? doc_array(root, "harmonics") : NULL;
  for (int32_t o = 0; o < net->nobs; o++) {
    doc_node *const row = doc_object(rows, NULL);
    const char *const name = network_text(net, net->obs_name[o]);
    const expr node = {.kind = EXPR_NAME, .path = {.name = {name}, .parts = 1}};
    lang_linear linear;
    char words[64] = "";
    if (!lang_linear_of(self->compiled, &node, NULL, &linear)) continue;
    const lang_unit ampere = {0, 0, 0, 1, 0}; /* the network counts currents in e/s */
    const double unit = unit_equal(linear.scale.unit, ampere) ? CONST_E : 1;
    doc_string(row, "name", "%s", name);
    for (int32_t k = 0; k < DRIVEN_HARMONICS; k++) {
      const double c = s->cosine[o * DRIVEN_HARMONICS + k], w = s->sine[o * DRIVEN_HARMONICS + k];
      char key[40];
      snprintf(key, sizeof key, "amplitude_%d", (int)k + 1);
      doc_number(row, key, answer_words((quantity){unit * hypot(c, w), linear.scale.unit}, words));
      snprintf(key, sizeof key, "lag_%d_degrees", (int)k + 1);
      doc_number(row, key, atan2(w, c) * 180 / acos(-1));
    }
    doc_string(row, "unit", "%s", words);
  }
}

/* The mean over a period of an input that is prescribed. */
ness_status solve_periodic(ness_model *self, const lang_process *input, const cme_options *limits, ness_diags *diags,
                           doc_node *root)
{
  driven d;
  driven_steady s = {.mean = {.one_way_running = -1}};
  ness_status status = driven_create(self->compiled, input, diags, &d);
  if (status == NESS_OK) status = driven_rest(&d, limits, diags, &s);
  if (status == NESS_OK) {
    doc_node *const method = doc_object(root, "method");
    doc_string(method, "name", "periodic steady state by collocation, means over the period of %s", input->name);
    doc_number(method, "period_s", d.period);
    doc_number(method, "relative_error_estimate", s.error);
    doc_int(method, "states", s.states);
    solve_means(d.net, &s.mean, false, root);
    solve_steps(d.net, &s.mean, root);
    solve_observables(self, &s.mean, diags, root);
    solve_harmonics(self, &d, &s, root);
    solve_entropy(d.net, &s.mean, s.input_work, root);
    solve_sources(d.net, &s.mean, input->name, s.input_work, root);
  }
  driven_steady_free(&s);
  driven_free(&d);
  return status;
}
