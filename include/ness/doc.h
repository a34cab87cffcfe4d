/* A result as a small tree: what every question to ness is answered with. The same tree is shown as aligned text for
 * people and as JSON for programs. Immutable once returned; reading is safe from any thread. Owned by the caller. */
#ifndef NESS_DOC_H
#define NESS_DOC_H

#include <ness/export.h>
#include <ness/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ness_doc ness_doc;

NESS_API void ness_doc_free(ness_doc *self);

/* The tree as JSON, an owned string for ness_text_free; NULL when memory is out. Numbers are printed so that they
 * read back bit for bit; infinities and NaN, which JSON lacks, are the strings "inf", "-inf" and "nan". */
NESS_API char *ness_doc_json(const ness_doc *self);

/* The tree as text for a terminal of `width` columns (0: 100), owned like the JSON. `color` asks for terminal colours.
 */
NESS_API char *ness_doc_text(const ness_doc *self, int width, int color);

/* The table at a path (an array of objects) as CSV with a header line, owned like the JSON; NULL when there is none or
 * memory is out. Numbers read back bit for bit. */
NESS_API char *ness_doc_csv(const ness_doc *self, const char *path);

/* The number at a path such as "entropy.total" or "steps[2].rate"; NAN when there is none. */
NESS_API double ness_doc_number(const ness_doc *self, const char *path);

/* The string at a path, borrowed from the tree; NULL when there is none. */
NESS_API const char *ness_doc_string(const ness_doc *self, const char *path);

/* The number of elements of the array or object at a path; -1 when there is none. */
NESS_API int32_t ness_doc_count(const ness_doc *self, const char *path);

#ifdef __cplusplus
}
#endif

#endif
