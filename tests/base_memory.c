/* Memory, sizes, arenas, growing text and the interrupt flag: their edges, and that every failure is reported and
 * leaves what was there. */
#include "check.h"
#include "engine/base/base.h"

#include <stdlib.h>

static void test_sizes(void)
{
  size_t out = 7;
  CHECK(size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
  CHECK(!size_add(SIZE_MAX, 1, &out) && out == SIZE_MAX);
  CHECK(size_mul(SIZE_MAX / 3, 3, &out) && out == SIZE_MAX / 3 * 3);
  CHECK(!size_mul(SIZE_MAX / 3 + 1, 3, &out));
  CHECK(size_mul(SIZE_MAX, 0, &out) && out == 0);
  CHECK(size_mul(0, SIZE_MAX, &out) && out == 0);
}

static void test_hook(void)
{
  mem_fail_after(2);
  void *a = mem_alloc(8), *b = mem_zero(2, 8), *c = mem_alloc(8), *d = mem_alloc(8);
  CHECK(a && b && !c && !d);
  CHECK(mem_resize(a, 1, 64) == NULL); /* the old block is kept */
  mem_fail_after(-1);
  a = mem_resize(a, 1, 64);
  CHECK(a != NULL);
  mem_free(a);
  mem_free(b);
  CHECK(mem_resize(NULL, SIZE_MAX, 2) == NULL);
  void *empty = mem_alloc(0);
  CHECK(empty != NULL); /* nothing asked for is no failure */
  mem_free(empty);
  mem_free(NULL);
  unsigned char *zero = mem_zero(1000, 3);
  int sum = 0;
  for (int i = 0; zero && i < 3000; i++) {
    sum += zero[i];
  }
  CHECK(zero && sum == 0);
  mem_free(zero);
  char *copy = mem_text("abcdef", 3);
  CHECK_STR(copy, "abc");
  mem_free(copy);
  CHECK(mem_available() > (size_t)1 << 20);
}

static void test_grow(void)
{
  int32_t *list = NULL;
  int64_t capacity = 0;
  bool good = true;
  for (int32_t i = 0; i < 1000; i++) {
    good = good && mem_grow(&list, &capacity, i + 1, sizeof *list);
    list[i] = i * 3;
  }
  for (int32_t i = 0; i < 1000; i++) {
    good = good && list[i] == i * 3;
  }
  CHECK(good && capacity >= 1000 && capacity < 3000);
  const int64_t before = capacity;
  int32_t *const block = list;
  mem_fail_after(0);
  CHECK(mem_grow(&list, &capacity, before, sizeof *list));
  CHECK(!mem_grow(&list, &capacity, before + 1, sizeof *list));
  mem_fail_after(-1);
  CHECK(!mem_grow(&list, &capacity, INT64_MAX, sizeof *list));
  CHECK(list == block && capacity == before);
  mem_free(list);
}

static void test_arena(void)
{
  arena a = {0};
  bool aligned = true, zero = true;
  unsigned char *blocks[500];
  for (int i = 0; i < 500; i++) {
    const size_t size = (size_t)(i * 37 % 1900);
    blocks[i] = arena_alloc(&a, size);
    aligned = aligned && blocks[i] && (uintptr_t)blocks[i] % 16 == 0;
    for (size_t k = 0; k < size; k++) {
      zero = zero && blocks[i][k] == 0;
    }
    memset(blocks[i], i & 255, size);
  }
  bool kept = true;
  for (int i = 0; i < 500; i++) {
    const size_t size = (size_t)(i * 37 % 1900);
    for (size_t k = 0; k < size; k++) {
      kept = kept && blocks[i][k] == (i & 255);
    }
  }
  CHECK(aligned && zero && kept && !a.failed);
  CHECK_STR(arena_text(&a, "hello world", 5), "hello");
  CHECK_STR(arena_format(&a, "%d-%s", 42, "x"), "42-x");
  const int32_t indices[] = {0, 7, 10, -1, 2147483647, -2147483647 - 1};
  for (int i = 0; i < 6; i++) {
    CHECK_STR(arena_indexed(&a, "site", indices[i]), arena_format(&a, "site[%d]", indices[i]));
  }
  for (int length = 254; length < 258; length++) { /* around what is formatted in place */
    const char *const wide = arena_format(&a, "%*d", length, 7);
    CHECK(wide && (int)strlen(wide) == length && wide[length - 1] == '7');
  }
  CHECK(arena_alloc(&a, (size_t)1 << 20) != NULL);
  mem_fail_after(0);
  CHECK(arena_alloc(&a, (size_t)1 << 20) == NULL && a.failed);
  mem_fail_after(-1);
  CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
  CHECK(arena_text(&a, "", SIZE_MAX) == NULL);
  CHECK(arena_alloc(&a, 8) != NULL && a.failed); /* sticks */
  arena_free(&a);
  CHECK(a.chunks == NULL && !a.failed);
}

static void test_text(void)
{
  text_buffer t = {0};
  char *empty = text_take(&t);
  CHECK_STR(empty, "");
  ness_text_free(empty);
  char expected[4001] = "";
  for (int i = 0; i < 1000; i++) {
    text_add(&t, "%03d,", i);
    char number[16];
    snprintf(number, sizeof number, "%03d,", i);
    memcpy(expected + 4 * i, number, 5);
  }
  CHECK(t.length == 4000);
  char *taken = text_take(&t);
  CHECK_STR(taken, expected);
  CHECK(t.data == NULL && t.length == 0);
  mem_free(taken);
  text_add(&t, "%s|", expected); /* beyond the small buffer */
  text_repeat(&t, '-', 3);
  text_repeat(&t, '-', -3);
  text_put(&t, "\0x", 2);
  CHECK(t.length == 4006 && memcmp(t.data + 3999, ",|---\0x", 7) == 0 && t.data[4006] == 0);
  mem_fail_after(0);
  text_add(&t, "%s%s%s", expected, expected, expected);
  mem_fail_after(-1);
  text_add(&t, "more");
  CHECK(t.failed && t.length == 4006);
  CHECK(text_take(&t) == NULL && !t.failed);
}

static void test_interrupt(void)
{
  CHECK(!interrupt_pending());
  ness_interrupt();
  CHECK(interrupt_pending() && interrupt_pending());
  ness_interrupt_clear();
  CHECK(!interrupt_pending());
}

int main(void)
{
  test_sizes();
  test_hook();
  test_grow();
  test_arena();
  test_text();
  test_interrupt();
  return check_done();
}
