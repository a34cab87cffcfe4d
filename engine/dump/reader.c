/* Reading a dump from front to back through one buffer, over whatever damage lies in it.
 *
 * Invariant: a frame is handed out only when its header is right to the byte and its checksum holds; bytes between such
 * frames are stretches, counted and named. The buffer grows with what was really read, never with what a length claims,
 * and not beyond one frame. After damage the search for the next mark goes on one byte further, so a wrong length hides
 * nothing. Cost: one read, one checksum and one copy a byte. */
#include "engine/dump/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STRETCHES_WARNED 8
#define READ_FIRST ((size_t)256 << 10)

struct dump_reader {
  char *path;                /* NULL: memory */
  int fd;                    /* -1: memory */
  const unsigned char *data; /* the buffer, or the caller's memory */
  void *owned;
  int64_t capacity;
  size_t start, end; /* bytes that were read and not yet taken */
  int64_t offset;    /* in the file, of start */
  bool eof;
  dump_frame run_frame;
  dump_run run;
  arena strings;
  ness_network *net;
  int32_t complete;
  int64_t damage;
  dump_stretch open; /* the stretch that is being skipped; bytes 0: none */
  dump_stretch stretches[STRETCHES_KEPT];
  int32_t nstretches;
};

static const char *name(const dump_reader *self)
{
  return self->path ? self->path : "memory";
}

/* Reads until `need` bytes lie behind start or the file ends. */
static ness_status fill(dump_reader *self, size_t need, ness_diags *diags)
{
  while (self->end - self->start < need && !self->eof) {
    if (self->fd < 0) {
      self->eof = true;
      break;
    }
    const size_t have = self->end - self->start;
    if (self->start > 0) memmove(self->owned, self->data + self->start, have);
    self->start = 0;
    self->end = have;
    if (have == (size_t)self->capacity) { /* twice of what is really there */
      const size_t more = have ? 2 * have : READ_FIRST;
      if (!mem_grow(&self->owned, &self->capacity, (int64_t)more, 1)) return NESS_NOMEM;
    }
    self->data = self->owned;
    const ssize_t got = read(self->fd, (char *)self->owned + have, (size_t)self->capacity - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return dump_io_error(diags, "read", name(self), errno);
    if (got == 0) self->eof = true;
    self->end += (size_t)got;
  }
  return NESS_OK;
}

/* NULL in *why: an intact frame lies at start and is buffered; else what is wrong with these bytes. */
static ness_status examine(dump_reader *self, frame_head *head, const char **why, ness_diags *diags)
{
  ness_status status = fill(self, FRAME_HEADER, diags);
  if (status) return status;
  const size_t have = self->end - self->start;
  const size_t mark = have < FRAME_MARK ? have : FRAME_MARK;
  *why = "no frame begins here";
  if (mark == 0 || memcmp(self->data + self->start, frame_mark, mark) != 0) return NESS_OK;
  *why = "the file ends within a frame";
  if (have < FRAME_HEADER) return NESS_OK;
  *why = "the frame's header is damaged";
  if (!frame_head_read(self->data + self->start, head)) return NESS_OK;
  *why = "the frame's length is beyond the limit";
  if (head->length > DUMP_FRAME_MAX - FRAME_HEADER) return NESS_OK;
  const size_t bytes = FRAME_HEADER + head->length;
  status = fill(self, bytes, diags);
  if (status) return status;
  *why = "the file ends within a frame";
  if (self->end - self->start < bytes) return NESS_OK;
  *why = "the checksum does not hold";
  if (frame_hash(self->data + self->start, bytes) != head->hash) return NESS_OK;
  *why = NULL;
  if (head->version <= DUMP_VERSION) return NESS_OK;
  if (diags) {
    diag_add(diags, NESS_ERROR,
             "%s: the frame at byte %lld has version %d of the dump format; this ness reads up to %d", name(self),
             (long long)self->offset, head->version, DUMP_VERSION);
    diag_hint(diags, "read it with a newer ness");
  }
  return NESS_FORMAT;
}

static void advance(dump_reader *self, size_t bytes)
{
  self->start += bytes;
  self->offset += (int64_t)bytes;
}

/* To the next place where a mark begins, at least one byte on; a mark cut by the end of the buffer is kept. */
static void skip(dump_reader *self, const char *why)
{
  const unsigned char *from = self->data + self->start, *end = self->data + self->end, *at = from + 1;
  if (self->open.bytes == 0) self->open = (dump_stretch){self->offset, 0, why};
  while (at < end) {
    const unsigned char *hit = memchr(at, frame_mark[0], (size_t)(end - at));
    at = hit ? hit : end;
    const size_t here = (size_t)(end - at) < FRAME_MARK ? (size_t)(end - at) : FRAME_MARK;
    if (memcmp(at, frame_mark, here) == 0) break;
    at++;
  }
  self->open.bytes += at - from;
  self->damage += at - from;
  advance(self, (size_t)(at - from));
}

static void close_stretch(dump_reader *self, ness_diags *diags)
{
  const dump_stretch s = self->open;
  if (s.bytes == 0) return;
  if (diags && self->nstretches < STRETCHES_WARNED)
    diag_add(diags, NESS_WARNING, "%s: %lld bytes from byte %lld on are damaged and were skipped: %s", name(self),
             (long long)s.bytes, (long long)s.offset, s.why);
  if (self->nstretches < STRETCHES_KEPT) self->stretches[self->nstretches++] = s;
  self->open.bytes = 0;
}

/* Copies the intact frame at start and moves past it. */
static ness_status take(dump_reader *self, const frame_head *head, dump_frame *frame)
{
  const size_t bytes = FRAME_HEADER + head->length;
  if (!mem_grow(&frame->data, &frame->capacity, (int64_t)bytes, 1)) return NESS_NOMEM;
  memcpy(frame->data, self->data + self->start, bytes);
  frame->bytes = bytes;
  frame->offset = self->offset;
  frame->kind = head->kind;
  advance(self, bytes);
  return NESS_OK;
}

static int32_t footer_complete(const dump_frame *frame)
{
  frame_body body;
  size_t length;
  if (frame_split(frame->data, frame->bytes, &body)) return 0;
  cursor at = body.map;
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    if (cursor_is(key, length, "complete")) return cursor_bool(&at);
    cursor_skip(&at);
  }
  return 0;
}

ness_status dump_next(dump_reader *self, dump_frame *frame, ness_diags *diags)
{
  frame_head head = {0};
  const char *why;
  frame->bytes = 0;
  frame->kind = 0;
  for (;;) {
    ness_status status = examine(self, &head, &why, diags);
    if (status) return status;
    if (self->start == self->end) {
      close_stretch(self, diags);
      return NESS_OK;
    }
    if (!why) break;
    skip(self, why);
  }
  close_stretch(self, diags);
  if (head.kind == DUMP_KIND_RUN) {
    if (diags) {
      diag_add(diags, NESS_ERROR, "%s: a second run begins at byte %lld", name(self), (long long)self->offset);
      diag_hint(diags, "two dumps were joined end to end; ness dump merge joins dumps of one run");
    }
    return NESS_FORMAT;
  }
  const ness_status status = take(self, &head, frame);
  if (status) return status;
  if (head.kind == DUMP_KIND_CHUNK) self->complete = 0;
  if (head.kind == DUMP_KIND_FOOTER) self->complete = footer_complete(frame);
  return NESS_OK;
}

/* --- opening --- */

static ness_status read_run_frame(dump_reader *self, ness_diags *diags)
{
  frame_head head = {0};
  const char *why;
  ness_status status = examine(self, &head, &why, diags);
  if (status) return status;
  const size_t have = self->end - self->start;
  if (have < FRAME_MARK || memcmp(self->data + self->start, frame_mark, FRAME_MARK) != 0) {
    if (diags) diag_add(diags, NESS_ERROR, "%s is not a dump of ness%s", name(self), have ? "" : ": it is empty");
    return NESS_FORMAT;
  }
  if (!why && head.kind != DUMP_KIND_RUN) why = "the first frame is of another kind";
  if (!why) {
    status = take(self, &head, &self->run_frame);
    if (status) return status;
    status = run_unpack(self->run_frame.data, self->run_frame.bytes, &self->strings, &self->run, &self->net, diags);
    if (status != NESS_FORMAT) return status;
    why = "its contents do not fit together";
  }
  if (diags)
    diag_add(diags, NESS_ERROR, "%s: the run frame, which says how to read the rest, is damaged: %s", name(self), why);
  return NESS_FORMAT;
}

static ness_status open_reader(dump_reader *self, ness_status status, ness_diags *diags, dump_reader **out)
{
  if (!status) status = read_run_frame(self, diags);
  if (status) dump_reader_free(self);
  else *out = self;
  return status;
}

ness_status dump_open(const char *path, ness_diags *diags, dump_reader **out)
{
  *out = NULL;
  if (!path) return NESS_USAGE;
  dump_reader *self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  ness_status status = NESS_OK;
  self->fd = -1;
  self->path = mem_text(path, strlen(path));
  if (!self->path) status = NESS_NOMEM;
  if (!status && (self->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) status = dump_io_error(diags, "open", path, errno);
  return open_reader(self, status, diags, out);
}

ness_status dump_open_memory(const void *data, size_t bytes, ness_diags *diags, dump_reader **out)
{
  *out = NULL;
  dump_reader *self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->fd = -1;
  self->data = data;
  self->end = bytes;
  return open_reader(self, NESS_OK, diags, out);
}

void dump_reader_free(dump_reader *self)
{
  if (!self) return;
  if (self->fd >= 0) close(self->fd);
  network_free(self->net);
  arena_free(&self->strings);
  dump_frame_free(&self->run_frame);
  mem_free(self->owned);
  mem_free(self->path);
  mem_free(self);
}

void dump_frame_free(dump_frame *self)
{
  if (!self) return;
  mem_free(self->data);
  *self = (dump_frame){0};
}

const ness_network *dump_network(const dump_reader *self)
{
  return self->net;
}

const dump_run *dump_run_of(const dump_reader *self)
{
  return &self->run;
}

int64_t dump_damage(const dump_reader *self)
{
  return self->damage;
}

int32_t dump_complete(const dump_reader *self)
{
  return self->complete;
}

const dump_stretch *reader_stretches(const dump_reader *self, int32_t *count)
{
  *count = self->nstretches;
  return self->stretches;
}

const dump_frame *reader_run_frame(const dump_reader *self)
{
  return &self->run_frame;
}

const char *reader_path(const dump_reader *self)
{
  return name(self);
}
