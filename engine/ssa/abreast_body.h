/* One event after another with LANES groups side by side (single_run.h). A group of its own is plain numbers. */
#if LANES == 1
#define REAL double
#define PARTS 1
#define NAMED(name) name##_1
#else
#define REAL rng_reals
#define PARTS (LANES / RNG_WIDTH)
#if LANES == 4
#define NAMED(name) name##_4
#else
#define NAMED(name) name##_8
#endif
#endif

/* The sums before each group, from the sums of the groups; returns the sum of all. */
RNG_INLINE double NAMED(groups_sum)(const REAL *sum, REAL *before)
{
#if LANES == 1
  before[0] = 0;
  return sum[0];
#else
  double total = 0;
  EACH(k)
  {
    const double b1 = total + sum[k][0], b2 = b1 + sum[k][1];
#if RNG_WIDTH == 4
    const double b3 = b2 + sum[k][2];
    before[k] = (REAL){total, b1, b2, b3};
    total = b3 + sum[k][3];
#else
    before[k] = (REAL){total, b1};
    total = b2;
#endif
  }
  return total;
#endif
}

/* How many sums are not beyond the point. */
RNG_INLINE int32_t NAMED(sums_below)(REAL sum[SMALL_GROUP][PARTS], const REAL *before, double point)
{
#if LANES == 1
  (void)before; /* the last sum is beyond every point */
  return (point >= sum[0][0]) + (point >= sum[1][0]) + (point >= sum[2][0]);
#else
  int32_t below = 0;
  EACH(k)
  {
#if RNG_WIDTH == 4
    int32_t bits = 0;
    EVERY(i) bits |= _mm256_movemask_pd((__m256d)(point >= before[k] + sum[i][k])) << 4 * i;
    below += __builtin_popcount((unsigned)bits);
#else
    rng_masks count = {0};
    EVERY(i) count -= point >= before[k] + sum[i][k];
    below += (int32_t)(count[0] + count[1]);
#endif
  }
  return below;
#endif
}

static int64_t NAMED(abreast_run)(single *s, int64_t most, double horizon, ssa_record *record)
{
  abreast_net *const net = &s->rows;
  REAL x[SMALL_GROUP][PARTS], y[SMALL_GROUP][PARTS], sum[SMALL_GROUP][PARTS], before[PARTS];
  const REAL *const k_row = (const REAL *)(const void *)net->k;
  double t = s->t, since = s->since;
  uint64_t at = s->at;
  int64_t made = 0;
  memcpy(x, net->x, sizeof x);
  memcpy(y, net->y, sizeof y);
  for (; made < most; made++) {
    EACH(k)
    {
      EVERY(i) sum[i][k] = k_row[PARTS * i + k] * x[i][k] * y[i][k];
      for (int i = 1; i < SMALL_GROUP; i++) sum[i][k] += sum[i - 1][k];
    }
    const double total = NAMED(groups_sum)(sum[SMALL_GROUP - 1], before), mean = 1 / total;
    const uint64_t pair = at % RNG_PAIRS;
    const double t_next = t + s->pairs.wait[pair] * mean, time = t_next - since;
    if (!(t_next <= horizon && total <= DBL_MAX)) break;
    const int32_t leaf = NAMED(sums_below)(sum, before, s->pairs.choice[pair] * total);
    const double *const row = net->change + ((int64_t)leaf << net->shift);
    const REAL *const change = (const REAL *)(const void *)row;
    EACH(k)
    {
      EVERY(i) x[i][k] += change[PARTS * i + k];
      EVERY(i) y[i][k] += change[PARTS * (SMALL_GROUP + i) + k];
    }
    for (int32_t m = 0; m < net->counts; m += RNG_WIDTH) {
      rng_reals *const n = (rng_reals *)(void *)(s->n + m);
      const rng_reals area = *n * time;
      *(rng_reals *)(void *)(s->dwell + m) += area;
      *(rng_reals *)(void *)(s->dwell2 + m) += *n * area;
      *n += *(const rng_reals *)(const void *)(row + 2 * SMALL_GROUP * LANES + m);
    }
    s->fired[leaf]++;
    t = since = t_next;
    pair_taken(s, ++at);
    if (record) single_record(record, t, s->net.dir[leaf]);
  }
  s->t = t;
  s->since = since;
  s->at = at;
  memcpy(net->x, x, sizeof x);
  memcpy(net->y, y, sizeof y);
  return made;
}

#undef LANES
#undef REAL
#undef PARTS
#undef NAMED
