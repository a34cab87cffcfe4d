/* Files that appear whole or not at all. Invariant: bytes go into a new file beside the place; only when all of them
 * are on disk does it take its name, by rename where it may replace one and by link where it may not, so that a reader
 * sees the old file, or the new one, or none. A device or a pipe is written as it is. Cost: the writes and one fsync.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100 /* of names for the file beside */

static ness_status file_fail(whole_file *self, const char *doing, int error)
{
  if (!self->status) {
    diag_add(self->diags, NESS_ERROR, "cannot %s '%s': %s", doing, self->path, strerror(error));
    self->status = NESS_IO;
  }
  return self->status;
}

static ness_status file_exists(whole_file *self)
{
  diag_add(self->diags, NESS_ERROR, "'%s' exists already", self->path);
  diag_hint(self->diags, "--force replaces it");
  return self->status = NESS_USAGE;
}

/* What a link leads to, so that the link stays one. False when memory is out. */
static bool file_resolve(whole_file *self)
{
  struct stat info;
  if (lstat(self->path, &info) != 0 || !S_ISLNK(info.st_mode)) return true;
  char *const target = realpath(self->path, NULL);
  if (!target) return errno != ENOMEM; /* a link to nothing is replaced */
  char *const copy = mem_text(target, strlen(target));
  free(target);
  if (!copy) return false;
  mem_free(self->path);
  self->path = copy;
  return true;
}

static ness_status file_create(whole_file *self)
{
  const size_t length = strlen(self->path);
  if (!(self->temporary = mem_alloc(length + 32))) return self->status = NESS_NOMEM;
  for (int i = 0; i < TRIES; i++) {
    snprintf(self->temporary, length + 32, "%s.%ld-%d.tmp", self->path, (long)getpid(), i);
    self->fd = open(self->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (self->fd >= 0) return NESS_OK;
    if (errno != EEXIST) break;
  }
  const int error = errno;
  mem_free(self->temporary);
  self->temporary = NULL;
  return file_fail(self, "create", error);
}

ness_status file_begin(whole_file *self, const char *path, bool force, ness_diags *diags)
{
  struct stat info;
  *self = (whole_file){.fd = -1, .force = force, .diags = diags};
  self->path = mem_text(path, strlen(path));
  self->buffer = mem_alloc(FILE_BUFFER);
  if (!self->path || !self->buffer || !file_resolve(self)) return self->status = NESS_NOMEM;
  if (stat(self->path, &info) != 0) return file_create(self);
  if (S_ISDIR(info.st_mode)) return file_fail(self, "write", EISDIR);
  if (S_ISREG(info.st_mode)) return force ? file_create(self) : file_exists(self);
  self->fd = open(self->path, O_WRONLY | O_CLOEXEC);
  return self->fd >= 0 ? NESS_OK : file_fail(self, "open", errno);
}

static void file_flush(whole_file *self)
{
  const char *at = self->buffer;
  while (self->used > 0 && !self->status) {
    const ssize_t done = write(self->fd, at, self->used);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      file_fail(self, "write", errno);
      return;
    }
    at += done;
    self->used -= (size_t)done;
  }
}

void file_put(whole_file *self, const void *data, size_t bytes)
{
  const char *from = data;
  while (bytes > 0 && !self->status) {
    const size_t room = FILE_BUFFER - self->used, some = bytes < room ? bytes : room;
    memcpy(self->buffer + self->used, from, some);
    self->used += some;
    from += some;
    bytes -= some;
    if (self->used == FILE_BUFFER) file_flush(self);
  }
}

ness_status file_close(whole_file *self)
{
  file_flush(self);
  if (self->fd < 0) return self->status;
  /* Pipes and devices cannot be synchronised; that is no loss. */
  if (!self->status && fsync(self->fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
    file_fail(self, "write", errno);
  if (close(self->fd) != 0 && errno != EINTR) file_fail(self, "close", errno);
  self->fd = -1;
  return self->status;
}

ness_status file_publish(whole_file *self)
{
  if (self->status || !self->temporary) return self->status;
  bool linked = false;
  if (!self->force) {
    linked = link(self->temporary, self->path) == 0;
    if (!linked && errno == EEXIST) return file_exists(self); /* it came while this one was written */
  }
  if (linked) unlink(self->temporary);
  else if (rename(self->temporary, self->path) != 0) return file_fail(self, "rename a file to", errno);
  mem_free(self->temporary);
  self->temporary = NULL;
  return NESS_OK;
}

void file_end(whole_file *self)
{
  if (self->fd >= 0) close(self->fd);
  if (self->temporary) unlink(self->temporary);
  mem_free(self->temporary);
  mem_free(self->path);
  mem_free(self->buffer);
  *self = (whole_file){.fd = -1};
}
