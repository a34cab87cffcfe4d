/* Measured sequences of states: a plain file becomes what a dump of level events is, a network and chunks of jumps.
 *
 * A record is rows (time, state), (dwell, state) or states alone at equal steps, of one replica or of several. A row of
 * (time, state) enters its state, and the last row of a replica is the end of its record; a row of (dwell, state) stays
 * so long, and the end of the last one is the end of the record. The same state again is no jump. Where a state or a
 * time is missing the record is cut: what came before ends there and what follows begins anew. Each replica's clock
 * starts at 0. The file is read twice: a survey of states, transitions and lengths, then the jumps.
 * Memory: the tables of states, transitions and replicas, and a window of the file. */
#ifndef ANALYSIS_RECORD_RECORD_H
#define ANALYSIS_RECORD_RECORD_H

#include "analysis/analysis.h"
#include "analysis/loops_inside.h"
#include "analysis/record/seen.h"
#include "engine/file/read.h"

#define RECORD_STATES 65536 /* more are no states but measurements */
#define RECORD_EDGES (INT32_C(1) << 22)
#define RECORD_COLUMNS 64
#define RECORD_SHORT 64

typedef enum record_form { RECORD_TIMES, RECORD_DWELLS, RECORD_STEPS } record_form;

typedef struct record_layout {
  record_form form;
  double step;                    /* RECORD_STEPS: between rows */
  int32_t columns;                /* cells of a row */
  int32_t number, state, replica; /* columns from 0; -1: none */
  char comma;
  int32_t header; /* line of the header, 0: none */
  bool npy;
  npy_head head; /* of a .npy */
} record_layout;

typedef struct record_rows { /* rows of a block, columns side by side */
  int64_t count, number_room, state_room, replica_room, line_room;
  double *number; /* time or dwell; NaN: missing */
  int32_t *state; /* -1: missing */
  int32_t *replica;
  int32_t *line;                    /* in the file; rows of a .npy count from 0 */
  name_table states, replicas;      /* texts of the block, which ids mean until they are made those of the record */
  uint64_t short_key[RECORD_SHORT]; /* names of up to 8 bytes, found by those; 0: none */
  int32_t short_id[RECORD_SHORT];
  loop_map state_of, replica_of; /* .npy: bits of a number -> id */
  int64_t cut;                   /* the last line is incomplete and was left out */
} record_rows;

typedef struct record_map { /* many to one */
  name_table from, to;
  int32_t *class_of; /* (from.count) */
  int64_t room;
} record_map;

typedef struct record_track { /* where a replica stands */
  double first;               /* time of the first row as the file has it */
  double last, rest;          /* clock, s; rest: what its rounding left */
  int64_t rows, total;        /* read so far; in the file, once it was surveyed */
  int64_t chunk;              /* number of the next one */
  int32_t state;              /* -1: not begun, or cut */
} record_track;

typedef enum record_move {
  RECORD_SAME,
  RECORD_BEGIN,
  RECORD_JUMP,
  RECORD_CUT,
  RECORD_TIE,
  RECORD_BACK,
  RECORD_BAD
} record_move;

typedef struct record_edge {
  int64_t count;
  int32_t from, to;
} record_edge;

typedef struct record_state {
  double dwell;          /* s */
  int64_t entered, left; /* jumps */
} record_state;

typedef struct record {
  const char *path;
  const void *content; /* NULL: read from the file */
  size_t length;
  int64_t size; /* bytes */
  ness_diags *diags;
  int32_t threads;
  ness_progress progress;
  void *context;
  double clock_start, clock_last;
  record_layout layout;
  record_map map;
  name_table states, replicas; /* states by their names in the file, or those of the map */
  /* the survey */
  record_track *track; /* (replicas.count) */
  record_state *at;    /* (states.count) */
  record_edge *edge;   /* (edges) */
  loop_map edge_of;    /* from, to -> edge, later -> direction of the network */
  int64_t edges, edge_room, at_room, track_room;
  int64_t rows, gaps, ties, first_tie, zero;
  double longest; /* s */
  bool sampled;   /* rows at equal steps */
  double step;    /* s, of these */
  double tick;    /* s: times are whole numbers of it, as far as can be told; 0: none */
  bool hidden;    /* states were put together by a map */
} record;

typedef ness_status (*record_visit)(void *context, const record_rows *rows);

/* layout.c: what the columns are, from options, the header, or the first rows; a reason in diags when nobody can tell.
 */
ness_status record_layout_find(record *self, const ness_analyze_options *options);
/* "time in column 1, state in column 2" */
void record_layout_text(const record *self, text_buffer *out);

/* rows.c: the rows of a block. `line`: of its first line. Any thread. NESS_FORMAT: read again with diags for messages.
 */
ness_status record_rows_text(const record *self, const char *block, size_t length, int64_t line, bool last,
                             ness_diags *diags, record_rows *out);
ness_status record_rows_npy(const record *self, const unsigned char *block, int64_t first, int64_t count,
                            record_rows *out);
void record_rows_free(record_rows *self);

/* scan.c: every block in the order of the file, parsed in parallel, visited by one thread with the record's ids. */
ness_status record_scan(record *self, int32_t pass, record_visit visit, void *context);

/* tick.c: of a sample of times (differences) or dwell times; `single`: they were single precision. 0: none. */
double record_tick(const double *number, int64_t count, bool single, bool differences);

/* survey.c */
ness_status record_map_read(record *self, const char *map);
record_move record_track_row(record_track *self, const record_layout *layout, double number, int32_t state,
                             int32_t *from);
ness_status record_survey(record *self);
/* What is odd about the states: said once, in diags. */
void record_remarks(const record *self);

/* network.c: states and transitions seen, one molecule; afterwards edge_of gives directions. */
ness_status record_network(record *self, ness_network **out);

/* chunks.c: the second reading, into the sums of the analysis. */
ness_status record_stream(record *self, const tally_plan *plan, loops *loop, memory_counts *past, waits *waited,
                          counting *counted, stream_sums *out);

/* record.c */
ness_status record_open(record *self, const char *path, const void *content, size_t length,
                        const ness_analyze_options *options, ness_diags *diags);
void record_run(const record *self, dump_run *out);
void record_doc(const record *self, const ness_network *net, doc_node *root);
void record_free(record *self);

#endif
