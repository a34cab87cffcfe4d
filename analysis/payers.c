/* Who pays for what a run produces in which something flows: works of sources, and what is given back by what is
 * stored, added up over all that belongs together. Invariant: groups part all sources, inputs and slots, and their
 * rates add up to what is produced. Matter of one species (a bath Na.out, a count Na.in) is one group, so that no
 * standard state is left in its sum; so is what one cycle takes from baths without a place and gives to them (ATP, ADP,
 * Pi), the states of one protein, counts that turn into each other, and what binds one species alone with that species.
 * Cost: steps times their changes. */
#include "analysis/payers.h"

#include <math.h>
#include <string.h>

void payers_free(payers *self)
{
  mem_free(self->of);
  mem_free(self->group);
  mem_free(self->gives);
  mem_free(self->rate);
  memset(self, 0, sizeof *self);
}

/* Halves the way up as it goes. */
static int32_t payer_of(payers *self, int32_t w)
{
  while (self->of[w] != w) w = self->of[w] = self->of[self->of[w]];
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

/* By the letters of the species, FNV-1a: `first` (size) has who came first with them. */
static void payers_species(payers *self, const analysis *all, int32_t *first, int32_t size)
{
  for (int32_t k = 0; k < size; k++) first[k] = -1;
  for (int32_t a = 0; a < self->n; a++) {
    const char *const name = payer_text(self, all, a);
    const size_t length = payer_is_matter(self, all, a) ? species_length(name) : 0;
    uint32_t at = 2166136261U;
    if (!length) continue;
    for (size_t k = 0; k < length; k++) at = (at ^ (unsigned char)name[k]) * 16777619U;
    for (at %= (uint32_t)size; first[at] >= 0; at = (at + 1) % (uint32_t)size) {
      const char *const other = payer_text(self, all, first[at]);
      if (species_length(other) == length && memcmp(name, other, length) == 0) break;
    }
    if (first[at] >= 0) payers_join(self, a, first[at]);
    else first[at] = a;
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

static bool payers_groups(payers *self, const analysis *all)
{
  const int32_t batches = all->sums->batches;
  int32_t *const number = mem_zero((size_t)self->n, sizeof *number);
  for (int32_t w = 0; w < self->n; w++) self->groups += payer_of(self, w) == w;
  self->group = mem_zero((size_t)self->groups, sizeof *self->group);
  self->rate = mem_zero((size_t)self->groups, sizeof *self->rate);
  self->gives = mem_zero((size_t)self->groups * (size_t)batches + 1, sizeof *self->gives);
  const bool good = number && self->group && self->rate && self->gives;
  int32_t g = 0;
  for (int32_t w = 0; good && w < self->n; w++) {
    const int32_t of = self->of[w] = payer_of(self, w);
    if (of == w) self->group[number[w] = g++] = w;
    double *const to = self->gives + (int64_t)number[of] * batches;
    for (int32_t b = 0; b < batches; b++)
      to[b] += payer_gives(self, all, all->sums->batch + (int64_t)b * all->plan->width, w);
  }
  for (g = 0; good && g < self->groups; g++)
    self->rate[g] = estimate_rate(all, self->gives + (int64_t)g * batches, (double)NAN);
  mem_free(number);
  return good;
}

bool payers_find(payers *self, const analysis *all, const basis *cycles)
{
  const ness_network *const net = all->net;
  self->input = network_sources(net);
  self->n = self->input + 1 + net->nslot;
  const int32_t size = 2 * self->n;
  self->of = mem_zero((size_t)self->n, sizeof *self->of);
  double *const by = mem_zero((size_t)net->nres + 1, sizeof *by);
  int32_t *const scratch = mem_zero((size_t)size, sizeof *scratch);
  bool good = self->of && by && scratch;
  for (int32_t w = 0; good && w < self->n; w++) self->of[w] = w;
  if (good) payers_species(self, all, scratch, size);
  if (good) payers_slots(self, all);
  for (int32_t c = 0; good && c < cycles->count; c++) payers_cycle(self, all, cycles, c, by);
  if (good) payers_bound(self, all, scratch);
  good = good && payers_groups(self, all);
  mem_free(by);
  mem_free(scratch);
  return good;
}

/* "Na", "ATP + ADP + Pi". */
void payer_name(const payers *self, const analysis *all, int32_t group, text_buffer *out)
{
  const int32_t root = self->group[group], volt = root - all->net->nres;
  const char *const first = payer_text(self, all, root);
  const size_t length = payer_is_matter(self, all, root) ? species_length(first) : 0;
  if (length) text_add(out, "%.*s", (int)length, first);
  else if (volt >= 0 && volt < all->net->nvolt) text_add(out, "the voltage of %s", first);
  if (length || (volt >= 0 && volt < all->net->nvolt)) return;
  const int32_t end = root < self->input ? self->input : self->n; /* baths stand for what they are bound to */
  for (int32_t w = root; w < end; w++)
    if (self->of[w] == root) text_add(out, w == root ? "%s" : " + %s", payer_text(self, all, w));
}
