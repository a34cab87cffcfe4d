/* Reading: expressions drawn at random and printed with the fewest parentheses against the same trees evaluated here;
 * numbers, ranges, lines that go on, comments, line ends, names that are keywords; and that a bundle, with its includes
 * and their overrides, reads as the same network. */
#include "engine/rng/rng.h"
#include "lang_sample.h"

static const char *const small = NATURAL "param a = 3, b = 0.5, c = -2\nspecies A = 1, B = 0\nr: A <-> B @ 1, 2\n";

/* --- random trees --- */

typedef enum node_kind { LEAF, NEG, NOT, POW, MUL, DIV, ADD, SUB, LT, LE, GT, GE, EQ, NE, AND, OR } node_kind;
typedef struct node {
  node_kind kind;
  const char *text; /* of a leaf */
  double value;
  struct node *a, *b;
} node;

static node pool[4000];
static int used;

static int level_of(node_kind kind)
{
  return kind == LEAF  ? 8
         : kind == POW ? 7
         : kind <= NOT ? 6
         : kind <= DIV ? 5
         : kind <= SUB ? 4
         : kind <= NE  ? 3
         : kind == AND ? 2
                       : 1;
}

static node *draw(rng_stream *rng, int depth)
{
  static const struct {
    const char *text;
    double value;
  } leaves[] = {{"a", 3},    {"b", 0.5},      {"c", -2}, {"2", 2},        {".5", 0.5},
                {"1e1", 10}, {"1.5E+0", 1.5}, {"7.", 7}, {"25e-2", 0.25}, {"pi", 3.14159265358979323846}};
  node *const out = &pool[used++];
  if (depth == 0 || rng_below(rng, 6) == 0) {
    const size_t i = rng_below(rng, sizeof leaves / sizeof *leaves);
    *out = (node){LEAF, leaves[i].text, leaves[i].value, NULL, NULL};
    return out;
  }
  *out = (node){.kind = (node_kind)(1 + rng_below(rng, OR))};
  out->a = draw(rng, depth - 1);
  const double a = out->a->value;
  if (out->kind > NOT) out->b = draw(rng, depth - 1);
  const double b = out->b ? out->b->value : 0;
  switch (out->kind) {
  case NEG: out->value = -a; break;
  case NOT: out->value = a == 0; break;
  case POW: out->value = pow(a, b); break;
  case MUL: out->value = a * b; break;
  case DIV: out->value = a / b; break;
  case ADD: out->value = a + b; break;
  case SUB: out->value = a - b; break;
  case LT: out->value = a < b; break;
  case LE: out->value = a <= b; break;
  case GT: out->value = a > b; break;
  case GE: out->value = a >= b; break;
  case EQ: out->value = a == b; break;
  case NE: out->value = a != b; break;
  case AND: out->value = a != 0 && b != 0; break;
  default: out->value = a != 0 || b != 0; break;
  }
  return out;
}

/* Parentheses only where the table of the language asks for them: left to right, except ^, whose exponent may carry a
 * sign. */
static void print(const node *n, int least, rng_stream *rng, text_buffer *out)
{
  static const char *const marks[] = {"",  "-",  "not ", "^",  "*",  "/",  "+",   "-",
                                      "<", "<=", ">",    ">=", "==", "!=", "and", "or"};
  const int level = level_of(n->kind);
  const bool parens = level < least;
  /* A sign is no base: (-a)^2; signs stand in a row: - - a. */
  if (parens) text_put(out, "(", 1);
  if (n->kind == LEAF) {
    text_add(out, "%s", n->text);
  } else if (n->kind <= NOT) {
    text_add(out, "%s", n->kind == NOT && rng_below(rng, 2) ? "!" : marks[n->kind]);
    print(n->a, 6, rng, out);
  } else {
    static const char *const gaps[] = {" ", "  ", " \t", " # a comment; more\n", "\n\n"};
    print(n->a, n->kind == POW ? 8 : level, rng, out);
    const char *const mark = n->kind == AND && rng_below(rng, 2)  ? "&&"
                             : n->kind == OR && rng_below(rng, 2) ? "||"
                                                                  : marks[n->kind];
    /* Behind an operator the line goes on. */
    text_add(out, n->kind == POW ? "%s%s" : " %s%s", mark, gaps[rng_below(rng, 5)]);
    print(n->b, n->kind == POW ? 6 : level + 1, rng, out);
  }
  if (parens) text_put(out, ")", 1);
}

static bool division_by_zero(const node *n)
{
  return n && ((n->kind == DIV && n->b->value == 0) || division_by_zero(n->a) || division_by_zero(n->b));
}

static void test_random(void)
{
  ness_model *const m = sample_model(small);
  rng_stream rng;
  rng_init(&rng, 11, 0, 9);
  int held = 0;
  for (int i = 0; i < 4000 && m; i++) {
    used = 0;
    const node *const n = draw(&rng, 5);
    text_buffer text = {0};
    char why[400];
    print(n, 0, &rng, &text);
    const quantity q = sample_value(m, text.data, why);
    const bool refused = division_by_zero(n) || isnan(n->value); /* such a value is refused, with a reason */
    const bool same = memcmp(&q.value, &n->value, sizeof q.value) == 0 || (q.value == 0 && n->value == 0);
    if (!(refused ? why[0] != '\0' || same : same))
      fprintf(stderr, "%s = %.17g, expected %.17g %s\n", text.data, q.value, n->value, why);
    CHECK(refused ? why[0] != '\0' || same : same);
    held += !refused && n->kind != LEAF;
    text_clear(&text);
  }
  CHECK(held > 2000);
  ness_model_free(m);
}

/* --- written by hand --- */

static void test_values(void)
{
  static const struct {
    const char *text;
    double value;
  } cases[] = {{"-2^2", -4},
               {"(-2)^2", 4},
               {"2^3^2", 512},
               {"2^-1", 0.5},
               {"2^-2^2", 0.0625},
               {"10-4-3", 3},
               {"100/10/5", 2},
               {"100/10*5", 50},
               {"2+3*4", 14},
               {"not 1 == 2", 0}, /* (not 1) == 2 */
               {"not (1 == 2)", 1},
               {"1 < 2 < 2", 1}, /* (1 < 2) < 2 */
               {"1 or 0 and 0", 1},
               {"1 == 1 and 2 > 1", 1},
               {"--3", 3},
               {"+3", 3},
               {"2 * -3", -6},
               {"2 kT", 2},
               {"-2 kT", -2},
               {"2 kT*3", 6},
               {"6/2 kT", 3}, /* 6/(2 kT): kT belongs to its number */
               {"1.5", 1.5},
               {"1.", 1},
               {".5", 0.5},
               {"2e-3", 0.002},
               {"2E+3", 2000},
               {"1e-320", 1e-320},
               {"0.1", 0.1},
               {"123456789012345678901234567890", 123456789012345678901234567890.0},
               {"(1\n+\n2\n)", 3},
               {"max(1,\n 2)", 2},
               {"if(a > 2, b, c)", 0.5},
               {"min(a, -a)", -3},
               {"tanh(0.5)", 0x1.d9353d7568af3p-2},
               {"floor(-0.5)", -1},
               {"true and not false", 1},
               {"1/inf", 0}};
  ness_model *const m = sample_model(small);
  for (size_t i = 0; i < sizeof cases / sizeof *cases && m; i++) {
    const double got = sample_number(m, cases[i].text);
    if (!(fabs(got - cases[i].value) <= 1e-16)) fprintf(stderr, "%s = %.17g\n", cases[i].text, got);
    CHECK(fabs(got - cases[i].value) <= 1e-16 * fmax(1, fabs(cases[i].value)));
  }
  static const struct {
    const char *text, *words;
  } wrong[] = {{"1 +", "expected a value"},
               {"(1", "expected )"},
               {"1 2", "expected the end of the expression"},
               {"2 a", "expected the end of the expression"},
               {"a(1)", "no function a"},
               {"a.b.c", "one dot too many"},
               {"1 $ 2", "no word or mark"},
               {"ln(0-1)", "not a number"},
               {"0^0/0", "division by zero"},
               {"exp()", "exp takes 1 value"},
               {"min(1)", "min takes 2 values"},
               {"A", "is a count"},
               {"a[1]", "a[1]"}};
  char why[400];
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong && m; i++) {
    const quantity q = sample_value(m, wrong[i].text, why);
    if (!isnan(q.value) || !strstr(why, wrong[i].words)) fprintf(stderr, "%s: %s\n", wrong[i].text, why);
    CHECK(isnan(q.value) && strstr(why, wrong[i].words));
  }
  ness_model_free(m);
}

/* A branch that is not taken is not asked for its value. */
static void test_branches(void)
{
  ness_model *const m = sample_settings(NATURAL "param n = 3\nspecies X[i in 0..n] = if(i == 0, 1, 12/i)\n"
                                                "r: X[0] <-> X[1] @ 1, 2\n",
                                        NULL, 0, NULL, NULL);
  CHECK(m && sample_network(m)->slot_start[sample_slot(m, "X[3]")] == 4);
  ness_model_free(m);
}

static void test_ranges(void)
{
  /* 1..3 is a range, 1.5 a number, and both may meet. */
  ness_model *const m = sample_model(NATURAL "param n = 3, D[1..3] = {1.5,2.5,\n 3.5}, E[i in 1 .. n] = i^2\n"
                                             "species X[1..n] = 1, Y[0..0] = 2, Z[-1..1] = 0\n"
                                             "for i in 1..n-1 { h: X[i] <-> X[i+1] @ D[i], E[i] }\n"
                                             "f: Y[0] <-> Z[-1] @ D[4-1], E[2*1+1]\ng: Z[i] <-> Z[i+1] @ i + 3, 1\n");
  if (!m) return;
  CHECK(sample_network(m)->nslot == 7 && sample_network(m)->nstep == 5);
  CHECK(sample_k(m, "h[1]", 0) == 1.5 && sample_k(m, "h[1]", 1) == 1);
  CHECK(sample_k(m, "h[2]", 0) == 2.5 && sample_k(m, "h[2]", 1) == 4);
  CHECK(sample_k(m, "f", 0) == 3.5 && sample_k(m, "f", 1) == 9);
  CHECK(sample_k(m, "g[-1]", 0) == 2 && sample_k(m, "g[0]", 0) == 3 && sample_step(m, "g[1]") < 0);
  CHECK(sample_number(m, "E[D[1]+0.5]") == 4);
  ness_model_free(m);
  CHECK(sample_refused(NATURAL "species X[1.5] = 1\nr: X[1] -> 0 @ 1\n", NESS_MODEL, "whole number, not 1.5"));
  CHECK(
      sample_refused(NATURAL "param D[1..3] = {1, 2}\nspecies A = 1\nr: A -> 0 @ 1\n", NESS_MODEL, "list of 2 values"));
}

/* Words of the language as names of states, species, parameters and steps. */
static void test_keywords(void)
{
  ness_model *const m = sample_model(
      NATURAL
      "param param = 2, species = 3, in = 4, max = 5\nspecies energy = param, cycle = species, at = 0\n"
      "protein protein copies 2 { state state\n state charge energy = 1\n state start }\n"
      "for: energy <-> cycle @ in, max\nprotein: state <-> charge @ ldb(k0 = 1)\ntemperature: at -> 0 @ 1\n"
      "energy -> at @ 7\nldb: state <-> start @ 2, ldb\ncycle simulate: for - for\nobserve observe = mean(energy)\n");
  if (!m) return;
  CHECK(sample_k(m, "for", 0) == 4 && sample_k(m, "for", 1) == 5 && sample_k(m, "energy -> at", 0) == 7);
  CHECK(sample_slot(m, "charge") >= 0 && sample_network(m)->slot_start[sample_slot(m, "cycle")] == 3);
  CHECK_REL(sample_k(m, "protein", 0), exp(-0.5), 1e-15);
  CHECK(sample_k(m, "ldb", 1) == 2);
  ness_model_free(m);
}

/* --- texts that mean the same network --- */

#define SIZE_SAME(field) same = same && a->field == b->field;
#define SIZE_LOCAL(field)                                                                                              \
  const int64_t field = n->field;                                                                                      \
  (void)field;
#define ARRAY_SAME(stored, type, field, length)                                                                        \
  same = same && ((length) == 0 || memcmp(a->field, b->field, (size_t)(length) * sizeof(type)) == 0);

/* Lines apart, which an added line moves. */
static bool same_network(const ness_network *a, const ness_network *b)
{
  bool same = a && b;
  if (!same) return false;
  const ness_network *const n = a;
  NETWORK_SIZES(SIZE_SAME)
  NETWORK_SIZES(SIZE_LOCAL)
  int32_t *const line = mem_zero((size_t)nstep + 1, sizeof *line);
  ness_network left = *a, right = *b;
  left.step_line = right.step_line = line;
  a = &left;
  b = &right;
  if (same) {
    NETWORK_ARRAYS(ARRAY_SAME)
  }
  mem_free(line);
  return same && a->temperature == b->temperature && strcmp(a->model_name, b->model_name) == 0;
}

static const char *const plain =
    "model t\ntemperature 300 [K]\ncompartment o reservoir\n"
    "compartment i reservoir potential V\nparam V = -60 [mV], k = 2 [1/s]\n"
    "ion Na z +1 {\no = 140 [mM]\ni = 12 [mM]\n}\nprotein P copies 3 {\nstate A\n"
    "state B energy = 1 kT\n}\nr: A + Na.o <-> B @ 5 [1/mM/s], ldb\nB <-> A + Na.i @ k, ldb\n";

static void test_layout(void)
{
  static const char *const others[] = {
      /* CRLF, comments, blanks */
      "# first\r\nmodel t # name\r\n\r\ntemperature 300 [K]\r\ncompartment o reservoir\r\ncompartment i reservoir "
      "potential "
      "V\r\nparam V = -60 [mV], k = 2 [1/s]\r\nion Na z +1 {\r\n  o = 140 [mM]  # sea\r\n  i = 12 [mM]\r\n}\r\nprotein "
      "P "
      "copies 3 {\r\n  state A\r\n  state B energy = 1 kT\r\n}\r\nr: A + Na.o <-> B @ 5 [1/mM/s], ldb\r\nB <-> A + "
      "Na.i @ "
      "k, ldb",
      /* one line, and other ways to write the same */
      "model t; temperature 300 [K]; compartment o reservoir; compartment i reservoir potential V; param V = -60 [mV]; "
      "param k = 2 [1/s]; ion Na z 1 { o = 140 [mM], i = 12 [mM] }; protein P copies 3 { state A, state B energy 1 kT "
      "}; "
      "r: A + Na.o <-> B @ 5 [1/mM/s], ldb; B <-> A + Na.i @ k, ldb;",
      /* lines that go on behind operators, commas and inside parentheses */
      "model t\ntemperature\t300 [K]\ncompartment o reservoir\ncompartment i reservoir potential V\nparam V =\n -\n 60 "
      "[mV],\n\n # between\n k = 2 [1/s]\nion Na z +1 { o = 140 [mM]\n i = 12 [mM] }\nprotein P copies (\n 3) "
      "{\n\nstate "
      "A\nstate B energy = 1 kT }\nr: A +\n Na.o <-> B @\n 5 [1/mM/s],\n ldb\nB <-> A + Na.i @ k,\nldb\n",
      /* another order of lines where order does not matter */
      "param V = -60 [mV], k = 2 [1/s]\ntemperature 300 [K]\nprotein P copies 3 {\nstate A\nstate B energy = 1 "
      "kT\n}\nmodel "
      "t\nion Na z +1 {\no = 140 [mM]\ni = 12 [mM]\n}\nr: A + Na.o <-> B @ 5 [1/mM/s], ldb\nB <-> A + Na.i @ k, ldb\n"
      "compartment o reservoir\ncompartment i reservoir potential V\n"};
  ness_model *const first = sample_model(plain);
  for (size_t i = 0; i < sizeof others / sizeof *others && first; i++) {
    ness_model *const m = sample_model(others[i]);
    CHECK(m && same_network(sample_network(first), sample_network(m)));
    ness_model_free(m);
  }
  /* The comparison can fail. */
  static const char *const swap[] = {"k=2.0000001[1/s]"};
  ness_model *const m = sample_settings(plain, swap, 1, NULL, NULL);
  CHECK(m && first && !same_network(sample_network(first), sample_network(m)));
  ness_model_free(m);
  ness_model_free(first);
}

/* --- bundles --- */

static void write_file(const char *folder, const char *name, const char *text)
{
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *const out = fopen(path, "wb");
  CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static void test_bundle(void)
{
  char folder[300], path[400];
  const char *const base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/ness-bundle-XXXXXX", base && base[0] ? base : "/tmp");
  CHECK(mkdtemp(folder) != NULL);
  static const char *const files[][2] = {
      {"top.ness", "include \"carrier.ness\" with V = -30 [mV], Na.o = 100 [mM]\r\n# a remark\nb: B -> A @ 3 [1/s]\n"
                   "experiment e {\n solve steady\n}"},
      {"carrier.ness", "param V = -60 [mV], k = 2 [1/s]\nion Na z +1 {\no = 140 [mM]\ni = 12 [mM]\n}\n"
                       "include \"places.ness\"\nr: A + Na.o <-> B @ 5 [1/mM/s], ldb\nB <-> A + Na.i @ k, ldb"},
      {"places.ness",
       "model ignored\ntemperature 300 [K]\ncompartment o reservoir\ncompartment i reservoir potential V\n"
       "protein P copies 3 {\nstate A\nstate B energy = 1 kT\n}"}};
  for (int i = 0; i < 3; i++) write_file(folder, files[i][0], files[i][1]);
  snprintf(path, sizeof path, "%s/top.ness", folder);
  ness_diags *const diags = ness_diags_create();
  lang_file *file = NULL;
  lang_model *model = NULL;
  CHECK(lang_parse(path, NULL, 0, diags, &file) == NESS_OK);
  CHECK(file && lang_compile(file, NULL, 0, diags, &model) == NESS_OK);
  char *const bundle = file ? lang_bundle(file) : NULL;
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i][0]);
    CHECK(unlink(path) == 0);
  }
  CHECK(rmdir(folder) == 0);
  /* The files are gone: a bundle needs nothing but itself, under its own name and under any other. */
  snprintf(path, sizeof path, "%s/top.ness", folder);
  const char *const names[] = {path, "top.ness", "somewhere/else.ness", "/else.ness"};
  for (int i = 0; i < 4 && bundle && model; i++) {
    lang_file *again = NULL;
    lang_model *twin = NULL;
    const ness_status status = lang_parse(names[i], bundle, strlen(bundle), diags, &again);
    if (status != NESS_OK)
      fprintf(stderr, "a bundle under the name %s: %s\n", names[i],
              ness_diags_get(diags, ness_diags_count(diags, NULL) - 1)->message);
    CHECK(status == NESS_OK && again->experiments != NULL);
    CHECK(again && lang_compile(again, NULL, 0, diags, &twin) == NESS_OK);
    CHECK(twin && same_network(lang_network(model), lang_network(twin)));
    char *const second = again ? lang_bundle(again) : NULL;
    if (i == 0) CHECK_STR(second, bundle); /* bundling is idempotent */
    mem_free(second);
    lang_model_free(twin);
    lang_file_free(again);
  }
  /* The override of the include was in force. */
  const double v = -0.03 * 1.602176634e-19 / KT300;
  CHECK(model && fabs(lang_network(model)->volt_kt[0] - v) < 1e-15);
  CHECK(model && fabs(lang_network(model)->res_activity[0] - 0.1) < 1e-16);
  mem_free(bundle);
  lang_model_free(model);
  lang_file_free(file);
  ness_diags_free(diags);
}

/* A text that holds the mark of a bundle in a comment of its own is still itself after a round. */
static void test_bundle_mark(void)
{
  const char *const text = NATURAL "species A = 1, B = 0\n#@file note\nr: A <-> B @ 1, 2\n";
  const char *const path = sample_file("mark.ness", text);
  ness_diags *const diags = ness_diags_create();
  lang_file *file = NULL, *again = NULL;
  lang_model *a = NULL, *b = NULL;
  CHECK(path && lang_parse(path, NULL, 0, diags, &file) == NESS_OK);
  char *const bundle = file ? lang_bundle(file) : NULL;
  CHECK(bundle && lang_compile(file, NULL, 0, diags, &a) == NESS_OK);
  CHECK(bundle && lang_parse(path, bundle, strlen(bundle), diags, &again) == NESS_OK);
  CHECK(again && lang_compile(again, NULL, 0, diags, &b) == NESS_OK);
  CHECK(a && b && same_network(lang_network(a), lang_network(b)));
  mem_free(bundle);
  lang_model_free(a);
  lang_model_free(b);
  lang_file_free(file);
  lang_file_free(again);
  ness_diags_free(diags);
  sample_file_remove("mark.ness");
}

int main(void)
{
  test_random();
  test_values();
  test_branches();
  test_ranges();
  test_keywords();
  test_layout();
  test_bundle();
  test_bundle_mark();
  return check_done();
}
