/* What every room stands on: memory through one hook, checked sizes, arenas, growing text, the interrupt flag, and the
 * builder sides of diagnostics and result trees. Nothing here knows of networks.
 *
 * Memory: all heap use of the library goes through mem_*, so that a test can fail the n-th call. Arenas and trees keep
 * a failure to themselves and report it once at the end, which keeps the code between free of checks. */
#ifndef ENGINE_BASE_H
#define ENGINE_BASE_H

#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/interrupt.h>
#include <ness/status.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BASE_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define BASE_PRINTF(fmt, first)
#endif

/* --- memory --- */

void *mem_alloc(size_t bytes);              /* uninitialised; NULL when out */
void *mem_zero(size_t count, size_t bytes); /* zeroed, overflow-checked */
void *mem_resize(void *block, size_t count, size_t bytes);
void mem_free(void *block);
/* A block that is read here and there, before it is first touched: large pages hold it where the system has some. A
 * hint that changes nothing else, and nothing at all for less than such a page. */
void mem_huge(void *block, size_t bytes);
char *mem_text(const char *text, size_t length); /* a copy with a terminating zero */

/* Makes every allocation after the next `after` ones fail (-1: never). For tests. */
void mem_fail_after(int64_t after);

/* Bytes of physical memory of the machine that may still be used, for limits; SIZE_MAX when unknown. */
size_t mem_available(void);

/* a + b and a * b; false when they do not fit. */
bool size_add(size_t a, size_t b, size_t *sum);
bool size_mul(size_t a, size_t b, size_t *product);

/* Grows *block, an array of `width` bytes an element with *capacity elements, to at least `need`; false when out. */
bool mem_grow(void *block, int64_t *capacity, int64_t need, size_t width);

/* --- arena: many small blocks freed together --- */

typedef struct arena_chunk arena_chunk;
typedef struct arena {
  arena_chunk *chunks;
  size_t used, size; /* of the newest chunk */
  bool failed;       /* sticks: some allocation returned NULL */
} arena;

void *arena_alloc(arena *self, size_t bytes); /* zeroed, aligned to 16; NULL sets failed */
char *arena_text(arena *self, const char *text, size_t length);
char *arena_format(arena *self, const char *format, ...) BASE_PRINTF(2, 3);
char *arena_print(arena *self, const char *format, va_list args) BASE_PRINTF(2, 0); /* args are used up */
char *arena_indexed(arena *self, const char *name, int32_t index);                  /* name[index] */
void arena_free(arena *self);

/* --- growing text --- */

typedef struct text_buffer {
  char *data; /* zero-terminated once something was added */
  size_t length, capacity;
  bool failed;
} text_buffer;

void text_add(text_buffer *self, const char *format, ...) BASE_PRINTF(2, 3);
void text_put(text_buffer *self, const char *data, size_t length);
void text_int(text_buffer *self, int64_t value);
void text_repeat(text_buffer *self, char c, int count);
char *text_take(text_buffer *self); /* the owned string (never NULL unless failed); self is empty after */
void text_clear(text_buffer *self);

/* The shortest decimal that reads back as the same double; infinities as inf, -inf. At most 32 bytes with the zero. */
void number_exact(double value, char out[32]);
/* `digits` significant digits for people. */
void number_short(double value, int digits, char out[32]);

/* The name of `count` nearest to `word` by edit distance, or NULL when none is near enough to be meant. */
const char *name_nearest(const char *word, const char *const *names, int32_t count);

/* --- diagnostics, builder side --- */

void diag_add(ness_diags *self, ness_severity severity, const char *format, ...) BASE_PRINTF(3, 4);
void diag_add_at(ness_diags *self, ness_severity severity, const char *file, int32_t line, int32_t column, int32_t span,
                 const char *source_line, const char *hint, const char *format, ...) BASE_PRINTF(9, 10);
void diag_hint(ness_diags *self, const char *format, ...) BASE_PRINTF(2, 3); /* a hint for the newest diagnostic */
int32_t diag_errors(const ness_diags *self);

/* --- result trees, builder side: an object remembers the order of its keys --- */

typedef struct doc_node doc_node;

ness_doc *doc_create(const char *kind); /* root object with schema, kind and version; NULL when out */
ness_status doc_finish(ness_doc *self); /* NESS_NOMEM when any addition failed */
doc_node *doc_root(ness_doc *self);
/* In every call below `key` is NULL when the parent is an array. A NULL parent is passed over. */
doc_node *doc_object(doc_node *parent, const char *key);
doc_node *doc_array(doc_node *parent, const char *key);
void doc_number(doc_node *parent, const char *key, double value);
void doc_int(doc_node *parent, const char *key, int64_t value);
void doc_bool(doc_node *parent, const char *key, bool value);
void doc_string(doc_node *parent, const char *key, const char *format, ...) BASE_PRINTF(3, 4);
void doc_null(doc_node *parent, const char *key);

/* --- interrupt --- */

/* Whether ness_interrupt was called: every long run looks at its safe points. */
bool interrupt_pending(void);

#endif
