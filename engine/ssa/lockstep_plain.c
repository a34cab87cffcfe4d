/* lockstep_run.h for the instructions that every processor has. */
#include "engine/ssa/lockstep_run.h"

const lockstep_run lockstep_run_plain = lockstep_loop;
