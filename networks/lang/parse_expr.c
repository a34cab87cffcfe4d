/* Expressions by recursive descent: or, and, not, comparison, sum, product, sign, power, then numbers, names, calls and
 * units. A number directly before kT multiplies it (2 kT); nothing else multiplies silently. Depth is limited. */
#include "networks/lang/parser.h"
#include <stdio.h>
#include <string.h>

static expr *parse_or(parser *self);

static expr *parse_node(parser *self, expr_kind kind, lang_place place, expr *a, expr *b)
{
  expr *const out = parser_node(self, sizeof *out);
  if (!out) return NULL;
  out->kind = kind;
  out->place = place;
  out->a = a;
  out->b = b;
  out->height = 1 + (a && (!b || a->height > b->height) ? a->height : b ? b->height : 0);
  if (out->height <= LANG_MAX_HEIGHT) return out;
  parser_fail(self, "split it over parameters", "this expression is more than %d operations deep", LANG_MAX_HEIGHT);
  return NULL;
}

static bool parse_deeper(parser *self)
{
  if (++self->depth <= LANG_MAX_DEPTH) return true;
  parser_fail(self, "split it up", "this nests deeper than %d levels", LANG_MAX_DEPTH);
  return false;
}

bool parser_path(parser *self, expr_path *out, lang_place *place)
{
  *out = (expr_path){0};
  lang_place first = self->cur.place;
  do {
    if (out->parts == 2) {
      parser_fail(self, "a path has at most two names, as in K.s[3] or Na.out", "one dot too many");
      return false;
    }
    const char *const name = parser_name(self, "of a substance, state or place");
    if (!name) return false;
    const int32_t i = out->parts++;
    out->name[i] = name;
    if (self->cur.kind == TOKEN_LBRACKET && self->cur.glued) {
      parser_advance(self);
      if (!(out->from[i] = parser_expression(self))) return false;
      if (parser_take(self, TOKEN_DOTS) && !(out->to[i] = parser_expression(self))) return false;
      if (!parser_expect(self, TOKEN_RBRACKET, "after the index")) return false;
    }
  } while (parser_at(self, TOKEN_DOT) && (parser_advance(self), true));
  *place = place_join(first, self->taken);
  return true;
}

/* 20 [mV] or -20 [mV]: the node of the unit, else NULL. */
static const expr *with_unit(const expr *e)
{
  while (e->kind == EXPR_NEG) e = e->a;
  return e->kind == EXPR_UNIT ? e : NULL;
}

bool parser_setting_value(parser *self, expr_argument *argument)
{
  if (!(argument->value = parser_expression(self))) return false;
  if (!parser_take(self, TOKEN_COLON)) return true;
  if (!(argument->range_to = parser_expression(self))) return false;
  const bool step = parser_take(self, TOKEN_COLON);
  argument->factor = step && parser_take(self, TOKEN_STAR);
  if (step && !(argument->range_by = parser_expression(self))) return false;
  /* A unit at the end counts for all parts: -100:100:5 [mV]. A factor has none of its own. */
  const expr *const last = with_unit(argument->range_by ? argument->range_by : argument->range_to);
  if (!last) return true;
  if (argument->factor && last == argument->range_by) argument->range_by = last->a;
  expr **const others[2] = {&argument->value, argument->range_by ? &argument->range_to : NULL};
  for (int i = 0; i < 2; i++) {
    if (!others[i] || with_unit(*others[i])) continue;
    expr *const wrapped = parse_node(self, EXPR_UNIT, last->place, *others[i], NULL);
    if (!wrapped) return false;
    wrapped->name = last->name;
    *others[i] = wrapped;
  }
  return true;
}

bool parser_arguments(parser *self, expr_argument **out)
{
  expr_argument **tail = out;
  *out = NULL;
  if (!parser_expect(self, TOKEN_LPAREN, NULL)) return false;
  while (!parser_at(self, TOKEN_RPAREN)) {
    expr_argument *const argument = parser_node(self, sizeof *argument);
    if (!argument) return false;
    argument->place = self->cur.place;
    if (parser_at(self, TOKEN_NAME) && self->next.kind == TOKEN_ASSIGN) {
      argument->name = parser_name(self, NULL);
      parser_advance(self);
      if (argument->name && strcmp(argument->name, "form") == 0) {
        /* Names of forms carry hyphens: scharfetter-gummel. */
        const lang_place from = self->cur.place;
        if (!parser_expect(self, TOKEN_NAME, "of a form: exp, scharfetter-gummel, metropolis, heat-bath")) return false;
        lang_place to = from;
        while (parser_at(self, TOKEN_MINUS) && self->cur.glued) {
          parser_advance(self);
          to = self->cur.place;
          if (!parser_expect(self, TOKEN_NAME, NULL)) return false;
        }
        argument->value = parse_node(self, EXPR_NAME, place_join(from, to), NULL, NULL);
        if (!argument->value) return false;
        argument->value->path.parts = 1;
        argument->value->path.name[0] =
            arena_text(&self->file->memory, from.source->text + from.offset, (size_t)argument->value->place.length);
        *tail = argument;
        tail = &argument->next;
        if (!parser_take(self, TOKEN_COMMA)) break;
        continue;
      }
    }
    if (!parser_setting_value(self, argument)) return false;
    if (parser_at(self, TOKEN_ASSIGN) && argument->value->kind == EXPR_NAME && !argument->range_to) {
      /* A setting with a path for a name: Na.in = 1 : 200 [mM]. */
      const lang_place place = argument->value->place;
      argument->name = arena_text(&self->file->memory, place.source->text + place.offset, (size_t)place.length);
      parser_advance(self);
      if (!parser_setting_value(self, argument)) return false;
    }
    *tail = argument;
    tail = &argument->next;
    if (!parser_take(self, TOKEN_COMMA)) break;
  }
  return parser_expect(self, TOKEN_RPAREN, "after the arguments");
}

static expr *parse_primary(parser *self)
{
  const token start = self->cur;
  expr *out = NULL;
  if (!parse_deeper(self)) return NULL;
  if (start.kind == TOKEN_NUMBER) {
    parser_advance(self);
    out = parse_node(self, EXPR_NUMBER, start.place, NULL, NULL);
    if (out) out->number = start.number;
    if (out && parser_at_word(self, "kT")) {
      expr *const kt = parse_node(self, EXPR_NAME, self->cur.place, NULL, NULL);
      if (kt) kt->path = (expr_path){.name = {"kT"}, .parts = 1};
      out = kt ? parse_node(self, EXPR_MUL, place_join(start.place, self->cur.place), out, kt) : NULL;
      parser_advance(self);
    }
  } else if (start.kind == TOKEN_LPAREN) {
    parser_advance(self);
    out = parse_or(self);
    if (out && !parser_expect(self, TOKEN_RPAREN, "to close the parenthesis")) out = NULL;
  } else if (start.kind == TOKEN_NAME && self->next.kind == TOKEN_LPAREN) {
    out = parse_node(self, EXPR_CALL, start.place, NULL, NULL);
    if (out) {
      out->name = parser_name(self, NULL);
      if (!parser_arguments(self, &out->arguments)) return NULL;
      for (const expr_argument *a = out->arguments; a; a = a->next) {
        if (a->value && a->value->height >= out->height) out->height = a->value->height + 1;
      }
    }
  } else if (start.kind == TOKEN_NAME) {
    out = parse_node(self, EXPR_NAME, start.place, NULL, NULL);
    if (out && !parser_path(self, &out->path, &out->place)) out = NULL;
  } else {
    parser_fail(self, NULL, "expected a value, found %s", token_name(start.kind));
  }
  if (out && parser_at(self, TOKEN_UNIT)) {
    if (out->kind == EXPR_NAME) {
      parser_fail(self, "a unit follows a number or a closing parenthesis; a name brings its own",
                  "a unit after a name");
      return NULL;
    }
    expr *const unit = parse_node(self, EXPR_UNIT, self->cur.place, out, NULL);
    if (!unit) return NULL;
    unit->name = arena_text(&self->file->memory, self->cur.place.source->text + self->cur.place.offset + 1,
                            (size_t)(self->cur.place.length >= 2 ? self->cur.place.length - 2 : 0));
    parser_advance(self);
    out = unit;
  }
  self->depth--;
  return out;
}

static expr *parse_unary(parser *self);

static expr *parse_power(parser *self)
{
  expr *const base = parse_primary(self);
  if (!base || !parser_at(self, TOKEN_CARET)) return base;
  const lang_place place = self->cur.place;
  parser_advance(self);
  expr *const exponent = parse_unary(self);
  return exponent ? parse_node(self, EXPR_POW, place, base, exponent) : NULL;
}

static expr *parse_unary(parser *self)
{
  const lang_place place = self->cur.place;
  if (parser_at(self, TOKEN_MINUS) || parser_at(self, TOKEN_NOT)) {
    const expr_kind kind = parser_at(self, TOKEN_MINUS) ? EXPR_NEG : EXPR_NOT;
    if (!parse_deeper(self)) return NULL;
    parser_advance(self);
    expr *const a = parse_unary(self);
    self->depth--;
    return a ? parse_node(self, kind, place, a, NULL) : NULL;
  }
  if (parser_at(self, TOKEN_PLUS)) parser_advance(self);
  return parse_power(self);
}

typedef struct level_row {
  token_kind token;
  expr_kind kind;
} level_row;

/* Left-associative levels, weakest first. */
static const level_row parse_levels[5][7] = {
    {{TOKEN_OR, EXPR_OR}},
    {{TOKEN_AND, EXPR_AND}},
    {{TOKEN_LT, EXPR_LT},
     {TOKEN_LE, EXPR_LE},
     {TOKEN_GT, EXPR_GT},
     {TOKEN_GE, EXPR_GE},
     {TOKEN_EQ, EXPR_EQ},
     {TOKEN_NE, EXPR_NE}},
    {{TOKEN_PLUS, EXPR_ADD}, {TOKEN_MINUS, EXPR_SUB}},
    {{TOKEN_STAR, EXPR_MUL}, {TOKEN_SLASH, EXPR_DIV}},
};

static expr *parse_level(parser *self, int level)
{
  if (level == 5) return parse_unary(self);
  expr *left = parse_level(self, level + 1);
  while (left) {
    const level_row *row = NULL;
    for (int i = 0; i < 7 && parse_levels[level][i].kind; i++) {
      if (parser_at(self, parse_levels[level][i].token)) row = &parse_levels[level][i];
    }
    if (!row) return left;
    const lang_place place = self->cur.place;
    parser_advance(self);
    expr *const right = parse_level(self, level + 1);
    left = right ? parse_node(self, row->kind, place, left, right) : NULL;
  }
  return NULL;
}

static expr *parse_or(parser *self)
{
  return parse_level(self, 0);
}
expr *parser_expression(parser *self)
{
  return parse_level(self, 0);
}
expr *parser_sum(parser *self)
{
  return parse_level(self, 3);
}
