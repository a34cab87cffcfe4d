/* The one assertion header of the unit tests: a test file is a program whose main() runs its cases and returns
 * check_done(). A failed check prints where and what, and the program goes on, so that one run shows every failure. */
#ifndef NESS_TESTS_CHECK_H
#define NESS_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int check_failures;
static int check_count;

#define CHECK(cond)                                                                                                    \
  do {                                                                                                                 \
    check_count++;                                                                                                     \
    if (!(cond)) {                                                                                                     \
      check_failures++;                                                                                                \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                                               \
    }                                                                                                                  \
  } while (0)

/* |a - b| <= tol * max(1, |b|): absolute near zero, relative beyond one. */
#define CHECK_NEAR(a, b, tol)                                                                                          \
  do {                                                                                                                 \
    const double check_a = (a), check_b = (b);                                                                         \
    check_count++;                                                                                                     \
    if (!(fabs(check_a - check_b) <= (tol)*fmax(1.0, fabs(check_b)))) {                                                \
      check_failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s = %.17g, expected %.17g (tolerance %g)\n", __FILE__, __LINE__, #a, check_a, check_b,  \
              (double)(tol));                                                                                          \
    }                                                                                                                  \
  } while (0)

/* Purely relative: |a - b| <= tol * |b|. */
#define CHECK_REL(a, b, tol)                                                                                           \
  do {                                                                                                                 \
    const double check_a = (a), check_b = (b);                                                                         \
    check_count++;                                                                                                     \
    if (!(fabs(check_a - check_b) <= (tol)*fabs(check_b))) {                                                           \
      check_failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s = %.17g, expected %.17g (relative tolerance %g)\n", __FILE__, __LINE__, #a, check_a,  \
              check_b, (double)(tol));                                                                                 \
    }                                                                                                                  \
  } while (0)

#define CHECK_STR(a, b)                                                                                                \
  do {                                                                                                                 \
    const char *check_a = (a), *check_b = (b);                                                                         \
    check_count++;                                                                                                     \
    if (!check_a || strcmp(check_a, check_b) != 0) {                                                                   \
      check_failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s = \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #a, check_a ? check_a : "(null)",   \
              check_b);                                                                                                \
    }                                                                                                                  \
  } while (0)

static inline int check_done(void)
{
  printf("%d checks, %d failed\n", check_count, check_failures);
  return check_failures != 0;
}

#endif
