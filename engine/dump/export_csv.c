/* Export: the public call, and csv, a table under the names of steps and slots.
 *
 * Invariant: every number reads back bit for bit; a name with a comma, a quote or a line end stands in quotes (RFC
 * 4180). Lines before the header begin with # and hold the run and its conventions. Cost: one pass, text in pieces. */
#include "engine/dump/frame.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FLUSH ((size_t)64 << 10)

typedef struct csv {
  text_buffer out;
  int fd;
  const char *path;
  ness_diags *diags;
  ness_status status;
} csv;

static void flush(csv *self, size_t above)
{
  if (self->out.length <= above || self->out.failed) return;
  if (!self->status)
    self->status = dump_file_write(self->fd, self->path, self->out.data, self->out.length, self->diags);
  self->out.length = 0;
}

static void put_name(csv *self, const char *name, const char *suffix)
{
  const bool quote = strpbrk(name, ",\"\r\n#") != NULL;
  if (quote) text_put(&self->out, "\"", 1);
  for (const char *c = name; *c; c++) {
    if (*c == '"') text_put(&self->out, "\"", 1);
    text_put(&self->out, c, 1);
  }
  text_put(&self->out, suffix, strlen(suffix));
  if (quote) text_put(&self->out, "\"", 1);
}

static void put_names(csv *self, const ness_network *net, const int32_t *names, int32_t n, const char *suffix)
{
  for (int32_t i = 0; i < n; i++) {
    text_put(&self->out, ",", 1);
    put_name(self, network_text(net, names[i]), suffix);
  }
}

static void put_real(csv *self, double value)
{
  char number[32];
  number_exact(value, number);
  text_put(&self->out, number, strlen(number));
}

static void put_int(csv *self, int64_t value)
{
  char digits[24];
  size_t at = sizeof digits;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do {
    digits[--at] = (char)('0' + rest % 10);
  } while ((rest /= 10) > 0);
  if (value < 0) digits[--at] = '-';
  text_put(&self->out, digits + at, sizeof digits - at);
}

static void put_ints(csv *self, const int64_t *values, int32_t n)
{
  for (int32_t i = 0; i < n; i++) {
    text_put(&self->out, ",", 1);
    put_int(self, values[i]);
  }
}

static void put_reals(csv *self, const double *values, int32_t n)
{
  for (int32_t i = 0; i < n; i++) {
    text_put(&self->out, ",", 1);
    put_real(self, values[i]);
  }
}

static void put_comment(csv *self, const char *key, const char *value)
{
  text_put(&self->out, "# ", 2);
  text_put(&self->out, key, strlen(key));
  text_put(&self->out, ": ", 2);
  for (const char *c = value; *c; c++) text_put(&self->out, (unsigned char)*c < 0x20 ? " " : c, 1);
  text_put(&self->out, "\n", 1);
}

static void put_header(csv *self, const ness_network *net, const dump_run *run)
{
  text_buffer *out = &self->out;
  put_comment(self, "model", net->model_name);
  put_comment(self, "overrides", run->overrides);
  put_comment(self, "level", dump_level_name(run->level));
  text_add(out, "# seed: %llu\n", (unsigned long long)run->seed);
  for (int32_t i = 0; i < dump_conventions_count; i++)
    put_comment(self, dump_conventions[i][0], dump_conventions[i][1]);
  if (run->level == DUMP_EVENTS) {
    text_add(out, "replica,time_s,step,direction\n");
    return;
  }
  text_add(out, run->level == DUMP_SUMMARY ? "replica,t0_s,t1_s,counted_s,events" : "replica,time_s");
  if (run->level != DUMP_SUMMARY) put_names(self, net, net->slot_name, net->nslot, "");
  if (run->level != DUMP_GRID) {
    put_names(self, net, net->step_name, net->nstep, " forward");
    put_names(self, net, net->step_name, net->nstep, " backward");
    put_names(self, net, net->slot_name, net->nslot, " dwell_s");
  }
  if (run->level == DUMP_SUMMARY) put_names(self, net, net->slot_name, net->nslot, " dwell2_s");
  if (run->level != DUMP_GRID) text_add(out, ",formula_entropy_kB");
  text_put(out, "\n", 1);
}

static void put_summary(csv *self, const ness_network *net, const dump_chunk *chunk)
{
  const double times[] = {chunk->t0, chunk->t1, chunk->counted};
  put_int(self, chunk->replica);
  put_reals(self, times, 3);
  put_ints(self, &chunk->events, 1);
  put_ints(self, chunk->fwd, net->nstep);
  put_ints(self, chunk->bwd, net->nstep);
  put_reals(self, chunk->dwell, net->nslot);
  put_reals(self, chunk->dwell2, net->nslot);
  put_reals(self, &chunk->tape_entropy, 1);
  text_put(&self->out, "\n", 1);
}

static void put_row(csv *self, const ness_network *net, int32_t level, const dump_chunk *chunk, int64_t r)
{
  put_int(self, chunk->replica);
  put_reals(self, chunk->row_time + r, 1);
  if (level == DUMP_EVENTS) {
    const int32_t dir = chunk->row_dir[r];
    text_put(&self->out, ",", 1);
    put_name(self, network_text(net, net->step_name[dir / 2]), "");
    text_add(&self->out, dir % 2 ? ",backward" : ",forward");
  } else {
    put_ints(self, chunk->row_count + r * net->nslot, net->nslot);
  }
  if (level == DUMP_FLUX) {
    put_ints(self, chunk->row_fwd + r * net->nstep, net->nstep);
    put_ints(self, chunk->row_bwd + r * net->nstep, net->nstep);
    put_reals(self, chunk->row_dwell + r * net->nslot, net->nslot);
    const double none = 0;
    put_reals(self, chunk->row_tape_entropy ? chunk->row_tape_entropy + r : &none, 1);
  }
  text_put(&self->out, "\n", 1);
}

ness_status dump_export_next(dump_reader *reader, dump_frame *frame, dump_buffer *buffer, dump_chunk *chunk,
                             ness_diags *diags)
{
  ness_status status;
  while (!(status = dump_next(reader, frame, diags)) && frame->bytes > 0) {
    if (frame->kind != DUMP_KIND_CHUNK) continue;
    status = dump_decode(reader, frame, buffer, DUMP_EVERYTHING, chunk);
    if (status != NESS_FORMAT) return status;
    if (diags)
      diag_add(diags, NESS_WARNING, "%s: the chunk at byte %lld does not fit the network and is left out",
               reader_path(reader), (long long)frame->offset);
  }
  return status;
}

ness_status dump_export_csv(dump_reader *reader, int fd, const char *path, ness_diags *diags, export_sums *sums)
{
  const ness_network *net = dump_network(reader);
  const int32_t level = dump_run_of(reader)->level;
  csv self = {.fd = fd, .path = path, .diags = diags};
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  ness_status status;
  put_header(&self, net, dump_run_of(reader));
  while (!(status = dump_export_next(reader, &frame, &buffer, &chunk, diags)) && frame.bytes > 0 && !self.status) {
    if (level == DUMP_SUMMARY) put_summary(&self, net, &chunk);
    for (int64_t r = 0; r < chunk.rows; r++) {
      put_row(&self, net, level, &chunk, r);
      flush(&self, FLUSH);
    }
    flush(&self, FLUSH);
    sums->chunks++;
    sums->rows += level == DUMP_SUMMARY ? 1 : chunk.rows;
  }
  flush(&self, 0);
  if (!status) status = self.out.failed ? NESS_NOMEM : self.status;
  text_clear(&self.out);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return status;
}

/* --- the public call --- */

static ness_status count(const char *in, export_sums *sums, ness_diags *diags)
{
  dump_reader *reader = NULL;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  ness_status status = dump_open(in, diags, &reader);
  while (!status && !(status = dump_export_next(reader, &frame, &buffer, &chunk, NULL)) && frame.bytes > 0) {
    sums->chunks++;
    sums->rows += chunk.rows;
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
  return status;
}

/* "csv" or "npz" from the option or the end of the name; NULL: neither. */
static const char *format_of(const ness_dump_options *options, const char *out)
{
  const char *dot = strrchr(out, '.');
  const char *format = options->format ? options->format : dot ? dot + 1 : "";
  return strcmp(format, "csv") == 0 ? "csv" : strcmp(format, "npz") == 0 ? "npz" : NULL;
}

ness_status ness_dump_export(const char *in, const char *out, const ness_dump_options *given, ness_diags *diags,
                             ness_doc **doc)
{
  const ness_dump_options options = tool_options(given);
  dump_reader *reader = NULL;
  ness_doc *tree = NULL;
  export_sums sums = {0};
  bool created = false;
  int fd = -1;
  if (doc) *doc = NULL;
  if (!in || !out) return NESS_USAGE;
  const char *format = format_of(&options, out);
  if (!format || tool_same_file(in, out)) {
    if (diags && format) diag_add(diags, NESS_ERROR, "'%s' is input and output at once", out);
    else if (diags) diag_add(diags, NESS_ERROR, "'%s' does not say in which format: csv or npz", out);
    return NESS_USAGE;
  }
  const bool npz = strcmp(format, "npz") == 0;
  ness_status status = npz ? count(in, &sums, diags) : NESS_OK;
  if (!status) status = dump_open(in, diags, &reader);
  if (!status && !(tree = doc_create("dump.export"))) status = NESS_NOMEM;
  if (!status && (fd = dump_file_create(out, options.overwrite != 0, &created, diags)) < 0) status = NESS_IO;
  if (!status)
    status = npz ? dump_export_npz(reader, &sums, fd, out, diags) : dump_export_csv(reader, fd, out, diags, &sums);
  if (fd >= 0 && close(fd) != 0 && !status) status = dump_io_error(diags, "close", out, errno);
  if (status && created) unlink(out); /* half a table is worse than none */
  if (!status) {
    tool_describe_run(doc_root(tree), reader);
    doc_string(doc_root(tree), "output", "%s", out);
    doc_string(doc_root(tree), "format", "%s", format);
    doc_int(doc_root(tree), "chunks", sums.chunks);
    doc_int(doc_root(tree), "rows", sums.rows);
    doc_int(doc_root(tree), "damaged_bytes", dump_damage(reader));
  }
  dump_reader_free(reader);
  return tool_hand_over(tree, status, doc);
}
