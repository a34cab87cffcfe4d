/* The bounded cursor over msgpack: every form of every type that msgpack has, and each of them cut short. */
#include "check.h"
#include "engine/dump/frame.h"
#include <stdlib.h>

/* A cursor over a copy of exactly these bytes, so that a sanitizer sees one read too many. */
typedef struct held {
  cursor at;
  unsigned char *copy;
} held;

static held over(const void *bytes, size_t size)
{
  held h = {.copy = malloc(size + (size == 0))};
  if (!h.copy) exit(2);
  memcpy(h.copy, bytes, size);
  h.at = (cursor){h.copy, h.copy + size, false};
  return h;
}

static bool done(held *h, bool want_bad)
{
  const bool good = h->at.bad == want_bad && h->at.at == h->at.end;
  free(h->copy);
  return good;
}

#define BYTES(text) (text), sizeof(text) - 1

static void is_int(const char *bytes, size_t size, int64_t want)
{
  held h = over(bytes, size);
  CHECK(cursor_int(&h.at) == want && done(&h, false));
  for (size_t cut = 0; cut < size; cut++) {
    h = over(bytes, cut);
    CHECK(cursor_int(&h.at) == 0 && done(&h, true));
  }
  h = over(bytes, size);
  const uint64_t got = cursor_uint(&h.at);
  CHECK(want < 0 ? got == 0 && done(&h, true) : got == (uint64_t)want && done(&h, false));
}

static void test_numbers(void)
{
  is_int(BYTES("\x00"), 0);
  is_int(BYTES("\x7f"), 127);
  is_int(BYTES("\xe0"), -32);
  is_int(BYTES("\xff"), -1);
  is_int(BYTES("\xcc\xff"), 255);
  is_int(BYTES("\xcd\xff\xfe"), 65534);
  is_int(BYTES("\xce\xff\xff\xff\xfd"), 4294967293);
  is_int(BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
  is_int(BYTES("\xd0\x80"), -128);
  is_int(BYTES("\xd0\x7f"), 127);
  is_int(BYTES("\xd1\x80\x01"), -32767);
  is_int(BYTES("\xd2\x80\x00\x00\x00"), INT32_MIN);
  is_int(BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN);
  is_int(BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00\x09"), 9);
  held h = over(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
  CHECK(cursor_uint(&h.at) == UINT64_MAX && done(&h, false));
  h = over(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
  CHECK(cursor_int(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"));
  CHECK(cursor_real(&h.at) == 1.5 && done(&h, false));
  h = over(BYTES("\xca\x3f\xc0\x00\x00"));
  CHECK(cursor_real(&h.at) == 1.5 && done(&h, false));
  h = over(BYTES("\xd0\xf6"));
  CHECK(cursor_real(&h.at) == -10 && done(&h, false));
  h = over(BYTES("\xcb\x3f\xf8"));
  CHECK(cursor_real(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xa1x"));
  CHECK(cursor_real(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xc3\xc2\xc0\x05"));
  CHECK(cursor_bool(&h.at) && !cursor_bool(&h.at) && cursor_nil(&h.at) && !cursor_nil(&h.at));
  CHECK(!cursor_bool(&h.at) && done(&h, true));
}

static void test_texts(void)
{
  static const char *const forms[] = {"\xa2hi",     "\xd9\x02hi",     "\xda\x00\x02hi",        "\xdb\x00\x00\x00\x02hi",
                                      "\xc4\x02hi", "\xc5\x00\x02hi", "\xc6\x00\x00\x00\x02hi"};
  static const size_t sizes[] = {3, 4, 5, 7, 4, 5, 7};
  size_t length;
  for (int k = 0; k < 7; k++) {
    held h = over(forms[k], sizes[k]);
    const char *text = cursor_text(&h.at, &length);
    CHECK(cursor_is(text, length, "hi") && !cursor_is(text, length, "high") && !cursor_is(text, length, "h"));
    CHECK(done(&h, false));
    for (size_t cut = 0; cut < sizes[k]; cut++) {
      h = over(forms[k], cut);
      cursor_text(&h.at, &length);
      CHECK(length == 0 && done(&h, true));
    }
  }
  CHECK(frame_text_is_utf8(BYTES("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82")));
  static const char *const bad[] = {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                    "\x80"};
  for (int k = 0; k < 7; k++) CHECK(!frame_text_is_utf8(bad[k], strlen(bad[k])));
}

static void test_containers(void)
{
  held h = over(BYTES("\x92\x01\x02"));
  CHECK(cursor_array(&h.at) == 2 && cursor_int(&h.at) == 1 && cursor_int(&h.at) == 2 && done(&h, false));
  h = over(BYTES("\xdc\x00\x01\x05"));
  CHECK(cursor_array(&h.at) == 1 && cursor_int(&h.at) == 5 && done(&h, false));
  h = over(BYTES("\xde\x00\x01\xa1k\x05"));
  CHECK(cursor_map(&h.at) == 1);
  free(h.copy);
  h = over(BYTES("\x93\x01\x02")); /* more than there are bytes for */
  CHECK(cursor_array(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xdf\x10\x00\x00\x00\x01\x02"));
  CHECK(cursor_map(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xdd\x10\x00\x00\x00\x01\x02"));
  CHECK(cursor_array(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\x01"));
  CHECK(cursor_map(&h.at) == 0 && done(&h, true));
  h = over(BYTES("\xa1x"));
  CHECK(cursor_array(&h.at) == 0 && done(&h, true));
}

static void skips(const char *bytes, size_t size)
{
  held h = over(bytes, size);
  cursor_skip(&h.at);
  CHECK(done(&h, false));
  for (size_t cut = 0; cut < size; cut++) {
    h = over(bytes, cut);
    cursor_skip(&h.at);
    CHECK(done(&h, true));
  }
}

static void test_skip(void)
{
  skips(BYTES("\x05"));
  skips(BYTES("\xc0"));
  skips(BYTES("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"));
  skips(BYTES("\xd4\x01\x02"));
  skips(BYTES("\xd7\x01\x02\x03\x04\x05\x06\x07\x08\x09"));
  skips(BYTES("\xd8\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11"));
  skips(BYTES("\xc7\x02\x01xy"));
  skips(BYTES("\xc8\x00\x02\x01xy"));
  skips(BYTES("\xc9\x00\x00\x00\x01\x01x"));
  skips(BYTES("\x82\xa1k\x93\x01\xc0\xa2hi\xa1m\x81\x01\x91\xcd\x00\x01"));
  skips(BYTES("\xc6\x00\x00\x00\x02hi"));
  held h = over(BYTES("\xc1"));
  cursor_skip(&h.at);
  CHECK(done(&h, true));
  /* ten million arrays, each in the one before */
  const size_t deep = 10000000;
  unsigned char *nest = malloc(deep);
  if (!nest) exit(2);
  memset(nest, 0x91, deep);
  nest[deep - 1] = 0xc0;
  cursor at = {nest, nest + deep, false};
  cursor_skip(&at);
  CHECK(!at.bad && at.at == at.end);
  free(nest);
}

int main(void)
{
  test_numbers();
  test_texts();
  test_containers();
  test_skip();
  return check_done();
}
