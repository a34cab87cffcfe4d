/* A model at other values than those of its file: compiled anew, solved or simulated, ready for expressions. Invariant:
 * a point depends on its values alone and shares nothing that is written, so points run in parallel. Cost: one
 * compilation and one solution. */
#include "networks/experiment/driven.h"
#include "networks/experiment/scan.h"

static ness_status point_simulate(const ness_simulate_options *options, ness_diags *diags, point *out)
{
  ness_simulate_options s = *options;
  s.struct_size = sizeof s;
  s.path = NULL;
  s.level = s.level ? s.level : "summary"; /* no windows, so nothing is cut for them */
  s.threads = 1;                           /* the points are what runs in parallel */
  s.progress = NULL;
  const ness_status status = sample_run(out->model, &s, "", "", diags, &out->sample);
  sample_view(&out->sample, &out->v);
  return status;
}

static ness_status point_solve(const question *ask, ness_diags *diags, point *out)
{
  const ness_status status =
      question_ask(ask, out->model, diags, &out->exact, &out->path, &out->v.input_work, &out->still);
  const lang_process *const input = driven_input(out->model, false);
  out->v.input = input ? input->name : NULL;
  out->v.exact = out->path.ntimes ? NULL : &out->exact;
  out->v.path = out->path.ntimes ? &out->path : NULL;
  if (out->still) out->v.model = out->still;
  return status;
}

ness_status point_ask(const ness_model *self, const scan_axis *axes, const double *x, int32_t n, const question *ask,
                      const ness_simulate_options *simulation, ness_diags *diags, point *out)
{
  *out = (point){0};
  const int32_t all = self->noverrides + n;
  lang_override *const overrides = mem_zero((size_t)all + 1, sizeof *overrides);
  if (!overrides) return NESS_NOMEM;
  for (int32_t i = 0; i < all; i++) {
    const int32_t a = i - self->noverrides;
    overrides[i] =
        a < 0 ? self->overrides[i] : (lang_override){.name = axes[a].name, .value = {x[a], axes[a].from.unit}};
  }
  ness_status status = lang_compile(self->file, overrides, all, diags, &out->model);
  mem_free(overrides);
  out->v = (values){.model = out->model, .left_out = -1};
  if (status) return status;
  return simulation ? point_simulate(simulation, diags, out) : point_solve(ask, diags, out);
}

void point_free(point *self)
{
  values_free(&self->v);
  cme_solution_free(&self->exact);
  evolve_free(&self->path);
  sample_free(&self->sample);
  lang_model_free(self->still);
  lang_model_free(self->model);
  *self = (point){0};
}

void point_words(const scan_axis *axes, const double *x, int32_t n, text_buffer *out)
{
  for (int32_t a = 0; a < n; a++) {
    char unit[64];
    const double number = answer_words((quantity){x[a], axes[a].from.unit}, unit);
    text_add(out, "%s%s = %g %s", a ? ", " : "", axes[a].name, number, unit);
  }
}
