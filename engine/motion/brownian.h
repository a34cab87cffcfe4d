/* Brownian motion in a symmetric layer, exactly: when it leaves, and where it is given that it has not left. */
#ifndef ENGINE_MOTION_BROWNIAN_H
#define ENGINE_MOTION_BROWNIAN_H

#include "engine/rng/rng.h"

/* The time at which standard Brownian motion from 0 leaves (-1, 1). Mean 1. About 30 ns. */
double brownian_exit(rng_stream *rng);
/* Its place at time t > 0, given that it has not left (-1, 1) by then. The number of tries is 1 / P(not left by t), so
 * that one call at a time fixed beforehand costs one try on average; at most 11 for t <= 2. */
double brownian_inside(rng_stream *rng, double t);

#endif
