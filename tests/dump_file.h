/* Files for the tests of the dump: a folder of its own that a test makes and takes away, sample dumps in it, and their
 * bytes. */
#ifndef NESS_TESTS_DUMP_FILE_H
#define NESS_TESTS_DUMP_FILE_H

#include "check.h"
#include "dump_sample.h"
#include <sys/stat.h>
#include <unistd.h>

static char folder[64] = "/tmp/ness_dump_XXXXXX";

static inline const char *in_folder(const char *name)
{
  static char paths[8][128];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

typedef struct bytes {
  unsigned char *data;
  size_t size;
} bytes;

static inline bytes slurp(const char *path)
{
  bytes b = {0};
  struct stat found;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &found) != 0) exit(2);
  b.size = (size_t)found.st_size;
  b.data = malloc(b.size + 1);
  if (!b.data || fread(b.data, 1, b.size, file) != b.size) exit(2);
  fclose(file);
  return b;
}

static inline ness_status append_sample(dump_writer *writer, const ness_network *net, int32_t level, int64_t replica,
                                        int64_t index, int64_t rows, int32_t last)
{
  sample_chunk chunk = sample_fill(net, level, replica, index, rows, last);
  void *frame;
  size_t n;
  ness_status status = dump_pack(net, level, &chunk.chunk, &frame, &n);
  if (!status) status = dump_append(writer, frame, n, NULL);
  mem_free(frame);
  sample_free(&chunk);
  return status;
}

/* `chunks` chunks of each of two replicas. */
static inline ness_status write_sample(const char *path, const ness_network *net, int32_t level, int64_t chunks,
                                       int64_t rows, int complete)
{
  dump_writer *writer;
  const dump_run run = sample_run(level);
  ness_status status = dump_create(path, true, net, &run, NULL, &writer);
  if (status) return status;
  for (int64_t i = 0; i < 2 * chunks && !status; i++)
    status = append_sample(writer, net, level, i % 2, i / 2, rows, i / 2 == chunks - 1);
  if (status) {
    dump_abandon(writer);
    return status;
  }
  return dump_close(writer, complete, NULL);
}

static inline bool folder_make(void)
{
  return mkdtemp(folder) != NULL;
}

static inline bool folder_remove(void)
{
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command) == 0;
}

#endif
