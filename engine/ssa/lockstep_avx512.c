/* lockstep_run.h for AVX-512. */
#include "engine/ssa/lockstep.h"
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "engine/ssa/lockstep_run.h"

const lockstep_loops lockstep_avx512 = {loop_run, loop_rows};
#endif
