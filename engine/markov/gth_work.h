/* How fronts of gth.c are gone through, for the elimination itself and for twigs: small subtrees whose factors are not
 * kept. A subtree depends on its own rates alone, so it is eliminated again when its factors are asked for, with the
 * same bits. On a plane of a million states twigs have half of all factors and less than a tenth of the work. */
#ifndef ENGINE_MARKOV_GTH_WORK_H
#define ENGINE_MARKOV_GTH_WORK_H

#include "engine/markov/gth.h"
#include "engine/markov/gth_front.h"

enum { FRONT_OPEN, FRONT_DONE, FRONT_APART /* done, and what it hands on is a block of its own */ };

typedef struct worker { /* goes through fronts, one after another */
  const gth *g;
  double *values, *exit; /* of g, for fronts that keep theirs */
  int32_t *fan;
  double *twig;   /* (g->twig_room) factors of the present twig and the exits of its states */
  int32_t *count; /* (g->twig_states) the fans of its states */
  double **given; /* (nfront) what a front hands to its parent */
  uint8_t *stage; /* (nfront) */
  double *stack, *scratch;
  int32_t *map; /* a child's rows in its parent */
  size_t top;   /* doubles on the stack */
  int64_t rounds;
  bool thin, wide;
} worker;

/* Room for a stack of so many doubles and fronts of so many rows. Freed by worker_clear, also after a failure. */
ness_status worker_prepare(worker *self, size_t stack, int32_t widest);
void worker_clear(worker *self);

/* Eliminates a front whose children are done. The first front of a twig loads the twig. */
ness_status worker_front(worker *self, int32_t index);

/* A walk along the fronts, in either direction, that makes the factors of twigs again where it comes to them: some of
 * them ahead, by all threads. Freed by walk_close, also after a failure. */
typedef struct gth_walk {
  const gth *g;
  worker *hand;        /* (hands) each with the factors of a twig */
  int32_t hands, from; /* which hold twigs from ... */
  bool down;           /* from the last front to the first */
  double **given;      /* (nfront) */
  uint8_t *stage;      /* (nfront) */
} gth_walk;

ness_status walk_open(gth_walk *self, const gth *g);
void walk_close(gth_walk *self);
/* Before the first front of a way down or up. */
void walk_turn(gth_walk *self, bool down);
/* The factors of a front; valid until the next call. */
ness_status walk_values(gth_walk *self, int32_t front, const double **values);
/* Twigs that are made at a time. */
int32_t gth_batch(const gth *self);

/* Where the factors of front f are, given those of g and of the twig that it belongs to. */
static inline double *front_values(const gth_front *f, double *values, double *twig)
{
  return (f->twig < 0 ? values : twig) + f->values;
}

#endif
