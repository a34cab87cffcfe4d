/* Chains to try methods on, as CSR (engine/markov/chain.h): two-dimensional lattices, and the state spaces of two nets
 * of the literature enumerated breadth-first with an open hash of packed markings. Kanban: Ciardo and Tilgner, ICASE
 * report 96-35 (1996). Flexible manufacturing: Ciardo and Trivedi, Perform. Evaluation 18, 37 (1993), as it stands in
 * the benchmarks of probabilistic model checkers. */
#ifndef NESS_TESTS_MARKOV_NETS_H
#define NESS_TESTS_MARKOV_NETS_H

#include "engine/markov/chain.h"
#include <stdlib.h>
#include <string.h>

enum { NETS_PLACES = 20 };

typedef struct nets_space { /* what is being enumerated */
  uint64_t *key;            /* packed marking of every state */
  int32_t *slot;            /* open hash: state or -1 */
  int64_t slots, states, room;
  int64_t *start;
  int32_t *to;
  double *rate;
  int64_t edges, edges_room;
  int bits[NETS_PLACES], places;
} nets_space;

static inline uint64_t nets_pack(const nets_space *self, const int *m)
{
  uint64_t key = 0;
  for (int i = 0; i < self->places; i++) key = key << self->bits[i] | (uint64_t)m[i];
  return key;
}

static inline void nets_unpack(const nets_space *self, uint64_t key, int *m)
{
  for (int i = self->places - 1; i >= 0; i--) {
    m[i] = (int)(key & ((UINT64_C(1) << self->bits[i]) - 1));
    key >>= self->bits[i];
  }
}

static inline int64_t nets_place(const nets_space *self, uint64_t key)
{
  uint64_t h = key * UINT64_C(0x9E3779B97F4A7C15);
  h ^= h >> 29;
  int64_t at = (int64_t)(h & (uint64_t)(self->slots - 1));
  while (self->slot[at] >= 0 && self->key[self->slot[at]] != key) at = (at + 1) & (self->slots - 1);
  return at;
}

static inline int32_t nets_state(nets_space *self, uint64_t key)
{
  int64_t at = nets_place(self, key);
  if (self->slot[at] >= 0) return self->slot[at];
  if (self->states == self->room || 2 * self->states >= self->slots) {
    self->room = 2 * self->room;
    self->slots = 4 * self->room;
    self->key = realloc(self->key, (size_t)self->room * sizeof *self->key);
    free(self->slot);
    self->slot = malloc((size_t)self->slots * sizeof *self->slot);
    memset(self->slot, -1, (size_t)self->slots * sizeof *self->slot);
    for (int64_t i = 0; i < self->states; i++) self->slot[nets_place(self, self->key[i])] = (int32_t)i;
    self->start = realloc(self->start, (size_t)(self->room + 1) * sizeof *self->start);
    at = nets_place(self, key);
  }
  self->key[self->states] = key;
  self->slot[at] = (int32_t)self->states;
  return (int32_t)self->states++;
}

static inline void nets_fire(nets_space *self, const int *m, double rate)
{
  if (self->edges == self->edges_room) {
    self->edges_room *= 2;
    self->to = realloc(self->to, (size_t)self->edges_room * sizeof *self->to);
    self->rate = realloc(self->rate, (size_t)self->edges_room * sizeof *self->rate);
  }
  self->to[self->edges] = nets_state(self, nets_pack(self, m));
  self->rate[self->edges++] = rate;
}

/* The transition moves d (pairs of place and change, ended by -1) from m. */
static inline void nets_move(nets_space *self, const int *m, double rate, const int *d)
{
  int after[NETS_PLACES];
  memcpy(after, m, sizeof after);
  for (; *d >= 0; d += 2) after[d[0]] += d[1];
  nets_fire(self, after, rate);
}

/* --- kanban: places w, x, y, z of four cells --- */

static inline void nets_kanban_fire(nets_space *self, const int *m, int t)
{
  static const double redo[4] = {0.36, 0.42, 0.39, 0.33}, done[4] = {0.84, 0.98, 0.91, 0.77};
  const int *w = m, *x = m + 4, *y = m + 8, *z = m + 12;
  if (w[0] < t && x[0] < t) nets_move(self, m, 1, (int[]){0, 1, 4, 1, -1});
  for (int c = 0; c < 4; c++) {
    if (x[c] > 0 && y[c] < t) nets_move(self, m, redo[c], (int[]){4 + c, -1, 8 + c, 1, -1});
    if (x[c] > 0 && z[c] < t) nets_move(self, m, done[c], (int[]){4 + c, -1, 12 + c, 1, -1});
    if (y[c] > 0 && x[c] < t) nets_move(self, m, 0.3, (int[]){8 + c, -1, 4 + c, 1, -1});
  }
  if (z[0] > 0 && w[0] > 0 && w[1] < t && x[1] < t && w[2] < t && x[2] < t) {
    nets_move(self, m, 0.4, (int[]){12, -1, 0, -1, 1, 1, 5, 1, 2, 1, 6, 1, -1});
  }
  if (z[1] > 0 && w[1] > 0 && z[2] > 0 && w[2] > 0 && w[3] < t && x[3] < t) {
    nets_move(self, m, 0.5, (int[]){13, -1, 1, -1, 14, -1, 2, -1, 3, 1, 7, 1, -1});
  }
  if (z[3] > 0 && w[3] > 0) nets_move(self, m, 0.9, (int[]){15, -1, 3, -1, -1});
}

/* --- flexible manufacturing; the machines are what their places leave over --- */

enum {
  FMS_P1,
  FMS_W1,
  FMS_M1,
  FMS_S1,
  FMS_J1,
  FMS_P2,
  FMS_W2,
  FMS_M2,
  FMS_S2,
  FMS_J2,
  FMS_P3,
  FMS_M3,
  FMS_S3,
  FMS_P12,
  FMS_W12,
  FMS_M12,
  FMS_S12
};

static inline void nets_fms_fire(nets_space *self, const int *m, int n)
{
  const int parts = m[FMS_P1] + m[FMS_P2] + m[FMS_P3] + m[FMS_P12], pallets = 3 * n / 2;
  const double share = parts > pallets ? (double)pallets / parts : 1;
  if (m[FMS_P1]) nets_move(self, m, m[FMS_P1] * share, (int[]){FMS_P1, -1, m[FMS_M1] < 3 ? FMS_M1 : FMS_W1, 1, -1});
  if (m[FMS_P2]) nets_move(self, m, m[FMS_P2] * share, (int[]){FMS_P2, -1, m[FMS_M2] < 1 ? FMS_M2 : FMS_W2, 1, -1});
  if (m[FMS_P3]) nets_move(self, m, m[FMS_P3] * share, (int[]){FMS_P3, -1, FMS_M3, 1, -1});
  if (m[FMS_P12]) {
    nets_move(self, m, m[FMS_P12] * share, (int[]){FMS_P12, -1, m[FMS_M12] < 2 ? FMS_M12 : FMS_W12, 1, -1});
  }
  if (m[FMS_M1]) { /* a part waiting takes the machine at once */
    const int from = m[FMS_W1] ? FMS_W1 : FMS_M1;
    nets_move(self, m, 0.2 * m[FMS_M1], (int[]){from, -1, FMS_S1, 1, -1});
    const int *d = m[FMS_J2] ? (int[]){from, -1, FMS_J2, -1, FMS_P12, 1, -1} : (int[]){from, -1, FMS_J1, 1, -1};
    nets_move(self, m, 0.05 * m[FMS_M1], d);
  }
  if (m[FMS_M2]) {
    const int from = m[FMS_W2] ? FMS_W2 : FMS_M2;
    nets_move(self, m, 0.1, (int[]){from, -1, FMS_S2, 1, -1});
    const int *d = m[FMS_J1] ? (int[]){from, -1, FMS_J1, -1, FMS_P12, 1, -1} : (int[]){from, -1, FMS_J2, 1, -1};
    nets_move(self, m, 1.0 / 15, d);
  }
  if (m[FMS_M3] && !m[FMS_M2]) nets_move(self, m, 0.5, (int[]){FMS_M3, -1, FMS_S3, 1, -1});
  if (m[FMS_M12]) {
    nets_move(self, m, m[FMS_M12], (int[]){m[FMS_W12] ? FMS_W12 : FMS_M12, -1, FMS_S12, 1, -1});
  }
  const int stock[3] = {FMS_S1, FMS_S2, FMS_S3}, origin[3] = {FMS_P1, FMS_P2, FMS_P3};
  for (int k = 0; k < 3; k++) {
    const int s = m[stock[k]];
    if (s) nets_move(self, m, 1.0 / 60, (int[]){stock[k], -s, origin[k], s, -1});
  }
  const int s = m[FMS_S12];
  if (s) nets_move(self, m, 1.0 / 60, (int[]){FMS_S12, -s, FMS_P1, s, FMS_P2, s, -1});
}

typedef void (*nets_rule)(nets_space *self, const int *m, int size);

/* Everything reachable from m. The keys (for places of a state) are handed over where `key` is not NULL; `space` is
 * then what nets_unpack needs. */
static inline bool nets_enumerate(nets_rule rule, const int *bits, int places, const int *m, int size, chain *out,
                                  nets_space *space)
{
  nets_space s = {.places = places, .room = 1024, .slots = 4096, .edges_room = 4096};
  memcpy(s.bits, bits, (size_t)places * sizeof *bits);
  s.key = malloc((size_t)s.room * sizeof *s.key);
  s.slot = malloc((size_t)s.slots * sizeof *s.slot);
  memset(s.slot, -1, (size_t)s.slots * sizeof *s.slot);
  s.start = malloc((size_t)(s.room + 1) * sizeof *s.start);
  s.to = malloc((size_t)s.edges_room * sizeof *s.to);
  s.rate = malloc((size_t)s.edges_room * sizeof *s.rate);
  nets_state(&s, nets_pack(&s, m));
  s.start[0] = 0;
  for (int64_t i = 0; i < s.states; i++) {
    int now[NETS_PLACES] = {0};
    nets_unpack(&s, s.key[i], now);
    rule(&s, now, size);
    s.start[i + 1] = s.edges;
  }
  free(s.slot);
  s.slot = NULL;
  const bool fine = chain_create((int32_t)s.states, s.edges, false, out) == NESS_OK;
  if (fine) {
    memcpy(out->start, s.start, (size_t)(s.states + 1) * sizeof *s.start);
    memcpy(out->to, s.to, (size_t)s.edges * sizeof *s.to);
    memcpy(out->rate, s.rate, (size_t)s.edges * sizeof *s.rate);
  }
  free(s.start);
  free(s.to);
  free(s.rate);
  if (space) *space = s;
  if (!space || !fine) free(s.key);
  return fine;
}

static inline bool nets_kanban(int t, chain *out, nets_space *space)
{
  const int bits[16] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, m[NETS_PLACES] = {0};
  return nets_enumerate(nets_kanban_fire, bits, 16, m, t, out, space);
}

static inline bool nets_fms(int n, chain *out, nets_space *space)
{
  const int bits[17] = {4, 4, 2, 4, 4, 4, 4, 1, 4, 4, 4, 4, 4, 4, 4, 2, 4};
  int m[NETS_PLACES] = {0};
  m[FMS_P1] = m[FMS_P2] = m[FMS_P3] = n;
  return nets_enumerate(nets_fms_fire, bits, 17, m, n, out, space);
}

/* --- lattices --- */

/* width x height sites, state y * width + x; rates right, left, up, down; `drive` multiplies the rate right in the
 * lower half and left in the upper half, so that a current goes round (1: none, then p is a product). */
static inline bool nets_lattice(int width, int height, const double rate[4], double drive, chain *out)
{
  if (chain_create(width * height, 4 * (int64_t)width * height, false, out)) return false;
  int64_t end = 0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      const int32_t i = y * width + x;
      const bool low = 2 * y < height;
      const int32_t to[4] = {i + 1, i - 1, i + width, i - width};
      const bool open[4] = {x + 1 < width, x > 0, y + 1 < height, y > 0};
      const double by[4] = {low ? drive : 1, low ? 1 : drive, 1, 1};
      for (int k = 0; k < 4; k++) {
        if (!open[k]) continue;
        out->to[end] = to[k];
        out->rate[end++] = rate[k] * by[k];
      }
      out->start[i + 1] = end;
    }
  }
  return true;
}

#endif
