/* A dump that was stopped and resumed has the bytes and the result of one that never stopped: at every level, after a
 * stop by request, after cuts at any byte, after kill -9; the bytes do not depend on threads, and every chunk can be
 * repeated from its start. */
#include "check.h"
#include "engine/ssa/ssa.h"
#include "ssa_oracle.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/ssa_resume_XXXXXX";
static char path_whole[64], path_part[64];

typedef struct bytes {
  char *data;
  size_t size;
} bytes;

static bytes file_read(const char *path)
{
  bytes out = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (file) {
    fseek(file, 0, SEEK_END);
    out.size = (size_t)ftell(file);
    rewind(file);
    out.data = malloc(out.size + 1);
    out.size = out.data ? fread(out.data, 1, out.size, file) : 0;
    fclose(file);
  }
  return out;
}

static void file_write(const char *path, const char *data, size_t size)
{
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size);
  if (file) {
    fclose(file);
  }
}

static int same_file(const char *path, const bytes *whole)
{
  bytes part = file_read(path);
  const int same = part.size == whole->size && part.data && memcmp(part.data, whole->data, part.size) == 0;
  free(part.data);
  return same;
}

static int same_result(const ness_network *net, const ssa_result *a, const ssa_result *b)
{
  const size_t k = (size_t)a->batches * 8, s = (size_t)net->nslot, d = (size_t)net->nstep,
               g = (size_t)a->ngrid * (size_t)a->grid_batches * 8;
  return a->batches == b->batches && a->events == b->events && a->absorbed == b->absorbed && a->ngrid == b->ngrid &&
         !memcmp(a->counted, b->counted, k) && !memcmp(a->fwd, b->fwd, k * d) && !memcmp(a->bwd, b->bwd, k * d) &&
         !memcmp(a->dwell, b->dwell, k * s) && !memcmp(a->dwell2, b->dwell2, k * s) &&
         !memcmp(a->tape_entropy, b->tape_entropy, k) && !memcmp(a->free_energy, b->free_energy, k) &&
         (g == 0 || (!memcmp(a->grid_sum, b->grid_sum, g * s) && !memcmp(a->grid_sum2, b->grid_sum2, g * s) &&
                     !memcmp(a->grid_replicas, b->grid_replicas, g)));
}

static int stop_at, calls;

static int stop_progress(void *context, double done, double total, int64_t events, double seconds)
{
  (void)context, (void)done, (void)total, (void)events, (void)seconds;
  return ++calls == stop_at;
}

/* Each chunk runs again from its own start to its own end. */
static void chunks_repeat(const char *path, int timed)
{
  dump_reader *reader;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  ssa_replica r;
  int chunks = 0;
  CHECK(dump_open(path, NULL, &reader) == NESS_OK);
  const ness_network *net = dump_network(reader);
  const ssa_kernel *kernel = ssa_kernel_find(dump_run_of(reader)->method, net);
  CHECK(ssa_replica_init(&r, net, kernel) == NESS_OK);
  while (dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes > 0) {
    dump_chunk c;
    int32_t bad;
    if (frame.kind != DUMP_KIND_CHUNK || dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &c) != NESS_OK) {
      continue;
    }
    CHECK(ssa_replica_load(&r, net, kernel, c.t0, c.n0, c.rng));
    ssa_advance(&r, net, kernel, c.t1, 0, NULL, &bad);
    CHECK(r.events == c.events && memcmp(r.fwd, c.fwd, (size_t)net->nstep * 8) == 0);
    CHECK(memcmp(r.bwd, c.bwd, (size_t)net->nstep * 8) == 0);
    ssa_settle(&r, net);
    CHECK_REL(c.counted, c.t1 - c.t0, 1e-9);
    for (int i = 0; i < net->nslot; i++) {
      CHECK_NEAR(r.slot[i].dwell, c.dwell[i], 1e-9);
    }
    if (timed && c.rows > 0) {
      CHECK(memcmp(r.n, c.row_count + (c.rows - 1) * net->nslot, (size_t)net->nslot * 8) == 0 || c.last);
    }
    chunks++;
  }
  CHECK(chunks > 1);
  ssa_replica_free(&r);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
}

/* Several chunks a replica at each level: many small windows, grid times and events; and many small replicas. */
static const struct {
  const char *net;
  ness_simulate_options options;
} table[] = {
    {"ring", {.replicas = 3, .time = 1500, .seed = 1, .level = "events", .warmup = 1}},
    {"fuel", {.replicas = 5, .time = 900, .seed = 2, .level = "grid", .every = 0.01}},
    {"tape", {.replicas = 5, .time = 700, .seed = 3, .level = "flux", .window = 0.04}},
    {"chain", {.replicas = 4, .time = 4, .seed = 4, .level = "flux", .warmup = 0.5}}, /* by composition */
    {"chain", {.replicas = 4, .time = 4, .seed = 4, .level = "flux", .warmup = 0.5, .method = "direct"}},
    {"tape", {.replicas = 3, .time = 1000, .seed = 8, .level = "events", .warmup = 1, .method = "composition"}},
    {"fuel", {.replicas = 5, .time = 900, .seed = 9, .level = "grid", .every = 0.01, .method = "composition"}},
    {"ring", {.replicas = 3, .time = 15000, .seed = 5, .level = "summary"}},
    {"ring", {.replicas = 400, .time = 1, .seed = 6, .level = "flux", .window = 0.3}},
    {"fuel", {.replicas = 4, .events = 100000, .seed = 7, .level = "flux", .window = 0.1}},
};

static ness_network *net_named(const char *name)
{
  return !strcmp(name, "ring")   ? net_ring()
         : !strcmp(name, "fuel") ? net_fuel()
         : !strcmp(name, "tape") ? net_tape(3)
                                 : net_chain(700, 3);
}

/* The run of a case in a process of its own: this program again, since a fork does not carry OpenMP along. */
static int child_main(const char *number, const char *path)
{
  const int i = atoi(number);
  ness_network *net = net_named(table[i].net);
  ness_simulate_options options = table[i].options;
  options.struct_size = sizeof options;
  options.path = path;
  const ness_status status = ssa_ensemble(net, &options, "text", "", NULL, NULL);
  network_free(net);
  return status != NESS_OK;
}

static void cases(const char *program, int number)
{
  ness_network *net = net_named(table[number].net);
  ness_simulate_options options = table[number].options;
  ssa_result whole, part;
  uint64_t mix = options.seed;
  options.struct_size = sizeof options;
  options.overwrite = 1;
  options.threads = 1;
  options.path = path_whole;
  CHECK(ssa_ensemble(net, &options, "text", "", NULL, &whole) == NESS_OK);
  bytes file = file_read(path_whole);
  CHECK(file.size > 0);
  chunks_repeat(path_whole, strcmp(options.level, "summary") != 0 && strcmp(options.level, "events") != 0);

  /* Threads, and no file at all. */
  options.path = path_part;
  for (int32_t threads = 2; threads <= 4; threads += 2) {
    options.threads = threads;
    CHECK(ssa_ensemble(net, &options, "text", "", NULL, &part) == NESS_OK);
    CHECK(same_file(path_part, &file) && same_result(net, &whole, &part));
    ssa_result_free(&part);
  }
  options.path = NULL;
  CHECK(ssa_ensemble(net, &options, "text", "", NULL, &part) == NESS_OK);
  CHECK(same_result(net, &whole, &part));
  ssa_result_free(&part);

  /* A finished dump: nothing to do, the result all the same. */
  ness_diags *diags = ness_diags_create();
  CHECK(ssa_resume(path_whole, NULL, diags, &part) == NESS_OK);
  CHECK(ness_diags_count(diags, NULL) == 1 && ness_diags_get(diags, 0)->severity == NESS_NOTE);
  CHECK(same_file(path_whole, &file) && same_result(net, &whole, &part));
  ssa_result_free(&part);
  ness_diags_free(diags);

  /* Cuts at any byte behind the run frame. */
  dump_reader *reader;
  dump_frame frame = {0};
  CHECK(dump_open(path_whole, NULL, &reader) == NESS_OK);
  CHECK(dump_next(reader, &frame, NULL) == NESS_OK);
  while (frame.kind == DUMP_KIND_RUN) {
    CHECK(dump_next(reader, &frame, NULL) == NESS_OK);
  }
  const size_t first = (size_t)frame.offset;
  dump_frame_free(&frame);
  dump_reader_free(reader);
  for (int i = 0; i < 10; i++) {
    mix = mix * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const size_t cut = i == 0 ? first : i == 1 ? file.size - 1 : first + (size_t)(mix >> 20) % (file.size - first);
    file_write(path_part, file.data, cut);
    options.threads = 1 + i % 2;
    CHECK(ssa_resume(path_part, &options, NULL, &part) == NESS_OK);
    CHECK(same_file(path_part, &file) && same_result(net, &whole, &part));
    ssa_result_free(&part);
  }

  /* Stops by the caller, each later than the one before, and going on. */
  options.path = path_part;
  options.progress = stop_progress;
  ness_status status = NESS_STOPPED;
  for (stop_at = 1, calls = 0; status == NESS_STOPPED && stop_at < 1000; stop_at = 2 * stop_at + 1) {
    status = stop_at == 1 ? ssa_ensemble(net, &options, "text", "", NULL, NULL)
                          : ssa_resume(path_part, &options, NULL, NULL);
  }
  CHECK(status == NESS_OK && same_file(path_part, &file));
  options.progress = NULL;

  /* kill -9 of a child after a moment. */
  for (int i = 0; i < 3; i++) {
    unlink(path_part);
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    const pid_t child = fork();
    if (child == 0) {
      execl(program, program, text, path_part, (char *)NULL);
      _exit(127);
    }
    const struct timespec moment = {0, 4000000L * (1 << (2 * i))};
    int how;
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    CHECK(waitpid(child, &how, 0) == child);
    CHECK(WIFSIGNALED(how) ? WTERMSIG(how) == SIGKILL : WEXITSTATUS(how) == 0);
    bytes left = file_read(path_part);
    if (left.size >= first) { /* the run frame is there */
      CHECK(ssa_resume(path_part, NULL, NULL, &part) == NESS_OK);
      CHECK(same_file(path_part, &file) && same_result(net, &whole, &part));
      ssa_result_free(&part);
    }
    free(left.data);
  }
  ssa_result_free(&whole);
  free(file.data);
  network_free(net);
}

/* A frame that is missing in the middle, and one that this program would not have written. */
static void damage(const ness_network *net)
{
  const ness_simulate_options options = {
      .struct_size = sizeof options, .replicas = 6, .time = 2, .path = path_part, .level = "flux", .overwrite = 1};
  CHECK(ssa_ensemble(net, &options, "", "", NULL, NULL) == NESS_OK);
  bytes file = file_read(path_part);
  dump_reader *reader;
  dump_frame frame = {0};
  size_t at[4] = {0};
  CHECK(dump_open(path_part, NULL, &reader) == NESS_OK);
  for (int i = 0; i < 4;) {
    CHECK(dump_next(reader, &frame, NULL) == NESS_OK && frame.bytes > 0);
    if (frame.kind == DUMP_KIND_CHUNK) {
      at[i++] = (size_t)frame.offset;
    }
  }
  dump_frame_free(&frame);
  dump_reader_free(reader);
  char *cut = malloc(file.size);
  memcpy(cut, file.data, at[1]);
  memcpy(cut + at[1], file.data + at[2], at[3] - at[2]);
  file_write(path_part, cut, at[1] + at[3] - at[2]);
  ness_diags *diags = ness_diags_create();
  CHECK(ssa_resume(path_part, NULL, diags, NULL) == NESS_FORMAT);
  CHECK(ness_diags_count(diags, NULL) >= 1);
  ness_diags_free(diags);
  CHECK(ssa_resume("/nowhere/at/all", NULL, NULL, NULL) != NESS_OK);
  free(cut);
  free(file.data);
}

static void no_memory(const ness_network *net)
{
  ness_simulate_options options = {.struct_size = sizeof options,
                                   .replicas = 6,
                                   .time = 2,
                                   .threads = 2,
                                   .path = path_part,
                                   .level = "grid",
                                   .overwrite = 1};
  for (int resume = 0; resume < 2; resume++) {
    ness_status status = NESS_NOMEM;
    int64_t n = 0;
    for (; n < 3000 && status; n++) {
      ssa_result r;
      mem_fail_after(n);
      status = resume ? ssa_resume(path_part, &options, NULL, &r) : ssa_ensemble(net, &options, "", "", NULL, &r);
      mem_fail_after(-1);
      CHECK(status == NESS_OK || status == NESS_NOMEM);
      ssa_result_free(&r);
    }
    CHECK(status == NESS_OK && n > 10);
  }
}

int main(int argc, char **argv)
{
  if (argc == 3) {
    return child_main(argv[1], argv[2]);
  }
  ness_network *ring = net_ring(), *fuel = net_fuel();
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path_whole, sizeof path_whole, "%s/whole", folder);
  snprintf(path_part, sizeof path_part, "%s/part", folder);
  for (int i = 0; i < (int)(sizeof table / sizeof table[0]); i++) {
    cases("/proc/self/exe", i);
  }
  damage(ring);
  no_memory(fuel);
  unlink(path_whole);
  unlink(path_part);
  rmdir(folder);
  network_free(ring);
  network_free(fuel);
  return check_done();
}
