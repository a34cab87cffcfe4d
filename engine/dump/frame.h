/* Inside the room: the header of a frame, the column table, and the bounded cursor that reads msgpack.
 *
 * A frame is three msgpack values: the header map of FRAME_HEADER bytes, a map, a bin. Its layout is fixed to the byte,
 * so that a reader finds frames by their first FRAME_MARK bytes; the hash covers every byte behind itself. */
#ifndef ENGINE_DUMP_FRAME_H
#define ENGINE_DUMP_FRAME_H

#include "engine/dump/dump.h"
#include <msgpack/pack.h>
#include <ness/dump.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error                                                                                                                 \
    "columns are little-endian and are used as they are: this machine needs byte swaps in payload_write and column_raw"
#endif

#define FRAME_HEADER ((size_t)58) /* bytes of the header map */
#define FRAME_MARK ((size_t)17)   /* bytes that are the same in every header: what a reader scans for */
#define FRAME_HASHED ((size_t)31) /* the hash covers the frame from here to its end */
#define COLUMNS_MAX 96
#define DTYPE_BYTES 4

/* --- frame.c: headers, building and splitting frames --- */

typedef struct frame_head {
  int32_t kind, version;
  size_t length; /* bytes behind the header */
  uint64_t hash;
} frame_head;

extern const unsigned char frame_mark[FRAME_MARK];
bool frame_head_read(const unsigned char *bytes, frame_head *out); /* false: not a header to the byte */
uint64_t frame_hash(const void *frame, size_t bytes);
const char *dump_kind_name(int32_t kind);
const char *dump_level_name(int32_t level);

typedef enum column_type { COLUMN_U8, COLUMN_U16, COLUMN_I32, COLUMN_I64, COLUMN_F64 } column_type;

typedef struct column { /* rows x width values, row-major */
  const char *name;     /* zero-terminated when writing; name_length bytes when read */
  size_t name_length;
  column_type source; /* type in memory (writing) */
  column_type type;   /* type in the file */
  int64_t rows, width;
  size_t offset;    /* among the raw columns in memory, a multiple of 8 */
  size_t block;     /* in the payload as stored, a multiple of 8 */
  size_t stored;    /* bytes there */
  bool zstd;        /* compressed there, else as in memory */
  const void *data; /* writing: where it comes from */
} column;

typedef struct payload {
  column columns[COLUMNS_MAX];
  int32_t count;
  size_t raw_bytes; /* of all columns in memory */
} payload;

size_t payload_item_bytes(column_type type);
size_t column_bytes(const column *self); /* in memory; no overflow once it was added or read */
/* Adds a column in the type it has in memory; payload_narrow takes counts (never negative) and stores the smallest type
 * that holds them, false when one is negative. Sizes are the caller's to keep below DUMP_RAW_MAX. */
void payload_add(payload *self, const char *name, column_type type, int64_t rows, int64_t width, const void *data);
bool payload_narrow(payload *self, const char *name, const int64_t *data, int64_t rows, int64_t width);

/* A frame under construction: begin, pack `fields` pairs into packer, end. */
typedef struct frame_build {
  text_buffer out;
  msgpack_packer packer;
} frame_build;

void frame_begin(frame_build *self, const char *name, uint32_t fields);
/* Compresses columns, packs their table and the payload, patches the header. *frame is owned by the caller. NESS_LIMIT
 * when it is larger than DUMP_FRAME_MAX. Frees what self holds in every case. */
ness_status frame_end(frame_build *self, int32_t kind, payload *columns, void **frame, size_t *bytes);

bool frame_text_is_utf8(const char *text, size_t length);
void pack_key(frame_build *self, const char *key);
void pack_text(frame_build *self, const char *key, const char *value); /* key NULL: an element of an array */
void pack_int(frame_build *self, const char *key, int64_t value);
void pack_uint(frame_build *self, const char *key, uint64_t value);
void pack_real(frame_build *self, const char *key, double value);
void pack_bool(frame_build *self, const char *key, bool value);
void pack_nil(frame_build *self, const char *key);
void pack_map(frame_build *self, const char *key, size_t pairs);
void pack_array(frame_build *self, const char *key, size_t elements);

/* --- cursor.c: msgpack within known bounds; the first wrong byte sets bad and every call after it returns zero --- */

typedef struct cursor {
  const unsigned char *at, *end;
  bool bad;
} cursor;

uint32_t cursor_map(cursor *self);                     /* pairs; no more than the bytes left can hold */
uint32_t cursor_array(cursor *self);                   /* elements, likewise */
const char *cursor_text(cursor *self, size_t *length); /* str or bin, borrowed, not terminated */
bool cursor_is(const char *text, size_t length, const char *word);
int64_t cursor_int(cursor *self);
uint64_t cursor_uint(cursor *self);
double cursor_real(cursor *self);
bool cursor_bool(cursor *self);
bool cursor_nil(cursor *self);  /* takes a nil and says so, else leaves the value alone */
void cursor_skip(cursor *self); /* one value with all that it holds, without recursion */

/* --- decode.c: columns out of frames --- */

typedef struct frame_body { /* a verified frame taken apart */
  cursor map;
  const unsigned char *payload; /* as stored */
  size_t payload_bytes;
  payload columns;
} frame_body;

/* Finds map and payload and reads the column table; every block lies within the payload and holds as much as its shape
 * asks, and all columns together fit DUMP_RAW_MAX. */
ness_status frame_split(const void *frame, size_t bytes, frame_body *out);
/* All columns into `raw` (columns.raw_bytes), each at its offset, decompressed where needed. */
ness_status frame_payload(const frame_body *self, void *raw);
const column *payload_find(const payload *self, const char *name);

/* The scalars of a chunk frame; columns stay NULL. */
ness_status chunk_scalars(const frame_body *body, dump_chunk *out);

/* What a chunk holds, one row a column: pack.c writes it, decode.c reads it, cat and export show it. */
typedef enum chunk_width { WIDTH_ONE, WIDTH_SLOT, WIDTH_STEP, WIDTH_LEDGER } chunk_width;
typedef struct chunk_column {
  const char *name;
  size_t member; /* offset of its pointer in dump_chunk */
  column_type type;
  chunk_width width;
  bool rows; /* one line a row of the chunk, else one line */
  bool optional;
  unsigned levels; /* bit l: present at level l */
} chunk_column;
#define CHUNK_COLUMNS 18
#define CHUNK_LEDGER (1u << 31) /* of levels: in runs with a ledger alone (dump_has_ledger), */
#define CHUNK_FLOWS (1u << 30)  /* in those where something flows alone */
extern const chunk_column chunk_columns[CHUNK_COLUMNS];
int64_t chunk_width_of(const chunk_column *self, const ness_network *net);
const void *chunk_data(const chunk_column *self, const dump_chunk *chunk);
/* Times ordered and inside the stretch, numbers in range: what pack promises and decode demands. */
bool chunk_times_good(const dump_chunk *chunk);
/* Bytes of all columns in memory for this many rows; SIZE_MAX beyond DUMP_RAW_MAX. */
size_t chunk_memory(const ness_network *net, int32_t level, int64_t rows);

/* --- run_write.c, run_read.c: the run frame --- */

ness_status run_pack(const ness_network *net, const dump_run *run, ness_diags *diags, void **frame, size_t *bytes);
/* Strings of the run are copied into `strings`; *net is the caller's even when the call fails. */
ness_status run_unpack(const void *frame, size_t bytes, arena *strings, dump_run *run, ness_network **net,
                       ness_diags *diags);

/* --- writer.c --- */

#define INDEX_ENTRIES 65536 /* chunks that one index frame covers */

typedef struct index_entry {
  int64_t offset, replica, index;
  double t0, t1;
  int64_t last;
} index_entry;

ness_status dump_io_error(ness_diags *diags, const char *doing, const char *path, int error); /* NESS_IO */
ness_status dump_file_write(int fd, const char *path, const void *data, size_t bytes, ness_diags *diags);
int dump_file_create(const char *path, bool overwrite, bool *created, ness_diags *diags); /* a descriptor or -1 */
/* A writer that begins with the given run frame, taken over as it is. */
ness_status writer_begin(const char *path, bool overwrite, const void *frame, size_t bytes, ness_diags *diags,
                         dump_writer **out);
int64_t writer_offset(const dump_writer *self);

/* --- reader.c --- */

typedef struct dump_stretch { /* bytes that belong to no intact frame */
  int64_t offset, bytes;
  const char *why;
} dump_stretch;
#define STRETCHES_KEPT 64

const dump_stretch *reader_stretches(const dump_reader *self, int32_t *count); /* the first STRETCHES_KEPT */
const dump_frame *reader_run_frame(const dump_reader *self);
const char *reader_path(const dump_reader *self);

/* --- track.c: where each replica stands; about 100 bytes a replica --- */

typedef struct track_entry {
  int64_t replica, next; /* replica + 1, 0 free; index of the chunk that comes next */
  double t1;
  int32_t owner, last;
} track_entry;

typedef struct track {
  track_entry *table;
  int64_t capacity, replicas, finished;
} track;

/* NULL when out of memory; a new entry has next == 0. */
track_entry *dump_track_find(track *self, int64_t replica, int32_t owner);
/* Follows a chunk; *problem is NULL or says what does not fit. */
ness_status dump_track_chunk(track *self, const dump_chunk *chunk, int32_t owner, const char **problem);
void dump_track_free(track *self);

/* --- tools.c, verify.c, cat.c --- */

typedef struct totals {
  int64_t frames, chunks, events, rows, finished, bytes;
} totals;

void tool_total_chunk(totals *self, const dump_chunk *chunk);
void tool_describe_totals(doc_node *root, const totals *sum);
void tool_describe_run(doc_node *root, const dump_reader *reader);
ness_dump_options tool_options(const ness_dump_options *given); /* defaults where the caller is silent */
bool tool_same_file(const char *a, const char *b);
ness_status tool_hand_over(ness_doc *tree, ness_status status, ness_doc **doc);
ness_status reader_verify(dump_reader *reader, ness_diags *diags, ness_doc *doc);
ness_status reader_cat(dump_reader *reader, bool rows, ness_dump_write write, void *context, ness_diags *diags);

/* --- export_csv.c, export_npz.c --- */

typedef struct export_sums {
  int64_t chunks, rows;
} export_sums;

/* The next chunk that decodes; NESS_OK with frame->bytes == 0 at the end. Others are named in a warning. */
ness_status dump_export_next(dump_reader *reader, dump_frame *frame, dump_buffer *buffer, dump_chunk *chunk,
                             ness_diags *diags);
ness_status dump_export_csv(dump_reader *reader, int fd, const char *path, ness_diags *diags, export_sums *sums);
/* `sums` says what the first pass over the same file found. */
ness_status dump_export_npz(dump_reader *reader, const export_sums *sums, int fd, const char *path, ness_diags *diags);
extern const char *const dump_conventions[][2];
extern const int32_t dump_conventions_count;

#endif
