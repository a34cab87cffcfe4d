/* Inside the room: few states under an input that goes in steps. */
#ifndef ENGINE_MOTION_FEW_H
#define ENGINE_MOTION_FEW_H

#include "engine/motion/motion.h"

enum { FEW_WAYS = 8 }; /* out of a state, at most */

typedef struct few_cell few_cell;

struct motion_few {
  int32_t states, levels, bits; /* the cell of a state at a level is state << bits | level */
  int64_t *n;                   /* (states x nslot) */
  int32_t ways, *way;           /* most of a state; (states x FEW_WAYS) directions, -1 beyond the last */
  few_cell *cell;               /* (states << bits) */
};

/* NULL: the input goes otherwise, some rate has a tape, there are too many states, or no memory. */
motion_few *few_build(motion_net *shared);
/* motion_advance. */
motion_pause few_advance(motion_replica *self, const motion_net *shared, double t_stop, int64_t looks);

#endif
