/* Columns out of frames: taking a frame apart, its column table, and the chunk within.
 *
 * Invariant: nothing is allocated before the declared sizes were held against each other (columns within the raw
 * payload, raw payload as zstd's own header says, shapes as the network has them, all below DUMP_RAW_MAX). A frame
 * comes here with its checksum verified, yet nothing in it is trusted: a checksum says intact, not honest. Cost:
 * decompression, one pass to widen counts, one to check times. Columns of doubles are used where they lie. */
#include "engine/dump/frame.h"
#include <string.h>
#include <zstd.h>

/* --- the frame --- */

static bool read_dtype(cursor *at, column_type *out)
{
  static const char *const dtypes[] = {"|u1", "<u2", "<i4", "<i8", "<f8"};
  size_t length;
  const char *text = cursor_text(at, &length);
  for (int i = 0; i < 5; i++)
    if (cursor_is(text, length, dtypes[i])) {
      *out = (column_type)i;
      return true;
    }
  return false;
}

/* A column lies at a multiple of 8 and within the raw payload. */
static bool read_column(cursor *at, size_t raw_bytes, column *out)
{
  size_t bytes;
  *out = (column){0};
  if (cursor_array(at) != 5) return false;
  out->name = cursor_text(at, &out->name_length);
  if (!read_dtype(at, &out->type)) return false;
  out->rows = cursor_int(at);
  out->width = cursor_int(at);
  const uint64_t offset = cursor_uint(at);
  if (at->bad || out->rows < 0 || out->width < 0 || offset % 8 || offset > raw_bytes) return false;
  out->offset = (size_t)offset;
  if (!size_mul((size_t)out->rows, (size_t)out->width, &bytes)) return false;
  if (!size_mul(bytes, payload_item_bytes(out->type), &bytes)) return false;
  return bytes <= raw_bytes - out->offset;
}

static bool read_columns(cursor at, payload *out)
{
  const uint32_t n = cursor_array(&at);
  if (at.bad || n > COLUMNS_MAX) return false;
  for (uint32_t i = 0; i < n; i++)
    if (!read_column(&at, out->raw_bytes, &out->columns[i])) return false;
  out->count = (int32_t)n;
  return true;
}

ness_status frame_split(const void *frame, size_t bytes, frame_body *out)
{
  *out = (frame_body){0};
  if (bytes < FRAME_HEADER) return NESS_FORMAT;
  cursor at = {(const unsigned char *)frame + FRAME_HEADER, (const unsigned char *)frame + bytes, false}, table = {0};
  size_t length;
  unsigned seen = 0;

  out->map = at;
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    unsigned bit = 0;
    if (cursor_is(key, length, "codec")) {
      const char *codec = cursor_text(&at, &length);
      out->zstd = cursor_is(codec, length, "zstd");
      if (!out->zstd && !cursor_is(codec, length, "plain")) return NESS_FORMAT;
      bit = 1;
    } else if (cursor_is(key, length, "raw_bytes")) {
      const uint64_t raw = cursor_uint(&at);
      if (raw > DUMP_RAW_MAX) return NESS_FORMAT;
      out->columns.raw_bytes = (size_t)raw;
      bit = 2;
    } else if (cursor_is(key, length, "columns")) {
      table = at;
      cursor_skip(&at);
      bit = 4;
    } else {
      cursor_skip(&at);
    }
    if (seen & bit) return NESS_FORMAT;
    seen |= bit;
  }
  if (at.bad || seen != 7) return NESS_FORMAT;
  out->map.end = at.at;
  table.end = at.at;

  if (at.at == at.end || *at.at < 0xc4 || *at.at > 0xc6) return NESS_FORMAT; /* a bin, not a str */
  out->payload = (const unsigned char *)cursor_text(&at, &out->payload_bytes);
  if (at.bad || at.at != at.end) return NESS_FORMAT;
  if (!out->zstd && out->payload_bytes != out->columns.raw_bytes) return NESS_FORMAT;
  if (out->zstd && ZSTD_getFrameContentSize(out->payload, out->payload_bytes) != out->columns.raw_bytes)
    return NESS_FORMAT;
  return read_columns(table, &out->columns) ? NESS_OK : NESS_FORMAT;
}

ness_status frame_payload(const frame_body *self, void *raw)
{
  const size_t n = self->columns.raw_bytes;
  if (!self->zstd) {
    if (n > 0) memcpy(raw, self->payload, n);
    return NESS_OK;
  }
  const size_t got = ZSTD_decompress(raw, n, self->payload, self->payload_bytes);
  return got == n ? NESS_OK : NESS_FORMAT;
}

const column *payload_find(const payload *self, const char *name)
{
  for (int32_t i = 0; i < self->count; i++)
    if (cursor_is(self->columns[i].name, self->columns[i].name_length, name)) return &self->columns[i];
  return NULL;
}

/* --- the chunk --- */

ness_status chunk_scalars(const frame_body *body, dump_chunk *out)
{
  static const char *const keys[] = {"replica", "index",  "last",    "stop",         "t0",  "t1",
                                     "rng",     "events", "counted", "tape_entropy", "rows"};
  enum { KEYS = sizeof keys / sizeof keys[0] };
  cursor at = body->map;
  size_t length;
  unsigned seen = 0;
  *out = (dump_chunk){0};
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    unsigned k = 0;
    while (k < KEYS && !cursor_is(key, length, keys[k])) k++;
    if (k < KEYS && seen & 1u << k) return NESS_FORMAT;
    if (k < KEYS) seen |= 1u << k;
    switch (k) {
    case 0: out->replica = cursor_int(&at); break;
    case 1: out->index = cursor_int(&at); break;
    case 2: out->last = cursor_bool(&at); break;
    case 3: {
      const int64_t stop = cursor_int(&at);
      if (stop < 0 || stop > INT32_MAX) return NESS_FORMAT;
      out->stop = (int32_t)stop;
      break;
    }
    case 4: out->t0 = cursor_real(&at); break;
    case 5: out->t1 = cursor_real(&at); break;
    case 6:
      if (cursor_array(&at) != 4) return NESS_FORMAT;
      for (int i = 0; i < 4; i++) out->rng[i] = cursor_uint(&at);
      break;
    case 7: out->events = cursor_int(&at); break;
    case 8: out->counted = cursor_real(&at); break;
    case 9: out->tape_entropy = cursor_real(&at); break;
    case 10: out->rows = cursor_int(&at); break;
    default: cursor_skip(&at);
    }
  }
  const bool good = !at.bad && seen == (1u << KEYS) - 1 && out->replica >= 0 && out->index >= 0 && out->events >= 0 &&
                    out->rows >= 0 && out->rows <= (int64_t)DUMP_RAW_MAX && out->t0 <= out->t1;
  return good ? NESS_OK : NESS_FORMAT;
}

/* Counts as int64_t; false when one is negative. */
static bool widen(const column *c, const unsigned char *raw, int64_t *to)
{
  const size_t n = (size_t)(c->rows * c->width);
  int64_t low = 0;
  if (c->type == COLUMN_U8) {
    for (size_t i = 0; i < n; i++) to[i] = raw[i];
  } else if (c->type == COLUMN_U16) {
    const uint16_t *from = (const void *)raw;
    for (size_t i = 0; i < n; i++) to[i] = from[i];
  } else if (c->type == COLUMN_I32) {
    const int32_t *from = (const void *)raw;
    for (size_t i = 0; i < n; i++) low |= to[i] = from[i];
  } else {
    const int64_t *from = (const void *)raw;
    for (size_t i = 0; i < n; i++) low |= to[i] = from[i];
  }
  return low >= 0;
}

/* Directions as int32_t; false when one is not below `limit`. */
static bool widen_directions(const column *c, const unsigned char *raw, int32_t *to, int32_t limit)
{
  const size_t n = (size_t)(c->rows * c->width);
  uint32_t high = 0;
  if (c->type == COLUMN_U8) {
    for (size_t i = 0; i < n; i++) high = raw[i] > high ? raw[i] : high, to[i] = raw[i];
  } else if (c->type == COLUMN_U16) {
    const uint16_t *from = (const void *)raw;
    for (size_t i = 0; i < n; i++) high = from[i] > high ? from[i] : high, to[i] = from[i];
  } else {
    const int32_t *from = (const void *)raw;
    for (size_t i = 0; i < n; i++) high = (uint32_t)from[i] > high ? (uint32_t)from[i] : high, to[i] = from[i];
  }
  return n == 0 || high < (uint32_t)limit;
}

static void point(const chunk_column *spec, dump_chunk *chunk, const void *data)
{
  memcpy((char *)chunk + spec->member, &data, sizeof data);
}

/* The declared column, its shape as network and level ask; NULL when it is not there or of another shape. */
static const column *match(const payload *columns, const chunk_column *spec, const ness_network *net, int64_t rows)
{
  const column *c = payload_find(columns, spec->name);
  if (!c || c->rows != (spec->rows ? rows : 1) || c->width != chunk_width_of(spec, net)) return NULL;
  const bool real = c->type == COLUMN_F64;
  if (real != (spec->type == COLUMN_F64) || (spec->type == COLUMN_I32 && c->type == COLUMN_I64)) return NULL;
  return c;
}

ness_status dump_decode(const dump_reader *self, const dump_frame *frame, dump_buffer *buffer, dump_chunk *out)
{
  const ness_network *net = dump_network(self);
  const dump_run *run = dump_run_of(self);
  frame_body body;
  size_t need;
  *out = (dump_chunk){0};
  if (frame->kind != DUMP_KIND_CHUNK) return NESS_USAGE;
  ness_status status = frame_split(frame->data, frame->bytes, &body);
  if (!status) status = chunk_scalars(&body, out);
  if (status) return status;
  if (out->replica >= run->replicas || (run->level == DUMP_SUMMARY && out->rows > 0)) return NESS_FORMAT;

  /* shapes first, then memory: the raw payload and behind it what has to be widened */
  const size_t wide = chunk_memory(net, run->level, out->rows);
  if (wide == SIZE_MAX || !size_add(wide, body.columns.raw_bytes + 16, &need)) return NESS_FORMAT;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *spec = &chunk_columns[k];
    if (!(spec->levels & 1u << run->level) || match(&body.columns, spec, net, out->rows)) continue;
    if (!spec->optional || payload_find(&body.columns, spec->name)) return NESS_FORMAT;
  }
  if (!mem_grow(&buffer->block, &buffer->capacity, (int64_t)need, 1)) return NESS_NOMEM;
  unsigned char *raw = buffer->block, *next = raw + ((body.columns.raw_bytes + 7) & ~(size_t)7);
  status = frame_payload(&body, raw);
  if (status) return status;

  bool good = true;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *spec = &chunk_columns[k];
    const column *c = spec->levels & 1u << run->level ? match(&body.columns, spec, net, out->rows) : NULL;
    if (!c) continue;
    if (spec->type == COLUMN_F64) {
      point(spec, out, raw + c->offset);
      continue;
    }
    if (spec->type == COLUMN_I64) good &= widen(c, raw + c->offset, (void *)next);
    else good &= widen_directions(c, raw + c->offset, (void *)next, 2 * net->nstep);
    point(spec, out, next);
    next += ((size_t)(c->rows * c->width) * payload_item_bytes(spec->type) + 7) & ~(size_t)7;
  }
  return good && chunk_times_good(out) ? NESS_OK : NESS_FORMAT;
}

void dump_buffer_free(dump_buffer *self)
{
  if (!self) return;
  mem_free(self->block);
  *self = (dump_buffer){0};
}
