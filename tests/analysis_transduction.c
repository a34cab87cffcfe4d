/* Powers, efficiency, coupling, slip and stall of shipped models against numbers that are not the program's: closed
 * forms of affinities (Hill 1977), currents solved elsewhere with 50 digits (stated in the models), and nothing driven
 * where there is one flow. Estimates lie within 4.5 standard errors of them (64 batches: 3e-5 each by Student's t,
 * fixed seeds). */
#include "analysis_build.h"
#include <ness/model.h>

static char path[256];

static ness_doc *machine(const char *file, const char *const *settings, int32_t n, double time, double warmup)
{
  ness_diags *diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *run = NULL;
  CHECK(ness_model_load(file, NULL, settings, n, diags, &model) == NESS_OK);
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = "summary",
                                         .replicas = 64,
                                         .time = time,
                                         .warmup = warmup,
                                         .seed = 7,
                                         .path = path,
                                         .overwrite = 1};
  CHECK(ness_simulate(model, &options, diags, &run) == NESS_OK);
  ness_doc_free(run);
  ness_model_free(model);
  ness_diags_free(diags);
  return analyze(path, NULL);
}

static void near(const ness_doc *doc, const char *row, double expected)
{
  char key[128];
  snprintf(key, sizeof key, "%s.exact", row);
  CHECK_REL(ness_doc_number(doc, key), expected, 1e-8);
  snprintf(key, sizeof key, "%s.estimate", row);
  const double value = ness_doc_number(doc, key);
  snprintf(key, sizeof key, "%s.error", row);
  CHECK(fabs(value - expected) < 4.5 * ness_doc_number(doc, key));
}

/* H+ flows in, 1000-fold downhill, and drives Na+ out, 15-fold uphill; the currents are those of the model's file. */
static void antiporter(void)
{
  static const char *const settings[] = {"leak=1[1/s]", "Naon=3.011e6[1/M/s]", "Naoff=9.033e4[1/s]"};
  ness_doc *doc = machine("networks/models/antiporter.ness", settings, 3, 3, 0.1);
  const double h = 20.569752714535721, na = 20.164233812580264;
  near(doc, "transduction.flows[0]", h * log(1000));
  near(doc, "transduction.flows[1]", -na * log(15));
  CHECK_STR(ness_doc_string(doc, "transduction.flows[0].role"), "drives");
  CHECK_STR(ness_doc_string(doc, "transduction.flows[1].role"), "is driven");
  near(doc, "transduction.efficiency", na * log(15) / (h * log(1000)));
  near(doc, "transduction.couplings[0]", -na / h);
  CHECK_REL(ness_doc_number(doc, "transduction.couplings[0].force"), log(15), 1e-12);
  CHECK_REL(ness_doc_number(doc, "transduction.couplings[0].stall_force"), log(1000), 1e-12);
  CHECK(fabs(ness_doc_number(doc, "transduction.couplings[0].slip") - (1 - na / h)) <
        4.5 * ness_doc_number(doc, "transduction.couplings[0].slip_error"));
  ness_doc_free(doc);
}

/* Two Na+ and the voltage bring one glucose up its gradient; a slip spends part of them. The charge follows Na+, so
 * that efficiency = (J_S / J_Na) ln 100 / (half the affinity of what drives), whatever the rates. */
static void cotransport(void)
{
  static const char *const settings[] = {"kslip=5[1/s]", "Si=100[mM]"};
  ness_doc *doc = machine("networks/models/sglt.ness", settings, 2, 0.3, 0.1);
  const double volt = 0.060 * 1.602176634e-19 / (1.380649e-23 * 298.15); /* 60 mV in kT/e */
  const double whole = 2 * log(14) + 2 * volt, load = log(100);
  const double ratio = ness_doc_number(doc, "transduction.couplings[0].exact");
  CHECK(ratio > 0 && ratio < 0.5); /* below one glucose for two Na+ */
  near(doc, "transduction.efficiency", ratio * load / (0.5 * whole));
  CHECK_REL(ness_doc_number(doc, "transduction.couplings[0].stoichiometry"), 0.5, 1e-12);
  CHECK_REL(-ness_doc_number(doc, "transduction.couplings[0].stall_force"), whole, 1e-12);
  CHECK_REL(-ness_doc_number(doc, "transduction.couplings[0].force"), load, 1e-12);
  ness_doc_free(doc);
}

static void motor(void)
{
  static const char *const settings[] = {"F=3[pN]"};
  ness_doc *doc = machine("networks/models/kinesin.ness", settings, 1, 20, 1);
  const double steps = 222.476335265357 / 8, burned = 28.3083428897345, load = 3e-12 * 8e-9 / (1.380649e-23 * 298);
  near(doc, "transduction.flows[0]", burned * log(4.9e5 * 1e-3 / 1e-12));
  near(doc, "transduction.efficiency", steps * load / (burned * log(4.9e5 * 1e-3 / 1e-12)));
  near(doc, "transduction.couplings[0]", -steps / burned);
  ness_doc_free(doc);
}

static void engine(void)
{
  ness_doc *doc = machine("networks/models/fuel-cycle.ness", NULL, 0, 5, 3);
  const double j = 500 * (1 * 2.5 - 2 * 1e-3) / (1 + 2 + 2.5 + 1e-3);
  near(doc, "transduction.flows[0]", j * log(1250));
  CHECK_STR(ness_doc_string(doc, "transduction.flows[0].flow"), "F W");
  CHECK(isnan(ness_doc_number(doc, "transduction.efficiency.estimate"))); /* nothing is driven */
  ness_doc_free(doc);
}

int main(void)
{
  test_path(path, "machine");
  antiporter();
  cotransport();
  motor();
  engine();
  unlink(path);
  return check_done();
}
