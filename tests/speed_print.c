/* speed_print JOB METHOD LEVEL ORDER REPLICAS TIME: runs a job of bench/jobs.h on one thread with vector instructions
 * up to a level, and prints the events that it made, the compiler and the method's form. For
 * speed_instructions_slow.py, which counts the instructions. */
#include "bench/jobs.h"
#include "engine/base/simd.h"
#include "engine/ssa/ssa.h"

#include <string.h>

int main(int argc, char **argv)
{
  ness_network *net = NULL;
  if (argc != 7) return 2;
  for (int j = 0; j < JOBS; j++) {
    if (strcmp(argv[1], jobs[j].name) == 0) net = jobs[j].make(strcmp(argv[4], "shuffled") == 0);
  }
  for (int level = 0; level < (int)SIMD_LEVELS; level++) {
    if (strcmp(argv[3], simd_name((simd_level)level)) == 0) simd_limit((simd_level)level);
  }
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .method = strcmp(argv[2], "default") == 0 ? NULL : argv[2],
                                         .replicas = strtoll(argv[5], NULL, 10),
                                         .time = strtod(argv[6], NULL),
                                         .seed = 1,
                                         .threads = 1,
                                         .level = "summary"};
  ssa_result result;
  if (!net || strcmp(simd_name(simd_best()), argv[3]) != 0 || /* this processor does not have it */
      ssa_ensemble(net, &options, NULL, NULL, NULL, &result) != NESS_OK) {
    return 1;
  }
#if defined(NDEBUG) && defined(__OPTIMIZE__)
  const char *const build = "Release";
#else
  const char *const build = "other";
#endif
#if defined(__clang__)
  printf("%lld;clang %s %s;%s\n", (long long)result.events, __clang_version__, build, result.form);
#else
  printf("%lld;gcc %s %s;%s\n", (long long)result.events, __VERSION__, build, result.form);
#endif
  ssa_result_free(&result);
  network_free(net);
  return 0;
}
