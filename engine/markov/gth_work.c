/* Going through fronts: contributions of children are added to a front, it is eliminated, and what it hands on stays on
 * a stack. Cost: that of the fronts; loading a twig is a pass over its factors. */
#include "engine/markov/gth_work.h"
#include <omp.h>
#include <string.h>

ness_status worker_prepare(worker *self, size_t stack, int32_t widest)
{
  const gth *const g = self->g;
  self->top = 0;
  self->stack = mem_alloc((stack + 1) * sizeof(double));
  self->scratch = mem_alloc(front_scratch(widest) * sizeof(double));
  self->map = mem_alloc(((size_t)widest + 1) * sizeof *self->map);
  self->twig = g->ntwig > 0 ? mem_alloc(g->twig_room * sizeof *self->twig) : NULL;
  self->count = g->ntwig > 0 ? mem_alloc((size_t)g->twig_states * sizeof *self->count) : NULL;
  const bool twigs = g->ntwig == 0 || (self->twig && self->count);
  return self->stack && self->scratch && self->map && twigs ? NESS_OK : NESS_NOMEM;
}

void worker_clear(worker *self)
{
  mem_free(self->stack);
  mem_free(self->scratch);
  mem_free(self->map);
  mem_free(self->twig);
  mem_free(self->count);
  self->stack = self->scratch = self->twig = NULL;
  self->map = self->count = NULL;
}

static front_block block_of(const worker *self, const gth_front *f)
{
  const size_t p = (size_t)f->pivots, c = (size_t)f->rest;
  double *const values = front_values(f, self->values, self->twig);
  const gth_twig *const twig = f->twig < 0 ? NULL : &self->g->twig[f->twig];
  const int32_t shift = twig ? f->first - self->g->front[twig->from].first : f->first;
  return (front_block){
      .p = f->pivots,
      .c = f->rest,
      .last = f->pivots,
      .square = values,
      .up = values + p * p,
      .down = values + p * (p + c),
      .exit = (twig ? self->twig + twig->values : self->exit) + shift,
      .fan = (twig ? self->count : self->fan) + shift,
  };
}

/* Rates and exits of a twig's states as they were before its elimination. */
static void twig_load(worker *self, const gth_twig *twig)
{
  const gth *const g = self->g;
  const int32_t first = g->front[twig->from].first;
  memset(self->twig, 0, twig->values * sizeof *self->twig);
  memcpy(self->twig + twig->values, g->exit + first, (size_t)twig->states * sizeof *self->twig);
  for (int64_t e = twig->rates; e < twig[1].rates; e++) {
    double *const at = &self->twig[g->slot[e]];
    self->rounds += *at > 0;
    *at += g->rate[e];
  }
}

/* Adds what a child hands on to its parent's front. */
static void child_assemble(worker *self, const gth_front *child, const double *given, const gth_front *f,
                           const front_block *into)
{
  const int32_t *const rows = self->g->rows + child->rows, *const rest = self->g->rows + f->rows;
  const size_t c = (size_t)child->rest, p = (size_t)into->p, q = (size_t)into->c;
  size_t inner = 0; /* of the child's rows are pivots here */
  for (size_t i = 0, at = 0; i < c; i++) {
    if (rows[i] < f->first + f->pivots) {
      self->map[i] = rows[i] - f->first;
      inner++;
      continue;
    }
    while (rest[at] < rows[i]) at++;
    self->map[i] = (int32_t)at;
  }
  const double *const exits = given + c * c;
  for (size_t i = 0; i < c; i++) {
    const size_t to = (size_t)self->map[i];
    const double *const row = given + i * c;
    double *const left = i < inner ? into->square + to * p : into->down + to, *const right = i < inner
                                                                                                 ? into->up + to * q
                                                                                                 : into->schur + to * q;
    const size_t step = i < inner ? 1 : q;
    for (size_t j = 0; j < inner; j++) left[(size_t)self->map[j] * step] += row[j];
    for (size_t j = inner; j < c; j++) right[self->map[j]] += row[j];
    *(i < inner ? &into->exit[to] : &into->rest_exit[to]) += exits[i];
  }
  self->rounds += (int64_t)c;
}

ness_status worker_front(worker *self, int32_t index)
{
  const gth *const g = self->g;
  const gth_front *const f = &g->front[index];
  if (f->twig >= 0 && index == g->twig[f->twig].from) twig_load(self, &g->twig[f->twig]);
  const size_t c = (size_t)f->rest, size = c * c + c;
  front_block block = block_of(self, f);
  double *const own = self->stack + self->top;
  block.schur = own;
  block.rest_exit = own + c * c;
  if (!g->whole && index == g->nfront - 1) block.last--;
  memset(own, 0, size * sizeof *own);
  size_t bottom = self->top;
  for (int32_t child = index - 1; child > index - f->size; child -= g->front[child].size) {
    child_assemble(self, &g->front[child], self->given[child], f, &block);
    if (self->stage[child] == FRONT_APART) {
      mem_free(self->given[child]);
      self->stage[child] = FRONT_DONE;
    } else {
      bottom -= (size_t)g->front[child].rest * ((size_t)g->front[child].rest + 1);
    }
  }
  const ness_status status = front_eliminate(&block, self->scratch, self->wide);
  if (bottom != self->top) memmove(self->stack + bottom, own, size * sizeof *own);
  self->given[index] = self->stack + bottom;
  self->stage[index] = FRONT_DONE;
  self->top = bottom + size;
  self->rounds += block.rounds;
  self->thin = self->thin || block.thin;
  return status;
}

/* --- factors again --- */

int32_t gth_batch(const gth *self)
{
  const int32_t most = 2 * omp_get_max_threads();
  return most < self->ntwig ? most : self->ntwig;
}

ness_status walk_open(gth_walk *self, const gth *g)
{
  *self = (gth_walk){.g = g, .hands = gth_batch(g)};
  if (self->hands == 0) return NESS_OK;
  self->hand = mem_zero((size_t)self->hands, sizeof *self->hand);
  self->given = mem_zero((size_t)g->nfront, sizeof *self->given);
  self->stage = mem_zero((size_t)g->nfront, sizeof *self->stage);
  ness_status status = self->hand && self->given && self->stage ? NESS_OK : NESS_NOMEM;
  for (int32_t h = 0; h < self->hands && self->hand && status == NESS_OK; h++) {
    self->hand[h] = (worker){.g = g, .given = self->given, .stage = self->stage};
    status = worker_prepare(&self->hand[h], g->twig_stack, g->twig_widest);
  }
  return status;
}

void walk_close(gth_walk *self)
{
  for (int32_t h = 0; h < self->hands && self->hand; h++) worker_clear(&self->hand[h]);
  mem_free(self->hand);
  mem_free(self->given);
  mem_free(self->stage);
}

void walk_turn(gth_walk *self, bool down)
{
  self->down = down;
  self->from = self->g->ntwig;
}

static ness_status twig_again(worker *self, const gth_twig *twig)
{
  ness_status status = NESS_OK;
  self->top = 0;
  for (int32_t f = twig->from; f <= twig->root && status == NESS_OK; f++) status = worker_front(self, f);
  return status;
}

ness_status walk_values(gth_walk *self, int32_t front, const double **values)
{
  const gth *const g = self->g;
  const gth_front *const f = &g->front[front];
  ness_status status = NESS_OK;
  if (f->twig >= 0 && (f->twig < self->from || f->twig >= self->from + self->hands)) {
    int32_t from = self->down ? f->twig - self->hands + 1 : f->twig;
    if (from + self->hands > g->ntwig) from = g->ntwig - self->hands;
    self->from = from = from < 0 ? 0 : from;
#pragma omp parallel for schedule(dynamic, 1) if (self->hands > 1) default(none) shared(self, g, from, status)
    for (int32_t h = 0; h < self->hands; h++) {
      const ness_status ended = twig_again(&self->hand[h], &g->twig[from + h]);
      if (ended == NESS_OK) continue;
#pragma omp critical(gth_failed)
      status = ended; /* an interrupt, since numbers went through it before */
    }
  }
  if (status == NESS_OK)
    *values = front_values(f, g->values, f->twig < 0 ? NULL : self->hand[f->twig - self->from].twig);
  return status;
}
