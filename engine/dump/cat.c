/* One line of JSON a frame, from the msgpack as it stands.
 *
 * Invariant: a line is valid JSON whatever the frame holds: bytes that are no UTF-8 come out as \u00xx, infinities and
 * NaN as strings, nesting below DEPTH_MAX as null. Cost: text goes out in pieces of FLUSH bytes, so a line needs no
 * memory of its own length. */
#include "engine/dump/frame.h"
#include <math.h>
#include <string.h>

#define DEPTH_MAX 16
#define FLUSH ((size_t)64 << 10)

typedef struct json {
  text_buffer out;
  ness_dump_write write;
  void *context;
  bool refused; /* the caller's write failed */
} json;

static void flush(json *self, size_t above)
{
  if (self->out.length <= above || self->out.failed) return;
  if (!self->refused && self->write(self->context, self->out.data, self->out.length)) self->refused = true;
  self->out.length = 0;
}

static void put_string(json *self, const char *text, size_t length)
{
  const bool utf8 = frame_text_is_utf8(text, length);
  text_put(&self->out, "\"", 1);
  for (size_t i = 0, from = 0; i <= length; i++) {
    const unsigned c = i < length ? (unsigned char)text[i] : 0;
    if (i < length && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && (c < 0x80 || utf8)) continue;
    text_put(&self->out, text + from, i - from);
    from = i + 1;
    if (i == length) break;
    if (c == '"' || c == '\\') text_add(&self->out, "\\%c", (int)c);
    else if (c == '\n') text_put(&self->out, "\\n", 2);
    else text_add(&self->out, "\\u%04x", c);
    flush(self, FLUSH);
  }
  text_put(&self->out, "\"", 1);
}

static void put_real(json *self, double value)
{
  char number[32];
  if (isnan(value)) {
    text_put(&self->out, "\"nan\"", 5);
  } else if (isinf(value)) {
    text_add(&self->out, value > 0 ? "\"inf\"" : "\"-inf\"");
  } else {
    number_exact(value, number);
    text_put(&self->out, number, strlen(number));
  }
}

static void put_value(json *self, cursor *at, int depth);

static void put_key(json *self, cursor *at)
{
  size_t length;
  const unsigned h = at->at < at->end ? *at->at : 0;
  if ((h >= 0xa0 && h <= 0xbf) || (h >= 0xd9 && h <= 0xdb)) {
    const char *key = cursor_text(at, &length);
    put_string(self, key, length);
  } else { /* JSON has no other keys */
    put_string(self, "?", 1);
    cursor_skip(at);
  }
  text_put(&self->out, ":", 1);
}

static void put_container(json *self, cursor *at, bool map, int depth)
{
  const uint32_t n = map ? cursor_map(at) : cursor_array(at);
  text_put(&self->out, map ? "{" : "[", 1);
  for (uint32_t i = 0; i < n && !at->bad; i++) {
    if (i > 0) text_put(&self->out, ",", 1);
    if (map) put_key(self, at);
    put_value(self, at, depth + 1);
    flush(self, FLUSH);
  }
  text_put(&self->out, map ? "}" : "]", 1);
}

static void put_value(json *self, cursor *at, int depth)
{
  const unsigned h = at->at < at->end ? *at->at : 0xc1;
  size_t length;
  if (depth > DEPTH_MAX || h == 0xc0 || h == 0xc1 || (h >= 0xc7 && h <= 0xc9) || (h >= 0xd4 && h <= 0xd8)) {
    cursor_skip(at);
    text_put(&self->out, "null", 4);
  } else if ((h >= 0x80 && h <= 0x8f) || h == 0xde || h == 0xdf) {
    put_container(self, at, true, depth);
  } else if ((h >= 0x90 && h <= 0x9f) || h == 0xdc || h == 0xdd) {
    put_container(self, at, false, depth);
  } else if (h == 0xc2 || h == 0xc3) {
    text_add(&self->out, "%s", cursor_bool(at) ? "true" : "false");
  } else if (h == 0xca || h == 0xcb) {
    put_real(self, cursor_real(at));
  } else if (h == 0xcf) {
    text_add(&self->out, "%llu", (unsigned long long)cursor_uint(at));
  } else if (h <= 0x7f || h >= 0xe0 || (h >= 0xcc && h <= 0xd3)) {
    text_add(&self->out, "%lld", (long long)cursor_int(at));
  } else {
    const char *text = cursor_text(at, &length);
    put_string(self, text, length);
  }
}

/* --- columns --- */

static void put_number(json *self, column_type type, const unsigned char *at)
{
  uint16_t u16;
  int32_t i32;
  int64_t i64;
  double f64;
  switch (type) {
  case COLUMN_U8: text_add(&self->out, "%u", *at); break;
  case COLUMN_U16:
    memcpy(&u16, at, sizeof u16);
    text_add(&self->out, "%u", u16);
    break;
  case COLUMN_I32:
    memcpy(&i32, at, sizeof i32);
    text_add(&self->out, "%d", i32);
    break;
  case COLUMN_I64:
    memcpy(&i64, at, sizeof i64);
    text_add(&self->out, "%lld", (long long)i64);
    break;
  case COLUMN_F64: memcpy(&f64, at, sizeof f64); put_real(self, f64);
  }
}

/* A list, or a list of lists where both rows and width matter. */
static void put_column(json *self, const column *c, const unsigned char *raw)
{
  const bool nested = c->rows != 1 && c->width != 1;
  const size_t step = payload_item_bytes(c->type);
  const unsigned char *at = raw + c->offset;
  text_put(&self->out, ",", 1);
  put_string(self, c->name, c->name_length);
  text_put(&self->out, ":[", 2);
  for (int64_t i = 0; i < c->rows && c->width > 0 && !self->refused; i++) {
    if (i > 0) text_put(&self->out, ",", 1);
    if (nested) text_put(&self->out, "[", 1);
    for (int64_t k = 0; k < c->width; k++, at += step) {
      if (k > 0) text_put(&self->out, ",", 1);
      put_number(self, c->type, at);
      flush(self, FLUSH);
    }
    if (nested) text_put(&self->out, "]", 1);
  }
  text_put(&self->out, "]", 1);
}

static ness_status put_frame(json *self, const dump_frame *frame, bool rows)
{
  frame_body body;
  size_t length;
  text_add(&self->out, "{\"offset\":%lld,\"kind\":\"%s\",\"bytes\":%zu", (long long)frame->offset,
           dump_kind_name(frame->kind), frame->bytes);
  if (frame_split(frame->data, frame->bytes, &body)) {
    text_add(&self->out, ",\"problem\":\"the frame's contents do not fit together\"}\n");
    return NESS_OK;
  }
  cursor at = body.map;
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    cursor peek = at;
    const char *key = cursor_text(&peek, &length);
    if (cursor_is(key, length, "columns") || cursor_is(key, length, "pad") || cursor_is(key, length, "frame")) {
      cursor_skip(&at);
      cursor_skip(&at);
      continue;
    }
    text_put(&self->out, ",", 1);
    put_key(self, &at);
    put_value(self, &at, 0);
  }
  if (frame->kind != DUMP_KIND_RUN) {
    unsigned char *raw = mem_alloc(body.columns.raw_bytes + 1);
    if (!raw) return NESS_NOMEM;
    const bool good = !frame_payload(&body, raw);
    for (int32_t i = 0; i < body.columns.count && good; i++) {
      const column *c = &body.columns.columns[i];
      if (rows || c->name_length < 4 || memcmp(c->name, "row_", 4) != 0) put_column(self, c, raw);
    }
    if (!good) text_add(&self->out, ",\"problem\":\"the payload does not decompress\"");
    mem_free(raw);
  }
  text_put(&self->out, "}\n", 2);
  return NESS_OK;
}

ness_status reader_cat(dump_reader *reader, bool rows, ness_dump_write write, void *context, ness_diags *diags)
{
  json self = {.write = write, .context = context};
  dump_frame frame = {0};
  ness_status status = put_frame(&self, reader_run_frame(reader), rows);
  while (!status && !(status = dump_next(reader, &frame, diags)) && frame.bytes > 0) {
    status = put_frame(&self, &frame, rows);
    flush(&self, FLUSH);
    if (!status && self.refused) break;
  }
  flush(&self, 0);
  if (!status && self.refused) status = NESS_IO;
  if (!status && self.out.failed) status = NESS_NOMEM;
  text_clear(&self.out);
  dump_frame_free(&frame);
  return status;
}

ness_status ness_dump_cat(const char *path, const ness_dump_options *given, ness_dump_write write, void *context,
                          ness_diags *diags)
{
  const ness_dump_options options = tool_options(given);
  dump_reader *reader = NULL;
  if (!path || !write) return NESS_USAGE;
  ness_status status = dump_open(path, diags, &reader);
  if (!status) status = reader_cat(reader, options.rows != 0, write, context, diags);
  dump_reader_free(reader);
  return status;
}
