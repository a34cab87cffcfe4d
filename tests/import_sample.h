/* What the tests of networks/import share: a folder, files in it, and the bytes of a small .npy. */
#ifndef TESTS_IMPORT_SAMPLE_H
#define TESTS_IMPORT_SAMPLE_H

#include "check.h"
#include "networks/import/import.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MTX "%%MatrixMarket matrix coordinate real general\n"

static char folder[64] = "/tmp/ness_import_XXXXXX";

static inline const char *in_folder(const char *name)
{
  static char paths[8][128];
  static int next;
  char *const path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline void write_bytes(const char *path, const void *data, size_t bytes)
{
  FILE *const out = fopen(path, "wb");
  if (!out || (bytes && fwrite(data, 1, bytes, out) != bytes) || fclose(out)) exit(2);
}

static inline const char *first_message(const ness_diags *diags)
{
  return ness_diags_count(diags, NULL) > 0 ? ness_diags_get(diags, 0)->message : "";
}

static inline int files_in_folder(void)
{
  DIR *const dir = opendir(folder);
  int count = 0;
  for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) count += d->d_name[0] != '.';
  if (dir) closedir(dir);
  return count;
}

/* --- .npy from its bytes --- */

typedef struct npy_file {
  unsigned char bytes[4096];
  size_t length;
} npy_file;

static inline void npy_begin(npy_file *f, int version, const char *header)
{
  const size_t width = version == 1 ? 2 : 4, length = strlen(header);
  memcpy(f->bytes, "\x93NUMPY", 6);
  f->bytes[6] = (unsigned char)version;
  f->bytes[7] = 0;
  for (size_t i = 0; i < width; i++) f->bytes[8 + i] = (unsigned char)(length >> 8 * i);
  memcpy(f->bytes + 8 + width, header, length);
  f->length = 8 + width + length;
}

static inline void npy_value(npy_file *f, double value, bool narrow)
{
  uint64_t bits;
  uint32_t half;
  const float single = (float)value;
  memcpy(&bits, &value, sizeof bits);
  memcpy(&half, &single, sizeof half);
  if (narrow) bits = half;
  for (int i = 0; i < (narrow ? 4 : 8); i++) f->bytes[f->length++] = (unsigned char)(bits >> 8 * i);
}

static const double three[3][3] = {{-3.5, 1.5, 2}, {0.1, -0.1, 0}, {4e-7, 1e9, 0}}; /* row 2: no diagonal */

static inline npy_file npy_three(int version, bool narrow, bool columns)
{
  npy_file f;
  char header[128];
  snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': (3, 3), }   \n",
           narrow ? "<f4" : "<f8", columns ? "True" : "False");
  npy_begin(&f, version, header);
  for (int i = 0; i < 9; i++) npy_value(&f, columns ? three[i % 3][i / 3] : three[i / 3][i % 3], narrow);
  return f;
}

#endif
