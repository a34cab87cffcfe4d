/* Statements: each kind has one function that reads it after its first word. Keywords are words in their place, not
 * reserved: a state may be called `energy`. After an error the parser goes on at the next statement. */
#include "networks/lang/parser.h"
#include <string.h>

static stmt *parse_stmt_new(parser *self, stmt_kind kind)
{
  stmt *const out = parser_node(self, sizeof *out);
  if (out) {
    out->kind = kind;
    out->place = self->cur.place;
  }
  return out;
}

static stmt_item *parse_item_new(parser *self, stmt_item ***tail)
{
  stmt_item *const out = parser_node(self, sizeof *out);
  if (!out) return NULL;
  out->place = self->cur.place;
  **tail = out;
  *tail = &out->next;
  return out;
}

/* name, name[3], name[1..n], name[i in 1..n] */
static bool parse_declared_name(parser *self, stmt_item *item, const char *what)
{
  item->place = self->cur.place;
  item->path.parts = 1;
  if (!(item->path.name[0] = parser_name(self, what))) return false;
  if (self->cur.kind != TOKEN_LBRACKET || !self->cur.glued) return true;
  parser_advance(self);
  if (parser_at(self, TOKEN_NAME) && self->next.kind == TOKEN_NAME) {
    item->index = parser_name(self, NULL);
    if (!parser_take_word(self, "in")) {
      parser_fail(self, "write X[i in 1..10]", "expected `in` after the index %s", item->index);
      return false;
    }
  }
  if (!(item->path.from[0] = parser_expression(self))) return false;
  if (parser_take(self, TOKEN_DOTS) && !(item->path.to[0] = parser_expression(self))) return false;
  if (item->index && !item->path.to[0]) {
    parser_fail(self, "write X[i in 1..10]", "an index needs a range");
    return false;
  }
  return parser_expect(self, TOKEN_RBRACKET, "after the index");
}

/* expr or {a, b, c} [unit] */
static bool parse_item_value(parser *self, stmt_item *item)
{
  if (!parser_take(self, TOKEN_LBRACE)) return (item->value = parser_expression(self)) != NULL;
  expr *last = NULL;
  const lang_place place = self->cur.place;
  do {
    parser_skip_newlines(self);
    expr *const value = parser_expression(self);
    expr *const node = value ? parser_node(self, sizeof *node) : NULL;
    if (!node) return false;
    *node = (expr){.kind = EXPR_UNIT, .place = value->place, .height = value->height, .a = value};
    if (last) last->b = node;
    else item->list = node;
    last = node;
    item->list_length++;
    parser_skip_newlines(self);
  } while (parser_take(self, TOKEN_COMMA));
  if (!parser_expect(self, TOKEN_RBRACE, "after the list")) return false;
  if (!parser_at(self, TOKEN_UNIT)) return true;
  const char *const unit = arena_text(&self->file->memory, self->cur.place.source->text + self->cur.place.offset + 1,
                                      (size_t)(self->cur.place.length >= 2 ? self->cur.place.length - 2 : 0));
  for (expr *node = item->list; node; node = node->b) node->name = unit, node->place = place_join(place, node->place);
  parser_advance(self);
  return true;
}

/* Words that may follow a declaration; each takes a value except those in `bare`. */
static bool parse_attributes(parser *self, expr_argument **out, const char *const *words, const char *bare)
{
  expr_argument **tail = out;
  while (*tail) tail = &(*tail)->next;
  for (;;) {
    const char *word = NULL;
    for (int i = 0; words[i] && !word; i++) {
      if (parser_at_word(self, words[i])) word = words[i];
    }
    const bool is_bare = bare && parser_at_word(self, bare);
    if (!word && !is_bare) return true;
    expr_argument *const argument = parser_node(self, sizeof *argument);
    if (!argument) return false;
    argument->name = word ? word : bare;
    argument->place = self->cur.place;
    parser_advance(self);
    if (word) {
      parser_take(self, TOKEN_ASSIGN);
      if (!(argument->value = parser_sum(self))) return false;
    }
    *tail = argument;
    tail = &argument->next;
  }
}

static const char *const attributes_state[] = {"energy", "charge", "at", "start", NULL};
static const char *const attributes_species[] = {"in", "max", "energy", "charge", "at", NULL};
static const char *const attributes_compartment[] = {"volume", "potential", "temperature", NULL};
static const char *const attributes_place[] = {"max", NULL};
static const char *const attributes_none[] = {NULL};

static stmt *parse_units(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_UNITS);
  if (!out) return NULL;
  if (parser_take_word(self, "natural")) out->natural = true;
  else if (!parser_take_word(self, "SI")) {
    parser_fail(self, "write `units natural` (k_B T = e = 1, no brackets) or `units SI`", "these units are not known");
    return NULL;
  }
  return out;
}

static stmt *parse_temperature(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_TEMPERATURE);
  return out && (out->a = parser_expression(self)) ? out : NULL;
}

static stmt *parse_compartment(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_COMPARTMENT);
  stmt_item **tail = out ? &out->items : NULL;
  stmt_item *const item = out ? parse_item_new(self, &tail) : NULL;
  if (!item || !parse_declared_name(self, item, "of the compartment")) return NULL;
  return parse_attributes(self, &item->attributes, attributes_compartment, "reservoir") ? out : NULL;
}

/* param, bath, species, observe: a list of NAME = value with attributes */
static stmt *parse_list(parser *self, stmt_kind kind, const char *what, const char *const *attributes)
{
  stmt *const out = parse_stmt_new(self, kind);
  stmt_item **tail = out ? &out->items : NULL;
  stmt_item *item = NULL;
  if (!out) return NULL;
  do {
    if (kind == STMT_BATH && item && parser_at_word(self, "mu0") && self->next.kind == TOKEN_ASSIGN) {
      expr_argument *const argument = parser_node(self, sizeof *argument);
      if (!argument) return NULL;
      *argument = (expr_argument){.name = "mu0", .place = self->cur.place, .next = item->attributes};
      parser_advance(self);
      parser_advance(self);
      if (!(argument->value = parser_expression(self))) return NULL;
      item->attributes = argument;
      continue;
    }
    if (!(item = parse_item_new(self, &tail)) || !parse_declared_name(self, item, what)) return NULL;
    if (kind == STMT_PARAM && parser_at(self, TOKEN_RECOMPUTE)) {
      item->recomputed = true;
      parser_advance(self);
    } else if (!parser_expect(self, TOKEN_ASSIGN, "and a value")) {
      return NULL;
    }
    if (!parse_item_value(self, item)) return NULL;
    if (!parse_attributes(self, &item->attributes, attributes, NULL)) return NULL;
  } while (parser_take(self, TOKEN_COMMA));
  return out;
}

static bool parse_side(parser *self, step_term **out, bool allow_signs);

/* potential ATP -> ADP + Pi = -30.5 [kJ/mol] */
static stmt *parse_potential(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_POTENTIAL);
  if (!out || !parse_side(self, &out->left, false)) return NULL;
  if (!parser_take(self, TOKEN_ARROW) && !parser_expect(self, TOKEN_DOUBLE, "between what is used and what is made"))
    return NULL;
  if (!parse_side(self, &out->right, false)) return NULL;
  if (!parser_expect(self, TOKEN_ASSIGN, "and the standard free energy of the reaction")) return NULL;
  return (out->a = parser_expression(self)) ? out : NULL;
}

static stmt *parse_ion(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_ION);
  if (!out || !(out->name = parser_name(self, "of the ion or solute"))) return NULL;
  if (!parser_take_word(self, "z")) {
    parser_fail(self, "write `ion Na z +1 { out = 140 [mM]  in = 10 [mM] }`; z 0 for a neutral solute",
                "expected z and the charge");
    return NULL;
  }
  if (!(out->a = parser_sum(self))) return NULL;
  stmt_item **tail = &out->items;
  if (!parser_take(self, TOKEN_LBRACE)) return out; /* an ion may live on a lattice alone */
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_RBRACE); parser_skip_newlines(self)) {
    stmt_item *const item = parse_item_new(self, &tail);
    if (!item || !parse_declared_name(self, item, "of a compartment, or mu0")) return NULL;
    if (!parser_expect(self, TOKEN_ASSIGN, "and a concentration") || !(item->value = parser_expression(self)))
      return NULL;
    if (!parse_attributes(self, &item->attributes, attributes_place, NULL)) return NULL;
    parser_take(self, TOKEN_COMMA);
  }
  parser_advance(self);
  return out;
}

static stmt *parse_protein(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_PROTEIN);
  if (!out || !(out->name = parser_name(self, "of the protein"))) return NULL;
  if (parser_take_word(self, "copies") && !(out->a = parser_sum(self))) return NULL;
  if (!parser_expect(self, TOKEN_LBRACE, "before the states")) return NULL;
  stmt_item **tail = &out->items;
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_RBRACE); parser_skip_newlines(self)) {
    if (!parser_take_word(self, "state")) {
      parser_fail(self, "write `state Eo energy = 2 kT charge -2`", "expected `state`, found %s",
                  token_name(self->cur.kind));
      return NULL;
    }
    stmt_item *const item = parse_item_new(self, &tail);
    if (!item || !parse_declared_name(self, item, "of the state")) return NULL;
    if (!parse_attributes(self, &item->attributes, attributes_state, NULL)) return NULL;
    parser_take(self, TOKEN_COMMA);
  }
  parser_advance(self);
  return out;
}

/* lattice s[1..50] between left, right  field linear  volume v  holds K max 1 [= 0] */
static stmt *parse_lattice(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_LATTICE);
  stmt_item **tail = out ? &out->items : NULL;
  stmt_item *const place = out ? parse_item_new(self, &tail) : NULL;
  if (!place || !parse_declared_name(self, place, "of the lattice")) return NULL;
  if (!place->path.to[0]) {
    parser_fail(self, "write `lattice s[1..50] holds K`", "a lattice needs a range of sites");
    return NULL;
  }
  for (;;) {
    expr_argument *const argument = parser_node(self, sizeof *argument);
    if (!argument) return NULL;
    argument->place = self->cur.place;
    argument->next = out->arguments;
    if (parser_take_word(self, "between")) {
      expr_argument *const second = parser_node(self, sizeof *second);
      if (!second || !(argument->value = parser_sum(self)) ||
          !parser_expect(self, TOKEN_COMMA, "and the second compartment"))
        return NULL;
      argument->name = "left";
      *second = (expr_argument){.name = "right", .place = self->cur.place, .next = argument};
      if (!(second->value = parser_sum(self))) return NULL;
      out->arguments = second;
    } else if (parser_at_word(self, "field") || parser_at_word(self, "volume")) {
      argument->name = parser_at_word(self, "field") ? "field" : "volume";
      parser_advance(self);
      if (!(argument->value = parser_sum(self))) return NULL;
      out->arguments = argument;
    } else {
      break;
    }
  }
  if (!parser_take_word(self, "holds")) {
    parser_fail(self, "say what moves there: `holds K max 1`", "a lattice holds something");
    return NULL;
  }
  do {
    stmt_item *const item = parse_item_new(self, &tail);
    if (!item || !parse_declared_name(self, item, "of what the lattice holds")) return NULL;
    if (!parse_attributes(self, &item->attributes, attributes_place, NULL)) return NULL;
    if (parser_take(self, TOKEN_ASSIGN) && !(item->value = parser_expression(self))) return NULL;
  } while (parser_take(self, TOKEN_COMMA));
  return out;
}

/* energy K.s[i] = 2 kT*exp(-((i-3)/1.2)^2): the index is free and runs over the family */
static stmt *parse_energy(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_ENERGY);
  stmt_item **tail = out ? &out->items : NULL;
  stmt_item *const item = out ? parse_item_new(self, &tail) : NULL;
  if (!item || !parser_path(self, &item->path, &item->place)) return NULL;
  if (!parser_expect(self, TOKEN_ASSIGN, "and an energy")) return NULL;
  return (item->value = parser_expression(self)) ? out : NULL;
}

/* A count that is a value: one name before the name of what is counted, or an expression in parentheses. */
static bool parse_times(parser *self, step_term *term)
{
  if (!parser_at(self, TOKEN_LPAREN) && !(parser_at(self, TOKEN_NAME) && self->next.kind == TOKEN_NAME)) return true;
  if (parser_take(self, TOKEN_LPAREN)) {
    if (!(term->times = parser_expression(self)) || !parser_expect(self, TOKEN_RPAREN, "behind the count"))
      return false;
  } else {
    if (!(term->times = parser_node(self, sizeof *term->times))) return false;
    term->times->kind = EXPR_NAME;
    term->times->height = 1;
    if (!parser_path(self, &term->times->path, &term->times->place)) return false;
  }
  parser_take(self, TOKEN_STAR);
  return true;
}

/* One side of a step, or a cycle: [-] [count] path + ...; `0` or nothing is the empty side. */
static bool parse_side(parser *self, step_term **out, bool allow_signs)
{
  step_term **tail = out;
  int32_t sign = 1;
  if (allow_signs && parser_take(self, TOKEN_MINUS)) sign = -1;
  for (;;) {
    step_term *const term = parser_node(self, sizeof *term);
    if (!term) return false;
    term->count = sign;
    term->place = self->cur.place;
    if (parser_at(self, TOKEN_NUMBER)) {
      const double count = self->cur.number;
      if (count == 0 && tail == out && self->next.kind != TOKEN_NAME) {
        parser_advance(self);
        return true;
      }
      if (!(count >= 1 && count <= 1000 && count == (double)(int32_t)count)) {
        parser_fail(self, NULL, "a count here is a whole number from 1 to 1000");
        return false;
      }
      term->count = sign * (int32_t)count;
      parser_advance(self);
      parser_take(self, TOKEN_STAR);
    } else if (!allow_signs && !parse_times(self, term)) {
      return false;
    }
    if (!parser_at(self, TOKEN_NAME)) {
      if (tail == out && !allow_signs) return true;
      parser_fail(self, NULL, "expected a name, found %s", token_name(self->cur.kind));
      return false;
    }
    if (!parser_path(self, &term->path, &term->place)) return false;
    *tail = term;
    tail = &term->next;
    if (parser_take(self, TOKEN_PLUS)) sign = 1;
    else if (allow_signs && parser_take(self, TOKEN_MINUS)) sign = -1;
    else return true;
  }
}

static bool parse_rate(parser *self, step_rate *out)
{
  out->given = true;
  out->place = self->cur.place;
  if (parser_at_word(self, "ldb")) {
    out->ldb = true;
    parser_advance(self);
    return !parser_at(self, TOKEN_LPAREN) || parser_arguments(self, &out->arguments);
  }
  if (!(out->value = parser_sum(self))) return false;
  return !parser_take(self, TOKEN_PLUSMINUS) || (out->error = parser_sum(self)) != NULL;
}

static stmt *parse_step(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_STEP);
  if (!out || !parse_side(self, &out->left, false)) return NULL;
  if (out->left && !out->left->next && out->left->count == 1 && !out->left->times && parser_take(self, TOKEN_COLON)) {
    out->label = out->left->path;
    out->left = NULL;
    if (!parse_side(self, &out->left, false)) return NULL;
  }
  if (parser_at(self, TOKEN_FAT)) {
    parser_fail(self, "write -> for a one-way step, <-> for a reversible one",
                "=> does not say whether the step can go back");
    return NULL;
  }
  if (parser_take(self, TOKEN_DOUBLE)) out->reversible = true;
  else if (!parser_take(self, TOKEN_ARROW)) {
    parser_fail(self, "a step reads `name: A + B <-> C @ forward, backward`", "expected <-> or ->, found %s",
                token_name(self->cur.kind));
    return NULL;
  }
  if (!parse_side(self, &out->right, false)) return NULL;
  if (parser_take(self, TOKEN_ATAT)) out->whole = true;
  else if (!parser_expect(self, TOKEN_AT, "and the rates")) return NULL;
  if (!parse_rate(self, &out->forward)) return NULL;
  if (parser_take(self, TOKEN_COMMA) && !parse_rate(self, &out->backward)) return NULL;
  out->fluid = parser_take_word(self, "fluid");
  return out;
}

/* `within LOW, HIGH` as two arguments; `start` and the like stand in words. */
static bool parse_range(parser *self, expr_argument **out)
{
  expr_argument *ends[2];
  for (int i = 0; i < 2; i++) {
    if (!(ends[i] = parser_node(self, sizeof *ends[i]))) return false;
    ends[i]->name = i ? "high" : "low";
    ends[i]->place = self->cur.place;
    if (!(ends[i]->value = parser_sum(self))) return false;
    if (i == 0 && !parser_expect(self, TOKEN_COMMA, "and the upper end of the range")) return false;
  }
  ends[0]->next = ends[1];
  ends[1]->next = *out;
  *out = ends[0];
  return true;
}

/* capacitor V between in, out  capacitance 1 [pF]  start -70 [mV]  within -200 [mV], 200 [mV] */
static stmt *parse_capacitor(parser *self)
{
  static const char *const words[] = {"capacitance", "start", NULL};
  stmt *const out = parse_stmt_new(self, STMT_CAPACITOR);
  if (!out || !(out->name = parser_name(self, "of the capacitor"))) return NULL;
  if (!parser_take_word(self, "between")) {
    parser_fail(self, "write `capacitor V between in, out capacitance 1 [pF] start -70 [mV]`",
                "expected `between` and two compartments");
    return NULL;
  }
  if (!(out->a = parser_sum(self)) || !parser_expect(self, TOKEN_COMMA, "and the compartment on the other side") ||
      !(out->b = parser_sum(self)))
    return NULL;
  while (!parser_at(self, TOKEN_NEWLINE) && !parser_at(self, TOKEN_END)) {
    const token before = self->cur;
    if (!parse_attributes(self, &out->arguments, words, NULL)) return NULL;
    if (parser_take_word(self, "within") && !parse_range(self, &out->arguments)) return NULL;
    if (self->cur.place.offset == before.place.offset) break; /* the caller says what does not belong here */
  }
  return out;
}

/* variable x = 0.3 within 0, 1, y = 2 [uM] within 0 [uM], 10 [uM] */
static stmt *parse_variable(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_VARIABLE);
  stmt_item **tail = out ? &out->items : NULL;
  do {
    stmt_item *const item = out ? parse_item_new(self, &tail) : NULL;
    if (!item || !parse_declared_name(self, item, "of the variable")) return NULL;
    if (!parser_expect(self, TOKEN_ASSIGN, "and its start") || !(item->value = parser_sum(self))) return NULL;
    if (!parser_take_word(self, "within")) {
      parser_fail(self, "write `variable x = 0.3 within 0, 1`; a run that leaves the range is stopped",
                  "expected `within` and the range of %s", item->path.name[0]);
      return NULL;
    }
    if (!parse_range(self, &item->attributes)) return NULL;
  } while (parser_take(self, TOKEN_COMMA));
  return out;
}

/* x' = expression */
static stmt *parse_equation(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_EQUATION);
  if (!out || !parser_path(self, &out->label, &out->place)) return NULL;
  return parser_expect(self, TOKEN_DERIVATIVE, "and the rate of change") && (out->a = parser_expression(self)) ? out
                                                                                                               : NULL;
}

/* at 10 [ms]: x = 1, y = 2;  at 10 [ms] every 50 [ms]: x = 1;  when V > 0 [mV]: spikes = spikes + 1 */
static stmt *parse_event(parser *self, bool when, lang_place word)
{
  stmt *const out = parse_stmt_new(self, STMT_EVENT);
  stmt_item **tail = out ? &out->items : NULL;
  if (!out) return NULL;
  if (when) {
    if (!(out->c = parser_expression(self))) return NULL;
  } else if (!(out->a = parser_sum(self)) || (parser_take_word(self, "every") && !(out->b = parser_sum(self)))) {
    return NULL;
  }
  if (!parser_expect(self, TOKEN_COLON, "and what it sets, as in `at 10 [ms]: x = 1`")) return NULL;
  do {
    stmt_item *const item = parse_item_new(self, &tail);
    if (!item || !parser_path(self, &item->path, &item->place)) return NULL;
    if (!parser_expect(self, TOKEN_ASSIGN, "and the new value") || !(item->value = parser_sum(self))) return NULL;
  } while (parser_take(self, TOKEN_COMMA));
  out->place = place_join(word, self->taken);
  return out;
}

/* The levels of a Markov process and the flips between them. */
static bool parse_levels(parser *self, stmt *out, stmt_item ***tail)
{
  stmt **flips = &out->body;
  if (!parser_expect(self, TOKEN_LBRACE, "before the levels")) return false;
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_RBRACE); parser_skip_newlines(self)) {
    if (parser_at_word(self, "level") && self->next.kind == TOKEN_NAME) {
      parser_advance(self);
      stmt_item *const item = parse_item_new(self, tail);
      if (!item || !parse_declared_name(self, item, "of the level")) return false;
      if (!parser_expect(self, TOKEN_ASSIGN, "and its value") || !(item->value = parser_expression(self))) return false;
    } else {
      if (!parser_at(self, TOKEN_NAME)) {
        parser_fail(self, "write `level low = -60 [mV]` and `low <-> high @ 10 [1/s], 10 [1/s]`",
                    "expected a level or a flip, found %s", token_name(self->cur.kind));
        return false;
      }
      if (!(*flips = parse_step(self))) return false;
      flips = &(*flips)->next;
    }
    parser_take(self, TOKEN_COMMA);
  }
  parser_advance(self);
  return true;
}

/* The points of a protocol: TIME = VALUE, and `period TIME` where it comes again. */
static bool parse_points(parser *self, stmt *out)
{
  expr_argument **tail = &out->arguments;
  if (!parser_expect(self, TOKEN_LBRACE, "before the points, or a file in quotes")) return false;
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_RBRACE); parser_skip_newlines(self)) {
    expr_argument *const point = parser_node(self, sizeof *point);
    if (!point) return false;
    point->place = self->cur.place;
    const bool period = parser_take_word(self, "period");
    if (period) point->name = "period";
    if (!(point->value = parser_sum(self))) return false;
    if (!period && (!parser_expect(self, TOKEN_ASSIGN, "and the value from this time on, as in 2 [ms] = 20 [mV]") ||
                    !(point->range_to = parser_sum(self))))
      return false;
    *tail = point;
    tail = &point->next;
    parser_take(self, TOKEN_COMMA);
  }
  parser_advance(self);
  return true;
}

/* "file" [period TIME]: the points of a protocol from a file of two columns. */
static bool parse_table(parser *self, stmt *out)
{
  const lang_place place = self->cur.place;
  const char *const path = parser_beside(self, place);
  parser_advance(self);
  const lang_source *const source = path ? parser_source(self, place, path) : NULL;
  if (!source || !(out->table = parser_table(self, source))) {
    self->panic = true;
    return false;
  }
  if (!parser_at_word(self, "period")) return true;
  expr_argument *const period = parser_node(self, sizeof *period);
  if (!period) return false;
  period->place = self->cur.place;
  period->name = "period";
  parser_advance(self);
  out->arguments = period;
  return (period->value = parser_sum(self)) != NULL;
}

static bool parse_course(parser *self, stmt *out)
{
  return parser_at(self, TOKEN_STRING) ? parse_table(self, out) : parse_points(self, out);
}

/* process V telegraph(low = -60 [mV], high = 60 [mV], up = 10 [1/s], down = 10 [1/s]); process V markov { ... } */
static stmt *parse_process(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_PROCESS);
  stmt_item **tail = out ? &out->items : NULL;
  stmt_item *const item = out ? parse_item_new(self, &tail) : NULL;
  if (!item || !parser_path(self, &item->path, &item->place)) return NULL;
  if (!(out->name =
            parser_name(self, "of a kind of process: telegraph, markov, ou, shot, sine, square, ramp, steps, line")))
    return NULL;
  if (strcmp(out->name, "steps") == 0 || strcmp(out->name, "line") == 0) return parse_course(self, out) ? out : NULL;
  if (strcmp(out->name, "markov") == 0) return parse_levels(self, out, &tail) ? out : NULL;
  if (!parser_at(self, TOKEN_LPAREN)) {
    parser_fail(self, "write `process V telegraph(low = -60 [mV], high = 60 [mV], rate = 10 [1/s])`",
                "expected ( after %s", out->name);
    return NULL;
  }
  return parser_arguments(self, &out->arguments) ? out : NULL;
}

static stmt *parse_cycle(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_CYCLE);
  lang_place place;
  if (!out || !parser_path(self, &out->label, &place)) return NULL;
  if (!parser_expect(self, TOKEN_COLON, "and the steps of the cycle")) return NULL;
  return parse_side(self, &out->left, true) ? out : NULL;
}

static stmt *parse_for(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_FOR);
  if (!out || !(out->name = parser_name(self, "of the index"))) return NULL;
  if (!parser_take_word(self, "in")) {
    parser_fail(self, "write `for i in 1..10 { ... }`", "expected `in`");
    return NULL;
  }
  if (!(out->a = parser_expression(self)) || !parser_expect(self, TOKEN_DOTS, "between the first and the last index"))
    return NULL;
  if (!(out->b = parser_expression(self))) return NULL;
  return (out->body = parser_block(self)) || !self->panic ? out : NULL;
}

/* left REL right [+- tolerance | within k sigma] */
static stmt *parse_relation(parser *self, stmt_kind kind)
{
  static const struct {
    token_kind token;
    expr_kind kind;
  } relations[] = {{TOKEN_EQ, EXPR_EQ}, {TOKEN_TILDE, EXPR_EQ}, {TOKEN_LT, EXPR_LT},
                   {TOKEN_LE, EXPR_LE}, {TOKEN_GT, EXPR_GT},    {TOKEN_GE, EXPR_GE}};
  stmt *const out = parse_stmt_new(self, kind);
  if (!out || !(out->a = parser_sum(self))) return NULL;
  for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
    if (parser_at(self, relations[i].token))
      out->relation = relations[i].kind, out->approx = relations[i].token == TOKEN_TILDE;
  }
  if (!out->relation) {
    parser_fail(self, "write `a ~ b +- 1e-9`, `a == b`, `a < b`", "expected ~, ==, <, <=, > or >=, found %s",
                token_name(self->cur.kind));
    return NULL;
  }
  parser_advance(self);
  if (!(out->b = parser_sum(self))) return NULL;
  if (parser_take(self, TOKEN_PLUSMINUS)) return (out->c = parser_sum(self)) ? out : NULL;
  if (parser_take_word(self, "within")) {
    out->sigma = true;
    if (!(out->c = parser_sum(self))) return NULL;
    if (!parser_take_word(self, "sigma")) {
      parser_fail(self, "write `within 4 sigma`", "expected `sigma`");
      return NULL;
    }
    return out;
  }
  if (out->approx) {
    parser_fail(self, "add `+- 1e-9` or `within 4 sigma`", "~ needs a tolerance");
    return NULL;
  }
  return out;
}

/* a list of PATH = value, for with, scan and random */
static bool parse_settings(parser *self, stmt_item **out)
{
  stmt_item **tail = out;
  do {
    stmt_item *const item = parse_item_new(self, &tail);
    if (!item || !parser_path(self, &item->path, &item->place)) return false;
    if (!parser_expect(self, TOKEN_ASSIGN, "and a value")) return false;
    if (parser_at(self, TOKEN_LBRACE)) {
      if (!parse_item_value(self, item)) return false;
    } else {
      expr_argument *const range = parser_node(self, sizeof *range);
      if (!range || !parser_setting_value(self, range)) return false;
      item->value = range->value;
      if (range->range_to) item->attributes = range;
    }
  } while (parser_take(self, TOKEN_COMMA));
  return true;
}

static stmt *parse_experiment(parser *self)
{
  stmt *const out = parse_stmt_new(self, STMT_EXPERIMENT);
  if (!out || !(out->name = parser_name(self, "of the experiment"))) return NULL;
  if (parser_take_word(self, "with") && !parse_settings(self, &out->items)) return NULL;
  self->in_experiment = true;
  out->body = parser_block(self);
  self->in_experiment = false;
  return out;
}

/* time 10, every 1 */
static bool parse_numbers(parser *self, expr_argument **tail, const char *what)
{
  do {
    expr_argument *const argument = parser_node(self, sizeof *argument);
    if (!argument) return false;
    argument->place = self->cur.place;
    if (!(argument->name = parser_name(self, what)) || !(argument->value = parser_sum(self))) return false;
    *tail = argument;
    tail = &argument->next;
  } while (parser_take(self, TOKEN_COMMA));
  return true;
}

stmt *parser_experiment_statement(parser *self)
{
  stmt *out = NULL;
  if (parser_take_word(self, "solve")) {
    if (!(out = parse_stmt_new(self, STMT_SOLVE))) return NULL;
    if (!(out->name = parser_name(self, "of what to solve: steady, transient, ode, lna"))) return NULL;
    if (self->cur.kind == TOKEN_NAME && !parse_numbers(self, &out->arguments, "of a setting: time, every")) return NULL;
  } else if (parser_take_word(self, "simulate")) {
    if (!(out = parse_stmt_new(self, STMT_SIMULATE))) return NULL;
    if (parser_take_word(self, "mean")) out->name = "mean";
    else if (parser_take_word(self, "langevin")) out->name = "langevin";
    if (!parse_numbers(self, &out->arguments, "of a setting: replicas, time, events, seed, warmup, every, window"))
      return NULL;
  } else if (parser_take_word(self, "let")) {
    out = parse_list(self, STMT_LET, "of the value", attributes_none);
  } else if (parser_take_word(self, "expect")) {
    out = parse_relation(self, STMT_EXPECT);
  } else if (parser_take_word(self, "scan")) {
    if (!(out = parse_stmt_new(self, STMT_SCAN)) || !parse_settings(self, &out->items)) return NULL;
    out->body = parser_block(self);
  } else if (parser_take_word(self, "random")) {
    if (!(out = parse_stmt_new(self, STMT_RANDOM)) || !(out->a = parser_sum(self))) return NULL;
    if (parser_take_word(self, "seed") && !(out->b = parser_sum(self))) return NULL;
    if (!parser_take_word(self, "with")) {
      parser_fail(self, "write `random 1000 seed 1 with k = loguniform(0.1, 10) { ... }`", "expected `with`");
      return NULL;
    }
    if (!parse_settings(self, &out->items)) return NULL;
    out->body = parser_block(self);
  } else {
    parser_fail(self, "an experiment has solve, simulate, let, expect, scan and random",
                "no such statement in an experiment");
  }
  return out;
}

/* The words that begin a statement, and what reads on behind them. */
static stmt *parse_keyword(parser *self)
{
  static const char *const words[] = {"units", "temperature", "compartment", "param",      "bath",    "potential",
                                      "ion",   "species",     "protein",     "lattice",    "energy",  "for",
                                      "cycle", "assert",      "observe",     "experiment", "process", "include",
                                      "model", "capacitor",   "variable",    "at",         "when"};
  if (parser_at_word(self, "import")) {
    parser_fail(self, "see docs/language.md for what is", "`import` is not in this version of ness");
    return NULL;
  }
  size_t w = 0;
  const size_t nwords = sizeof words / sizeof *words;
  while (w < nwords && !parser_at_word(self, words[w])) w++;
  if (w == nwords) {
    char *const word = arena_text(&self->file->memory, self->cur.place.source->text + self->cur.place.offset,
                                  (size_t)self->cur.place.length);
    const char *const near = name_nearest(word ? word : "", words, (int32_t)nwords);
    const char *const hint =
        near ? arena_format(&self->file->memory, "did you mean `%s`?", near) : "a step reads `name: A <-> B @ 1, 2`";
    parser_fail(self, hint, "no statement begins with `%s`", word ? word : "");
    return NULL;
  }
  const lang_place word = self->cur.place;
  parser_advance(self);
  switch (w) {
  case 0: return parse_units(self);
  case 1: return parse_temperature(self);
  case 2: return parse_compartment(self);
  case 3: return parse_list(self, STMT_PARAM, "of the parameter", attributes_none);
  case 4: return parse_list(self, STMT_BATH, "of the bath", attributes_none);
  case 5: return parse_potential(self);
  case 6: return parse_ion(self);
  case 7: return parse_list(self, STMT_SPECIES, "of the species", attributes_species);
  case 8: return parse_protein(self);
  case 9: return parse_lattice(self);
  case 10: return parse_energy(self);
  case 11: return parse_for(self);
  case 12: return parse_cycle(self);
  case 13: return parse_relation(self, STMT_ASSERT);
  case 14: return parse_list(self, STMT_OBSERVE, "of the observable", attributes_none);
  case 15: return parse_experiment(self);
  case 16: return parse_process(self);
  case 19: return parse_capacitor(self);
  case 20: return parse_variable(self);
  case 21:
  case 22: return parse_event(self, w == 22, word);
  default: {
    stmt *overrides = NULL;
    if (w == 17) return parser_include(self, &overrides) ? overrides : NULL;
    const lang_place place = self->cur.place;
    const char *const name = parser_name(self, "of the model");
    if (name && self->include_depth == 0) {
      if (self->file->name) lang_error(self->diags, place, NULL, "the model already has the name %s", self->file->name);
      self->file->name = name;
    }
    return NULL;
  }
  }
}

/* A step begins with a number, an arrow, or a name that is followed by what only a step can have. */
static bool parse_starts_step(const parser *self)
{
  if (parser_at(self, TOKEN_NUMBER) || parser_at(self, TOKEN_ARROW) || parser_at(self, TOKEN_DOUBLE)) return true;
  if (!parser_at(self, TOKEN_NAME)) return false;
  switch (self->next.kind) {
  case TOKEN_DOUBLE:
  case TOKEN_ARROW:
  case TOKEN_FAT:
  case TOKEN_PLUS:
  case TOKEN_COLON:
  case TOKEN_DOT: return true;
  case TOKEN_LBRACKET: return self->next.glued;
  default: return false;
  }
}

stmt *parser_statement(parser *self)
{
  if (self->in_experiment) return parser_experiment_statement(self);
  if (parser_at(self, TOKEN_NAME) && self->next.kind == TOKEN_RECOMPUTE) {
    return parse_list(self, STMT_PARAM, "of the value", attributes_none);
  }
  if (parser_at(self, TOKEN_NAME) && self->next.kind == TOKEN_DERIVATIVE) {
    return parse_equation(self);
  }
  if (parse_starts_step(self)) return parse_step(self);
  if (parser_at(self, TOKEN_NAME)) return parse_keyword(self);
  parser_fail(self, NULL, "a statement cannot begin with %s", token_name(self->cur.kind));
  return NULL;
}

/* { statements } */
stmt *parser_block(parser *self)
{
  stmt *first = NULL, **tail = &first;
  const int32_t depth = self->depth;
  if (!parser_expect(self, TOKEN_LBRACE, "to open the block")) return NULL;
  if (++self->depth > LANG_MAX_DEPTH) {
    parser_fail(self, NULL, "blocks nest deeper than %d levels", LANG_MAX_DEPTH);
    return NULL;
  }
  for (parser_skip_newlines(self); !parser_at(self, TOKEN_RBRACE) && !parser_at(self, TOKEN_END);
       parser_skip_newlines(self)) {
    const int32_t inner = self->depth;
    stmt *const s = parser_statement(self);
    if (s) {
      *tail = s;
      while (*tail) tail = &(*tail)->next;
    }
    if (!self->panic && !parser_at(self, TOKEN_NEWLINE) && !parser_at(self, TOKEN_RBRACE) &&
        !parser_at(self, TOKEN_END)) {
      parser_fail(self, NULL, "expected the end of the line, found %s", token_name(self->cur.kind));
    }
    self->depth = inner;
    parser_sync(self);
  }
  self->depth = depth;
  parser_expect(self, TOKEN_RBRACE, "to close the block");
  return first;
}
