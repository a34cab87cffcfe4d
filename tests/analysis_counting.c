/* Windows of time however a trajectory is cut into chunks: their numbers, sums and products at every length against
 * differences of what had happened by their borders, for dumps of level events and flux, with a chunk that is missing.
 * A chunk has parts of windows, a few windows, or thousands. */
#include "analysis/analysis.h"
#include "analysis_build.h"
#include "engine/rng/rng.h"

enum { EVENTS = 60000, GRID = 4096, STATES = 5, ROOM = 1 + 2 * STATES };

#define START 8.0
#define END 64.0

typedef struct path_data {
  ness_network *net;
  double time[EVENTS];
  int32_t dir[EVENTS];
  int64_t n[EVENTS + 1][STATES];     /* before each event */
  double past[GRID + 1][2 * STATES]; /* net counts and integrals from the start to each border */
  int64_t row_n[GRID][STATES], fwd[GRID][STATES], bwd[GRID][STATES]; /* of a flux dump */
  double row_time[GRID], row_dwell[GRID][STATES];
} path_data;

static path_data walk;

/* Three molecules in a ring, which jump at even times. */
static void walk_make(uint64_t seed)
{
  rng_stream r;
  rng_init(&r, seed, 0, 0);
  walk.net = ring(STATES, 1, 1, 3);
  walk.n[0][0] = 3;
  const double window = (END - START) / GRID;
  double net[STATES] = {0}, dwell[STATES] = {0}, t = START;
  int64_t border = 1;
  for (int64_t k = 0; k <= EVENTS; k++) {
    const double next = k < EVENTS ? START + (END - START) * ((double)k + 0.5) / EVENTS : INFINITY;
    for (; border <= GRID && START + window * (double)border < next; border++) {
      const double at = START + window * (double)border;
      for (int i = 0; i < STATES; i++) dwell[i] += (double)walk.n[k][i] * (at - t);
      t = at;
      walk.row_time[border - 1] = at;
      for (int i = 0; i < STATES; i++) {
        walk.past[border][i] = net[i];
        walk.past[border][STATES + i] = dwell[i];
        walk.row_n[border - 1][i] = walk.n[k][i];
        walk.row_dwell[border - 1][i] = dwell[i] - walk.past[border - 1][STATES + i];
      }
    }
    if (k == EVENTS) break;
    int32_t from = (int32_t)(rng_double(&r) * STATES);
    while (walk.n[k][from] == 0) from = (from + 1) % STATES;
    const bool up = rng_double(&r) < 0.7;
    const int32_t step = up ? from : (from + STATES - 1) % STATES, to = up ? (from + 1) % STATES : step;
    for (int i = 0; i < STATES; i++) dwell[i] += (double)walk.n[k][i] * (next - t);
    memcpy(walk.n[k + 1], walk.n[k], sizeof walk.n[k]);
    walk.n[k + 1][from]--;
    walk.n[k + 1][to]++;
    walk.time[k] = t = next;
    walk.dir[k] = 2 * step + !up;
    net[step] += up ? 1 : -1;
    (up ? walk.fwd : walk.bwd)[border - 1][step]++;
  }
}

/* Adds up, over the windows of a level that do not touch the gap, what counting keeps. */
static void expect(const counting *counted, int32_t level, double gap_from, double gap_to, double *out)
{
  const int64_t by = INT64_C(1) << level;
  int64_t count = 0;
  for (int64_t k = 0; (k + 1) * by <= GRID; k++) {
    const double window = (END - START) / GRID, from = START + window * (double)(k * by),
                 to = from + window * (double)by;
    if (from < gap_to && to > gap_from) continue;
    double x[2 * STATES];
    for (int i = 0; i < 2 * STATES; i++) x[i] = walk.past[(k + 1) * by][i] - walk.past[k * by][i];
    count++;
    for (int i = 0; i < 2 * STATES; i++) out[1 + i] += x[i];
    for (int i = 0; i < STATES; i++)
      for (int j = 0; j <= i; j++) out[counting_product(counted, i, j)] += x[i] * x[j];
    for (int i = 0; i < STATES; i++) out[counting_square(counted, i)] += x[STATES + i] * x[STATES + i];
  }
  out[0] = (double)count;
}

static void compare(const counting *counted, int32_t batches, double gap_from, double gap_to)
{
  CHECK(counted->levels == 13 && counted->forms == STATES && counted->slots == STATES && counted->width < 64);
  for (int32_t level = 0; level < counted->levels; level++) {
    double want[64] = {0}, have[64] = {0};
    expect(counted, level, gap_from, gap_to, want);
    for (int32_t b = 0; b < batches; b++)
      for (int32_t c = 0; c < counted->width; c++) have[c] += counting_row(counted, level, b)[c];
    for (int32_t c = 0; c < counted->width; c++) CHECK_NEAR(have[c], want[c], 1e-9 * (1 + fabs(want[c])));
  }
}

/* Rows from ... to - 1 as a chunk of the level. */
static dump_chunk cut(int32_t level, int64_t from, int64_t to)
{
  const bool events = level == DUMP_EVENTS;
  const double *const time = events ? walk.time : walk.row_time;
  dump_chunk chunk = {
      .rows = to - from, .row_time = time + from, .t0 = from ? time[from - 1] : START, .t1 = time[to - 1]};
  if (events) {
    chunk.n0 = walk.n[from];
    chunk.row_dir_stored = walk.dir + from;
    chunk.row_dir_bytes = 4;
    chunk.events = chunk.rows;
    if (to == EVENTS) chunk.t1 = END;
    return chunk;
  }
  chunk.n0 = from ? walk.row_n[from - 1] : walk.n[0];
  chunk.row_fwd = walk.fwd[from];
  chunk.row_bwd = walk.bwd[from];
  chunk.row_dwell = walk.row_dwell[from];
  return chunk;
}

/* Chunks of up to `most` rows; one of them is missing where `gap`. */
static void chunked(int32_t level, int64_t most, bool gap, uint64_t seed)
{
  const int64_t rows = level == DUMP_EVENTS ? EVENTS : GRID;
  const dump_run run = {.level = level, .replicas = 1, .time = END, .warmup = START, .window = (END - START) / GRID};
  tally_plan plan;
  counting *counted = NULL;
  counting_rows work = {0};
  const char *why = NULL;
  double gap_from = INFINITY, gap_to = -INFINITY;
  rng_stream r;
  rng_init(&r, seed, 0, 1);
  CHECK(tally_plan_init(&plan, walk.net, &run) == NESS_OK);
  CHECK(counting_create(&plan, &counted, &why) == NESS_OK && counted);
  for (int64_t from = 0, to, k = 0; from < rows; from = to, k++) {
    to = from + 1 + (int64_t)(rng_double(&r) * (double)most);
    to = to < rows ? to : rows;
    dump_chunk chunk = cut(level, from, to);
    chunk.index = k;
    chunk.last = to == rows;
    if (gap && gap_to < 0 && from > rows / 3) {
      gap_from = chunk.t0;
      gap_to = chunk.t1;
      continue;
    }
    CHECK(counting_chunk(counted, &chunk, &work) == NESS_OK);
    CHECK(counting_fold(counted, &chunk, &work) == NESS_OK);
  }
  compare(counted, plan.batches, gap_from, gap_to);
  counting_rows_free(&work);
  counting_free(counted);
  tally_plan_free(&plan);
}

int main(void)
{
  walk_make(3);
  for (int gap = 0; gap < 2; gap++) {
    for (int64_t most = 3; most < 2 * EVENTS; most *= 6) {
      chunked(DUMP_EVENTS, most, gap, 1);
      chunked(DUMP_FLUX, most, gap, 2);
    }
  }
  network_free(walk.net);
  return check_done();
}
