/* MatrixMarket coordinate files (Boisvert, Pozo, Remington, NISTIR 5935, 1996): the banner, comments with %, "rows
 * columns entries", then "row column value" each, numbered from 1. Cost: one pass. */
#include "read.h"

#include <strings.h>

#define ENTRY_LEAST 5 /* bytes of "1 2 3" */

/* %%MatrixMarket matrix coordinate real general; false after a report. */
static bool mtx_banner(reading *self)
{
  static const char *const words[][2] = {
      {"%%MatrixMarket", NULL}, {"matrix", NULL}, {"coordinate", NULL}, {"real", "integer"}, {"general", NULL}};
  static const char *const hints[] = {NULL, NULL, "a full matrix is read from .csv or .npy", NULL,
                                      "rates of both directions are needed, each in its place"};
  char shown[48];
  word w;
  if (!reading_row(self, '\n')) { /* nothing is a comment before the banner */
    if (self->errors == 0) reading_fail(self, NULL, NULL, "expected %%%%MatrixMarket matrix coordinate real general");
    return false;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    reading_word(self, &w);
    if (word_is(w, words[i][0]) || (words[i][1] && word_is(w, words[i][1]))) continue;
    reading_fail(self, &w, hints[i], "expected '%s' in %%%%MatrixMarket matrix coordinate real general, found '%s'",
                 words[i][0], word_show(w, shown));
    return false;
  }
  return true;
}

static bool mtx_sizes(reading *self, int64_t *states, int64_t *entries)
{
  word rows, columns, count, more;
  if (!reading_row(self, '%')) {
    if (self->errors == 0) reading_fail(self, NULL, NULL, "expected the numbers of rows, columns and entries");
    return false;
  }
  reading_word(self, &rows);
  reading_word(self, &columns);
  reading_word(self, &count);
  *states = reading_count(self, rows, "the number of rows", 1, INT64_MAX);
  const int64_t across = *states < 0 ? -1 : reading_count(self, columns, "the number of columns", 1, INT64_MAX);
  *entries = across < 0 ? -1 : reading_count(self, count, "the number of entries", 0, INT64_MAX);
  if (*entries < 0) return false;
  if (reading_word(self, &more)) {
    reading_fail(self, &more, NULL, "expected three numbers, rows, columns and entries");
    return false;
  }
  if (*states != across) {
    reading_fail(self, &columns, NULL, "a rate matrix is square, this one has %lld rows and %lld columns",
                 (long long)*states, (long long)across);
    return false;
  }
  return rates_claim(self, &rows, *states, *entries, ENTRY_LEAST);
}

static void mtx_entry(reading *self, int64_t states)
{
  word row, column, value, more;
  char shown[48];
  double rate;
  reading_word(self, &row);
  reading_word(self, &column);
  const int64_t i = reading_count(self, row, "the row", 1, states);
  const int64_t j = i < 0 ? -1 : reading_count(self, column, "the column", 1, states);
  if (j < 0) return;
  if (!reading_word(self, &value)) {
    reading_fail(self, NULL, NULL, "expected a value, found the end of the line");
  } else if (!word_number(value, &rate)) {
    reading_fail(self, &value, NULL, "expected a value, found '%s'", word_show(value, shown));
  } else if (reading_word(self, &more)) {
    reading_fail(self, &more, NULL, "expected the end of the line, found '%s'", word_show(more, shown));
  } else {
    rates_take(self, &value, (int32_t)i - 1, (int32_t)j - 1, rate);
  }
}

void mtx_read(reading *self)
{
  int64_t states, entries, met = 0;
  rates_of(self)->matrix = true;
  if (!mtx_banner(self) || !mtx_sizes(self, &states, &entries)) return;
  rates_of(self)->n = (int32_t)states;
  for (; reading_row(self, '%'); met++) mtx_entry(self, states);
  if (self->errors > 0 || self->status || met == entries) return;
  self->line = NULL;
  reading_fail(self, NULL, met < entries ? "the file may be cut off" : NULL,
               "the header promises %lld entries, the file has %lld", (long long)entries, (long long)met);
}
