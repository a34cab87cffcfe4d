/* What `solve` says when it cannot answer: a question, a method, a tilt or a condition that is none, a target that is
 * never met, a space over the limit, a network that grows for ever. Each is said once, says what was found, and either
 * points at the place or tells how to mend it. Beside them what looks like an error and is none: a trap, classes that
 * do not meet, rates over 30 decades, and the size that a dry run tells. */
#include "lang_sample.h"

#define TWO NATURAL "species A = 10, B = 0\nr: A <-> B @ 1, 2\n"
#define GROWS NATURAL "species X = 1\nbirth: X -> 2 X @ 2\ndeath: X -> 0 @ 1\narrive: 0 -> X @ 1\n"
#define PILES NATURAL "species X = 0\narrive: 0 -> X @@ 1\nleave: X -> 0 @@ 0.5\n"
/* A walk between two ends that hold: p(X = n) = (odds^start - 1)/(odds^n - 1), odds = down/up (Feller 1968, XIV). */
#define ENDS(start, n, up)                                                                                             \
  NATURAL "species X = " start " max " n "\nup: 0 -> X @@ if(X > 0, if(X < " n ", " up                                 \
          ", 0), 0)\ndown: X -> 0 @@ if(X > 0, if(X < " n ", 1, 0), 0)\n"

static ness_doc *answer(const char *text, ness_solve_options o, ness_status *status, ness_diags *diags)
{
  ness_model *const model = sample_model(text);
  ness_doc *doc = NULL;
  o.struct_size = sizeof o;
  *status = model ? ness_solve(model, &o, diags, &doc) : NESS_INTERNAL;
  CHECK((*status == NESS_OK) == (doc != NULL));
  ness_model_free(model);
  return doc;
}

/* Whether it is refused once, with this status and these words, and with a hint that has `mend`, or, for NULL, with a
 * place in the text. */
static void refused(const char *text, ness_solve_options o, ness_status wanted, const char *words, const char *mend)
{
  ness_status status;
  ness_diags *const diags = ness_diags_create();
  ness_doc_free(answer(text, o, &status, diags));
  const int32_t said = ness_diags_count(diags, NULL);
  const ness_diag *const d = said ? ness_diags_get(diags, 0) : NULL;
  const bool helps = d && (mend ? d->hint && strstr(d->hint, mend) : d->line > 0 && d->source_line);
  if (status != wanted || said != 1 || !strstr(d->message, words) || !helps)
    fprintf(stderr, "%s: status %d, wanted %d; said %d times: %s; hint: %s\n", words, (int)status, (int)wanted,
            (int)said, d ? d->message : "-", d && d->hint ? d->hint : "-");
  CHECK(status == wanted);
  CHECK(said == 1);
  CHECK(d && strstr(d->message, words));
  CHECK(helps);
  ness_diags_free(diags);
}

#define ASK(...) ((ness_solve_options){__VA_ARGS__})

static void test_words(void)
{
  refused(TWO, ASK(.what = "stedy"), NESS_USAGE, "cannot solve for stedy", "did you mean steady?");
  refused(TWO, ASK(.what = "everything"), NESS_USAGE, "cannot solve for everything", "steady, transient, cumulants");
  refused(TWO, ASK(.method = "gthh"), NESS_USAGE, "no method gthh", "did you mean gth?");
  refused(TWO, ASK(.method = "uniform"), NESS_USAGE, "no method uniform", "auto, gth, klu or multilevel");
  refused(TWO, ASK(.what = "transient", .time = 1, .method = "gth"), NESS_USAGE, "no method gth",
          "uniform, krylov or dense");
  refused(TWO, ASK(.what = "transient"), NESS_USAGE, "needs its end", "--time 10");
  refused(TWO, ASK(.what = "transient", .time = INFINITY), NESS_USAGE, "needs its end", "--time 10");
  refused(TWO, ASK(.what = "transient", .time = 1, .every = 1e-9), NESS_USAGE, "times were asked for", "longer");
  refused(TWO, ASK(.what = "ode", .time = -1), NESS_USAGE, "needs its end", "--time 10");
  refused(TWO, ASK(.what = "ode", .every = 1), NESS_USAGE, "`every` needs an end", "--time 10");
  refused(TWO, ASK(.every = 1), NESS_USAGE, "every means nothing for steady", "transient, ode, lna");
  refused(TWO, ASK(.time = 1), NESS_USAGE, "time means nothing for steady", "transient, passage, ode, lna");
  refused(TWO, ASK(.what = "ode", .method = "gth"), NESS_USAGE, "method means nothing for ode", "steady, transient");
  refused(TWO, ASK(.what = "lna", .dry_run = 1), NESS_USAGE, "dry-run means nothing for lna", "steady");
  refused(TWO, ASK(.what = "spectrum", .tilt = "0:1:1"), NESS_USAGE, "tilt means nothing for spectrum", "cumulants");
  refused(TWO, ASK(.what = "cumulants", .until = "A == 0"), NESS_USAGE, "until means nothing", "passage");
  refused(TWO, ASK(.what = "passage", .modes = 2), NESS_USAGE, "modes means nothing for passage", "spectrum");
  refused(TWO, ASK(.what = "transient", .time = 1, .states = 1), NESS_USAGE, "states means nothing", "steady");
}

static void test_tilts(void)
{
  static const char *const empty[] = {"1:2:-1", "-2:2:0", "0:1:1e-9", "0:inf:1"};
  for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
    refused(TWO, ASK(.what = "cumulants", .tilt = empty[i]), NESS_USAGE, "have no points", "from:to:step");
  refused(TWO, ASK(.what = "cumulants", .tilt = "nonsense"), NESS_USAGE, "no value has the name nonsense", NULL);
  refused(TWO, ASK(.what = "cumulants", .tilt = "1:2:0.5 +"), NESS_USAGE, "expected a value", NULL);
  static const char *const wrong[] = {"mean(A)", "rate(zz)"};
  refused(TWO, ASK(.what = "cumulants", .of = wrong, .nof = 1), NESS_USAGE, "not a current", "rate(step)");
  refused(TWO, ASK(.what = "cumulants", .of = wrong + 1, .nof = 1), NESS_USAGE, "no step has the name zz", NULL);
}

static void test_conditions(void)
{
  refused(TWO, ASK(.what = "passage"), NESS_USAGE, "needs the condition that ends it", "--until 'A == 0'");
  refused(TWO, ASK(.what = "passage", .until = "A =="), NESS_USAGE, "expected a value", NULL);
  refused(TWO, ASK(.what = "passage", .until = "Z == 1"), NESS_USAGE, "no value has the name Z", NULL);
  refused(TWO, ASK(.what = "passage", .until = "A == 0", .unless = "Z == 1"), NESS_USAGE, "no value has the name Z",
          NULL);
  refused(TWO, ASK(.what = "passage", .until = "rate(r) > 1"), NESS_USAGE, "rate", "in experiments and observables");
  refused(TWO, ASK(.what = "passage", .until = "A == 99"), NESS_NUMERIC, "never meets the condition", "`max`");
  refused(PILES, ASK(.what = "passage", .until = "X < 0", .max_states = 1000), NESS_LIMIT, "more than 1000 states",
          "`max`");
  refused(NATURAL "species A = 1, B = 0, C = 1, D = 0\nr: A <-> B @ 1, 1\ns: C <-> D @ 1, 1\n",
          ASK(.what = "passage", .until = "B + D == 2"), NESS_USAGE, "nothing to do with each other", "each by itself");
}

static void test_spaces(void)
{
  refused(NATURAL "species A = 0 max 99, B = 0 max 99\nr: 0 <-> A + B @ 1, 1\ns: 0 <-> A @ 1, 1\n",
          ASK(.max_states = 1000), NESS_LIMIT, "the part of A, B has more than 1000 states", "--max-states");
  refused(GROWS, ASK(.what = "steady", .max_states = 10000), NESS_LIMIT, "the part of X has", "`max`");
  refused(PILES, ASK(.what = "cumulants", .max_states = 10000), NESS_LIMIT, "the part of X has", "`max`");
  refused(GROWS, ASK(.what = "ode"), NESS_NUMERIC, "slot X grows without bound", "--time");
  refused(GROWS, ASK(.what = "lna"), NESS_NUMERIC, "slot X grows without bound", "--time");
  refused(ENDS("3", "6", "2"), ASK(.what = "cumulants"), NESS_NUMERIC, "2 closed classes", "start it inside one");
  refused(ENDS("3", "6", "2"), ASK(.what = "sensitivity"), NESS_NUMERIC, "2 closed classes", "start it inside one");
}

/* The numbers at these paths of the answer. */
static void solved(const char *text, ness_solve_options o, int n, const char *const *path, const double *value)
{
  ness_status status;
  ness_diags *const diags = ness_diags_create();
  ness_doc *const doc = answer(text, o, &status, diags);
  if (status != NESS_OK && ness_diags_count(diags, NULL))
    fprintf(stderr, "%s%s\n", text, ness_diags_get(diags, 0)->message);
  CHECK(status == NESS_OK && ness_diags_count(diags, NULL) == 0);
  for (int i = 0; doc && i < n; i++) {
    const double got = ness_doc_number(doc, path[i]);
    if (!(fabs(got - value[i]) <= 1e-9 * fabs(value[i]))) fprintf(stderr, "%s: %.17g\n", path[i], got);
    CHECK_REL(got, value[i], 1e-9);
  }
  ness_doc_free(doc);
  ness_diags_free(diags);
}

static void test_fine(void)
{
  static const char *const methods[] = {"gth", "klu", "multilevel"};
  static const char *const trap[] = {"counts[0].mean", "counts[1].mean", "counts[1].variance",
                                     "entropy.production_kb_per_s"};
  static const char *const ends[] = {"method.closed_classes", "counts[0].mean"};
  static const char *const wide[] = {"counts[0].mean", "counts[1].mean", "counts[2].mean", "counts[3].mean"};
  for (int m = 0; m < 3; m++) {
    solved(NATURAL "species A = 3, T = 0\nfall: A -> T @ 1\nmeet: 2 A -> 2 T @ 1\n", ASK(.method = methods[m]), 4, trap,
           (double[]){0, 3, 0, 0});
    solved(ENDS("3", "6", "2"), ASK(.method = methods[m]), 2, ends, (double[]){2, 6 * 8. / 9});
    if (m < 2) /* 1e-60/(1 + 1e-60); the iteration refuses it */
      solved(ENDS("20", "40", "1e-3"), ASK(.method = methods[m]), 2, ends, (double[]){2, 40e-60});
    /* A ladder of three ratios of 1e30, 1e-10, 1e15 for one copy that goes along with another of its kind. */
    solved(NATURAL "species S = 1, A = 1, B = 0, C = 0, E = 0\nr1: S + A <-> S + B @ 1e-15, 1e15\n"
                   "r2: S + B <-> S + C @ 1e5, 1e-5\nr3: S + C <-> S + E @ 1e-10, 1e10\n",
           ASK(.method = methods[m]), 4, wide, (double[]){1, 1 / (1 + 2e-20), 1e-30, 1e-20});
  }
  static const char *const endless[] = {"size.parts_without_end_whose_size_is_found_while_solving"};
  solved(GROWS, ASK(.dry_run = 1), 1, endless, (double[]){1});
  /* A step that is switched off neither brings nor takes: X stays where it is. */
  solved(NATURAL "param k = 0\nspecies X = 1\noff: 0 <-> X @ k, k\n", ASK(.what = "steady"), 1, trap, (double[]){1});
  /* Ciardo and Tilgner (1996): 4,600 states and 28,120 transitions with two cards a cell; nothing is solved. */
  FILE *const file = fopen("networks/models/kanban.ness", "rb");
  static char text[20000];
  CHECK(file != NULL);
  if (!file) return;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  char *const one = strstr(text, "param t = 1");
  CHECK(one != NULL);
  if (one) one[10] = '2';
  static const char *const size[] = {"size.states", "size.transitions", "size.independent_parts"};
  solved(text, ASK(.dry_run = 1), 3, size, (double[]){4600, 28120, 1});
}

int main(void)
{
  test_words();
  test_tilts();
  test_conditions();
  test_spaces();
  test_fine();
  return check_done();
}
