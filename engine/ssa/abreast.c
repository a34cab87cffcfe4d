/* From a small network to its rows. Cost: some microseconds. */
#include "engine/ssa/abreast.h"
#include "engine/base/simd.h"

#include <string.h>

enum { COUNTS_WHOLE = 4 }; /* of the widest vectors */

static int32_t place_of(const abreast_net *self, int32_t leaf)
{
  return leaf % SMALL_GROUP * self->lanes + leaf / SMALL_GROUP;
}

void abreast_compile(const small_net *net, abreast_net *out)
{
  const int32_t groups = net->padded / SMALL_GROUP;
  memset(out, 0, sizeof *out);
  if (net->quads < net->leaves) return;
  out->lanes = groups == 1 ? 1 : groups <= 4 ? 4 : ABREAST_GROUPS;
  out->counts = (net->moving + COUNTS_WHOLE - 1) / COUNTS_WHOLE * COUNTS_WHOLE;
  const int32_t factors = SMALL_GROUP * out->lanes;
  while (1 << out->shift < 2 * factors + out->counts) out->shift++;
  for (int32_t j = 0; j < net->leaves; j++) out->k[place_of(out, j)] = net->rate[j].k;
  for (int32_t m = 0; m < net->moving; m++) {
    for (int32_t i = net->start[m]; i < net->start[m + 1]; i++) {
      double *const row = out->change + (net->change[i].leaf << out->shift);
      row[2 * factors + m] += net->change[i].by;
      for (int32_t j = 0; j < net->leaves; j++) {
        if (net->rate[j].a == m) row[place_of(out, j)] += net->change[i].by;
        if (net->rate[j].b == m) row[factors + place_of(out, j)] += net->change[i].by;
      }
    }
  }
}

abreast_run abreast_best(const abreast_net *net)
{
  const int form = net->lanes == 1 ? 0 : net->lanes == 4 ? 1 : 2;
#if defined(__x86_64__)
  if (simd_best() >= SIMD_AVX2) return abreast_avx2[form];
#endif
  return abreast_plain[form];
}

void abreast_load(const small_net *net, const abreast_net *rows, abreast_state *state)
{
  memset(state->x, 0, sizeof state->x);
  memset(state->y, 0, sizeof state->y);
  for (int32_t j = 0; j < net->leaves; j++) {
    const small_rate *const r = &net->rate[j];
    state->x[place_of(rows, j)] = state->n[r->a];
    state->y[place_of(rows, j)] = state->n[r->b] + r->shift_b;
  }
}
