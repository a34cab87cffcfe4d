/* A .npy as a matrix of rates: two dimensions of one length, float64 or float32, rows or columns first. The length of
 * the file is held against the shape before an element is read. Cost: one pass. */
#include "read.h"

#include <string.h>

#define ELEMENTS 4096 /* read at once */

static bool npy_fits(reading *r, const npy_head *head)
{
  static const char *const hint = "numpy.save(name, matrix.astype('<f8')) writes what is read here";
  const npy_field *const field = &head->field[0];
  char shown[48];
  r->byte = head->type_byte;
  if (head->type_byte && (head->fields != 1 || field->name.length > 0)) {
    reading_fail(r, NULL, hint, "expected the type of one number, as '<f8'");
  } else if (head->type_byte && field->kind != 'f') {
    reading_fail(r, NULL, hint, "elements of type '%s', expected '<f8' or '<f4'", word_show(field->type, shown));
  }
  if (r->errors > 0) return false;
  r->byte = head->shape_byte;
  if (!head->shape_byte) return npy_whole(r, head);
  if (head->dimensions == 2 && head->size[0] == head->size[1] && head->size[0] > 0) return npy_whole(r, head);
  if (head->dimensions != 2) reading_fail(r, NULL, NULL, "%d dimensions, expected 2", head->dimensions);
  else if (head->size[0] != head->size[1])
    reading_fail(r, NULL, NULL, "a rate matrix is square, this one has %lld rows and %lld columns",
                 (long long)head->size[0], (long long)head->size[1]);
  else reading_fail(r, NULL, NULL, "a chain needs a state, the matrix has none");
  return false;
}

static bool npy_length(reading *r, const npy_head *head)
{
  const int64_t n = head->size[0], there = r->size - head->data;
  size_t count, bytes = 0;
  r->byte = head->data;
  const bool fits = size_mul((size_t)n, (size_t)n, &count) && size_mul(count, (size_t)head->row, &bytes) &&
                    bytes <= (size_t)INT64_MAX;
  if (fits && (int64_t)bytes == there) {
    if (n <= IMPORT_MAX) return true;
    reading_stop(r, NESS_LIMIT, "%lld states are too many: at most %d", (long long)n, IMPORT_MAX);
    return false;
  }
  reading_fail(r, NULL, fits && (int64_t)bytes < there ? NULL : "the file may be cut off",
               "%lld bytes of elements, expected %lld x %lld of %d bytes each", (long long)there, (long long)n,
               (long long)n, head->row);
  return false;
}

void npy_read(reading *r)
{
  npy_head head;
  rates_of(r)->matrix = true;
  if (!npy_open(r, &head) || !npy_fits(r, &head) || !npy_length(r, &head)) return;
  const int64_t n = head.size[0];
  const int32_t item = head.row;
  rates_of(r)->n = (int32_t)n;
  int64_t row = 0, column = 0;
  for (int64_t left = n * n; left > 0 && reading_on(r);) {
    const int64_t some = left < ELEMENTS ? left : ELEMENTS;
    const unsigned char *p = reading_bytes(r, (size_t)(some * item));
    if (interrupt_pending()) reading_stop(r, NESS_INTERRUPTED, NULL);
    if (!p) {
      reading_stop(r, NESS_IO, "the file became shorter while it was read");
      return;
    }
    for (int64_t i = 0; i < some; i++, p += item, r->byte += item) {
      const double value = npy_number(p, 'f', item);
      if (value != 0 && reading_on(r))
        rates_take(r, NULL, (int32_t)(head.columns ? column : row), (int32_t)(head.columns ? row : column), value);
      if (++column == n) column = 0, row++;
    }
    left -= some;
  }
}
