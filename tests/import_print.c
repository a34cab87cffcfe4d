/* For tests/import_numpy.py: `read FILE` prints the rates of a file, a line each with all their bits; `write FOLDER
 * SEED` writes a chain by chance as chain.mtx, .tra, .sta and .petsc and prints its transitions, parallel ones and
 * loops included, and `exit` lines. */
#include "engine/rng/rng.h"
#include "networks/import/import.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_file(const char *path)
{
  ness_diags *const diags = ness_diags_create();
  import_rates r;
  char room[16];
  const ness_status status = import_read(path, NULL, 0, diags, &r);
  char *const shown = ness_diags_render(diags, 0);
  fputs(shown ? shown : "", stderr);
  if (status == NESS_OK) printf("%d\n", r.n);
  for (int32_t i = 0; i < r.n; i++) printf("%s\n", import_state_name(&r, i, room));
  for (int64_t e = 0; e < r.count; e++) printf("%d %d %a\n", r.rate[e].from, r.rate[e].to, r.rate[e].rate);
  ness_text_free(shown);
  ness_diags_free(diags);
  import_rates_free(&r);
  return status != NESS_OK;
}

static void name_of(void *context, int32_t state, text_buffer *out)
{
  (void)context;
  text_add(out, "%d,%d", state / 5, state % 5);
}

static int write_files(const char *folder, uint64_t seed)
{
  static const char *const names[] = {"chain.mtx", "chain.tra", "chain.petsc"};
  const export_states states = {"x,y", name_of, NULL};
  rng_stream rng;
  chain q;
  char path[512];
  rng_init(&rng, seed, 0, 0);
  const int32_t n = 2 + (int32_t)(rng_double(&rng) * 60);
  if (chain_create(n, 4 * (int64_t)n, false, &q)) return 2;
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    for (int32_t t = (int32_t)(rng_double(&rng) * 5); t > 0; t--, end++) {
      q.to[end] = (int32_t)(rng_double(&rng) * n);
      q.rate[end] = exp(100 * (rng_double(&rng) - 0.5));
      printf("%d %d %a\n", i, q.to[end], q.rate[end]);
    }
    q.start[i + 1] = end;
  }
  ness_status status = NESS_OK;
  for (int f = 0; f < 3 && !status; f++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[f]);
    status = export_chain(&q, export_format_of(path), path, &states, false, NULL);
  }
  chain_free(&q);
  return status != NESS_OK;
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "read") == 0) return print_file(argv[2]);
  if (argc == 4 && strcmp(argv[1], "write") == 0) return write_files(argv[2], strtoull(argv[3], NULL, 10));
  return 2;
}
