/* lockstep_run.h for AVX2. */
#include "engine/ssa/lockstep.h"
#if defined(__AVX2__)
#include "engine/ssa/lockstep_run.h"

const lockstep_run lockstep_run_avx2 = lockstep_loop;
#endif
