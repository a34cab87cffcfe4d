/* The periodic steady state of a driven model: each part of the network as a chain whose rates follow the input, solved
 * by engine/markov/periodic.h. Work and entropy are averages of flows times what the law says at the moment; the work
 * of the input is that which its departure from the value of the file does along the steps (exclusive), whose mean over
 * a period is that of moving the energies. Cost: that of the chains. */
#include "engine/markov/periodic.h"
#include "engine/rng/rng.h"
#include "networks/experiment/driven.h"
#include <math.h>

#define PHASE_FINE 16 /* pieces of a part of the period, for flows */

typedef struct wheel { /* a part of the network under the input */
  const driven *self;
  const cme_part *part;
  int32_t *move;          /* (2 nstep) place among the directions that move, -1 */
  double *factor;         /* (nmove) */
  double *lnk, *g, *work; /* (nstep), (nslot), (works) at the moment */
  int32_t nsource, phases;
} wheel;

static double row_value(const motion_rows *rows, int32_t row, double x)
{
  return series_value((series){rows->coef + rows->start[row], rows->start[row + 1] - rows->start[row]}, x);
}

static ness_status wheel_rates(void *context, double t, double *rate, double *exit)
{
  wheel *const w = context;
  const motion_law *const law = &w->self->law;
  const double x = driven_place(w->self, t);
  (void)exit;
  for (int32_t m = 0; m < law->nmove; m++)
    w->factor[m] = rng_e(row_value(&law->move, m, x)) / w->self->net->dir_k[law->move_dir[m]];
  for (int64_t e = 0; e < w->part->q.start[w->part->q.n]; e++) {
    const int32_t m = w->move[w->part->dir[e]];
    rate[e] = w->part->q.rate[e] * (m < 0 ? 1 : w->factor[m]);
  }
  return NESS_OK;
}

/* Sets: what goes to the medium, the work of each source, that of the input. */
static ness_status wheel_weights(void *context, double t, double *out)
{
  wheel *const w = context;
  const ness_network *const net = w->self->net;
  const motion_law *const law = &w->self->law;
  const double x = driven_place(w->self, t);
  const int64_t edges = w->part->q.start[w->part->q.n];
  for (int32_t s = 0; s < net->nstep; s++)
    w->lnk[s] = law->lnk.start[s + 1] > law->lnk.start[s] ? row_value(&law->lnk, s, x) : net->step_lnk[s];
  for (int32_t i = 0; i < net->nslot; i++)
    w->g[i] = law->g.start[i + 1] > law->g.start[i] ? row_value(&law->g, i, x) - net->slot_g[i] : 0;
  for (int32_t k = 0; k < law->work_start[net->nstep]; k++) w->work[k] = row_value(&law->work, k, x);
  for (int64_t i = 0; i < (w->nsource + 2) * edges; i++) out[i] = 0;
  for (int64_t e = 0; e < edges; e++) {
    const int32_t dir = w->part->dir[e], step = dir / 2;
    const double way = dir % 2 ? -1 : 1;
    if (!isfinite(w->lnk[step])) continue;
    out[e] = way * w->lnk[step];
    for (int32_t k = law->work_start[step]; k < law->work_start[step + 1]; k++)
      out[(1 + law->work_src[k]) * edges + e] = way * w->work[k];
    for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++)
      out[(1 + (int64_t)w->nsource) * edges + e] -= way * net->change_by[c] * w->g[net->change_slot[c]];
  }
  return NESS_OK;
}

/* --- the network's observables on a part --- */

typedef struct terms {
  int64_t *start, *term;
  double *weight;
  int64_t n, term_capacity, weight_capacity;
} terms;

static bool terms_add(terms *self, int64_t term, double weight)
{
  if (weight == 0) return true;
  if (!mem_grow(&self->term, &self->term_capacity, self->n + 1, sizeof *self->term) ||
      !mem_grow(&self->weight, &self->weight_capacity, self->n + 1, sizeof *self->weight))
    return false;
  self->term[self->n] = term;
  self->weight[self->n++] = weight;
  return true;
}

static double count_of(const cme_part *part, int32_t state, int32_t slot, int64_t *n)
{
  if (part->kind == CME_COPIES) return part->slot[part->states.place[state]] == slot;
  cme_counts(part, state, n);
  return (double)n[slot];
}

static bool terms_find(const wheel *w, int64_t *n, terms *out)
{
  const ness_network *const net = w->self->net;
  const cme_part *const part = w->part;
  const int64_t edges = part->q.start[part->q.n];
  out->start = mem_zero((size_t)net->nobs + 2, sizeof *out->start);
  bool fine = out->start;
  for (int32_t o = 0; o < net->nobs && fine; o++) {
    for (int32_t k = net->obs_start[o]; k < net->obs_start[o + 1] && fine; k++) {
      const int32_t kind = net->obs_kind[k], id = net->obs_id[k];
      bool here = false;
      for (int32_t i = 0; i < part->nslot; i++) here = here || part->slot[i] == id;
      for (int32_t s = 0; kind == OBS_COUNT && here && s < part->q.n && fine; s++)
        fine = terms_add(out, edges + s, net->obs_coef[k] * cme_slot_scale(net, part, id) * count_of(part, s, id, n));
      for (int64_t e = 0; kind != OBS_COUNT && e < edges && fine; e++) {
        const bool back = part->dir[e] % 2;
        if (part->dir[e] / 2 != id || kind == (back ? OBS_FWD : OBS_BWD)) continue;
        fine = terms_add(
            out, e, net->obs_coef[k] * cme_dir_scale(net, part, part->dir[e]) * (kind == OBS_NET && back ? -1 : 1));
      }
    }
    out->start[o + 1] = out->n;
  }
  return fine;
}

/* --- sums --- */

static void rest_add(const wheel *w, const periodic_answer *a, int64_t *n, driven_steady *out)
{
  const ness_network *const net = w->self->net;
  const cme_part *const part = w->part;
  cme_solution *const mean = &out->mean;
  for (int64_t e = 0; e < part->q.start[part->q.n]; e++)
    mean->dir_rate[part->dir[e]] += cme_dir_scale(net, part, part->dir[e]) * a->flow[e];
  for (int32_t s = 0; s < part->q.n; s++) {
    for (int32_t i = 0; i < part->nslot; i++)
      mean->mean[part->slot[i]] +=
          cme_slot_scale(net, part, part->slot[i]) * a->mean[s] * count_of(part, s, part->slot[i], n);
  }
  mean->entropy += part->scale * a->set[0];
  for (int32_t k = 0; k < w->nsource; k++) mean->source_work[k] += part->scale * a->set[1 + k];
  out->input_work += part->scale * a->set[1 + w->nsource];
  for (int64_t k = 0; k < (int64_t)net->nobs * DRIVEN_HARMONICS; k++) {
    out->cosine[k] += a->cosine[k];
    out->sine[k] += a->sine[k];
  }
}

/* Mean and variance of a slot of this part in a distribution, copies scaled in. */
static void phase_counts(const wheel *w, const double *p, int32_t slot, int64_t *n, double *mean, double *variance)
{
  const cme_part *const part = w->part;
  const double scale = cme_slot_scale(w->self->net, part, slot);
  double sum = 0, square = 0;
  for (int32_t s = 0; s < part->q.n; s++) {
    const double count = p[s] > 0 ? count_of(part, s, slot, n) : 0;
    sum += p[s] * count;
    square += p[s] * count * count;
  }
  *mean = scale * sum;
  *variance = part->driven ? (double)NAN : scale * (square - sum * sum);
}

/* Net rates of the steps at a time, added with a weight. */
static ness_status phase_flows(wheel *w, const double *p, double t, double weight, double *rate, double *flow)
{
  const cme_part *const part = w->part;
  const ness_status status = wheel_rates(w, t, rate, NULL);
  for (int32_t s = 0; s < part->q.n && status == NESS_OK; s++) {
    for (int64_t e = part->q.start[s]; e < part->q.start[s + 1]; e++)
      flow[part->dir[e] / 2] +=
          (part->dir[e] % 2 ? -weight : weight) * cme_dir_scale(w->self->net, part, part->dir[e]) * p[s] * rate[e];
  }
  return status;
}

/* What stands at phases, and flows behind them by Simpson's rule over PHASE_FINE pieces. */
static ness_status rest_phases(wheel *w, const periodic_answer *a, int64_t *n, driven_steady *out)
{
  const ness_network *const net = w->self->net;
  const cme_part *const part = w->part;
  const int32_t fine = w->phases * PHASE_FINE;
  double *const rate = mem_zero((size_t)part->q.start[part->q.n] + 1, sizeof *rate);
  ness_status status = rate ? NESS_OK : NESS_NOMEM;
  for (int32_t k = 0; k < w->phases && status == NESS_OK; k++) {
    for (int32_t i = 0; i < part->nslot; i++) {
      const int64_t to = (int64_t)k * net->nslot + part->slot[i];
      phase_counts(w, a->phase + (int64_t)k * PHASE_FINE * part->q.n, part->slot[i], n, &out->at[to], &out->spread[to]);
    }
    for (int32_t j = 0; j <= PHASE_FINE && out->flow && status == NESS_OK; j++) {
      const int32_t at = k * PHASE_FINE + j;
      const double weight = (j == 0 || j == PHASE_FINE ? 1 : j % 2 ? 4 : 2) / (3.0 * PHASE_FINE);
      status = phase_flows(w, a->phase + (int64_t)(at % fine) * part->q.n, w->self->period * at / fine, weight, rate,
                           out->flow + (int64_t)k * net->nstep);
    }
  }
  mem_free(rate);
  return status;
}

static ness_status rest_part(wheel *w, int64_t *n, ness_diags *diags, driven_steady *out)
{
  const driven *const self = w->self;
  terms list = {0};
  periodic_answer answer = {0};
  periodic_report report = {0};
  double *const p = mem_zero((size_t)w->part->q.n + 1, sizeof *p);
  ness_status status = p && terms_find(w, n, &list) ? NESS_OK : NESS_NOMEM;
  const periodic_options options = {.phases = w->phases * PHASE_FINE,
                                    .harmonics = DRIVEN_HARMONICS,
                                    .nobs = self->net->nobs,
                                    .obs_start = list.start,
                                    .obs_term = list.term,
                                    .obs_weight = list.weight,
                                    .nset = w->nsource + 2,
                                    .weights = wheel_weights,
                                    .weights_context = w};
  const bool points = self->path.kind != PATH_SINE; /* the first stands at 0 */
  if (status == NESS_OK)
    status = periodic_steady(&w->part->q, wheel_rates, w, self->period, points ? self->path.time + 1 : NULL,
                             points ? self->path.points - 1 : 0, &options, p, &answer, &report);
  if (status == NESS_OK) rest_add(w, &answer, n, out);
  if (status == NESS_OK && w->phases > 0) status = rest_phases(w, &answer, n, out);
  if (status == NESS_USAGE || status == NESS_NUMERIC) {
    diag_add(diags, NESS_ERROR, "%s: no periodic steady state could be found (%s)", self->net->model_name,
             status == NESS_USAGE ? "its states do not all lead to each other" : "rates out of range");
    if (status == NESS_USAGE) diag_hint(diags, "leave out steps that end for good, or simulate: ness run");
    status = status == NESS_USAGE ? NESS_MODEL : status;
  }
  out->error = fmax(out->error, report.error);
  out->states += w->part->q.n;
  periodic_free(&answer);
  mem_free(list.start);
  mem_free(list.term);
  mem_free(list.weight);
  mem_free(p);
  return status;
}

ness_status driven_rest(const driven *self, const cme_options *options, ness_diags *diags, driven_steady *out)
{
  return driven_rest_phases(self, options, 0, diags, out);
}

/* Room for what stands at phases. */
static bool rest_room(const driven *self, int32_t phases, driven_steady *out)
{
  const size_t rows = (size_t)phases + 1;
  out->at = mem_zero(rows * ((size_t)self->net->nslot + 1), sizeof *out->at);
  out->spread = mem_zero(rows * ((size_t)self->net->nslot + 1), sizeof *out->spread);
  if (self->path.kind != PATH_SINE) return out->at && out->spread;
  out->flow = mem_zero(rows * ((size_t)self->net->nstep + 1), sizeof *out->flow);
  return out->at && out->spread && out->flow;
}

ness_status driven_rest_phases(const driven *self, const cme_options *options, int32_t phases, ness_diags *diags,
                               driven_steady *out)
{
  const ness_network *const net = self->net;
  const size_t nobs = (size_t)net->nobs * DRIVEN_HARMONICS;
  *out = (driven_steady){.mean = {.one_way_running = -1}};
  if (!(self->period > 0)) {
    lang_error(diags, self->input->place, "`ness run` follows it in time; what has a period comes back to where it was",
               "%s does not come back, so there is no steady state to solve for", self->input->name);
    return NESS_MODEL;
  }
  cme_solution space = {.one_way_running = -1};
  wheel w = {.self = self, .nsource = network_sources(net), .phases = phases};
  int64_t *const n = mem_zero((size_t)net->nslot + 1, sizeof *n);
  w.move = mem_zero(2 * (size_t)net->nstep + 1, sizeof *w.move);
  w.factor = mem_zero((size_t)self->law.nmove + 1, sizeof *w.factor);
  w.lnk = mem_zero((size_t)net->nstep + 1, sizeof *w.lnk);
  w.g = mem_zero((size_t)net->nslot + 1, sizeof *w.g);
  w.work = mem_zero((size_t)self->law.work_start[net->nstep] + 1, sizeof *w.work);
  out->cosine = mem_zero(nobs + 1, sizeof *out->cosine);
  out->sine = mem_zero(nobs + 1, sizeof *out->sine);
  ness_status status =
      n && w.move && w.factor && w.lnk && w.g && w.work && out->cosine && out->sine ? NESS_OK : NESS_NOMEM;
  if (status == NESS_OK && phases > 0 && !rest_room(self, phases, out)) status = NESS_NOMEM;
  if (status == NESS_OK) status = cme_empty(net, &out->mean);
  if (status == NESS_OK) status = cme_generator(net, options, diags, &space);
  for (int32_t d = 0; d < 2 * net->nstep && status == NESS_OK; d++) w.move[d] = -1;
  for (int32_t m = 0; m < self->law.nmove && status == NESS_OK; m++) w.move[self->law.move_dir[m]] = m;
  for (int32_t p = 0; p < space.nparts && status == NESS_OK; p++) {
    w.part = &space.parts[p];
    if (w.part->kind == CME_OPEN) {
      diag_add(diags, NESS_ERROR, "counts that reservoirs make and remove cannot be solved under %s",
               self->input->name);
      diag_hint(diags, "give their species a max, or simulate: ness run");
      status = NESS_LIMIT;
    } else {
      status = rest_part(&w, n, diags, out);
    }
  }
  double work = out->input_work;
  for (int32_t s = 0; s < net->nstep && status == NESS_OK; s++) {
    out->mean.net_rate[s] = out->mean.dir_rate[2 * s] - out->mean.dir_rate[2 * s + 1];
    out->mean.step_entropy[s] = (double)NAN;
    if ((net->dir_law[2 * s] == LAW_NONE) != (net->dir_law[2 * s + 1] == LAW_NONE) && out->mean.one_way_running < 0)
      out->mean.one_way_running = s;
  }
  for (int32_t i = 0; i < w.nsource && status == NESS_OK; i++) work += out->mean.source_work[i];
  for (int32_t i = 0; i < net->nslot && status == NESS_OK; i++) out->mean.var[i] = (double)NAN;
  out->mean.closure = status == NESS_OK ? fabs(out->mean.entropy - work) : 0;
  if (status == NESS_OK && out->mean.one_way_running >= 0) out->mean.entropy = (double)INFINITY;
  mem_free(n);
  mem_free(w.move);
  mem_free(w.factor);
  mem_free(w.lnk);
  mem_free(w.g);
  mem_free(w.work);
  cme_solution_free(&space);
  return status;
}

void driven_steady_free(driven_steady *self)
{
  cme_solution_free(&self->mean);
  mem_free(self->cosine);
  mem_free(self->sine);
  mem_free(self->at);
  mem_free(self->spread);
  mem_free(self->flow);
  *self = (driven_steady){0};
}
