/* Chunks into frames. Owns the table of what a chunk holds at each level, which decode.c, cat and export read too.
 *
 * Invariant: what is packed here passes every check of dump_decode (times ordered and inside the stretch, counts not
 * negative, directions of the network), so a bug of the caller shows when writing and not years later when reading.
 * Cost: see frame.c; no shared state, any number of threads. */
#include "engine/dump/frame.h"
#include <string.h>

#define RAW_TARGET ((int64_t)1 << 20)

#define ANY (1u << DUMP_SUMMARY | 1u << DUMP_FLUX | 1u << DUMP_GRID | 1u << DUMP_EVENTS)
#define FLUX (1u << DUMP_FLUX)
#define GRID (1u << DUMP_GRID)
#define EVENTS (1u << DUMP_EVENTS)
#define ENTRY(name, type, width, rows, optional, levels)                                                               \
  {                                                                                                                    \
#name, offsetof(dump_chunk, name), COLUMN_##type, WIDTH_##width, rows, optional, levels                            \
  }

/* In the order of dump_column. */
const chunk_column chunk_columns[CHUNK_COLUMNS] = {
    ENTRY(n0, I64, SLOT, false, false, ANY),
    ENTRY(fwd, I64, STEP, false, false, ANY),
    ENTRY(bwd, I64, STEP, false, false, ANY),
    ENTRY(dwell, F64, SLOT, false, false, ANY),
    ENTRY(dwell2, F64, SLOT, false, false, ANY),
    ENTRY(row_time, F64, ONE, true, false, FLUX | GRID | EVENTS),
    ENTRY(row_dir, I32, ONE, true, false, EVENTS),
    ENTRY(row_count, I64, SLOT, true, false, FLUX | GRID),
    ENTRY(row_fwd, I64, STEP, true, false, FLUX),
    ENTRY(row_bwd, I64, STEP, true, false, FLUX),
    ENTRY(row_dwell, F64, SLOT, true, false, FLUX),
    ENTRY(row_tape_entropy, F64, ONE, true, true, FLUX),
    ENTRY(ledger, F64, LEDGER, false, true, ANY | CHUNK_LEDGER),
    ENTRY(flow_fwd, F64, STEP, false, true, GRID | CHUNK_FLOWS),
    ENTRY(flow_bwd, F64, STEP, false, true, GRID | CHUNK_FLOWS),
    ENTRY(one_way, F64, STEP, false, true, GRID | CHUNK_FLOWS),
    ENTRY(x0, F64, SLOT, false, true, GRID | CHUNK_FLOWS),
    ENTRY(x1, F64, SLOT, false, true, GRID | CHUNK_FLOWS),
};

int64_t chunk_width_of(const chunk_column *self, const ness_network *net)
{
  switch (self->width) {
  case WIDTH_SLOT: return net->nslot;
  case WIDTH_STEP: return net->nstep;
  case WIDTH_LEDGER: return DUMP_LEDGER_HEAD + (int64_t)network_sources(net);
  default: return 1;
  }
}

const void *chunk_data(const chunk_column *self, const dump_chunk *chunk)
{
  const void *data;
  memcpy(&data, (const char *)chunk + self->member, sizeof data); /* pointers of several types, all alike in memory */
  return data;
}

bool chunk_times_good(const dump_chunk *chunk)
{
  const double *time = chunk->row_time;
  int bad = !(chunk->t0 <= chunk->t1);
  if (!time || chunk->rows == 0) return !bad;
  bad |= !(time[0] >= chunk->t0);
  for (int64_t i = 1; i < chunk->rows; i++) bad |= !(time[i] >= time[i - 1]);
  return !bad && time[chunk->rows - 1] <= chunk->t1;
}

size_t chunk_memory(const ness_network *net, int32_t level, int64_t rows)
{
  size_t sum = 0, n;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *c = &chunk_columns[k];
    if (!(c->levels & 1u << level)) continue;
    if (!size_mul((size_t)(c->rows ? rows : 1), (size_t)chunk_width_of(c, net), &n)) return SIZE_MAX;
    if (!size_mul(n, payload_item_bytes(c->type), &n) || !size_add(sum, n + 16, &sum) || sum > DUMP_RAW_MAX)
      return SIZE_MAX;
  }
  return sum;
}

int64_t dump_chunk_rows(const ness_network *net, int32_t level)
{
  int64_t fixed = 0, row = 0;
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *c = &chunk_columns[k];
    const bool direction = c->type == COLUMN_I32;
    const int64_t value = !direction ? 8 : net->nstep <= 128 ? 1 : net->nstep <= 32768 ? 2 : 4;
    if (!(c->levels & 1u << level) || c->levels & (CHUNK_LEDGER | CHUNK_FLOWS)) continue; /* they find room beside */
    *(c->rows ? &row : &fixed) += value * chunk_width_of(c, net);
  }
  /* Half the target is for rows, however much stands there once. */
  const int64_t room = RAW_TARGET - (fixed < RAW_TARGET / 2 ? fixed : RAW_TARGET / 2);
  const int64_t rows = row > 0 ? room / row : 1;
  return rows > 1 ? rows : 1;
}

/* Directions in the smallest type that holds every direction of the network. */
static bool add_directions(payload *columns, const chunk_column *c, const ness_network *net, const dump_chunk *chunk)
{
  const int32_t *dir = chunk->row_dir;
  int bad = 0;
  for (int64_t i = 0; i < chunk->rows; i++) bad |= dir[i] < 0 || dir[i] >= 2 * net->nstep;
  payload_add(columns, c->name, COLUMN_I32, chunk->rows, 1, dir);
  column *last = &columns->columns[columns->count - 1];
  last->type = net->nstep <= 128 ? COLUMN_U8 : net->nstep <= 32768 ? COLUMN_U16 : COLUMN_I32;
  columns->raw_bytes = last->offset + (size_t)chunk->rows * payload_item_bytes(last->type);
  return !bad;
}

static ness_status add_columns(payload *columns, const ness_network *net, int32_t level, const dump_chunk *chunk)
{
  for (int k = 0; k < CHUNK_COLUMNS; k++) {
    const chunk_column *c = &chunk_columns[k];
    const int64_t rows = c->rows ? chunk->rows : 1, width = chunk_width_of(c, net);
    const void *data = chunk_data(c, chunk);
    bool good = true;
    if (!(c->levels & 1u << level) || (!data && c->optional)) continue;
    if (!data && rows * width > 0) return NESS_INTERNAL;
    if (c->type == COLUMN_I64) good = payload_narrow(columns, c->name, data, rows, width);
    else if (c->type == COLUMN_I32) good = add_directions(columns, c, net, chunk);
    else payload_add(columns, c->name, c->type, rows, width, data);
    if (!good) return NESS_INTERNAL;
  }
  return NESS_OK;
}

ness_status dump_pack(const ness_network *net, int32_t level, const dump_chunk *chunk, void **frame, size_t *bytes)
{
  frame_build build;
  payload columns = {.count = 0};
  *frame = NULL;
  *bytes = 0;
  if (level < DUMP_SUMMARY || level > DUMP_EVENTS) return NESS_USAGE;
  if (chunk->replica < 0 || chunk->index < 0 || chunk->events < 0 || chunk->rows < 0) return NESS_INTERNAL;
  if (level == DUMP_SUMMARY && chunk->rows > 0) return NESS_INTERNAL;
  if (chunk_memory(net, level, chunk->rows) == SIZE_MAX) return NESS_LIMIT;
  if ((chunk->rows > 0 && !chunk->row_time) || !chunk_times_good(chunk)) return NESS_INTERNAL;
  const ness_status status = add_columns(&columns, net, level, chunk);
  if (status) return status;

  frame_begin(&build, "chunk", 11);
  pack_int(&build, "replica", chunk->replica);
  pack_int(&build, "index", chunk->index);
  pack_bool(&build, "last", chunk->last != 0);
  pack_int(&build, "stop", chunk->stop);
  pack_real(&build, "t0", chunk->t0);
  pack_real(&build, "t1", chunk->t1);
  pack_array(&build, "rng", 4);
  for (int i = 0; i < 4; i++) pack_uint(&build, NULL, chunk->rng[i]);
  pack_int(&build, "events", chunk->events);
  pack_real(&build, "counted", chunk->counted);
  pack_real(&build, "tape_entropy", chunk->tape_entropy);
  pack_int(&build, "rows", chunk->rows);
  return frame_end(&build, DUMP_KIND_CHUNK, &columns, frame, bytes);
}
