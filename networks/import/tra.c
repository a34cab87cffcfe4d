/* PRISM's explicit files: .tra with "states transitions" and a line "from to rate" each, states from 0 (the word ctmc
 * may stand before all, and a label behind a rate), and .sta with "(x,y)" and a line "0:(3,1)" each. Entries of one
 * pair that come again are parallel transitions. Cost: one pass. */
#include "read.h"

#include <string.h>

#define ENTRY_LEAST 6 /* bytes of "0 1 2" and its end, near enough */

/* "states transitions"; false after a report. */
static bool tra_header(reading *self, int64_t *states, int64_t *entries)
{
  static const char *const others[] = {"dtmc", "mdp", "ma", "pomdp"};
  word w;
  if (!reading_row(self, '#')) {
    if (self->errors == 0) reading_fail(self, NULL, NULL, "expected the numbers of states and of transitions");
    return false;
  }
  reading_word(self, &w);
  if (word_is(w, "ctmc")) {
    if (!reading_word(self, &w) && reading_row(self, '#')) reading_word(self, &w);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (!word_is(w, others[i])) continue;
    reading_fail(self, &w, NULL, "this is a %s, expected a chain in continuous time (ctmc)", others[i]);
    return false;
  }
  const word first = w;
  *states = reading_count(self, w, "the number of states", 1, INT64_MAX);
  if (*states < 0) return false;
  reading_word(self, &w);
  *entries = reading_count(self, w, "the number of transitions", 0, INT64_MAX);
  if (*entries < 0) return false;
  if (reading_word(self, &w)) {
    reading_fail(self, &w, "three numbers stand above a decision process",
                 "expected two numbers, states and transitions");
    return false;
  }
  return rates_claim(self, &first, *states, *entries, ENTRY_LEAST - 1);
}

static void tra_entry(reading *self, int64_t states)
{
  word from, to, rate, more;
  char shown[48];
  double value;
  reading_word(self, &from);
  reading_word(self, &to);
  const int64_t i = reading_count(self, from, "the state a transition leaves", 0, states - 1);
  const int64_t j = i < 0 ? -1 : reading_count(self, to, "the state a transition leads to", 0, states - 1);
  if (j < 0) return;
  if (!reading_word(self, &rate)) {
    reading_fail(self, NULL, NULL, "expected a rate, found the end of the line");
  } else if (!word_number(rate, &value)) {
    reading_fail(self, &rate, NULL, "expected a rate, found '%s'", word_show(rate, shown));
  } else if (reading_word(self, &more) && reading_word(self, &more)) { /* the first one is the label of an action */
    reading_fail(self, &more, NULL, "expected the end of the line, found '%s'", word_show(more, shown));
  } else {
    rates_take(self, &rate, (int32_t)i, (int32_t)j, value);
  }
}

void tra_read(reading *self)
{
  int64_t states, entries, met = 0;
  if (!tra_header(self, &states, &entries)) return;
  rates_of(self)->n = (int32_t)states;
  for (; reading_row(self, '#'); met++) tra_entry(self, states);
  if (self->errors > 0 || self->status || met == entries) return;
  self->line = NULL;
  reading_fail(self, NULL, met < entries ? "the file may be cut off" : NULL,
               "the first line promises %lld transitions, the file has %lld", (long long)entries, (long long)met);
}

/* --- .sta --- */

/* What stands between the outer parentheses of the rest of the line. */
static bool sta_values(reading *self, word *out)
{
  word whole;
  while (*self->cursor == ' ' || *self->cursor == '\t') self->cursor++;
  whole = (word){self->cursor, (size_t)(self->line + self->length - self->cursor)};
  while (whole.length > 0 && (whole.text[whole.length - 1] == ' ' || whole.text[whole.length - 1] == '\t'))
    whole.length--;
  if (whole.length < 2 || whole.text[0] != '(' || whole.text[whole.length - 1] != ')') {
    reading_fail(self, whole.length ? &whole : NULL, NULL, "expected values in parentheses, as (0,1)");
    return false;
  }
  *out = (word){whole.text + 1, whole.length - 2};
  return true;
}

/* One variable: "C" is the name as it is and 3 becomes x[3]; several: the name is "(0,1)". */
static void sta_name(reading *self, const char *variable, word values)
{
  char text[2 * NAME_BYTES_MAX + 8];
  int64_t number;
  word name = values;
  if (!variable[0]) {
    name = (word){values.text - 1, values.length + 2};
  } else if (word_int(values, &number)) {
    const int length = snprintf(text, sizeof text, "%s[%lld]", variable, (long long)number);
    name = (word){text, (size_t)length};
  }
  names_take(&rates_of(self)->names, self, name, true);
}

void tra_states(reading *self)
{
  char variable[NAME_BYTES_MAX + 1] = "";
  const int32_t n = rates_of(self)->n;
  int32_t met = 0;
  word values;
  if (!reading_row(self, '#')) {
    if (self->errors == 0) reading_fail(self, NULL, NULL, "expected the names of variables, as (x,y)");
    return;
  }
  if (!sta_values(self, &values)) return;
  if (!memchr(values.text, ',', values.length)) {
    if (values.length == 0 || values.length > NAME_BYTES_MAX - 20) {
      reading_fail(self, &values, NULL, "expected the name of a variable");
      return;
    }
    memcpy(variable, values.text, values.length);
  }
  while (reading_row(self, '#')) {
    char *const colon = memchr(self->line, ':', self->length);
    const size_t blank = strspn(self->line, " \t");
    int64_t id;
    const word number = {self->line + blank, colon ? (size_t)(colon - self->line) - blank : 0};
    if (met == n) {
      reading_fail(self, NULL, NULL, "expected the end of the file: the .tra has %d states", n);
      return;
    }
    if (!colon || !word_int(number, &id) || id != met) {
      reading_fail(self, NULL, NULL, "expected '%d:' and the values of that state", met);
      return;
    }
    self->cursor = colon + 1;
    if (!sta_values(self, &values)) return;
    sta_name(self, variable, values);
    met++;
  }
  self->line = NULL;
  if (self->errors == 0 && !self->status && met < n)
    reading_fail(self, NULL, NULL, "expected %d states, as the .tra has, found %d", n, met);
}
