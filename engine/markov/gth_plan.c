/* The plan of a sparse elimination: an order that keeps the fill low, the tree of who depends on whom, fronts, and what
 * they will cost. Orders on the symmetric pattern are those of gth_order.h; elimination tree and its postorder by Liu
 * (SIAM J. Matrix Anal. Appl. 11, 134 (1990)); column counts by Gilbert, Ng, Peyton (ibid. 15, 1075 (1994)); children
 * are merged into parents while few zeros come in (Ashcraft, Grimes, ACM Trans. Math. Softw. 15, 291 (1989)). Labels
 * below are positions in the order that was found, then in its postorder. Invariant: a front's pivots are contiguous
 * and follow those of its subtree, so do the fronts. Cost: nearly linear in the transitions, but for the ordering. */
#include "engine/markov/gth_order.h"
#include "engine/markov/gth_work.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define SHARES 48      /* a job is at most this part of the work */
#define SMALL 2e6      /* multiply-adds that are not shared out */
#define CHEAP 20000    /* states that are ordered twice; more only where it may matter: */
#define DEAR 2e10      /* multiply-adds from which a second order is sought */
#define HOPELESS 5e12  /* and from which no order will help */
#define KEEP (1 << 24) /* doubles of factors that are all kept */
#define TWIG (1 << 18) /* doubles of those of a twig at most */

typedef struct plan {
  gth *out;
  int32_t n;
  int32_t *label, *order;  /* of a state, and back */
  int32_t *parent, *count; /* of a label: elimination tree; rows of its column with the diagonal */
  int32_t *into;           /* label that this one's column was merged into, itself for the last of a front */
  int32_t *width, *high;   /* of the last of a front: pivots; rows in all */
  int32_t *list, *next;    /* children */
  int32_t *spare[3];
} plan;

static double square_of(double x)
{
  return x * x;
}

/* --- pattern --- */

/* Neighbours in either direction, each once, no loops. */
static ness_status pattern_build(plan *self, const chain *q)
{
  const int32_t n = q->n;
  gth *const g = self->out;
  int64_t total = 0;
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) total += 2 * (q->to[e] != i);
  }
  if (total > INT32_MAX / 4 * 3) return NESS_LIMIT;
  g->start = mem_zero((size_t)n + 2, sizeof *g->start);
  g->to = mem_alloc(((size_t)total + 1) * sizeof *g->to);
  if (!g->start || !g->to) return NESS_NOMEM;
  int32_t *const at = g->start + 1, *const seen = self->list;
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      if (q->to[e] != i) at[i + 1]++, at[q->to[e] + 1]++;
    }
  }
  for (int32_t i = 0; i < n; i++) at[i + 1] += at[i];
  for (int32_t i = 0; i < n; i++) {
    for (int64_t e = q->start[i]; e < q->start[i + 1]; e++) {
      const int32_t j = q->to[e];
      if (j != i) g->to[at[i]++] = j, g->to[at[j]++] = i;
    }
  }
  /* at[i] is now the end of i and the start of i + 1 with all repetitions. */
  int32_t end = 0, from = 0;
  for (int32_t i = 0; i < n; i++) seen[i] = -1;
  for (int32_t i = 0; i < n; i++) {
    const int32_t begin = from;
    from = at[i];
    g->start[i] = end;
    for (int32_t e = begin; e < from; e++) {
      const int32_t j = g->to[e];
      if (seen[j] != i) g->to[end++] = j;
      seen[j] = i;
    }
  }
  g->start[n] = end;
  return NESS_OK;
}

/* --- elimination tree --- */

/* Parents under the present labels; a root has -1. */
static void tree_find(plan *self)
{
  int32_t *const up = self->spare[0];
  for (int32_t k = 0; k < self->n; k++) {
    const int32_t i = self->order[k];
    self->parent[k] = up[k] = -1;
    for (int32_t e = self->out->start[i]; e < self->out->start[i + 1]; e++) {
      for (int32_t t = self->label[self->out->to[e]], far; t >= 0 && t < k; t = far) {
        far = up[t];
        up[t] = k;
        if (far < 0) self->parent[t] = k;
      }
    }
  }
}

static void children_list(plan *self)
{
  for (int32_t k = 0; k < self->n; k++) self->list[k] = -1;
  for (int32_t k = self->n - 1; k >= 0; k--) {
    if (self->parent[k] < 0) continue;
    self->next[k] = self->list[self->parent[k]];
    self->list[self->parent[k]] = k;
  }
}

/* Labels anew so that subtrees are contiguous. */
static void tree_postorder(plan *self)
{
  children_list(self);
  int32_t *const stack = self->spare[0], *const fresh = self->spare[1], *const copy = self->spare[2], count = 0;
  for (int32_t root = 0; root < self->n; root++) {
    int32_t depth = 0;
    if (self->parent[root] < 0) stack[depth++] = root;
    while (depth > 0) {
      const int32_t k = stack[depth - 1], child = self->list[k];
      if (child >= 0) {
        self->list[k] = self->next[child];
        stack[depth++] = child;
      } else {
        fresh[k] = count++;
        depth--;
      }
    }
  }
  for (int32_t k = 0; k < self->n; k++) copy[fresh[k]] = self->parent[k] < 0 ? -1 : fresh[self->parent[k]];
  memcpy(self->parent, copy, (size_t)self->n * sizeof *copy);
  for (int32_t k = 0; k < self->n; k++) copy[fresh[k]] = self->order[k];
  memcpy(self->order, copy, (size_t)self->n * sizeof *copy);
  for (int32_t k = 0; k < self->n; k++) self->label[self->order[k]] = k;
}

/* Whether column j is a leaf of the row subtree of i; then *meet is its lowest common ancestor with the leaf before it,
 * -1 for the first. */
static bool leaf_find(plan *self, int32_t i, int32_t j, int32_t *meet)
{
  const int32_t *const first = self->spare[0];
  int32_t *const most = self->spare[1], *const before = self->spare[2], *const up = self->next;
  if (i <= j || first[j] <= most[i]) return false;
  int32_t s = before[i];
  most[i] = first[j];
  before[i] = j;
  *meet = s;
  if (s < 0) return true;
  while (*meet != up[*meet]) *meet = up[*meet];
  while (s != *meet) {
    const int32_t far = up[s];
    up[s] = *meet;
    s = far;
  }
  return true;
}

/* Rows of every column of the factor, by the leaves of the row subtrees. */
static void columns_count(plan *self)
{
  int32_t *const first = self->spare[0], *const count = self->count;
  for (int32_t j = 0; j < self->n; j++) {
    first[j] = self->spare[1][j] = self->spare[2][j] = -1;
    self->next[j] = j;
  }
  for (int32_t j = 0; j < self->n; j++) {
    count[j] = first[j] < 0;
    for (int32_t k = j; k >= 0 && first[k] < 0; k = self->parent[k]) first[k] = j;
  }
  for (int32_t j = 0; j < self->n; j++) {
    const int32_t state = self->order[j], parent = self->parent[j];
    if (parent >= 0) count[parent]--;
    for (int32_t e = self->out->start[state]; e < self->out->start[state + 1]; e++) {
      int32_t meet;
      if (!leaf_find(self, self->label[self->out->to[e]], j, &meet)) continue;
      count[j]++;
      if (meet >= 0) count[meet]--;
    }
    if (parent >= 0) self->next[j] = parent;
  }
  for (int32_t j = 0; j < self->n; j++) {
    if (self->parent[j] >= 0) count[self->parent[j]] += count[j];
  }
}

/* --- fronts --- */

/* Whether a front of `width` pivots may hold this share of entries that are zero. */
static bool zeros_fine(int32_t width, double share)
{
  return share < (width <= 4 ? 0.7 : width <= 16 ? 0.5 : width <= 48 ? 0.1 : 0.05);
}

/* Merges columns into those of their parents, the latest child first. Returns the number of fronts. */
static int32_t fronts_merge(plan *self, double *zeros)
{
  int32_t fronts = self->n;
  children_list(self);
  for (int32_t t = 0; t < self->n; t++) {
    self->into[t] = t;
    self->width[t] = 1;
    self->high[t] = self->count[t];
    zeros[t] = 0;
    int32_t *const stack = self->spare[0], depth = 0;
    for (int32_t s = self->list[t]; s >= 0; s = self->next[s]) stack[depth++] = s;
    while (depth > 0) {
      const int32_t s = stack[--depth], width = self->width[s] + self->width[t], high = self->width[s] + self->high[t];
      const double extra = (double)self->width[s] * (double)(self->high[t] - (self->high[s] - self->width[s]));
      const double all = (double)width * high - 0.5 * (double)width * (width - 1), none = zeros[s] + zeros[t] + extra;
      if (extra > 0 && !zeros_fine(width, none / all)) continue;
      self->into[s] = t;
      self->width[t] = width;
      self->high[t] = high;
      zeros[t] = none;
      fronts--;
    }
  }
  return fronts;
}

/* Numbers the fronts, places their columns and connects them. */
static ness_status fronts_place(plan *self, int32_t count)
{
  gth *const g = self->out;
  int32_t *const number = self->spare[0], *const cursor = self->spare[1];
  g->front = mem_zero((size_t)count + 1, sizeof *g->front);
  if (!g->front) return NESS_NOMEM;
  int32_t at = 0;
  for (int32_t t = 0; t < self->n; t++) {
    if (self->into[t] != t) continue;
    gth_front *const f = &g->front[g->nfront];
    *f = (gth_front){
        .first = at, .pivots = self->width[t], .rest = self->high[t] - self->width[t], .parent = -1, .twig = -1};
    f->size = 1;
    number[t] = g->nfront;
    cursor[g->nfront++] = at;
    at += f->pivots;
  }
  for (int32_t t = self->n - 1; t >= 0; t--) {
    if (self->into[t] != t) number[t] = number[self->into[t]]; /* which is later */
    else if (self->parent[t] >= 0) g->front[number[t]].parent = number[self->parent[t]];
  }
  for (int32_t t = 0; t < self->n; t++) {
    const int32_t place = cursor[number[t]]++;
    g->place[self->order[t]] = place;
    g->state[place] = self->order[t];
  }
  for (int32_t f = 0; f < g->nfront; f++) {
    if (g->front[f].parent >= 0) g->front[g->front[f].parent].size += g->front[f].size;
  }
  return NESS_OK;
}

/* --- what it costs, and how it is shared --- */

/* Doubles that a front hands to its parent: rates among the rest and out of the chain. */
static size_t handed(const gth_front *f)
{
  return (size_t)f->rest * (size_t)f->rest + (size_t)f->rest;
}

/* Doubles on a stack while fronts from ... to run, of which those under a job hand on elsewhere. */
static void stack_measure(const gth *self, int32_t from, int32_t to, const bool *in_job, size_t *peak, int32_t *widest)
{
  size_t top = 0;
  *peak = 0;
  *widest = 0;
  for (int32_t f = from; f <= to; f++) {
    if (in_job && in_job[f]) continue;
    const gth_front *const front = &self->front[f];
    const size_t own = handed(front);
    if (top + own > *peak) *peak = top + own;
    if (front->pivots + front->rest > *widest) *widest = front->pivots + front->rest;
    for (int32_t child = f - 1; child > f - front->size; child -= self->front[child].size) {
      if (!in_job || !in_job[child]) top -= handed(&self->front[child]);
    }
    top += own;
  }
}

typedef struct share {
  double work;
  int32_t root;
} share;

static int share_order(const void *a, const void *b)
{
  const share *const x = a, *const y = b;
  return x->work != y->work ? (x->work < y->work ? 1 : -1) : (x->root > y->root) - (x->root < y->root);
}

/* Jobs: the largest subtrees of at most a share of all work; what is above them is eliminated front by front. */
static ness_status jobs_find(gth *self)
{
  const size_t fronts = (size_t)self->nfront;
  ness_status status = NESS_NOMEM;
  double *const work = mem_zero(fronts, sizeof *work);
  share *const shares = mem_alloc(fronts * sizeof *shares);
  bool *const in_job = mem_zero(fronts, sizeof *in_job);
  if (!work || !shares || !in_job) goto out;
  double all = 0;
  for (int32_t f = 0; f < self->nfront; f++) {
    const gth_front *const front = &self->front[f];
    double own = 0;
    for (int32_t k = 0; k < front->pivots; k++) own += square_of(front->pivots + front->rest - 1 - k);
    work[f] += own;
    all += own;
    if (front->parent >= 0) work[front->parent] += work[f];
  }
  self->flops = 2 * all;
  const double limit = all < SMALL ? INFINITY : all / SHARES;
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    const int32_t parent = self->front[f].parent;
    if (work[f] > limit) continue;
    if (parent >= 0 && work[parent] <= limit) continue;
    shares[self->njob++] = (share){work[f], f};
    for (int32_t i = f - self->front[f].size + 1; i <= f; i++) in_job[i] = true;
  }
  qsort(shares, (size_t)self->njob, sizeof *shares, share_order);
  self->job = mem_alloc(((size_t)self->njob + 1) * sizeof *self->job);
  self->stack = mem_zero((size_t)self->njob + 1, sizeof *self->stack);
  self->widest = mem_zero((size_t)self->njob + 1, sizeof *self->widest);
  if (!self->job || !self->stack || !self->widest) goto out;
  for (int32_t j = 0; j < self->njob; j++) {
    const int32_t root = self->job[j] = shares[j].root;
    stack_measure(self, root - self->front[root].size + 1, root, NULL, &self->stack[j], &self->widest[j]);
  }
  stack_measure(self, 0, self->nfront - 1, in_job, &self->stack[self->njob], &self->widest[self->njob]);
  status = NESS_OK;
out:
  mem_free(work);
  mem_free(shares);
  mem_free(in_job);
  return status;
}

/* Doubles of a front's factors. */
static size_t values_of(const gth_front *f)
{
  return (size_t)f->pivots * ((size_t)f->pivots + 2 * (size_t)f->rest);
}

/* Takes the maximal subtrees below jobs whose factors are small for twigs. */
static ness_status twigs_take(gth *self, const size_t *below)
{
  bool *const in_job = mem_zero((size_t)self->nfront, sizeof *in_job);
  self->twig = mem_zero((size_t)self->nfront + 1, sizeof *self->twig);
  if (!in_job || !self->twig) {
    mem_free(in_job);
    return NESS_NOMEM;
  }
  for (int32_t j = 0; j < self->njob; j++) in_job[self->job[j]] = true;
  for (int32_t f = self->nfront - 1; f >= 0; f--) {
    const int32_t parent = self->front[f].parent;
    in_job[f] = in_job[f] || (parent >= 0 && in_job[parent]);
  }
  for (int32_t root = 0; root < self->nfront; root++) {
    const int32_t parent = self->front[root].parent, from = root - self->front[root].size + 1;
    if (!in_job[root] || below[root] > TWIG) continue;
    if (parent >= 0 && in_job[parent] && below[parent] <= TWIG) continue;
    const gth_front *const last = &self->front[root];
    const int32_t states = last->first + last->pivots - self->front[from].first;
    self->twig[self->ntwig] = (gth_twig){.from = from, .root = root, .states = states, .values = below[root]};
    for (int32_t f = from; f <= root; f++) self->front[f].twig = self->ntwig;
    self->ntwig++;
    size_t stack;
    int32_t widest;
    stack_measure(self, from, root, NULL, &stack, &widest);
    const size_t room = below[root] + (size_t)states;
    self->twig_room = room > self->twig_room ? room : self->twig_room;
    self->twig_stack = stack > self->twig_stack ? stack : self->twig_stack;
    self->twig_states = states > self->twig_states ? states : self->twig_states;
    self->twig_widest = widest > self->twig_widest ? widest : self->twig_widest;
  }
  mem_free(in_job);
  return NESS_OK;
}

/* Decides whose factors are kept, and gives each front its place. */
static ness_status values_place(gth *self, size_t keep)
{
  size_t *const below = mem_zero((size_t)self->nfront, sizeof *below), all = 0;
  ness_status status = below ? NESS_OK : NESS_NOMEM;
  for (int32_t f = 0; f < self->nfront && below; f++) {
    const gth_front *const front = &self->front[f];
    below[f] += values_of(front);
    all += values_of(front);
    if (front->parent >= 0) below[front->parent] += below[f];
  }
  if (status == NESS_OK && all > keep) status = twigs_take(self, below);
  mem_free(below);
  size_t in_twig = 0;
  for (int32_t f = 0; f < self->nfront; f++) {
    gth_front *const front = &self->front[f];
    size_t *const end = front->twig < 0 ? &self->kept : &in_twig;
    if (front->twig >= 0 && self->twig[front->twig].from == f) in_twig = 0;
    front->values = *end;
    *end += values_of(front);
  }
  return status;
}

static void bytes_count(gth *self)
{
  size_t values = self->kept, rows = 0, waiting = 0, most = 0;
  for (int32_t f = 0; f < self->nfront; f++) {
    gth_front *const front = &self->front[f];
    front->rows = (int64_t)rows;
    rows += (size_t)front->rest;
  }
  const int32_t threads = omp_get_max_threads();
  for (int32_t j = 0; j < self->njob; j++) {
    waiting += handed(&self->front[self->job[j]]);
    const size_t own = self->stack[j] + front_scratch(self->widest[j]);
    if (own > most) most = own;
  }
  most = (most + self->twig_room) * (size_t)(threads < self->njob ? threads : self->njob);
  const size_t above = self->stack[self->njob] + front_scratch(self->widest[self->njob]);
  const size_t twigs =
      (size_t)gth_batch(self) * (self->twig_room + self->twig_stack + front_scratch(self->twig_widest));
  most = most + waiting > twigs ? most + waiting : twigs;
  values += above + waiting > most ? above + waiting : most;
  const size_t rates = self->ntwig > 0 ? (size_t)self->start[self->n] * (sizeof(int32_t) + sizeof(double)) : 0;
  self->bytes = rates + values * sizeof(double) + rows * sizeof(int32_t) +
                (size_t)self->nfront * (sizeof(gth_front) + 24) + (size_t)self->n * 32 +
                (size_t)self->start[self->n] * sizeof(int32_t);
}

/* --- order --- */

/* A state that the chain is often in, as far as a walk of n jumps tells: the one where most of the second half is
 * spent. A wrong guess costs a second elimination where one state has to be left out, and nothing else. */
static int32_t often_find(const chain *q, double *spent)
{
  uint64_t seed = 1;
  int32_t at = 0, often = 0;
  for (int32_t i = 0; i < q->n; i++) spent[i] = 0;
  for (int64_t jump = -1000; jump < q->n; jump++) {
    double out = 0;
    for (int64_t e = q->start[at]; e < q->start[at + 1]; e++) out += q->to[e] == at ? 0 : q->rate[e];
    if (!(out > 0 && out < INFINITY)) return at;
    if (jump >= q->n / 2) spent[at] += 1 / out;
    if (spent[at] > spent[often]) often = at;
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    double left = (double)(seed >> 11) * 0x1p-53 * out;
    int32_t next = at;
    for (int64_t e = q->start[at]; e < q->start[at + 1] && left >= 0; e++) {
      if (q->to[e] == at || !(q->rate[e] > 0)) continue;
      next = q->to[e];
      left -= q->rate[e];
    }
    at = next;
  }
  return often;
}

/* Orders by minimum degree within the sets and finds the tree. *work: multiply-adds of an elimination by columns. */
static ness_status order_try(plan *self, const int32_t *set, double *work)
{
  const order_graph g = {self->n, self->out->start, self->out->to};
  const ness_status status = order_degree(&g, set, self->label, self->order);
  if (status) return status;
  tree_find(self);
  tree_postorder(self);
  columns_count(self);
  *work = 0;
  for (int32_t k = 0; k < self->n; k++) *work += square_of(self->count[k] - 1);
  return NESS_OK;
}

/* The better of dissection and mere minimum degree; the latter is not tried where that would take a good part of the
 * time of the elimination. In a closed chain a state that it is often in comes last. */
static ness_status order_find(plan *self, const chain *q, double *spent)
{
  const size_t n = (size_t)self->n;
  const order_graph g = {self->n, self->out->start, self->out->to};
  int32_t *const set = mem_zero(2 * n, sizeof *set), *const plain = set + n, most = 0;
  if (!set) return NESS_NOMEM;
  ness_status status = order_dissect(&g, set);
  if (status) goto out;
  for (size_t i = 0; i < n; i++) most = set[i] > most ? set[i] : most;
  if (!q->exit && n > 1) {
    const int32_t often = often_find(q, spent);
    set[often] = most + 1;
    plain[often] = 1;
  }
  double work, other;
  status = order_try(self, set, &work);
  if (status || most == 0 || (self->n > CHEAP && (work < DEAR || work > HOPELESS))) goto out;
  status = order_try(self, plain, &other);
  if (status == NESS_OK && other > work) status = order_try(self, set, &work);
out:
  mem_free(set);
  return status;
}

static ness_status plan_make(plan *self, const chain *q, size_t keep, double *zeros)
{
  gth *const g = self->out;
  ness_status status = pattern_build(self, q);
  if (status == NESS_OK) status = order_find(self, q, zeros);
  if (status) return status;
  status = fronts_place(self, fronts_merge(self, zeros));
  if (status == NESS_OK) status = jobs_find(g);
  if (status == NESS_OK) status = values_place(g, keep);
  if (status) return status;
  bytes_count(g);
  g->whole = q->exit;
  g->pinned = q->exit ? -1 : g->state[g->n - 1];
  return NESS_OK;
}

ness_status gth_plan_lean(const chain *q, size_t keep, gth **out)
{
  const size_t n = (size_t)q->n + 1;
  plan self = {.n = q->n};
  gth *const g = self.out = mem_zero(1, sizeof *g);
  int32_t *const space = mem_alloc(12 * n * sizeof *space), *at = space;
  double *const zeros = mem_alloc(n * sizeof *zeros);
  ness_status status = NESS_NOMEM;
  *out = NULL;
  if (!g || !space || !zeros) goto out;
  g->n = q->n;
  g->place = mem_alloc(n * sizeof *g->place);
  g->state = mem_alloc(n * sizeof *g->state);
  if (!g->place || !g->state) goto out;
  int32_t **const parts[] = {&self.label, &self.order, &self.parent, &self.count,    &self.into,     &self.width,
                             &self.high,  &self.list,  &self.next,   &self.spare[0], &self.spare[1], &self.spare[2]};
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++, at += n) *parts[k] = at;
  status = plan_make(&self, q, keep, zeros);
out:
  mem_free(space);
  mem_free(zeros);
  if (status == NESS_OK) *out = g;
  else gth_free(g);
  return status;
}

ness_status gth_plan(const chain *q, gth **out)
{
  return gth_plan_lean(q, KEEP, out);
}

void gth_free(gth *self)
{
  if (!self) return;
  void *const blocks[] = {self->place, self->state,  self->start, self->to,     self->front, self->job,
                          self->stack, self->widest, self->rows,  self->values, self->exit,  self->fan,
                          self->power, self->owner,  self->twig,  self->slot,   self->rate};
  for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) mem_free(blocks[k]);
  mem_free(self);
}
