/* The dump: a file of msgpack values, written once from front to back and readable after a kill at any byte.
 *
 * A frame is three msgpack values: the header map {magic, hash, kind, version, length}, a map, a bin payload.
 * A file is a run frame (model text, network, settings), chunk frames, index frames (one after every 65536 chunks and
 * one at the end) and a footer; index and footer are not needed to read it. docs/dump-format.md has every byte.
 *
 * Writing: append only, one frame a write, frames up to 8 MiB. Reading: length, XXH3-64 and declared counts are checked
 * before anything is allocated. msgpack, zstd and xxhash appear in this room only. */
#ifndef ENGINE_DUMP_H
#define ENGINE_DUMP_H

#include "engine/model/model.h"

typedef enum dump_level { DUMP_SUMMARY = 0, DUMP_FLUX = 1, DUMP_GRID = 2, DUMP_EVENTS = 3 } dump_level;

#define DUMP_VERSION 1                   /* of the format */
#define DUMP_FRAME_MAX ((size_t)8 << 20) /* a frame in the file */
#define DUMP_RAW_MAX ((size_t)64 << 20)  /* the columns of a frame in memory */

/* Everything that makes a run repeatable. Stored in the first frame. Strings are borrowed. */
typedef struct dump_run {
  const char *model_text; /* the model file with includes expanded; may be empty */
  const char *overrides;  /* "V=-60 [mV]; KS=2 [mM]" as given on the command line; may be empty */
  const char *command;    /* how the run was started */
  const char *version;    /* of ness */
  const char *machine;    /* compiler and processor */
  const char *method;     /* of the simulation: "direct", "composition", "jumps", "batch", "tau" */
  int32_t level;          /* dump_level */
  uint64_t seed;
  int64_t replicas;
  int64_t block;  /* replicas that advance together; fixes the order of the frames */
  double time;    /* end time of every replica, s; may be inf when events limits */
  int64_t events; /* limit of events a replica, 0 none */
  double warmup;  /* time before which nothing is counted or recorded, s */
  double window;  /* flux level: length of a window, s */
  double every;   /* grid level: distance of grid times, s */
  double epsilon; /* of an approximate method: relative change of rates within a leap; 0 for exact ones */
  /* of a run that nothing but an input moves continuously, whose chunks have a ledger; NULL none */
  const char *input, *input_kind; /* its name; "sine", "ramp", "ou", ... */
  double input_period;            /* s; 0: it does not come back */
  /* of a run where something flows or answers back, whose chunks have a ledger too: names of the inputs that moved
   * beside, "" none; NULL where nothing flows */
  const char *flows_beside;
} dump_run;

/* Whether chunks of the run have a ledger. */
static inline bool dump_has_ledger(const dump_run *run)
{
  return run->input || run->flows_beside;
}

/* A replica's stretch. Arrays are borrowed by the writer for the call, by the reader's user from frame and buffer both,
 * until either is used again. Row-major: row r of `fwd` starts at r * nstep. Unused columns are NULL. */
typedef struct dump_chunk {
  int64_t replica;
  int64_t index;     /* of this chunk within its replica, from 0 */
  int32_t last;      /* 1 when the replica ends here */
  int32_t stop;      /* ness_stop_reason when last */
  double t0, t1;     /* the stretch covers (t0, t1] */
  const int64_t *n0; /* (nslot) counts at t0 */
  uint64_t rng[4];   /* generator state at t0: the stretch can be replayed or resumed from here */
  int64_t events;    /* number of events in the stretch that were counted */
  /* totals of the stretch, at every level */
  const int64_t *fwd, *bwd; /* (nstep) events of each step by direction */
  const double *dwell;      /* (nslot) integral of n_i dt over the counted stretch, s */
  const double *dwell2;     /* (nslot) integral of n_i^2 dt, s */
  double counted;           /* counted time in the stretch (after warmup), s */
  double tape_entropy;      /* sum over events of steps with a tape of ln(a_fwd/a_bwd), k_B */
  const double *ledger;     /* (DUMP_LEDGER_HEAD + sources) of runs that keep one: what it says below; else NULL */
  /* of runs where something flows, as real numbers what stands above in whole ones; else NULL */
  const double *flow_fwd, *flow_bwd; /* (nstep) events, or integrals of rates where the step flows */
  const double *one_way;             /* (nstep) how many of both ways had no way back at their time */
  const double *x0, *x1;             /* (nslot) counts at t0 and at t1 */
  /* rows: windows (flux), grid times (grid), events (events); none at summary level */
  int64_t rows;
  const double *row_time;           /* (rows) end of the window, grid time, or time of the event */
  const int32_t *row_dir;           /* (rows) events level: the direction that fired */
  const int64_t *row_count;         /* (rows x nslot) counts at row_time: grid, flux */
  const int64_t *row_fwd, *row_bwd; /* (rows x nstep) flux */
  const double *row_dwell;          /* (rows x nslot) flux */
  const double *row_tape_entropy;   /* (rows) flux, only when the network has tapes */
  const void *row_dir_stored;       /* (rows) reading only: row_dir as uint8_t, uint16_t or int32_t */
  int32_t row_dir_bytes;            /* which of them: 1, 2 or 4 */
} dump_chunk;

/* A ledger: entropy given to the medium, without what has no way back, k_B; work of the input and change of energy, kT;
 * then the work of each source of the network, kT. Medium = works - change of energy. */
enum { DUMP_LEDGER_MEDIUM, DUMP_LEDGER_INPUT, DUMP_LEDGER_ENERGY, DUMP_LEDGER_HEAD };

/* The direction at a place of row_dir_stored; where `bytes` is a constant, a loop over rows has no branch for it. */
static inline int32_t dump_stored_dir(const void *stored, int32_t bytes, int64_t row)
{
  if (bytes == 1) return ((const uint8_t *)stored)[row];
  return bytes == 2 ? ((const uint16_t *)stored)[row] : ((const int32_t *)stored)[row];
}

/* The direction of an event, of a chunk whose row_dir_stored was decoded. */
static inline int32_t dump_row_dir(const dump_chunk *chunk, int64_t row)
{
  return dump_stored_dir(chunk->row_dir_stored, chunk->row_dir_bytes, row);
}

/* Columns of a chunk, by the names of their members: what a decode is asked for. */
typedef enum dump_column {
  DUMP_N0 = 1 << 0,
  DUMP_FWD = 1 << 1,
  DUMP_BWD = 1 << 2,
  DUMP_DWELL = 1 << 3,
  DUMP_DWELL2 = 1 << 4,
  DUMP_ROW_TIME = 1 << 5,
  DUMP_ROW_DIR = 1 << 6,
  DUMP_ROW_COUNT = 1 << 7,
  DUMP_ROW_FWD = 1 << 8,
  DUMP_ROW_BWD = 1 << 9,
  DUMP_ROW_DWELL = 1 << 10,
  DUMP_ROW_TAPE_ENTROPY = 1 << 11,
  DUMP_LEDGER = 1 << 12,
  DUMP_FLOW_FWD = 1 << 13,
  DUMP_FLOW_BWD = 1 << 14,
  DUMP_ONE_WAY = 1 << 15,
  DUMP_X0 = 1 << 16,
  DUMP_X1 = 1 << 17,
  DUMP_EVERYTHING = (1 << 18) - 1,
  DUMP_ROW_DIR_STORED = 1 << 18 /* the directions without widening them */
} dump_column;

/* --- writing --- */

typedef struct dump_writer dump_writer;

/* Creates path (refused when it exists unless `overwrite`; devices and pipes exist to be written) and writes the run
 * frame. With path NULL nothing is stored. */
ness_status dump_create(const char *path, bool overwrite, const ness_network *net, const dump_run *run,
                        ness_diags *diags, dump_writer **out);

/* Packs a chunk into one frame in caller-side memory: called by worker threads, touches no file. *frame is owned by the
 * caller (mem_free). Deterministic: the same chunk gives the same bytes. A chunk that does not fit a frame is a
 * NESS_LIMIT: dump_chunk_rows says how many rows do. A chunk that no reader would take back (a negative count, a
 * direction beyond the network, row times that fall or leave [t0, t1], a missing column) is NESS_INTERNAL. */
ness_status dump_pack(const ness_network *net, int32_t level, const dump_chunk *chunk, void **frame, size_t *bytes);

/* Rows that a chunk of this network and level may have, at least 1: raw payload near 1 MiB. */
int64_t dump_chunk_rows(const ness_network *net, int32_t level);

/* Appends packed frames. Errors of the disk come back here, with the path in diags. One thread. */
ness_status dump_append(dump_writer *self, const void *frame, size_t bytes, ness_diags *diags);

/* Index and footer, fsync, close; frees self in every case. complete = 0 marks a run that was stopped and can be
 * resumed. */
ness_status dump_close(dump_writer *self, int complete, ness_diags *diags);
void dump_abandon(dump_writer *self); /* closes without index and footer; takes NULL */

/* Opens a dump for resuming: everything behind the last intact chunk frame is cut off (index, footer, torn tail), and
 * writing goes on there, to the same bytes as if it had never stopped. Damage before that frame is NESS_FORMAT: chunks
 * are missing, and what follows them cannot be trusted to join on. Cost: reads the whole file once. */
ness_status dump_reopen(const char *path, ness_diags *diags, dump_writer **out);

/* --- reading --- */

typedef struct dump_reader dump_reader;

typedef struct dump_frame { /* one frame as it stands in the file; the buffer grows and is reused */
  void *data;
  size_t bytes;
  int64_t capacity;
  int64_t offset; /* in the file */
  int32_t kind;   /* dump_kind */
} dump_frame;

typedef enum dump_kind { DUMP_KIND_RUN = 1, DUMP_KIND_CHUNK = 2, DUMP_KIND_INDEX = 3, DUMP_KIND_FOOTER = 4 } dump_kind;

typedef struct dump_buffer { /* what decoded columns live in; zero-initialise, reuse, free */
  void *block;
  int64_t capacity;
  void *zstd; /* its decompressor */
} dump_buffer;

/* Opens a file (or a pipe) and reads its run frame; dump_next gives the frames behind it. NESS_FORMAT when it is no
 * dump, is of a newer version, or its run frame is damaged. */
ness_status dump_open(const char *path, ness_diags *diags, dump_reader **out);
/* The same over memory, which is borrowed until the reader is freed. */
ness_status dump_open_memory(const void *data, size_t bytes, ness_diags *diags, dump_reader **out);
void dump_reader_free(dump_reader *self);
const ness_network *dump_network(const dump_reader *self); /* borrowed from the reader */
const dump_run *dump_run_of(const dump_reader *self);      /* borrowed from the reader */

/* The next frame, checksum verified. NESS_OK with frame->bytes == 0 at the end of the file. A torn or damaged frame is
 * skipped to the next intact one, counted in dump_damage and named in a warning. A second run frame is NESS_FORMAT: two
 * dumps were joined by cat. One thread at a time; memory for one frame. */
ness_status dump_next(dump_reader *self, dump_frame *frame, ness_diags *diags);
int64_t dump_damage(const dump_reader *self);   /* bytes skipped so far */
int32_t dump_complete(const dump_reader *self); /* 1 after a footer that says complete was read */
void dump_frame_free(dump_frame *self);

/* Unpacks a chunk frame: its scalars and the `wanted` columns (dump_column, or-ed), of those that its level has; the
 * others are NULL. Any thread, each with its own buffer. Every count is checked against the network, and so is the
 * shape of every column; the contents of those that are wanted: directions, signs, the order of times. Cost: that of
 * the wanted columns; a plain one in the type of memory is not copied. */
ness_status dump_decode(const dump_reader *self, const dump_frame *frame, dump_buffer *buffer, unsigned wanted,
                        dump_chunk *out);
void dump_buffer_free(dump_buffer *self);

/* XXH3 of a model text: what tells models apart. */
uint64_t dump_text_hash(const char *text);

/* The public calls on dumps (ness_dump_ls, ness_dump_verify, ...) stand in include/ness/dump.h; this room has them too.
 */

#endif
