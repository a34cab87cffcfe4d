/* Frames: what is written comes back, column by column, and the same is written in the same bytes. */
#include "dump_file.h"
#include "engine/dump/frame.h"
#include <fcntl.h>

static bool same_bytes(const char *a, const char *b)
{
  bytes x = slurp(a), y = slurp(b);
  const bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
  free(x.data);
  free(y.data);
  return same;
}

/* --- round trip --- */

#define SAME(a, b, n, type) ((n) == 0 || ((a) && memcmp((a), (b), (size_t)(n) * sizeof(type)) == 0))

static void check_chunk(const dump_chunk *got, const dump_chunk *want, const ness_network *net)
{
  const int64_t rows = want->rows, slots = net->nslot, steps = net->nstep;
  CHECK(got->replica == want->replica && got->index == want->index && got->last == want->last);
  CHECK(got->t0 == want->t0 && got->t1 == want->t1 && got->stop == want->stop && got->events == want->events);
  CHECK(got->counted == want->counted && got->tape_entropy == want->tape_entropy && got->rows == rows);
  CHECK(memcmp(got->rng, want->rng, sizeof got->rng) == 0);
  CHECK(SAME(got->n0, want->n0, slots, int64_t) && SAME(got->fwd, want->fwd, steps, int64_t));
  CHECK(SAME(got->bwd, want->bwd, steps, int64_t) && SAME(got->dwell, want->dwell, slots, double));
  CHECK(SAME(got->dwell2, want->dwell2, slots, double));
  CHECK(!want->row_time || SAME(got->row_time, want->row_time, rows, double));
  CHECK(!want->row_dir || SAME(got->row_dir, want->row_dir, rows, int32_t));
  CHECK(!want->row_count || SAME(got->row_count, want->row_count, rows * slots, int64_t));
  CHECK(!want->row_fwd || SAME(got->row_fwd, want->row_fwd, rows * steps, int64_t));
  CHECK(!want->row_bwd || SAME(got->row_bwd, want->row_bwd, rows * steps, int64_t));
  CHECK(!want->row_dwell || SAME(got->row_dwell, want->row_dwell, rows * slots, double));
  CHECK(!want->row_tape_entropy || SAME(got->row_tape_entropy, want->row_tape_entropy, rows, double));
  CHECK(!got->row_time == (!want->row_time || rows == 0) || rows == 0);
}

static void check_run(const dump_reader *reader, const ness_network *net, int32_t level)
{
  const dump_run *got = dump_run_of(reader), want = sample_run(level);
  CHECK_STR(got->model_text, want.model_text);
  CHECK_STR(got->overrides, want.overrides);
  CHECK_STR(got->command, want.command);
  CHECK_STR(got->version, want.version);
  CHECK_STR(got->machine, want.machine);
  CHECK_STR(got->method, want.method);
  CHECK(got->level == level && got->seed == want.seed && got->replicas == want.replicas && got->block == want.block);
  CHECK(got->time == want.time && got->events == want.events && got->warmup == want.warmup);
  CHECK(got->window == want.window && got->every == want.every);

  const ness_network *n = dump_network(reader);
#define SIZE_SAME(name) CHECK(n->name == net->name);
#define LOCAL(name)                                                                                                    \
  const int64_t name = n->name;                                                                                        \
  (void)name;
#define ARRAY_SAME(stored, type, name, length)                                                                         \
  CHECK((length) == 0 || memcmp(n->name, net->name, (size_t)(length) * sizeof(type)) == 0);
  NETWORK_SIZES(SIZE_SAME)
  NETWORK_SIZES(LOCAL)
  NETWORK_ARRAYS(ARRAY_SAME)
  CHECK(n->temperature == net->temperature);
  CHECK_STR(n->model_name, net->model_name);
}

static void round_trip(int32_t slots, int32_t level, int64_t rows)
{
  ness_network *net = sample_network(slots);
  const char *path = in_folder("round.msgpack");
  CHECK(write_sample(path, net, level, 3, rows, 1) == NESS_OK);
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk got;
  CHECK(dump_open(path, NULL, &reader) == NESS_OK);
  if (!reader) return;
  check_run(reader, net, level);
  for (int64_t i = 0; i < 6; i++) {
    sample_chunk want = sample_fill(net, level, i % 2, i / 2, rows, i / 2 == 2);
    CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.kind == DUMP_KIND_CHUNK);
    CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &got) == NESS_OK);
    check_chunk(&got, &want.chunk, net);
    sample_free(&want);
  }
  CHECK(!dump_complete(reader));
  CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.kind == DUMP_KIND_INDEX);
  CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.kind == DUMP_KIND_FOOTER);
  CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes == 0);
  CHECK(dump_complete(reader) == 1 && dump_damage(reader) == 0);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
  network_free(net);
}

static void test_round_trip(void)
{
  for (int32_t level = 0; level < 4; level++) {
    round_trip(2, level, 0);
    round_trip(3, level, 1);
    round_trip(3, level, 777);
    round_trip(200, level, 40); /* directions in u16 */
  }
  round_trip(40000, DUMP_EVENTS, 100);         /* and in i32; tables left out of the run frame */
  ness_network *large = sample_network(60000); /* of which a chunk holds more than a megabyte once */
  CHECK(dump_chunk_rows(large, DUMP_EVENTS) >= 40000 && dump_chunk_rows(large, DUMP_FLUX) == 1);
  network_free(large);
  ness_network *net = sample_network(3);
  for (int32_t level = 0; level < 4; level++) {
    const int64_t rows = dump_chunk_rows(net, level);
    sample_chunk chunk = sample_fill(net, level, 0, 0, rows, 0);
    void *frame = NULL;
    size_t n;
    CHECK(rows >= 1 && dump_pack(net, level, &chunk.chunk, &frame, &n) == NESS_OK);
    mem_free(frame);
    sample_free(&chunk);
  }
  network_free(net);
}

/* --- inputs that move --- */

/* A word of the run frame becomes another of its length, with a hash that holds. */
static void edit(bytes *file, const char *word, const char *by)
{
  frame_head head;
  CHECK(frame_head_read(file->data, &head));
  const size_t frame = FRAME_HEADER + head.length, n = strlen(word);
  size_t at = 0;
  while (at + n < frame && memcmp(file->data + at, word, n) != 0) at++;
  CHECK(at + n < frame);
  memcpy(file->data + at, by, n);
  const uint64_t hash = frame_hash(file->data, frame);
  for (int i = 0; i < 8; i++) file->data[23 + i] = (unsigned char)(hash >> 8 * (7 - i));
}

/* What a run frame says of an input, and ledgers at every level; what is told of an input is told whole. */
static void test_input(void)
{
  for (int32_t level = 0; level < 4; level++) {
    ness_network *net = sample_network(3);
    const char *path = in_folder("input.msgpack");
    dump_run run = sample_run(level);
    run.input = "V, W";
    run.input_kind = "sine, ramp";
    run.input_period = 0.25;
    const int64_t width = DUMP_LEDGER_HEAD + network_sources(net);
    sample_chunk want = sample_fill(net, level, 0, 0, level ? 9 : 0, 1);
    double *const ledger = malloc((size_t)width * sizeof *ledger);
    for (int64_t i = 0; i < width; i++) ledger[i] = 0.1 - (double)i * 1e-3;
    want.chunk.ledger = ledger;
    dump_writer *writer = NULL;
    void *frame = NULL;
    size_t n;
    CHECK(dump_create(path, true, net, &run, NULL, &writer) == NESS_OK);
    CHECK(dump_pack(net, level, &want.chunk, &frame, &n) == NESS_OK);
    CHECK(dump_append(writer, frame, n, NULL) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);
    mem_free(frame);
    dump_reader *reader = NULL;
    dump_frame next = {0};
    dump_buffer buffer = {0};
    dump_chunk got;
    CHECK(dump_open(path, NULL, &reader) == NESS_OK && dump_next(reader, &next, NULL) == NESS_OK);
    const dump_run *const of = dump_run_of(reader);
    CHECK_STR(of->input, "V, W");
    CHECK_STR(of->input_kind, "sine, ramp");
    CHECK(of->input_period == 0.25);
    CHECK(dump_decode(reader, &next, &buffer, DUMP_EVERYTHING, &got) == NESS_OK);
    check_chunk(&got, &want.chunk, net);
    CHECK(SAME(got.ledger, ledger, width, double));
    dump_reader_free(reader);
    dump_frame_free(&next);
    dump_buffer_free(&buffer);
    bytes file = slurp(path);
    edit(&file, "input_kind", "input_kine");
    CHECK(dump_open_memory(file.data, file.size, NULL, &reader) == NESS_FORMAT && !reader);
    edit(&file, "input_kine", "input_kind");
    CHECK(dump_open_memory(file.data, file.size, NULL, &reader) == NESS_OK);
    dump_reader_free(reader);
    free(file.data);
    free(ledger);
    sample_free(&want);
    network_free(net);
  }
}

/* --- columns by themselves --- */

/* The chunk's pointer where column k of dump_column goes. */
static const void *column_of(const dump_chunk *chunk, int k)
{
  return chunk_data(&chunk_columns[k], chunk);
}

/* Each column alone is what it is among all; the others stay NULL. */
static void test_wanted(void)
{
  for (int32_t slots = 3; slots <= 200; slots += 197)
    for (int32_t level = 0; level < 4; level++) {
      ness_network *net = sample_network(slots);
      const char *path = in_folder("wanted.msgpack");
      CHECK(write_sample(path, net, level, 1, level ? 500 : 0, 1) == NESS_OK);
      dump_reader *reader = NULL;
      dump_frame frame = {0};
      dump_buffer whole = {0}, part = {0};
      dump_chunk all, some;
      CHECK(dump_open(path, NULL, &reader) == NESS_OK && dump_next(reader, &frame, NULL) == NESS_OK);
      CHECK(dump_decode(reader, &frame, &whole, DUMP_EVERYTHING, &all) == NESS_OK);
      for (int k = 0; k < CHUNK_COLUMNS; k++) {
        CHECK(dump_decode(reader, &frame, &part, 1u << k, &some) == NESS_OK);
        for (int j = 0; j < CHUNK_COLUMNS; j++) CHECK(!column_of(&some, j) == (j != k || !column_of(&all, j)));
        const size_t n = (size_t)((chunk_columns[k].rows ? all.rows : 1) * chunk_width_of(&chunk_columns[k], net));
        const void *const one = column_of(&some, k);
        CHECK(!one || memcmp(one, column_of(&all, k), n * payload_item_bytes(chunk_columns[k].type)) == 0);
      }
      CHECK(dump_decode(reader, &frame, &part, DUMP_ROW_DIR_STORED, &some) == NESS_OK && !some.row_dir);
      CHECK((some.row_dir_stored != NULL) == (level == DUMP_EVENTS));
      for (int64_t r = 0; level == DUMP_EVENTS && r < some.rows; r++) {
        const int32_t dir = some.row_dir_bytes == 1 ? ((const uint8_t *)some.row_dir_stored)[r]
                                                    : ((const uint16_t *)some.row_dir_stored)[r];
        CHECK(dir == all.row_dir[r]);
      }
      dump_frame_free(&frame);
      dump_buffer_free(&whole);
      dump_buffer_free(&part);
      dump_reader_free(reader);
      network_free(net);
    }
}

/* Times without a pattern stay plain and are read where they lie; directions beside them are compressed. */
static void test_in_place(void)
{
  ness_network *net = sample_network(3);
  const int64_t rows = 50000;
  sample_chunk sample = sample_fill(net, DUMP_EVENTS, 0, 0, rows, 0);
  double *noisy = malloc((size_t)rows * sizeof *noisy);
  if (!noisy) exit(2);
  uint64_t x = 1;
  for (int64_t i = 0; i < rows; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    noisy[i] = ((double)i + (double)(x >> 11) * 0x1p-53) * (2.0 / (double)rows);
  }
  sample.chunk.row_time = noisy;
  const char *path = in_folder("place.msgpack");
  const dump_run run = sample_run(DUMP_EVENTS);
  dump_writer *writer;
  void *packed;
  size_t n;
  CHECK(dump_create(path, true, net, &run, NULL, &writer) == NESS_OK);
  CHECK(dump_pack(net, DUMP_EVENTS, &sample.chunk, &packed, &n) == NESS_OK &&
        dump_append(writer, packed, n, NULL) == 0);
  CHECK(dump_close(writer, 1, NULL) == NESS_OK);
  mem_free(packed);

  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  CHECK(dump_open(path, NULL, &reader) == NESS_OK && dump_next(reader, &frame, NULL) == NESS_OK);
  CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk) == NESS_OK);
  check_chunk(&chunk, &sample.chunk, net);
  const char *const at = (const char *)chunk.row_time, *const data = frame.data;
  CHECK(at > data && at + rows * 8 <= data + frame.bytes);
  CHECK(n > (size_t)rows * 8 && n < (size_t)rows * 17 / 2);

  /* the same frame one byte off: copied, not read askew */
  dump_frame askew = frame;
  char *const moved = malloc(frame.bytes + 1);
  if (!moved) exit(2);
  memcpy(moved + 1, frame.data, frame.bytes);
  askew.data = moved + 1;
  CHECK(dump_decode(reader, &askew, &buffer, DUMP_EVERYTHING, &chunk) == NESS_OK);
  check_chunk(&chunk, &sample.chunk, net);
  free(moved);

  /* what is not asked for is not looked at: times that fall */
  double *const times = (double *)((char *)frame.data + (at - data));
  times[7] = times[9];
  CHECK(dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk) == NESS_FORMAT);
  CHECK(dump_decode(reader, &frame, &buffer, DUMP_N0 | DUMP_ROW_DIR_STORED, &chunk) == NESS_OK && !chunk.row_time);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
  free(noisy);
  sample_free(&sample);
  network_free(net);
}

/* --- what pack refuses --- */

static ness_status pack_status(const ness_network *net, int32_t level, const dump_chunk *chunk)
{
  void *frame;
  size_t n;
  const ness_status status = dump_pack(net, level, chunk, &frame, &n);
  mem_free(frame);
  return status;
}

static void test_refusals(void)
{
  ness_network *net = sample_network(3);
  sample_chunk sample = sample_fill(net, DUMP_EVENTS, 0, 0, 10, 0);
  dump_chunk c = sample.chunk;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_OK);
  CHECK(pack_status(net, 4, &c) == NESS_USAGE);
  CHECK(pack_status(net, DUMP_SUMMARY, &c) == NESS_INTERNAL);
  c.t1 = c.t0 - 1;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  c = sample.chunk;
  c.row_dir = NULL;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  int32_t dir[10] = {0};
  c.row_dir = dir;
  dir[9] = 2 * net->nstep;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  dir[9] = -1;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  c = sample.chunk;
  double time[10] = {0, 1, 1, 1, 0.5, 2, 2, 2, 2, 2};
  c.row_time = time;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  time[4] = NAN;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  time[4] = 1;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_OK);
  c = sample.chunk;
  const int64_t negative[8] = {0, -1};
  c.n0 = negative;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_INTERNAL);
  c = sample.chunk;
  c.rows = INT64_MAX / 4;
  CHECK(pack_status(net, DUMP_EVENTS, &c) == NESS_LIMIT);
  sample_free(&sample);

  /* times without any pattern do not compress below the limit */
  const int64_t rows = 1200000;
  sample = sample_fill(net, DUMP_EVENTS, 0, 0, rows, 0);
  double *noisy = malloc((size_t)rows * sizeof *noisy);
  if (!noisy) exit(2);
  uint64_t x = 1;
  for (int64_t i = 0; i < rows; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    noisy[i] = ((double)i + (double)(x >> 11) * 0x1p-53) * (2.0 / (double)rows);
  }
  sample.chunk.row_time = noisy;
  CHECK(pack_status(net, DUMP_EVENTS, &sample.chunk) == NESS_LIMIT);
  free(noisy);
  sample_free(&sample);

  dump_run run = sample_run(DUMP_FLUX);
  char *text = malloc((9 << 20) + 1);
  if (!text) exit(2);
  memset(text, 'x', 9 << 20);
  text[9 << 20] = 0;
  run.model_text = text;
  ness_diags *diags = ness_diags_create();
  dump_writer *writer;
  CHECK(dump_create(NULL, false, net, &run, diags, &writer) == NESS_LIMIT && !writer);
  CHECK(ness_diags_count(diags, NULL) == 1 && strstr(ness_diags_get(diags, 0)->message, "8 MiB"));
  ness_diags_free(diags);
  free(text);
  network_free(net);
}

/* --- the same bytes --- */

static void test_same_bytes(void)
{
  ness_network *net = sample_network(3);
  const char *whole = in_folder("whole.msgpack"), *parts = in_folder("parts.msgpack");
  CHECK(write_sample(whole, net, DUMP_FLUX, 4, 20, 1) == NESS_OK);
  for (int64_t stop = 0; stop <= 8; stop++) {
    dump_writer *writer = NULL;
    const dump_run run = sample_run(DUMP_FLUX);
    CHECK(dump_create(parts, true, net, &run, NULL, &writer) == NESS_OK);
    for (int64_t i = 0; i < stop; i++) CHECK(!append_sample(writer, net, DUMP_FLUX, i % 2, i / 2, 20, i / 2 == 3));
    if (stop % 2) {
      CHECK(dump_close(writer, 0, NULL) == NESS_OK);
    } else { /* killed within a frame */
      dump_abandon(writer);
      const int fd = open(parts, O_WRONLY | O_APPEND);
      CHECK(fd >= 0 && write(fd, frame_mark, FRAME_MARK) == (ssize_t)FRAME_MARK);
      close(fd);
    }
    CHECK(dump_reopen(parts, NULL, &writer) == NESS_OK);
    if (!writer) continue;
    for (int64_t i = stop; i < 8; i++) CHECK(!append_sample(writer, net, DUMP_FLUX, i % 2, i / 2, 20, i / 2 == 3));
    CHECK(dump_close(writer, 1, NULL) == NESS_OK);
    CHECK(same_bytes(whole, parts));
  }

  /* a hole before the last chunk cannot be resumed, and nothing is cut off */
  bytes b = slurp(whole);
  b.data[b.size / 2] ^= 1;
  FILE *file = fopen(parts, "wb");
  CHECK(file && fwrite(b.data, 1, b.size, file) == b.size && fclose(file) == 0);
  dump_writer *writer;
  ness_diags *diags = ness_diags_create();
  CHECK(dump_reopen(parts, diags, &writer) == NESS_FORMAT && !writer && ness_diags_count(diags, NULL) == 1);
  ness_diags_free(diags);
  bytes after = slurp(parts);
  CHECK(after.size == b.size && memcmp(after.data, b.data, b.size) == 0);
  free(after.data);
  free(b.data);
  network_free(net);
}

static ness_status append_many(dump_writer *writer, const ness_network *net, int64_t from, int64_t to)
{
  ness_status status = NESS_OK;
  for (int64_t i = from; i < to && !status; i++) status = append_sample(writer, net, DUMP_SUMMARY, i, 0, 0, 1);
  return status;
}

/* Files of more than one index frame, reopened just before, at and behind the place of the first. */
static void test_index_frames(void)
{
  ness_network *net = sample_network(2);
  const int64_t total = INDEX_ENTRIES + 10;
  const char *whole = in_folder("whole.msgpack"), *parts = in_folder("parts.msgpack");
  dump_run run = sample_run(DUMP_SUMMARY);
  run.replicas = total;
  dump_writer *writer = NULL;
  CHECK(dump_create(whole, true, net, &run, NULL, &writer) == NESS_OK);
  CHECK(append_many(writer, net, 0, total) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);
  ness_doc *doc = NULL;
  CHECK(ness_dump_verify(whole, NULL, &doc) == NESS_OK);
  CHECK(ness_doc_number(doc, "totals.frames") == (double)total + 4);
  CHECK(ness_doc_number(doc, "totals.chunks") == (double)total);
  ness_doc_free(doc);
  const int64_t stops[] = {INDEX_ENTRIES, INDEX_ENTRIES + 1};
  for (int k = 0; k < 2; k++) {
    CHECK(dump_create(parts, true, net, &run, NULL, &writer) == NESS_OK);
    CHECK(append_many(writer, net, 0, stops[k]) == NESS_OK && dump_close(writer, 0, NULL) == NESS_OK);
    CHECK(dump_reopen(parts, NULL, &writer) == NESS_OK);
    CHECK(append_many(writer, net, stops[k], total) == NESS_OK && dump_close(writer, 1, NULL) == NESS_OK);
    CHECK(same_bytes(whole, parts));
  }
  network_free(net);
}

int main(void)
{
  if (!folder_make()) return 2;
  test_round_trip();
  test_input();
  test_wanted();
  test_in_place();
  test_refusals();
  test_same_bytes();
  test_index_frames();
  return folder_remove() ? check_done() : 2;
}
