/* Prints a stream for tests/rng_numpy.py, one value a line; not a test by itself.
 *   rng_print SEED REPLICA PURPOSE COUNT [KIND [DELTA_HI DELTA_LO]]
 * KIND is u64 (default), double (C hex floats) or state (the four words once); DELTA advances the stream first.
 * Exits with 2 and a usage line on anything else. */
#include "../engine/rng/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
  if (argc != 5 && argc != 6 && argc != 8) {
    fprintf(stderr, "usage: rng_print seed replica purpose count [u64|double|state [delta_hi delta_lo]]\n");
    return 2;
  }
  const char *kind = argc > 5 ? argv[5] : "u64";
  const long count = strtol(argv[4], NULL, 0);
  rng_stream stream;
  rng_init(&stream, strtoull(argv[1], NULL, 0), (uint32_t)strtoul(argv[2], NULL, 0),
           (uint32_t)strtoul(argv[3], NULL, 0));
  if (argc == 8) {
    rng_advance(&stream, strtoull(argv[6], NULL, 0), strtoull(argv[7], NULL, 0));
  }
  if (strcmp(kind, "state") == 0) {
    uint64_t words[4];
    rng_save(&stream, words);
    printf("%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n", words[0], words[1], words[2], words[3]);
  } else if (strcmp(kind, "double") == 0) {
    for (long i = 0; i < count; i++) {
      printf("%a\n", rng_double(&stream));
    }
  } else if (strcmp(kind, "u64") == 0) {
    for (long i = 0; i < count; i++) {
      printf("%" PRIu64 "\n", rng_next(&stream));
    }
  } else {
    fprintf(stderr, "rng_print: no kind '%s'\n", kind);
    return 2;
  }
  return 0;
}
