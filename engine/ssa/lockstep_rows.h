/* The loop of lockstep_run.h over rows of few states, lane by lane behind the draws. */

/* A number of the rows that part k of the lanes is on. */
#if RNG_WIDTH == 4
#define ROWS_REAL(row, k, field)                                                                                       \
  ((rng_reals){(row)[4 * (k)]->field, (row)[4 * (k) + 1]->field, (row)[4 * (k) + 2]->field, (row)[4 * (k) + 3]->field})
#else
#define ROWS_REAL(row, k, field) ((rng_reals){(row)[2 * (k)]->field, (row)[2 * (k) + 1]->field})
#endif

/* One lane: integrals, unless they are made for all lanes at once, counter, and the row after the event. */
RNG_INLINE const states_row *row_step(const states_table *states, const states_row *row, lockstep_state *s,
                                      states_kind kind, int lane, double choice, double time)
{
  const states_after after = row->after[states_pick(row, choice)];
  if (kind == STATES_ONE) s->dwell[row->filled[0]][lane] += time;
  for (int i = 0; kind == STATES_ANY && i < STATES_FILLED; i++) {
    const double area = row->x[i] * time;
    s->dwell[row->filled[i]][lane] += area;
    s->dwell2[row->filled[i]][lane] += row->x[i] * area;
  }
  s->fired[after.leaf][lane]++;
  return states_at(states, after.next);
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
  const states_row *row[LOCKSTEP_LANES];
  _Alignas(64) lockstep_row choices, times;
  lane_pace pace;
  pace_load(&pace, s);
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) row[lane] = states_at(states, (int32_t)s->row[lane]);
  for (int32_t j = 0; j < net->leaves; j++) memset(s->fired[j], 0, sizeof s->fired[j]);
  int32_t done = 0;
  for (;; done++) {
    rng_reals mean[PARTS], next[PARTS], time[PARTS], choice[PARTS];
    EACH(k) mean[k] = ROWS_REAL(row, k, mean);
    if (!pace_draw(&pace, s, mean, next, time, choice) || done == steps) break;
    EACH(k)
    {
      *real_at(choices, k) = choice[k];
      *real_at(times, k) = time[k];
      pace.t[k] = pace.since[k] = next[k];
    }
    if (kind == STATES_TWO) rows_integrate(s, row, time);
    for (int lane = 0; lane < LOCKSTEP_LANES; lane++) {
      row[lane] = row_step(states, row[lane], s, kind, lane, choices[lane], times[lane]);
    }
  }
  for (int lane = 0; lane < LOCKSTEP_LANES; lane++) {
    s->row[lane] = (uint64_t)((const double *)(const void *)row[lane] - (const double *)(const void *)states->row);
    for (int32_t j = 0; j < net->leaves; j++) s->packed[j / 8][lane] += s->fired[j][lane] << 8 * (j % 8);
  }
  if (kind == STATES_ONE) memcpy(s->dwell2, s->dwell, (size_t)net->moving * sizeof *s->dwell);
  rows_leave(net, states, s);
  pace_leave(&pace, s);
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
