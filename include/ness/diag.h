/* Diagnostics: what is wrong, where, and how to mend it. The library fills them and never prints; one renderer shows
 * them. A list belongs to one caller and one thread at a time. */
#ifndef NESS_DIAG_H
#define NESS_DIAG_H

#include <ness/export.h>
#include <ness/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ness_severity { NESS_ERROR = 0, NESS_WARNING = 1, NESS_NOTE = 2 } ness_severity;

typedef struct ness_diag {
  ness_severity severity;
  int32_t line;            /* from 1; 0 when the place is the whole file */
  int32_t column;          /* from 1, in bytes */
  int32_t span;            /* bytes to underline, at least 1 */
  const char *file;        /* may be NULL */
  const char *source_line; /* the line itself, may be NULL */
  const char *message;     /* what was found and what was expected */
  const char *hint;        /* how to mend it, may be NULL */
} ness_diag;

typedef struct ness_diags ness_diags;

/* Owned list of diagnostics; NULL when memory is out. Free with ness_diags_free, which takes NULL. */
NESS_API ness_diags *ness_diags_create(void);
NESS_API void ness_diags_free(ness_diags *self);

/* Number of diagnostics kept (at most twenty errors are kept; *more, if not NULL, counts those beyond). */
NESS_API int32_t ness_diags_count(const ness_diags *self, int32_t *more);

/* Borrowed until the list is freed or added to; NULL when the index is out of range. */
NESS_API const ness_diag *ness_diags_get(const ness_diags *self, int32_t index);

/* All diagnostics as text, with the source line and a caret, an owned string to be freed with ness_text_free; NULL when
 * memory is out. `color` asks for terminal colours. */
NESS_API char *ness_diags_render(const ness_diags *self, int color);

/* Frees a string that the library returned as owned. Takes NULL. */
NESS_API void ness_text_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
