/* The loop of lockstep_run.h over rows of few states by AVX-512: all lanes look up at once, and nothing is written lane
 * by lane, for look-ups would wait for such stores. */
/* A field of the rows that part k of the lanes is on. */
#define ROW_FIELD(field, k) words_at(&states->row[0].field, row[k])

/* states_pick of every lane. */
RNG_INLINE rng_words rows_pick(const states_table *states, const rng_words *row, int k, rng_reals choice, bool more)
{
  rng_words open = (rng_words)((rng_masks)choice >= (rng_masks)ROW_FIELD(least[0], k));
  if (more) {
    open += (rng_words)((rng_masks)choice >= (rng_masks)ROW_FIELD(least[1], k));
    open += (rng_words)((rng_masks)choice >= (rng_masks)ROW_FIELD(least[2], k));
  }
  return -open;
}

/* Adds in the lanes whose slot is m. */
RNG_INLINE void slot_add(double *row, int k, rng_words slot, int32_t m, rng_reals x)
{
  rng_reals *const sum = real_at(row, k);
  *sum = (rng_reals)_mm512_mask_add_pd((__m512d)*sum, set_equal(slot, (uint64_t)m), (__m512d)*sum, (__m512d)x);
}

/* Integrals of the slots that the rows fill. */
RNG_INLINE void rows_integrate(const small_net *net, const states_table *states, lockstep_state *s,
                               const rng_words *row, int k, rng_reals time)
{
  const rng_words filled = ROW_FIELD(filled, k);
  for (int i = 0; i < STATES_FILLED; i++) {
    const rng_words slot = filled >> 32 * i & UINT32_MAX;
    const rng_reals x = (rng_reals)ROW_FIELD(x[i], k), area = x * time;
    for (int32_t m = 0; m < net->moving; m++) {
      slot_add(s->dwell[m], k, slot, m, area);
      slot_add(s->dwell2[m], k, slot, m, x * area);
    }
  }
}

RNG_INLINE int32_t rows_run(const small_net *net, const states_table *states, lockstep_state *s, int32_t steps,
                            states_kind kind, bool more)
{
  rng_words row[PARTS], filled[PARTS];
  rng_reals x[STATES_FILLED][PARTS], dwell[STATES_FILLED][PARTS], dwell2[STATES_FILLED][PARTS];
  lane_pace pace;
  pace_load(&pace, s);
  EACH(k)
  {
    row[k] = *word_at(s->row, k);
    filled[k] = ROW_FIELD(filled, k) & UINT32_MAX;
    for (int m = 0; kind == STATES_TWO && m < STATES_FILLED; m++) {
      x[m][k] = (rng_reals)ROW_FIELD(x[m], k);
      dwell[m][k] = *real_at(s->dwell[m], k);
      dwell2[m][k] = *real_at(s->dwell2[m], k);
    }
  }
  int32_t done = 0;
  for (;; done++) {
    rng_reals mean[PARTS], next[PARTS], time[PARTS], choice[PARTS];
    rng_words leaf[PARTS];
    EACH(k) mean[k] = (rng_reals)ROW_FIELD(mean, k);
    if (!pace_draw(&pace, s, mean, next, time, choice) || done == steps) break;
    EACH(k)
    {
      for (int m = 0; kind == STATES_TWO && m < STATES_FILLED; m++) {
        const rng_reals area = x[m][k] * time[k];
        dwell[m][k] += area;
        dwell2[m][k] += x[m][k] * area;
      }
      const rng_words to = words_at(&states->row[0].after[0], row[k] + rows_pick(states, row, k, choice[k], more));
      if (kind == STATES_ANY) rows_integrate(net, states, s, row, k, time[k]);
      row[k] = to & UINT32_MAX;
      leaf[k] = to >> 32 & UINT16_MAX;
      for (int32_t m = 0; kind == STATES_TWO && m < STATES_FILLED; m++) x[m][k] += slot_step(net, s, m, leaf[k]);
      for (int32_t m = 0; kind == STATES_ONE && m < net->moving; m++) slot_add(s->dwell[m], k, filled[k], m, time[k]);
      filled[k] = to >> 48;
      pace.t[k] = pace.since[k] = next[k];
    }
    leaves_count(net, s, leaf);
  }
  EACH(k)
  {
    *word_at(s->row, k) = row[k];
    for (int m = 0; kind == STATES_TWO && m < STATES_FILLED; m++) {
      *real_at(s->dwell[m], k) = dwell[m][k];
      *real_at(s->dwell2[m], k) = dwell2[m][k];
    }
  }
  if (kind == STATES_ONE) memcpy(s->dwell2, s->dwell, (size_t)net->moving * sizeof *s->dwell);
  rows_leave(net, states, s);
  pace_leave(&pace, s);
  return done;
}

static int32_t loop_rows(const small_net *net, const states_table *states, lockstep_state *s, int32_t steps)
{
  const bool more = states->open > 2;
  if (states->kind == STATES_TWO) {
    return more ? rows_run(net, states, s, steps, STATES_TWO, true)
                : rows_run(net, states, s, steps, STATES_TWO, false);
  }
  if (states->kind == STATES_ONE && memcmp(s->dwell, s->dwell2, (size_t)net->moving * sizeof *s->dwell) == 0) {
    return more ? rows_run(net, states, s, steps, STATES_ONE, true)
                : rows_run(net, states, s, steps, STATES_ONE, false);
  }
  return rows_run(net, states, s, steps, STATES_ANY, true);
}
