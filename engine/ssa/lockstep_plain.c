/* lockstep_run.h for the instructions that every processor has. */
#include "engine/ssa/lockstep_run.h"

const lockstep_loops lockstep_plain = {loop_run, loop_rows};
