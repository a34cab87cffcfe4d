/* What the parts of a compiled network have to do with each other: who reads a slot, which cores fire or flow, what a
 * direction changes, and how its step is booked. Invariant: rows by slot hold everything that a whole slot's change
 * can move, once each. Cost: linear in the network, but for a look at a step's factors from each of its slots. */
#include "engine/hybrid/parts.h"

#include <string.h>

/* --- who reads what --- */

/* Rows by slot, filled in two passes: counts at slot + 1, then entries from the back. `last` keeps one from standing in
 * a row twice. */
static void rows_add(hybrid_rows *rows, int32_t slot, int32_t what)
{
  if (rows->last[slot] == what + 1) return;
  rows->last[slot] = what + 1;
  if (rows->list) rows->list[--rows->start[slot + 1]] = what;
  else rows->start[slot + 1]++;
}

static void core_slots(const hybrid_net *self, hybrid_rows *rows, int32_t core, int32_t what)
{
  for (int32_t i = 0; core >= 0 && i < self->core[core].nload; i++) {
    const int32_t slot = self->load[self->core[core].load + i].slot;
    if (self->real_of[slot] < 0) rows_add(rows, slot, what);
  }
}

static void reads_walk(hybrid_net *self)
{
  hybrid_rows *const rows[3] = {&self->fire_reads, &self->flow_reads, &self->core_reads};
  for (int i = 0; i < 3; i++) memset(rows[i]->last, 0, (size_t)self->net->nslot * sizeof *rows[i]->last);
  for (int32_t d = self->nfire - 1; d >= 0; d--) {
    const hybrid_dir *const dir = &self->fire[d];
    for (int32_t i = dir->factor; i < dir->real_factor; i++) rows_add(&self->fire_reads, self->factor[i].slot, d);
    for (int32_t i = dir->guard; i < dir->real_guard; i++) rows_add(&self->fire_reads, self->guard[i].slot, d);
    core_slots(self, &self->fire_reads, dir->core, d);
  }
  for (int32_t f = self->nflow - 1; f >= 0; f--) {
    const hybrid_dir *const dir = &self->flow[f];
    for (int32_t i = dir->factor; i < dir->real_factor; i++) rows_add(&self->flow_reads, self->factor[i].slot, f);
  }
  for (int32_t k = self->nbcore - 1; k >= 0; k--) core_slots(self, &self->core_reads, self->bcore[k], self->bcore[k]);
}

static void rows_room(hybrid_net *self, hybrid_rows *rows)
{
  const int32_t n = self->net->nslot;
  for (int32_t i = 0; i < n; i++) rows->start[i + 1] += rows->start[i];
  rows->list = arena_alloc(&self->memory, ((size_t)rows->start[n] + 1) * sizeof *rows->list);
}

/* Filling moved each row's end down to its beginning. */
static void rows_end(const hybrid_net *self, hybrid_rows *rows)
{
  for (int32_t i = 0; i < self->net->nslot; i++) rows->start[i] = rows->start[i + 1];
}

static void net_reads(hybrid_net *self)
{
  hybrid_rows *const rows[3] = {&self->fire_reads, &self->flow_reads, &self->core_reads};
  int32_t total[3];
  const size_t slots = (size_t)self->net->nslot + 2;
  for (int i = 0; i < 3; i++) {
    rows[i]->start = arena_alloc(&self->memory, slots * sizeof *rows[i]->start);
    rows[i]->last = arena_alloc(&self->memory, slots * sizeof *rows[i]->last);
  }
  if (self->memory.failed) return;
  reads_walk(self);
  for (int i = 0; i < 3; i++) {
    rows_room(self, rows[i]);
    total[i] = rows[i]->start[self->net->nslot];
  }
  if (self->memory.failed) return;
  reads_walk(self);
  for (int i = 0; i < 3; i++) {
    rows_end(self, rows[i]);
    rows[i]->start[self->net->nslot] = total[i];
  }
}

/* --- cores by use, and what directions change --- */

static int32_t cores_of(const hybrid_net *self, const hybrid_dir *dir, int32_t ndir, int32_t *list, uint8_t *seen)
{
  int32_t count = 0;
  memset(seen, 0, (size_t)self->ncore + 1);
  for (int32_t d = 0; d < ndir; d++) {
    if (dir[d].core >= 0 && !seen[dir[d].core]) {
      seen[dir[d].core] = 1;
      list[count++] = dir[d].core;
    }
  }
  return count;
}

static void net_cores(hybrid_net *self)
{
  uint8_t *const seen = arena_alloc(&self->memory, (size_t)self->ncore + (size_t)self->nreal + 2);
  if (!seen) return;
  self->nfcore = cores_of(self, self->flow, self->nflow, self->fcore, seen);
  self->nbcore = cores_of(self, self->fire, self->nfire, self->bcore, seen);
  memset(seen, 0, (size_t)self->nreal + 1);
  for (int32_t k = 0; k < self->nbcore; k++) {
    const hybrid_core *const core = &self->core[self->bcore[k]];
    for (int32_t i = 0; i < core->nload; i++) {
      const int32_t r = self->real_of[self->load[core->load + i].slot];
      if (r >= 0 && !seen[r]) self->watch[self->nwatch++] = r;
      if (r >= 0) seen[r] = 1;
    }
  }
}

static void net_slopes(hybrid_net *self)
{
  for (int32_t f = 0; f < self->nflow; f++) {
    hybrid_dir *const dir = &self->flow[f];
    dir->slope = self->nslope;
    const hybrid_core *const core = dir->core >= 0 ? &self->core[dir->core] : NULL;
    for (int32_t i = 0; core && i < core->nload; i++) {
      const int32_t r = self->real_of[self->load[core->load + i].slot];
      if (r >= 0) self->slope_real[self->nslope++] = r;
    }
    for (int32_t i = dir->real_factor; i < dir->factor_end; i++) {
      self->slope_real[self->nslope++] = self->real_of[self->factor[i].slot];
    }
    dir->slope_end = self->nslope;
  }
}

static int32_t dir_changes(hybrid_net *self, hybrid_dir *dir, int32_t at)
{
  const ness_network *const net = self->net;
  const int32_t step = dir->dir / 2;
  dir->change = at;
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c], r = self->real_of[slot];
    self->change[at++] = (hybrid_change){slot, r, dir->dir % 2 ? -net->change_by[c] : net->change_by[c]};
    dir->reals = dir->reals || r >= 0;
  }
  return dir->change_end = at;
}

static void net_changes(hybrid_net *self)
{
  int32_t at = 0;
  for (int32_t f = 0; f < self->nflow; f++) at = dir_changes(self, &self->flow[f], at);
  for (int32_t d = 0; d < self->nfire; d++) at = dir_changes(self, &self->fire[d], at);
}

/* No error of a slot tells how well the integrals of these are known. */
static void net_loose(hybrid_net *self)
{
  for (int32_t f = 0; f < self->nflow; f++) {
    const hybrid_dir *const dir = &self->flow[f];
    const hybrid_core *const core = dir->core >= 0 ? &self->core[dir->core] : NULL;
    bool follows = false;
    for (int32_t i = 0; core && i < core->nload; i++) {
      follows = follows || self->real_of[self->load[core->load + i].slot] >= self->nstate;
    }
    if (follows && dir->change == dir->change_end) self->loose[self->nloose++] = f;
  }
}

/* --- books --- */

/* Whether the factors of both ways are those of the copies that the step takes and gives: the quotient of factors and
 * the change of sum ln n! then cancel. */
static bool step_pure(const hybrid_net *self, int32_t step)
{
  const ness_network *const net = self->net;
  const hybrid_dir *const all = hybrid_flows(self, step) ? self->flow : self->fire;
  const hybrid_dir *const ways[2] = {&all[self->place[2 * step]], &all[self->place[2 * step + 1]]};
  for (int way = 0; way < 2; way++) {
    for (int32_t i = ways[way]->factor; i < ways[way]->factor_end; i++) {
      const int32_t slot = self->factor[i].slot;
      const int32_t forth = hybrid_falling(self, ways[0], slot), back = hybrid_falling(self, ways[1], slot);
      int32_t by = 0;
      for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
        by += net->change_slot[c] == slot ? net->change_by[c] : 0;
      }
      if (forth < 0 || back < 0 || back - forth != by || net->slot_var[slot] >= 0) return false;
    }
  }
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    const int32_t slot = net->change_slot[c];
    if (net->slot_var[slot] < 0 &&
        hybrid_falling(self, ways[1], slot) - hybrid_falling(self, ways[0], slot) != net->change_by[c]) {
      return false;
    }
  }
  return true;
}

static hybrid_book step_book(const hybrid_net *self, int32_t step)
{
  const ness_network *const net = self->net;
  if (net->step_proc[step] >= 0) return BOOK_FLIP;
  if (net->step_flow[step] == FLOW_DRIFT) return BOOK_DRIFT;
  if (self->place[2 * step] < 0 || self->place[2 * step + 1] < 0) return BOOK_ONE_WAY;
  return net->dir_law[2 * step] == LAW_MASS && net->dir_law[2 * step + 1] == LAW_MASS ? BOOK_MASS : BOOK_TAPE;
}

static void net_books(hybrid_net *self)
{
  const ness_network *const net = self->net;
  for (int32_t s = 0; s < net->nstep; s++) {
    const bool flows = hybrid_flows(self, s);
    self->book[s] = (uint8_t)step_book(self, s);
    self->pure[s] = self->book[s] == BOOK_TAPE && step_pure(self, s);
    if (flows && self->book[s] == BOOK_TAPE) self->forced[self->nforced++] = s;
    for (int32_t c = net->change_start[s]; c < net->change_start[s + 1]; c++) {
      const int32_t slot = net->change_slot[c], var = net->slot_var[slot];
      if (var < 0 || net->var_stiff[var] == 0) continue;
      self->charged[s] = 1;
      if (flows) {
        self->pull[self->npull++] = (hybrid_pull){s, var, self->real_of[slot], net->change_by[c]};
      }
    }
  }
}

/* Times the part's value, what a forward event of the step makes the source do and adds to energies. */
static hybrid_share share_of(const hybrid_net *self, int32_t step, int32_t p)
{
  const ness_network *const net = self->net;
  const network_part *const part = &self->part[p];
  hybrid_share share = {p, 0, 0};
  for (int32_t e = net->exch_start[step]; e < net->exch_start[step + 1]; e++) {
    const int32_t res = net->exch_res[e];
    if (part->source == res) share.work -= net->exch_by[e];
    if (net->res_volt[res] >= 0 && part->source == net->nres + net->res_volt[res])
      share.work -= net->exch_by[e] * net->res_charge[res];
  }
  for (int32_t c = net->change_start[step]; c < net->change_start[step + 1]; c++) {
    for (int32_t i = 0; i < part->nslot; i++) {
      if (part->slot[i] == net->change_slot[c]) share.energy += net->change_by[c] * part->by[i];
    }
  }
  return share;
}

/* Counts them where there is no room yet. */
static int32_t shares_walk(hybrid_net *self)
{
  int32_t count = 0;
  for (int32_t s = 0; s < self->net->nstep; s++) {
    self->share_start[s] = count;
    for (int32_t p = 0; p < self->npart; p++) {
      const hybrid_share share = share_of(self, s, p);
      if (share.work == 0 && share.energy == 0) continue;
      if (self->share) self->share[count] = share;
      count++;
    }
  }
  return self->share_start[self->net->nstep] = count;
}

static void net_shares(hybrid_net *self)
{
  self->share = arena_alloc(&self->memory, ((size_t)shares_walk(self) + 1) * sizeof *self->share);
  if (self->share) shares_walk(self);
  for (int32_t s = 0; s < self->net->nstep; s++) {
    if (self->share_start[s] < self->share_start[s + 1] && hybrid_flows(self, s)) self->paid[self->npaid++] = s;
  }
  for (int32_t p = 0; p < self->npart; p++) {
    self->part_max = self->part[p].nop > self->part_max ? self->part[p].nop : self->part_max;
    for (int32_t k = 0; k < self->ninput; k++) {
      if (self->input[k].slot == self->part[p].input) self->part_input[p] = k;
    }
  }
}

static void net_event_books(hybrid_net *self)
{
  for (int32_t d = 0; d < self->nfire; d++) {
    hybrid_dir *const dir = &self->fire[d];
    dir->tape = self->book[dir->dir / 2] == BOOK_TAPE;
    dir->pure = self->pure[dir->dir / 2] != 0;
    dir->charged = self->charged[dir->dir / 2] != 0;
    dir->paid = self->share_start[dir->dir / 2] < self->share_start[dir->dir / 2 + 1];
  }
}

int32_t hybrid_falling(const hybrid_net *self, const hybrid_dir *dir, int32_t slot)
{
  int32_t count = 0;
  double sum = 0;
  for (int32_t i = dir->factor; i < dir->factor_end; i++) {
    if (self->factor[i].slot != slot) continue;
    sum += self->factor[i].shift;
    count++;
  }
  return sum == 0.5 * count * (count - 1) ? count : -1;
}

void hybrid_relate(hybrid_net *self)
{
  net_cores(self);
  net_slopes(self);
  net_changes(self);
  net_loose(self);
  net_books(self);
  net_shares(self);
  net_event_books(self);
  net_reads(self);
}
