/* The loop of lockstep_run.h over rows of few states by AVX-512: all lanes look up at once, and nothing is written lane
 * by lane, for look-ups would wait for such stores. */

/* A field of the rows that part k of the lanes is on. */
#define ROW_FIELD(field, k) words_at(&states->row[0].field, row[k])

/* Where the lanes are: the words of their rows, and these rows' numbers. */
typedef struct rows_place {
  rng_words row[PARTS], number[PARTS];
} rows_place;

/* One more where the choice is not below that of the d-th open leaf. */
RNG_INLINE rng_words rows_beyond(const states_table *states, const rows_place *at, int d, int k, rng_reals choice,
                                 bool few, rng_words count)
{
  const rng_words *const row = at->row;
  const rng_words least = few ? (rng_words)rng_ranges((const double *)(const void *)states->least[d], at->number[k])
                              : ROW_FIELD(least[d], k);
  return (rng_words)_mm512_mask_add_epi64((__m512i)count, _mm512_cmpge_epi64_mask((__m512i)choice, (__m512i)least),
                                          (__m512i)count, _mm512_set1_epi64(1));
}

/* What the choices lead to: states_pick of every lane. */
RNG_INLINE rng_words rows_after(const states_table *states, const rows_place *at, int k, rng_reals choice, bool more,
                                bool few)
{
  rng_words word = rows_beyond(states, at, 0, k, choice, few, at->row[k]);
  if (more) {
    word = rows_beyond(states, at, 1, k, choice, few, word);
    word = rows_beyond(states, at, 2, k, choice, few, word);
  }
  return words_at(&states->row[0].after[0], word);
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
                            states_kind kind, bool more, bool few)
{
  rows_place at;
  rng_words *const row = at.row, filled[PARTS];
  rng_reals x[STATES_FILLED][PARTS], dwell[STATES_FILLED][PARTS], dwell2[STATES_FILLED][PARTS];
  lane_pace pace;
  pace_load(&pace, s);
  EACH(k)
  {
    row[k] = *word_at(s->row, k);
    for (int lane = 0; lane < RNG_WIDTH; lane++) at.number[k][lane] = row[k][lane] / STATES_WORDS;
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
    EACH(k) mean[k] = few ? rng_ranges(states->mean, at.number[k]) : (rng_reals)ROW_FIELD(mean, k);
    if (!pace_draw(&pace, s, mean, next, time, choice) || done == steps) break;
    EACH(k)
    {
      for (int m = 0; kind == STATES_TWO && m < STATES_FILLED; m++) {
        const rng_reals area = x[m][k] * time[k];
        dwell[m][k] += area;
        dwell2[m][k] += x[m][k] * area;
      }
      const rng_words to = rows_after(states, &at, k, choice[k], more, few);
      if (kind == STATES_ANY) rows_integrate(net, states, s, row, k, time[k]);
      row[k] = to & UINT16_MAX;
      at.number[k] = to >> 16 & UINT16_MAX;
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

#define ROWS_RUN(kind)                                                                                                 \
  (few    ? rows_run(net, states, s, steps, kind, true, true)                                                          \
   : more ? rows_run(net, states, s, steps, kind, true, false)                                                         \
          : rows_run(net, states, s, steps, kind, false, false))

static int32_t loop_rows(const small_net *net, const states_table *states, lockstep_state *s, int32_t steps)
{
  const bool more = states->open > 2, few = states->rows <= STATES_FEW;
  if (states->kind == STATES_TWO) return ROWS_RUN(STATES_TWO);
  if (states->kind == STATES_ONE && memcmp(s->dwell, s->dwell2, (size_t)net->moving * sizeof *s->dwell) == 0) {
    if (few && !more) return rows_run(net, states, s, steps, STATES_ONE, false, true);
    return ROWS_RUN(STATES_ONE);
  }
  return rows_run(net, states, s, steps, STATES_ANY, true, false);
}
