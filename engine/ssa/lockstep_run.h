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

RNG_INLINE rng_reals real_select(rng_masks mask, rng_reals a, rng_reals b)
{
  return (rng_reals)((mask & (rng_masks)a) | (~mask & (rng_masks)b));
}

RNG_INLINE rng_reals real_both(double x)
{
  return x - (rng_reals){0};
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
    OP_CASE(MIN, real_select(OP_A < OP_B, OP_A, OP_B));
    OP_CASE(MAX, real_select(OP_A > OP_B, OP_A, OP_B));
    OP_CASE(LT, real_and(one, OP_A < OP_B));
    OP_CASE(LE, real_and(one, OP_A <= OP_B));
    OP_CASE(EQ, real_and(one, OP_A == OP_B));
    OP_CASE(AND, real_and(one, (OP_A != 0) & (OP_B != 0)));
    OP_CASE(OR, real_and(one, (OP_A != 0) | (OP_B != 0)));
    OP_CASE(NOT, real_and(one, OP_A == 0));
    OP_CASE(SELECT, real_select(OP_A != 0, OP_B, OP_C));
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
  EACH(k)
  {
    const rng_reals value = *real_at(s->n[0] + s->out[leaf], k);
    *real_at(s->a[leaf], k) = real_select(value >= 0, value, real_both((double)NAN));
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

/* fired[j]: lanes whose point lies beyond the sum before leaf j and not beyond its own. A lane without open leaves
 * fires none. Adds one to the counter of the leaf. */
RNG_INLINE void leaves_pick(const small_net *net, lockstep_state *s, const rng_reals *point)
{
  rng_masks beyond[PARTS], index[PARTS];
  EACH(k)
  {
    beyond[k] = (rng_masks){0} - 1;
    index[k] = (rng_masks){0};
  }
  for (int32_t j = 0; j < net->leaves; j++) {
    EACH(k)
    {
      const rng_masks now = point[k] >= *real_at(s->c[j], k);
      *word_at(s->fired[j], k) = (rng_words)(beyond[k] & ~now);
      index[k] -= now;
      beyond[k] = now;
    }
  }
  for (int32_t word = 0; 8 * word < net->leaves; word++) {
    EACH(k) * word_at(s->packed[word], k) += rng_shifted_one((rng_words)(index[k] - 8 * word) << 3);
  }
}

/* The propensity of a leaf, whatever its kind. */
RNG_INLINE rng_reals leaf_rate(const small_net *net, lockstep_state *s, int32_t leaf, int k)
{
  return leaf < net->quads    ? rate_second(&net->rate[leaf], s, k)
         : leaf < net->thirds ? rate_third(&net->rate[leaf], s, k)
                              : *real_at(s->a[leaf], k);
}

/* Where a leaf with a reverse fires: its propensity, or that of its reverse; elsewhere 1. */
static void fired_rates(const small_net *net, lockstep_state *s, int back, double *out)
{
  EACH(k) * real_at(out, k) = real_both(1);
  for (int32_t j = 0; j < net->leaves; j++) {
    if (net->reverse[j] < 0) continue;
    EACH(k)
    {
      const rng_reals rate = leaf_rate(net, s, back ? net->reverse[j] : j, k);
      *real_at(out, k) = real_select((rng_masks)*word_at(s->fired[j], k), rate, *real_at(out, k));
    }
  }
}

/* ln(before / after) of every lane goes to its entropy; rng_minus_ln is for normal numbers. */
static void entropy_add(lockstep_state *s, double *before, double *after)
{
  rng_masks normal = (rng_masks){0} - 1;
  EACH(k)
  {
    const rng_reals ratio = *real_at(before, k) / *real_at(after, k);
    normal &= (ratio >= DBL_MIN) & (ratio <= DBL_MAX);
    *real_at(before, k) = ratio;
  }
  if (rng_all(normal)) {
    EACH(k) * real_at(s->entropy, k) -= rng_minus_ln(*real_at(before, k));
    return;
  }
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) s->entropy[lane] += rng_ln(before[lane]);
}

/* Integrals until now, then the counts after the event. */
RNG_INLINE void slots_change(const small_net *net, lockstep_state *s, const rng_reals *time)
{
  for (int32_t m = 0; m < net->moving; m++) {
    double *const row = s->n[m];
    rng_reals x[PARTS];
    EACH(k)
    {
      x[k] = *real_at(row, k);
      const rng_reals area = x[k] * time[k];
      *real_at(s->dwell[m], k) += area;
      *real_at(s->dwell2[m], k) += x[k] * area;
    }
    for (int32_t i = net->start[m]; i < net->start[m + 1]; i++) {
      const small_change *const change = &net->change[i];
      EACH(k) x[k] += real_and(change->by - (rng_reals){0}, (rng_masks)*word_at(s->fired[0] + change->leaf, k));
    }
    EACH(k) * real_at(row, k) = x[k];
  }
}

/* --- the loops --- */

typedef struct lane_pace { /* streams and times, in registers */
  rng_lanes stream[PARTS];
  rng_reals t[PARTS], since[PARTS];
} lane_pace;

RNG_INLINE void pace_load(lane_pace *self, lockstep_state *s)
{
  EACH(k)
  {
    self->stream[k] =
        (rng_lanes){*word_at(s->hi, k), *word_at(s->lo, k), *word_at(s->inc_hi, k), *word_at(s->inc_lo, k)};
    self->t[k] = *real_at(s->t, k);
    self->since[k] = *real_at(s->since, k);
  }
}

RNG_INLINE void pace_store(const lane_pace *self, lockstep_state *s)
{
  EACH(k)
  {
    *real_at(s->t, k) = self->t[k];
    *real_at(s->since, k) = self->since[k];
    *word_at(s->hi, k) = self->stream[k].hi;
    *word_at(s->lo, k) = self->stream[k].lo;
  }
}

/* The time of the next event, the time since integrals were last made, and the choice, from the totals.
 * False when some lane cannot make the step; `stay` says which. */
RNG_INLINE int pace_draw(lane_pace *self, lockstep_state *s, const rng_reals *total, rng_reals *next, rng_reals *time,
                         rng_reals *choice)
{
  rng_masks all = (rng_masks){0} - 1;
  EACH(k)
  {
    const rng_reals wait = rng_minus_ln(rng_open(rng_lanes_next(&self->stream[k])));
    choice[k] = rng_open(rng_lanes_next(&self->stream[k]));
    next[k] = self->t[k] + wait / total[k];
    time[k] = next[k] - self->since[k];
    const rng_masks can = (next[k] <= *real_at(s->horizon, k)) & (total[k] <= DBL_MAX);
    const rng_masks stay = can | (rng_masks)*word_at(s->idle, k);
    *word_at(s->stay, k) = (rng_words)stay;
    all &= stay;
  }
  return rng_all(all);
}

static int32_t loop_run(const small_net *net, lockstep_state *s, int32_t steps)
{
  _Alignas(64) lockstep_row before, after;
  lane_pace pace;
  pace_load(&pace, s);
  sums_make(net, s);
  int32_t done = 0;
  for (;; done++) {
    rng_reals total[PARTS], next[PARTS], time[PARTS], point[PARTS];
    EACH(k) total[k] = *real_at(s->c[net->padded - 1], k);
    if (!pace_draw(&pace, s, total, next, time, point) || done == steps) break;
    EACH(k) point[k] *= total[k];
    leaves_pick(net, s, point);
    if (net->entropy) fired_rates(net, s, 0, before);
    slots_change(net, s, time);
    EACH(k) pace.t[k] = pace.since[k] = next[k];
    sums_make(net, s);
    if (net->entropy) {
      fired_rates(net, s, 1, after);
      entropy_add(s, before, after);
    }
  }
  pace_store(&pace, s);
  return done;
}

/* What a pause reads: counts, the last sum, and the counters. */
static void rows_leave(const small_net *net, const states_table *states, lockstep_state *s)
{
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) {
    const int32_t row = s->row[lane];
    s->c[net->padded - 1][lane] = states->row[row].total;
    for (int32_t m = 0; m < net->moving && row < STATES_MOST; m++) {
      s->n[m][lane] = states->n[row][m];
    }
    for (int32_t j = 0; j < net->leaves; j++) s->packed[j / 8][lane] += s->fired[j][lane] << 8 * (j % 8);
  }
}

/* A number of the rows that the lanes of part k are on. */
#if RNG_WIDTH == 8
#define ROWS_REAL(row, k, field)                                                                                       \
  ((rng_reals){(row)[0]->field, (row)[1]->field, (row)[2]->field, (row)[3]->field, (row)[4]->field, (row)[5]->field,   \
               (row)[6]->field, (row)[7]->field})
#elif RNG_WIDTH == 4
#define ROWS_REAL(row, k, field)                                                                                       \
  ((rng_reals){(row)[4 * (k)]->field, (row)[4 * (k) + 1]->field, (row)[4 * (k) + 2]->field, (row)[4 * (k) + 3]->field})
#else
#define ROWS_REAL(row, k, field) ((rng_reals){(row)[2 * (k)]->field, (row)[2 * (k) + 1]->field})
#endif

/* One lane: integrals, unless they are made for all lanes at once, counter, and the row after the event. */
RNG_INLINE const states_row *row_step(const states_row *rows, const states_row *row, lockstep_state *s,
                                      states_kind kind, int lane, double choice, double time)
{
  const int32_t open = states_pick(row, choice);
  if (kind == STATES_ONE) s->dwell[row->filled[0]][lane] += time;
  for (int i = 0; kind == STATES_ANY && i < STATES_FILLED; i++) {
    const double area = row->x[i] * time;
    s->dwell[row->filled[i]][lane] += area;
    s->dwell2[row->filled[i]][lane] += row->x[i] * area;
  }
  s->fired[row->leaf[open]][lane]++;
  return rows + row->next[open];
}

/* Integrals of the two slots of STATES_TWO. */
RNG_INLINE void rows_integrate(lockstep_state *s, const states_row *const *row, const rng_reals *time)
{
  for (int m = 0; m < STATES_FILLED; m++) {
    EACH(k)
    {
      const rng_reals x = ROWS_REAL(row, k, x[m]), area = x * time[k];
      *real_at(s->dwell[m], k) += area;
      *real_at(s->dwell2[m], k) += x * area;
    }
  }
}

RNG_INLINE int32_t rows_run(const small_net *net, const states_table *states, lockstep_state *s, int32_t steps,
                            states_kind kind)
{
  const states_row *const rows = states->row, *row[LOCKSTEP_LANES];
  _Alignas(64) lockstep_row choices, times;
  lane_pace pace;
  pace_load(&pace, s);
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) row[lane] = rows + s->row[lane];
  for (int32_t j = 0; j < net->leaves; j++) memset(s->fired[j], 0, sizeof s->fired[j]);
  int32_t done = 0;
  for (;; done++) {
    rng_reals total[PARTS], next[PARTS], time[PARTS], choice[PARTS];
    EACH(k) total[k] = ROWS_REAL(row, k, total);
    if (!pace_draw(&pace, s, total, next, time, choice) || done == steps) break;
    EACH(k)
    {
      *real_at(choices, k) = choice[k];
      *real_at(times, k) = time[k];
      pace.t[k] = pace.since[k] = next[k];
    }
    if (kind == STATES_TWO) rows_integrate(s, row, time);
    for (int lane = 0; lane < LOCKSTEP_LANES; lane++) {
      row[lane] = row_step(rows, row[lane], s, kind, lane, choices[lane], times[lane]);
    }
  }
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) s->row[lane] = (int32_t)(row[lane] - rows);
  if (kind == STATES_ONE) memcpy(s->dwell2, s->dwell, (size_t)net->moving * sizeof *s->dwell);
  rows_leave(net, states, s);
  pace_store(&pace, s);
  return done;
}

static int32_t loop_rows(const small_net *net, const states_table *states, lockstep_state *s, int32_t steps)
{
  if (states->kind == STATES_TWO) return rows_run(net, states, s, steps, STATES_TWO);
  if (states->kind == STATES_ONE && memcmp(s->dwell, s->dwell2, (size_t)net->moving * sizeof *s->dwell) == 0) {
    return rows_run(net, states, s, steps, STATES_ONE);
  }
  return rows_run(net, states, s, steps, STATES_ANY);
}
