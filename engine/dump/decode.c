/* Columns out of frames: taking a frame apart, its column table, and the chunk within.
 *
 * Invariant: nothing is allocated before the declared sizes were held against each other (blocks within the payload,
 * columns as long as their shape or zstd's own header says, shapes as the network has them, all below DUMP_RAW_MAX). A
 * frame comes here with its checksum verified, yet nothing in it is trusted: a checksum says intact, not honest. Cost,
 * of the columns that are wanted: decompression, one pass to widen counts, one to check times. Plain columns that are
 * in their type of memory are used where they lie in the frame. */
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

/* A block lies at a multiple of 8 and within the payload, and holds a column of its shape; *raw_bytes grows by it. */
static bool read_column(cursor *at, const frame_body *body, size_t *raw_bytes, column *out)
{
  size_t bytes, length;
  *out = (column){0};
  if (cursor_array(at) != 7) return false;
  out->name = cursor_text(at, &out->name_length);
  if (!read_dtype(at, &out->type)) return false;
  out->rows = cursor_int(at);
  out->width = cursor_int(at);
  const uint64_t block = cursor_uint(at), stored = cursor_uint(at);
  const char *codec = cursor_text(at, &length);
  out->zstd = cursor_is(codec, length, "zstd");
  if (!out->zstd && !cursor_is(codec, length, "plain")) return false;
  if (at->bad || out->rows < 0 || out->width < 0 || block % 8) return false;
  if (block > body->payload_bytes || stored > body->payload_bytes - block) return false;
  out->block = (size_t)block;
  out->stored = (size_t)stored;
  if (!size_mul((size_t)out->rows, (size_t)out->width, &bytes)) return false;
  if (!size_mul(bytes, payload_item_bytes(out->type), &bytes) || bytes > DUMP_RAW_MAX) return false;
  out->offset = (*raw_bytes + 7) & ~(size_t)7;
  *raw_bytes = out->offset + bytes;
  if (*raw_bytes > DUMP_RAW_MAX) return false;
  if (!out->zstd) return stored == bytes;
  return ZSTD_getFrameContentSize(body->payload + out->block, out->stored) == bytes;
}

static bool read_columns(cursor at, frame_body *body)
{
  payload *const out = &body->columns;
  const uint32_t n = cursor_array(&at);
  if (at.bad || n > COLUMNS_MAX) return false;
  for (uint32_t i = 0; i < n; i++)
    if (!read_column(&at, body, &out->raw_bytes, &out->columns[i])) return false;
  out->count = (int32_t)n;
  return true;
}

ness_status frame_split(const void *frame, size_t bytes, frame_body *out)
{
  *out = (frame_body){0};
  if (bytes < FRAME_HEADER) return NESS_FORMAT;
  cursor at = {(const unsigned char *)frame + FRAME_HEADER, (const unsigned char *)frame + bytes, false}, table = {0};
  size_t length;
  bool seen = false;

  out->map = at;
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    if (cursor_is(key, length, "columns")) {
      if (seen) return NESS_FORMAT;
      table = at;
      seen = true;
    }
    cursor_skip(&at);
  }
  if (at.bad || !seen) return NESS_FORMAT;
  out->map.end = at.at;
  table.end = at.at;

  if (at.at == at.end || *at.at < 0xc4 || *at.at > 0xc6) return NESS_FORMAT; /* a bin, not a str */
  out->payload = (const unsigned char *)cursor_text(&at, &out->payload_bytes);
  if (at.bad || at.at != at.end) return NESS_FORMAT;
  return read_columns(table, out) ? NESS_OK : NESS_FORMAT;
}

/* One column as it is in memory. */
static bool column_raw(const frame_body *body, const column *c, ZSTD_DCtx *context, void *raw)
{
  const size_t n = column_bytes(c);
  if (c->zstd) return ZSTD_decompressDCtx(context, raw, n, body->payload + c->block, c->stored) == n;
  if (n > 0) memcpy(raw, body->payload + c->block, n);
  return true;
}

ness_status frame_payload(const frame_body *self, void *raw)
{
  ZSTD_DCtx *const context = ZSTD_createDCtx();
  bool good = true;
  if (!context) return NESS_NOMEM;
  for (int32_t i = 0; i < self->columns.count && good; i++) {
    const column *c = &self->columns.columns[i];
    good = column_raw(self, c, context, (unsigned char *)raw + c->offset);
  }
  ZSTD_freeDCtx(context);
  return good ? NESS_OK : NESS_FORMAT;
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

#define EACH(stored, body)                                                                                             \
  do {                                                                                                                 \
    const stored *from = (const void *)plain;                                                                          \
    for (size_t i = 0; i < n; i++) body;                                                                               \
  } while (0)

/* Counts as int64_t, in `to` unless they are that already; NULL when one is negative. */
static const void *widen(const column *c, const unsigned char *plain, int64_t *to)
{
  const size_t n = (size_t)(c->rows * c->width);
  int64_t low = 0;
  if (c->type == COLUMN_U8) EACH(uint8_t, to[i] = from[i]);
  else if (c->type == COLUMN_U16) EACH(uint16_t, to[i] = from[i]);
  else if (c->type == COLUMN_I32) EACH(int32_t, low |= to[i] = from[i]);
  else EACH(int64_t, low |= from[i]);
  if (low < 0) return NULL;
  return c->type == COLUMN_I64 ? (const void *)plain : to;
}

/* Whether every direction is one of the network. */
static bool directions_good(const column *c, const unsigned char *plain, int32_t limit)
{
  const size_t n = (size_t)(c->rows * c->width);
  uint8_t high1 = 0;
  uint16_t high2 = 0;
  uint32_t high4 = 0;
  if (c->type == COLUMN_U8) EACH(uint8_t, high1 = from[i] > high1 ? from[i] : high1);
  else if (c->type == COLUMN_U16) EACH(uint16_t, high2 = from[i] > high2 ? from[i] : high2);
  else EACH(int32_t, high4 = (uint32_t)from[i] > high4 ? (uint32_t)from[i] : high4);
  return n == 0 || (high1 < (uint32_t)limit && high2 < (uint32_t)limit && high4 < (uint32_t)limit);
}

/* Directions as int32_t, in `to` unless they are that already. */
static const void *widen_directions(const column *c, const unsigned char *plain, int32_t *to)
{
  const size_t n = (size_t)(c->rows * c->width);
  if (c->type == COLUMN_U8) EACH(uint8_t, to[i] = from[i]);
  else if (c->type == COLUMN_U16) EACH(uint16_t, to[i] = from[i]);
  return c->type == COLUMN_I32 ? (const void *)plain : to;
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

/* Whether the block can be used where it lies. */
static bool in_place(const column *c, const unsigned char *block)
{
  return !c->zstd && (uintptr_t)block % payload_item_bytes(c->type) == 0;
}

static size_t aligned(size_t bytes)
{
  return (bytes + 7) & ~(size_t)7;
}

/* What of the buffer a column takes: for its bytes, unless they can be used in place, and for its wider form. */
static size_t column_room(const frame_body *body, const column *c, column_type memory)
{
  const size_t plain = in_place(c, body->payload + c->block) ? 0 : aligned(column_bytes(c));
  return plain + (c->type == memory ? 0 : aligned((size_t)(c->rows * c->width) * payload_item_bytes(memory)));
}

/* The column's bytes in the frame, or brought to *next, which moves behind them. */
static ness_status column_plain(const frame_body *body, const column *c, dump_buffer *buffer, unsigned char **next,
                                const unsigned char **out)
{
  *out = body->payload + c->block;
  if (in_place(c, *out)) return NESS_OK;
  if (c->zstd && !buffer->zstd && !(buffer->zstd = ZSTD_createDCtx())) return NESS_NOMEM;
  unsigned char *const to = *next;
  *next += aligned(column_bytes(c));
  *out = to;
  return column_raw(body, c, buffer->zstd, to) ? NESS_OK : NESS_FORMAT;
}

static ness_status decode_column(const frame_body *body, const chunk_column *spec, const column *c, int32_t directions,
                                 unsigned wanted, dump_buffer *buffer, unsigned char **next, dump_chunk *out)
{
  const unsigned char *plain;
  const ness_status status = column_plain(body, c, buffer, next, &plain);
  if (status) return status;
  const void *data = plain;
  if (spec->type == COLUMN_I64) data = widen(c, plain, (void *)*next);
  if (spec->type == COLUMN_I32) {
    if (!directions_good(c, plain, directions)) return NESS_FORMAT;
    out->row_dir_stored = plain;
    out->row_dir_bytes = (int32_t)payload_item_bytes(c->type);
    if (!(wanted & DUMP_ROW_DIR)) return NESS_OK;
    data = widen_directions(c, plain, (void *)*next);
  }
  if (data == *next) *next += aligned((size_t)(c->rows * c->width) * payload_item_bytes(spec->type));
  point(spec, out, data);
  return data ? NESS_OK : NESS_FORMAT;
}

ness_status dump_decode(const dump_reader *self, const dump_frame *frame, dump_buffer *buffer, unsigned wanted,
                        dump_chunk *out)
{
  const ness_network *net = dump_network(self);
  const dump_run *run = dump_run_of(self);
  const column *columns[CHUNK_COLUMNS] = {NULL};
  frame_body body;
  size_t need = 8;
  *out = (dump_chunk){0};
  if (frame->kind != DUMP_KIND_CHUNK) return NESS_USAGE;
  ness_status status = frame_split(frame->data, frame->bytes, &body);
  if (!status) status = chunk_scalars(&body, out);
  if (status) return status;
  if (out->replica >= run->replicas || (run->level == DUMP_SUMMARY && out->rows > 0)) return NESS_FORMAT;

  /* shapes first, then memory: the columns that have to be decompressed, moved or widened */
  if (chunk_memory(net, run->level, out->rows) == SIZE_MAX) return NESS_FORMAT;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *spec = &chunk_columns[k];
    if (!(spec->levels & 1u << run->level)) continue;
    const column *c = match(&body.columns, spec, net, out->rows);
    if (!c && (!spec->optional || payload_find(&body.columns, spec->name))) return NESS_FORMAT;
    const unsigned asked = spec->type == COLUMN_I32 ? DUMP_ROW_DIR | DUMP_ROW_DIR_STORED : 1u << k;
    if (!c || !(wanted & asked)) continue;
    columns[k] = c;
    need += column_room(&body, c, spec->type);
  }
  if (!mem_grow(&buffer->block, &buffer->capacity, (int64_t)need, 1)) return NESS_NOMEM;
  unsigned char *next = buffer->block;
  for (int k = 0; k < CHUNK_COLUMNS && !status; k++)
    if (columns[k])
      status = decode_column(&body, &chunk_columns[k], columns[k], 2 * net->nstep, wanted, buffer, &next, out);
  if (status) return status;
  return chunk_times_good(out) ? NESS_OK : NESS_FORMAT;
}

void dump_buffer_free(dump_buffer *self)
{
  if (!self) return;
  mem_free(self->block);
  ZSTD_freeDCtx(self->zstd);
  *self = (dump_buffer){0};
}
