/* The loops of abreast.h, compiled once for each level of instructions. The body stands in abreast_body.h, once for
 * each number of lanes. */
#include "engine/rng/rng_vector.h"
#include "engine/ssa/abreast.h"

#include <float.h>
#include <string.h>

#define EACH(k) _Pragma("GCC unroll 4") for (int k = 0; k < PARTS; k++)        /* part of a row of lanes */
#define EVERY(i) _Pragma("GCC unroll 4") for (int i = 0; i < SMALL_GROUP; i++) /* place in a group */

#define LANES 1
#include "engine/ssa/abreast_body.h"
#define LANES 4
#include "engine/ssa/abreast_body.h"
#define LANES 8
#include "engine/ssa/abreast_body.h"

#define ABREAST_LOOPS                                                                                                  \
  {                                                                                                                    \
    run_1, run_4, run_8                                                                                                \
  }
