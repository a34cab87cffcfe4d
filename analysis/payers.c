/* Who pays for what a run produces in which something flows: works of sources, and what is given back by what is
 * stored, added up over all that belongs together. Invariant: groups part all sources, inputs and slots, and their
 * rates add up to what is produced. Matter of one species (a bath Na.out, a count Na.in) is one group, so that no
 * standard state is left in its sum; so is what one cycle takes from baths without a place and gives to them (ATP, ADP,
 * Pi), the states of one protein, counts that turn into each other, and what binds one species alone with that species.
 * Cost: steps times their changes. */
#include "analysis/payers.h"

#include <math.h>
#include <string.h>

int32_t payer_of(const payers *self, int32_t w)
{
  while (self->of[w] != w) w = self->of[w];
  return w;
}

static void payers_join(payers *self, int32_t a, int32_t b)
{
  a = payer_of(self, a);
  b = payer_of(self, b);
  self->of[a > b ? a : b] = a > b ? b : a;
}

static const char *payer_text(const payers *self, const analysis *all, int32_t w)
{
  if (w < self->input) return network_source_name(all->net, w);
  return w == self->input ? all->run->flows_beside : network_text(all->net, all->net->slot_name[w - self->input - 1]);
}

static bool payer_is_matter(const payers *self, const analysis *all, int32_t w)
{
  return w > self->input ? all->net->slot_var[w - self->input - 1] < 0 : w < all->net->nres;
}

/* Letters of "Na" in "Na.in"; 0: matter without a place. */
static size_t species_length(const char *name)
{
  const char *const dot = strchr(name, '.');
  return dot ? (size_t)(dot - name) : 0;
}

static void payers_species(payers *self, const analysis *all)
{
  for (int32_t a = 0; a < self->n; a++) {
    const char *const name = payer_text(self, all, a);
    const size_t length = payer_is_matter(self, all, a) ? species_length(name) : 0;
    for (int32_t b = 0; length && b < a; b++) {
      const char *const other = payer_text(self, all, b);
      if (payer_is_matter(self, all, b) && species_length(other) == length && memcmp(name, other, length) == 0)
        payers_join(self, a, b);
    }
  }
}

/* Baths without a place that one cycle takes from and gives to. */
static void payers_cycle(payers *self, const analysis *all, const basis *cycles, int32_t c, double *by)
{
  const ness_network *const net = all->net;
  int32_t first = -1;
  memset(by, 0, (size_t)net->nres * sizeof *by);
  for (int32_t k = cycles->start[c]; k < cycles->start[c + 1]; k++)
    for (int32_t e = net->exch_start[cycles->id[k]]; e < net->exch_start[cycles->id[k] + 1]; e++)
      by[net->exch_res[e]] += cycles->by[k] * net->exch_by[e];
  for (int32_t r = 0; r < net->nres; r++) {
    if (by[r] == 0 || species_length(network_text(net, net->res_name[r]))) continue;
    if (first >= 0) payers_join(self, first, r);
    else first = r;
  }
}

/* States of one protein, and counts without a place that a step turns into each other. */
static void payers_slots(payers *self, const analysis *all)
{
  const ness_network *const net = all->net;
  const int32_t at = self->input + 1;
  for (int32_t s = 0; s < net->nstep; s++) {
    int32_t last[2] = {-1, -1};
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      const int32_t i = net->change_slot[c];
      if (net->slot_var[i] >= 0 || species_length(network_text(net, net->slot_name[i]))) continue;
      const bool state = net->slot_family[i] >= 0;
      if (last[state] >= 0 && net->slot_family[i] == net->slot_family[last[state]])
        payers_join(self, at + last[state], at + i);
      last[state] = i;
    }
  }
}

/* What binds one species alone, a buffer, a carrier, belongs to it: what it holds is in energies of both. */
static void payers_bound(payers *self, const analysis *all, int32_t *partner)
{
  const ness_network *const net = all->net;
  enum { NOBODY = -1, SEVERAL = -2 };
  for (int32_t w = 0; w < self->n; w++) partner[w] = NOBODY;
  for (int32_t s = 0; s < net->nstep; s++) {
    const int32_t first = net->change_start[s], changes = net->change_start[s + 1] - first;
    const int32_t given = net->exch_start[s], all_of = changes + net->exch_start[s + 1] - given;
    for (int32_t a = 0; a < changes; a++) {
      const int32_t slot = net->change_slot[first + a], own = self->input + 1 + slot;
      if (net->slot_var[slot] >= 0 || species_length(network_text(net, net->slot_name[slot]))) continue;
      int32_t *const to = &partner[payer_of(self, own)];
      for (int32_t b = 0; b < all_of; b++) {
        const int32_t w =
            b < changes ? self->input + 1 + net->change_slot[first + b] : net->exch_res[given + b - changes];
        const bool other = payer_is_matter(self, all, w) && (b >= changes || species_length(payer_text(self, all, w)));
        if (other) *to = *to == NOBODY || *to == payer_of(self, w) ? payer_of(self, w) : SEVERAL;
      }
    }
  }
  for (int32_t w = 0; w < self->n; w++)
    if (partner[w] >= 0) payers_join(self, w, partner[w]);
}

bool payers_find(payers *self, const analysis *all, const basis *cycles)
{
  const ness_network *const net = all->net;
  self->input = network_sources(net);
  self->n = self->input + 1 + net->nslot;
  self->of = mem_zero((size_t)self->n, sizeof *self->of);
  double *const by = mem_zero((size_t)net->nres + 1, sizeof *by);
  int32_t *const partner = mem_zero((size_t)self->n, sizeof *partner);
  const bool good = self->of && by && partner;
  for (int32_t w = 0; good && w < self->n; w++) self->of[w] = w;
  if (good) payers_species(self, all);
  if (good) payers_slots(self, all);
  for (int32_t c = 0; good && c < cycles->count; c++) payers_cycle(self, all, cycles, c, by);
  if (good) payers_bound(self, all, partner);
  mem_free(by);
  mem_free(partner);
  return good;
}

/* "Na", "ATP + ADP + Pi". */
void payer_name(const payers *self, const analysis *all, int32_t group, text_buffer *out)
{
  const char *const first = payer_text(self, all, group);
  const size_t length = payer_is_matter(self, all, group) ? species_length(first) : 0;
  const bool volt = group >= all->net->nres && group < all->net->nres + all->net->nvolt;
  if (volt) {
    text_add(out, "the voltage of %s", first);
    return;
  }
  if (length) {
    text_add(out, "%.*s", (int)length, first);
    return;
  }
  for (int32_t w = group; w < self->n; w++)
    if (payer_of(self, w) == group) text_add(out, w == group ? "%s" : " + %s", payer_text(self, all, w));
}

/* Work of a source, and what a slot that is stored gives back; the inputs answer for energies that only they change. */
static double payer_gives(const payers *self, const analysis *all, const double *row, int32_t w)
{
  const double *const ledger = row + all->plan->ledger;
  if (w < self->input) return ledger[DUMP_LEDGER_HEAD + w];
  if (w > self->input) return row[all->plan->gives + w - self->input - 1];
  double left = ledger[DUMP_LEDGER_INPUT];
  if (!*all->run->flows_beside) return left;
  left -= ledger[DUMP_LEDGER_ENERGY] + row[TALLY_FACTORIAL];
  for (int32_t i = 0; i < all->net->nslot; i++) left -= row[all->plan->gives + i];
  return left;
}

estimate payer_rate(const payers *self, const analysis *all, int32_t group)
{
  double *const x = all->scratch + all->sums->batches;
  for (int32_t b = 0; b < all->sums->batches; b++) {
    const double *const row = all->sums->batch + (int64_t)b * all->plan->width;
    x[b] = 0;
    for (int32_t w = group; w < self->n; w++)
      if (payer_of(self, w) == group) x[b] += payer_gives(self, all, row, w);
  }
  return estimate_rate(all, x, (double)NAN);
}
