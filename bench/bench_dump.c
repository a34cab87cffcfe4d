/* How fast a dump is written and read back: an `events` dump of the 6-state ring on one thread, raw column bytes a
 * second through simulation, packing and the file, then the analysis of it on one thread and on all, in events a
 * second; and the peak memory of an ensemble of 1e3 and of 1e5 replicas. Argument: a folder for the file (the current
 * one unless given). */
#include <ness/ness.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ring_text[] =
    "model ring\nunits natural\nspecies S[i in 0..5] = if(i == 0, 1, 0)\n"
    "S[0] <-> S[1] @ 100, 40\nS[1] <-> S[2] @ 200, 30\nS[2] <-> S[3] @ 150, 60\nS[3] <-> S[4] @ 300, 50\n"
    "S[4] <-> S[5] @ 250, 24\nS[5] <-> S[0] @ 120, 20\n";

static int run(const char *path, const char *level, int64_t replicas, double time, int threads, double *events)
{
  ness_diags *const diags = ness_diags_create();
  ness_model *model = NULL;
  ness_doc *doc = NULL;
  const ness_simulate_options options = {.struct_size = sizeof options,
                                         .replicas = replicas,
                                         .time = time,
                                         .seed = 1,
                                         .threads = threads,
                                         .path = path,
                                         .level = level,
                                         .overwrite = 1};
  ness_status status = ness_model_load("ring", ring_text, NULL, 0, diags, &model);
  if (status == NESS_OK) status = ness_simulate(model, &options, diags, &doc);
  if (status != NESS_OK) {
    char *const shown = ness_diags_render(diags, 0);
    fputs(shown ? shown : "failed\n", stderr);
    ness_text_free(shown);
  }
  *events = doc ? ness_doc_number(doc, "run.events") : 0;
  ness_doc_free(doc);
  ness_model_free(model);
  ness_diags_free(diags);
  return status != NESS_OK;
}

static double analyse(const char *path, int threads)
{
  ness_diags *const diags = ness_diags_create();
  ness_doc *doc = NULL;
  const ness_analyze_options options = {.struct_size = sizeof options, .threads = threads};
  const double start = omp_get_wtime();
  const ness_status status = ness_analyze(path, &options, diags, &doc);
  const double seconds = omp_get_wtime() - start;
  ness_doc_free(doc);
  ness_diags_free(diags);
  return status == NESS_OK ? seconds : 1e9;
}

/* Peak memory of an ensemble in a process of its own, MiB; the most of all so far, so ask the small one first. */
static double peak(int64_t replicas)
{
  const pid_t child = fork();
  if (child == 0) {
    double events;
    _exit(run(NULL, "summary", replicas, 0.1, 2, &events));
  }
  int status;
  struct rusage usage;
  if (waitpid(child, &status, 0) < 0 || status != 0 || getrusage(RUSAGE_CHILDREN, &usage) != 0) return -1;
  return (double)usage.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
  char path[4096];
  double events;
  snprintf(path, sizeof path, "%s/bench_dump.msgpack", argc > 1 ? argv[1] : ".");
  const double few = peak(1000), many = peak(100000);
  printf("%-34s %10.1f MiB  (1e3 replicas), %.1f MiB (1e5)\n", "peak memory of an ensemble", few, many);
  fflush(stdout);
  double start = omp_get_wtime();
  if (run(path, "events", 8, 5000, 1, &events)) return 1;
  const double wrote = omp_get_wtime() - start;
  printf("%-34s %10.1f MB/s of raw columns, %.1f ns an event, one thread, %.0f events\n",
         "events dump, simulated and written", 9 * events / wrote / 1e6, 1e9 * wrote / events, events);
  for (int threads = 1; threads <= omp_get_max_threads(); threads++) {
    double seconds = analyse(path, threads);
    for (int again = 0; again < 6; again++) { /* the best: whatever else runs on the machine only slows it down */
      const double took = analyse(path, threads);
      seconds = took < seconds ? took : seconds;
    }
    printf("%-34s %10.1f million events/s, %d thread%s\n", "analysis of the events dump", events / seconds / 1e6,
           threads, threads > 1 ? "s" : "");
  }
  remove(path);
  return 0;
}
