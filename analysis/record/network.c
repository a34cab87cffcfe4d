/* The network that a record shows: a slot a state, a step a pair of states with transitions, one molecule.
 * Invariant: steps ascend by their two states, the lower one first, so that a step's forward direction goes up; rates
 * are those of maximum likelihood, transitions over time spent. A pair that was seen one way only has no way back.
 * States stand in the order of their numbers, or of their names, in which digits count as numbers. Names become such as
 * a model file takes: state 7 is s7. Cost: a sort of the states and of the transitions. */
#include "analysis/record/record.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct order {
  const char *name;
  double value; /* of a name that is a number, else NaN */
  int32_t id;
} order;

/* C2 before C10. */
static int name_compare(const char *a, const char *b)
{
  while (*a && *b) {
    if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
      const size_t zeros_a = strspn(a, "0"), zeros_b = strspn(b, "0");
      const size_t na = strspn(a + zeros_a, "0123456789"), nb = strspn(b + zeros_b, "0123456789");
      const int by = na != nb ? (na < nb ? -1 : 1) : memcmp(a + zeros_a, b + zeros_b, na);
      if (by) return by;
      a += zeros_a + na;
      b += zeros_b + nb;
    } else if (*a != *b) {
      break;
    } else {
      a++;
      b++;
    }
  }
  return (*(const unsigned char *)a > *(const unsigned char *)b) -
         (*(const unsigned char *)a < *(const unsigned char *)b);
}

static int order_compare(const void *a, const void *b)
{
  const order *const x = a, *const y = b;
  if (isnan(x->value) != isnan(y->value)) return isnan(x->value) ? 1 : -1; /* numbers first */
  const int by = isnan(x->value) ? name_compare(x->name, y->name) : (x->value > y->value) - (x->value < y->value);
  return by ? by : (x->id > y->id) - (x->id < y->id);
}

static int edge_compare(const void *a, const void *b)
{
  const record_edge *const x = a, *const y = b;
  const int32_t xl = x->from < x->to ? x->from : x->to, yl = y->from < y->to ? y->from : y->to;
  const int32_t xh = x->from + x->to - xl, yh = y->from + y->to - yl;
  if (xl != yl) return xl < yl ? -1 : 1;
  if (xh != yh) return xh < yh ? -1 : 1;
  return (x->from > y->from) - (x->from < y->from);
}

/* False when memory is out. */
static bool states_sort(record *self)
{
  const int32_t n = self->states.count;
  order *const list = mem_zero((size_t)n + 1, sizeof *list);
  int32_t *const place = mem_zero((size_t)n + 1, sizeof *place);
  record_state *const at = mem_zero((size_t)n + 1, sizeof *at);
  name_table names = {0};
  bool good = list && place && at;
  for (int32_t i = 0; i < n && good; i++) {
    list[i] = (order){names_text(&self->states, i), (double)NAN, i};
    word_number((word){list[i].name, strlen(list[i].name)}, &list[i].value);
  }
  if (good) qsort(list, (size_t)n, sizeof *list, order_compare);
  for (int32_t i = 0; i < n && good; i++) {
    place[list[i].id] = i;
    at[i] = self->at[list[i].id];
    good = names_add(&names, list[i].name, strlen(list[i].name)) >= 0;
  }
  if (good) {
    memcpy(self->at, at, (size_t)n * sizeof *at);
    names_free(&self->states);
    self->states = names;
    for (int64_t e = 0; e < self->edges; e++) {
      self->edge[e].from = place[self->edge[e].from];
      self->edge[e].to = place[self->edge[e].to];
    }
    for (int32_t i = 0; i < self->map.from.count; i++) self->map.class_of[i] = place[self->map.class_of[i]];
  } else {
    names_free(&names);
  }
  mem_free(list);
  mem_free(place);
  mem_free(at);
  return good;
}

/* A name for the language: what is no letter, digit or underline becomes one. */
static bool state_name(const record *self, int32_t state, name_table *taken, char out[NAME_BYTES_MAX + 16])
{
  const char *const name = names_text(&self->states, state);
  size_t n = 0;
  if (!isalpha((unsigned char)name[0])) out[n++] = 's';
  for (const char *p = name; *p && n < NAME_BYTES_MAX; p++)
    out[n++] = isalnum((unsigned char)*p) || *p == '_' ? *p : *p == '-' ? 'm' : *p == '.' ? 'p' : '_';
  out[n] = 0;
  for (int32_t k = 2; names_find(taken, out, strlen(out)) >= 0; k++) snprintf(out + n, 16, "_%d", k);
  return names_add(taken, out, strlen(out)) >= 0;
}

static double edge_rate(const record *self, const record_edge *edge)
{
  const double time = self->at[edge->from].dwell;
  return time > 0 ? (double)edge->count / time : 1; /* only ever held for no time: no rate is known */
}

static ness_status steps_add(const record *self, const name_table *names, network_builder *b)
{
  char name[2 * NAME_BYTES_MAX + 64], text[2 * NAME_BYTES_MAX + 64];
  for (int64_t e = 0; e < self->edges;) {
    const record_edge *const first = &self->edge[e], *const second = first + 1;
    const bool both = e + 1 < self->edges && second->from == first->to && second->to == first->from;
    snprintf(name, sizeof name, "%s.%s", names_text(names, first->from), names_text(names, first->to));
    snprintf(text, sizeof text, "%s %s %s", names_text(names, first->from), both ? "<->" : "->",
             names_text(names, first->to));
    const builder_step step = {.name = name,
                               .text = text,
                               .nleft = 1,
                               .nright = 1,
                               .left = &first->from,
                               .right = &first->to,
                               .law = {LAW_MASS, both ? LAW_MASS : LAW_NONE},
                               .k = {edge_rate(self, first), both ? edge_rate(self, second) : 0},
                               .lnk = (double)NAN};
    if (builder_step_add(b, &step) < 0) return NESS_NOMEM;
    e += both ? 2 : 1;
  }
  return NESS_OK;
}

/* From here on edge_of gives the direction of a transition. */
static bool directions(record *self)
{
  int32_t step = 0;
  loop_map_free(&self->edge_of);
  for (int64_t e = 0; e < self->edges; e++) {
    const record_edge *const at = &self->edge[e];
    const bool back = e > 0 && at->from == at[-1].to && at->to == at[-1].from;
    const uint64_t key = ((uint64_t)(uint32_t)at->from << 32 | (uint32_t)at->to) + 1;
    if (!loop_map_add(&self->edge_of, key, back ? 2 * (step - 1) + 1 : 2 * step++)) return false;
  }
  return true;
}

ness_status record_network(record *self, ness_network **out)
{
  char name[NAME_BYTES_MAX + 16];
  const char *const slash = strrchr(self->path, '/'), *const base = slash ? slash + 1 : self->path;
  name_table names = {0};
  *out = NULL;
  if (!states_sort(self)) return NESS_NOMEM;
  if (self->edges > 1) qsort(self->edge, (size_t)self->edges, sizeof *self->edge, edge_compare);
  network_builder *const b = builder_create(base, 0);
  ness_status status = b && directions(self) && builder_family(b, "molecule", 1) >= 0 ? NESS_OK : NESS_NOMEM;
  for (int32_t i = 0; i < self->states.count && !status; i++) {
    if (!state_name(self, i, &names, name) || builder_slot(b, name, i == 0, MODEL_NO_MAX, 0, 0, -1, 0) < 0)
      status = NESS_NOMEM;
  }
  if (!status) status = steps_add(self, &names, b);
  if (!status) status = builder_finish(b, self->diags, out);
  builder_free(b);
  names_free(&names);
  return status;
}
