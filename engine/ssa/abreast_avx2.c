/* abreast_run.h for AVX2. */
#include "engine/ssa/abreast.h"
#if defined(__AVX2__)
#include "engine/ssa/abreast_run.h"

const abreast_run abreast_avx2[3] = ABREAST_LOOPS;
#endif
