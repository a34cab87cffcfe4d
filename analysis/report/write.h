/* A file that is written whole or not at all. */
#ifndef ANALYSIS_REPORT_WRITE_H
#define ANALYSIS_REPORT_WRITE_H

#include "engine/base/base.h"

/* Refuses a file that exists unless `force`, before any work is done: NESS_IO with the reason. */
ness_status write_allowed(const char *path, bool force, ness_diags *diags);
/* Writes beside the file, flushes to the disk and renames; devices and pipes are written as they are. NESS_IO with the
 * reason, and then nothing is left behind and a file that was there is what it was. */
ness_status write_whole(const char *path, const char *text, size_t length, ness_diags *diags);

#endif
