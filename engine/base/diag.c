/* The list of diagnostics and the one renderer that shows them. Invariant: at most DIAG_ERRORS errors are kept and
 * those beyond are counted; texts are copied, so that the source may go. A diagnostic that finds no memory is counted
 * too. Every call takes a NULL list and passes over it. Cost: O(text). */
#include "base.h"

#include <stdio.h>
#include <string.h>

#define DIAG_ERRORS 20
#define DIAG_OTHERS 100 /* warnings and notes */
#define DIAG_TAB 8

struct ness_diags {
  arena texts;
  ness_diag *list;
  int64_t capacity;
  int32_t count, errors, others, more;
  bool newest_kept;
};

ness_diags *ness_diags_create(void)
{
  return mem_zero(1, sizeof(ness_diags));
}

void ness_diags_free(ness_diags *self)
{
  if (self) {
    arena_free(&self->texts);
    mem_free(self->list);
    mem_free(self);
  }
}

int32_t ness_diags_count(const ness_diags *self, int32_t *more)
{
  if (more) {
    *more = self ? self->more : 0;
  }
  return self ? self->count : 0;
}

const ness_diag *ness_diags_get(const ness_diags *self, int32_t index)
{
  return self && index >= 0 && index < self->count ? &self->list[index] : NULL;
}

int32_t diag_errors(const ness_diags *self)
{
  return self ? self->errors : 0;
}

static char *diag_format(arena *texts, const char *format, va_list args)
{
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *out = length < 0 ? NULL : arena_alloc(texts, (size_t)length + 1);
  if (out) {
    vsnprintf(out, (size_t)length + 1, format, args);
  }
  return out;
}

static char *diag_copy(arena *texts, const char *text)
{
  return text ? arena_text(texts, text, strcspn(text, "\r\n")) : NULL;
}

static void diag_put(ness_diags *self, const ness_diag *where, const char *format, va_list args)
{
  const bool error = where->severity == NESS_ERROR;
  const bool full = error ? self->errors >= DIAG_ERRORS : self->others >= DIAG_OTHERS;
  self->errors += error;
  self->others += !error;
  self->newest_kept = false;
  ness_diag kept = *where;
  if (!full && mem_grow(&self->list, &self->capacity, self->count + 1, sizeof *self->list)) {
    kept.message = diag_format(&self->texts, format, args);
    kept.file = diag_copy(&self->texts, where->file);
    kept.source_line = diag_copy(&self->texts, where->source_line);
    kept.hint = diag_copy(&self->texts, where->hint);
    self->newest_kept = kept.message != NULL;
  }
  if (self->newest_kept) {
    self->list[self->count++] = kept;
  } else {
    self->more++;
  }
}

void diag_add(ness_diags *self, ness_severity severity, const char *format, ...)
{
  va_list args;
  if (self) {
    va_start(args, format);
    diag_put(self, &(ness_diag){.severity = severity, .span = 1}, format, args);
    va_end(args);
  }
}

void diag_add_at(ness_diags *self, ness_severity severity, const char *file, int32_t line, int32_t column, int32_t span,
                 const char *source_line, const char *hint, const char *format, ...)
{
  va_list args;
  if (self) {
    const ness_diag where = {severity, line, column, span < 1 ? 1 : span, file, source_line, NULL, hint};
    va_start(args, format);
    diag_put(self, &where, format, args);
    va_end(args);
  }
}

void diag_hint(ness_diags *self, const char *format, ...)
{
  va_list args;
  if (self && self->newest_kept) {
    va_start(args, format);
    self->list[self->count - 1].hint = diag_format(&self->texts, format, args);
    va_end(args);
  }
}

/* The source line with tabs as spaces and control characters as ?, and below it the caret. Columns count bytes, places
 * on the screen count characters: continuation bytes of UTF-8 take none. */
static void diag_source(text_buffer *out, const ness_diag *diag, const char *caret_on, const char *off)
{
  char gutter[16];
  text_buffer marks = {0};
  const int width = snprintf(gutter, sizeof gutter, "%5d", diag->line);
  const int64_t first = diag->column, last = first + diag->span; /* columns to mark */
  text_add(out, "%s | ", gutter);
  int place = 0;
  int64_t column = 1;
  for (const char *at = diag->source_line; *at; at++, column++) {
    const unsigned char c = (unsigned char)*at;
    const int step = c == '\t' ? DIAG_TAB - place % DIAG_TAB : (c & 0xC0) != 0x80;
    if (c == '\t') {
      text_repeat(out, ' ', step);
    } else {
      text_put(out, c < 32 || c == 127 ? "?" : at, 1);
    }
    if (column == first) {
      text_put(&marks, "^", 1);
      text_repeat(&marks, '~', step - 1);
    } else if (column < last) {
      text_repeat(&marks, column < first ? ' ' : '~', step);
    }
    place += step;
  }
  if (column <= first) {
    text_put(&marks, "^", 1); /* behind the end of the line */
  }
  text_add(out, "\n%*s | ", width, "");
  const size_t lead = marks.data ? strspn(marks.data, " ") : 0;
  text_put(out, marks.data ? marks.data : "", lead);
  text_add(out, "%s%s%s\n", caret_on, marks.data ? marks.data + lead : "", off);
  out->failed |= marks.failed;
  text_clear(&marks);
}

char *ness_diags_render(const ness_diags *self, int color)
{
  static const char *const words[] = {"error", "warning", "note"};
  static const char *const colors[] = {"\033[1;31m", "\033[1;35m", "\033[1;36m"};
  text_buffer out = {0};
  const char *const bold = color ? "\033[1m" : "", *const off = color ? "\033[0m" : "";
  for (int32_t i = 0; self && i < self->count; i++) {
    const ness_diag *diag = &self->list[i];
    const int kind = diag->severity == NESS_ERROR ? 0 : diag->severity == NESS_WARNING ? 1 : 2;
    const char *const on = color ? colors[kind] : "";
    if (diag->file && diag->line > 0 && diag->column > 0) {
      text_add(&out, "%s%s:%d:%d:%s ", bold, diag->file, diag->line, diag->column, off);
    } else if (diag->file && diag->line > 0) {
      text_add(&out, "%s%s:%d:%s ", bold, diag->file, diag->line, off);
    } else if (diag->file) {
      text_add(&out, "%s%s:%s ", bold, diag->file, off);
    } else if (diag->line > 0) {
      text_add(&out, "%sline %d:%s ", bold, diag->line, off);
    }
    text_add(&out, "%s%s:%s %s\n", on, words[kind], off, diag->message);
    if (diag->source_line && diag->line > 0 && diag->column > 0) {
      diag_source(&out, diag, on, off);
    }
    if (diag->hint) {
      text_add(&out, "hint: %s\n", diag->hint);
    }
  }
  if (self && self->more > 0) {
    text_add(&out, "%d more %s not shown\n", self->more, self->more == 1 ? "is" : "are");
  }
  return text_take(&out);
}
