/* From a small network to its rows. Cost: some microseconds. */
#include "engine/ssa/abreast.h"

enum { COUNTS_WHOLE = 4 }; /* of the widest vectors */

static int32_t place_of(const abreast_net *self, int32_t leaf)
{
  return leaf % SMALL_GROUP * self->lanes + leaf / SMALL_GROUP;
}

void abreast_compile(const small_net *net, abreast_net *out)
{
  static const int32_t lanes[ABREAST_FORMS] = {1, 4, 8};
  out->form = -1;
  if (net->quads < net->leaves) return;
  for (out->form = 0; SMALL_GROUP * lanes[out->form] < net->padded; out->form++) {
  }
  out->lanes = lanes[out->form];
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

void abreast_load(abreast_net *self, const small_net *net, const double *n)
{
  for (int32_t j = 0; j < net->leaves; j++) {
    const small_rate *const r = &net->rate[j];
    self->x[place_of(self, j)] = n[r->a];
    self->y[place_of(self, j)] = n[r->b] + r->shift_b;
  }
}
