/* A record as a whole: opened, surveyed, told of. Invariant: after record_open all tables are complete and every track
 * stands at the start again; what was detected is written into the result. Cost: the first reading. */
#include "analysis/record/record.h"

#include <errno.h>
#include <omp.h>
#include <string.h>
#include <sys/stat.h>

#define ONE_WAY_LISTED 20

bool record_is_dump(const char *path)
{
  unsigned char first = 0;
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return true; /* it says what is wrong */
  FILE *const in = fopen(path, "rb");
  const bool read = in && fread(&first, 1, 1, in) == 1;
  if (in) fclose(in);
  return read && (first == 0x85 || (first < 32 && !strchr("\t\n\r", first))); /* a map of five, or no text at all */
}

ness_status record_open(record *self, const char *path, const void *content, size_t length,
                        const ness_analyze_options *options, ness_diags *diags)
{
  struct stat info;
  *self = (record){.path = path, .content = content, .length = length, .size = (int64_t)length, .diags = diags};
  self->threads = options->threads > 0 ? options->threads : omp_get_max_threads();
  self->progress = options->progress;
  self->context = options->progress_context;
  if (!content && stat(path, &info) != 0) {
    diag_add(diags, NESS_ERROR, "cannot open %s: %s", path, strerror(errno));
    return NESS_IO;
  }
  if (!content) self->size = (int64_t)info.st_size;
  ness_status status = record_layout_find(self, options);
  if (!status && options->map) status = record_map_read(self, options->map);
  if (!status) status = record_survey(self);
  if (!status) record_remarks(self);
  return status;
}

void record_run(const record *self, dump_run *out)
{
  *out = (dump_run){.model_text = "",
                    .overrides = "",
                    .command = "",
                    .version = "",
                    .machine = "",
                    .method = "",
                    .level = DUMP_EVENTS,
                    .replicas = self->replicas.count,
                    .block = 1,
                    .time = self->longest};
}

static void states_doc(const record *self, const ness_network *net, doc_node *root)
{
  doc_node *const list = doc_array(root, "states");
  for (int32_t i = 0; i < self->states.count; i++) {
    const record_state *const at = &self->at[i];
    doc_node *const row = doc_object(list, NULL);
    doc_string(row, "state", "%s", network_text(net, net->slot_name[i]));
    doc_string(row, "in_file", "%s", names_text(&self->states, i));
    doc_number(row, "time", at->dwell);
    doc_int(row, "entered", at->entered);
    doc_int(row, "left", at->left);
  }
}

void record_doc(const record *self, const ness_network *net, doc_node *root)
{
  doc_node *const row = doc_object(root, "record");
  text_buffer read = {0};
  int64_t one_way = 0;
  record_layout_text(self, &read);
  doc_string(row, "read_as", "%s", read.data ? read.data : "");
  text_clear(&read);
  doc_int(row, "rows", self->rows);
  doc_int(row, "replicas", self->replicas.count);
  doc_int(row, "states", self->states.count);
  doc_int(row, "pairs", net->nstep);
  if (self->gaps > 0) doc_int(row, "rows_missing", self->gaps);
  if (self->ties > 0) doc_int(row, "ties", self->ties);
  if (self->map.from.count > 0)
    doc_string(row, "map", "%d states put together into %d", self->map.from.count, self->states.count);
  if (self->sampled) doc_number(row, "sampled_every", self->step);
  doc_string(row, "time_unit", "that of the file, called s; rates are per s");
  doc_node *const list = doc_array(row, "seen_one_way");
  for (int64_t e = 0, s = 0; e < self->edges; e++, s++) { /* in the order of the steps */
    const record_edge *const at = &self->edge[e];
    if (e + 1 < self->edges && at[1].from == at->to && at[1].to == at->from) {
      e++;
      continue;
    }
    if (one_way++ < ONE_WAY_LISTED)
      doc_string(list, NULL, "%s, %lld time%s", network_text(net, net->step_text[s]), (long long)at->count,
                 at->count == 1 ? "" : "s");
  }
  if (one_way > ONE_WAY_LISTED) doc_int(row, "more_seen_one_way", one_way - ONE_WAY_LISTED);
  doc_string(
      row, "note", "%s",
      self->sampled
          ? "rows stand at equal steps: a chain in discrete time; jumps between samples may be missed, so rates are "
            "transitions per time and entropy production is a lower bound; channels between the same two states "
            "cannot be told apart"
      : self->hidden ? "states are put together: entropy production is a lower bound; channels between the same two "
                       "states cannot be told apart"
                     : "channels between the same two states cannot be told apart: what they hide is missing");
  states_doc(self, net, root);
}

void record_free(record *self)
{
  names_free(&self->map.from);
  names_free(&self->states);
  names_free(&self->replicas);
  loop_map_free(&self->edge_of);
  mem_free(self->map.class_of);
  mem_free(self->track);
  mem_free(self->at);
  mem_free(self->edge);
  *self = (record){0};
}

ness_status record_seen(const char *path, const ness_analyze_options *options, ness_network **out)
{
  record measured = {0};
  ness_status status = record_open(&measured, path, NULL, 0, options, NULL);
  if (!status) status = record_network(&measured, out);
  record_free(&measured);
  return status;
}
