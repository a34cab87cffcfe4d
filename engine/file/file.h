/* A file that appears whole or not at all. */
#ifndef ENGINE_FILE_FILE_H
#define ENGINE_FILE_FILE_H

#include "engine/base/base.h"

#define FILE_BUFFER ((size_t)64 << 10)

typedef struct whole_file {
  char *path;      /* where it is to be; of a link, what it leads to */
  char *temporary; /* where it is written; NULL: into a device or pipe */
  int fd;
  char *buffer;
  size_t used;
  bool force;
  ness_status status; /* the first failure sticks, reported once */
  ness_diags *diags;
} whole_file;

/* NESS_USAGE when the file exists and may not be replaced. file_end is due in every case. */
ness_status file_begin(whole_file *self, const char *path, bool force, ness_diags *diags);
void file_put(whole_file *self, const void *data, size_t bytes);
/* All of it on disk, not yet under its name. */
ness_status file_close(whole_file *self);
ness_status file_publish(whole_file *self);
/* Frees; what was not published is gone. */
void file_end(whole_file *self);

#endif
