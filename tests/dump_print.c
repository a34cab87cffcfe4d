/* Writes sample dumps into a folder: LEVEL.msgpack at each level with LEVEL.npz, LEVEL.csv and LEVEL.json (cat) beside
 * it, for tests/dump_walk.py, and small.msgpack, from which the fuzzer starts. usage: dump_print FOLDER */
#include "dump_sample.h"
#include <ness/dump.h>

static int to_file(void *context, const char *data, size_t bytes)
{
  return fwrite(data, 1, bytes, context) != bytes;
}

static int fail(ness_status status, ness_diags *diags)
{
  char *text = ness_diags_render(diags, 0);
  fprintf(stderr, "%s\n%s\n", ness_status_text(status), text ? text : "");
  return 1;
}

static ness_status write_dump(const char *path, const ness_network *net, int32_t level, int64_t rows, ness_diags *diags)
{
  dump_writer *writer;
  dump_run run = sample_run(level);
  run.replicas = 3;
  ness_status status = dump_create(path, true, net, &run, diags, &writer);
  if (status) return status;
  for (int64_t index = 0; index < 2; index++)
    for (int64_t replica = 0; replica < 3 && !status; replica++) {
      sample_chunk chunk = sample_fill(net, level, replica, index, rows, index == 1);
      void *frame;
      size_t bytes;
      status = dump_pack(net, level, &chunk.chunk, &frame, &bytes);
      if (!status) status = dump_append(writer, frame, bytes, diags);
      mem_free(frame);
      sample_free(&chunk);
    }
  const ness_status closed = dump_close(writer, 1, diags);
  return status ? status : closed;
}

int main(int argc, char **argv)
{
  static const char *const levels[] = {"summary", "flux", "grid", "events"};
  char path[4][4096];
  if (argc != 2) return 2;
  ness_diags *diags = ness_diags_create();
  ness_network *net = sample_network(3);
  ness_status status = NESS_OK;
  for (int32_t level = 0; level < 4 && !status; level++) {
    snprintf(path[0], sizeof path[0], "%s/%s.msgpack", argv[1], levels[level]);
    snprintf(path[1], sizeof path[1], "%s/%s.npz", argv[1], levels[level]);
    snprintf(path[2], sizeof path[2], "%s/%s.csv", argv[1], levels[level]);
    snprintf(path[3], sizeof path[3], "%s/%s.json", argv[1], levels[level]);
    const ness_dump_options options = {.struct_size = sizeof options, .overwrite = 1, .rows = 1};
    status = write_dump(path[0], net, level, 1000, diags);
    if (!status) status = ness_dump_verify(path[0], diags, NULL);
    if (!status) status = ness_dump_export(path[0], path[1], &options, diags, NULL);
    if (!status) status = ness_dump_export(path[0], path[2], &options, diags, NULL);
    FILE *json = fopen(path[3], "wb");
    if (!json) return 2;
    if (!status) status = ness_dump_cat(path[0], &options, to_file, json, diags);
    if (fclose(json) != 0) return 2;
  }
  snprintf(path[0], sizeof path[0], "%s/small.msgpack", argv[1]);
  if (!status) status = write_dump(path[0], net, DUMP_FLUX, 3, diags);
  const int code = status ? fail(status, diags) : 0;
  network_free(net);
  ness_diags_free(diags);
  return code;
}
