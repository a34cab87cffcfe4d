/* What the readers of this room share: bytes, lines, words and numbers of a file, and the rates gathered from it.
 * Nobody outside includes it. */
#ifndef NETWORKS_IMPORT_READ_H
#define NETWORKS_IMPORT_READ_H

#include "import.h"
#include <stdio.h>

#define IMPORT_MAX (INT32_C(1) << 28) /* states, rates */
#define IMPORT_NAME_MAX 200           /* bytes of a state's name */

typedef struct word { /* a piece of the current line, not zero-terminated */
  const char *text;
  size_t length;
} word;

typedef struct reading {
  const char *path;
  ness_diags *diags;
  FILE *in;
  int64_t size; /* bytes of the whole file */
  char *buffer;
  int64_t capacity;
  size_t at, end; /* bytes in the buffer that were not given out yet */
  char *line;     /* the current line, zero-terminated, without its end */
  size_t length;
  char *cursor;   /* next byte of it; NULL behind the last cell of a row of a csv */
  int32_t number; /* of the line, from 1; 0: messages name `byte` instead */
  int64_t byte;
  int32_t errors;
  ness_status status; /* what ended the reading, besides errors */
  bool matrix;        /* a matrix: its diagonal may be negative, and no entry comes twice */
  import_rates *out;
} reading;

/* --- read.c --- */

ness_status reading_open(reading *self, const char *path, const void *content, size_t length, ness_diags *diags,
                         import_rates *out);
ness_status reading_close(reading *self); /* how it went; may be called in every case */
/* Whether to go on: nothing ended the reading, and there are not yet too many errors. */
bool reading_on(const reading *self);

/* The next line that is not blank and does not begin with `comment`. False at the end of the file or of the reading. */
bool reading_row(reading *self, char comment);
bool reading_word(reading *self, word *out);
/* The next `bytes` of a binary file; NULL when they cannot be had. */
const unsigned char *reading_bytes(reading *self, size_t bytes);

/* An error at a word of the line, or at the line as a whole (NULL). */
void reading_fail(reading *self, const word *at, const char *hint, const char *format, ...) BASE_PRINTF(4, 5);
/* Ends the reading with a status; NULL says nothing. */
void reading_stop(reading *self, ness_status status, const char *format, ...) BASE_PRINTF(3, 4);

bool word_is(word self, const char *text);      /* the case of letters is passed over */
bool word_int(word self, int64_t *out);         /* digits alone, at most 18 */
bool word_number(word self, double *out);       /* decimal, and inf and nan, in every locale */
const char *word_show(word self, char out[48]); /* for messages: printable, cut */
int64_t reading_count(reading *self, word w, const char *what, int64_t least, int64_t most); /* -1 after a report */

/* --- rates.c --- */

/* Takes an entry, or reports it: numbers must be finite, and off the diagonal of a matrix not negative. */
void rates_take(reading *self, const word *at, int32_t from, int32_t to, double rate);
/* Whether so many states and entries can stand in a file of this size. */
bool rates_claim(reading *self, const word *at, int64_t states, int64_t entries, int64_t least);
/* The id of a name, made when it is new; -1 after a report. `once`: it must be new. */
int32_t names_take(reading *self, word name, bool once);
void names_free(import_names *self);
/* Once all is read: order, diagonal, doubles. */
void rates_finish(reading *self);

/* --- one a format --- */

void tra_read(reading *self);
void tra_states(reading *self); /* .sta */
void mtx_read(reading *self);
void csv_read(reading *self);
void npy_read(reading *self);

#endif
