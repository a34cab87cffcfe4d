/* What one operation of a tape makes of its operands, for all who run tapes. */
#ifndef ENGINE_MODEL_TAPE_H
#define ENGINE_MODEL_TAPE_H

#include "engine/model/model.h"
#include "engine/rng/rng.h"

#include <math.h>

/* Whole powers up to 64 by squaring: exact where the result is. */
#define TAPE_POWER_MOST 64

double tape_power(double base, double power);
double tape_tanh(double x);
double tape_exprel(double x);
double tape_exprel_slope(double x);

/* Operands of a tape operation that are registers: 0 to 3. */
static inline int32_t tape_registers(int32_t code)
{
  switch (code) {
  case TAPE_CONST:
  case TAPE_SLOT: return 0;
  case TAPE_NEG:
  case TAPE_EXP:
  case TAPE_LN:
  case TAPE_SQRT:
  case TAPE_ABS:
  case TAPE_FLOOR:
  case TAPE_NOT:
  case TAPE_TANH:
  case TAPE_EXPREL: return 1;
  case TAPE_SELECT: return 3;
  default: return 2;
  }
}

/* CONST and SLOT have no operands: theirs is a. */
static inline double tape_apply(tape_code code, double a, double b, double c)
{
  switch (code) {
  case TAPE_CONST:
  case TAPE_SLOT: return a;
  case TAPE_ADD: return a + b;
  case TAPE_SUB: return a - b;
  case TAPE_MUL: return a * b;
  case TAPE_DIV: return a / b;
  case TAPE_POW: return tape_power(a, b);
  case TAPE_NEG: return -a;
  case TAPE_EXP: return rng_e(a);
  case TAPE_LN: return rng_ln(a);
  case TAPE_SQRT: return sqrt(a);
  case TAPE_ABS: return fabs(a);
  case TAPE_MIN: return a < b ? a : b;
  case TAPE_MAX: return a > b ? a : b;
  case TAPE_FLOOR: return floor(a);
  case TAPE_LT: return a < b;
  case TAPE_LE: return a <= b;
  case TAPE_EQ: return a == b;
  case TAPE_AND: return a != 0 && b != 0;
  case TAPE_OR: return a != 0 || b != 0;
  case TAPE_NOT: return a == 0;
  case TAPE_SELECT: return a != 0 ? b : c;
  case TAPE_TANH: return tape_tanh(a);
  case TAPE_EXPREL: return tape_exprel(a);
  case TAPE_CODES: break;
  }
  return 0;
}

#endif
