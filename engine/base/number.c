/* Numbers as text, for programs bit for bit and for people. Invariant: the bytes are those of printf with as many
 * digits, the same in every locale. Method: value 10^k is a product or a quotient of whole numbers as long as 5^k fits
 * into a word, so that digits, ties and whether they read back are decided exactly; other values, and those beyond the
 * range, go through printf. Cost: O(digits); 17 digits always read back (Steele and White 1990). */
#include "base.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 number_wide;

enum {
  NUMBER_LENGTH = 32,
  NUMBER_DIGITS = 17, /* at most */
  NUMBER_SAFE = 15,   /* so many digits of any decimal come back from its double */
  NUMBER_FIVES = 27   /* 5^27 is the last that fits into 64 bits */
};

/* number 10^(power + 1 - digits), with number in [10^(digits - 1), 10^digits). */
typedef struct decimal {
  uint64_t number;
  int digits, power;
  bool back; /* it reads back as the value; not known, false, for values from 10^digits on */
} decimal;

static uint64_t power_of(uint64_t base, int exponent)
{
  uint64_t power = 1;
  for (; exponent > 0; exponent--) {
    power *= base;
  }
  return power;
}

/* Makes the number one more when the rest asks for it, ties to even: `rest` is how it compares with a half. */
static void decimal_up(decimal *self, int rest)
{
  if (rest > 0 || (rest == 0 && self->number % 2 == 1)) {
    self->number++;
  }
}

/* mantissa 2^exponent 10^k for k >= 0, whole and with its distance from there: all in units of 2^-shift, in which half
 * a unit of the last place of the value is 5^k / 2. False when it does not have the digits. */
static bool decimal_scale(decimal *self, uint64_t mantissa, int exponent, int k, uint64_t least)
{
  const uint64_t fives = power_of(5, k);
  const number_wide scaled = (number_wide)mantissa * fives;
  const int shift = -(exponent + k);
  if (shift <= 0) {
    self->number = (uint64_t)(scaled << -shift);
    self->back = true;
    return self->number / 10 < least;
  }
  const number_wide unit = (number_wide)1 << shift, rest = scaled & (unit - 1);
  const uint64_t floor = (uint64_t)(scaled >> shift);
  self->number = floor;
  decimal_up(self, rest > unit / 2 ? 1 : rest < unit / 2 ? -1 : 0);
  /* Below a power of two the doubles lie twice as close. */
  const bool below = self->number == floor, closer = below && mantissa == UINT64_C(1) << 52;
  const number_wide distance = (below ? rest : unit - rest) << (closer ? 2 : 1);
  self->back = distance < fives || (distance == fives && mantissa % 2 == 0);
  return floor / 10 < least;
}

/* The same for k < 0 and a value below 2^63. */
static bool decimal_divide(decimal *self, double value, int k, uint64_t least)
{
  const uint64_t whole = (uint64_t)value, unit = power_of(10, -k), rest = 2 * (whole % unit);
  const uint64_t floor = whole / unit;
  self->number = floor;
  self->back = false;
  decimal_up(self, rest > unit || (rest == unit && (double)whole != value) ? 1 : rest < unit ? -1 : 0);
  return floor / 10 < least;
}

/* A positive value with so many digits; false when it is beyond the range of whole numbers. */
static bool decimal_make(double value, int digits, decimal *out)
{
  if (!(value >= 1e-30 && value < 0x1p63)) {
    return false;
  }
  int exponent;
  const uint64_t mantissa = (uint64_t)(frexp(value, &exponent) * 0x1p53), least = power_of(10, digits - 1);
  /* The power of ten that 2^(exponent - 1) has; the value may have the next one. */
  int power = (int)(0.30102999566398120 * (exponent - 1) + 64) - 64;
  *out = (decimal){.digits = digits};
  for (;; power++) {
    const int k = digits - 1 - power;
    out->power = power;
    if (k > NUMBER_FIVES) {
      return false;
    }
    if (k < 0 ? decimal_divide(out, value, k, least) : decimal_scale(out, mantissa, exponent - 53, k, least)) {
      break;
    }
  }
  if (out->number / 10 == least) { /* 9.99 became 10.0 */
    out->number /= 10;
    out->power++;
  }
  return true;
}

/* As %g writes it: without the zeros at its end, plain or with an exponent. */
static void decimal_write(const decimal *self, bool negative, bool plain, char out[NUMBER_LENGTH])
{
  char digit[NUMBER_DIGITS];
  uint64_t number = self->number;
  int digits = self->digits, at = 0;
  for (; number % 10 == 0; number /= 10) {
    digits--;
  }
  for (int i = digits - 1; i >= 0; i--, number /= 10) {
    digit[i] = (char)('0' + number % 10);
  }
  const int before = plain ? self->power + 1 : 1; /* digits before the point; zeros behind it when negative */
  if (negative) {
    out[at++] = '-';
  }
  if (before <= 0) {
    out[at++] = '0';
    out[at++] = '.';
    memset(out + at, '0', (size_t)-before);
    at -= before;
  }
  for (int i = 0; i < digits || i < before; i++) {
    if (i == before && i > 0) {
      out[at++] = '.';
    }
    out[at++] = i < digits ? digit[i] : '0';
  }
  if (!plain) {
    const int size = self->power < 0 ? -self->power : self->power;
    out[at++] = 'e';
    out[at++] = self->power < 0 ? '-' : '+';
    out[at++] = (char)('0' + size / 10);
    out[at++] = (char)('0' + size % 10);
  }
  out[at] = 0;
}

/* A locale may write another decimal point. */
static void number_point(char *number)
{
  for (char *at = number; *at; at++) {
    if (!isalnum((unsigned char)*at) && *at != '+' && *at != '-') {
      *at = '.';
    }
  }
}

static bool number_special(double value, char out[NUMBER_LENGTH])
{
  if (isfinite(value) && value != 0) {
    return false;
  }
  strcpy(out, isnan(value) ? "nan" : value > 0 ? "inf" : value < 0 ? "-inf" : signbit(value) ? "-0" : "0");
  return true;
}

/* Any value: the least digits that read back, tried one after another. What 15 digits do not give is no decimal of
 * fewer, so there the search begins, except among the numbers that have fewer bits than others. */
static void exact_print(double value, char out[NUMBER_LENGTH])
{
  int digits = fabs(value) < 0x1p-1022 ? 1 : NUMBER_SAFE;
  for (; digits < NUMBER_DIGITS; digits++) {
    snprintf(out, NUMBER_LENGTH, "%.*e", digits - 1, value);
    if (strtod(out, NULL) == value) {
      break;
    }
  }
  snprintf(out, NUMBER_LENGTH, "%.*e", digits - 1, value);
  char *e = strchr(out, 'e');
  const int power = (int)strtol(e + 1, NULL, 10);
  while (digits > 1 && *--e == '0') { /* the zeros of a decimal of fewer digits */
    digits--;
  }
  /* The same digits without an exponent, where that is what people write. */
  if (power >= -5 && power <= 15) {
    snprintf(out, NUMBER_LENGTH, "%.*f", digits - 1 > power ? digits - 1 - power : 0, value);
  } else {
    snprintf(out, NUMBER_LENGTH, "%.*g", digits, value);
  }
  number_point(out);
}

void number_exact(double value, char out[32])
{
  decimal found = {0};
  const double size = fabs(value);
  if (number_special(value, out)) {
    return;
  }
  if (size < 1e15) { /* from there on the digits before the point may be more than those that count */
    for (int digits = NUMBER_SAFE; digits <= NUMBER_DIGITS && !found.back; digits++) {
      if (!decimal_make(size, digits, &found)) {
        break;
      }
    }
  }
  if (found.back) {
    decimal_write(&found, value < 0, found.power >= -5, out);
  } else {
    exact_print(value, out);
  }
}

void number_short(double value, int digits, char out[32])
{
  decimal found;
  value = value == 0 ? 0.0 : value; /* no minus zero for people */
  digits = digits < 1 ? 1 : digits > NUMBER_DIGITS ? NUMBER_DIGITS : digits;
  if (number_special(value, out)) {
    return;
  }
  if (decimal_make(fabs(value), digits, &found)) {
    decimal_write(&found, value < 0, found.power >= -4 && found.power < digits, out);
  } else {
    snprintf(out, NUMBER_LENGTH, "%.*g", digits, value);
    number_point(out);
  }
}
