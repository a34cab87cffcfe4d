/* single_run.h for the instructions that every processor has. */
#include "engine/ssa/single_run.h"

const single_loops single_plain = SINGLE_LOOPS(&rng_pairs_plain);
