/* lockstep_run.h for AVX2. */
#include "engine/ssa/lockstep.h"
#if defined(__AVX2__)
#include "engine/ssa/lockstep_run.h"

const lockstep_loops lockstep_avx2 = {loop_run, loop_rows};
#endif
