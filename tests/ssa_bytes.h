/* The bytes of a dump, for the tests of methods: they depend neither on threads nor on a stop anywhere. */
#ifndef NESS_TESTS_SSA_BYTES_H
#define NESS_TESTS_SSA_BYTES_H

#include "check.h"
#include "engine/ssa/ssa.h"

#include <stdlib.h>
#include <unistd.h>

static inline long bytes_read(const char *path, char **data)
{
  FILE *const file = fopen(path, "rb");
  CHECK(file);
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  rewind(file);
  *data = malloc((size_t)size);
  CHECK(*data && fread(*data, 1, (size_t)size, file) == (size_t)size);
  fclose(file);
  return size;
}

/* Runs with these options, but for path and threads, and goes on from seven places where the dump is cut off. */
static inline void bytes_repeat(const ness_network *net, ness_simulate_options options)
{
  char path[] = "/tmp/ssa_bytes_XXXXXX", *whole, *part;
  const int made = mkstemp(path);
  options.struct_size = sizeof options;
  options.path = path;
  options.overwrite = 1;
  options.threads = 1;
  CHECK(made >= 0 && close(made) == 0);
  CHECK(ssa_ensemble(net, &options, "text", "", NULL, NULL) == NESS_OK);
  const long size = bytes_read(path, &whole);
  options.threads = 3;
  CHECK(ssa_ensemble(net, &options, "text", "", NULL, NULL) == NESS_OK);
  CHECK(bytes_read(path, &part) == size && memcmp(whole, part, (size_t)size) == 0);
  free(part);
  for (int i = 1; i < 8; i++) {
    FILE *const file = fopen(path, "wb");
    CHECK(file && fwrite(whole, 1, (size_t)(size - size * i / 40), file) > 0 && fclose(file) == 0);
    CHECK(ssa_resume(path, &options, NULL, NULL) == NESS_OK);
    CHECK(bytes_read(path, &part) == size && memcmp(whole, part, (size_t)size) == 0);
    free(part);
  }
  free(whole);
  unlink(path);
}

#endif
