/* Asking long work to stop: what a signal handler of a program calls. */
#ifndef NESS_INTERRUPT_H
#define NESS_INTERRUPT_H

#include <ness/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every simulation, scan and analysis of the process stops at its next safe point with NESS_STOPPED. Async-signal-safe.
 */
NESS_API void ness_interrupt(void);

/* Forgets the request. */
NESS_API void ness_interrupt_clear(void);

#ifdef __cplusplus
}
#endif

#endif
