/* What the columns of a record are. In this order: the option, the names of a header, the look of the first rows.
 * Invariant: what was decided is said in the result, and what cannot be decided is an error with the option that does.
 * Cost: the first rows. */
#include "analysis/record/record.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_ROWS 1000
#define LOOK_BYTES ((size_t)1 << 20)
#define DWELL_SHARE                                                                                                    \
  0.05 /* of steps down: times hardly ever go back, every second dwell is shorter than the one before */

typedef enum role { ROLE_TIME, ROLE_DWELL, ROLE_STATE, ROLE_REPLICA, ROLES, ROLE_SKIP, ROLE_NONE } role;

static const char *const role_names[ROLES] = {"time", "dwell", "state", "replica"};

/* Words that headers begin with. */
static const char *const role_words[ROLES][12] = {
    {"time", "times", "t", "start", "onset", "timestamp"},
    {"dwell", "dwells", "dwelltime", "duration", "lifetime", "dt", "tau", "interval", "length"},
    {"state", "states", "s", "level", "class", "amplitude", "amp", "current", "conductance", "label"},
    {"replica", "trajectory", "traj", "trace", "run", "molecule", "particle", "sweep", "channel", "track", "id"}};

typedef struct look {      /* at the first rows */
  int32_t columns, header; /* header: its line */
  role from_header[RECORD_COLUMNS];
  int64_t rows, numbers[RECORD_COLUMNS], broken[RECORD_COLUMNS]; /* cells that are numbers, and not whole ones */
} look;

static role role_of(word name)
{
  size_t n = 0;
  while (n < name.length && isalpha((unsigned char)name.text[n])) n++;
  for (int32_t r = 0; r < ROLES; r++)
    for (int32_t k = 0; k < 12 && role_words[r][k]; k++)
      if (word_is((word){name.text, n}, role_words[r][k])) return (role)r;
  return ROLE_NONE;
}

/* --- the first rows --- */

/* Counts a row; returns how many of its cells are numbers. */
static int32_t look_row(look *self, const cells *line)
{
  word cell;
  double value;
  int32_t column = 0, numbers = 0;
  for (; column < RECORD_COLUMNS && cells_next(line, &cell); column++) {
    if (!word_number(cell, &value)) continue;
    numbers++;
    self->numbers[column]++;
    self->broken[column] += value != floor(value);
  }
  if (self->rows++ == 0 && self->columns == 0) self->columns = column;
  return numbers;
}

/* A first row without a number is a header where another row has one, or where it names what it holds. */
static void look_header(look *self, const cells *line)
{
  word cell;
  const look none = {.header = line->r->number};
  *self = none;
  for (; self->columns < RECORD_COLUMNS && cells_next(line, &cell); self->columns++)
    self->from_header[self->columns] = role_of(cell);
}

static bool look_named(const look *self)
{
  for (int32_t c = 0; c < self->columns; c++)
    if (self->from_header[c] < ROLES) return true;
  return false;
}

static ness_status look_text(record *self, const char *head, size_t length, look *out)
{
  reading r;
  look second = {0}, first;
  ness_status status = reading_open(&r, self->path, head, length, self->diags, NULL);
  if (!status && r.errors == 0 && reading_row(&r, '#')) {
    self->layout.comma = cells_comma(&r);
    const cells line = {&r, self->layout.comma, true};
    const bool words = look_row(&second, &line) == 0;
    first = second;
    if (words) {
      r.cursor = r.line;
      look_header(&first, &line);
    }
    *out = first;
    for (int64_t k = 1; k < LOOK_ROWS && reading_row(&r, '#'); k++) look_row(out, &line);
    bool numbers = false;
    for (int32_t c = 0; c < out->columns; c++) numbers |= out->numbers[c] > 0;
    if (words && !numbers && !look_named(out)) { /* names of states, from the first row on */
      out->header = 0;
      out->rows++;
    }
    if (out->columns == RECORD_COLUMNS) {
      diag_add(self->diags, NESS_ERROR, "%s has %d columns or more", self->path, RECORD_COLUMNS);
      status = NESS_FORMAT;
    } else if (out->rows == 0) {
      diag_add(self->diags, NESS_ERROR, "%s has a header and no rows", self->path);
      status = NESS_FORMAT;
    }
  } else if (!status && r.errors == 0) {
    diag_add(self->diags, NESS_ERROR, "%s has no rows", self->path);
    status = NESS_FORMAT;
  }
  const ness_status closed = reading_close(&r);
  return status ? status : closed == NESS_MODEL ? NESS_FORMAT : closed;
}

/* --- decisions --- */

static ness_status layout_fail(const record *self, const char *why)
{
  diag_add(self->diags, NESS_ERROR, "%s: %s", self->path, why);
  diag_hint(self->diags, "--columns names them in order, as --columns time,state,replica; '-' skips one");
  return NESS_FORMAT;
}

static void layout_take(record_layout *self, role what, int32_t column)
{
  if (what == ROLE_TIME || what == ROLE_DWELL) {
    self->number = column;
    self->form = what == ROLE_TIME ? RECORD_TIMES : RECORD_DWELLS;
  } else if (what == ROLE_STATE) {
    self->state = column;
  } else if (what == ROLE_REPLICA) {
    self->replica = column;
  }
}

/* --columns time,state,-,replica */
static ness_status layout_option(record *self, const char *option)
{
  bool met[ROLES] = {false, false, false, false};
  int32_t column = 0;
  for (const char *p = option;; column++) {
    const size_t n = strcspn(p, ",");
    role what = n == 1 && *p == '-' ? ROLE_SKIP : ROLE_NONE;
    for (int32_t r = 0; r < ROLES; r++)
      if (word_is((word){p, n}, role_names[r])) what = (role)r;
    if (what == ROLE_NONE || (what < ROLES && met[what])) {
      diag_add(self->diags, NESS_ERROR, "--columns %s: '%.*s' is %s", option, (int)(n < 40 ? n : 40), p,
               what == ROLE_NONE ? "none of time, dwell, state, replica and -" : "there twice");
      return NESS_USAGE;
    }
    if (what < ROLES) met[what] = true;
    layout_take(&self->layout, what, column);
    p += n;
    if (!*p++) break;
  }
  if (!met[ROLE_STATE] || (met[ROLE_TIME] && met[ROLE_DWELL])) {
    diag_add(self->diags, NESS_ERROR, "--columns %s: %s", option,
             met[ROLE_STATE] ? "a row has a time or a dwell time, not both" : "no column is the state");
    return NESS_USAGE;
  }
  if (column < self->layout.columns) return NESS_OK;
  return layout_fail(self, "--columns names more columns than there are");
}

/* By place, for what the header did not name: time or dwell, state, replica. */
static ness_status layout_guess(record *self, const look *seen, bool steps)
{
  record_layout *const layout = &self->layout;
  const int32_t n = layout->columns;
  if (layout->state >= 0 && (layout->number >= 0 || steps)) return NESS_OK;
  if (layout->state < 0 && layout->number < 0 && layout->replica < 0 && steps && n <= 2) {
    layout->state = 0;
    layout->replica = n - 2;
    return NESS_OK;
  }
  if (n == 1) {
    layout->state = 0;
    if (steps) return NESS_OK;
    diag_add(self->diags, NESS_ERROR, "%s has one column: the time between its rows is not known", self->path);
    diag_hint(self->diags, "--step 1ms says that they are so far apart; else rows are (time, state) or (dwell, state)");
    return NESS_FORMAT;
  }
  int32_t left[RECORD_COLUMNS], free = 0;
  for (int32_t c = 0; c < n; c++)
    if (c != layout->number && c != layout->state && c != layout->replica) left[free++] = c;
  const bool none = layout->number < 0 && layout->state < 0 && layout->replica < 0;
  const int32_t wanted = (layout->number < 0 && !steps) + (layout->state < 0);
  if (free > 3 || (!none && free != wanted)) return layout_fail(self, "which column is which cannot be told");
  const bool words = free > 0 && seen->numbers[left[0]] == 0;
  if (free == 3 && !seen->broken[left[0]] && seen->broken[left[1]]) { /* whole numbers, then broken ones */
    layout->replica = left[0];
    left[0] = left[1];
    left[1] = left[2];
  } else if (free == 3) {
    layout->replica = left[2];
  } else if (free == 2 && words && seen->numbers[left[1]] > 0) { /* state first */
    const int32_t state = left[0];
    left[0] = left[1];
    left[1] = state;
  }
  for (int32_t k = 0; k < free && k < 2; k++) {
    if (layout->number < 0 && !steps) layout->number = left[k];
    else if (layout->state < 0) layout->state = left[k];
  }
  return layout->state >= 0 && (layout->number >= 0 || steps)
             ? NESS_OK
             : layout_fail(self, "which column is which cannot be told");
}

/* *open: times and dwell times are not told apart yet. */
static ness_status layout_decide(record *self, const look *seen, const ness_analyze_options *options, bool *open)
{
  record_layout *const layout = &self->layout;
  const bool steps = options->step > 0;
  bool named = false;
  ness_status status = NESS_OK;
  layout->number = layout->state = layout->replica = -1;
  layout->columns = seen->columns;
  layout->header = seen->header;
  layout->form = RECORD_STEPS;
  layout->step = options->step;
  if (options->columns) {
    status = layout_option(self, options->columns);
    if (!status && layout->number < 0 && !steps)
      status = layout_fail(self, "no column is a time, and no --step is given");
    named = layout->number >= 0;
  } else {
    for (int32_t c = seen->columns - 1; c >= 0 && seen->header; c--) layout_take(layout, seen->from_header[c], c);
    named = layout->number >= 0;
    status = layout_guess(self, seen, steps);
  }
  if (!status && steps && layout->number >= 0) {
    diag_add(self->diags, NESS_ERROR, "%s: column %d is a time, and --step says that rows have none", self->path,
             layout->number + 1);
    diag_hint(self->diags, "leave --step out, or skip the column: --columns -,state");
    return NESS_USAGE;
  }
  if (!status && layout->number >= 0 && !named) layout->form = RECORD_TIMES;
  *open = !named;
  return status;
}

/* Whether a column that nobody named holds dwell times: within a replica it goes down again and again. */
static ness_status layout_falls(record *self, const char *head, size_t length)
{
  record_layout *const layout = &self->layout;
  record_rows rows = {0};
  double *last = NULL;
  int64_t falls = 0, steps = 0;
  ness_status status;
  if (layout->npy) {
    const int64_t width = layout->head.fields > 1 ? layout->head.row : (int64_t)layout->head.row * layout->columns;
    const int64_t there = ((int64_t)length - layout->head.data) / width;
    const bool columns = layout->head.columns && layout->head.fields == 1 && layout->columns > 1;
    const int64_t most =
        columns && there < layout->head.size[0] ? 0 : there; /* columns are there whole or not at all */
    const int64_t count = most < layout->head.size[0] ? most : layout->head.size[0];
    status = record_rows_npy(self, (const unsigned char *)head + layout->head.data, 0, count, &rows);
  } else {
    while (length > 0 && length == LOOK_BYTES && head[length - 1] != '\n') length--;
    status = record_rows_text(self, head, length, 1, true, NULL, &rows);
    if (status == NESS_FORMAT) status = NESS_OK; /* said with its line when the whole is read */
  }
  if (!status && !(last = mem_zero((size_t)rows.replicas.count + 1, sizeof *last))) status = NESS_NOMEM;
  for (int32_t r = 0; !status && r <= rows.replicas.count; r++) last[r] = (double)NAN;
  for (int64_t i = 0; !status && i < rows.count; i++) {
    double *const before = &last[rows.replica[i]];
    steps += *before >= rows.number[i] || *before < rows.number[i];
    falls += *before > rows.number[i];
    *before = rows.number[i];
  }
  if ((double)falls > DWELL_SHARE * (double)steps) layout->form = RECORD_DWELLS;
  record_rows_free(&rows);
  mem_free(last);
  return status;
}

/* --- .npy --- */

static ness_status look_npy(record *self, const char *bytes, size_t length, look *out)
{
  npy_head *const head = &self->layout.head;
  reading r;
  ness_status status = reading_open(&r, self->path, bytes, length, self->diags, NULL);
  r.size = self->size;
  const bool read = !status && r.errors == 0 && npy_open(&r, head) && npy_whole(&r, head);
  if (read && !head->field[0].kind) {
    char shown[48];
    r.byte = head->type_byte;
    reading_fail(&r, NULL, NULL, "elements of type '%s', expected float, int or bool, little-endian",
                 word_show(head->field[0].type, shown));
  } else if (read) {
    const bool named = head->fields > 1 || head->field[0].name.length > 0;
    out->header = named ? 1 : 0;
    out->columns = named                            ? head->fields
                   : head->dimensions == 1          ? 1
                   : head->size[1] < RECORD_COLUMNS ? (int32_t)head->size[1]
                                                    : RECORD_COLUMNS;
    for (int32_t c = 0; c < head->fields && named; c++) out->from_header[c] = role_of(head->field[c].name);
    r.byte = head->shape_byte;
    if (head->dimensions != (named ? 1 : 2) && !(head->dimensions == 1 && !named))
      reading_fail(&r, NULL, NULL, "%d dimensions, expected rows and columns", head->dimensions);
    else if (head->size[0] < 1 || out->columns < 1 || out->columns == RECORD_COLUMNS)
      reading_fail(&r, NULL, NULL, "%lld rows of %d columns", (long long)head->size[0], out->columns);
  }
  const ness_status closed = reading_close(&r);
  status = status ? status : closed;
  return status == NESS_MODEL ? NESS_FORMAT : status;
}

/* The rows that the file has, and how its columns look. */
static ness_status look_numbers(record *self, const char *bytes, size_t length, look *out)
{
  npy_head *const head = &self->layout.head;
  const bool fields = head->fields > 1 || out->header;
  const int64_t width = fields ? head->row : (int64_t)head->row * out->columns;
  const int64_t there = (self->size - head->data) / width;
  if (there < head->size[0]) {
    const bool useless = there <= 0 || (head->columns && out->columns > 1);
    diag_add(self->diags, useless ? NESS_ERROR : NESS_WARNING, "%s is cut off: it has %lld of %lld rows%s", self->path,
             (long long)there, (long long)head->size[0],
             useless && there > 0 ? ", and columns stand one behind the other" : "");
    if (useless) return NESS_FORMAT;
    head->size[0] = there;
  }
  const int64_t most = ((int64_t)length - head->data) / width;
  for (int64_t i = 0; i < most && i < LOOK_ROWS && i < head->size[0]; i++) {
    for (int32_t c = 0; c < out->columns; c++) {
      const npy_field *const field = &head->field[fields ? c : 0];
      const int64_t at = fields                              ? i * head->row + field->at
                         : head->columns && out->columns > 1 ? (c * head->size[0] + i) * head->row
                                                             : i * width + c * head->row;
      if (head->data + at + field->item > (int64_t)length) continue;
      const double value = npy_number((const unsigned char *)bytes + head->data + at, field->kind, field->item);
      out->numbers[c]++;
      out->broken[c] += value != floor(value);
    }
    out->rows++;
  }
  return NESS_OK;
}

ness_status record_layout_find(record *self, const ness_analyze_options *options)
{
  char *const head = mem_alloc(LOOK_BYTES);
  look *const seen = mem_zero(1, sizeof *seen);
  ness_status status = head && seen ? NESS_OK : NESS_NOMEM;
  size_t length = 0;
  FILE *const in = status || self->content ? NULL : fopen(self->path, "rb");
  if (!status && self->content) {
    length = self->length < LOOK_BYTES ? self->length : LOOK_BYTES;
    memcpy(head, self->content, length);
  } else if (in) {
    length = fread(head, 1, LOOK_BYTES, in);
  }
  if (in) fclose(in);
  self->layout.npy = length >= 6 && memcmp(head, "\x93NUMPY", 6) == 0;
  if (!status && length == 0) {
    diag_add(self->diags, NESS_ERROR, "%s is empty", self->path);
    status = NESS_FORMAT;
  } else if (!status && !self->layout.npy && memchr(head, 0, length)) {
    diag_add(self->diags, NESS_ERROR, "%s is neither a dump nor a table of text nor a .npy", self->path);
    status = NESS_FORMAT;
  }
  if (!status && self->layout.npy) {
    status = look_npy(self, head, length, seen);
    if (!status) status = look_numbers(self, head, length, seen);
  } else if (!status) {
    status = look_text(self, head, length, seen);
  }
  bool open = false;
  if (!status) status = layout_decide(self, seen, options, &open);
  if (!status && open && self->layout.number >= 0) status = layout_falls(self, head, length);
  mem_free(head);
  mem_free(seen);
  return status;
}

void record_layout_text(const record *self, text_buffer *out)
{
  const record_layout *const layout = &self->layout;
  char step[32];
  if (layout->form == RECORD_STEPS) {
    number_short(layout->step, 6, step);
    text_add(out, "states at steps of %s s, ", step);
  } else {
    text_add(out, "%s in column %d, ", layout->form == RECORD_TIMES ? "time" : "dwell time", layout->number + 1);
  }
  text_add(out, "state in column %d", layout->state + 1);
  if (layout->replica >= 0)
    text_add(out, ", %d replica%s by column %d", self->replicas.count, self->replicas.count == 1 ? "" : "s",
             layout->replica + 1);
  text_add(out, "%s", layout->header && !layout->npy ? ", a header" : "");
}
