/* The rates of a file while they are gathered: names, entries, their order, and what a diagonal says. Invariant: after
 * rates_finish entries ascend by from and to, entries of one pair stay in the order of the file, and neither loops nor
 * zeros are left. Order: two stable counting passes. A generator has rows that sum to zero; when the columns do
 * instead, it is the transpose of one, which would turn every arrow round. Cost: linear. */
#include "read.h"

#include <math.h>
#include <string.h>

#define STATES_FREE 65536       /* states that any file may have; more of them take a byte each at least */
#define DIAGONAL_TOLERANCE 1e-6 /* of a row's sum; single precision and printed digits stay below */

/* --- names --- */

const char *import_state_name(const import_rates *self, int32_t state, char room[16])
{
  if (state < self->names.count) return names_text(&self->names, state);
  snprintf(room, 16, "s%d", state);
  return room;
}

int32_t import_state_find(const import_rates *self, const char *name, size_t length)
{
  int64_t number;
  if (self->names.count > 0) return names_find(&self->names, name, length);
  if (length < 2 || name[0] != 's' || !word_int((word){name + 1, length - 1}, &number)) return -1;
  return (length == 2 || name[1] != '0') && number < self->n ? (int32_t)number : -1;
}

void import_rates_free(import_rates *self)
{
  mem_free(self->rate);
  names_free(&self->names);
  *self = (import_rates){0};
}

/* --- entries --- */

bool rates_claim(reading *self, const word *at, int64_t states, int64_t entries, int64_t least)
{
  if (states > IMPORT_MAX || entries > IMPORT_MAX) {
    self->errors++;
    reading_stop(self, NESS_LIMIT, "%lld %s are too many: at most %d",
                 (long long)(states > IMPORT_MAX ? states : entries), states > IMPORT_MAX ? "states" : "rates",
                 IMPORT_MAX);
    return false;
  }
  const bool room = states <= self->size + STATES_FREE;
  if (room && entries <= self->size / least) return true;
  reading_fail(self, at, "the file may be cut off", "a file of %lld bytes cannot hold %lld %s", (long long)self->size,
               (long long)(room ? entries : states), room ? "rates" : "states");
  return false;
}

void rates_take(reading *self, const word *at, int32_t from, int32_t to, double rate)
{
  import_rates *const out = rates_of(self);
  char number[32], a[16], b[16];
  if (!isfinite(rate) || (rate < 0 && !(rates_of(self)->matrix && from == to))) {
    number_short(rate, 9, number);
    reading_fail(self, at, NULL, "the rate from %s to %s is %s, expected a finite number%s",
                 import_state_name(out, from, a), import_state_name(out, to, b), number,
                 rate < 0 && isfinite(rate) ? " that is not negative" : "");
    return;
  }
  if (rate == 0) return;
  if (out->count >= IMPORT_MAX) {
    reading_stop(self, NESS_LIMIT, "more than %d rates", IMPORT_MAX);
    return;
  }
  if (!mem_grow(&out->rate, &out->capacity, out->count + 1, sizeof *out->rate)) {
    reading_stop(self, NESS_NOMEM, NULL);
    return;
  }
  out->rate[out->count++] = (import_rate){rate, from, to, self->number};
}

/* --- order --- */

static int32_t entry_key(const import_rate *entry, bool by_to)
{
  return by_to ? entry->to : entry->from;
}

static void entries_pass(const import_rate *in, int64_t count, bool by_to, int64_t *place, int32_t n, import_rate *out)
{
  memset(place, 0, ((size_t)n + 1) * sizeof *place);
  for (int64_t e = 0; e < count; e++) place[entry_key(&in[e], by_to) + 1]++;
  for (int32_t i = 0; i < n; i++) place[i + 1] += place[i];
  for (int64_t e = 0; e < count; e++) out[place[entry_key(&in[e], by_to)]++] = in[e];
}

static bool entries_sort(import_rates *self)
{
  bool sorted = true;
  for (int64_t e = 1; e < self->count && sorted; e++) {
    const import_rate *const a = &self->rate[e - 1], *const b = &self->rate[e];
    sorted = a->from < b->from || (a->from == b->from && a->to <= b->to);
  }
  if (sorted) return true;
  import_rate *const other = mem_zero((size_t)self->count, sizeof *other);
  int64_t *const place = mem_zero((size_t)self->n + 1, sizeof *place);
  if (other && place) {
    entries_pass(self->rate, self->count, true, place, self->n, other);
    entries_pass(other, self->count, false, place, self->n, self->rate);
  }
  mem_free(place);
  mem_free(other);
  return other && place;
}

static void entries_double(reading *self)
{
  char a[16], b[16];
  for (int64_t e = 1; e < rates_of(self)->count && reading_on(self); e++) {
    const import_rate *const first = &rates_of(self)->rate[e - 1], *const second = &rates_of(self)->rate[e];
    if (first->from != second->from || first->to != second->to) continue;
    self->number = second->line;
    reading_fail(self, NULL, "a matrix has one value in a place; parallel transitions can be told in a .tra",
                 "the rate from %s to %s is given a second time, first in line %d",
                 import_state_name(rates_of(self), first->from, a), import_state_name(rates_of(self), first->to, b),
                 first->line);
  }
}

/* --- the diagonal --- */

typedef struct diagonal {
  double *value, *row, *column; /* (n) the diagonal, and the sums beside it */
} diagonal;

static int32_t diagonal_misfit(const diagonal *self, const double *sum, int32_t n)
{
  for (int32_t i = 0; i < n; i++) {
    if (!(fabs(self->value[i] + sum[i]) <= DIAGONAL_TOLERANCE * (fabs(self->value[i]) + sum[i]))) return i;
  }
  return -1;
}

static void diagonal_judge(reading *self, const diagonal *d)
{
  const int32_t bad = diagonal_misfit(d, d->row, rates_of(self)->n);
  char name[16], value[32], sum[32];
  if (bad < 0) return;
  number_short(d->value[bad], 6, value);
  number_short(d->row[bad], 6, sum);
  const char *const state = import_state_name(rates_of(self), bad, name);
  if (diagonal_misfit(d, d->column, rates_of(self)->n) < 0) {
    self->errors++;
    diag_add_at(self->diags, NESS_ERROR, self->path, 0, 0, 1, NULL,
                "transpose it: the rate from state i to state j stands in row i, column j",
                "the columns of the matrix sum to zero, not its rows: the diagonal of %s is %s, but its row has %s",
                state, value, sum);
    return;
  }
  diag_add_at(self->diags, NESS_WARNING, self->path, 0, 0, 1, NULL,
              "the rate from state i to state j stands in row i, column j; the diagonal is not used",
              "the diagonal of %s is %s, but the rates out of it sum to %s", state, value, sum);
}

/* Holds a diagonal that is given against the rows. False when memory is out. */
static bool diagonal_check(reading *self)
{
  const import_rates *const out = rates_of(self);
  const size_t n = (size_t)out->n;
  bool given = false;
  for (int64_t e = 0; e < out->count && !given; e++) given = out->rate[e].from == out->rate[e].to;
  if (!given) return true;
  diagonal d = {mem_zero(n, sizeof(double)), mem_zero(n, sizeof(double)), mem_zero(n, sizeof(double))};
  const bool room = d.value && d.row && d.column;
  for (int64_t e = 0; e < out->count && room; e++) {
    const import_rate *const entry = &out->rate[e];
    if (entry->from == entry->to) {
      d.value[entry->from] = entry->rate;
      continue;
    }
    d.row[entry->from] += entry->rate;
    d.column[entry->to] += entry->rate;
  }
  if (room) diagonal_judge(self, &d);
  mem_free(d.value);
  mem_free(d.row);
  mem_free(d.column);
  return room;
}

void rates_finish(reading *self)
{
  import_rates *const out = rates_of(self);
  if (self->status || self->errors > 0) return;
  if (!entries_sort(out)) {
    reading_stop(self, NESS_NOMEM, NULL);
    return;
  }
  self->line = NULL;
  if (rates_of(self)->matrix) entries_double(self);
  self->number = 0;
  self->byte = 0;
  if (rates_of(self)->matrix && self->errors == 0 && !diagonal_check(self)) reading_stop(self, NESS_NOMEM, NULL);
  int64_t kept = 0;
  for (int64_t e = 0; e < out->count; e++) {
    if (out->rate[e].from != out->rate[e].to) out->rate[kept++] = out->rate[e];
  }
  out->count = kept;
  if (!self->status && self->errors == 0 && kept == 0)
    reading_fail(self, NULL, "a chain needs at least one rate from a state to another", "there is no rate");
}
