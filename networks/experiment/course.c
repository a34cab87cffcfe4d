/* The course in time of a driven model by the master equation: rates follow the input by the series of its law. Breaks
 * are where a course by points jumps or bends, and four in each turn of a sine, so that no step of the solver passes
 * over one. Cost: that of engine/markov/moving.c between two breaks. */
#include "engine/rng/rng.h"
#include "networks/experiment/driven.h"
#include <math.h>

#define COURSE_BREAKS 1000000
#define COURSE_PARTS 4 /* of a turn of a sine */

typedef struct course {
  const driven *self;
  double *breaks;
  int64_t count, room;
} course;

static void course_factors(void *context, double t, double *factor)
{
  const driven *const self = ((const course *)context)->self;
  const motion_rows *const rows = &self->law.move;
  const double x = driven_place(self, t);
  for (int32_t d = 0; d < 2 * self->net->nstep; d++) factor[d] = 1;
  for (int32_t m = 0; m < self->law.nmove; m++) {
    const series f = {rows->coef + rows->start[m], rows->start[m + 1] - rows->start[m]};
    factor[self->law.move_dir[m]] = rng_e(series_value(f, x)) / self->net->dir_k[self->law.move_dir[m]];
  }
}

/* False when memory is out. */
static bool course_break(course *self, double t)
{
  if (!mem_grow(&self->breaks, &self->room, self->count + 1, sizeof *self->breaks)) return false;
  self->breaks[self->count++] = t;
  return true;
}

static ness_status course_breaks(course *self, double end, ness_diags *diags)
{
  const path_spec *const p = &self->self->path;
  const bool sine = p->kind == PATH_SINE;
  const double turn = sine ? 1 / p->frequency : p->period, turns = turn > 0 ? ceil(end / turn) : 1;
  const int32_t parts = sine ? COURSE_PARTS : p->points;
  if (turns * parts > COURSE_BREAKS) {
    lang_error(diags, self->self->input->place, "a shorter time will do: `solve steady` has what it comes to",
               "until t = %g s %s turns %.0f times: more than can be followed", end, self->self->input->name, turns);
    return NESS_LIMIT;
  }
  for (int64_t k = 0; k < (int64_t)turns; k++) {
    for (int32_t i = 0; i < parts; i++) {
      const double t = (double)k * turn + (sine ? turn * i / parts : p->time[i]);
      if (t > 0 && t < end && !course_break(self, t)) return NESS_NOMEM;
    }
  }
  return NESS_OK;
}

ness_status driven_course(const driven *self, const cme_options *limits, const transient_options *transient,
                          const double *times, int32_t ntimes, ness_diags *diags, evolution *out)
{
  course c = {.self = self};
  *out = (evolution){0};
  if (!lang_process_prescribed(self->input)) {
    lang_error(diags, self->input->place, "`ness run` follows it, and lists its course with --every",
               "%s moves at random and without a grid: no solver knows its course", self->input->name);
    return NESS_MODEL;
  }
  ness_status status = course_breaks(&c, times[ntimes - 1], diags);
  const cme_motion motion = {course_factors, &c, c.breaks, (int32_t)c.count};
  cme_options options = *limits;
  options.motion = &motion;
  if (status == NESS_OK) status = evolve_run(self->net, &options, transient, times, ntimes, diags, out);
  mem_free(c.breaks);
  return status;
}
