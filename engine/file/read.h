/* Bytes, lines, words, cells and numbers of a plain file: what every reader of files of other programs stands on. */
#ifndef ENGINE_FILE_READ_H
#define ENGINE_FILE_READ_H

#include "engine/base/base.h"
#include <stdio.h>

#define NAME_BYTES_MAX 200           /* of a name in a file */
#define NAMES_MAX (INT32_C(1) << 28) /* in a table */

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
  void *owner;        /* what the caller gathers, of a type of its own */
} reading;

/* --- read.c --- */

ness_status reading_open(reading *self, const char *path, const void *content, size_t length, ness_diags *diags,
                         void *owner);
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

/* --- names.c: distinct names, found by a hash --- */

typedef struct name_table {
  int32_t count;
  char *text;  /* zero-terminated, one behind the other */
  int64_t *at; /* (count) offset in text */
  int32_t *table;
  int32_t table_size;
  int64_t text_used, text_capacity, at_capacity;
} name_table;

/* The id of a name, made when it is new; -1 after a report. `once`: it must be new. */
int32_t names_take(name_table *self, reading *from, word name, bool once);
/* The same without a file to report to: -1 only when memory is out or there are too many. */
int32_t names_add(name_table *self, const char *text, size_t length);
int32_t names_find(const name_table *self, const char *text, size_t length); /* -1: none */
static inline const char *names_text(const name_table *self, int32_t id)
{
  return self->text + self->at[id];
}
void names_free(name_table *self);

/* --- cells.c: tables of text --- */

typedef struct cells {
  reading *r;
  char comma; /* ' ' for any number of blanks */
  bool look;  /* neither changes nor reports anything */
} cells;

/* The comma of the current line: the first of , ; and tab that it has, else blanks. */
char cells_comma(const reading *r);
/* The next cell of the current line, without blanks around it. False behind the last one. Doubled quotes become one in
 * place, except in a look ahead. */
bool cells_next(const cells *self, word *out);

/* --- npy.c: the header of numpy's files --- */

#define NPY_FIELDS 8

typedef struct npy_field {
  word name;    /* empty in a plain array */
  char kind;    /* f, i, u or b; 0: another */
  int32_t item; /* bytes */
  int32_t at;   /* byte of the row */
  word type;    /* as it stands there */
} npy_field;

typedef struct npy_head {
  npy_field field[NPY_FIELDS]; /* one in a plain array */
  int32_t fields, row;         /* row: bytes of an element with all its fields */
  bool columns;                /* columns first */
  int32_t dimensions;
  int64_t size[2];               /* of the first two */
  int64_t type_byte, shape_byte; /* where they stand in the file, for messages; 0: they do not */
  int64_t lacks_byte;            /* where the header ends without one of its three entries; 0: it has all */
  int64_t data;                  /* byte of the first element */
} npy_head;

/* Reads magic word, version and dictionary; false after a report. Words point into the buffer until the next read.
 * Types and shape are the caller's to judge, and then whether something is missing. */
bool npy_open(reading *r, npy_head *out);
bool npy_whole(reading *r, const npy_head *head); /* false after a report */
double npy_number(const unsigned char *p, char kind, int32_t item);

#endif
