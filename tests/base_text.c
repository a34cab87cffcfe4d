/* Numbers as text, nearest names, and what a status says. */
#include "check.h"
#include "engine/base/base.h"
#include "engine/rng/rng.h"

#include <locale.h>
#include <stdlib.h>

static void test_exact(void)
{
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0, "0"},          {-0.0, "-0"},        {0.1, "0.1"},       {1.0 / 3, "0.3333333333333333"},
      {1e22, "1e+22"},   {123456, "123456"},  {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
      {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"},       {-NAN, "nan"}};
  char out[32];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    number_exact(cases[i].value, out);
    CHECK_STR(out, cases[i].text);
  }
  rng_stream rng;
  rng_init(&rng, 1, 0, 0);
  int wrong = 0, longer = 0;
  for (int i = 0; i < 20000; i++) {
    const uint64_t bits = rng_next(&rng);
    double value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) {
      continue;
    }
    number_exact(value, out);
    back = strtod(out, NULL);
    wrong += memcmp(&back, &value, sizeof back) != 0;
    longer += strlen(out) > 24;
  }
  CHECK(wrong == 0 && longer == 0);
}

static void test_short(void)
{
  char out[32];
  number_short(1.0 / 3, 6, out);
  CHECK_STR(out, "0.333333");
  number_short(-0.0, 6, out);
  CHECK_STR(out, "0");
  number_short(123456789, 3, out);
  CHECK_STR(out, "1.23e+08");
  number_short(INFINITY, 3, out);
  CHECK_STR(out, "inf");
  number_short(2.0 / 3, 99, out); /* as many as there are */
  CHECK_STR(out, "0.66666666666666663");
}

/* The same by printf and strtod alone: tries as many digits as it takes. */
static void exact_slowly(double value, char out[32])
{
  int digits = 1;
  for (; digits < 17; digits++) {
    snprintf(out, 32, "%.*e", digits - 1, value);
    if (strtod(out, NULL) == value) {
      break;
    }
  }
  snprintf(out, 32, "%.*e", digits - 1, value);
  const int power = atoi(strchr(out, 'e') + 1);
  if (power >= -5 && power <= 15) {
    snprintf(out, 32, "%.*f", digits - 1 > power ? digits - 1 - power : 0, value);
  } else {
    snprintf(out, 32, "%.*g", digits, value);
  }
}

enum { KINDS = 9 };

/* Doubles of all kinds: any bits, any size, decimals, whole numbers, what lies halfway between two decimals, and the
 * neighbours of powers of two and of ten. */
static double value_of(rng_stream *rng, int kind)
{
  const uint64_t bits = rng_next(rng), more = rng_next(rng);
  const double sign = more & 1 ? -1 : 1, size = pow(10, (double)(more >> 8 & 63) - 32);
  double value;
  switch (kind) {
  case 0: memcpy(&value, &bits, sizeof value); return isfinite(value) ? value : 1;
  case 1: return sign * size * (1 + 9 * (double)(bits >> 11) * 0x1p-53);
  case 2: return sign * size * (double)(bits >> (44 + (more >> 16) % 20));
  case 3: return sign * (double)(bits >> (more >> 16) % 64);
  case 4: return sign * ldexp((double)(bits >> (32 + (more >> 16) % 32)), -(int)(more >> 32 & 31));
  case 5: return sign * ldexp(1, (int)(bits % 2098) - 1074);
  case 6: return sign * nextafter(ldexp(1, (int)(bits % 300) - 150), more & 2 ? 0 : INFINITY);
  case 7: return sign * nextafter(pow(10, (int)(bits % 80) - 40), more & 2 ? 0 : INFINITY);
  default: return sign * ((double)(bits >> 40) + 0.5) * size;
  }
}

/* Whether two ways differ; says so for the first ones. */
static int differ(double value, const char *out, const char *expected)
{
  static int shown;
  const int wrong = strcmp(out, expected) != 0;
  if (wrong && shown++ < 5) {
    printf("%a: %s, not %s\n", value, out, expected);
  }
  return wrong;
}

static void test_printf(void)
{
  rng_stream rng;
  char out[32], expected[32];
  int wrong = 0, plain = 0;
  rng_init(&rng, 2, 0, 0);
  for (int i = 0; i < 400000; i++) {
    const double value = value_of(&rng, i % KINDS);
    const int digits = i % 3 ? 6 : 1 + (int)(rng_next(&rng) % 17);
    number_short(value, digits, out);
    snprintf(expected, 32, "%.*g", digits, value == 0 ? 0.0 : value);
    wrong += differ(value, out, expected);
    plain += !strchr(out, 'e');
    if (i % 8 == 0) {
      number_exact(value, out);
      exact_slowly(value, expected);
      wrong += differ(value, out, expected);
    }
  }
  CHECK(wrong == 0);
  CHECK(plain > 60000 && plain < 340000); /* both ways of writing come often */
}

static void test_locale(void)
{
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
  char out[32];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (setlocale(LC_NUMERIC, names[i])) {
      number_exact(0.25, out);
      CHECK_STR(out, "0.25");
      number_short(0.25, 4, out);
      CHECK_STR(out, "0.25");
      break;
    }
  }
  setlocale(LC_NUMERIC, "C");
}

static void test_nearest(void)
{
  static const char *const names[] = {"temperature", "compartment", "protein", "species", "A", NULL, "Na.out", "Na.in"};
  const int32_t count = (int32_t)(sizeof names / sizeof *names);
  CHECK_STR(name_nearest("temprature", names, count), "temperature");  /* one lost */
  CHECK_STR(name_nearest("tmeperature", names, count), "temperature"); /* two swapped count once */
  CHECK_STR(name_nearest("portein", names, count), "protein");
  CHECK_STR(name_nearest("compartmentss", names, count), "compartment");
  CHECK_STR(name_nearest("Na.ut", names, count), "Na.out");
  CHECK_STR(name_nearest("Na.in", names, count), "Na.in");
  CHECK(name_nearest("B", names, count) == NULL); /* nothing in common */
  CHECK(name_nearest("voltage", names, count) == NULL);
  CHECK(name_nearest("", names, count) == NULL);
  CHECK(name_nearest("A", names, 0) == NULL);
  char big[200];
  memset(big, 'A', sizeof big - 1);
  big[199] = 0;
  CHECK(name_nearest(big, names, count) == NULL);
}

static void test_status(void)
{
#define ROW(code, symbol, text, exit, exception)                                                                       \
  CHECK_STR(ness_status_text(NESS_##symbol), text);                                                                    \
  CHECK(ness_status_exit(NESS_##symbol) == (exit) && NESS_##symbol == (code));
  NESS_STATUS_TABLE(ROW)
#undef ROW
  CHECK_STR(ness_status_text((ness_status)-999), "unknown status");
  CHECK(ness_status_exit((ness_status)-999) == 1);
  int major, minor, patch;
  CHECK(sscanf(ness_version_text(), "%d.%d.%d", &major, &minor, &patch) == 3);
}

int main(void)
{
  test_exact();
  test_short();
  test_printf();
  test_locale();
  test_nearest();
  test_status();
  return check_done();
}
