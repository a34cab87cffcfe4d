/* All heap use of the library, and checked sizes. Invariant: a call that returns NULL or false has changed nothing.
 * The one hook is a countdown that tests set to make the n-th call fail; it is atomic, so that threads share one count.
 * Cost: an allocation plus one relaxed load. */
#define _DEFAULT_SOURCE /* madvise */
#include "base.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((uintptr_t)2 << 20)

static atomic_llong mem_left = -1; /* allocations that may still succeed; negative: all of them */

static bool mem_refused(void)
{
  long long left = atomic_load_explicit(&mem_left, memory_order_relaxed);
  while (left > 0) {
    if (atomic_compare_exchange_weak(&mem_left, &left, left - 1)) {
      return false;
    }
  }
  return left == 0;
}

void mem_fail_after(int64_t after)
{
  atomic_store(&mem_left, after < 0 ? -1 : after);
}

void *mem_alloc(size_t bytes)
{
  return mem_refused() ? NULL : malloc(bytes ? bytes : 1);
}

void *mem_zero(size_t count, size_t bytes)
{
  return mem_refused() ? NULL : calloc(count ? count : 1, bytes ? bytes : 1);
}

void *mem_resize(void *block, size_t count, size_t bytes)
{
  size_t total;
  if (!size_mul(count, bytes, &total) || mem_refused()) {
    return NULL;
  }
  return realloc(block, total ? total : 1);
}

void mem_free(void *block)
{
  free(block);
}

char *mem_text(const char *text, size_t length)
{
  size_t bytes;
  char *copy = size_add(length, 1, &bytes) ? mem_alloc(bytes) : NULL;
  if (copy) {
    if (length > 0) {
      memcpy(copy, text, length);
    }
    copy[length] = 0;
  }
  return copy;
}

void mem_huge(void *block, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
  const uintptr_t first = ((uintptr_t)block + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  const uintptr_t end = ((uintptr_t)block + bytes) / HUGE_PAGE * HUGE_PAGE;
  if (end > first) {
    (void)madvise((char *)block + (first - (uintptr_t)block), end - first, MADV_HUGEPAGE);
  }
#else
  (void)block, (void)bytes;
#endif
}

size_t mem_available(void)
{
  char line[128];
  unsigned long long kib;
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) {
      fclose(file);
      return kib < SIZE_MAX / 1024 ? (size_t)kib * 1024 : SIZE_MAX;
    }
  }
  if (file) {
    fclose(file);
  }
#if defined(_SC_AVPHYS_PAGES) && defined(_SC_PAGESIZE)
  const long pages = sysconf(_SC_AVPHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  size_t total;
  if (pages > 0 && bytes > 0 && size_mul((size_t)pages, (size_t)bytes, &total)) {
    return total;
  }
#endif
  return SIZE_MAX;
}

bool size_add(size_t a, size_t b, size_t *sum)
{
  if (a > SIZE_MAX - b) {
    return false;
  }
  *sum = a + b;
  return true;
}

bool size_mul(size_t a, size_t b, size_t *product)
{
  if (b > 0 && a > SIZE_MAX / b) {
    return false;
  }
  *product = a * b;
  return true;
}

bool mem_grow(void *block, int64_t *capacity, int64_t need, size_t width)
{
  if (need <= *capacity) {
    return true;
  }
  const int64_t half = *capacity / 2;
  int64_t next = *capacity > INT64_MAX - half ? need : *capacity + half;
  next = next < need ? need : next;
  next = next < 8 ? 8 : next;
  void *old;
  memcpy(&old, block, sizeof old); /* block points to a pointer of any type */
  void *grown = (uint64_t)next > SIZE_MAX ? NULL : mem_resize(old, (size_t)next, width);
  if (!grown) {
    return false;
  }
  memcpy(block, &grown, sizeof grown);
  *capacity = next;
  return true;
}
