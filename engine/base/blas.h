/* The linear algebra on one thread: OpenBLAS rounds as its number of threads has it, and no result may depend on that.
 * Other libraries lack its symbols and are left as they are. */
#ifndef ENGINE_BASE_BLAS_H
#define ENGINE_BASE_BLAS_H

/* Between these two it has one thread. Any number of threads may be in between; the last to leave gives it back what it
 * had before the first came. */
void blas_enter(void);
void blas_leave(void);

#endif
