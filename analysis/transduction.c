/* Who gives power and who takes it: the network as a machine.
 * A *flow* is what reservoirs of one particle exchange (Na.out and Na.in), what baths exchange in proportion on every
 * cycle (ATP, ADP, P), the charge that crosses a voltage, or a heat. Work of single reservoirs depends on where their
 * energies begin to count; that of a flow does not, since it closes around every cycle. A flow of positive power
 * drives, one of negative power is driven; efficiency is what is taken over what is given (Hill, Free Energy
 * Transduction, 1977). Ratios have the jackknife over batches. Cost: (steps + cycles * terms) * flows + batches^2 *
 * flows. */
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define FLOWS 64

typedef struct transduction {
  const analysis *all;
  const basis *cycles;
  int32_t sources, n;          /* flows */
  int32_t *flow;               /* (sources) of each source, -1: none */
  int32_t *lead;               /* (n) its first source */
  double *work, *by;           /* (nstep x n) in a forward event: kT, and what leaves the lead */
  double *power, *rate;        /* (n x batches) kT, and net number that has left the lead */
  double *loop_work, *loop_by; /* (cycles x n) round a cycle of the basis */
  double *without;             /* (batches) */
} transduction;

static void transduction_free(transduction *self)
{
  mem_free(self->flow);
  mem_free(self->lead);
  mem_free(self->work);
  mem_free(self->by);
  mem_free(self->power);
  mem_free(self->rate);
  mem_free(self->loop_work);
  mem_free(self->loop_by);
  mem_free(self->without);
}

/* --- which sources are one flow --- */

static bool same_particle(const ness_network *net, int32_t a, int32_t b)
{
  const char *const left = network_source_name(net, a), *const right = network_source_name(net, b);
  const char *const dot = strchr(left, '.');
  const size_t length = dot ? (size_t)(dot - left) : 0;
  return dot && strncmp(left, right, length + 1) == 0;
}

static double exchanged(const ness_network *net, int32_t step, int32_t reservoir)
{
  double sum = 0;
  for (int32_t e = net->exch_start[step]; e < net->exch_start[step + 1]; e++)
    sum += net->exch_res[e] == reservoir ? net->exch_by[e] : 0;
  return sum;
}

static double cycle_exchanged(const transduction *self, int32_t c, int32_t reservoir)
{
  double sum = 0;
  for (int32_t k = self->cycles->start[c]; k < self->cycles->start[c + 1]; k++)
    sum += self->cycles->by[k] * exchanged(self->all->net, self->cycles->id[k], reservoir);
  return sum;
}

/* Two baths without a compartment that every cycle exchanges in one proportion. */
static bool same_reaction(const transduction *self, int32_t a, int32_t b)
{
  const ness_network *net = self->all->net;
  if (strchr(network_source_name(net, a), '.') || strchr(network_source_name(net, b), '.')) return false;
  double x = 0, y = 0;
  for (int32_t c = 0; c < self->cycles->count; c++) {
    const double p = cycle_exchanged(self, c, a), q = cycle_exchanged(self, c, b);
    if (fabs(p * y - q * x) > 1e-9 * (fabs(p) + fabs(q)) * (fabs(x) + fabs(y))) return false;
    if ((p == 0) != (q == 0)) return false;
    if (p != 0) x = p, y = q;
  }
  return x != 0;
}

static bool transduction_flows(transduction *self)
{
  const ness_network *net = self->all->net;
  for (int32_t w = 0; w < self->sources; w++) {
    self->flow[w] = -1;
    for (int32_t f = 0; f < self->n && w < net->nres && self->flow[w] < 0; f++)
      if (self->lead[f] < net->nres && (same_particle(net, self->lead[f], w) || same_reaction(self, self->lead[f], w)))
        self->flow[w] = f;
    if (self->flow[w] >= 0) continue;
    if (self->n == FLOWS) return false;
    self->flow[w] = self->n;
    self->lead[self->n++] = w;
  }
  return true;
}

/* --- what they carry --- */

/* In a forward event of a step, by flow: work, and particles (or charge) that leave the lead. */
static void step_flows(transduction *self, int32_t s)
{
  const ness_network *net = self->all->net;
  double *const work = self->work + (int64_t)s * self->n, *const by = self->by + (int64_t)s * self->n;
  for (int32_t k = net->work_start[s]; k < net->work_start[s + 1]; k++)
    if (isfinite(net->work_kt[k])) work[self->flow[net->work_src[k]]] += net->work_kt[k];
  for (int32_t e = net->exch_start[s]; e < net->exch_start[s + 1]; e++) {
    const int32_t r = net->exch_res[e], f = self->flow[r];
    if (self->lead[f] == r) by[f] -= net->exch_by[e];
    if (net->res_volt[r] >= 0) by[self->flow[net->nres + net->res_volt[r]]] -= net->exch_by[e] * net->res_charge[r];
  }
}

static void transduction_fill(transduction *self)
{
  const analysis *all = self->all;
  const int32_t n = self->n, batches = all->sums->batches;
  for (int32_t s = 0; s < all->net->nstep; s++) {
    step_flows(self, s);
    const double *const work = self->work + (int64_t)s * n, *const by = self->by + (int64_t)s * n;
    for (int32_t b = 0; b < batches; b++) {
      const double *const row = all->sums->batch + (int64_t)b * all->plan->width;
      const double events = row[all->plan->fwd + s] - row[all->plan->bwd + s];
      for (int32_t f = 0; f < n && events != 0; f++) {
        self->power[(int64_t)f * batches + b] += events * work[f];
        self->rate[(int64_t)f * batches + b] += events * by[f];
      }
    }
  }
  for (int32_t c = 0; c < self->cycles->count; c++)
    for (int32_t k = self->cycles->start[c]; k < self->cycles->start[c + 1]; k++)
      for (int32_t f = 0; f < n; f++) {
        const int64_t at = (int64_t)self->cycles->id[k] * n + f;
        self->loop_work[(int64_t)c * n + f] += self->cycles->by[k] * self->work[at];
        self->loop_by[(int64_t)c * n + f] += self->cycles->by[k] * self->by[at];
      }
}

/* Of the exact rates: the sum of what a flow has in each step. */
static double exact_flow(const transduction *self, const double *per_step, int32_t f)
{
  double sum = 0;
  if (!self->all->exact) return (double)NAN;
  for (int32_t s = 0; s < self->all->net->nstep; s++)
    sum += self->all->exact->net_rate[s] * per_step[(int64_t)s * self->n + f];
  return sum;
}

/* --- ratios --- */

static double total(const transduction *self, const double *x, int32_t without)
{
  double sum = 0;
  for (int32_t b = 0; b < self->all->sums->batches; b++) sum += b == without ? 0 : x[b];
  return sum;
}

/* Power by its sign in all data: what is given, what is taken. */
static double efficiency_without(const transduction *self, const double *sign, int32_t without)
{
  double given = 0, taken = 0;
  for (int32_t f = 0; f < self->n; f++) {
    const double x = total(self, self->power + (int64_t)f * self->all->sums->batches, without);
    *(sign[f] > 0 ? &given : &taken) += x;
  }
  return -taken / given;
}

static double efficiency_exact(const transduction *self)
{
  double given = 0, taken = 0;
  for (int32_t f = 0; f < self->n; f++) {
    const double x = exact_flow(self, self->work, f);
    *(x > 0 ? &given : &taken) += x;
  }
  return -taken / given;
}

static void efficiency_doc(transduction *self, const double *power, doc_node *root)
{
  const int32_t batches = self->all->sums->batches;
  double bias;
  for (int32_t b = 0; b < batches; b++) self->without[b] = efficiency_without(self, power, b);
  const estimate value =
      estimate_jackknife(self->all, efficiency_without(self, power, -1), self->without, efficiency_exact(self), &bias);
  doc_node *const row = doc_object(root, "efficiency");
  estimate_doc(row, &value);
  doc_string(row, "is", "power taken over power given; jackknife over batches");
}

/* What a driven flow carries for each of a driver's, beside what a cycle with both would carry: the rest slips. */
static void coupling_doc(transduction *self, int32_t driven, int32_t driver, doc_node *list)
{
  const int32_t batches = self->all->sums->batches, n = self->n;
  const double *const x = self->rate + (int64_t)driven * batches, *const y = self->rate + (int64_t)driver * batches;
  int32_t c = 0;
  while (c < self->cycles->count &&
         (self->loop_by[(int64_t)c * n + driven] == 0 || self->loop_by[(int64_t)c * n + driver] == 0))
    c++;
  if (c == self->cycles->count || total(self, y, -1) == 0) return;
  double bias, others = 0;
  for (int32_t b = 0; b < batches; b++) self->without[b] = total(self, x, b) / total(self, y, b);
  const estimate ratio =
      estimate_jackknife(self->all, total(self, x, -1) / total(self, y, -1), self->without,
                         exact_flow(self, self->by, driven) / exact_flow(self, self->by, driver), &bias);
  const double *const by = self->loop_by + (int64_t)c * n, *const work = self->loop_work + (int64_t)c * n;
  for (int32_t f = 0; f < n; f++) others += f == driven ? 0 : work[f];
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "driven", "%s", network_source_name(self->all->net, self->lead[driven]));
  doc_string(row, "driver", "%s", network_source_name(self->all->net, self->lead[driver]));
  estimate_doc(row, &ratio);
  doc_string(row, "cycle", "%s", self->cycles->name[c]);
  doc_number(row, "stoichiometry", by[driven] / by[driver]);
  doc_number(row, "slip", 1 - ratio.value * by[driver] / by[driven]);
  doc_number(row, "slip_error", fabs(ratio.error * by[driver] / by[driven]));
  doc_number(row, "force", work[driven] / by[driven]);
  doc_number(row, "stall_force", -others / by[driven]);
}

static void flow_doc(const transduction *self, int32_t f, const estimate *power, doc_node *list)
{
  const ness_network *net = self->all->net;
  const estimate rate =
      estimate_rate(self->all, self->rate + (int64_t)f * self->all->sums->batches, exact_flow(self, self->by, f));
  text_buffer name = {0};
  for (int32_t w = 0; w < self->sources; w++)
    if (self->flow[w] == f) text_add(&name, "%s%s", name.data ? " " : "", network_source_name(net, w));
  doc_node *const row = doc_object(list, NULL);
  doc_string(row, "flow", "%s", name.data ? name.data : "");
  text_clear(&name);
  doc_string(row, "role", "%s", power->low > 0 ? "drives" : power->high < 0 ? "is driven" : "not known");
  estimate_doc(row, power);
  if (self->lead[f] < net->nres + net->nvolt) estimate_put(row, "current", &rate);
}

static void transduction_write(transduction *self, doc_node *root)
{
  const int32_t batches = self->all->sums->batches;
  estimate power[FLOWS];
  double value[FLOWS];
  int32_t driver = -1, drivers = 0, driven = 0;
  doc_node *const chapter = doc_object(root, "transduction"), *const list = doc_array(chapter, "flows");
  for (int32_t f = 0; f < self->n; f++) {
    const double exact = exact_flow(self, self->work, f);
    power[f] = estimate_rate(self->all, self->power + (int64_t)f * batches, exact);
    value[f] = power[f].value;
    if (value[f] == 0 && !(fabs(exact) > 0)) continue;
    flow_doc(self, f, &power[f], list);
    drivers += power[f].low > 0;
    driven += power[f].high < 0;
    if (self->lead[f] < self->all->net->nres && value[f] > 0 && (driver < 0 || value[f] > value[driver])) driver = f;
  }
  if (!drivers || !driven) return;
  efficiency_doc(self, value, chapter);
  doc_node *const pairs = doc_array(chapter, "couplings");
  for (int32_t f = 0; f < self->n && driver >= 0; f++)
    if (power[f].high < 0 && self->lead[f] < self->all->net->nres) coupling_doc(self, f, driver, pairs);
}

ness_status transduction_doc(const analysis *all, const basis *cycles, doc_node *root)
{
  const int32_t sources = network_sources(all->net);
  if (all->measured || cycles->skipped || sources == 1 || all->plan->tapes) return NESS_OK;
  transduction self = {.all = all, .cycles = cycles, .sources = sources};
  self.flow = mem_zero((size_t)sources, sizeof *self.flow);
  self.lead = mem_zero(FLOWS, sizeof *self.lead);
  ness_status status = self.flow && self.lead ? NESS_OK : NESS_NOMEM;
  if (status || !transduction_flows(&self)) goto out;
  const size_t n = (size_t)self.n, batches = (size_t)all->sums->batches + 1, steps = (size_t)all->net->nstep + 1;
  const size_t rounds = (size_t)cycles->count + 1;
  self.work = mem_zero(steps * n, sizeof *self.work);
  self.by = mem_zero(steps * n, sizeof *self.by);
  self.power = mem_zero(batches * n, sizeof *self.power);
  self.rate = mem_zero(batches * n, sizeof *self.rate);
  self.loop_work = mem_zero(rounds * n, sizeof *self.loop_work);
  self.loop_by = mem_zero(rounds * n, sizeof *self.loop_by);
  self.without = mem_zero(batches, sizeof *self.without);
  status = NESS_NOMEM;
  if (!self.work || !self.by || !self.power || !self.rate || !self.loop_work || !self.loop_by || !self.without)
    goto out;
  status = NESS_OK;
  transduction_fill(&self);
  transduction_write(&self, root);
out:
  transduction_free(&self);
  return status;
}
