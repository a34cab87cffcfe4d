/* Cumulants and derivatives do not depend on the method that solved the steady state: a lattice with corners that are
 * hardly ever visited, by elimination and by many levels. */
#include "check.h"
#include "cme_build.h"
#include "engine/cme/noise.h"
#include "engine/cme/response.h"

int main(void)
{
  network_builder *b = builder_create("lattice", 0);
  const int32_t A = add_slot(b, "A", 3, 31), B = add_slot(b, "B", 3, 31), two[2] = {A, B};
  add_move(b, "a", -1, A, 5, 1);
  add_move(b, "b", -1, B, 4, 1.5);
  add_step(b, "swap", 1, &A, 1, &B, 0.5, 0.2);
  add_step(b, "pair", 2, two, 0, NULL, 0.1, 0.3);
  ness_network *net = finish(b);
  const double weight[16] = {1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0.5};
  noise c[2];
  response r[2];
  for (int which = 0; which < 2; which++) {
    const cme_options options = {.solve.method = which ? SOLVER_MULTILEVEL : SOLVER_GTH};
    cme_solution s;
    CHECKED(cme_steady(net, &options, NULL, &s));
    CHECK(s.report.method == options.solve.method && s.states == 1024);
    CHECKED(noise_cumulants(net, &s, 2, weight, NULL, &c[which]));
    CHECKED(response_entropy(net, &s, NULL, &r[which]));
    cme_solution_free(&s);
  }
  for (int k = 0; k < 8; k++) CHECK_REL(c[1].cumulant[k], c[0].cumulant[k], 1e-9);
  for (int k = 0; k < 4; k++) CHECK_REL(c[1].covariance[k], c[0].covariance[k], 1e-9);
  for (int k = 0; k < 8; k++) CHECK_NEAR(r[1].log_k[k], r[0].log_k[k], 1e-9);
  for (int which = 0; which < 2; which++) {
    noise_free(&c[which]);
    response_free(&r[which]);
  }
  network_free(net);
  return check_done();
}
