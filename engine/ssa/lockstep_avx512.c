/* lockstep_run.h for AVX-512. */
#include "engine/ssa/lockstep.h"
#if defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "engine/ssa/lockstep_run.h"

const lockstep_run lockstep_run_avx512 = lockstep_loop;
#endif
