/* Files: reading, including, bundling, and the parser's token window. A file is a list of statements in their order,
 * with includes put in place behind the overrides they carry; experiments of an included model stay with it. Invariant:
 * parsing always ends, whatever the bytes; memory is a small multiple of the text. */
#include "networks/lang/parser.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void lang_error_list(ness_diags *diags, ness_severity severity, lang_place place, const char *hint, const char *format,
                     va_list list) BASE_PRINTF(5, 0);

void lang_error_list(ness_diags *diags, ness_severity severity, lang_place place, const char *hint, const char *format,
                     va_list list)
{
  char message[512], line[400] = "";
  vsnprintf(message, sizeof message, format, list);
  if (!place.source) {
    diag_add_at(diags, severity, NULL, 0, 0, 0, NULL, hint, "%s", message);
    return;
  }
  const char *const text = place.source->text;
  size_t start = (size_t)(place.offset - (place.column - 1)), end = (size_t)place.offset;
  while (end < place.source->length && text[end] != '\n' && text[end] != '\r' && end - start < sizeof line - 1) end++;
  if (place.column - 1 < (int32_t)sizeof line - 40 && end > start) memcpy(line, text + start, end - start);
  diag_add_at(diags, severity, place.source->name, place.line, place.column, place.length > 0 ? place.length : 1, line,
              hint, "%s", message);
}

void lang_error(ness_diags *diags, lang_place place, const char *hint, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  lang_error_list(diags, NESS_ERROR, place, hint, format, list);
  va_end(list);
}

void lang_warning(ness_diags *diags, lang_place place, const char *hint, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  lang_error_list(diags, NESS_WARNING, place, hint, format, list);
  va_end(list);
}

/* --- the token window --- */

void parser_start(parser *self, const lang_source *source)
{
  lexer_init(&self->lexer, source, self->diags);
  self->cur = lexer_next(&self->lexer);
  self->next = lexer_next(&self->lexer);
}

void parser_advance(parser *self)
{
  self->taken = self->cur.place;
  self->cur = self->next;
  if (self->cur.kind != TOKEN_END) self->next = lexer_next(&self->lexer);
}

bool parser_at(const parser *self, token_kind kind)
{
  return self->cur.kind == kind;
}

bool parser_at_word(const parser *self, const char *word)
{
  const size_t length = strlen(word);
  return self->cur.kind == TOKEN_NAME && (size_t)self->cur.place.length == length &&
         memcmp(self->cur.place.source->text + self->cur.place.offset, word, length) == 0;
}

bool parser_take(parser *self, token_kind kind)
{
  if (self->cur.kind != kind) return false;
  parser_advance(self);
  return true;
}

bool parser_take_word(parser *self, const char *word)
{
  if (!parser_at_word(self, word)) return false;
  parser_advance(self);
  return true;
}

void parser_fail(parser *self, const char *hint, const char *format, ...)
{
  if (self->panic) return;
  self->panic = true;
  va_list list;
  va_start(list, format);
  lang_error_list(self->diags, NESS_ERROR, self->cur.place, hint, format, list);
  va_end(list);
}

bool parser_expect(parser *self, token_kind kind, const char *what)
{
  if (parser_take(self, kind)) return true;
  parser_fail(self, NULL, "expected %s%s%s, found %s", token_name(kind), what ? " " : "", what ? what : "",
              token_name(self->cur.kind));
  return false;
}

/* To the newline or the closing brace that ends the statement; braces opened on the way are passed over whole. */
void parser_sync(parser *self)
{
  int32_t braces = 0;
  while (self->panic && !parser_at(self, TOKEN_END)) {
    if (parser_at(self, TOKEN_LBRACE)) braces++;
    if (parser_at(self, TOKEN_RBRACE) && braces-- == 0) break;
    if (parser_at(self, TOKEN_NEWLINE) && braces == 0) break;
    parser_advance(self);
  }
  self->panic = false;
}

void parser_skip_newlines(parser *self)
{
  while (parser_take(self, TOKEN_NEWLINE)) continue;
}

char *parser_name(parser *self, const char *what)
{
  if (!parser_at(self, TOKEN_NAME)) {
    parser_fail(self, NULL, "expected a name%s%s, found %s", what ? " " : "", what ? what : "",
                token_name(self->cur.kind));
    return NULL;
  }
  if (self->cur.place.length > 200) {
    parser_fail(self, NULL, "this name is longer than 200 characters");
    return NULL;
  }
  char *const out = arena_text(&self->file->memory, self->cur.place.source->text + self->cur.place.offset,
                               (size_t)self->cur.place.length);
  parser_advance(self);
  return out;
}

void *parser_node(parser *self, size_t bytes)
{
  void *const out = arena_alloc(&self->file->memory, bytes);
  if (!out) self->panic = true;
  return out;
}

lang_place place_join(lang_place from, lang_place to)
{
  if (from.source == to.source && from.line == to.line && to.offset >= from.offset) {
    from.length = to.offset + to.length - from.offset;
  }
  return from;
}

/* --- sources --- */

static lang_source *parse_source_add(parser *self, const char *name, const char *text, size_t length)
{
  lang_source *const source = arena_alloc(&self->file->memory, sizeof *source);
  if (!source) return NULL;
  source->name = arena_text(&self->file->memory, name, strlen(name));
  source->text = arena_text(&self->file->memory, text, length);
  source->length = length;
  if (!source->text || !source->name) return NULL;
  lang_source **tail = &self->file->sources;
  while (*tail) tail = &(*tail)->next;
  *tail = source;
  return source;
}

/* The whole file, or NULL with a diagnostic at `place` (or without one when it has no source). */
static const lang_source *parse_source_read(parser *self, const char *path, lang_place place, ness_status *status)
{
  *status = NESS_IO;
  struct stat info;
  FILE *const in = fopen(path, "rb");
  if (!in || fstat(fileno(in), &info) != 0) {
    lang_error(self->diags, place, NULL, "cannot open %s: %s", path, strerror(errno));
    if (in) fclose(in);
    return NULL;
  }
  if (S_ISDIR(info.st_mode) || info.st_size > (off_t)LANG_MAX_FILE) {
    lang_error(self->diags, place, "a model or a table is text of at most 16 MiB",
               S_ISDIR(info.st_mode) ? "%s is a folder" : "%s is too large", path);
    fclose(in);
    return NULL;
  }
  /* Pipes say nothing of their size: read until the limit. */
  char *buffer = NULL;
  int64_t capacity = 0;
  size_t length = 0;
  bool fine = true;
  for (size_t got = 1; fine && got > 0 && length <= LANG_MAX_FILE;) {
    fine = mem_grow(&buffer, &capacity, (int64_t)length + 65536, 1);
    if (fine) {
      got = fread(buffer + length, 1, 65536, in);
      length += got;
    }
  }
  const lang_source *source = NULL;
  if (!fine) *status = NESS_NOMEM;
  else if (ferror(in)) lang_error(self->diags, place, NULL, "cannot read %s: %s", path, strerror(errno));
  else if (length > LANG_MAX_FILE)
    lang_error(self->diags, place, "a model or a table is text of at most 16 MiB", "%s is too large", path);
  else if (memchr(buffer, 0, length))
    lang_error(self->diags, place, "a model or a table is plain text", "%s holds zero bytes", path),
        *status = NESS_MODEL;
  else if (!(source = parse_source_add(self, path, buffer, length))) *status = NESS_NOMEM;
  fclose(in);
  mem_free(buffer);
  return source;
}

/* A path without the folder of the main file: the name of a source in a bundle, wherever that is read. */
static const char *parse_local(const lang_file *file, const char *path)
{
  const char *const slash = strrchr(file->sources->name, '/');
  const size_t length = slash ? (size_t)(slash - file->sources->name) + 1 : 0;
  return strncmp(path, file->sources->name, length) == 0 ? path + length : path;
}

static const lang_source *parse_source_find(const lang_source *list, const char *name)
{
  while (list && strcmp(list->name, name) != 0) list = list->next;
  return list;
}

/* --- the list of statements of one source --- */

static stmt *parse_source(parser *self)
{
  stmt *first = NULL, **tail = &first;
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_END); parser_skip_newlines(self)) {
    self->depth = 0;
    self->in_experiment = false;
    stmt *s = parser_statement(self);
    if (!self->panic && !parser_at(self, TOKEN_NEWLINE) && !parser_at(self, TOKEN_END)) {
      parser_fail(self, NULL, "expected the end of the line, found %s", token_name(self->cur.kind));
    }
    parser_sync(self);
    if (parser_at(self, TOKEN_RBRACE)) {
      lang_error(self->diags, self->cur.place, NULL, "this } closes nothing");
      parser_advance(self);
    }
    while (s) {
      stmt *const next = s->next;
      s->next = NULL;
      *tail = s;
      tail = &s->next;
      s = next;
    }
    if (self->file->memory.failed) break;
  }
  return first;
}

const char *parser_beside(parser *self, lang_place place)
{
  char *const given = arena_text(&self->file->memory, place.source->text + place.offset + 1, (size_t)place.length - 2);
  const char *const slash = strrchr(place.source->name, '/');
  if (!given || given[0] == '/' || !slash) return given;
  return arena_format(&self->file->memory, "%.*s/%s", (int)(slash - place.source->name), place.source->name, given);
}

const lang_source *parser_source(parser *self, lang_place place, const char *path)
{
  ness_status status;
  const lang_source *source = parse_source_find(self->bundle, parse_local(self->file, path));
  if (!source) source = parse_source_find(self->file->sources, path);
  return source ? source : parse_source_read(self, path, place, &status);
}

/* include "file" [with NAME = value, ...]: the overrides first, then the statements of the file, without its
 * experiments. */
bool parser_include(parser *self, stmt **out)
{
  const lang_place place = self->cur.place;
  *out = NULL;
  if (!parser_at(self, TOKEN_STRING)) {
    parser_fail(self, "write `include \"carrier.ness\" with V = -60 [mV]`", "expected a file name in quotes");
    return false;
  }
  const char *const path = parser_beside(self, place);
  parser_advance(self);
  stmt *overrides = NULL;
  if (parser_take_word(self, "with")) {
    overrides = parser_node(self, sizeof *overrides);
    if (!overrides) return false;
    overrides->kind = STMT_OVERRIDE;
    overrides->place = place;
    stmt_item **tail = &overrides->items;
    do {
      stmt_item *const item = parser_node(self, sizeof *item);
      if (!item || !parser_path(self, &item->path, &item->place)) return false;
      if (!parser_expect(self, TOKEN_ASSIGN, "and a value") || !(item->value = parser_expression(self))) return false;
      *tail = item;
      tail = &item->next;
    } while (parser_take(self, TOKEN_COMMA));
  }
  if (!path) return false;
  for (int32_t i = 0; i <= self->include_depth; i++) {
    if (strcmp(self->include_stack[i], path) == 0) {
      lang_error(self->diags, place, "a file cannot include itself, not even by way of others",
                 "%s is being read already", path);
      return false;
    }
  }
  if (self->include_depth + 1 >= LANG_MAX_INCLUDE) {
    lang_error(self->diags, place, NULL, "includes nest deeper than %d files", LANG_MAX_INCLUDE);
    return false;
  }
  const lang_source *const source = parser_source(self, place, path);
  if (!source) return false;
  const lexer outer = self->lexer;
  const token cur = self->cur, next = self->next;
  self->include_stack[++self->include_depth] = path;
  parser_start(self, source);
  stmt *list = parse_source(self), **tail = out;
  self->include_depth--;
  self->lexer = outer;
  self->cur = cur;
  self->next = next;
  if (overrides) *tail = overrides, tail = &overrides->next;
  for (stmt *s = list; s; s = list) {
    list = s->next;
    s->next = NULL;
    if (s->kind == STMT_EXPERIMENT) continue;
    *tail = s;
    tail = &s->next;
  }
  return true;
}

/* Cuts a bundle at its "#@file name" lines into the main text and further sources. */
static bool parse_unbundle(parser *self, const char *name, const char *text, size_t length)
{
  const char *const mark = "\n#@file ";
  const char *at = text, *const end = text + length;
  char *title = arena_text(&self->file->memory, name, strlen(name));
  while (title) {
    const char *cut = at;
    while (cut < end && ((size_t)(end - cut) < strlen(mark) || memcmp(cut, mark, strlen(mark)) != 0)) cut++;
    if (!parse_source_add(self, title, at, (size_t)(cut - at) + (cut < end))) return false;
    if (cut == end) return true;
    const char *const from = cut + strlen(mark);
    const char *const eol = memchr(from, '\n', (size_t)(end - from));
    title = arena_text(&self->file->memory, from, (size_t)((eol ? eol : end) - from));
    at = eol ? eol + 1 : end;
  }
  return false;
}

ness_status lang_parse(const char *path, const char *content, size_t length, ness_diags *diags, lang_file **out)
{
  *out = NULL;
  lang_file *const file = mem_zero(1, sizeof *file);
  if (!file) return NESS_NOMEM;
  parser p = {.file = file, .diags = diags};
  ness_status status = NESS_OK;
  const int32_t before = diag_errors(diags);
  if (content) {
    if (length > LANG_MAX_FILE) {
      diag_add(diags, NESS_ERROR, "the model text is too large: at most 16 MiB");
      status = NESS_MODEL;
    } else if (memchr(content, 0, length)) {
      diag_add(diags, NESS_ERROR, "the model text holds zero bytes");
      status = NESS_MODEL;
    } else if (!parse_unbundle(&p, path, content, length)) {
      status = NESS_NOMEM;
    }
    if (status == NESS_OK && file->sources) p.bundle = file->sources->next;
  } else {
    parse_source_read(&p, path, (lang_place){0}, &status);
    if (file->sources) status = NESS_OK;
  }
  if (status == NESS_OK) {
    p.include_stack[0] = file->sources->name;
    parser_start(&p, file->sources);
    stmt *s = parse_source(&p), **tail = &file->statements, **experiments = &file->experiments;
    while (s) {
      stmt *const next = s->next;
      s->next = NULL;
      stmt ***const where = s->kind == STMT_EXPERIMENT ? &experiments : &tail;
      **where = s;
      *where = &s->next;
      s = next;
    }
    if (!file->name) file->name = "unnamed";
    for (const stmt *t = file->statements; t; t = t->next)
      file->natural = file->natural || (t->kind == STMT_UNITS && t->natural);
    if (file->memory.failed) status = NESS_NOMEM;
    else if (diag_errors(diags) > before) status = NESS_MODEL;
    else if (!file->statements) {
      diag_add(diags, NESS_ERROR, "%s holds no model", path);
      diag_hint(diags, "the smallest model: `units natural`, `species A = 1, B = 0`, `A <-> B @ 1, 2`, a line each");
      status = NESS_MODEL;
    }
  }
  if (status != NESS_OK) {
    lang_file_free(file);
    return status;
  }
  *out = file;
  return NESS_OK;
}

void lang_file_free(lang_file *self)
{
  if (!self) return;
  arena_free(&self->memory);
  mem_free(self);
}

/* Copies a source, with the lines that a bundle would take for marks made plain comments. */
static void bundle_source(text_buffer *out, const lang_source *source)
{
  size_t from = 0;
  for (size_t i = 0; i + 7 < source->length; i++) {
    if ((i > 0 && source->text[i - 1] != '\n') || memcmp(source->text + i, "#@file ", 7) != 0) continue;
    text_put(out, source->text + from, i - from);
    text_put(out, "# ", 2);
    from = i + 1;
  }
  text_put(out, source->text + from, source->length - from);
}

char *lang_bundle(const lang_file *self)
{
  text_buffer out = {0};
  for (const lang_source *s = self->sources; s; s = s->next) {
    if (s != self->sources) {
      if (out.length && out.data[out.length - 1] != '\n') text_put(&out, "\n", 1);
      text_add(&out, "#@file %s\n", parse_local(self, s->name));
    }
    bundle_source(&out, s);
  }
  text_put(&out, "", 0);
  return text_take(&out);
}

/* --- single settings and expressions, for the command and the experiments --- */

static bool parse_fragment(parser *p, lang_file *self, const char *name, const char *content, ness_diags *diags)
{
  *p = (parser){.file = self, .diags = diags};
  lang_source *const source = arena_alloc(&self->memory, sizeof *source);
  if (!source) return false;
  *source = (lang_source){
      .name = name, .text = arena_text(&self->memory, content, strlen(content)), .length = strlen(content)};
  if (!source->text) return false;
  parser_start(p, source);
  return true;
}

ness_status lang_parse_setting(lang_file *self, const char *content, ness_diags *diags, stmt_item **item,
                               expr_argument **range)
{
  parser p;
  if (!parse_fragment(&p, self, "setting", content, diags)) return NESS_NOMEM;
  stmt_item *const out = parser_node(&p, sizeof *out);
  expr_argument *const argument = parser_node(&p, sizeof *argument);
  *item = NULL;
  *range = NULL;
  if (!out || !argument) return NESS_NOMEM;
  if (!parser_path(&p, &out->path, &out->place) || !parser_expect(&p, TOKEN_ASSIGN, "and a value") ||
      !parser_setting_value(&p, argument)) {
    return self->memory.failed ? NESS_NOMEM : NESS_USAGE;
  }
  if (!parser_at(&p, TOKEN_END)) {
    parser_fail(&p, "write NAME=VALUE[unit] or NAME=from:to:step[unit]", "expected the end of the setting, found %s",
                token_name(p.cur.kind));
    return NESS_USAGE;
  }
  out->value = argument->value;
  *item = out;
  if (argument->range_to) *range = argument;
  return NESS_OK;
}

ness_status lang_parse_expression(lang_file *self, const char *content, ness_diags *diags, expr **out)
{
  parser p;
  *out = NULL;
  if (!parse_fragment(&p, self, "expression", content, diags)) return NESS_NOMEM;
  expr *const e = parser_expression(&p);
  if (e && !parser_at(&p, TOKEN_END))
    parser_fail(&p, NULL, "expected the end of the expression, found %s", token_name(p.cur.kind));
  if (!e || p.panic) return self->memory.failed ? NESS_NOMEM : NESS_USAGE;
  *out = e;
  return NESS_OK;
}
