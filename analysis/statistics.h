/* Laws that estimates are judged by: normal, Student, chi-square, F, and the last two with a noncentrality, which power
 * and bounds need; the small dense algebra of covariance matrices, and selection by rank. Pure functions; nothing
 * allocates. */
#ifndef ANALYSIS_STATISTICS_H
#define ANALYSIS_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

double stat_lgamma(double x);   /* ln Gamma(x), x > 0; unlike libm's it writes no global */
double stat_digamma(double x);  /* derivative of stat_lgamma, x > 0 */
double stat_trigamma(double x); /* its second derivative */
/* ln(Gamma(x + i t) / Gamma(x)) for x > 0; the imaginary part is continuous in t. No cancellation for large x. */
void stat_lgamma_ratio(double x, double t, double *re, double *im);
double stat_gamma_tail(double a, double x);         /* regularised upper incomplete gamma Q(a, x) */
double stat_beta(double x, double a, double b);     /* regularised incomplete beta I_x(a, b) */
double stat_normal_tail(double z);                  /* P(Z > z) */
double stat_normal_quantile(double p);              /* z with P(Z <= z) = p */
double stat_student_tail(double t, double dof);     /* P(T > t) */
double stat_student_quantile(double p, double dof); /* t with P(T <= t) = p */

/* F with d1 and d2 degrees of freedom and noncentrality lambda; d2 = infinity: chi-square / d1. */
double stat_f_tail(double f, double d1, double d2, double lambda);
double stat_f_critical(double alpha, double d1, double d2); /* f with tail alpha, lambda 0 */
/* The noncentrality at which a test at level alpha has this power. */
double stat_f_noncentrality(double alpha, double power, double d1, double d2);
/* The noncentrality under which a value of at most f has probability `below`; 0 when even lambda = 0 gives less. */
double stat_f_lambda(double f, double below, double d1, double d2);
/* An interval for the noncentrality that holds it with this probability whatever it is, 0 too: what lies above shrinks
 * from all that is missed at 0, the end of what is possible, to half of it far from there (Neyman 1937). */
void stat_f_range(double f, double level, double d1, double d2, double *low, double *high);
/* The same for ln(p/(1-p)) of a coin, from its counts: Jeffreys' interval. Of no counts on a side: infinite there. */
void stat_coin_range(double heads, double tails, double level, double *low, double *high);

/* Puts the number of a rank, from 0, where a sort would, with none larger before it and none smaller behind. O(n). */
void stat_select(double *x, int64_t n, int64_t rank);

/* Cholesky factor of a symmetric n x n matrix in place (lower). A row that depends on those before it is left out: its
 * diagonal becomes 0 and keep[i] false. Returns the rank. */
int32_t stat_cholesky(double *matrix, int32_t n, bool *keep);
/* x := L^-1 x over the kept rows; the others become 0. */
void stat_solve_lower(const double *factor, int32_t n, const bool *keep, double *x);
/* x := L^-T x over the kept rows. */
void stat_solve_upper(const double *factor, int32_t n, const bool *keep, double *x);

#endif
