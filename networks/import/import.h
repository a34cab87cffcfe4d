/* Plain rate matrices in and out.
 *
 * In: a file of rates k_ij (from state i to state j, 1/s) becomes a network of one copy that wanders through the
 * states: a slot a state, a step a pair of states. The two directions of a pair are one reversible step, a pair with
 * one direction is a one-way step, and in lists the k-th i -> j goes with the k-th j -> i. Steps come in the order of
 * rows, then columns, whatever the order of the file. Loops and rates of 0 are passed over. Free energies are those
 * that the reversible steps fix in their order, from the lowest state of each connected part at 0; what other steps say
 * beyond them is undeclared work, so rates in detailed balance are found to be in equilibrium and others to be driven.
 *
 * Out: a chain becomes a generator. Parallel transitions are added up, columns ascend, numbers read back bit for bit.
 */
#ifndef NETWORKS_IMPORT_H
#define NETWORKS_IMPORT_H

#include "engine/base/base.h"
#include "engine/file/read.h"
#include "engine/markov/chain.h"
#include "engine/model/model.h"

/* --- in --- */

typedef struct import_rate {
  double rate; /* 1/s */
  int32_t from, to;
  int32_t line; /* in the file, 0 none */
} import_rate;

typedef struct import_rates {
  int32_t n;         /* states */
  int64_t count;     /* rates */
  import_rate *rate; /* (count) by from, then to, then place in the file */
  int64_t capacity;
  name_table names; /* (n), or none */
  bool matrix;      /* a matrix: its diagonal may be negative, and no entry comes twice */
} import_rates;

/* Whether the name ends like a file of rates: .tra .mtx .npy .csv */
bool import_knows(const char *path);

/* Reads a file, or `content` when it is not NULL (path is then its name, and no .sta is looked for). NESS_MODEL for a
 * file that is wrong, with up to twenty diagnostics; NESS_IO when it cannot be read; NESS_LIMIT beyond 2^28 states or
 * rates. On failure *out is empty. Cost: linear in the file, plus a sort when rows are out of order. */
ness_status import_read(const char *path, const void *content, size_t length, ness_diags *diags, import_rates *out);
void import_rates_free(import_rates *self);

/* The name of a state: its own, or "s3" in `room`. */
const char *import_state_name(const import_rates *self, int32_t state, char room[16]);
/* The state of a name, -1 none. */
int32_t import_state_find(const import_rates *self, const char *name, size_t length);

/* The network, owned by the caller, with the copy in state `start`. NESS_LIMIT beyond what a network can hold. */
ness_status import_network(const import_rates *self, const char *name, int32_t start, ness_diags *diags,
                           ness_network **out);

/* Both. The one setting there is: start=STATE, a name or a number from 0. NESS_USAGE for any other. */
ness_status import_load(const char *path, const void *content, size_t length, const char *const *settings,
                        int32_t nsettings, ness_diags *diags, ness_network **out);

/* --- out --- */

typedef enum export_format { EXPORT_NONE = 0, EXPORT_MTX, EXPORT_TRA, EXPORT_PETSC } export_format;

/* By the end of the name: .mtx .tra .petsc */
export_format export_format_of(const char *path);

typedef struct export_states {
  const char *variables; /* "x,y": what the values of a state are called; NULL: "state" */
  /* Adds the values of a state to the text, "0,3", one for each variable. */
  void (*name)(void *context, int32_t state, text_buffer *out);
  void *context;
} export_states;

/* Writes the generator of a chain, states numbered as they are. MTX: 1-based, with the diagonal. TRA: rates alone, from
 * 0; with `states` (else NULL) a .sta beside it. PETSC: AIJ, big-endian, with the diagonal. A file appears whole or not
 * at all; one that exists is replaced only when `force`; devices and pipes are written as they are. NESS_USAGE for a
 * chain with exits as TRA, which has no place for them, and where a file exists; NESS_IO when writing fails. */
ness_status export_chain(const chain *self, export_format format, const char *path, const export_states *states,
                         bool force, ness_diags *diags);

#endif
