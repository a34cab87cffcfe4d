/* Verify: holds everything in a dump against everything else.
 *
 * Invariant: it reads to the end whatever it finds, and its list of problems is empty exactly when it returns NESS_OK.
 * An index is held against the chunks before it, a footer against all. Cost: decodes every chunk once; memory for a
 * frame, INDEX_ENTRIES entries, about 100 bytes a replica. */
#include "engine/dump/frame.h"
#include <string.h>

#define PROBLEMS_SHOWN 100

typedef struct inspection {
  dump_reader *reader;
  dump_buffer buffer;
  track replicas;
  totals sum;
  doc_node *problems;
  int64_t nproblems, index_offset;
  index_entry *pending; /* chunks since the last index frame */
  int64_t npending, capacity;
  bool footer;
} inspection;

static void problem(inspection *self, int64_t offset, int64_t bytes, const char *what)
{
  if (self->nproblems++ >= PROBLEMS_SHOWN) return;
  doc_node *row = doc_object(self->problems, NULL);
  doc_int(row, "offset", offset);
  doc_int(row, "bytes", bytes);
  doc_string(row, "what", "%s", what);
}

static void frame_problem(inspection *self, const dump_frame *frame, const char *what)
{
  problem(self, frame->offset, (int64_t)frame->bytes, what);
}

static ness_status inspect_chunk(inspection *self, const dump_frame *frame)
{
  dump_chunk chunk;
  const char *what = NULL;
  ness_status status = dump_decode(self->reader, frame, &self->buffer, DUMP_EVERYTHING, &chunk);
  if (status == NESS_FORMAT) {
    frame_problem(self, frame, "its contents do not fit together or not the network");
    return NESS_OK;
  }
  if (!status) status = dump_track_chunk(&self->replicas, &chunk, 0, &what);
  if (status) return status;
  if (what) frame_problem(self, frame, what);
  if (self->footer) frame_problem(self, frame, "a chunk behind the footer");
  tool_total_chunk(&self->sum, &chunk);
  if (self->npending > INDEX_ENTRIES) return NESS_OK; /* the index ought to have come: its length will not fit */
  const int64_t need = self->npending + 1;
  if (!mem_grow(&self->pending, &self->capacity, need <= self->capacity ? need : 2 * need, sizeof *self->pending))
    return NESS_NOMEM;
  self->pending[self->npending++] =
      (index_entry){frame->offset, chunk.replica, chunk.index, chunk.t0, chunk.t1, chunk.last};
  return NESS_OK;
}

/* The value of row i of a column of the index as the bits of a 64-bit number. */
static bool index_value(const payload *columns, const unsigned char *raw, const char *name, int64_t i, int64_t want)
{
  const column *c = payload_find(columns, name);
  const unsigned char *at = raw + c->offset + (size_t)i * payload_item_bytes(c->type);
  uint16_t u16;
  int32_t i32;
  int64_t value = 0;
  if (c->type == COLUMN_U8) value = *at;
  else if (c->type == COLUMN_U16) value = (memcpy(&u16, at, sizeof u16), u16);
  else if (c->type == COLUMN_I32) value = (memcpy(&i32, at, sizeof i32), i32);
  else memcpy(&value, at, sizeof value);
  return value == want;
}

static int64_t bits(double value)
{
  int64_t result;
  memcpy(&result, &value, sizeof result);
  return result;
}

static ness_status inspect_index(inspection *self, const dump_frame *frame)
{
  static const char *const names[] = {"offset", "replica", "index", "last", "t0", "t1"};
  frame_body body;
  const int64_t n = self->npending;
  bool good = !frame_split(frame->data, frame->bytes, &body);
  for (int k = 0; k < 6 && good; k++) {
    const column *c = payload_find(&body.columns, names[k]);
    good = c && c->rows == n && c->width == 1 && (c->type == COLUMN_F64) == (k > 3);
  }
  unsigned char *raw = good ? mem_alloc(body.columns.raw_bytes + 1) : NULL;
  if (good && !raw) return NESS_NOMEM;
  good = good && !frame_payload(&body, raw);
  for (int64_t i = 0; i < n && good; i++) {
    const index_entry *e = &self->pending[i];
    const int64_t want[] = {e->offset, e->replica, e->index, e->last, bits(e->t0), bits(e->t1)};
    for (int k = 0; k < 6; k++) good = good && index_value(&body.columns, raw, names[k], i, want[k]);
  }
  mem_free(raw);
  if (!good) frame_problem(self, frame, "the index does not fit the chunks before it");
  self->npending = 0;
  self->index_offset = frame->offset;
  return NESS_OK;
}

static void inspect_footer(inspection *self, const dump_frame *frame)
{
  frame_body body;
  size_t length;
  bool good = !frame_split(frame->data, frame->bytes, &body);
  if (good) {
    cursor at = body.map;
    for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
      const char *key = cursor_text(&at, &length);
      if (cursor_is(key, length, "chunks")) good &= cursor_int(&at) == self->sum.chunks;
      else if (cursor_is(key, length, "events")) good &= cursor_int(&at) == self->sum.events;
      else if (cursor_is(key, length, "finished")) good &= cursor_int(&at) == self->sum.finished;
      else if (cursor_is(key, length, "index")) good &= (cursor_nil(&at) ? -1 : cursor_int(&at)) == self->index_offset;
      else cursor_skip(&at);
    }
    good &= !at.bad && self->npending == 0;
  }
  if (!good) frame_problem(self, frame, "the footer's figures do not fit the frames before it");
  if (self->footer) frame_problem(self, frame, "a second footer");
  self->footer = true;
}

static ness_status inspect(inspection *self, const dump_frame *frame)
{
  self->sum.frames++;
  self->sum.bytes += (int64_t)frame->bytes;
  if (frame->kind == DUMP_KIND_CHUNK) return inspect_chunk(self, frame);
  if (frame->kind == DUMP_KIND_INDEX) return inspect_index(self, frame);
  if (frame->kind == DUMP_KIND_FOOTER) inspect_footer(self, frame);
  else frame_problem(self, frame, "a frame of unknown kind");
  return NESS_OK;
}

ness_status reader_verify(dump_reader *reader, ness_diags *diags, ness_doc *doc)
{
  doc_node *root = doc_root(doc);
  inspection self = {.reader = reader, .index_offset = -1};
  dump_frame frame = {0};
  ness_status status;
  int32_t n;
  tool_describe_run(root, reader);
  self.sum.frames = 1;
  self.sum.bytes = (int64_t)reader_run_frame(reader)->bytes;
  self.problems = doc_array(root, "problems");
  while (!(status = dump_next(reader, &frame, diags)) && frame.bytes > 0)
    if ((status = inspect(&self, &frame))) break;

  const dump_stretch *s = reader_stretches(reader, &n);
  for (int32_t i = 0; i < n; i++) problem(&self, s[i].offset, s[i].bytes, s[i].why);
  const bool complete = dump_complete(reader);
  if (complete && self.replicas.finished < dump_run_of(reader)->replicas)
    problem(&self, frame.offset, 0, "the footer says complete, yet replicas are missing or have not ended");
  if (!status && self.nproblems > 0) {
    status = NESS_FORMAT;
    if (diags)
      diag_add(diags, NESS_ERROR, "%s: %lld problems, the first: %s", reader_path(reader), (long long)self.nproblems,
               ness_doc_string(doc, "problems[0].what"));
  }
  doc_bool(root, "intact", !status);
  doc_bool(root, "complete", complete);
  doc_int(root, "problem_count", self.nproblems);
  doc_int(root, "damaged_bytes", dump_damage(reader));
  tool_describe_totals(root, &self.sum);
  dump_frame_free(&frame);
  dump_buffer_free(&self.buffer);
  dump_track_free(&self.replicas);
  mem_free(self.pending);
  return status;
}

ness_status ness_dump_verify(const char *path, ness_diags *diags, ness_doc **doc)
{
  dump_reader *reader = NULL;
  ness_doc *tree = NULL;
  if (doc) *doc = NULL;
  if (!path) return NESS_USAGE;
  ness_status status = dump_open(path, diags, &reader);
  if (!status && !(tree = doc_create("dump.verify"))) status = NESS_NOMEM;
  if (!status) status = reader_verify(reader, diags, tree);
  dump_reader_free(reader);
  return tool_hand_over(tree, status, doc);
}
