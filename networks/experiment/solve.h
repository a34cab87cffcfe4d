/* The answers of `ness solve`, one function a question, and the tables that several of them show. */
#ifndef NETWORKS_EXPERIMENT_SOLVE_H
#define NETWORKS_EXPERIMENT_SOLVE_H

#include "engine/markov/spectrum.h"
#include "networks/experiment/experiment.h"

/* solve.c */
void solve_method(const cme_solution *s, doc_node *root);
void solve_means(const ness_network *net, const cme_solution *s, bool spread, doc_node *root);
void solve_steps(const ness_network *net, const cme_solution *s, doc_node *root);
/* `input`: one that moves continuously, with its work in kT/s; NULL none. */
void solve_sources(const ness_network *net, const cme_solution *s, const char *input, double input_work,
                   doc_node *root);
void solve_entropy(const ness_network *net, const cme_solution *s, double input_work, doc_node *root);
void solve_observables(ness_model *self, const cme_solution *s, ness_diags *diags, doc_node *root);
/* solve_periodic.c */
ness_status solve_periodic(ness_model *self, const lang_process *input, const cme_options *limits, ness_diags *diags,
                           doc_node *root);
/* solve_time.c: transient, ode, lna */
ness_status solve_question(ness_model *self, const question *asked, ness_diags *diags, doc_node *root);
/* solve_noise.c */
ness_status solve_cumulants(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                            doc_node *root);
ness_status solve_sensitivity(ness_model *self, const ness_solve_options *o, const cme_options *limits,
                              ness_diags *diags, doc_node *root);
/* solve_spectra.c: power spectra */
ness_status solve_noise(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                        doc_node *root);
/* solve_states.c: sizes, spectrum, first passages */
ness_status solve_size(ness_model *self, const cme_options *limits, ness_diags *diags, doc_node *root);
/* The slowest modes of a part: of its counts, of one copy, or of a copy inside before it leaves. */
ness_status part_spectrum(const cme_part *part, int32_t wanted, spectrum *out);
ness_status solve_spectrum(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                           doc_node *root);
ness_status solve_passage(ness_model *self, const ness_solve_options *o, const cme_options *limits, ness_diags *diags,
                          doc_node *root);

#endif
