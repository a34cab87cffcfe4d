/* Inside the room: networks so small that all propensities fit into registers and nearest memory. They are simulated
 * without a branch that depends on chance, by one replica at a time (small.c) or by several in step (lockstep.h), with
 * the same bits.
 *
 * An event, with leaves j = 0 ... L-1 (open directions) of propensity a_j and two numbers of the replica's stream, a
 * wait w and a choice u in (0, 1):
 *   prefix sums c_j of the a_j: in each four of leaves one after another, then the sum of the fours before them added;
 *   t' = t + w (1 / c_last);  the leaf that fires is the number of j with c_j <= u c_last;
 *   of every slot that any step changes, n (t' - since) is added to its integral, n^2 (t' - since) to the second.
 * With `entropy`, of an event whose leaf has a reverse: a_j before and a_reverse after go to the replica's ratio,
 * unless a product of them is not normal; then the logarithm of their quotient goes to the sum at once. c never falls
 * with j and u c_last < c_last, so a leaf of propensity zero is never selected. */
#ifndef ENGINE_SSA_SMALL_H
#define ENGINE_SSA_SMALL_H

#include "engine/ssa/kernel.h"

#include <float.h>
#include <string.h>

enum {
  SMALL_LEAVES = 32, /* at most, a multiple of SMALL_GROUP */
  SMALL_SLOTS = 32,  /* at most, with the constant 1 */
  SMALL_CHANGES = 128,
  SMALL_STEP_CHANGES = 8, /* of one leaf */
  SMALL_OPS = 256,
  SMALL_REGISTERS = 64,
  SMALL_GROUP = 4,
  /* What operations work on: counts, the constant 1 and room for vectors, and from here on the value of each. */
  SMALL_NUMBERS = SMALL_SLOTS + 8,
  SMALL_PLACES = SMALL_NUMBERS + SMALL_OPS
};

/* k n_a (n_b + shift_b), and for leaves from net.quads on times (n_c + shift_c), or 0 unless low <= n_d <= high. Absent
 * factors are the constant 1 behind the counts. Leaves from net.thirds on have a tape instead. */
typedef struct small_rate {
  double k, shift_b, shift_c, low, high;
  int64_t a, b, c, d;
} small_rate;

/* An operation of engine/model/tape.h from places to a place. */
typedef struct small_op {
  double value; /* of a POW: the exponent when it is whole and constant, else NaN */
  int32_t code; /* tape_code, never CONST or SLOT: those only name a place */
  int32_t a, b, c, to;
} small_op;

typedef struct small_change {
  double by;
  int64_t leaf;
} small_change;

typedef struct small_net {
  int32_t leaves, padded;           /* open directions; with leaves of propensity 0 to whole groups */
  int32_t linear, quads;            /* leaves below linear are k n_a, below quads k n_a (n_b + shift_b) */
  int32_t thirds;                   /* below thirds all of small_rate, from there on tapes */
  bool entropy;                     /* some leaf has a reverse */
  int32_t moving, slots;            /* slots that some step changes; all, without the constant 1 */
  int32_t slot[SMALL_SLOTS];        /* (slots) of the network; its order here has those that move first */
  int32_t start[SMALL_SLOTS];       /* (moving + 1) range in change */
  int32_t dir[SMALL_LEAVES];        /* (leaves) */
  int32_t count[SMALL_LEAVES];      /* (leaves) index in fwd:bwd */
  int32_t reverse[SMALL_LEAVES];    /* (leaves) the way back when either has a tape and both are open, else -1 */
  int32_t mixed, mix[SMALL_LEAVES]; /* (mixed) leaves without a tape that have a reverse */
  small_rate rate[SMALL_LEAVES];
  small_op op[SMALL_OPS];
  int32_t op_start[SMALL_LEAVES + 1]; /* by leaf */
  int32_t out[SMALL_LEAVES];          /* of leaves with a tape: the place of its value */
  double number[SMALL_OPS];           /* what stands from SMALL_NUMBERS on before the first operation: the constants */
  small_change change[SMALL_CHANGES]; /* by slot: what the firing of a leaf adds to it */
} small_net;

/* Whether the network is within the limits above. */
bool small_fits(const ness_network *net);
void small_compile(const ness_network *net, small_net *out);
/* Propensities a (leaves) and sums c (padded) at counts n, in the order of net.slot, behind which the constant 1
 * stands; a is 0 beyond leaves. */
void small_sums(const small_net *net, const double *n, double *a, double *c);

/* Into [1, 2), and the power of two that this takes off. */
static inline int64_t small_split(double *x)
{
  uint64_t bits;
  memcpy(&bits, x, sizeof bits);
  const int64_t power = (int64_t)(bits >> 52) - 1023;
  bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
  memcpy(x, &bits, sizeof bits);
  return power;
}

static inline void small_ratio_take(ssa_ratio *ratio, double *entropy, double before, double after)
{
  double up = ratio->up * before, down = ratio->down * after;
  if (up >= DBL_MIN && up <= DBL_MAX && down >= DBL_MIN && down <= DBL_MAX) {
    ratio->power += small_split(&up) - small_split(&down);
    ratio->up = up;
    ratio->down = down;
  } else {
    *entropy += rng_ln(before / after);
  }
}

#endif
