/* Dumps: the files that simulations write. Every call reads its input from front to back in memory for one frame (and
 * about 100 bytes a replica where replicas are followed), never changes it, and passes over damage, which it names in a
 * warning. docs/dump-format.md describes the file byte by byte. Any thread; each call stands for itself. */
#ifndef NESS_DUMP_H
#define NESS_DUMP_H

#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/export.h>
#include <ness/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ness_dump_options {
  size_t struct_size; /* sizeof(ness_dump_options) */
  int32_t overwrite;  /* 1: replace an existing output file */
  int32_t rows;       /* 1: ness_dump_cat shows rows (events, grid times, windows) too */
  int64_t limit;      /* frames that ness_dump_ls lists; 0: 1000. Totals always cover the whole file */
  const char *format; /* ness_dump_export: "csv", "npz"; NULL: by the end of the output's name */
} ness_dump_options;

/* Takes `bytes` bytes of output; a return other than 0 ends the call with NESS_IO. */
typedef int (*ness_dump_write)(void *context, const char *data, size_t bytes);

/* In all calls below `options` may be NULL for the defaults; `diags` may be NULL; *doc, unless `doc` is NULL, is the
 * caller's to free (ness_doc_free). NESS_IO: the disk; NESS_FORMAT: not a dump, of a newer version, or without the run
 * frame that says how to read it. */

/* The frames as a table (offset, kind, bytes; for chunks replica, index, times, events, rows), totals, and the settings
 * of the run: model, model_hash, level, method, seed, replicas. */
NESS_API ness_status ness_dump_ls(const char *path, const ness_dump_options *options, ness_diags *diags,
                                  ness_doc **doc);

/* Holds everything in the file against everything else: checksums, shapes, the order of each replica's chunks, index
 * and footer. NESS_FORMAT when anything is wrong; *doc is there all the same, with `intact` and the list `problems`
 * (offset, bytes, what). A file without index and footer is intact but not complete. */
NESS_API ness_status ness_dump_verify(const char *path, ness_diags *diags, ness_doc **doc);

/* Copies the intact chunks of `in` to the new file `out` and gives it an index and a footer. The footer says complete
 * only when every replica is there from start to end. */
NESS_API ness_status ness_dump_repair(const char *in, const char *out, const ness_dump_options *options,
                                      ness_diags *diags, ness_doc **doc);

/* Joins dumps of one run, each of which holds other replicas, into `out`: frames in the order of the inputs. NESS_USAGE
 * when model, overrides, seed, method or settings differ or a replica is in two files. */
NESS_API ness_status ness_dump_merge(int32_t count, const char *const *in, const char *out,
                                     const ness_dump_options *options, ness_diags *diags, ness_doc **doc);

/* One line of JSON a frame. Numbers read back bit for bit; inf, -inf and nan are strings. */
NESS_API ness_status ness_dump_cat(const char *path, const ness_dump_options *options, ness_dump_write write,
                                   void *context, ness_diags *diags);

/* csv: a table of the rows (events, grid times, windows; at summary level the chunks) under the names of steps and
 * slots, behind lines of conventions that begin with #. npz: one array a column over all chunks, as numpy.load reads
 * it. `in` is read twice for npz and `out` must be a regular file then. */
NESS_API ness_status ness_dump_export(const char *in, const char *out, const ness_dump_options *options,
                                      ness_diags *diags, ness_doc **doc);

#ifdef __cplusplus
}
#endif

#endif
