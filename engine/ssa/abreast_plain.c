/* abreast_run.h for the instructions that every processor has. */
#include "engine/ssa/abreast_run.h"

const abreast_run abreast_plain[3] = ABREAST_LOOPS;
