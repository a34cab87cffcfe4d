/* The .npy format of numpy, versions 1.0 to 3.0: a magic word, a header that is a Python dictionary with descr,
 * fortran_order and shape, and the elements. Here two dimensions of one length, float64 or float32, little-endian, rows
 * or columns first. The length of the file is held against the shape before an element is read. Cost: one pass. */
#include "read.h"

#include <string.h>

#define HEADER_MAX (1 << 20) /* bytes */
#define ELEMENTS 4096        /* read at once */

typedef struct npy {
  reading *r;
  const char *p, *end, *first; /* the header that is left, and where it begins */
  int64_t header;              /* byte of the file where the header begins */
  int64_t n;                   /* rows */
  size_t item;                 /* bytes of an element */
  bool columns;                /* columns first */
} npy;

static bool npy_fail(npy *self, const char *hint, const char *what)
{
  self->r->byte = self->header + (self->p - self->first);
  reading_fail(self->r, NULL, hint, "%s", what);
  return false;
}

static void npy_blank(npy *self)
{
  while (self->p < self->end && strchr(" \t\n\r", *self->p) && *self->p) self->p++;
}

static bool npy_take(npy *self, char c)
{
  npy_blank(self);
  if (self->p == self->end || *self->p != c) return false;
  self->p++;
  return true;
}

/* Text in quotes of either kind. */
static bool npy_text(npy *self, word *out)
{
  npy_blank(self);
  const char quote = self->p < self->end ? *self->p : 0;
  if (quote != '\'' && quote != '"') return false;
  const char *const close = memchr(self->p + 1, quote, (size_t)(self->end - self->p) - 1);
  if (!close) return false;
  *out = (word){self->p + 1, (size_t)(close - self->p) - 1};
  self->p = close + 1;
  return true;
}

static bool npy_descr(npy *self)
{
  static const char *const hint = "numpy.save(name, matrix.astype('<f8')) writes what is read here";
  char shown[48];
  word type;
  npy_blank(self);
  const char *const place = self->p;
  if (!npy_text(self, &type)) return npy_fail(self, hint, "expected the type of one number, as '<f8'");
  if (word_is(type, "<f8")) self->item = 8;
  else if (word_is(type, "<f4")) self->item = 4;
  if (self->item) return true;
  self->r->byte = self->header + (place - self->first);
  reading_fail(self->r, NULL, hint, "elements of type '%s', expected '<f8' or '<f4'", word_show(type, shown));
  return false;
}

static bool npy_order(npy *self)
{
  npy_blank(self);
  const size_t left = (size_t)(self->end - self->p);
  self->columns = left >= 4 && memcmp(self->p, "True", 4) == 0;
  if (!self->columns && (left < 5 || memcmp(self->p, "False", 5) != 0))
    return npy_fail(self, NULL, "expected True or False for fortran_order");
  self->p += self->columns ? 4 : 5;
  return true;
}

static bool npy_shape(npy *self)
{
  int64_t size[2] = {-1, -1};
  int32_t dimensions = 0;
  npy_blank(self);
  const char *const place = self->p;
  if (!npy_take(self, '(')) return npy_fail(self, NULL, "expected a shape, as (3, 3)");
  while (!npy_take(self, ')')) {
    npy_blank(self);
    const char *const from = self->p;
    while (self->p < self->end && *self->p >= '0' && *self->p <= '9') self->p++;
    const word digits = {from, (size_t)(self->p - from)};
    int64_t value;
    if (!word_int(digits, &value)) return npy_fail(self, NULL, "expected a length of at most 18 digits in the shape");
    if (dimensions < 2) size[dimensions] = value;
    dimensions++;
    if (npy_take(self, ',')) continue;
    if (npy_take(self, ')')) break;
    return npy_fail(self, NULL, "expected ',' or ')' in the shape");
  }
  self->n = size[0];
  if (dimensions == 2 && size[0] == size[1] && size[0] > 0) return true;
  self->r->byte = self->header + (place - self->first);
  if (dimensions != 2) reading_fail(self->r, NULL, NULL, "%d dimensions, expected 2", dimensions);
  else if (size[0] != size[1])
    reading_fail(self->r, NULL, NULL, "a rate matrix is square, this one has %lld rows and %lld columns",
                 (long long)size[0], (long long)size[1]);
  else reading_fail(self->r, NULL, NULL, "a chain needs a state, the matrix has none");
  return false;
}

/* {'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), } in any order, each once. */
static bool npy_dictionary(npy *self)
{
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  static bool (*const values[])(npy *) = {npy_descr, npy_order, npy_shape};
  bool met[3] = {false, false, false};
  if (!npy_take(self, '{')) return npy_fail(self, NULL, "expected a dictionary, as {'descr': '<f8', ...}");
  while (!npy_take(self, '}')) {
    word key = {NULL, 0};
    int which = -1;
    npy_blank(self);
    const char *const place = self->p;
    const bool text = npy_text(self, &key);
    for (int i = 0; i < 3 && text; i++) {
      if (key.length == strlen(keys[i]) && memcmp(key.text, keys[i], key.length) == 0 && !met[i]) which = i;
    }
    if (which < 0) {
      self->p = place;
      return npy_fail(self, NULL, "expected 'descr', 'fortran_order' or 'shape', each once");
    }
    met[which] = true;
    if (!npy_take(self, ':')) return npy_fail(self, NULL, "expected ':'");
    if (!values[which](self)) return false;
    if (npy_take(self, ',')) continue;
    if (npy_take(self, '}')) break;
    return npy_fail(self, NULL, "expected ',' or '}'");
  }
  if (!met[0] || !met[1] || !met[2]) return npy_fail(self, NULL, "descr, fortran_order or shape is missing");
  npy_blank(self);
  return self->p == self->end || npy_fail(self, NULL, "expected the end of the header");
}

/* Magic word, version and length; then the dictionary. */
static bool npy_header(npy *self)
{
  reading *const r = self->r;
  const unsigned char *const magic = reading_bytes(r, 8);
  if (!magic || memcmp(magic, "\x93NUMPY", 6) != 0) {
    if (!r->status) reading_fail(r, NULL, NULL, "this is no file of numpy.save: it does not begin with \\x93NUMPY");
    return false;
  }
  r->byte = 6;
  if (magic[6] < 1 || magic[6] > 3 || magic[7] != 0) {
    reading_fail(r, NULL, NULL, "version %d.%d of the format, expected 1.0, 2.0 or 3.0", magic[6], magic[7]);
    return false;
  }
  const size_t width = magic[6] == 1 ? 2 : 4;
  r->byte = 8;
  const unsigned char *const bytes = reading_bytes(r, width);
  uint32_t length = 0;
  for (size_t i = 0; bytes && i < width; i++) length |= (uint32_t)bytes[i] << 8 * i;
  self->header = 8 + (int64_t)width;
  if (!bytes || length > HEADER_MAX || self->header + (int64_t)length > r->size) {
    if (!r->status)
      reading_fail(r, NULL, "the file may be cut off", "a header of %lld bytes in a file of %lld bytes",
                   (long long)length, (long long)r->size);
    return false;
  }
  self->p = self->first = (const char *)reading_bytes(r, length);
  if (!self->p) {
    reading_stop(r, NESS_IO, "cannot read the header");
    return false;
  }
  self->end = self->p + length;
  r->byte = self->header;
  return npy_dictionary(self);
}

static bool npy_length(const npy *self)
{
  reading *const r = self->r;
  const int64_t begin = self->header + (self->end - self->first), there = r->size - begin;
  size_t cells, bytes = 0;
  r->byte = begin;
  const bool fits = size_mul((size_t)self->n, (size_t)self->n, &cells) && size_mul(cells, self->item, &bytes) &&
                    bytes <= (size_t)INT64_MAX;
  if (fits && (int64_t)bytes == there) {
    if (self->n <= IMPORT_MAX) return true;
    reading_stop(r, NESS_LIMIT, "%lld states are too many: at most %d", (long long)self->n, IMPORT_MAX);
    return false;
  }
  reading_fail(r, NULL, fits && (int64_t)bytes < there ? NULL : "the file may be cut off",
               "%lld bytes of elements, expected %lld x %lld of %d bytes each", (long long)there, (long long)self->n,
               (long long)self->n, (int)self->item);
  return false;
}

static double npy_element(const unsigned char *p, size_t item)
{
  uint64_t bits = 0;
  double wide;
  float narrow;
  for (size_t i = 0; i < item; i++) bits |= (uint64_t)p[i] << 8 * i;
  if (item == 8) {
    memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
  const uint32_t half = (uint32_t)bits;
  memcpy(&narrow, &half, sizeof narrow);
  return (double)narrow;
}

void npy_read(reading *r)
{
  npy self = {.r = r};
  r->matrix = true;
  if (!npy_header(&self) || !npy_length(&self)) return;
  r->out->n = (int32_t)self.n;
  int64_t row = 0, column = 0;
  for (int64_t left = self.n * self.n; left > 0 && reading_on(r);) {
    const int64_t some = left < ELEMENTS ? left : ELEMENTS;
    const unsigned char *p = reading_bytes(r, (size_t)some * self.item);
    if (interrupt_pending()) reading_stop(r, NESS_INTERRUPTED, NULL);
    if (!p) {
      reading_stop(r, NESS_IO, "the file became shorter while it was read");
      return;
    }
    for (int64_t i = 0; i < some; i++, p += self.item, r->byte += (int64_t)self.item) {
      const double value = npy_element(p, self.item);
      if (value != 0 && reading_on(r))
        rates_take(r, NULL, (int32_t)(self.columns ? column : row), (int32_t)(self.columns ? row : column), value);
      if (++column == self.n) column = 0, row++;
    }
    left -= some;
  }
}
