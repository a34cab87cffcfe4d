/* Cuts model text into tokens. Invariant: every token lies inside the source and moves forward, so any input ends.
 * One pass, no allocation; bytes that no token starts with are reported once and passed over. */
#include "networks/lang/lexer.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void lexer_init(lexer *self, const lang_source *source, ness_diags *diags)
{
  *self = (lexer){.source = source, .diags = diags, .line = 1, .previous = TOKEN_NEWLINE};
}

static bool lexer_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool lexer_digit(char c)
{
  return c >= '0' && c <= '9';
}

static char lexer_char(const lexer *self, size_t ahead)
{
  return self->at + ahead < self->source->length ? self->source->text[self->at + ahead] : '\0';
}

/* After these a line goes on. */
static bool lexer_continues(token_kind kind)
{
  switch (kind) {
  case TOKEN_COMMA:
  case TOKEN_ASSIGN:
  case TOKEN_RECOMPUTE:
  case TOKEN_PLUS:
  case TOKEN_MINUS:
  case TOKEN_STAR:
  case TOKEN_SLASH:
  case TOKEN_CARET:
  case TOKEN_PLUSMINUS:
  case TOKEN_LT:
  case TOKEN_LE:
  case TOKEN_GT:
  case TOKEN_GE:
  case TOKEN_EQ:
  case TOKEN_NE:
  case TOKEN_AND:
  case TOKEN_OR:
  case TOKEN_NOT:
  case TOKEN_TILDE:
  case TOKEN_AT:
  case TOKEN_ATAT: return true;
  default: return false;
  }
}

static token lexer_make(lexer *self, token_kind kind, size_t start, bool glued)
{
  token out = {.kind = kind, .glued = glued};
  out.place = (lang_place){self->source, (int32_t)start, (int32_t)(self->at - start), self->line,
                           (int32_t)(start - self->line_start) + 1};
  if (kind == TOKEN_LPAREN || kind == TOKEN_LBRACKET) self->parens++;
  if ((kind == TOKEN_RPAREN || kind == TOKEN_RBRACKET) && self->parens > 0) self->parens--;
  if (kind == TOKEN_LBRACE || kind == TOKEN_RBRACE)
    self->parens = 0; /* a brace never stands inside parentheses: recover there */
  self->previous = kind;
  return out;
}

static token lexer_number(lexer *self, bool glued)
{
  const size_t start = self->at;
  char digits[64];
  while (lexer_digit(lexer_char(self, 0))) self->at++;
  if (lexer_char(self, 0) == '.' && lexer_digit(lexer_char(self, 1))) {
    self->at++;
    while (lexer_digit(lexer_char(self, 0))) self->at++;
  } else if (lexer_char(self, 0) == '.' && lexer_char(self, 1) != '.' && !lexer_letter(lexer_char(self, 1))) {
    self->at++;
  }
  const char e = lexer_char(self, 0);
  if (e == 'e' || e == 'E') {
    const size_t sign = lexer_char(self, 1) == '+' || lexer_char(self, 1) == '-';
    if (lexer_digit(lexer_char(self, 1 + sign))) {
      self->at += 1 + sign;
      while (lexer_digit(lexer_char(self, 0))) self->at++;
    }
  }
  const size_t length = self->at - start;
  token out = lexer_make(self, TOKEN_NUMBER, start, glued);
  if (length >= sizeof digits) {
    lang_error(self->diags, out.place, "seventeen digits hold every double", "this number has too many digits");
    return out;
  }
  memcpy(digits, self->source->text + start, length);
  digits[length] = '\0';
  out.number = strtod(digits, NULL);
  if (!isfinite(out.number)) {
    lang_error(self->diags, out.place, "the largest number is about 1.8e308; for no limit write inf",
               "this number is too large");
  }
  return out;
}

/* Longest first. */
static const struct {
  const char *text;
  token_kind kind;
} lexer_marks[] = {{"<->", TOKEN_DOUBLE},
                   {"->", TOKEN_ARROW},
                   {"=>", TOKEN_FAT},
                   {"==", TOKEN_EQ},
                   {"!=", TOKEN_NE},
                   {"<=", TOKEN_LE},
                   {">=", TOKEN_GE},
                   {":=", TOKEN_RECOMPUTE},
                   {"@@", TOKEN_ATAT},
                   {"+-", TOKEN_PLUSMINUS},
                   {"\xc2\xb1", TOKEN_PLUSMINUS},
                   {"..", TOKEN_DOTS},
                   {"&&", TOKEN_AND},
                   {"||", TOKEN_OR},
                   {"{", TOKEN_LBRACE},
                   {"}", TOKEN_RBRACE},
                   {"(", TOKEN_LPAREN},
                   {")", TOKEN_RPAREN},
                   {"]", TOKEN_RBRACKET},
                   {",", TOKEN_COMMA},
                   {":", TOKEN_COLON},
                   {".", TOKEN_DOT},
                   {"=", TOKEN_ASSIGN},
                   {"+", TOKEN_PLUS},
                   {"-", TOKEN_MINUS},
                   {"*", TOKEN_STAR},
                   {"/", TOKEN_SLASH},
                   {"^", TOKEN_CARET},
                   {"<", TOKEN_LT},
                   {">", TOKEN_GT},
                   {"!", TOKEN_NOT},
                   {"~", TOKEN_TILDE},
                   {"@", TOKEN_AT}};

static bool lexer_opens_unit(const lexer *self, bool glued)
{
  return self->previous == TOKEN_NUMBER || self->previous == TOKEN_RPAREN || (self->previous == TOKEN_RBRACE) ||
         (self->previous == TOKEN_NAME && !glued);
}

static token lexer_bracket(lexer *self, bool glued)
{
  const size_t start = self->at;
  if (!lexer_opens_unit(self, glued)) {
    self->at++;
    return lexer_make(self, TOKEN_LBRACKET, start, glued);
  }
  while (self->at < self->source->length && self->source->text[self->at] != ']' && self->source->text[self->at] != '\n')
    self->at++;
  if (lexer_char(self, 0) == ']') {
    self->at++;
    return lexer_make(self, TOKEN_UNIT, start, glued);
  }
  token out = lexer_make(self, TOKEN_UNIT, start, glued);
  out.place.length = 1;
  lang_error(self->diags, out.place, "close the unit with ]", "this unit does not end on its line");
  return out;
}

static token lexer_string(lexer *self, bool glued)
{
  const size_t start = self->at++;
  while (self->at < self->source->length && self->source->text[self->at] != '"' && self->source->text[self->at] != '\n')
    self->at++;
  if (lexer_char(self, 0) == '"') {
    self->at++;
    return lexer_make(self, TOKEN_STRING, start, glued);
  }
  token out = lexer_make(self, TOKEN_BAD, start, glued);
  out.place.length = 1;
  lang_error(self->diags, out.place, "close it with \"", "this text does not end on its line");
  return out;
}

token lexer_next(lexer *self)
{
  const size_t before = self->at;
  for (;;) {
    const char c = lexer_char(self, 0);
    if (self->at >= self->source->length) return lexer_make(self, TOKEN_END, self->at, false);
    if (c == '#') {
      while (self->at < self->source->length && self->source->text[self->at] != '\n') self->at++;
    } else if (c == '\n' || c == ';') {
      const bool skip = self->parens > 0 || lexer_continues(self->previous);
      const size_t start = self->at++;
      token out = {0};
      if (!skip) out = lexer_make(self, TOKEN_NEWLINE, start, false);
      if (c == '\n') self->line++, self->line_start = self->at;
      if (!skip) return out;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      self->at++;
    } else {
      break;
    }
  }
  const size_t start = self->at;
  const bool glued = start == before;
  const char c = lexer_char(self, 0);
  if (lexer_letter(c)) {
    while (lexer_letter(lexer_char(self, 0)) || lexer_digit(lexer_char(self, 0))) self->at++;
    const size_t length = self->at - start;
    const char *const word = self->source->text + start;
    if (length == 3 && memcmp(word, "and", 3) == 0) return lexer_make(self, TOKEN_AND, start, glued);
    if (length == 2 && memcmp(word, "or", 2) == 0) return lexer_make(self, TOKEN_OR, start, glued);
    if (length == 3 && memcmp(word, "not", 3) == 0) return lexer_make(self, TOKEN_NOT, start, glued);
    return lexer_make(self, TOKEN_NAME, start, glued);
  }
  if (lexer_digit(c) || (c == '.' && lexer_digit(lexer_char(self, 1)))) return lexer_number(self, glued);
  if (c == '"') return lexer_string(self, glued);
  if (c == '[') return lexer_bracket(self, glued);
  if (c == '\'') { /* x' = as well as x '= */
    size_t ahead = 1;
    while (lexer_char(self, ahead) == ' ' || lexer_char(self, ahead) == '\t') ahead++;
    if (lexer_char(self, ahead) == '=' && lexer_char(self, ahead + 1) != '=') {
      self->at += ahead + 1;
      return lexer_make(self, TOKEN_DERIVATIVE, start, glued);
    }
  }
  for (size_t i = 0; i < sizeof lexer_marks / sizeof *lexer_marks; i++) {
    if (lexer_marks[i].text[0] != c) continue;
    const size_t length = strlen(lexer_marks[i].text);
    if (self->source->length - start >= length &&
        memcmp(self->source->text + start, lexer_marks[i].text, length) == 0) {
      self->at += length;
      return lexer_make(self, lexer_marks[i].kind, start, glued);
    }
  }
  /* A run of bytes that nothing starts with is one error, not hundreds. */
  while (self->at < self->source->length) {
    const unsigned char b = (unsigned char)self->source->text[self->at];
    if (b > ' ' && b < 0x7f && self->at > start) break;
    if (b == '\n' || b == ' ' || b == '\t') break;
    self->at++;
  }
  token out = lexer_make(self, TOKEN_BAD, start, glued);
  lang_error(self->diags, out.place, NULL, "no word or mark of the language starts like this");
  return out;
}

const char *token_name(token_kind kind)
{
  static const char *const names[] = {[TOKEN_END] = "the end of the file",
                                      [TOKEN_NEWLINE] = "the end of the line",
                                      [TOKEN_NAME] = "a name",
                                      [TOKEN_NUMBER] = "a number",
                                      [TOKEN_STRING] = "a text in quotes",
                                      [TOKEN_UNIT] = "a [unit]",
                                      [TOKEN_LBRACE] = "{",
                                      [TOKEN_RBRACE] = "}",
                                      [TOKEN_LPAREN] = "(",
                                      [TOKEN_RPAREN] = ")",
                                      [TOKEN_LBRACKET] = "[",
                                      [TOKEN_RBRACKET] = "]",
                                      [TOKEN_COMMA] = ",",
                                      [TOKEN_COLON] = ":",
                                      [TOKEN_DOT] = ".",
                                      [TOKEN_DOTS] = "..",
                                      [TOKEN_ASSIGN] = "=",
                                      [TOKEN_RECOMPUTE] = ":=",
                                      [TOKEN_DERIVATIVE] = "'=",
                                      [TOKEN_PLUS] = "+",
                                      [TOKEN_MINUS] = "-",
                                      [TOKEN_STAR] = "*",
                                      [TOKEN_SLASH] = "/",
                                      [TOKEN_CARET] = "^",
                                      [TOKEN_PLUSMINUS] = "+-",
                                      [TOKEN_LT] = "<",
                                      [TOKEN_LE] = "<=",
                                      [TOKEN_GT] = ">",
                                      [TOKEN_GE] = ">=",
                                      [TOKEN_EQ] = "==",
                                      [TOKEN_NE] = "!=",
                                      [TOKEN_AND] = "and",
                                      [TOKEN_OR] = "or",
                                      [TOKEN_NOT] = "not",
                                      [TOKEN_TILDE] = "~",
                                      [TOKEN_ARROW] = "->",
                                      [TOKEN_DOUBLE] = "<->",
                                      [TOKEN_FAT] = "=>",
                                      [TOKEN_AT] = "@",
                                      [TOKEN_ATAT] = "@@",
                                      [TOKEN_BAD] = "something else"};
  return names[kind];
}
