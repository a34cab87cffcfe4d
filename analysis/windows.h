/* Entropy production of a dump stretch by stretch: what histograms, the fluctuation theorem and running estimates are
 * drawn from. */
#ifndef ANALYSIS_WINDOWS_H
#define ANALYSIS_WINDOWS_H

#include "engine/base/base.h"
#include "engine/cme/cme.h"
#include "engine/dump/dump.h"

#define WINDOWS_GRID 100 /* times of the running estimate */

typedef struct windows {
  const char *why; /* NULL, or why there are no windows, a static text; *level says which dump would have them */
  const char *mend;
  double *entropy; /* (kept) k_B a window: evenly thinned where there are very many */
  int64_t kept, seen;
  double length; /* s a window */
  /* The entropy production of a window is that of the medium plus ln p(start) - ln p(end) with the exact steady
   * distribution: then the fluctuation theorem holds for windows of any length. Without it, only for long ones. */
  bool total;
  bool turned;                     /* inputs flip in circles: windows backwards are those of another input */
  double mean;                     /* of all windows seen, medium alone, k_B/s */
  double integral;                 /* mean of exp(-entropy) over those kept */
  double error;                    /* its standard error as if they were independent */
  int32_t points;                  /* of the running estimate: from the start of counting to `time` in every replica */
  double *time, *running, *spread; /* (points) s; k_B/s; standard error over replicas, NAN for one */
  int64_t replicas;
} windows;

typedef struct windows_pass windows_pass;

typedef struct windows_rows { /* of the windows of a chunk of level flux */
  double *value;              /* (rows x 3) k_B by its events; then, where it ends, sum ln n! and ln p */
  int64_t room;
} windows_rows;

struct tally_plan;

/* What a reader of the dump feeds; *out is owned: windows_free. NULL in *pass where there are no windows: out->why says
 * why. `exact` may be NULL; plan, exact and out are borrowed until windows_end. */
ness_status windows_begin(const struct tally_plan *plan, const cme_solution *exact, windows *out, windows_pass **pass);
unsigned windows_wanted(const windows_pass *self); /* columns that windows_chunk and windows_fold read */
/* Any thread, each with its own rows. */
ness_status windows_chunk(const windows_pass *self, const dump_chunk *chunk, windows_rows *out);
void windows_rows_free(windows_rows *self);
/* One thread, in the order of the file. */
void windows_fold(windows_pass *self, const dump_chunk *chunk, const windows_rows *rows);
void windows_end(windows_pass *self); /* sums up and frees; takes NULL */

/* Reads the dump once. `exact` may be NULL. Memory: O(replicas), and 8 MB of windows. NESS_NOMEM, NESS_STOPPED; damaged
 * frames are passed over. */
ness_status windows_read(const char *path, const cme_solution *exact, windows *out);
void windows_free(windows *self);

#endif
