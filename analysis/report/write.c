/* Writing a page so that no half of one is ever seen under its name: to a new file in the same folder, which takes the
 * name when all of it is on the disk (rename is atomic). Invariant: on failure the new file is gone. */
#include "analysis/report/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_NAMES 100 /* tried for the new file */

static ness_status io_error(ness_diags *diags, const char *what, const char *path, int error)
{
  diag_add(diags, NESS_ERROR, "cannot %s '%s': %s", what, path, strerror(error));
  return NESS_IO;
}

ness_status write_allowed(const char *path, bool force, ness_diags *diags)
{
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT) return NESS_OK;
    return io_error(diags, "create", path, errno);
  }
  if (S_ISDIR(info.st_mode)) return io_error(diags, "write", path, EISDIR);
  if (!S_ISREG(info.st_mode) || force) return NESS_OK;
  io_error(diags, "create", path, EEXIST);
  diag_hint(diags, "--force replaces it");
  return NESS_IO;
}

static bool write_all(int fd, const char *text, size_t length)
{
  while (length > 0) {
    const ssize_t done = write(fd, text, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text += done;
    length -= (size_t)done;
  }
  return true;
}

static ness_status write_stream(const char *path, const char *text, size_t length, ness_diags *diags)
{
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return io_error(diags, "open", path, errno);
  const bool written = write_all(fd, text, length);
  int error = errno;
  if (close(fd) != 0 && written) return io_error(diags, "write", path, errno);
  return written ? NESS_OK : io_error(diags, "write", path, error);
}

/* A new file beside `path`; *name is owned. */
static int new_beside(const char *path, char **name)
{
  for (int i = 0; i < WRITE_NAMES; i++) {
    text_buffer text = {0};
    text_add(&text, "%s.%ld-%d.part", path, (long)getpid(), i);
    *name = text_take(&text);
    if (!*name) {
      errno = ENOMEM;
      return -1;
    }
    const int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
    mem_free(*name);
    *name = NULL;
  }
  return -1;
}

ness_status write_whole(const char *path, const char *text, size_t length, ness_diags *diags)
{
  struct stat info;
  char *name = NULL;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return write_stream(path, text, length, diags);
  const int fd = new_beside(path, &name);
  if (fd < 0) {
    const ness_status status = io_error(diags, "create", name ? name : path, errno);
    mem_free(name);
    return status;
  }
  bool good = write_all(fd, text, length) && fsync(fd) == 0;
  int error = errno;
  if (close(fd) != 0 && good) {
    good = false;
    error = errno;
  }
  if (good && rename(name, path) != 0) {
    good = false;
    error = errno;
  }
  if (!good) unlink(name);
  mem_free(name);
  return good ? NESS_OK : io_error(diags, "write", path, error);
}
