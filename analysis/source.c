/* Opening and reading of dumps and records alike. Invariant: what the first bytes say is what the file is taken for. */
#include "analysis/source.h"

#include <string.h>
#include <sys/stat.h>

static double file_bytes(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (double)info.st_size : 0;
}

/* What neither its counts nor a ledger tell. */
static bool unledgered(const dump_run *run, const char *path, ness_diags *diags)
{
  static const char *const unread[] = {"hybrid", "mean", "langevin"};
  if (dump_has_ledger(run)) return false;
  if (strcmp(run->method, "thinning") == 0) {
    diag_add(diags, NESS_ERROR,
             "%s: an input of this run moved, and the ness that wrote it (%s) kept no ledger of entropy and works",
             path, run->version);
    diag_hint(diags, "run it again with this one: %s", run->command);
    return true;
  }
  for (size_t i = 0; i < sizeof unread / sizeof *unread; i++) {
    if (strcmp(run->method, unread[i]) != 0) continue;
    diag_add(diags, NESS_ERROR,
             "%s: something of this run flowed or answered back (method %s), and the ness that wrote it (%s) kept no "
             "ledger of entropy and works",
             path, run->method, run->version);
    diag_hint(diags, "run it again with this one: %s", run->command);
    return true;
  }
  return false;
}

static ness_status open_dump(source *self, const char *path, const ness_analyze_options *options, ness_diags *diags)
{
  if (options->columns || options->map || options->step > 0) {
    diag_add(diags, NESS_ERROR, "%s is a dump: --columns, --map and --step are for measured sequences", path);
    return NESS_USAGE;
  }
  const ness_status status = dump_open(path, diags, &self->reader);
  if (status) return status;
  const dump_run *const run = self->run = dump_run_of(self->reader);
  self->net = dump_network(self->reader);
  if (run->replicas < 1 || run->level < DUMP_SUMMARY || run->level > DUMP_EVENTS || !(run->warmup >= 0) ||
      !(run->warmup < run->time) || run->events < 0) {
    diag_add(diags, NESS_ERROR, "%s: the settings of its run make no sense", path);
    return NESS_FORMAT;
  }
  if (run->input && run->level == DUMP_SUMMARY) {
    diag_add(diags, NESS_ERROR, "%s: the settings of its run make no sense", path);
    return NESS_FORMAT;
  }
  return unledgered(run, path, diags) ? NESS_USAGE : NESS_OK;
}

static ness_status open_record(source *self, const char *path, const ness_analyze_options *options, ness_diags *diags)
{
  ness_status status = record_open(&self->measured, path, NULL, 0, options, diags);
  if (!status) status = record_network(&self->measured, &self->seen);
  if (!status) record_run(&self->measured, &self->seen_run);
  self->net = self->seen;
  self->run = &self->seen_run;
  return status;
}

ness_status source_open(source *self, const char *path, const ness_analyze_options *options, ness_diags *diags)
{
  memset(self, 0, sizeof *self);
  self->is_record = !record_is_dump(path);
  const ness_status status =
      self->is_record ? open_record(self, path, options, diags) : open_dump(self, path, options, diags);
  return status ? status : tally_plan_init(&self->plan, self->net, self->run);
}

ness_status source_read(source *self, const char *path, const ness_analyze_options *options, loops *loop,
                        memory_counts *past, waits *waited, counting *counted, windows_pass *entropy, ness_diags *diags)
{
  if (self->is_record) return record_stream(&self->measured, &self->plan, loop, past, waited, counted, &self->sums);
  return stream_run(self->reader, &self->plan, options, file_bytes(path), loop, past, waited, counted, entropy, diags,
                    &self->sums);
}

void source_free(source *self)
{
  stream_sums_free(&self->sums);
  tally_plan_free(&self->plan);
  dump_reader_free(self->reader);
  network_free(self->seen);
  record_free(&self->measured);
}
