/* Sums of lines of a spectrum against the C library's sine and cosine, event by event, and all instruction sets bit for
 * bit. */
#include "analysis/spectra_lines.h"
#include "check.h"
#include "engine/base/simd.h"

#include <stdbool.h>

#define ROWS 3
#define BATCHES 40
#define EVENTS (BATCHES * LINES_BATCH)
#define TURN 6.283185307179586

static double turn[EVENTS], weight[EVENTS][ROWS];

/* Batches of every size, whose turns are drawn from 0 to 1/2 with both ends. */
static void batches_sum(bool weighed, lines_sum *out)
{
  lines_batch batch = {.count = 0};
  const double *by[LINES_BATCH];
  memset(out, 0, ROWS * sizeof *out);
  for (int e = 0; e < EVENTS; e++) {
    by[batch.count] = weight[e];
    batch.turn[batch.count] = turn[e];
    batch.row[batch.count++] = e % ROWS;
    if (batch.count < 1 + e / LINES_BATCH && e + 1 < EVENTS) continue;
    if (weighed) lines_weigh(&batch, by, ROWS, out);
    else lines_add(&batch, out);
    CHECK(batch.count == 0);
  }
}

static void one_by_one(void)
{
  double worst = 0;
  for (int e = 0; e < EVENTS; e++) {
    lines_batch batch = {.turn = {turn[e]}, .row = {1}, .count = 1};
    lines_sum one[ROWS] = {{{0}, {0}}};
    lines_add(&batch, one);
    for (int k = 0; k < LINES_COUNT; k++) {
      const double angle = TURN * turn[e] * (LINES_FIRST + k); /* rounded itself to 1e-14 */
      worst = fmax(worst, fmax(fabs(one[1].re[k] - cos(angle)), fabs(one[1].im[k] + sin(angle))));
      CHECK(one[0].re[k] == 0 && one[2].im[k] == 0);
    }
  }
  printf("largest error of a line: %.2g\n", worst);
  CHECK(worst < 1e-13);
}

static void together(void)
{
  static double exact[2][ROWS][2][LINES_COUNT];
  for (int e = 0; e < EVENTS; e++)
    for (int k = 0; k < LINES_COUNT; k++)
      for (int w = 0; w < ROWS; w++) {
        const double angle = TURN * turn[e] * (LINES_FIRST + k), by[2] = {e % ROWS == w, weight[e][w]};
        for (int weighed = 0; weighed < 2; weighed++) {
          exact[weighed][w][0][k] += by[weighed] * cos(angle);
          exact[weighed][w][1][k] -= by[weighed] * sin(angle);
        }
      }
  for (int weighed = 0; weighed < 2; weighed++) {
    lines_sum plain[ROWS], other[ROWS];
    simd_limit(SIMD_PLAIN);
    batches_sum(weighed, plain);
    for (int level = SIMD_AVX2; level < SIMD_LEVELS; level++) {
      simd_limit((simd_level)level);
      batches_sum(weighed, other);
      CHECK(memcmp(plain, other, sizeof plain) == 0);
    }
    for (int w = 0; w < ROWS; w++)
      for (int k = 0; k < LINES_COUNT; k++) {
        CHECK(fabs(plain[w].re[k] - exact[weighed][w][0][k]) < 1e-10);
        CHECK(fabs(plain[w].im[k] - exact[weighed][w][1][k]) < 1e-10);
      }
  }
}

int main(void)
{
  uint64_t r = 7;
  for (int e = 0; e < EVENTS; e++) {
    r = r * UINT64_C(6364136223846793005) + 1442695040888963407;
    turn[e] = e < 2 ? 0.5 * e : 0.5 * (double)(r >> 11) * 0x1p-53;
    for (int w = 0; w < ROWS; w++) weight[e][w] = (double)(e % 7) - 3 * w;
  }
  one_by_one();
  together();
  return check_done();
}
