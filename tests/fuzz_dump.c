/* Any bytes as a dump: opened from memory, every frame decoded, verified and shown. The first byte chooses: checksums
 * guard a frame's contents from mutations, so unless bit 0 is set they are made right again before reading; unless bit
 * 1 is set the results are shown as well; with bit 4 the bytes stand behind a sound run frame of the level in bits 2
 * and 3. */
#include "dump_sample.h"
#include "engine/dump/frame.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int swallow(void *context, const char *data, size_t bytes)
{
  size_t *sum = context;
  for (size_t i = 0; i < bytes; i++) *sum += (unsigned char)data[i];
  return 0;
}

/* Headers with lengths and checksums that hold, wherever a mark stands. */
static void mend(unsigned char *bytes, size_t size)
{
  for (size_t at = 0; at + FRAME_HEADER <= size; at++) {
    unsigned char *frame = bytes + at;
    if (memcmp(frame, frame_mark, FRAME_MARK) != 0) continue;
    frame_head head;
    if (!frame_head_read(frame, &head)) continue;
    const size_t room = size - at - FRAME_HEADER;
    const size_t length = head.length < room ? head.length : room;
    for (int i = 0; i < 4; i++) frame[54 + i] = (unsigned char)(length >> 8 * (3 - i));
    const uint64_t hash = frame_hash(frame, FRAME_HEADER + length);
    for (int i = 0; i < 8; i++) frame[23 + i] = (unsigned char)(hash >> 8 * (7 - i));
    at += FRAME_HEADER - 1 + length;
  }
}

static void touch(const dump_chunk *chunk, const ness_network *net)
{
  volatile double sum = 0;
  for (int32_t i = 0; i < net->nslot; i++) sum = sum + chunk->dwell[i] + chunk->dwell2[i] + (double)chunk->n0[i];
  for (int32_t s = 0; s < net->nstep; s++) sum = sum + (double)chunk->fwd[s] + (double)chunk->bwd[s];
  for (int64_t r = 0; r < chunk->rows; r++) sum = sum + chunk->row_time[r] + (chunk->row_dir ? chunk->row_dir[r] : 0);
  for (int64_t i = 0; chunk->row_count && i < chunk->rows * net->nslot; i++) sum = sum + (double)chunk->row_count[i];
}

/* A part of the columns is there whenever all are, and no others. */
static void decode_part(const dump_reader *reader, const dump_frame *frame, dump_buffer *buffer, bool whole)
{
  dump_chunk chunk;
  volatile int64_t sum = 0;
  const unsigned wanted = ((const unsigned char *)frame->data)[frame->bytes - 1] * 32u;
  const ness_status status = dump_decode(reader, frame, buffer, wanted | DUMP_ROW_DIR_STORED, &chunk);
  if (whole && status) abort();
  if (status) return;
  if (!(wanted & DUMP_ROW_TIME) == (chunk.row_time != NULL) && dump_run_of(reader)->level) abort();
  if (chunk.n0 || (chunk.row_dir && !(wanted & DUMP_ROW_DIR))) abort();
  for (int64_t i = 0; chunk.row_dir_stored && i < chunk.rows * chunk.row_dir_bytes; i++)
    sum = sum + ((const unsigned char *)chunk.row_dir_stored)[i];
  for (int64_t i = 0; chunk.row_time && i < chunk.rows; i++) sum = sum + (chunk.row_time[i] > 0);
}

static void decode_all(const unsigned char *bytes, size_t size)
{
  dump_reader *reader;
  dump_frame frame = {0};
  dump_buffer buffer = {0};
  dump_chunk chunk;
  if (dump_open_memory(bytes, size, NULL, &reader)) return;
  while (!dump_next(reader, &frame, NULL) && frame.bytes > 0) {
    if (frame.kind != DUMP_KIND_CHUNK) continue;
    ness_status status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk);
    decode_part(reader, &frame, &buffer, !status);
    if (!status) status = dump_decode(reader, &frame, &buffer, DUMP_EVERYTHING, &chunk);
    if (status) continue;
    touch(&chunk, dump_network(reader));
    void *again = NULL;
    size_t length;
    if (dump_pack(dump_network(reader), dump_run_of(reader)->level, &chunk, &again, &length) == NESS_INTERNAL)
      abort(); /* what was read can be written */
    mem_free(again);
  }
  dump_frame_free(&frame);
  dump_buffer_free(&buffer);
  dump_reader_free(reader);
}

static void show_all(const unsigned char *bytes, size_t size)
{
  dump_reader *reader;
  size_t sum = 0;
  ness_diags *diags = ness_diags_create();
  if (!dump_open_memory(bytes, size, diags, &reader)) {
    reader_cat(reader, true, swallow, &sum, diags);
    dump_reader_free(reader);
  }
  ness_doc *doc = ness_diags_count(diags, NULL) ? NULL : doc_create("fuzz");
  if (doc && !dump_open_memory(bytes, size, diags, &reader)) {
    reader_verify(reader, diags, doc);
    dump_reader_free(reader);
  }
  ness_doc_free(doc);
  ness_diags_free(diags);
}

static const void *sound_run(int32_t level, size_t *bytes)
{
  static void *frames[4];
  static size_t sizes[4];
  if (!frames[level]) {
    ness_network *net = sample_network(2);
    const dump_run run = sample_run(level);
    if (run_pack(net, &run, NULL, &frames[level], &sizes[level])) abort();
    network_free(net);
  }
  *bytes = sizes[level];
  return frames[level];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  size_t before = 0;
  if (size == 0) return 0;
  const void *run = data[0] & 16 ? sound_run(data[0] >> 2 & 3, &before) : NULL;
  const size_t whole = before + size - 1;
  unsigned char *bytes = malloc(whole + (whole == 0));
  if (!bytes) return 0;
  if (run) memcpy(bytes, run, before);
  memcpy(bytes + before, data + 1, size - 1);
  if (!(data[0] & 1)) mend(bytes + before, size - 1);
  decode_all(bytes, whole);
  if (!(data[0] & 2)) show_all(bytes, whole);
  free(bytes);
  return 0;
}
