/* Tokens of the model language, made on demand, with the place of each. Newlines end statements, except inside ( ) and
 * [ ] and after an operator or a comma. Owns nothing: tokens point into the source. */
#ifndef NETWORKS_LEXER_H
#define NETWORKS_LEXER_H

#include "networks/lang/lang.h"

typedef enum token_kind {
  TOKEN_END,
  TOKEN_NEWLINE,
  TOKEN_NAME,
  TOKEN_NUMBER,
  TOKEN_STRING,
  TOKEN_UNIT, /* [mV] with the brackets: only after a number or a closing parenthesis */
  TOKEN_LBRACE,
  TOKEN_RBRACE,
  TOKEN_LPAREN,
  TOKEN_RPAREN,
  TOKEN_LBRACKET,
  TOKEN_RBRACKET,
  TOKEN_COMMA,
  TOKEN_COLON,
  TOKEN_DOT,
  TOKEN_DOTS, /* .. */
  TOKEN_ASSIGN,
  TOKEN_RECOMPUTE /* := */,
  TOKEN_DERIVATIVE /* '= */,
  TOKEN_PLUS,
  TOKEN_MINUS,
  TOKEN_STAR,
  TOKEN_SLASH,
  TOKEN_CARET,
  TOKEN_PLUSMINUS,
  TOKEN_LT,
  TOKEN_LE,
  TOKEN_GT,
  TOKEN_GE,
  TOKEN_EQ,
  TOKEN_NE,
  TOKEN_AND,
  TOKEN_OR,
  TOKEN_NOT,
  TOKEN_TILDE,
  TOKEN_ARROW /* -> */,
  TOKEN_DOUBLE /* <-> */,
  TOKEN_FAT /* => */,
  TOKEN_AT,
  TOKEN_ATAT,
  TOKEN_BAD
} token_kind;

typedef struct token {
  token_kind kind;
  lang_place place;
  double number;
  bool glued; /* no white space between the token before and this one */
} token;

typedef struct lexer {
  const lang_source *source;
  ness_diags *diags;
  size_t at;
  int32_t line;
  size_t line_start;
  int32_t parens;      /* depth of ( and [ */
  token_kind previous; /* decides whether [ opens a unit and whether a newline counts */
} lexer;

void lexer_init(lexer *self, const lang_source *source, ness_diags *diags);
token lexer_next(lexer *self);
const char *token_name(token_kind kind); /* for "expected ..." */

#endif
