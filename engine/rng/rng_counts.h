/* The proposal shared by the Poisson and the binomial rejection, in a header so that tests/rng_hats.c can scan it. */
#ifndef NESS_RNG_COUNTS_H
#define NESS_RNG_COUNTS_H

/* Proposal k = whole + floor(frac + (2 a / gap + b) u), u uniform on (-1/2, 1/2), gap = 1/2 - |u|, taken with
 * probability weight(k) (a / gap^2 + b) / lift, where weight is the point probability (Poisson) or its ratio to the
 * mode's (binomial). That probability must not exceed 1 anywhere, nor fall below `squeeze` where gap >= 0.07. */
typedef struct {
  double a, b, whole, frac, lift, squeeze;
} rng_hat;

rng_hat rng_poisson_hat(double mean);
rng_hat rng_binomial_hat(double n, double p);

#endif
