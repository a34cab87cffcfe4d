/* Writing a dump: one descriptor, append only, a frame a write.
 *
 * Invariant: the bytes of the file are a function of the frames alone, whether the run was stopped and reopened or not.
 * So an index frame is written when the chunk after its INDEX_ENTRIES chunks comes, or at the end, and a reopened file
 * is cut behind its last chunk. The first failure sticks: nothing follows a torn frame. Cost: 48 bytes a chunk until
 * its index frame is out; a checksum is not computed again. */
#include "engine/dump/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dump_writer {
  char *path; /* NULL: nothing is stored */
  int fd;
  ness_status failed;
  int64_t offset, chunks, events, finished;
  int64_t index_offset; /* of the newest index frame, -1 none */
  index_entry *pending; /* chunks since then */
  int64_t npending, capacity;
};

/* --- files --- */

ness_status dump_io_error(ness_diags *diags, const char *doing, const char *path, int error)
{
  if (diags) {
    diag_add(diags, NESS_ERROR, "cannot %s '%s': %s", doing, path, strerror(error));
    if (error == ENOSPC || error == EDQUOT)
      diag_hint(diags, "what was written until now is readable and can be resumed");
  }
  return NESS_IO;
}

ness_status dump_file_write(int fd, const char *path, const void *data, size_t bytes, ness_diags *diags)
{
  const char *at = data;
  while (bytes > 0) {
    const ssize_t done = write(fd, at, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return dump_io_error(diags, "write", path, errno);
    at += done;
    bytes -= (size_t)done;
  }
  return NESS_OK;
}

int dump_file_create(const char *path, bool overwrite, bool *created, ness_diags *diags)
{
  struct stat found;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  *created = fd >= 0;
  if (fd >= 0 || errno != EEXIST) {
    if (fd < 0) dump_io_error(diags, "create", path, errno);
    return fd;
  }
  if (!overwrite && stat(path, &found) == 0 && S_ISREG(found.st_mode)) { /* a device or a pipe is there to be written */
    if (diags) {
      diag_add(diags, NESS_ERROR, "'%s' exists already", path);
      diag_hint(diags, "--force replaces it");
    }
    return -1;
  }
  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) dump_io_error(diags, "create", path, errno);
  return fd;
}

/* --- frames --- */

static ness_status append(dump_writer *self, const void *frame, size_t bytes, ness_diags *diags)
{
  ness_status status = NESS_OK;
  if (self->fd >= 0) status = dump_file_write(self->fd, self->path, frame, bytes, diags);
  if (status) self->failed = status;
  else self->offset += (int64_t)bytes;
  return status;
}

/* A column of the index: one member of every pending entry. */
static void add_member(payload *columns, const char *name, const index_entry *entries, int64_t n, size_t member,
                       int64_t *to)
{
  for (int64_t i = 0; i < n; i++) memcpy(to + i, (const char *)(entries + i) + member, sizeof *to);
  payload_narrow(columns, name, to, n, 1);
}

static ness_status append_index(dump_writer *self, ness_diags *diags)
{
  const int64_t n = self->npending;
  frame_build build;
  payload columns = {.count = 0};
  void *frame = NULL;
  size_t bytes;
  int64_t *room = mem_zero((size_t)n, 6 * sizeof *room);
  if (!room) return NESS_NOMEM;
  const index_entry *e = self->pending;
  add_member(&columns, "offset", e, n, offsetof(index_entry, offset), room);
  add_member(&columns, "replica", e, n, offsetof(index_entry, replica), room + n);
  add_member(&columns, "index", e, n, offsetof(index_entry, index), room + 2 * n);
  add_member(&columns, "last", e, n, offsetof(index_entry, last), room + 3 * n);
  double *t0 = (void *)(room + 4 * n), *t1 = (void *)(room + 5 * n);
  for (int64_t i = 0; i < n; i++) t0[i] = e[i].t0, t1[i] = e[i].t1;
  payload_add(&columns, "t0", COLUMN_F64, n, 1, t0);
  payload_add(&columns, "t1", COLUMN_F64, n, 1, t1);

  frame_begin(&build, "index", 3);
  pack_int(&build, "chunks", n);
  pack_int(&build, "first", self->chunks - n);
  if (self->index_offset < 0) pack_nil(&build, "previous");
  else pack_int(&build, "previous", self->index_offset);
  ness_status status = frame_end(&build, DUMP_KIND_INDEX, &columns, &frame, &bytes);
  const int64_t offset = self->offset;
  if (!status) status = append(self, frame, bytes, diags);
  if (!status) {
    self->index_offset = offset;
    self->npending = 0;
  }
  mem_free(frame);
  mem_free(room);
  return status;
}

static ness_status append_footer(dump_writer *self, int complete, ness_diags *diags)
{
  frame_build build;
  void *frame;
  size_t bytes;
  frame_begin(&build, "footer", 5);
  pack_bool(&build, "complete", complete != 0);
  pack_int(&build, "chunks", self->chunks);
  pack_int(&build, "events", self->events);
  pack_int(&build, "finished", self->finished);
  if (self->index_offset < 0) pack_nil(&build, "index");
  else pack_int(&build, "index", self->index_offset);
  ness_status status = frame_end(&build, DUMP_KIND_FOOTER, NULL, &frame, &bytes);
  if (!status) status = append(self, frame, bytes, diags);
  mem_free(frame);
  return status;
}

/* Takes a chunk that is about to be, or already is, in the file at `offset` into the books. */
static void enter(dump_writer *self, const dump_chunk *chunk, int64_t offset)
{
  self->pending[self->npending++] =
      (index_entry){offset, chunk->replica, chunk->index, chunk->t0, chunk->t1, chunk->last != 0};
  self->chunks++;
  self->events += chunk->events;
  self->finished += chunk->last != 0;
}

static bool room_for_entry(dump_writer *self)
{
  const int64_t need = self->npending + 1;
  const int64_t twice = need < 64 ? 64 : need <= self->capacity ? need : 2 * need;
  return mem_grow(&self->pending, &self->capacity, twice, sizeof *self->pending);
}

ness_status dump_append(dump_writer *self, const void *frame, size_t bytes, ness_diags *diags)
{
  frame_body body;
  dump_chunk chunk;
  frame_head head;
  if (self->failed) return self->failed;
  if (bytes < FRAME_HEADER || !frame_head_read(frame, &head) || head.kind != DUMP_KIND_CHUNK ||
      head.length != bytes - FRAME_HEADER || frame_split(frame, bytes, &body) || chunk_scalars(&body, &chunk))
    return NESS_USAGE;
  ness_status status = self->npending == INDEX_ENTRIES ? append_index(self, diags) : NESS_OK;
  if (status) return status;
  if (!room_for_entry(self)) return NESS_NOMEM;
  const int64_t offset = self->offset;
  status = append(self, frame, bytes, diags);
  if (!status) enter(self, &chunk, offset);
  return status;
}

/* --- opening and closing --- */

static dump_writer *writer_new(const char *path)
{
  dump_writer *self = mem_zero(1, sizeof *self);
  if (!self) return NULL;
  self->fd = -1;
  self->index_offset = -1;
  if (path && !(self->path = mem_text(path, strlen(path)))) {
    mem_free(self);
    return NULL;
  }
  return self;
}

ness_status writer_begin(const char *path, bool overwrite, const void *frame, size_t bytes, ness_diags *diags,
                         dump_writer **out)
{
  bool created = false;
  *out = NULL;
  dump_writer *self = writer_new(path);
  if (!self) return NESS_NOMEM;
  ness_status status = NESS_OK;
  if (path && (self->fd = dump_file_create(path, overwrite, &created, diags)) < 0) status = NESS_IO;
  if (!status) status = append(self, frame, bytes, diags);
  if (!status) {
    *out = self;
    return NESS_OK;
  }
  if (created) unlink(path);
  dump_abandon(self);
  return status;
}

int64_t writer_offset(const dump_writer *self)
{
  return self->offset;
}

ness_status dump_create(const char *path, bool overwrite, const ness_network *net, const dump_run *run,
                        ness_diags *diags, dump_writer **out)
{
  void *frame;
  size_t bytes;
  *out = NULL;
  ness_status status = run_pack(net, run, diags, &frame, &bytes);
  if (!status) status = writer_begin(path, overwrite, frame, bytes, diags, out);
  mem_free(frame);
  return status;
}

void dump_abandon(dump_writer *self)
{
  if (!self) return;
  if (self->fd >= 0) close(self->fd);
  mem_free(self->pending);
  mem_free(self->path);
  mem_free(self);
}

ness_status dump_close(dump_writer *self, int complete, ness_diags *diags)
{
  if (!self) return NESS_USAGE;
  ness_status status = self->failed;
  if (!status && self->npending > 0) status = append_index(self, diags);
  if (!status) status = append_footer(self, complete, diags);
  if (self->fd >= 0) {
    /* pipes and devices cannot be synchronised; that is no loss */
    if (!status && fsync(self->fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
      status = dump_io_error(diags, "write", self->path, errno);
    if (close(self->fd) != 0 && !status && errno != EINTR) status = dump_io_error(diags, "close", self->path, errno);
    self->fd = -1;
  }
  dump_abandon(self);
  return status;
}

/* --- reopening --- */

/* Follows a frame that stays in the file; sets *end behind the last chunk. */
static ness_status follow(dump_writer *self, const dump_frame *frame, int64_t *end)
{
  frame_body body;
  dump_chunk chunk;
  if (frame->kind != DUMP_KIND_CHUNK) return NESS_OK;
  if (frame_split(frame->data, frame->bytes, &body) || chunk_scalars(&body, &chunk)) return NESS_FORMAT;
  if (!room_for_entry(self)) return NESS_NOMEM;
  enter(self, &chunk, frame->offset);
  *end = frame->offset + (int64_t)frame->bytes;
  return NESS_OK;
}

static ness_status follow_all(dump_writer *self, dump_reader *reader, int64_t *end, ness_diags *diags)
{
  dump_frame frame = {0};
  int64_t index_offset = -1;
  ness_status status;
  while (!(status = dump_next(reader, &frame, NULL)) && frame.bytes > 0) {
    if (frame.kind == DUMP_KIND_INDEX) index_offset = frame.offset;
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    if (dump_damage(reader) > 0) {
      status = NESS_FORMAT;
      break;
    }
    /* an index frame with a chunk behind it stays, and has taken the chunks before it */
    if (index_offset != self->index_offset) {
      self->index_offset = index_offset;
      self->npending = 0;
    }
    if ((status = follow(self, &frame, end))) break;
  }
  if (status == NESS_FORMAT && diags) {
    int32_t n;
    const dump_stretch *hole = reader_stretches(reader, &n);
    if (n > 0)
      diag_add(diags, NESS_ERROR, "%s is damaged at byte %lld, before its last chunk, and cannot be resumed",
               self->path, (long long)hole->offset);
    else diag_add(diags, NESS_ERROR, "%s holds frames that do not belong to the run and cannot be resumed", self->path);
    diag_hint(diags, "ness dump verify says what is wrong; ness dump repair saves the rest for reading");
  }
  dump_frame_free(&frame);
  return status;
}

ness_status dump_reopen(const char *path, ness_diags *diags, dump_writer **out)
{
  dump_reader *reader = NULL;
  dump_writer *self = NULL;
  *out = NULL;
  ness_status status = dump_open(path, diags, &reader);
  if (status) goto out;
  int64_t end = (int64_t)reader_run_frame(reader)->bytes;
  status = NESS_NOMEM;
  if (!(self = writer_new(path))) goto out;
  if ((status = follow_all(self, reader, &end, diags))) goto out;
  self->fd = open(path, O_WRONLY | O_CLOEXEC);
  if (self->fd < 0) status = dump_io_error(diags, "open", path, errno);
  else if (ftruncate(self->fd, (off_t)end) != 0 || lseek(self->fd, (off_t)end, SEEK_SET) < 0)
    status = dump_io_error(diags, "cut the tail of", path, errno);
  self->offset = end;
out:
  dump_reader_free(reader);
  if (status) dump_abandon(self);
  else *out = self;
  return status;
}
