/* ls, repair and merge, and what all tools share.
 *
 * Invariant: inputs are only read; an output that is the input by another name is refused. A file that fails half-way
 * keeps what it holds, without a footer. Memory: a frame, the pending index, about 100 bytes a replica. */
#include "engine/dump/frame.h"
#include <string.h>
#include <sys/stat.h>

#define LS_LIMIT 1000

bool tool_same_file(const char *a, const char *b)
{
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

ness_dump_options tool_options(const ness_dump_options *given)
{
  ness_dump_options options = {.struct_size = sizeof options};
  if (given && given->struct_size > 0)
    memcpy(&options, given, given->struct_size < sizeof options ? given->struct_size : sizeof options);
  return options;
}

/* Ends a call: the finished tree to the caller, or nothing. A tree that stays is kept even when `status` is
 * NESS_FORMAT. */
ness_status tool_hand_over(ness_doc *tree, ness_status status, ness_doc **doc)
{
  const bool keep = tree && (!status || status == NESS_FORMAT);
  if (keep && doc_finish(tree)) status = NESS_NOMEM;
  if (keep && doc && status != NESS_NOMEM) *doc = tree;
  else ness_doc_free(tree);
  return status;
}

/* The settings of the run under the root. */
void tool_describe_run(doc_node *root, const dump_reader *reader)
{
  const dump_run *run = dump_run_of(reader);
  doc_string(root, "path", "%s", reader_path(reader));
  doc_string(root, "model", "%s", dump_network(reader)->model_name);
  doc_string(root, "model_hash", "%016llx", (unsigned long long)dump_text_hash(run->model_text));
  doc_string(root, "overrides", "%s", run->overrides);
  doc_string(root, "level", "%s", dump_level_name(run->level));
  doc_string(root, "method", "%s", run->method);
  if (run->epsilon > 0) doc_number(root, "epsilon", run->epsilon); /* exact methods have none */
  doc_string(root, "seed", "%llu", (unsigned long long)run->seed); /* 64 bits do not fit a JSON number */
  doc_int(root, "replicas", run->replicas);
  doc_number(root, "time", run->time);
  doc_string(root, "version", "%s", run->version);
  doc_string(root, "command", "%s", run->command);
}

void tool_total_chunk(totals *self, const dump_chunk *chunk)
{
  self->chunks++;
  self->events += chunk->events;
  self->rows += chunk->rows;
  self->finished += chunk->last;
}

void tool_describe_totals(doc_node *root, const totals *sum)
{
  doc_node *node = doc_object(root, "totals");
  doc_int(node, "frames", sum->frames);
  doc_int(node, "bytes", sum->bytes);
  doc_int(node, "chunks", sum->chunks);
  doc_int(node, "events", sum->events);
  doc_int(node, "rows", sum->rows);
  doc_int(node, "replicas_finished", sum->finished);
}

/* --- ls --- */

static void list_frame(doc_node *list, const dump_frame *frame, const dump_chunk *chunk)
{
  doc_node *row = doc_object(list, NULL);
  doc_int(row, "offset", frame->offset);
  doc_string(row, "kind", "%s", dump_kind_name(frame->kind));
  doc_int(row, "bytes", (int64_t)frame->bytes);
  if (!chunk) return;
  doc_int(row, "replica", chunk->replica);
  doc_int(row, "index", chunk->index);
  doc_number(row, "t0", chunk->t0);
  doc_number(row, "t1", chunk->t1);
  doc_int(row, "events", chunk->events);
  doc_int(row, "rows", chunk->rows);
  doc_bool(row, "last", chunk->last != 0);
}

ness_status ness_dump_ls(const char *path, const ness_dump_options *given, ness_diags *diags, ness_doc **doc)
{
  const ness_dump_options options = tool_options(given);
  const int64_t limit = options.limit > 0 ? options.limit : LS_LIMIT;
  dump_reader *reader = NULL;
  ness_doc *tree = NULL;
  dump_frame frame = {0};
  totals sum = {.frames = 1};
  if (doc) *doc = NULL;
  if (!path) return NESS_USAGE;
  ness_status status = dump_open(path, diags, &reader);
  if (status) goto out;
  status = NESS_NOMEM;
  if (!(tree = doc_create("dump.ls"))) goto out;
  tool_describe_run(doc_root(tree), reader);
  doc_node *list = doc_array(doc_root(tree), "frames");
  list_frame(list, reader_run_frame(reader), NULL);
  sum.bytes = (int64_t)reader_run_frame(reader)->bytes;
  while (!(status = dump_next(reader, &frame, diags)) && frame.bytes > 0) {
    frame_body body;
    dump_chunk chunk;
    const bool good =
        frame.kind == DUMP_KIND_CHUNK && !frame_split(frame.data, frame.bytes, &body) && !chunk_scalars(&body, &chunk);
    if (good) tool_total_chunk(&sum, &chunk);
    if (sum.frames++ < limit) list_frame(list, &frame, good ? &chunk : NULL);
    sum.bytes += (int64_t)frame.bytes;
  }
  doc_bool(doc_root(tree), "complete", dump_complete(reader));
  doc_int(doc_root(tree), "damaged_bytes", dump_damage(reader));
  tool_describe_totals(doc_root(tree), &sum);
out:
  dump_frame_free(&frame);
  dump_reader_free(reader);
  return tool_hand_over(tree, status, doc);
}

/* --- repair and merge: intact chunks into a new file --- */

static ness_status refuse_same(const char *in, const char *out, ness_diags *diags)
{
  if (!in || !out) return NESS_USAGE;
  if (!tool_same_file(in, out)) return NESS_OK;
  if (diags) diag_add(diags, NESS_ERROR, "'%s' is input and output at once", out);
  return NESS_USAGE;
}

typedef struct copy {
  dump_writer *writer;
  track replicas;
  totals sum;
  int64_t left_out, damage;
  bool whole; /* every chunk followed the one before it */
} copy;

/* All chunks of a reader; those that do not decode are left out. `strict`: a replica seen in another input is an error.
 */
static ness_status copy_chunks(copy *self, dump_reader *reader, int32_t owner, bool strict, ness_diags *diags)
{
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  ness_status status;
  while (!(status = dump_next(reader, &frame, diags)) && frame.bytes > 0) {
    dump_chunk chunk;
    const char *what = NULL;
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk);
    if (status == NESS_FORMAT) {
      self->left_out++;
      continue;
    }
    if (status) break;
    const track_entry *e = dump_track_find(&self->replicas, chunk.replica, owner);
    if (!e) {
      status = NESS_NOMEM;
      break;
    }
    if (strict && e->owner != owner) {
      status = NESS_USAGE;
      if (diags)
        diag_add(diags, NESS_ERROR, "replica %lld of %s is in another of the files too", (long long)chunk.replica,
                 reader_path(reader));
      break;
    }
    if ((status = dump_track_chunk(&self->replicas, &chunk, owner, &what))) break;
    self->whole = self->whole && !what;
    if ((status = dump_append(self->writer, frame.data, frame.bytes, diags))) break;
    tool_total_chunk(&self->sum, &chunk);
  }
  self->damage += dump_damage(reader);
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  return status;
}

static ness_status finish_copy(copy *self, const dump_run *run, ness_status status, ness_diags *diags, doc_node *root)
{
  const bool complete = self->whole && self->replicas.finished == run->replicas;
  if (status) {
    dump_abandon(self->writer);
  } else {
    self->sum.bytes = writer_offset(self->writer);
    status = dump_close(self->writer, complete, diags);
  }
  dump_track_free(&self->replicas);
  doc_bool(root, "complete", complete);
  doc_int(root, "damaged_bytes", self->damage);
  doc_int(root, "chunks_left_out", self->left_out);
  tool_describe_totals(root, &self->sum);
  return status;
}

ness_status ness_dump_repair(const char *in, const char *out, const ness_dump_options *given, ness_diags *diags,
                             ness_doc **doc)
{
  const ness_dump_options options = tool_options(given);
  dump_reader *reader = NULL;
  ness_doc *tree = NULL;
  copy self = {.whole = true};
  if (doc) *doc = NULL;
  ness_status status = refuse_same(in, out, diags);
  if (!status) status = dump_open(in, diags, &reader);
  if (!status && !(tree = doc_create("dump.repair"))) status = NESS_NOMEM;
  if (status) goto out;
  const dump_frame *first = reader_run_frame(reader);
  status = writer_begin(out, options.overwrite != 0, first->data, first->bytes, diags, &self.writer);
  if (status) goto out;
  tool_describe_run(doc_root(tree), reader);
  doc_string(doc_root(tree), "output", "%s", out);
  status = copy_chunks(&self, reader, 0, false, diags);
  status = finish_copy(&self, dump_run_of(reader), status, diags, doc_root(tree));
out:
  dump_reader_free(reader);
  return tool_hand_over(tree, status, doc);
}

/* What differs between two runs that ought to be parts of one, or NULL. */
static const char *difference(const dump_reader *x, const dump_reader *y)
{
  const dump_run *a = dump_run_of(x), *b = dump_run_of(y);
  if (strcmp(a->model_text, b->model_text) != 0) return "the model";
  if (strcmp(a->overrides, b->overrides) != 0) return "the overrides";
  if (strcmp(a->method, b->method) != 0 || a->epsilon != b->epsilon) return "the method";
  if (a->level != b->level) return "the level";
  if (a->seed != b->seed) return "the seed";
  if (a->replicas != b->replicas) return "the number of replicas";
  if (a->time != b->time || a->events != b->events) return "the end";
  if (a->warmup != b->warmup) return "the warmup";
  if (a->window != b->window || a->every != b->every) return "the window or grid";
  frame_body f, g;
  const dump_frame *u = reader_run_frame(x), *v = reader_run_frame(y);
  const bool same = !frame_split(u->data, u->bytes, &f) && !frame_split(v->data, v->bytes, &g) &&
                    f.payload_bytes == g.payload_bytes && memcmp(f.payload, g.payload, f.payload_bytes) == 0;
  return same ? NULL : "the compiled network";
}

ness_status ness_dump_merge(int32_t count, const char *const *in, const char *out, const ness_dump_options *given,
                            ness_diags *diags, ness_doc **doc)
{
  const ness_dump_options options = tool_options(given);
  dump_reader *first = NULL, *reader = NULL;
  ness_doc *tree = NULL;
  copy self = {.whole = true};
  if (doc) *doc = NULL;
  if (count < 1 || !in || !out) return NESS_USAGE;
  ness_status status = NESS_OK;

  /* all inputs are held against the first before anything is written */
  for (int32_t i = 0; i < count && !status; i++) {
    status = refuse_same(in[i], out, diags);
    if (!status) status = dump_open(in[i], diags, i ? &reader : &first);
    const char *what = i && !status ? difference(first, reader) : NULL;
    dump_reader_free(reader);
    reader = NULL;
    if (!what) continue;
    status = NESS_USAGE;
    if (diags) diag_add(diags, NESS_ERROR, "%s and %s are not parts of one run: %s differs", in[0], in[i], what);
  }
  if (!status && !(tree = doc_create("dump.merge"))) status = NESS_NOMEM;
  if (status) goto out;
  const dump_frame *head = reader_run_frame(first);
  status = writer_begin(out, options.overwrite != 0, head->data, head->bytes, diags, &self.writer);
  if (status) goto out;
  tool_describe_run(doc_root(tree), first);
  doc_string(doc_root(tree), "output", "%s", out);
  for (int32_t i = 0; i < count && !status; i++) {
    status = dump_open(in[i], diags, &reader);
    if (!status) status = copy_chunks(&self, reader, i, true, diags);
    dump_reader_free(reader);
    reader = NULL;
  }
  status = finish_copy(&self, dump_run_of(first), status, diags, doc_root(tree));
out:
  dump_reader_free(first);
  return tool_hand_over(tree, status, doc);
}
