/* The loop of lockstep.h, compiled once for each level of instructions: LOCKSTEP_LANES lanes as PARTS vectors, which
 * also fill each other's waits. Nothing in it depends on chance but its end. */
#include "engine/model/tape.h"
#include "engine/rng/rng_vector.h"
#include "engine/ssa/lockstep.h"

#include <float.h>
#include <string.h>

#define PARTS (LOCKSTEP_LANES / RNG_WIDTH)
#define EACH(k) _Pragma("GCC unroll 4") for (int k = 0; k < PARTS; k++) /* part of a row */

/* Part k of a row. */
RNG_INLINE rng_reals *real_at(double *row, int k)
{
  return (rng_reals *)(void *)row + k;
}

RNG_INLINE rng_words *word_at(uint64_t *row, int k)
{
  return (rng_words *)(void *)row + k;
}

RNG_INLINE rng_reals real_and(rng_reals a, rng_masks mask)
{
  return (rng_reals)((rng_masks)a & mask);
}

RNG_INLINE rng_reals real_both(double x)
{
  return x - (rng_reals){0};
}

/* Sets of lanes. */
#if RNG_WIDTH == 8
typedef __mmask8 lane_set;

RNG_INLINE lane_set set_at_most(rng_reals a, rng_reals b)
{
  return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LE_OQ);
}

RNG_INLINE lane_set set_idle(const rng_words *idle)
{
  return _mm512_movepi64_mask((__m512i)*idle);
}

RNG_INLINE int set_all(lane_set set)
{
  return set == 0xff;
}

RNG_INLINE rng_words set_words(lane_set set)
{
  return (rng_words)_mm512_movm_epi64(set);
}

RNG_INLINE lane_set set_of(rng_masks mask)
{
  return _mm512_movepi64_mask((__m512i)mask);
}

RNG_INLINE lane_set set_equal(rng_words a, uint64_t b)
{
  return _mm512_cmpeq_epi64_mask((__m512i)a, _mm512_set1_epi64((int64_t)b));
}

/* a in the set, b elsewhere. */
RNG_INLINE rng_reals real_select(lane_set set, rng_reals a, rng_reals b)
{
  return (rng_reals)_mm512_mask_mov_pd((__m512d)b, set, (__m512d)a);
}

/* One more where a is not below b. */
RNG_INLINE rng_words count_beyond(rng_words count, rng_reals a, rng_reals b)
{
  return (rng_words)_mm512_mask_add_epi64((__m512i)count, set_at_most(b, a), (__m512i)count, _mm512_set1_epi64(1));
}
#else
typedef rng_masks lane_set;

RNG_INLINE lane_set set_at_most(rng_reals a, rng_reals b)
{
  return a <= b;
}

RNG_INLINE lane_set set_idle(const rng_words *idle)
{
  return (lane_set)*idle;
}

RNG_INLINE int set_all(lane_set set)
{
#if RNG_WIDTH == 4
  return _mm256_movemask_pd((__m256d)set) == 0xf;
#else
  return (set[0] & set[1]) != 0;
#endif
}

RNG_INLINE rng_words set_words(lane_set set)
{
  return (rng_words)set;
}

RNG_INLINE lane_set set_of(rng_masks mask)
{
  return mask;
}

RNG_INLINE lane_set set_equal(rng_words a, uint64_t b)
{
  return (lane_set)(a == b);
}

RNG_INLINE rng_reals real_select(lane_set set, rng_reals a, rng_reals b)
{
  return (rng_reals)((set & (rng_masks)a) | (~set & (rng_masks)b));
}

RNG_INLINE rng_words count_beyond(rng_words count, rng_reals a, rng_reals b)
{
  return count - (rng_words)(a >= b);
}
#endif

/* The words at these places. */
RNG_INLINE rng_words words_at(const void *words, rng_words at)
{
#if RNG_WIDTH == 8
  return (rng_words)_mm512_mask_i64gather_epi64(_mm512_setzero_si512(), 0xff, (__m512i)at, words, 8);
#elif RNG_WIDTH == 4
  const uint64_t *const from = words;
  return (rng_words){from[at[0]], from[at[1]], from[at[2]], from[at[3]]};
#else
  const uint64_t *const from = words;
  return (rng_words){from[at[0]], from[at[1]]};
#endif
}

/* --- tapes --- */

/* As tape_power does it, by squaring. */
RNG_INLINE rng_reals real_power(rng_reals base, double power)
{
  rng_reals result = real_both(1), square = base;
  for (int32_t left = (int32_t)fabs(power); left > 0; left /= 2) {
    if (left % 2) result *= square;
    square *= square;
  }
  if (power < 0) result = 1 / result;
  return result;
}

/* tape_apply in every lane, for what vectors have no operation for. */
static void lanes_apply(const small_op *op, const double *a, const double *b, double *out)
{
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) out[lane] = tape_apply((tape_code)op->code, a[lane], b[lane], 0);
}

/* Part k of an operation's operands and of its value. */
#define OP_A *real_at(a, k)
#define OP_B *real_at(b, k)
#define OP_C *real_at(c, k)
#define OP_CASE(code, value)                                                                                           \
  case TAPE_##code: EACH(k) * real_at(out, k) = (value); break

RNG_INLINE void op_run(const small_op *op, lockstep_state *s)
{
  double *const n = s->n[0], *const a = n + op->a, *const b = n + op->b, *const c = n + op->c, *const out = n + op->to;
  const rng_reals one = real_both(1);
  switch ((tape_code)op->code) {
    OP_CASE(ADD, OP_A + OP_B);
    OP_CASE(SUB, OP_A - OP_B);
    OP_CASE(MUL, OP_A * OP_B);
    OP_CASE(DIV, OP_A / OP_B);
    OP_CASE(NEG, -OP_A);
    OP_CASE(MIN, real_select(set_of(OP_A < OP_B), OP_A, OP_B));
    OP_CASE(MAX, real_select(set_of(OP_A > OP_B), OP_A, OP_B));
    OP_CASE(LT, real_and(one, OP_A < OP_B));
    OP_CASE(LE, real_and(one, OP_A <= OP_B));
    OP_CASE(EQ, real_and(one, OP_A == OP_B));
    OP_CASE(AND, real_and(one, (OP_A != 0) & (OP_B != 0)));
    OP_CASE(OR, real_and(one, (OP_A != 0) | (OP_B != 0)));
    OP_CASE(NOT, real_and(one, OP_A == 0));
    OP_CASE(SELECT, real_select(set_of(OP_A != 0), OP_B, OP_C));
  case TAPE_POW:
    if (!isnan(op->value)) {
      EACH(k) * real_at(out, k) = real_power(OP_A, op->value);
      break;
    }
    lanes_apply(op, a, b, out);
    break;
  default: lanes_apply(op, a, b, out); break;
  }
}

/* a of a leaf with a tape; NaN for what is no propensity. */
RNG_INLINE void tape_run(const small_net *net, lockstep_state *s, int32_t leaf)
{
  for (int32_t i = net->op_start[leaf]; i < net->op_start[leaf + 1]; i++) op_run(&net->op[i], s);
  const rng_reals zero = {0};
  EACH(k)
  {
    const rng_reals value = *real_at(s->n[0] + net->out[leaf], k);
    *real_at(s->a[leaf], k) = real_select(set_at_most(zero, value), value, real_both((double)NAN));
  }
}

/* --- propensities and sums --- */

RNG_INLINE rng_reals rate_first(const small_rate *r, lockstep_state *s, int k)
{
  return r->k * *real_at(s->n[0] + r->a, k);
}

RNG_INLINE rng_reals rate_second(const small_rate *r, lockstep_state *s, int k)
{
  return rate_first(r, s, k) * (*real_at(s->n[0] + r->b, k) + r->shift_b);
}

RNG_INLINE rng_reals rate_third(const small_rate *r, lockstep_state *s, int k)
{
  const rng_reals bound = *real_at(s->n[0] + r->d, k);
  const rng_masks open = (bound >= r->low) & (bound <= r->high);
  return real_and(rate_second(r, s, k) * (*real_at(s->n[0] + r->c, k) + r->shift_c), open);
}

/* The propensity of a leaf without a tape. */
RNG_INLINE rng_reals leaf_rate(const small_net *net, lockstep_state *s, int32_t leaf, int k)
{
  return leaf < net->quads ? rate_second(&net->rate[leaf], s, k) : rate_third(&net->rate[leaf], s, k);
}

/* Sums of the four leaves from j on, whose propensities are p (4 rows), behind those before them. */
RNG_INLINE void group_sum(lockstep_state *s, int32_t j, int k, const rng_reals p[SMALL_GROUP], rng_reals *before)
{
  const rng_reals p1 = p[0] + p[1], p2 = p1 + p[2], p3 = p2 + p[3];
  *real_at(s->c[j], k) = *before + p[0];
  *real_at(s->c[j + 1], k) = *before + p1;
  *real_at(s->c[j + 2], k) = *before + p2;
  *real_at(s->c[j + 3], k) = *before += p3;
}

/* All propensities and their sums, four leaves at a time. */
RNG_INLINE void sums_make(const small_net *net, lockstep_state *s)
{
  const rng_reals zero = {0};
  rng_reals before[PARTS];
  EACH(k) before[k] = zero;
  int32_t j = net->thirds;
  for (; j < net->leaves; j++) tape_run(net, s, j);
  for (int32_t i = 0; i < net->mixed; i++) EACH(k) * real_at(s->a[net->mix[i]], k) = leaf_rate(net, s, net->mix[i], k);
  j = 0;
  for (; j + SMALL_GROUP <= net->linear; j += SMALL_GROUP) {
    const small_rate *const r = &net->rate[j];
    EACH(k)
    {
      const rng_reals p[] = {rate_first(r, s, k), rate_first(r + 1, s, k), rate_first(r + 2, s, k),
                             rate_first(r + 3, s, k)};
      group_sum(s, j, k, p, &before[k]);
    }
  }
  for (; j + SMALL_GROUP <= net->quads; j += SMALL_GROUP) {
    const small_rate *const r = &net->rate[j];
    EACH(k)
    {
      const rng_reals p[] = {rate_second(r, s, k), rate_second(r + 1, s, k), rate_second(r + 2, s, k),
                             rate_second(r + 3, s, k)};
      group_sum(s, j, k, p, &before[k]);
    }
  }
  for (; j < net->padded; j += SMALL_GROUP) {
    EACH(k)
    {
      rng_reals p[SMALL_GROUP];
      for (int32_t i = 0; i < SMALL_GROUP; i++) {
        const small_rate *const r = &net->rate[j + i];
        p[i] = j + i < net->quads    ? rate_second(r, s, k)
               : j + i < net->thirds ? rate_third(r, s, k)
               : j + i < net->leaves ? *real_at(s->a[j + i], k)
                                     : zero;
      }
      group_sum(s, j, k, p, &before[k]);
    }
  }
}

/* --- an event --- */

/* Adds one to the counters of the leaves that fire. */
RNG_INLINE void leaves_count(const small_net *net, lockstep_state *s, const rng_words *leaf)
{
  for (int32_t word = 0; 8 * word < net->leaves; word++) {
    EACH(k) * word_at(s->packed[word], k) += rng_shifted_one((leaf[k] - (uint64_t)(8 * word)) << 3);
  }
}

/* The leaf that fires: how many sums are not beyond the point. */
RNG_INLINE void leaves_pick(const small_net *net, lockstep_state *s, const rng_reals *point)
{
  rng_words leaf[PARTS];
  EACH(k) leaf[k] = (rng_words){0};
  for (int32_t j = 0; j < net->leaves - 1; j++) {
    EACH(k) leaf[k] = count_beyond(leaf[k], point[k], *real_at(s->c[j], k));
  }
  EACH(k) * word_at(s->leaf, k) = leaf[k];
  leaves_count(net, s, leaf);
}

/* Propensities of the leaves that fire, or of their reverses: by the places of either. */
RNG_INLINE void fired_rates(lockstep_state *s, const uint64_t *place, rng_reals *out)
{
  EACH(k)
  {
    const rng_words at = words_at(place, *word_at(s->leaf, k)) + *word_at(s->lane, k);
    out[k] = (rng_reals)words_at(s->a, at);
  }
}

/* The power of two of normal numbers; they come into [1, 2). */
RNG_INLINE rng_words reals_split(rng_reals *x)
{
  const rng_words bits = (rng_words)*x, power = bits >> 52;
  *x = (rng_reals)((bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
  return power;
}

/* ratio_take of one lane. */
RNG_INLINE void ratio_take_lane(lockstep_state *s, int lane, double before, double after)
{
  ssa_ratio ratio = {s->up[lane], s->down[lane], (int64_t)s->power[lane]};
  small_ratio_take(&ratio, &s->entropy[lane], before, after);
  s->up[lane] = ratio.up;
  s->down[lane] = ratio.down;
  s->power[lane] = (uint64_t)ratio.power;
}

/* Rates before and after the event go to the ratio of every lane. */
RNG_INLINE void ratio_take(lockstep_state *s, const lane_set *idle, const rng_reals *before, const rng_reals *after)
{
  rng_reals up[PARTS], down[PARTS];
  int normal = 1;
  EACH(k)
  {
    up[k] = *real_at(s->up, k) * before[k];
    down[k] = *real_at(s->down, k) * after[k];
    const rng_reals low = real_select(set_of(up[k] < down[k]), up[k], down[k]);
    const rng_reals high = real_select(set_of(up[k] < down[k]), down[k], up[k]);
    const lane_set in = set_at_most(real_both(DBL_MIN), low) & set_at_most(high, real_both(DBL_MAX));
    normal &= set_all((lane_set)(in | idle[k]));
  }
  if (normal) {
    EACH(k)
    {
      *word_at(s->power, k) += reals_split(&up[k]) - reals_split(&down[k]);
      *real_at(s->up, k) = up[k];
      *real_at(s->down, k) = down[k];
    }
    return;
  }
  EACH(k)
  {
    for (int i = 0; i < RNG_WIDTH; i++) ratio_take_lane(s, RNG_WIDTH * k + i, before[k][i], after[k][i]);
  }
}

/* What the leaves that fire add to slot m. */
#if RNG_WIDTH == 8
RNG_INLINE rng_reals slot_step(const small_net *net, const lockstep_state *s, int32_t m, rng_words fired)
{
  const double *const by = s->by[m];
  const __m512i leaf = (__m512i)fired;
  if (net->leaves <= 8) return (rng_reals)_mm512_permutexvar_pd(leaf, _mm512_load_pd(by));
  const __m512d low = _mm512_permutex2var_pd(_mm512_load_pd(by), leaf, _mm512_load_pd(by + 8));
  if (net->leaves <= 16) return (rng_reals)low;
  const __m512d high = _mm512_permutex2var_pd(_mm512_load_pd(by + 16), leaf, _mm512_load_pd(by + 24));
  return (rng_reals)_mm512_mask_blend_pd(_mm512_cmpge_epu64_mask(leaf, _mm512_set1_epi64(16)), low, high);
}
#else
RNG_INLINE rng_reals slot_step(const small_net *net, const lockstep_state *s, int32_t m, rng_words fired)
{
  (void)s;
  rng_reals sum = {0};
  for (int32_t i = net->start[m]; i < net->start[m + 1]; i++) {
    const small_change *const change = &net->change[i];
    sum += real_and(real_both(change->by), (rng_masks)(fired == (uint64_t)change->leaf));
  }
  return sum;
}
#endif

/* Integrals until now, then the counts after the event. */
RNG_INLINE void slots_change(const small_net *net, lockstep_state *s, const rng_reals *time)
{
  for (int32_t m = 0; m < net->moving; m++) {
    EACH(k)
    {
      rng_reals *const n = real_at(s->n[m], k);
      const rng_reals x = *n, area = x * time[k];
      *real_at(s->dwell[m], k) += area;
      *real_at(s->dwell2[m], k) += x * area;
      *n = x + slot_step(net, s, m, *word_at(s->leaf, k));
    }
  }
}

/* --- the loops --- */

#define LEAST 0x1p-1074 /* above 0 */

typedef struct lane_pace { /* streams and times, in registers */
  rng_lanes stream[PARTS];
  rng_reals t[PARTS], since[PARTS], horizon[PARTS];
  lane_set idle[PARTS];
} lane_pace;

RNG_INLINE void pace_load(lane_pace *self, lockstep_state *s)
{
  EACH(k)
  {
    self->stream[k] =
        (rng_lanes){*word_at(s->hi, k), *word_at(s->lo, k), *word_at(s->inc_hi, k), *word_at(s->inc_lo, k)};
    self->t[k] = *real_at(s->t, k);
    self->since[k] = *real_at(s->since, k);
    self->horizon[k] = *real_at(s->horizon, k);
    self->idle[k] = set_idle(word_at(s->idle, k));
  }
}

RNG_INLINE void pace_leave(const lane_pace *self, lockstep_state *s)
{
  EACH(k)
  {
    *real_at(s->t, k) = self->t[k];
    *real_at(s->since, k) = self->since[k];
  }
}

/* The draws of the next event: its time, the time since integrals were last made, and the choice. False when some lane
 * cannot make the step; `stay` says which, and the streams in the state stand before the draws. */
RNG_INLINE int pace_draw(lane_pace *self, lockstep_state *s, const rng_reals *mean, rng_reals *next, rng_reals *time,
                         rng_reals *choice)
{
  lane_set stay[PARTS];
  int all = 1;
  EACH(k)
  {
    *word_at(s->hi, k) = self->stream[k].hi;
    *word_at(s->lo, k) = self->stream[k].lo;
    const rng_words waits = rng_lanes_next(&self->stream[k]), choices = rng_lanes_next(&self->stream[k]);
    const rng_reals wait = rng_minus_ln(rng_open(waits));
    choice[k] = rng_open(choices);
    next[k] = self->t[k] + wait * mean[k];
    time[k] = next[k] - self->since[k];
    const lane_set can = set_at_most(next[k], self->horizon[k]) & set_at_most(real_both(LEAST), mean[k]);
    stay[k] = (lane_set)(can | self->idle[k]);
    all &= set_all(stay[k]);
  }
  if (all) return 1;
  EACH(k)
  {
    *word_at(s->stay, k) = set_words(stay[k]);
    *real_at(s->mean, k) = mean[k];
  }
  return 0;
}

static int32_t loop_run(const small_net *net, lockstep_state *s, int32_t steps)
{
  rng_reals before[PARTS] = {0}, after[PARTS];
  lane_pace pace;
  pace_load(&pace, s);
  sums_make(net, s);
  int32_t done = 0;
  for (;; done++) {
    rng_reals mean[PARTS], next[PARTS], time[PARTS], point[PARTS];
    EACH(k) mean[k] = 1 / *real_at(s->c[net->padded - 1], k);
    const int go = pace_draw(&pace, s, mean, next, time, point) && done < steps;
    if (net->entropy && done > 0) {
      fired_rates(s, s->back, after);
      ratio_take(s, pace.idle, before, after);
    }
    if (!go) break;
    EACH(k) point[k] *= *real_at(s->c[net->padded - 1], k);
    leaves_pick(net, s, point);
    if (net->entropy) fired_rates(s, s->own, before);
    slots_change(net, s, time);
    EACH(k) pace.t[k] = pace.since[k] = next[k];
    sums_make(net, s);
  }
  pace_leave(&pace, s);
  return done;
}

/* The counts that a pause reads. */
static void rows_leave(const small_net *net, const states_table *states, lockstep_state *s)
{
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) {
    const uint64_t row = s->row[lane] / STATES_WORDS;
    for (int32_t m = 0; m < net->moving && row < STATES_MOST; m++) {
      s->n[m][lane] = states->n[row][m];
    }
  }
}

#if RNG_WIDTH == 8
#include "engine/ssa/lockstep_rows_wide.h"
#else
#include "engine/ssa/lockstep_rows.h"
#endif
