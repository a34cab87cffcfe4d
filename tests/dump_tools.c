/* The tools on dumps: what they say of whole, torn, harmed and joined files, and what they make of them. */
#include "dump_file.h"
#include "engine/dump/frame.h"

typedef struct writing {
  int32_t level;
  int64_t seed, replicas, from, to, chunks;
  int complete;
  bool reversed; /* chunks of a replica in the wrong order */
} writing;

static void write_dump(const char *path, const ness_network *net, writing w)
{
  dump_writer *writer = NULL;
  dump_run run = sample_run(w.level);
  run.seed = (uint64_t)w.seed;
  run.replicas = w.replicas;
  CHECK(dump_create(path, true, net, &run, NULL, &writer) == NESS_OK);
  for (int64_t i = 0; i < w.chunks; i++)
    for (int64_t r = w.from; r < w.to; r++) {
      const int64_t index = w.reversed ? w.chunks - 1 - i : i;
      sample_chunk chunk = sample_fill(net, w.level, r, index, 50, index == w.chunks - 1);
      void *frame;
      size_t n;
      CHECK(dump_pack(net, w.level, &chunk.chunk, &frame, &n) == NESS_OK);
      CHECK(dump_append(writer, frame, n, NULL) == NESS_OK);
      mem_free(frame);
      sample_free(&chunk);
    }
  if (w.complete < 0) dump_abandon(writer);
  else CHECK(dump_close(writer, w.complete, NULL) == NESS_OK);
}

static size_t size_of(const char *path)
{
  struct stat found;
  return stat(path, &found) == 0 ? (size_t)found.st_size : 0;
}

static void copy_file(const char *from, const char *to, size_t limit, int64_t flip)
{
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  if (!in || !out) exit(2);
  int c;
  for (size_t i = 0; i < limit && (c = fgetc(in)) != EOF; i++) fputc((int64_t)i == flip ? c ^ 0x10 : c, out);
  fclose(in);
  if (fclose(out) != 0) exit(2);
}

static bool same_files(const char *a, const char *b)
{
  char command[512];
  snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
  return system(command) == 0;
}

static void check_doc(ness_doc *doc, const char *path, double want)
{
  const double got = ness_doc_number(doc, path);
  CHECK(got == want);
  if (got != want) fprintf(stderr, "  %s is %g, expected %g\n", path, got, want);
}

static void test_ls_and_verify(const ness_network *net)
{
  const char *path = in_folder("a.msgpack");
  ness_doc *doc = NULL;
  write_dump(path, net, (writing){DUMP_FLUX, 1, 3, 0, 3, 4, 1, false});
  CHECK(ness_dump_ls(path, NULL, NULL, &doc) == NESS_OK);
  CHECK(ness_doc_count(doc, "frames") == 15);
  CHECK_STR(ness_doc_string(doc, "frames[0].kind"), "run");
  CHECK_STR(ness_doc_string(doc, "frames[14].kind"), "footer");
  check_doc(doc, "frames[2].replica", 1);
  check_doc(doc, "totals.chunks", 12);
  check_doc(doc, "totals.rows", 600);
  check_doc(doc, "totals.bytes", (double)size_of(path));
  check_doc(doc, "totals.replicas_finished", 3);
  CHECK_STR(ness_doc_string(doc, "seed"), "1");
  ness_doc_free(doc);
  const ness_dump_options few = {.struct_size = sizeof few, .limit = 5};
  CHECK(ness_dump_ls(path, &few, NULL, &doc) == NESS_OK && ness_doc_count(doc, "frames") == 5);
  check_doc(doc, "totals.frames", 15);
  ness_doc_free(doc);
  CHECK(ness_dump_verify(path, NULL, &doc) == NESS_OK && ness_doc_count(doc, "problems") == 0);
  ness_doc_free(doc);
  CHECK(ness_dump_verify(path, NULL, NULL) == NESS_OK);

  /* killed between frames: intact, not complete */
  const char *killed = in_folder("killed.msgpack");
  write_dump(killed, net, (writing){DUMP_FLUX, 1, 3, 0, 3, 4, -1, false});
  CHECK(ness_dump_verify(killed, NULL, &doc) == NESS_OK && ness_doc_count(doc, "problems") == 0);
  ness_doc_free(doc);

  /* a footer that claims too much, chunks out of order */
  write_dump(killed, net, (writing){DUMP_FLUX, 1, 4, 0, 3, 4, 1, false});
  CHECK(ness_dump_verify(killed, NULL, &doc) == NESS_FORMAT && ness_doc_count(doc, "problems") == 1);
  ness_doc_free(doc);
  write_dump(killed, net, (writing){DUMP_FLUX, 1, 3, 0, 3, 2, 1, true});
  CHECK(ness_dump_verify(killed, NULL, &doc) == NESS_FORMAT && ness_doc_count(doc, "problems") == 6);
  CHECK_STR(ness_doc_string(doc, "problems[0].what"), "chunks of the replica before this one are missing");
  ness_doc_free(doc);

  /* one byte */
  const char *harmed = in_folder("harmed.msgpack");
  const int64_t at = (int64_t)size_of(path) / 2;
  copy_file(path, harmed, SIZE_MAX, at);
  ness_diags *diags = ness_diags_create();
  CHECK(ness_dump_verify(harmed, diags, &doc) == NESS_FORMAT);
  CHECK(ness_doc_count(doc, "problems") >= 1 && ness_diags_count(diags, NULL) >= 1);
  const double damaged = ness_doc_number(doc, "damaged_bytes");
  CHECK(damaged > 0 && damaged < (double)size_of(path) / 8);
  ness_doc_free(doc);
  ness_diags_free(diags);
  CHECK(ness_dump_verify(in_folder("nothing"), NULL, &doc) == NESS_IO && !doc);
}

static void test_repair(const ness_network *net)
{
  const char *path = in_folder("a.msgpack"), *harmed = in_folder("harmed.msgpack"), *out = in_folder("out.msgpack");
  const ness_dump_options force = {.struct_size = sizeof force, .overwrite = 1};
  ness_doc *doc = NULL;
  write_dump(path, net, (writing){DUMP_EVENTS, 1, 3, 0, 3, 4, 1, false});

  /* a whole file is copied to the same bytes; nothing is overwritten unasked; input and output differ */
  CHECK(ness_dump_repair(path, out, NULL, NULL, &doc) == NESS_OK && same_files(path, out));
  ness_doc_free(doc);
  CHECK(ness_dump_repair(path, out, NULL, NULL, &doc) == NESS_IO && !doc);
  CHECK(ness_dump_repair(path, path, &force, NULL, NULL) == NESS_USAGE && size_of(path) == size_of(out));

  /* without index and footer: the same bytes again */
  copy_file(path, harmed, size_of(path) - 700, -1);
  CHECK(ness_dump_repair(harmed, out, &force, NULL, &doc) == NESS_OK);
  check_doc(doc, "totals.chunks", 11 + (double)same_files(path, out));
  ness_doc_free(doc);

  /* a hole: all but one chunk, and not complete */
  copy_file(path, harmed, SIZE_MAX, (int64_t)size_of(path) / 2);
  const size_t before = size_of(harmed);
  CHECK(ness_dump_repair(harmed, out, &force, NULL, &doc) == NESS_OK);
  check_doc(doc, "totals.chunks", 11);
  CHECK(ness_doc_number(doc, "damaged_bytes") > 0 && size_of(harmed) == before);
  ness_doc_free(doc);
  CHECK(ness_dump_verify(out, NULL, &doc) == NESS_FORMAT); /* what is lost is still lost, and is named */
  CHECK_STR(ness_doc_string(doc, "problems[0].what"), "chunks of the replica before this one are missing");
  ness_doc_free(doc);
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  CHECK(dump_open(out, NULL, &reader) == NESS_OK);
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0) continue;
  CHECK(dump_damage(reader) == 0 && !dump_complete(reader));
  dump_frame_free(&frame);
  dump_reader_free(reader);
}

static void test_merge(const ness_network *net)
{
  const char *a = in_folder("a.msgpack"), *b = in_folder("b.msgpack"), *out = in_folder("m.msgpack");
  const ness_dump_options force = {.struct_size = sizeof force, .overwrite = 1};
  ness_diags *diags = ness_diags_create();
  ness_doc *doc = NULL;
  const char *both[] = {a, b};
  write_dump(a, net, (writing){DUMP_GRID, 1, 5, 0, 2, 3, 0, false});
  write_dump(b, net, (writing){DUMP_GRID, 1, 5, 2, 5, 3, 0, false});
  CHECK(ness_dump_merge(2, both, out, &force, diags, &doc) == NESS_OK && ness_diags_count(diags, NULL) == 0);
  check_doc(doc, "totals.chunks", 15);
  ness_doc_free(doc);
  CHECK(ness_dump_verify(out, NULL, &doc) == NESS_OK);
  ness_doc_free(doc);
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  CHECK(dump_open(out, NULL, &reader) == NESS_OK);
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0) continue;
  CHECK(dump_complete(reader));
  dump_frame_free(&frame);
  dump_reader_free(reader);

  write_dump(b, net, (writing){DUMP_GRID, 1, 5, 1, 5, 3, 0, false});
  CHECK(ness_dump_merge(2, both, out, &force, diags, NULL) == NESS_USAGE);
  CHECK(strstr(ness_diags_get(diags, 0)->message, "replica 1 "));
  write_dump(b, net, (writing){DUMP_GRID, 2, 5, 2, 5, 3, 0, false});
  CHECK(ness_dump_merge(2, both, out, &force, diags, NULL) == NESS_USAGE);
  CHECK(strstr(ness_diags_get(diags, 1)->message, "the seed differs"));
  ness_network *other = sample_network(4);
  write_dump(b, other, (writing){DUMP_GRID, 1, 5, 2, 5, 3, 0, false});
  CHECK(ness_dump_merge(2, both, out, &force, diags, NULL) == NESS_USAGE);
  CHECK(strstr(ness_diags_get(diags, 2)->message, "the compiled network differs"));
  network_free(other);
  const char *twice[] = {a, a};
  CHECK(ness_dump_merge(2, twice, out, &force, diags, NULL) == NESS_USAGE);
  CHECK(ness_dump_merge(2, both, a, &force, diags, NULL) == NESS_USAGE);
  ness_diags_free(diags);
}

static int refuse(void *context, const char *data, size_t n)
{
  (void)data;
  (void)n;
  return ++*(int *)context > 0;
}

static void test_cat_and_export(const ness_network *net)
{
  const char *path = in_folder("a.msgpack"), *out = in_folder("x.npz");
  write_dump(path, net, (writing){DUMP_FLUX, 1, 3, 0, 3, 2, 1, false});
  int calls = 0;
  CHECK(ness_dump_cat(path, NULL, refuse, &calls, NULL) == NESS_IO && calls == 1);
  ness_diags *diags = ness_diags_create();
  CHECK(ness_dump_export(path, in_folder("x.pdf"), NULL, diags, NULL) == NESS_USAGE);
  CHECK(ness_dump_export(path, path, NULL, diags, NULL) == NESS_USAGE);
  ness_doc *doc = NULL;
  CHECK(ness_dump_export(path, out, NULL, diags, &doc) == NESS_OK);
  check_doc(doc, "rows", 300);
  ness_doc_free(doc);
  CHECK(ness_dump_export(path, out, NULL, diags, NULL) == NESS_IO); /* exists */

  /* damage costs rows, not the export, and is said */
  const char *harmed = in_folder("harmed.msgpack");
  copy_file(path, harmed, SIZE_MAX, (int64_t)size_of(path) / 2);
  const ness_dump_options force = {.struct_size = sizeof force, .overwrite = 1};
  const int32_t before = ness_diags_count(diags, NULL);
  CHECK(ness_dump_export(harmed, out, &force, diags, &doc) == NESS_OK);
  check_doc(doc, "rows", 250);
  CHECK(ness_diags_count(diags, NULL) == before + 1);
  ness_doc_free(doc);
  if (access("/dev/full", W_OK) == 0) {
    const ness_dump_options csv = {.struct_size = sizeof csv, .format = "csv"};
    CHECK(ness_dump_export(path, "/dev/full", &csv, diags, NULL) == NESS_IO);
    const ness_dump_options npz = {.struct_size = sizeof npz, .format = "npz"};
    CHECK(ness_dump_export(path, "/dev/full", &npz, diags, NULL) == NESS_IO);
  }
  ness_diags_free(diags);
}

int main(void)
{
  if (!folder_make()) return 2;
  ness_network *net = sample_network(3);
  test_ls_and_verify(net);
  test_repair(net);
  test_merge(net);
  test_cat_and_export(net);
  network_free(net);
  return folder_remove() ? check_done() : 2;
}
