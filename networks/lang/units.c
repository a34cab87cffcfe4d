/* Units: a value in SI base units with five exponents. The mole is the number N_A, so kJ/mol is an energy of one
 * particle, M is a density, and a volume turns a concentration into a count without a factor to forget. Every unit is
 * one row of a table; prefixes apply where the row allows them. */
#include "networks/lang/lang.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const lang_unit UNIT_NONE = {0, 0, 0, 0, 0};
const lang_unit UNIT_SECOND = {0, 0, 1, 0, 0};
const lang_unit UNIT_RATE = {0, 0, -1, 0, 0};
const lang_unit UNIT_VOLT = {2, 1, -3, -1, 0};
const lang_unit UNIT_ENERGY = {2, 1, -2, 0, 0};
const lang_unit UNIT_DENSITY = {-3, 0, 0, 0, 0};
const lang_unit UNIT_VOLUME = {3, 0, 0, 0, 0};
const lang_unit UNIT_KELVIN = {0, 0, 0, 0, 1};

#define UNIT_POWER_MAX 60

typedef struct unit_row {
  const char *name;
  double value;
  lang_unit unit;
  bool prefixes;
} unit_row;

static const unit_row unit_rows[] = {
    {"1", 1, {0, 0, 0, 0, 0}, false},         {"m", 1, {1, 0, 0, 0, 0}, true},
    {"g", 1e-3, {0, 1, 0, 0, 0}, true},       {"s", 1, {0, 0, 1, 0, 0}, true},
    {"min", 60, {0, 0, 1, 0, 0}, false},      {"h", 3600, {0, 0, 1, 0, 0}, false},
    {"d", 86400, {0, 0, 1, 0, 0}, false},     {"A", 1, {0, 0, 0, 1, 0}, true},
    {"K", 1, {0, 0, 0, 0, 1}, true},          {"V", 1, {2, 1, -3, -1, 0}, true},
    {"J", 1, {2, 1, -2, 0, 0}, true},         {"cal", 4.184, {2, 1, -2, 0, 0}, true},
    {"eV", CONST_E, {2, 1, -2, 0, 0}, true},  {"W", 1, {2, 1, -3, 0, 0}, true},
    {"N", 1, {1, 1, -2, 0, 0}, true},         {"Pa", 1, {-1, 1, -2, 0, 0}, true},
    {"C", 1, {0, 0, 1, 1, 0}, true},          {"e", CONST_E, {0, 0, 1, 1, 0}, false},
    {"F", 1, {-2, -1, 4, 2, 0}, true},        {"S", 1, {-2, -1, 3, 2, 0}, true},
    {"Ohm", 1, {2, 1, -3, -2, 0}, true},      {"Hz", 1, {0, 0, -1, 0, 0}, true},
    {"L", 1e-3, {3, 0, 0, 0, 0}, true},       {"l", 1e-3, {3, 0, 0, 0, 0}, true},
    {"mol", CONST_NA, {0, 0, 0, 0, 0}, true}, {"M", CONST_C0, {-3, 0, 0, 0, 0}, true},
};

static const struct {
  const char *name;
  double value;
} unit_prefixes[] = {{"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"\xc2\xb5", 1e-6}, {"\xce\xbc", 1e-6},
                     {"m", 1e-3},  {"c", 1e-2},  {"d", 1e-1}, {"k", 1e3},  {"M", 1e6},         {"G", 1e9}};

bool unit_equal(lang_unit a, lang_unit b)
{
  return a.m == b.m && a.kg == b.kg && a.s == b.s && a.a == b.a && a.k == b.k;
}

/* Powers stay far from the ends of int8: what would leave them is held at a bound that no quantity has. */
static int8_t unit_power(int power)
{
  return (int8_t)(power > UNIT_POWER_MAX ? UNIT_POWER_MAX : power < -UNIT_POWER_MAX ? -UNIT_POWER_MAX : power);
}

lang_unit unit_scale(lang_unit a, int by)
{
  return (lang_unit){unit_power(a.m * by), unit_power(a.kg * by), unit_power(a.s * by), unit_power(a.a * by),
                     unit_power(a.k * by)};
}

lang_unit unit_add(lang_unit a, lang_unit b)
{
  return (lang_unit){unit_power(a.m + b.m), unit_power(a.kg + b.kg), unit_power(a.s + b.s), unit_power(a.a + b.a),
                     unit_power(a.k + b.k)};
}

/* Powers that no quantity has. */
static bool unit_too_high(lang_unit a)
{
  return abs(a.m) >= UNIT_POWER_MAX || abs(a.kg) >= UNIT_POWER_MAX || abs(a.s) >= UNIT_POWER_MAX ||
         abs(a.a) >= UNIT_POWER_MAX || abs(a.k) >= UNIT_POWER_MAX;
}

/* An exact name first ("min", "mol", "cd"), then prefix and name ("mM", "ms"). */
static bool unit_lookup(const char *name, size_t length, double kt, quantity *out)
{
  const size_t rows = sizeof unit_rows / sizeof *unit_rows;
  if (length == 2 && memcmp(name, "kT", 2) == 0 && kt > 0) {
    *out = (quantity){kt, UNIT_ENERGY};
    return true;
  }
  for (size_t i = 0; i < rows; i++) {
    if (strlen(unit_rows[i].name) == length && memcmp(unit_rows[i].name, name, length) == 0) {
      *out = (quantity){unit_rows[i].value, unit_rows[i].unit};
      return true;
    }
  }
  for (size_t p = 0; p < sizeof unit_prefixes / sizeof *unit_prefixes; p++) {
    const size_t skip = strlen(unit_prefixes[p].name);
    if (length <= skip || memcmp(unit_prefixes[p].name, name, skip) != 0) continue;
    for (size_t i = 0; i < rows; i++) {
      if (unit_rows[i].prefixes && strlen(unit_rows[i].name) == length - skip &&
          memcmp(unit_rows[i].name, name + skip, length - skip) == 0) {
        *out = (quantity){unit_rows[i].value * unit_prefixes[p].value, unit_rows[i].unit};
        return true;
      }
    }
  }
  return false;
}

static bool unit_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ((unsigned char)c >= 0x80);
}

bool unit_parse(const char *text, size_t length, double kt, quantity *out, size_t *bad, const char **why)
{
  quantity total = {1, UNIT_NONE};
  size_t i = 0;
  bool divide = false, wanted = true;
  while (i < length) {
    const char c = text[i];
    if (c == ' ' || c == '\t') {
      i++;
      continue;
    }
    if (c == '/' || c == '*') {
      if (wanted) break;
      divide = c == '/';
      wanted = true;
      i++;
      continue;
    }
    const size_t start = i;
    if (c == '1' && (wanted || text[i - 1] == ' ' || text[i - 1] == '\t')) i++;
    else {
      while (i < length && unit_letter(text[i])) i++;
    }
    quantity q;
    if (i == start || !unit_lookup(text + start, i - start, kt, &q)) {
      *bad = start;
      *why = "is no unit that ness knows";
      return false;
    }
    int power = 1;
    if (i < length && text[i] == '^') {
      int sign = 1, digits = 0;
      power = 0;
      i++;
      if (i < length && text[i] == '-') sign = -1, i++;
      while (i < length && text[i] >= '0' && text[i] <= '9' && digits < 2)
        power = 10 * power + (text[i++] - '0'), digits++;
      if (digits == 0 || power > 12) {
        *bad = i < length ? i : length - 1;
        *why = "needs a whole exponent of at most 12";
        return false;
      }
      power *= sign;
    }
    if (divide) power = -power;
    /* Integer powers by repeated multiplication keep round values round. */
    for (int k = 0; k < (power < 0 ? -power : power); k++)
      total.value = power < 0 ? total.value / q.value : total.value * q.value;
    total.unit = unit_add(total.unit, unit_scale(q.unit, power));
    if (unit_too_high(total.unit)) {
      *bad = start;
      *why = "makes too high a power";
      return false;
    }
    divide = false;
    wanted = false;
  }
  if (wanted) {
    *bad = i < length ? i : (length ? length - 1 : 0);
    *why = length ? "needs a unit on both sides" : "is empty: write a unit, or [1] for none";
    return false;
  }
  *out = total;
  return true;
}

void unit_text(lang_unit unit, char out[64])
{
  static const struct {
    lang_unit unit;
    const char *text;
  } known[] = {{{0, 0, 0, 0, 0}, "no unit"},   {{0, 0, -1, 0, 0}, "1/s"},        {{0, 0, 1, 0, 0}, "s"},
               {{2, 1, -3, -1, 0}, "V"},       {{2, 1, -2, 0, 0}, "J or J/mol"}, {{-3, 0, 0, 0, 0}, "M"},
               {{3, 0, 0, 0, 0}, "L"},         {{3, 0, -1, 0, 0}, "1/M/s"},      {{6, 0, -1, 0, 0}, "1/M^2/s"},
               {{9, 0, -1, 0, 0}, "1/M^3/s"},  {{-3, 0, -1, 0, 0}, "M/s"},       {{1, 0, 0, 0, 0}, "m"},
               {{2, 0, -1, 0, 0}, "m^2/s"},    {{0, 0, 1, 1, 0}, "C"},           {{0, 0, 0, 0, 1}, "K"},
               {{0, 0, 0, 1, 0}, "A"},         {{2, 0, 0, 0, 0}, "m^2"},         {{1, 0, -1, 0, 0}, "m/s"},
               {{12, 0, -1, 0, 0}, "1/M^4/s"}, {{2, 1, -4, -1, 0}, "V/s"},       {{-2, -1, 4, 2, 0}, "F"},
               {{-2, -1, 3, 2, 0}, "S"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (unit_equal(known[i].unit, unit)) {
      snprintf(out, 64, "%s", known[i].text);
      return;
    }
  }
  const char *const names[5] = {"m", "kg", "s", "A", "K"};
  const int powers[5] = {unit.m, unit.kg, unit.s, unit.a, unit.k};
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; i < 5; i++) {
    if (powers[i] == 0) continue;
    const int n =
        snprintf(out + used, 64 - used, powers[i] == 1 ? "%s%s" : "%s%s^%d", used ? " " : "", names[i], powers[i]);
    if (n > 0) used += (size_t)n;
  }
}
