/* The .npy format of numpy, versions 1.0 to 3.0: a magic word, a header that is a Python dictionary with descr,
 * fortran_order and shape, and the elements, little-endian. An element is a number, or a row of fields with names.
 * Nothing is allocated on the word of the header. Cost: that of the header. */
#include "read.h"

#include <string.h>

#define HEADER_MAX (1 << 20) /* bytes */

typedef struct npy {
  reading *r;
  npy_head *out;
  const char *p, *end, *first; /* the header that is left, and where it begins */
  int64_t header;              /* byte of the file where the header begins */
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

/* '<f8', '|u1' and the like. Another type gives kind 0. */
static bool npy_type(npy *self, npy_field *out)
{
  if (!npy_text(self, &out->type)) return false;
  const word type = out->type;
  int64_t bytes = 0;
  const bool order = type.length > 2 && (type.text[0] == '<' || type.text[0] == '|');
  const bool known = order && strchr("fiub", type.text[1]) && type.text[1];
  if (!known || !word_int((word){type.text + 2, type.length - 2}, &bytes)) return true;
  const bool real = type.text[1] == 'f';
  const bool fits = real ? bytes == 4 || bytes == 8 : bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  if (!fits) return true;
  out->kind = type.text[1];
  out->item = (int32_t)bytes;
  return true;
}

/* [('time', '<f8'), ('state', '<i4')] */
static bool npy_record(npy *self)
{
  npy_head *const out = self->out;
  while (!npy_take(self, ']')) {
    if (out->fields == NPY_FIELDS) return npy_fail(self, NULL, "a row of more than 8 fields");
    npy_field *const field = &out->field[out->fields++];
    field->at = out->row;
    if (!npy_take(self, '(') || !npy_text(self, &field->name) || !npy_take(self, ',') || !npy_type(self, field) ||
        !npy_take(self, ')'))
      return npy_fail(self, NULL, "expected a field, as ('time', '<f8')");
    if (!field->kind) return npy_fail(self, NULL, "a field of another type than float, int or bool, little-endian");
    out->row += field->item;
    if (npy_take(self, ',')) continue;
    if (npy_take(self, ']')) break;
    return npy_fail(self, NULL, "expected ',' or ']'");
  }
  return out->fields > 0 || npy_fail(self, NULL, "a row without fields");
}

static bool npy_descr(npy *self)
{
  npy_head *const out = self->out;
  npy_blank(self);
  out->type_byte = self->header + (self->p - self->first);
  if (npy_take(self, '[')) return npy_record(self);
  if (!npy_type(self, &out->field[0]))
    return npy_fail(self, "numpy.save(name, matrix.astype('<f8')) writes what is read here",
                    "expected the type of one number, as '<f8'");
  out->fields = 1;
  out->row = out->field[0].item;
  return true;
}

static bool npy_order(npy *self)
{
  npy_blank(self);
  const size_t left = (size_t)(self->end - self->p);
  self->out->columns = left >= 4 && memcmp(self->p, "True", 4) == 0;
  if (!self->out->columns && (left < 5 || memcmp(self->p, "False", 5) != 0))
    return npy_fail(self, NULL, "expected True or False for fortran_order");
  self->p += self->out->columns ? 4 : 5;
  return true;
}

static bool npy_shape(npy *self)
{
  npy_head *const out = self->out;
  npy_blank(self);
  out->shape_byte = self->header + (self->p - self->first);
  if (!npy_take(self, '(')) return npy_fail(self, NULL, "expected a shape, as (3, 3)");
  while (!npy_take(self, ')')) {
    npy_blank(self);
    const char *const from = self->p;
    while (self->p < self->end && *self->p >= '0' && *self->p <= '9') self->p++;
    const word digits = {from, (size_t)(self->p - from)};
    int64_t value;
    if (!word_int(digits, &value)) return npy_fail(self, NULL, "expected a length of at most 18 digits in the shape");
    if (out->dimensions < 2) out->size[out->dimensions] = value;
    out->dimensions++;
    if (npy_take(self, ',')) continue;
    if (npy_take(self, ')')) break;
    return npy_fail(self, NULL, "expected ',' or ')' in the shape");
  }
  return true;
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
  self->out->lacks_byte = met[0] && met[1] && met[2] ? 0 : self->header + (self->p - self->first);
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

bool npy_open(reading *r, npy_head *out)
{
  *out = (npy_head){.size = {-1, -1}};
  npy self = {.r = r, .out = out};
  if (!npy_header(&self)) return false;
  out->data = self.header + (self.end - self.first);
  return true;
}

bool npy_whole(reading *r, const npy_head *head)
{
  if (!head->lacks_byte) return true;
  r->byte = head->lacks_byte;
  reading_fail(r, NULL, NULL, "descr, fortran_order or shape is missing");
  return false;
}

double npy_number(const unsigned char *p, char kind, int32_t item)
{
  uint64_t bits = 0;
  double wide;
  float narrow;
  for (int32_t i = 0; i < item; i++) bits |= (uint64_t)p[i] << 8 * i;
  if (kind != 'f') {
    const int32_t unused = 64 - 8 * item;
    return kind == 'i' ? (double)((int64_t)(bits << unused) >> unused) : (double)bits;
  }
  if (item == 8) {
    memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
  const uint32_t half = (uint32_t)bits;
  memcpy(&narrow, &half, sizeof narrow);
  return (double)narrow;
}
