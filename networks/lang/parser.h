/* The parser's shared state; parse_expr.c reads expressions, parse_stmt.c statements, parse.c files and includes. */
#ifndef NETWORKS_PARSER_H
#define NETWORKS_PARSER_H

#include "networks/lang/lexer.h"

typedef struct parser {
  lexer lexer;
  token cur, next;
  lang_place taken; /* of the last token taken: where a path ends */
  lang_file *file;
  ness_diags *diags;
  int32_t depth;
  bool panic; /* an error was reported in this statement: be silent until the next one */
  bool in_experiment;
  int32_t include_depth;
  const char *include_stack[LANG_MAX_INCLUDE + 1];
  const lang_source *bundle; /* sources that includes are looked up in first */
  stmt ***tail;              /* where the next statement of the file goes */
} parser;

void parser_start(parser *self, const lang_source *source);
void parser_advance(parser *self);
bool parser_at(const parser *self, token_kind kind);
bool parser_at_word(const parser *self, const char *word);
bool parser_take(parser *self, token_kind kind);
bool parser_take_word(parser *self, const char *word);
/* Takes the token or reports what was expected where; `what` completes the sentence, may be NULL. */
bool parser_expect(parser *self, token_kind kind, const char *what);
void parser_fail(parser *self, const char *hint, const char *format, ...) BASE_PRINTF(3, 4);
void parser_sync(parser *self); /* to the end of the statement */
void parser_skip_newlines(parser *self);
char *parser_name(parser *self, const char *what); /* takes a name; NULL after a report */
void *parser_node(parser *self, size_t bytes);
lang_place place_join(lang_place from, lang_place to);

expr *parser_expression(parser *self);
expr *parser_sum(parser *self); /* an expression without comparisons: what stands before ~, <, +- */
bool parser_path(parser *self, expr_path *out, lang_place *place);
bool parser_arguments(parser *self, expr_argument **out); /* ( ... ) behind a function's name */
bool parser_setting_value(parser *self,
                          expr_argument *argument); /* value or a : b : c, unit at the end counts for all */

stmt *parser_statement(parser *self); /* NULL at the end or a closing brace */
stmt *parser_experiment_statement(parser *self);
stmt *parser_block(parser *self);
bool parser_include(parser *self, stmt **overrides);
/* The path that a text in quotes at `place` means, beside the file it stands in. */
const char *parser_beside(parser *self, lang_place place);
/* The text of a path: of the bundle, read before, or read now; NULL after a report. */
const lang_source *parser_source(parser *self, lang_place place, const char *path);
const lang_table *parser_table(parser *self, const lang_source *source); /* NULL after a report */

#endif
