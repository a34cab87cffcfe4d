/* How a call ended: 0 is fine, negative failed. One table holds code, symbol, text, exit class of the command and the
 * Python exception. Why a simulation stopped is not an error and has its own type, ness_stop_reason. */
#ifndef NESS_STATUS_H
#define NESS_STATUS_H

#include <ness/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/*          code symbol        text                                                      exit  Python            */
#define NESS_STATUS_TABLE(X)                                                                                           \
  X(0, OK, "fine", 0, None)                                                                                            \
  X(-1, NOMEM, "out of memory", 1, MemoryError)                                                                        \
  X(-2, USAGE, "a call or option is wrong", 2, ValueError)                                                             \
  X(-3, MODEL, "the model is wrong", 3, ValueError)                                                                    \
  X(-4, EXPECT, "a check or expectation does not hold", 4, AssertionError)                                             \
  X(-5, IO, "input or output failed", 5, OSError)                                                                      \
  X(-6, FORMAT, "the file is damaged or not of this kind", 5, OSError)                                                 \
  X(-7, LIMIT, "a limit was reached", 1, RuntimeError)                                                                 \
  X(-8, NUMERIC, "the numbers left their range", 1, ArithmeticError)                                                   \
  X(-9, STOPPED, "stopped cleanly, can be resumed", 75, KeyboardInterrupt)                                             \
  X(-10, INTERRUPTED, "interrupted", 130, KeyboardInterrupt)                                                           \
  X(-11, INTERNAL, "an invariant of the program does not hold", 1, RuntimeError)

typedef enum ness_status {
#define NESS_STATUS_ENUM(code, symbol, text, exit, exception) NESS_##symbol = (code),
  NESS_STATUS_TABLE(NESS_STATUS_ENUM)
#undef NESS_STATUS_ENUM
} ness_status;

/* The text of a status, a static string. Any thread. */
NESS_API const char *ness_status_text(ness_status status);

/* The exit code a command ends with for a status. Any thread. */
NESS_API int ness_status_exit(ness_status status);

/* The version of the library that is running, "major.minor.patch", a static string. */
NESS_API const char *ness_version_text(void);

#ifdef __cplusplus
}
#endif

#endif
