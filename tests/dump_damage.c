/* Damage: whatever happens to a dump between writing and reading is noticed, nothing that a file claims is believed
 * before it was checked, and disks and memory that fail leave what was written. */
#include "dump_file.h"
#include "engine/dump/frame.h"
#include <fcntl.h>
#include <signal.h>

/* --- damage --- */

typedef struct outline {
  int64_t start[64];
  size_t bytes[64];
  int count;
} outline;

static outline frames_of(bytes b)
{
  outline o = {.count = 1};
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  CHECK(dump_open_memory(b.data, b.size, NULL, &reader) == NESS_OK);
  o.bytes[0] = reader_run_frame(reader)->bytes;
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0 && o.count < 64) {
    o.start[o.count] = frame.offset;
    o.bytes[o.count++] = frame.bytes;
  }
  dump_frame_free(&frame);
  dump_reader_free(reader);
  return o;
}

/* Reads a harmed copy: true when every frame found is one of the originals, unchanged, at its place; counts them. */
static bool only_originals(const unsigned char *harmed, size_t size, bytes original, const outline *o, int *found,
                           int64_t *damage)
{
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  bool good = true;
  *found = 0;
  *damage = 0;
  const ness_status status = dump_open_memory(harmed, size, NULL, &reader);
  if (status) return status == NESS_FORMAT;
  *found = 1;
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0) {
    int k = 1;
    while (k < o->count && o->start[k] != frame.offset) k++;
    good = good && k < o->count && frame.bytes == o->bytes[k] &&
           memcmp(frame.data, original.data + o->start[k], frame.bytes) == 0;
    if (frame.kind == DUMP_KIND_CHUNK)
      good = good && dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk) == NESS_OK;
    ++*found;
  }
  *damage = dump_damage(reader);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
  return good;
}

static void test_truncation(bytes b, const outline *o)
{
  for (size_t size = 0; size < b.size; size++) {
    unsigned char *cut = malloc(size + 1); /* of this length, so that a sanitizer sees a byte too much */
    if (!cut) exit(2);
    memcpy(cut, b.data, size);
    int found, whole = 0;
    int64_t damage, end = 0;
    while (whole < o->count && o->start[whole] + (int64_t)o->bytes[whole] <= (int64_t)size) {
      end = o->start[whole] + (int64_t)o->bytes[whole];
      whole++;
    }
    const bool good = only_originals(cut, size, b, o, &found, &damage);
    if (!good || found != whole || (whole > 0 && damage != (int64_t)size - end)) {
      CHECK(false && "a cut file gives its whole frames and nothing else");
      fprintf(stderr, "cut at %zu: %d frames of %d, damage %lld\n", size, found, whole, (long long)damage);
    }
    free(cut);
  }
  CHECK(o->count == 7);
}

static void test_flips(bytes b, const outline *o)
{
  static const unsigned char flips[] = {0x01, 0x80, 0xff};
  for (size_t at = 0; at < b.size; at++)
    for (int k = 0; k < 3; k++) {
      int found, frame = 0;
      int64_t damage;
      while (o->start[frame] + (int64_t)o->bytes[frame] <= (int64_t)at) frame++;
      b.data[at] ^= flips[k];
      unsigned char *harmed = malloc(b.size);
      if (!harmed) exit(2);
      memcpy(harmed, b.data, b.size);
      b.data[at] ^= flips[k];
      const bool good = only_originals(harmed, b.size, b, o, &found, &damage);
      const int want = frame == 0 ? 0 : o->count - 1;
      if (!good || found != want || damage != (frame == 0 ? 0 : (int64_t)o->bytes[frame])) {
        CHECK(false && "a flipped byte costs its frame and nothing else");
        fprintf(stderr, "byte %zu ^ %02x: %d frames of %d, damage %lld\n", at, flips[k], found, want,
                (long long)damage);
      }
      free(harmed);
    }
}

static void test_damage(void)
{
  ness_network *net = sample_network(2);
  const char *path = in_folder("small.msgpack");
  CHECK(write_sample(path, net, DUMP_FLUX, 2, 3, 1) == NESS_OK);
  bytes b = slurp(path);
  const outline o = frames_of(b);
  test_truncation(b, &o);
  test_flips(b, &o);

  /* bytes put in between, and a frame cut out */
  unsigned char *harmed = malloc(b.size + 100);
  if (!harmed) exit(2);
  int found;
  int64_t damage;
  memcpy(harmed, b.data, (size_t)o.start[2]);
  memset(harmed + o.start[2], 0x85, 100);
  memcpy(harmed + o.start[2] + 100, b.data + o.start[2], b.size - (size_t)o.start[2]);
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  CHECK(dump_open_memory(harmed, b.size + 100, NULL, &reader) == NESS_OK);
  for (found = 1; !dump_next(reader, &frame, NULL) && frame.bytes > 0; found++) continue;
  CHECK(found == o.count && dump_damage(reader) == 100 && dump_complete(reader));
  dump_reader_free(reader);

  /* two dumps end to end are not one */
  harmed = realloc(harmed, 2 * b.size);
  if (!harmed) exit(2);
  memcpy(harmed, b.data, b.size);
  memcpy(harmed + b.size, b.data, b.size);
  ness_status status = dump_open_memory(harmed, 2 * b.size, NULL, &reader);
  while (!status && !(status = dump_next(reader, &frame, NULL)) && frame.bytes > 0) continue;
  CHECK(status == NESS_FORMAT);
  dump_reader_free(reader);
  dump_frame_free(&frame);

  /* a stream of noise is not a dump */
  memset(harmed, 0x85, b.size);
  CHECK(only_originals(harmed, b.size, b, &o, &found, &damage) && found == 0);
  free(harmed);
  free(b.data);
  network_free(net);
}

/* --- hostile frames --- */

/* A frame of the given kind around a body, with a checksum that holds. */
static bytes seal(int32_t kind, int version, const unsigned char *body, size_t size)
{
  const unsigned char head[FRAME_HEADER - FRAME_HASHED] = {0xa4,
                                                           'k',
                                                           'i',
                                                           'n',
                                                           'd',
                                                           (unsigned char)kind,
                                                           0xa7,
                                                           'v',
                                                           'e',
                                                           'r',
                                                           's',
                                                           'i',
                                                           'o',
                                                           'n',
                                                           (unsigned char)version,
                                                           0xa6,
                                                           'l',
                                                           'e',
                                                           'n',
                                                           'g',
                                                           't',
                                                           'h',
                                                           0xce,
                                                           (unsigned char)(size >> 24),
                                                           (unsigned char)(size >> 16),
                                                           (unsigned char)(size >> 8),
                                                           (unsigned char)size};
  bytes b = {malloc(FRAME_HEADER + size), FRAME_HEADER + size};
  if (!b.data) exit(2);
  memcpy(b.data, frame_mark, FRAME_MARK);
  memcpy(b.data + FRAME_MARK, "\xa4hash\xcf", 6);
  memcpy(b.data + FRAME_HASHED, head, sizeof head);
  memcpy(b.data + FRAME_HEADER, body, size);
  const uint64_t hash = frame_hash(b.data, b.size);
  for (int i = 0; i < 8; i++) b.data[23 + i] = (unsigned char)(hash >> 8 * (7 - i));
  return b;
}

/* Opens the sample's run frame with a hostile frame behind it, decodes that as a chunk and shows it. */
static ness_status meet(bytes run, size_t run_bytes, const unsigned char *body, size_t size)
{
  bytes evil = seal(DUMP_KIND_CHUNK, 1, body, size);
  unsigned char *file = malloc(run_bytes + evil.size);
  if (!file) exit(2);
  memcpy(file, run.data, run_bytes);
  memcpy(file + run_bytes, evil.data, evil.size);
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  ness_status status = dump_open_memory(file, run_bytes + evil.size, NULL, &reader);
  CHECK(status == NESS_OK);
  CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes == evil.size && dump_damage(reader) == 0);
  status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk);
  CHECK(buffer.capacity <= 1 << 20);
  for (int64_t r = 0; r < chunk.rows && !status; r++)
    CHECK(chunk.row_dir[r] >= 0 && chunk.row_dir[r] < 2 * dump_network(reader)->nstep);
  dump_buffer_free(&buffer);
  dump_frame_free(&frame);
  dump_reader_free(reader);
  free(file);
  free(evil.data);
  return status;
}

/* The body with `n` bytes at `at` replaced by others. */
static ness_status meet_changed(bytes run, size_t run_bytes, const unsigned char *body, size_t size, size_t at,
                                size_t n, const char *by, size_t by_size)
{
  unsigned char *changed = malloc(size + by_size);
  if (!changed) exit(2);
  memcpy(changed, body, at);
  memcpy(changed + at, by, by_size);
  memcpy(changed + at + by_size, body + at + n, size - at - n);
  const ness_status status = meet(run, run_bytes, changed, size - n + by_size);
  free(changed);
  return status;
}

/* What frame_split alone says of such a body. */
static ness_status split_changed(const unsigned char *body, size_t size, size_t at, const char *by, size_t by_size)
{
  unsigned char *changed = malloc(size + by_size);
  if (!changed) exit(2);
  memcpy(changed, body, at);
  memcpy(changed + at, by, by_size);
  memcpy(changed + at + by_size, body + at + 1, size - at - 1);
  bytes frame = seal(DUMP_KIND_CHUNK, 1, changed, size - 1 + by_size);
  frame_body parts;
  const ness_status status = frame_split(frame.data, frame.size, &parts);
  free(frame.data);
  free(changed);
  return status;
}

/* Column tables that lie about [row_time, <f8, 3, 1, offset, 24, plain], the offset one byte and a multiple of 8; times
 * that lie. */
static void test_columns(bytes run, size_t run_bytes, const unsigned char *body, size_t size)
{
  size_t at = 0, t1 = 0;
  while (at + 20 < size && memcmp(body + at, "\xa8row_time\xa3<f8\x03\x01", 15) != 0) at++;
  while (t1 + 20 < size && memcmp(body + t1, "\xa2t1\xcb\x40\x00", 6) != 0) t1++;
  const size_t rows = at + 13, width = at + 14, offset = at + 15, stored = at + 16, codec = at + 18;
  CHECK(offset < size && body[offset] < 0x80 && body[offset] % 8 == 0);
  CHECK(split_changed(body, size, offset, (const char *)body + offset, 1) == NESS_OK);
  CHECK(split_changed(body, size, offset, "\xcd\x00\xf8", 3) == NESS_FORMAT); /* beyond the payload */
  CHECK(split_changed(body, size, offset, "\x48", 1) == NESS_FORMAT);         /* its end is */
  CHECK(split_changed(body, size, offset, "\xcf\xff\xff\xff\xff\xff\xff\xff\xf8", 9) == NESS_FORMAT);
  CHECK(split_changed(body, size, offset, "\xff", 1) == NESS_FORMAT);
  CHECK(split_changed(body, size, offset, "\x04", 1) == NESS_FORMAT); /* not aligned */
  CHECK(split_changed(body, size, rows, "\x7f", 1) == NESS_FORMAT);   /* more than there is */
  CHECK(split_changed(body, size, width, "\xcf\x40\x00\x00\x00\x00\x00\x00\x00", 9) == NESS_FORMAT);
  CHECK(split_changed(body, size, rows, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9) == NESS_FORMAT);
  CHECK(memcmp(body + stored, "\x18\xa5plain", 7) == 0);
  CHECK(split_changed(body, size, rows, "\x02", 1) == NESS_FORMAT); /* less than its block */
  CHECK(split_changed(body, size, stored, "\x10", 1) == NESS_FORMAT);
  CHECK(split_changed(body, size, stored, "\x19", 1) == NESS_FORMAT);
  CHECK(split_changed(body, size, stored, "\xcf\xff\xff\xff\xff\xff\xff\xff\xf8", 9) == NESS_FORMAT);
  CHECK(split_changed(body, size, stored, "\xff", 1) == NESS_FORMAT);
  CHECK(split_changed(body, size, codec, "P", 1) == NESS_FORMAT);                               /* no such codec */
  CHECK(meet_changed(run, run_bytes, body, size, codec - 1, 6, "\xa4zstd", 5) == NESS_FORMAT);  /* it is not */
  CHECK(meet_changed(run, run_bytes, body, size, rows, 4, "\x02\x01\0\x10", 4) == NESS_FORMAT); /* another shape */
  CHECK(meet_changed(run, run_bytes, body, size, offset - 4, 1, "i", 1) == NESS_FORMAT);        /* another type */
  CHECK(meet_changed(run, run_bytes, body, size, at + 1, 1, "x", 1) == NESS_FORMAT);            /* it is missing */
  CHECK(meet_changed(run, run_bytes, body, size, t1 + 4, 2, "\x3f\xf0", 2) == NESS_FORMAT);     /* rows behind t1 */
}

static void test_bombs(void)
{
  ness_network *net = sample_network(2);
  const char *path = in_folder("small.msgpack");
  CHECK(write_sample(path, net, DUMP_EVENTS, 1, 3, 1) == NESS_OK);
  bytes b = slurp(path);
  const outline o = frames_of(b);
  const size_t run = o.bytes[0], chunk = o.bytes[1] - FRAME_HEADER;
  const unsigned char *body = b.data + o.start[1] + FRAME_HEADER;
  CHECK(meet(b, run, body, chunk) == NESS_OK); /* the test itself works */
  test_columns(b, run, body, chunk);

  static const unsigned char array[] = {0xdd, 0x10, 0, 0, 0}, map[] = {0xdf, 0x10, 0, 0, 0},
                             blob[] = {0xc6, 0x7f, 0, 0, 0};
  CHECK(meet(b, run, array, sizeof array) == NESS_FORMAT);
  CHECK(meet(b, run, map, sizeof map) == NESS_FORMAT);
  CHECK(meet(b, run, blob, sizeof blob) == NESS_FORMAT);
  CHECK(meet(b, run, body, 0) == NESS_FORMAT);

  /* a million arrays, each within the one before */
  unsigned char *nest = malloc(1 << 20);
  if (!nest) exit(2);
  memset(nest, 0x91, 1 << 20);
  memcpy(nest, "\x81\xa1x", 3);
  CHECK(meet(b, run, nest, 1 << 20) == NESS_FORMAT);
  memset(nest + 3, 0xdd, (1 << 20) - 3); /* and each claims 3.7 thousand million elements */
  CHECK(meet(b, run, nest, 1 << 20) == NESS_FORMAT);
  free(nest);

  /* every byte of an honest chunk changed, with a checksum that holds: an error or other numbers, never a crash */
  unsigned char *harmed = malloc(chunk);
  if (!harmed) exit(2);
  int refused = 0;
  for (size_t at = 0; at < chunk; at++)
    for (int k = 0; k < 4; k++) {
      static const unsigned char set[] = {0x00, 0xff, 0xdd, 0x7f};
      memcpy(harmed, body, chunk);
      harmed[at] = set[k];
      const ness_status status = meet(b, run, harmed, chunk);
      refused += status == NESS_FORMAT;
      if (status && status != NESS_FORMAT) CHECK(false && "only NESS_FORMAT is an answer to a wrong chunk");
    }
  CHECK(refused > (int)chunk);
  free(harmed);

  /* all prefixes, sealed */
  for (size_t size = 0; size < chunk; size++) CHECK(meet(b, run, body, size) == NESS_FORMAT);
  free(b.data);
  network_free(net);
}

/* The same for the run frame. */
static void test_hostile_run(void)
{
  ness_network *net = sample_network(2);
  const char *path = in_folder("small.msgpack");
  CHECK(write_sample(path, net, DUMP_EVENTS, 1, 3, 1) == NESS_OK);
  bytes b = slurp(path);
  const outline o = frames_of(b);
  const size_t size = o.bytes[0] - FRAME_HEADER;
  unsigned char *body = malloc(size);
  if (!body) exit(2);
  dump_reader *reader;
  for (size_t at = 0; at < size; at++)
    for (int k = 0; k < 2; k++) {
      memcpy(body, b.data + FRAME_HEADER, size);
      body[at] = k ? 0xff : (unsigned char)(body[at] + 1);
      bytes evil = seal(DUMP_KIND_RUN, 1, body, size);
      const ness_status status = dump_open_memory(evil.data, evil.size, NULL, &reader);
      if (status && status != NESS_FORMAT) CHECK(false && "only NESS_FORMAT is an answer to a wrong run frame");
      dump_reader_free(reader);
      free(evil.data);
    }
  /* a newer version is named; with a checksum that does not hold it is damage */
  ness_diags *diags = ness_diags_create();
  bytes newer = seal(DUMP_KIND_RUN, 2, b.data + FRAME_HEADER, size);
  CHECK(dump_open_memory(newer.data, newer.size, diags, &reader) == NESS_FORMAT && !reader);
  CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, "version 2"));
  newer.data[newer.size - 1] ^= 1;
  CHECK(dump_open_memory(newer.data, newer.size, diags, &reader) == NESS_FORMAT && !reader);
  CHECK(ness_diags_count(diags, NULL) == 2 && strstr(ness_diags_get(diags, 1)->message, "damaged"));
  CHECK(dump_open_memory("", 0, diags, &reader) == NESS_FORMAT);
  CHECK(dump_open_memory("hello, world, hello, world", 26, diags, &reader) == NESS_FORMAT);
  ness_diags_free(diags);
  free(newer.data);
  free(body);
  free(b.data);
  network_free(net);
}

/* --- failing disks and memory --- */

static void test_disk(void)
{
  ness_network *net = sample_network(3);
  const dump_run run = sample_run(DUMP_EVENTS);
  dump_writer *writer;
  ness_diags *diags = ness_diags_create();
  if (access("/dev/full", W_OK) == 0) {
    CHECK(dump_create("/dev/full", false, net, &run, diags, &writer) == NESS_IO && !writer);
    const ness_diag *d = ness_diags_get(diags, 0);
    CHECK(d && strstr(d->message, "/dev/full") && strstr(d->message, "No space"));
    CHECK(access("/dev/full", F_OK) == 0);
  }
  CHECK(dump_create(in_folder("no/such/folder"), false, net, &run, diags, &writer) == NESS_IO && !writer);

  /* an existing file is kept unless it may be replaced */
  const char *path = in_folder("exists.msgpack");
  CHECK(dump_create(path, false, net, &run, NULL, &writer) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);
  bytes before = slurp(path);
  CHECK(dump_create(path, false, net, &run, diags, &writer) == NESS_IO && !writer);
  const ness_diag *last = ness_diags_get(diags, ness_diags_count(diags, NULL) - 1);
  CHECK(last && strstr(last->message, "exists") && last->hint && strstr(last->hint, "--force"));
  bytes after = slurp(path);
  CHECK(before.size == after.size);
  free(before.data);
  free(after.data);
  CHECK(dump_create(path, true, net, &run, NULL, &writer) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);

  /* a reader that goes away: EPIPE, and it sticks */
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  char name[32];
  CHECK(pipe(ends) == 0);
  snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
  CHECK(dump_create(name, false, net, &run, diags, &writer) == NESS_OK);
  close(ends[0]);
  if (writer) {
    CHECK(append_sample(writer, net, DUMP_EVENTS, 0, 0, 100, 0) == NESS_IO);
    CHECK(append_sample(writer, net, DUMP_EVENTS, 0, 0, 100, 0) == NESS_IO);
    CHECK(dump_close(writer, 1, diags) == NESS_IO);
  }
  close(ends[1]);

  /* counting only */
  CHECK(dump_create(NULL, false, net, &run, diags, &writer) == NESS_OK);
  CHECK(append_sample(writer, net, DUMP_EVENTS, 0, 0, 100, 1) == NESS_OK);
  CHECK(dump_append(writer, "junk", 4, diags) == NESS_USAGE);
  CHECK(dump_close(writer, 1, diags) == NESS_OK);
  dump_reader *reader;
  CHECK(dump_open(in_folder("not_there"), diags, &reader) == NESS_IO && !reader);
  CHECK(dump_open(folder, diags, &reader) == NESS_IO && !reader);
  ness_diags_free(diags);
  network_free(net);
}

static ness_status read_all(const char *path)
{
  dump_reader *reader;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  ness_status status = dump_open(path, NULL, &reader);
  if (status) return status;
  while (!(status = dump_next(reader, &frame, NULL)) && frame.bytes > 0)
    if (frame.kind == DUMP_KIND_CHUNK && (status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk)))
      break;
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
  return status;
}

static int ignore(void *context, const char *data, size_t n)
{
  (void)context;
  (void)data;
  (void)n;
  return 0;
}

static ness_status everything(const ness_network *net, int what)
{
  const char *path = in_folder("memory.msgpack"), *out = in_folder("memory.npz");
  const ness_dump_options options = {.struct_size = sizeof options, .overwrite = 1, .rows = 1};
  dump_writer *writer;
  ness_status status;
  switch (what) {
  case 0: return write_sample(path, net, DUMP_FLUX, 2, 200, 0);
  case 1: return read_all(path);
  case 2: status = dump_reopen(path, NULL, &writer); return status ? status : dump_close(writer, 1, NULL);
  case 3: return ness_dump_verify(path, NULL, NULL);
  case 4: return ness_dump_export(path, out, &options, NULL, NULL);
  case 5: return ness_dump_repair(path, out, &options, NULL, NULL);
  case 6: return ness_dump_cat(path, &options, ignore, NULL, NULL);
  case 7: return ness_dump_ls(path, &options, NULL, NULL);
  case 8: return ness_dump_merge(1, &path, out, &options, NULL, NULL);
  default: return ness_dump_export(path, in_folder("memory.csv"), &options, NULL, NULL);
  }
}

/* Every call with the n-th allocation failing, for all n: NESS_NOMEM and nothing lost (a sanitizer counts). */
static void test_memory(void)
{
  ness_network *net = sample_network(2);
  for (int what = 0; what < 10; what++) {
    ness_status status = NESS_NOMEM;
    int64_t n = 0;
    for (; n < 5000 && status; n++) {
      if (what > 0) CHECK(everything(net, 0) == NESS_OK);
      mem_fail_after(n);
      status = everything(net, what);
      mem_fail_after(-1);
      if (status && status != NESS_NOMEM) CHECK(false && "memory is out, nothing else");
      if (status && status != NESS_NOMEM) fprintf(stderr, "call %d, allocation %lld: %d\n", what, (long long)n, status);
    }
    CHECK(n > 3 && n < 5000);
  }
  network_free(net);
}

int main(void)
{
  if (!folder_make()) return 2;
  test_damage();
  test_bombs();
  test_hostile_run();
  test_disk();
  test_memory();
  return folder_remove() ? check_done() : 2;
}
