/* Entropy production in time, and its split into what driving costs at rest and what the approach to rest costs. */
#ifndef ENGINE_CME_SPLIT_H
#define ENGINE_CME_SPLIT_H

#include "engine/cme/cme.h"

typedef enum split_obstacle { /* why there is a total and no split */
                              SPLIT_NONE = 0,
                              SPLIT_ENDLESS,  /* counts without end: the steady distribution is not known on the states
                                                 of the course */
                              SPLIT_CLASSES,  /* more than one closed class */
                              SPLIT_LEFT,     /* states that are left for good have no steady probability */
                              SPLIT_UNSOLVED, /* no steady state within the limits */
                              SPLIT_PROCESS,  /* a process moves it, whose own entropy is not counted */
                              SPLIT_RARE /* probability where the steady one is below what doubles hold: known after
                                            split_add */
} split_obstacle;

/* k_B/s; of all transitions but those of processes. total = medium + system = adiabatic + nonadiabatic; total,
 * adiabatic and nonadiabatic are never negative. +inf: a one-way step runs (total, medium, adiabatic), or a state that
 * cannot be had yet is entered (total, system, nonadiabatic at t = 0). NaN: there is no split. */
typedef struct split_row {
  double total;
  double medium; /* work of the sources less the change of the states' energies */
  double system; /* change of -sum p ln p - sum p ln n! */
  double adiabatic, nonadiabatic;
} split_row;

typedef struct splitting splitting;

/* The part with its states, transitions and classes; where there is a split its steady state is solved for and left in
 * part->p. `options` are those of that solve. The part is borrowed until split_free. */
ness_status split_create(const ness_network *net, cme_part *part, const solver_options *options, splitting **out);
void split_free(splitting *self);
split_obstacle split_why(const splitting *self);
const char *split_text(split_obstacle obstacle);
/* Adds what the part does at weights x: probabilities of its states, or the mean counts of its slots by state, 1
 * outside. At the start a weight of 0 is none; later it is one too small to tell. *one_way becomes the first
 * one-way step that runs where it is -1. */
void split_add(splitting *self, const double *x, bool start, split_row *row, int32_t *one_way);

#endif
