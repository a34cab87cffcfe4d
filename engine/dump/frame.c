/* Frames as bytes: the header, the column table and the payload, put together with msgpack-c's packer.
 *
 * Invariant: the same input gives the same bytes. The payload is the columns one after another, each a block of its own
 * that starts at a multiple of 8 (of the payload, and of the frame) with zeros between; counts take the smallest of u8,
 * u16, i32, i64 that holds the largest; a column is compressed when it has PLAIN_BYTES and that takes a SAVING off,
 * else stored plain: times, which zstd does little for, are read where they lie. A long column is tried on a sample.
 * Cost: one pass for the types, one copy, zstd level 1 where it pays, XXH3-64 over the frame. */
#include "engine/dump/frame.h"
#include <string.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PLAIN_BYTES 512
#define SAVING 4                        /* one part in so many */
#define SAMPLE_BYTES ((size_t)16 << 10) /* from the middle of a column of SAMPLE_LEAST and more */
#define SAMPLE_LEAST (8 * SAMPLE_BYTES)
#define ZSTD_LEVEL 1

const unsigned char frame_mark[FRAME_MARK] = {0x85, 0xa5, 'm', 'a', 'g', 'i',  'c',  0xc4, 8,
                                              0x89, 'N',  'E', 'S', 'S', '\r', '\n', 0x1a};

static const unsigned char frame_template[FRAME_HEADER] = {
    0x85, 0xa5, 'm',  'a', 'g', 'i', 'c',  0xc4, 8,   0x89, 'N', 'E',  'S', 'S',  '\r', '\n', 0x1a, 0xa4, 'h', 'a',
    's',  'h',  0xcf, 0,   0,   0,   0,    0,    0,   0,    0,   0xa4, 'k', 'i',  'n',  'd',  0,    0xa7, 'v', 'e',
    'r',  's',  'i',  'o', 'n', 0,   0xa6, 'l',  'e', 'n',  'g', 't',  'h', 0xce, 0,    0,    0,    0};
enum { AT_HASH = 23, AT_KIND = 36, AT_VERSION = 45, AT_LENGTH = 54 };

static void put_big(unsigned char *at, uint64_t value, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
}

static uint64_t get_big(const unsigned char *at, size_t bytes)
{
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value = value << 8 | at[i];
  return value;
}

static void head_write(unsigned char *bytes, const frame_head *head)
{
  memcpy(bytes, frame_template, FRAME_HEADER);
  put_big(bytes + AT_HASH, head->hash, 8);
  bytes[AT_KIND] = (unsigned char)head->kind;
  bytes[AT_VERSION] = (unsigned char)head->version;
  put_big(bytes + AT_LENGTH, head->length, 4);
}

bool frame_head_read(const unsigned char *bytes, frame_head *out)
{
  unsigned char again[FRAME_HEADER];
  out->hash = get_big(bytes + AT_HASH, 8);
  out->kind = bytes[AT_KIND];
  out->version = bytes[AT_VERSION];
  out->length = (size_t)get_big(bytes + AT_LENGTH, 4);
  head_write(again, out);
  return memcmp(again, bytes, FRAME_HEADER) == 0 && out->kind < 128 && out->version > 0 && out->version < 128;
}

uint64_t frame_hash(const void *frame, size_t bytes)
{
  return XXH3_64bits((const unsigned char *)frame + FRAME_HASHED, bytes - FRAME_HASHED);
}

uint64_t dump_text_hash(const char *text)
{
  return XXH3_64bits(text, strlen(text));
}

const char *dump_kind_name(int32_t kind)
{
  static const char *const names[] = {"unknown", "run", "chunk", "index", "footer"};
  return kind >= DUMP_KIND_RUN && kind <= DUMP_KIND_FOOTER ? names[kind] : names[0];
}

const char *dump_level_name(int32_t level)
{
  static const char *const names[] = {"summary", "flux", "grid", "events"};
  return level >= DUMP_SUMMARY && level <= DUMP_EVENTS ? names[level] : "unknown";
}

/* --- packing values --- */

static int put(void *out, const char *data, size_t length)
{
  text_put(out, data, length);
  return 0;
}

/* What Python's msgpack accepts as a str: UTF-8 without overlong forms and surrogates. */
bool frame_text_is_utf8(const char *text, size_t n)
{
  const unsigned char *s = (const unsigned char *)text;
  for (size_t i = 0; i < n;) {
    const unsigned c = s[i++];
    size_t more = 0;
    unsigned low = 0x80, high = 0xbf;
    if (c < 0x80) continue;
    if (c >= 0xc2 && c <= 0xdf) more = 1;
    else if (c >= 0xe0 && c <= 0xef) more = 2;
    else if (c >= 0xf0 && c <= 0xf4) more = 3;
    else return false;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    for (; more > 0; more--, low = 0x80, high = 0xbf) {
      if (i >= n || s[i] < low || s[i] > high) return false;
      i++;
    }
  }
  return true;
}

void pack_key(frame_build *self, const char *key)
{
  if (!key) return;
  const size_t length = strlen(key);
  msgpack_pack_str(&self->packer, length);
  msgpack_pack_str_body(&self->packer, key, length);
}

void pack_text(frame_build *self, const char *key, const char *value)
{
  const size_t length = value ? strlen(value) : 0;
  pack_key(self, key);
  if (length == 0) {
    msgpack_pack_str(&self->packer, 0);
  } else if (frame_text_is_utf8(value, length)) {
    msgpack_pack_str(&self->packer, length);
    msgpack_pack_str_body(&self->packer, value, length);
  } else {
    msgpack_pack_bin(&self->packer, length);
    msgpack_pack_bin_body(&self->packer, value, length);
  }
}

void pack_int(frame_build *self, const char *key, int64_t value)
{
  pack_key(self, key);
  msgpack_pack_int64(&self->packer, value);
}

void pack_uint(frame_build *self, const char *key, uint64_t value)
{
  pack_key(self, key);
  msgpack_pack_uint64(&self->packer, value);
}

void pack_real(frame_build *self, const char *key, double value)
{
  pack_key(self, key);
  msgpack_pack_double(&self->packer, value);
}

void pack_bool(frame_build *self, const char *key, bool value)
{
  pack_key(self, key);
  if (value) msgpack_pack_true(&self->packer);
  else msgpack_pack_false(&self->packer);
}

void pack_nil(frame_build *self, const char *key)
{
  pack_key(self, key);
  msgpack_pack_nil(&self->packer);
}

void pack_map(frame_build *self, const char *key, size_t pairs)
{
  pack_key(self, key);
  msgpack_pack_map(&self->packer, pairs);
}

void pack_array(frame_build *self, const char *key, size_t elements)
{
  pack_key(self, key);
  msgpack_pack_array(&self->packer, elements);
}

/* --- columns --- */

size_t payload_item_bytes(column_type type)
{
  static const size_t bytes[] = {1, 2, 4, 8, 8};
  return bytes[type];
}

size_t column_bytes(const column *self)
{
  return (size_t)(self->rows * self->width) * payload_item_bytes(self->type);
}

static column *add(payload *self, const char *name, int64_t rows, int64_t width, const void *data)
{
  column *c = &self->columns[self->count++];
  *c = (column){.name = name, .rows = rows, .width = width, .data = data, .offset = (self->raw_bytes + 7) & ~(size_t)7};
  return c;
}

void payload_add(payload *self, const char *name, column_type type, int64_t rows, int64_t width, const void *data)
{
  column *c = add(self, name, rows, width, data);
  c->source = c->type = type;
  self->raw_bytes = c->offset + (size_t)(rows * width) * payload_item_bytes(type);
}

bool payload_narrow(payload *self, const char *name, const int64_t *data, int64_t rows, int64_t width)
{
  uint64_t seen = 0; /* all bits that occur: a negative count shows in the highest */
  for (int64_t i = 0; i < rows * width; i++) seen |= (uint64_t)data[i];
  column *c = add(self, name, rows, width, data);
  c->source = COLUMN_I64;
  c->type = seen <= UINT8_MAX    ? COLUMN_U8
            : seen <= UINT16_MAX ? COLUMN_U16
            : seen <= INT32_MAX  ? COLUMN_I32
                                 : COLUMN_I64;
  self->raw_bytes = c->offset + (size_t)(rows * width) * payload_item_bytes(c->type);
  return seen <= INT64_MAX;
}

#define NARROW(from, to)                                                                                               \
  do {                                                                                                                 \
    const from *source = c->data;                                                                                      \
    to *target = (void *)(raw + c->offset);                                                                            \
    for (size_t i = 0; i < n; i++) target[i] = (to)source[i];                                                          \
  } while (0)

static void payload_write(const payload *self, unsigned char *raw)
{
  size_t end = 0;
  for (int32_t k = 0; k < self->count; k++) {
    const column *c = &self->columns[k];
    const size_t n = (size_t)(c->rows * c->width), bytes = n * payload_item_bytes(c->type);
    memset(raw + end, 0, c->offset - end);
    end = c->offset + bytes;
    if (n == 0) continue;
    if (c->source == c->type) memcpy(raw + c->offset, c->data, bytes);
    else if (c->source == COLUMN_I64 && c->type == COLUMN_U8) NARROW(int64_t, uint8_t);
    else if (c->source == COLUMN_I64 && c->type == COLUMN_U16) NARROW(int64_t, uint16_t);
    else if (c->source == COLUMN_I64) NARROW(int64_t, int32_t);
    else if (c->type == COLUMN_U8) NARROW(int32_t, uint8_t);
    else NARROW(int32_t, uint16_t);
  }
}

/* --- frames --- */

void frame_begin(frame_build *self, const char *name, uint32_t fields)
{
  *self = (frame_build){0};
  msgpack_packer_init(&self->packer, &self->out, put);
  text_put(&self->out, (const char *)frame_template, FRAME_HEADER);
  pack_map(self, NULL, fields + 3);
  pack_text(self, "frame", name);
}

static void pack_columns(frame_build *self, const payload *columns)
{
  static const char *const dtypes[] = {"|u1", "<u2", "<i4", "<i8", "<f8"};
  pack_array(self, "columns", (size_t)columns->count);
  for (int32_t k = 0; k < columns->count; k++) {
    const column *c = &columns->columns[k];
    pack_array(self, NULL, 7);
    pack_text(self, NULL, c->name);
    pack_text(self, NULL, dtypes[c->type]);
    pack_int(self, NULL, c->rows);
    pack_int(self, NULL, c->width);
    pack_uint(self, NULL, c->block);
    pack_uint(self, NULL, c->stored);
    pack_text(self, NULL, c->zstd ? "zstd" : "plain");
  }
}

/* Bytes that make the payload begin at a multiple of 8 of the frame, so that plain columns are aligned in memory. */
static void pack_padding(frame_build *self, size_t payload_bytes)
{
  static const char zeros[8] = {0};
  const size_t bin = payload_bytes <= UINT8_MAX ? 2 : payload_bytes <= UINT16_MAX ? 3 : 5;
  pack_key(self, "pad");
  const size_t bytes = (8 - (self->out.length + 2 + bin) % 8) % 8;
  msgpack_pack_bin(&self->packer, bytes);
  text_put(&self->out, zeros, bytes);
}

/* zstd of `bytes` at `from`, when it takes a SAVING off; else, and when there is no memory (*nomem), 0. */
static size_t compress(ZSTD_CCtx *context, const unsigned char *from, size_t bytes, unsigned char *to, bool *nomem)
{
  const size_t packed = ZSTD_compressCCtx(context, to, bytes - bytes / SAVING, from, bytes, ZSTD_LEVEL);
  if (!ZSTD_isError(packed)) return packed;
  if (ZSTD_getErrorCode(packed) != ZSTD_error_dstSize_tooSmall) *nomem = true;
  return 0;
}

/* Lays out the blocks: what is compressed goes to `packed`, which has raw_bytes. Returns false when memory is out. */
static bool payload_compress(payload *self, const unsigned char *raw, unsigned char *packed, size_t *payload_bytes)
{
  ZSTD_CCtx *context = NULL;
  bool nomem = false;
  size_t end = 0;
  for (int32_t k = 0; k < self->count && !nomem; k++) {
    column *const c = &self->columns[k];
    const size_t bytes = column_bytes(c);
    c->block = (end + 7) & ~(size_t)7;
    c->stored = bytes;
    c->zstd = false;
    if (bytes >= PLAIN_BYTES) {
      if (!context && !(context = ZSTD_createCCtx())) return false;
      const size_t middle = c->offset + (bytes / 2 & ~(size_t)7);
      unsigned char *const to = packed + c->offset;
      const bool hopeful = bytes < SAMPLE_LEAST || compress(context, raw + middle, SAMPLE_BYTES, to, &nomem) > 0;
      const size_t less = hopeful ? compress(context, raw + c->offset, bytes, to, &nomem) : 0;
      c->zstd = less > 0;
      if (c->zstd) c->stored = less;
    }
    end = c->block + c->stored;
  }
  ZSTD_freeCCtx(context);
  *payload_bytes = end;
  return !nomem;
}

static void put_blocks(frame_build *self, const payload *columns, const unsigned char *raw, const unsigned char *packed)
{
  static const char zeros[8] = {0};
  size_t end = 0;
  for (int32_t k = 0; k < columns->count; k++) {
    const column *c = &columns->columns[k];
    text_put(&self->out, zeros, c->block - end);
    text_put(&self->out, (const char *)(c->zstd ? packed : raw) + c->offset, c->stored);
    end = c->block + c->stored;
  }
}

ness_status frame_end(frame_build *self, int32_t kind, payload *columns, void **frame, size_t *bytes)
{
  payload none = {.count = 0};
  ness_status status = NESS_NOMEM;
  unsigned char *raw = NULL;
  *frame = NULL;
  *bytes = 0;
  if (!columns) columns = &none;
  const size_t n = columns->raw_bytes;
  size_t payload_bytes;
  if (n > DUMP_RAW_MAX) {
    text_clear(&self->out);
    return NESS_LIMIT;
  }

  /* raw columns and behind them what zstd makes of them */
  raw = mem_alloc(2 * n + 1);
  if (!raw) goto out;
  payload_write(columns, raw);
  if (!payload_compress(columns, raw, raw + n, &payload_bytes)) goto out;

  pack_columns(self, columns);
  pack_padding(self, payload_bytes);
  msgpack_pack_bin(&self->packer, payload_bytes);
  put_blocks(self, columns, raw, raw + n);
  if (self->out.failed) goto out;
  status = NESS_LIMIT;
  if (self->out.length > DUMP_FRAME_MAX) goto out;

  *bytes = self->out.length;
  unsigned char *data = (unsigned char *)text_take(&self->out);
  frame_head head = {kind, DUMP_VERSION, *bytes - FRAME_HEADER, 0};
  head_write(data, &head);
  head.hash = frame_hash(data, *bytes);
  head_write(data, &head);
  *frame = data;
  status = NESS_OK;
out:
  mem_free(raw);
  text_clear(&self->out);
  return status;
}
