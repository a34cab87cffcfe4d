/* Reports: one HTML file about a model, a dump or a measured record that needs nothing else to be read. */
#ifndef NESS_REPORT_H
#define NESS_REPORT_H

#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/export.h>
#include <ness/simulate.h>
#include <ness/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ness_report_options {
  size_t struct_size;     /* sizeof(ness_report_options) */
  const char *output;     /* the HTML file; a device or pipe is written as it is */
  int32_t force;          /* 1: replace a file that exists */
  const char *command;    /* shown on the page; may be NULL */
  int32_t own_layout;     /* 1: do not ask Graphviz to lay the network out */
  int64_t max_states;     /* limit of exact solutions, 0: 5000 */
  double level;           /* confidence of intervals, 0: 0.95 */
  int32_t threads;        /* 0: all; the page does not depend on it */
  ness_progress progress; /* of reading a dump or a record; may be NULL */
  void *progress_context;
  int32_t record;      /* 1: the file is a measured record of states, as ness_analyze takes */
  const char *columns; /* of a record, as in ness_analyze_options */
  const char *map;
  double step;
} ness_report_options;

/* Asks a model, a dump and the model in it, or a record, everything that the page shows, and writes it: whole or not at
 * all, by a file beside it that is renamed. `settings` are for models alone. What cannot be had is said on the page
 * with its reason; an error is a file that cannot be read or written and a model that is wrong. */
NESS_API ness_status ness_report(const char *path, const char *const *settings, int32_t nsettings,
                                 const ness_report_options *options, ness_diags *diags, ness_doc **out);

typedef struct ness_page_options {
  size_t struct_size;            /* sizeof(ness_page_options) */
  const char *output;            /* the HTML file; a device or pipe is written as it is */
  int32_t force;                 /* 1: replace a file that exists */
  const char *command;           /* shown on the page; may be NULL */
  int32_t axes;                  /* leading columns of the table that were varied, 0: 1; two make maps */
  const ness_doc *const *curves; /* ncurves tables along one value each, drawn with what the answer found marked */
  int32_t ncurves;
} ness_page_options;

/* Writes an answer of a scan, a study or a course as an HTML page that needs nothing else, with pictures and the table:
 * whole or not at all. An answer with nothing to draw is shown as tables. Without an answer (NULL) it only says whether
 * the file may be made. NESS_IO with the reason. Cost: O(size of the answer). */
NESS_API ness_status ness_page_write(const ness_doc *answer, const ness_page_options *options, ness_diags *diags);

#ifdef __cplusplus
}
#endif

#endif
