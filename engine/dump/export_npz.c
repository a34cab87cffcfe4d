/* npz: a zip of stored .npy members, one a column, all chunks one after another.
 *
 * Invariant: the first pass gives every array's length, so each member's place in the file is known before the second
 * pass writes all of them at once, each through its own buffer; sizes and checksums are patched in at the end. Always
 * zip64, so one path serves all sizes (PKWARE APPNOTE 6.3, 4.3-4.5; the npy format 1.0 as numpy documents it). Cost:
 * two passes over the input, 64 KiB a member. */
#include "engine/dump/frame.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER ((size_t)64 << 10)
#define NPY_HEADER 128
#define ZIP_LOCAL 50 /* bytes of a local header without the name */
#define NAME_MAX_POINTS 256
#define MEMBERS_MAX 40

typedef struct member {
  char name[32]; /* with .npy */
  char descr[16];
  int64_t rows, width; /* width -1: a vector */
  size_t item;
  int64_t header, data, at, end; /* offsets in the file: local header, first byte, next byte, behind the last */
  uint32_t crc;
  unsigned char *buffer;
  size_t held;
} member;

typedef struct npz {
  member members[MEMBERS_MAX];
  int32_t count;
  int64_t size;
  uint32_t table[8][256]; /* CRC-32, eight bytes at a time */
  int fd;
  const char *path;
  ness_diags *diags;
  ness_status status;
} npz;

/* --- checksum --- */

static void crc_tables(npz *self)
{
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    self->table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 8; k++) {
      const uint32_t before = self->table[k - 1][i];
      self->table[k][i] = before >> 8 ^ self->table[0][before & 255];
    }
}

static uint32_t crc_add(const npz *self, uint32_t crc, const unsigned char *p, size_t n)
{
  const uint32_t(*t)[256] = self->table;
  crc = ~crc;
  for (; n >= 8; n -= 8, p += 8) {
    uint32_t low, high;
    memcpy(&low, p, 4);
    memcpy(&high, p + 4, 4);
    low ^= crc;
    crc = t[7][low & 255] ^ t[6][low >> 8 & 255] ^ t[5][low >> 16 & 255] ^ t[4][low >> 24] ^ t[3][high & 255] ^
          t[2][high >> 8 & 255] ^ t[1][high >> 16 & 255] ^ t[0][high >> 24];
  }
  for (; n > 0; n--, p++) crc = crc >> 8 ^ t[0][(crc ^ *p) & 255];
  return ~crc;
}

/* --- members --- */

static void write_at(npz *self, const void *data, size_t bytes, int64_t offset)
{
  const char *from = data;
  while (bytes > 0 && !self->status) {
    const ssize_t done = pwrite(self->fd, from, bytes, (off_t)offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      self->status = dump_io_error(self->diags, "write", self->path, errno);
      return;
    }
    from += done;
    offset += done;
    bytes -= (size_t)done;
  }
}

static void drain(npz *self, member *m)
{
  m->crc = crc_add(self, m->crc, m->buffer, m->held);
  write_at(self, m->buffer, m->held, m->at);
  m->at += (int64_t)m->held;
  m->held = 0;
}

static void put(npz *self, member *m, const void *data, size_t bytes)
{
  if (bytes == 0) return;
  if (m->held + bytes > BUFFER) drain(self, m);
  if (bytes > BUFFER) {
    m->crc = crc_add(self, m->crc, data, bytes);
    write_at(self, data, bytes, m->at);
    m->at += (int64_t)bytes;
    return;
  }
  memcpy(m->buffer + m->held, data, bytes);
  m->held += bytes;
}

static member *add(npz *self, const char *name, const char *descr, size_t item, int64_t rows, int64_t width)
{
  if (self->count == MEMBERS_MAX) {
    self->status = NESS_INTERNAL;
    return &self->members[0];
  }
  member *m = &self->members[self->count++];
  snprintf(m->name, sizeof m->name, "%s.npy", name);
  snprintf(m->descr, sizeof m->descr, "%s", descr);
  m->rows = rows;
  m->width = width;
  m->item = item;
  m->header = self->size;
  m->data = m->at = self->size + ZIP_LOCAL + (int64_t)strlen(m->name);
  m->end = m->data + NPY_HEADER + rows * (width < 0 ? 1 : width) * (int64_t)item;
  self->size = m->end;
  m->buffer = mem_alloc(BUFFER);
  if (!m->buffer && !self->status) self->status = NESS_NOMEM;
  return m;
}

static void put_npy_header(npz *self, member *m)
{
  char header[NPY_HEADER + 1], shape[64];
  if (m->width < 0) snprintf(shape, sizeof shape, "(%" PRId64 ",)", m->rows);
  else snprintf(shape, sizeof shape, "(%" PRId64 ", %" PRId64 ")", m->rows, m->width);
  memset(header, ' ', NPY_HEADER);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes follow */
  const int n =
      snprintf(header + 10, NPY_HEADER - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", m->descr, shape);
  header[10 + n] = ' ';
  header[NPY_HEADER - 1] = '\n';
  put(self, m, header, NPY_HEADER);
}

/* --- zip --- */

static unsigned char *little(unsigned char *at, uint64_t value, int bytes)
{
  for (int i = 0; i < bytes; i++) *at++ = (unsigned char)(value >> 8 * i);
  return at;
}

/* What local and central headers share: from the version needed to the length of the name. */
static unsigned char *put_common(unsigned char *at, const member *m, int extra)
{
  at = little(at, 45, 2);
  at = little(at, 0, 2); /* flags */
  at = little(at, 0, 2); /* stored */
  at = little(at, 0, 2);
  at = little(at, 0x21, 2); /* the first of January 1980: no date */
  at = little(at, m->crc, 4);
  at = little(at, 0xffffffff, 4); /* sizes in the zip64 field */
  at = little(at, 0xffffffff, 4);
  at = little(at, strlen(m->name), 2);
  return little(at, (uint64_t)extra, 2);
}

static unsigned char *put_zip64(unsigned char *at, const member *m, bool offset)
{
  at = little(at, 1, 2);
  at = little(at, offset ? 24 : 16, 2);
  at = little(at, (uint64_t)(m->end - m->data), 8);
  at = little(at, (uint64_t)(m->end - m->data), 8);
  return offset ? little(at, (uint64_t)m->header, 8) : at;
}

static void put_local(npz *self, const member *m)
{
  unsigned char bytes[128], *at = little(bytes, 0x04034b50, 4);
  const size_t length = strlen(m->name);
  at = put_common(at, m, 20);
  memcpy(at, m->name, length);
  at = put_zip64(at + length, m, false);
  write_at(self, bytes, (size_t)(at - bytes), m->header);
}

static void put_directory(npz *self)
{
  unsigned char bytes[160], *at;
  int64_t offset = self->size;
  for (int32_t i = 0; i < self->count; i++) {
    const member *m = &self->members[i];
    const size_t length = strlen(m->name);
    at = little(bytes, 0x02014b50, 4);
    at = little(at, 45, 2);
    at = put_common(at, m, 28);
    at = little(at, 0, 6); /* comment, disk, inner attributes */
    at = little(at, 0, 4); /* outer attributes */
    at = little(at, 0xffffffff, 4);
    memcpy(at, m->name, length);
    at = put_zip64(at + length, m, true);
    write_at(self, bytes, (size_t)(at - bytes), offset);
    offset += at - bytes;
  }
  const uint64_t start = (uint64_t)self->size, length = (uint64_t)offset - start, n = (uint64_t)self->count;
  at = little(bytes, 0x06064b50, 4);
  at = little(at, 44, 8);
  at = little(at, 45, 2);
  at = little(at, 45, 2);
  at = little(at, 0, 8);
  at = little(at, n, 8);
  at = little(at, n, 8);
  at = little(at, length, 8);
  at = little(at, start, 8);
  at = little(at, 0x07064b50, 4); /* locator */
  at = little(at, 0, 4);
  at = little(at, (uint64_t)offset, 8);
  at = little(at, 1, 4);
  at = little(at, 0x06054b50, 4);
  at = little(at, 0, 4);
  at = little(at, n, 2);
  at = little(at, n, 2);
  at = little(at, 0xffffffff, 4);
  at = little(at, 0xffffffff, 4);
  at = little(at, 0, 2);
  write_at(self, bytes, (size_t)(at - bytes), offset);
}

/* --- names: numpy's <U, four bytes a code point --- */

/* Code points of a UTF-8 text, at most NAME_MAX_POINTS; a byte that is not UTF-8 stands for itself. */
static int32_t points(const char *text, uint32_t *out)
{
  const unsigned char *s = (const unsigned char *)text;
  const bool utf8 = frame_text_is_utf8(text, strlen(text));
  int32_t n = 0;
  while (*s && n < NAME_MAX_POINTS) {
    uint32_t c = *s++;
    int more = !utf8 || c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (more > 0) c &= 0x3fu >> more;
    for (; more > 0; more--) c = c << 6 | (*s++ & 0x3fu);
    out[n++] = c;
  }
  return n;
}

static int32_t longest(const ness_network *net, const int32_t *names, int32_t n)
{
  uint32_t name[NAME_MAX_POINTS];
  int32_t most = 1;
  for (int32_t i = 0; i < n; i++) {
    const int32_t length = points(network_text(net, names[i]), name);
    most = length > most ? length : most;
  }
  return most;
}

static member *add_names(npz *self, const char *key, int32_t width, int32_t n)
{
  char descr[16];
  snprintf(descr, sizeof descr, "<U%d", width);
  return add(self, key, descr, 4 * (size_t)width, n, -1);
}

static void put_name(npz *self, member *m, const char *text)
{
  uint32_t name[NAME_MAX_POINTS] = {0};
  points(text, name);
  put(self, m, name, m->item);
}

/* --- chunks --- */

static const struct {
  const char *name, *descr;
} scalars[] = {{"replica", "<i8"}, {"index", "<i8"}, {"last", "<i8"}, {"stop", "<i8"},    {"events", "<i8"},
               {"rows", "<i8"},    {"t0", "<f8"},    {"t1", "<f8"},   {"counted", "<f8"}, {"tape_entropy", "<f8"}};
enum { SCALARS = sizeof scalars / sizeof scalars[0] };

/* Whether chunks of the run may have it. */
static bool has_column(const chunk_column *of, const dump_run *run)
{
  return of->levels & 1u << run->level && (!(of->levels & CHUNK_LEDGER) || dump_has_ledger(run)) &&
         (!(of->levels & CHUNK_FLOWS) || run->flows_beside);
}

/* Members in the order: scalars, row_replica, columns of the level, names. Returns the number before the names. */
static void plan(npz *self, const dump_reader *reader, const export_sums *sums)
{
  const ness_network *net = dump_network(reader);
  const dump_run *run = dump_run_of(reader);
  for (int k = 0; k < SCALARS; k++) add(self, scalars[k].name, scalars[k].descr, 8, sums->chunks, -1);
  add(self, "row_replica", "<i8", 8, sums->rows, -1);
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *c = &chunk_columns[k];
    if (!has_column(c, run)) continue;
    const char *descr = c->type == COLUMN_F64 ? "<f8" : c->type == COLUMN_I64 ? "<i8" : "<i4";
    add(self, c->name, descr, payload_item_bytes(c->type), c->rows ? sums->rows : sums->chunks,
        c->width == WIDTH_ONE ? -1 : chunk_width_of(c, net));
  }
  add_names(self, "slot_names", longest(net, net->slot_name, net->nslot), net->nslot);
  add_names(self, "step_names", longest(net, net->step_name, net->nstep), net->nstep);
  add_names(self, "conventions", 120, dump_conventions_count);
}

static void put_chunk(npz *self, const ness_network *net, const dump_run *run, const dump_chunk *chunk)
{
  const int64_t counts[] = {chunk->replica, chunk->index, chunk->last, chunk->stop, chunk->events, chunk->rows};
  const double reals[] = {chunk->t0, chunk->t1, chunk->counted, chunk->tape_entropy};
  const double zero = 0;
  member *m = self->members;
  for (int k = 0; k < 6; k++) put(self, m++, &counts[k], 8);
  for (int k = 0; k < 4; k++) put(self, m++, &reals[k], 8);
  for (int64_t r = 0; r < chunk->rows; r++) put(self, m, &chunk->replica, 8);
  m++;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *c = &chunk_columns[k];
    if (!has_column(c, run)) continue;
    const int64_t n = (c->rows ? chunk->rows : 1) * chunk_width_of(c, net);
    const void *data = chunk_data(c, chunk);
    if (data) put(self, m, data, (size_t)n * payload_item_bytes(c->type));
    for (int64_t i = 0; i < n && !data; i++) put(self, m, &zero, sizeof zero);
    m++;
  }
}

static void put_all_names(npz *self, const ness_network *net)
{
  member *m = &self->members[self->count - 3];
  char line[256];
  for (int32_t i = 0; i < net->nslot; i++) put_name(self, m, network_text(net, net->slot_name[i]));
  for (int32_t i = 0; i < net->nstep; i++) put_name(self, m + 1, network_text(net, net->step_name[i]));
  for (int32_t i = 0; i < dump_conventions_count; i++) {
    snprintf(line, sizeof line, "%s: %s", dump_conventions[i][0], dump_conventions[i][1]);
    put_name(self, m + 2, line);
  }
}

static void finish(npz *self)
{
  for (int32_t i = 0; i < self->count && !self->status; i++) {
    member *m = &self->members[i];
    drain(self, m);
    if (!self->status && m->at != m->end) {
      self->status = NESS_IO;
      if (self->diags) diag_add(self->diags, NESS_ERROR, "the dump changed while it was read for '%s'", self->path);
    }
    put_local(self, m);
  }
  put_directory(self);
}

ness_status dump_export_npz(dump_reader *reader, const export_sums *sums, int fd, const char *path, ness_diags *diags)
{
  const ness_network *net = dump_network(reader);
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  npz *self = mem_zero(1, sizeof *self);
  if (!self) return NESS_NOMEM;
  self->fd = fd;
  self->path = path;
  self->diags = diags;
  crc_tables(self);
  plan(self, reader, sums);
  for (int32_t i = 0; i < self->count && !self->status; i++) put_npy_header(self, &self->members[i]);
  for (int64_t i = 0, rows = 0; i < sums->chunks && !self->status; i++) {
    const ness_status status = dump_export_next(reader, &frame, &buffer, &chunk, diags);
    if (status) self->status = status;
    if (status || frame.bytes == 0) break;
    if ((rows += chunk.rows) > sums->rows) break; /* another file by now: finish says so */
    put_chunk(self, net, dump_run_of(reader), &chunk);
  }
  if (!self->status) put_all_names(self, net);
  if (!self->status) finish(self);
  const ness_status status = self->status;
  for (int32_t i = 0; i < self->count; i++) mem_free(self->members[i].buffer);
  mem_free(self);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return status;
}
