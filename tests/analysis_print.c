/* Prints the analysis of a simulated network, for a look and for timing: analysis_print NETWORK LEVEL REPLICAS TIME
 * SEED [json]. */
#include "analysis_build.h"
#include <time.h>

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of all threads: others may share the machine */
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
  if (argc < 6) return 77;
  char path[256];
  test_path(path, "print");
  const char *const which = argv[1];
  ness_network *net = strcmp(which, "fuel") == 0     ? fuel_cycle(1, 2, 500 * 5e-3, 10 * 1e-4, 500, true)
                      : strcmp(which, "single") == 0 ? fuel_cycle(1, 100, 50, 0.005, 1, true)
                      : strcmp(which, "twin") == 0   ? fuel_cycle(1, 2, 2, 1, 500, true)
                      : strcmp(which, "leak") == 0   ? antiporter_6(1, 1)
                      : strcmp(which, "emre") == 0   ? antiporter_8(true, 10, 10)
                      : strcmp(which, "crowd") == 0  ? ring(6, 2, 1, 50) /* too many states to follow */
                                                     : ring(6, 2, 1, 1);
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .level = argv[2],
                                         .replicas = atoll(argv[3]),
                                         .time = atof(argv[4]),
                                         .seed = (uint64_t)atoll(argv[5]),
                                         .path = path,
                                         .overwrite = 1};
  simulate(net, &options);
  for (int32_t threads = 1; threads <= 2; threads++) {
    const double start = now();
    ness_doc *doc =
        analyze(path, &(ness_analyze_options){.struct_size = sizeof(ness_analyze_options), .threads = threads});
    const double seconds = now() - start, events = ness_doc_number(doc, "run.events");
    char *text = argc > 6 ? ness_doc_json(doc) : ness_doc_text(doc, 120, 0);
    if (threads == 1) printf("%s\n", text);
    fprintf(stderr, "%d threads: %.3f s of processor, %.1f M events/s a core\n", (int)threads, seconds,
            1e-6 * events / seconds);
    ness_text_free(text);
    ness_doc_free(doc);
  }
  unlink(path);
  network_free(net);
  return 0;
}
