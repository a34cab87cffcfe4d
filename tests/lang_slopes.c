/* Exact slopes of compiled networks against central differences: every parameter, bath and held concentration of every
 * shipped model and of models that use each way into a rate, with three levels of Richardson's extrapolation, to 1e-7
 * of the largest change that the value makes to a rate. What has no derivative must say so with the name, and what is
 * said to change nothing must leave every number of the network as it is. Slopes along tapes against differences of
 * tapes; single operations against formulas. */
#include "check.h"
#include "networks/lang/compile.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>

enum { LEVELS = 3 };

/* Numbers of a network that depend on rates, in one row: logarithms of constants, tape constants, energies. */
typedef struct row {
  int32_t n;
  double *value;
} row;

static void row_put(row *out, double value)
{
  out->value[out->n++] = value;
}

static row row_of(const ness_network *net)
{
  row out = {0,
             mem_zero((size_t)(3 * net->nstep + net->nconst + net->nslot + net->nres + net->nvolt + net->nheatstep) + 1,
                      sizeof(double))};
  for (int32_t d = 0; d < 2 * net->nstep; d++) row_put(&out, net->dir_law[d] == LAW_MASS ? log(net->dir_k[d]) : 0);
  for (int32_t s = 0; s < net->nstep; s++) row_put(&out, isfinite(net->step_lnk[s]) ? net->step_lnk[s] : 0);
  for (int32_t i = 0; i < net->nconst; i++) row_put(&out, net->tape_const[i]);
  for (int32_t i = 0; i < net->nslot; i++) row_put(&out, net->slot_g[i]);
  for (int32_t i = 0; i < net->nres; i++) row_put(&out, net->res_mu[i]);
  for (int32_t i = 0; i < net->nvolt; i++) row_put(&out, net->volt_kt[i]);
  for (int32_t i = 0; i < net->nheatstep; i++) row_put(&out, net->heat_kt[i]);
  return out;
}

static row row_of_slopes(const ness_network *net, const lang_slopes *s)
{
  row out = {0,
             mem_zero((size_t)(3 * net->nstep + net->nconst + net->nslot + net->nres + net->nvolt + net->nheatstep) + 1,
                      sizeof(double))};
  for (int32_t d = 0; d < 2 * net->nstep; d++) row_put(&out, s->log_k[d]);
  for (int32_t i = 0; i < net->nstep; i++) {
    const bool off = net->dir_law[2 * i] == LAW_NONE && net->dir_law[2 * i + 1] == LAW_NONE;
    row_put(&out, off ? s->model->steps[i].d.lnk : s->lnk[i]);
  }
  for (int32_t i = 0; i < net->nconst; i++) row_put(&out, s->constant[i]);
  for (int32_t i = 0; i < net->nslot; i++) row_put(&out, s->g[i]);
  for (int32_t i = 0; i < net->nres; i++) row_put(&out, s->mu[i]);
  for (int32_t i = 0; i < net->nvolt; i++) row_put(&out, s->volt[i]);
  for (int32_t i = 0; i < net->nheatstep; i++) row_put(&out, s->heat[i]);
  return out;
}

/* The network's numbers with the name at another value, without assertions; an empty row when it does not compile. */
static row row_at(const lang_model *m, const char *name, quantity value)
{
  lang_override *const list = mem_zero((size_t)m->noverrides + 1, sizeof *list);
  for (int32_t i = 0; i < m->noverrides; i++) list[i] = m->overrides[i];
  list[m->noverrides] = (lang_override){.name = name, .value = value};
  ness_diags *const diags = ness_diags_create();
  lang_model *changed = NULL;
  row out = {0, NULL};
  if (model_compile(m->file, list, m->noverrides + 1, "no name", diags, &changed) == NESS_OK)
    out = row_of(lang_network(changed));
  lang_model_free(changed);
  ness_diags_free(diags);
  mem_free(list);
  return out;
}

/* Slopes by differences, extrapolated; false when a neighbour does not compile to a network of the same shape. */
static bool differences(const lang_model *m, const char *name, quantity at, double step, int32_t n, double *out)
{
  double *const table = mem_zero((size_t)n * LEVELS + 1, sizeof *table);
  bool fine = true;
  for (int level = 0; level < LEVELS; level++) {
    const double h = step / (1 << level), up = at.value + h, down = at.value - h;
    row a = row_at(m, name, (quantity){up, at.unit}), b = row_at(m, name, (quantity){down, at.unit});
    fine = fine && a.n == n && b.n == n;
    for (int32_t i = 0; fine && i < n; i++) table[level * n + i] = (a.value[i] - b.value[i]) / (up - down);
    mem_free(a.value);
    mem_free(b.value);
  }
  for (int order = 1; order < LEVELS; order++) {
    const double weight = pow(4, order);
    for (int level = LEVELS - 1; level >= order; level--) {
      for (int32_t i = 0; i < n; i++) {
        double *const t = &table[level * n + i];
        *t += (*t - t[-n]) / (weight - 1);
      }
    }
  }
  for (int32_t i = 0; i < n; i++) out[i] = table[(LEVELS - 1) * n + i];
  mem_free(table);
  return fine;
}

typedef struct tally {
  int32_t names, moving, refused;
  double worst;
} tally;

static double largest(const row *r)
{
  double out = 0;
  for (int32_t i = 0; i < r->n; i++) out = fmax(out, fabs(r->value[i]));
  return out;
}

static void compare(const lang_model *m, const char *name, const lang_slopes *s, tally *sum)
{
  const ness_network *const net = lang_network(m);
  row slopes = row_of_slopes(net, s), plain = row_of(net);
  double *const by = mem_zero((size_t)slopes.n + 1, sizeof *by);
  const double most = largest(&slopes);
  double step = fabs(s->value.value) * 4e-3;
  if (most > 0 && (step == 0 || step * most > 0.1)) step = 0.1 / most;
  if (step == 0) step = 1e-6;
  if (differences(m, name, s->value, step, slopes.n, by)) {
    for (int32_t i = 0; i < slopes.n; i++) {
      /* The rounding of a difference, and 1e-7 of the slope. */
      const double noise = 1e-14 * (1 + fabs(plain.value[i])) / step;
      const double error = fabs(by[i] - slopes.value[i]), scale = fabs(slopes.value[i]);
      if (scale > 1e9 * noise) sum->worst = fmax(sum->worst, error / scale);
      if (!(error <= 1e-7 * scale + 20 * noise))
        fprintf(stderr, "%s, %s, number %d: slope %.15g, difference %.15g\n", net->model_name, name, i, slopes.value[i],
                by[i]);
      CHECK(error <= 1e-7 * scale + 20 * noise);
    }
  } else {
    fprintf(stderr, "%s: no differences along %s\n", net->model_name, name);
    CHECK(false);
  }
  mem_free(by);
  mem_free(slopes.value);
  mem_free(plain.value);
}

static void check_model(const lang_model *m, tally *sum)
{
  const char *name;
  for (int64_t i = 0; (name = lang_slopes_name(m, i)); i++) {
    ness_diags *const diags = ness_diags_create();
    lang_slopes s;
    const ness_status status = lang_slopes_find(m, name, (lang_place){0}, diags, &s);
    sum->names++;
    if (status == NESS_OK) {
      sum->moving += s.any;
      compare(m, name, &s, sum);
    } else {
      char wanted[300];
      snprintf(wanted, sizeof wanted, "no derivative with respect to %s", name);
      const char *const message = ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "no word";
      if (getenv("NESS_SHOW")) fprintf(stderr, "%s: %s\n", lang_network(m)->model_name, message);
      /* Where a voltage answers back no value has a derivative, whatever it does. */
      CHECK(strstr(message, wanted) != NULL || strstr(message, "no derivatives where") != NULL);
      sum->refused++;
    }
    lang_slopes_free(&s);
    ness_diags_free(diags);
  }
}

static void test_shipped(void)
{
  const char *const folder = "networks/models";
  DIR *const dir = opendir(folder);
  CHECK(dir != NULL);
  int32_t models = 0;
  tally sum = {0};
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    const char *const dot = strrchr(entry->d_name, '.');
    if (!dot || strcmp(dot, ".ness") != 0) continue;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    ness_diags *const diags = ness_diags_create();
    lang_file *file = NULL;
    lang_model *m = NULL;
    const bool loaded =
        lang_parse(path, NULL, 0, diags, &file) == NESS_OK && lang_compile(file, NULL, 0, diags, &m) == NESS_OK;
    CHECK(loaded);
    if (loaded) check_model(m, &sum);
    models++;
    lang_model_free(m);
    lang_file_free(file);
    ness_diags_free(diags);
  }
  if (dir) closedir(dir);
  CHECK(models > 30 && sum.moving > 100);
  printf("%d models, %d names, %d change a rate, %d refused; worst relative difference %.2g\n", models, sum.names,
         sum.moving, sum.refused, sum.worst);
}

/* --- every way from a value into a rate --- */

static lang_model *compile(const char *text, lang_file **file)
{
  ness_diags *const diags = ness_diags_create();
  lang_model *m = NULL;
  *file = NULL;
  if (lang_parse("slopes.ness", text, strlen(text), diags, file) != NESS_OK ||
      lang_compile(*file, NULL, 0, diags, &m) != NESS_OK)
    fprintf(stderr, "%s\n%s\n", text, ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "?");
  CHECK(m != NULL);
  ness_diags_free(diags);
  return m;
}

/* All of a model's values; how many change a rate and how many have no derivative is known beforehand. */
static void check_text(const char *text, int32_t moving, int32_t refused)
{
  lang_file *file;
  tally sum = {0};
  lang_model *const m = compile(text, &file);
  if (m) check_model(m, &sum);
  if (sum.moving != moving || sum.refused != refused)
    fprintf(stderr, "%s\nof %d values %d change a rate, %d have no derivative\n", text, sum.names, sum.moving,
            sum.refused);
  CHECK(sum.moving == moving && sum.refused == refused);
  lang_model_free(m);
  lang_file_free(file);
}

#define PLACES                                                                                                         \
  "model t\nparam T0 = 300 [K], Thot = 450 [K], V = 30 [mV], c = 2 [mM], mu = 0.02 [eV], E = 0.1 [eV], z = -1\n"       \
  "param vol = 3e-3 [fL], k = 7 [1/s], s = 0.3, dE = 2 [kT], q = 0.4\ntemperature T0\n"                                \
  "compartment hot reservoir temperature Thot\ncompartment cold reservoir potential V\n"                               \
  "compartment box volume vol\nion X z z { hot = 0.2 [M]\n cold = c\n box = 0 [M]\n mu0 = mu }\n"                      \
  "bath F = 5 [mM], mu0 = 4*mu\nbath G = 2\nprotein P copies 3 {\nstate A\nstate B energy = E charge q at cold\n"      \
  "state C energy = dE\n}\n"

static void test_ways(void)
{
  static const char *const forms[] = {"k0 = k, split = s", "k0 = k, form = scharfetter-gummel",
                                      "k0 = k, form = metropolis", "k0 = k, form = heat-bath",
                                      "k0 = k, barrier = E + 1 [kJ/mol]"};
  static const char *const ways[] = {"A + X.hot <-> B", "B <-> A + X.cold", "A + F <-> C + 2 G", "C + X.box <-> B",
                                     "2 X.box <-> 2 X.cold"};
  for (int form = 0; form < 5; form++) {
    for (int way = 0; way < 5; way++) {
      char text[2000];
      snprintf(text, sizeof text, PLACES "r: %s @ ldb(%s)\nw: A <-> C @ k, ldb\n", ways[way], forms[form]);
      lang_file *file;
      tally sum = {0};
      lang_model *const m = compile(text, &file);
      if (m) check_model(m, &sum);
      CHECK(sum.moving >= 3 && sum.refused == 0);
      lang_model_free(m);
      lang_file_free(file);
    }
  }
  /* One rate beside ldb, at another temperature; raw rates with units of kT; a unit that changes with the temperature.
   */
  check_text(PLACES "r: A + X.hot <-> B @ 1e3 [1/M/s], ldb\nu: B <-> C @ k*exp(E/2 [kT]), k\n", 8, 0);
}

static void test_models(void)
{
  /* Energies found by elimination, through a place with a temperature and one that disagrees. */
  check_text("model t\nparam T0 = 300 [K], Th = 400 [K], a = 2 [1/s], b = 5 [1/s], c = 3 [1/M/s], x = 0.1 [M]\n"
             "temperature T0\ncompartment hot reservoir temperature Th\ncompartment out reservoir\n"
             "ion S z 0 { hot = x\n out = 2*x\n mu0 = 1 [kT] }\nprotein P { state A  state B  state C  state D }\n"
             "r1: A + S.out <-> B @ c, a\nr2: B <-> C + S.hot @ b, c\nr3: C <-> A @ a*b/(1 [1/s]), b\n"
             "r4: C + S.out <-> D @ c, 2*b\nr5: D <-> A @ ldb(k0 = a)\nr6: B <-> D @ a, ldb\n",
             8, 0);
  /* A field over a lattice, sites with a volume, potentials of baths, lists and indices. */
  check_text("model t\ntemperature 300 [K]\nparam V = 40 [mV], area = 2 [nm^2], D[1..2] = {1e-9, 3e-9} [m^2/s]\n"
             "param w[i in 1..2] = i*D[i], n = 4, H = -10 [kJ/mol], idle = 3\n"
             "compartment left reservoir\ncompartment right reservoir potential V\n"
             "ion K z 1 { left = 20 [mM]\n right = 5 [mM] }\nlattice s[1..n] between left, right field linear volume "
             "area*1 [nm] holds K\nhop: K.s[i] <-> K.s[i+1] @ ldb(k0 = w[2]/1 [nm^2], form = scharfetter-gummel)\n"
             "bath ATP = 4 [mM]\nbath ADP = 1 [mM], mu0 = H/2\nbath Pi = 2\npotential ATP -> ADP + Pi = H\n"
             "protein M { state A  state B }\nload: A + ATP <-> B @ D[1]/1 [m^2]*1 [1/M], ldb\n"
             "drop: B <-> A + ADP + Pi @ 5 [1/s], ldb\n",
             11, 1);
  /* Tapes: whole propensities and constants that depend on counts. */
  check_text(
      "model t\nunits natural\nparam a = 0.7, b = 2.5, n = 3, h = 1.5, off = 0\nspecies A = 5 max 9, B = 0 max 9\n"
      "bath S = 0.3\nx := a*A/(b + A)\ny := min(x, b) + max(a, x) + abs(x - 10) + sqrt(a*A + 1) + tanh(a*A)\n"
      "r1: A -> B @@ x^n + exp(-a*A) + ln(1 + b*A) + if(A > 2, a, b)\nr2: B + S -> A @ y*(A*b)^h\n"
      "r3: A -> 0 @@ log10(10 + a)*A + (off + 1)*floor(a + A)\nr4: 0 -> A @@ if(a < b, a^2, b)\n",
      6, 2);
  /* Counts that a value changes, steps that it would switch on, corners, jumps. */
  check_text(
      "model t\nunits natural\nparam n = 3, off = 0, f = 2, m = 1, i = 2, cap = 9\nspecies A = n max 9, B = 0 max cap\n"
      "bath S = 2\nprotein P copies f { state C  state D }\nparam q[j in 1..3] = j\n"
      "r: A <-> B @ 1, off\nu: A <-> B @ floor(m), q[i]\nv: C <-> D @ 1, 1\nm: A -> 0 @ abs(S - 2)*0 + 1\n",
      1, 7);
  check_text("model t\nunits natural\nparam E = 0\nspecies A = 1 energy = E, B = 0 energy = 0\n"
             "r: A <-> B @ ldb(k0 = 1, form = metropolis)\n",
             0, 1);
}

/* --- words --- */

static void refuse(const char *text, const char *name, const char *words)
{
  lang_file *file;
  lang_slopes s;
  ness_diags *const diags = ness_diags_create();
  lang_model *const m = compile(text, &file);
  CHECK(m && lang_slopes_find(m, name, (lang_place){0}, diags, &s) == NESS_MODEL);
  const char *const message = ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "";
  if (!strstr(message, words)) fprintf(stderr, "%s: %s\n", name, message);
  CHECK(strstr(message, words) != NULL);
  ness_diags_free(diags);
  lang_model_free(m);
  lang_file_free(file);
}

static void test_words(void)
{
  const char *const text = "model t\nunits natural\nparam n = 3, off = 0\nspecies A = n, B = 0\nbath S = 2\n"
                           "protein P copies 2 { state C  state D }\nspeed := A/2\nr: A + S <-> B @ 1, 2\n"
                           "v: C <-> D @ 1 + abs(S - 2), speed\nw: C <-> D @ off, 1\n";
  refuse(text, "n", "no derivative with respect to n: it changes a count");
  refuse(text, "A", "no derivative with respect to A: it is a count");
  refuse(text, "P.copies", "no derivative with respect to P.copies: it changes the number of copies");
  refuse(text, "speed", "no derivative with respect to speed: it changes with the counts");
  refuse(text, "S", "no derivative with respect to S: what is made of it here has a corner or a jump");
  refuse(text, "off", "no derivative with respect to off: it changes whether the step runs at all");
  refuse(text, "T", "no parameter, bath or concentration has the name T");
}

/* --- operations and tapes --- */

static void test_operations(void)
{
  static const struct {
    tape_code code;
    double a, b, da, db, slope;
  } rows[] = {{TAPE_ADD, 2, 3, 5, 7, 12},
              {TAPE_SUB, 2, 3, 5, 7, -2},
              {TAPE_MUL, 2, 3, 5, 7, 29},
              {TAPE_DIV, 2, 4, 5, 8, 0.25},
              {TAPE_POW, 2, 3, 5, 0, 60},
              {TAPE_POW, 0, 1, 5, 0, 5},
              {TAPE_POW, 0, 2, 5, 3, 0},
              {TAPE_POW, 4, 0.5, 0, 1, 2.7725887222397811},
              {TAPE_POW, -2, 3, 1, 0, 12},
              {TAPE_POW, 5, 0, 3, 0, 0},
              {TAPE_POW, -2, 2, 0, 1, NAN},
              {TAPE_NEG, 2, 0, 5, 0, -5},
              {TAPE_EXP, 1, 0, 2, 0, 5.4365636569180905},
              {TAPE_LN, 4, 0, 2, 0, 0.5},
              {TAPE_SQRT, 4, 0, 2, 0, 0.5},
              {TAPE_SQRT, 0, 0, 0, 0, 0},
              {TAPE_ABS, -4, 0, 2, 0, -2},
              {TAPE_ABS, 0, 0, 2, 0, NAN},
              {TAPE_ABS, 0, 0, 0, 0, 0},
              {TAPE_MIN, 1, 2, 3, 4, 3},
              {TAPE_MIN, 2, 2, 3, 4, NAN},
              {TAPE_MAX, 2, 2, 3, 3, 3},
              {TAPE_MAX, 1, 2, 3, 4, 4},
              {TAPE_FLOOR, 1.5, 0, 3, 0, 0},
              {TAPE_FLOOR, 2, 0, 3, 0, NAN},
              {TAPE_LT, 1, 2, 3, 4, 0},
              {TAPE_LE, 2, 2, 3, 4, NAN},
              {TAPE_EQ, 2, 2, 3, 3, 0},
              {TAPE_NOT, 0, 0, 1, 0, NAN},
              {TAPE_AND, 1, 0, 0, 0, 0},
              {TAPE_OR, 0, 1, 1, 0, NAN},
              {TAPE_TANH, 0.25, 0, 1, 0, 0.94001484880637798},
              {TAPE_TANH, 30, 0, 1, 0, 3.502604305078608e-26},
              {TAPE_EXPREL, 0, 0, 1, 0, 0.5},
              {TAPE_EXPREL, 0.25, 0, 1, 0, 0.5916949997471022},
              {TAPE_EXPREL, -3, 0, 1, 0, 0.08898352516983825}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const double value[3] = {rows[i].a, rows[i].b, 0}, by[3] = {rows[i].da, rows[i].db, 0};
    const tape_op tape[3] = {{TAPE_CONST, 0, 0, 0}, {TAPE_CONST, 1, 0, 0}, {(int32_t)rows[i].code, 0, 1, 0}};
    double scratch[6], slope;
    network_tape_slope(tape, 3, value, by, NULL, scratch, &slope);
    if (isnan(rows[i].slope)) CHECK(isnan(slope));
    else CHECK(fabs(slope - rows[i].slope) <= 1e-13 * fabs(rows[i].slope));
  }
}

/* Slopes of whole tapes at counts, against differences of the tapes with other constants. */
static void test_tapes(void)
{
  lang_file *file;
  lang_model *const m =
      compile("model t\nunits natural\nparam a = 0.7, b = 2.5, h = 1.5\nspecies A = 5 max 9, B = 0 max 9\n"
              "x := a*A/(b + A)\nr1: A <-> B @@ x^h + exp(-a*A)*tanh(b*A), B*sqrt(a*x + 1)\n"
              "r2: B -> A @ min(x, b)*if(A > 2, a, b)\n",
              &file);
  for (int p = 0; m && p < 3; p++) {
    const char *const name = p == 0 ? "a" : p == 1 ? "b" : "h";
    const ness_network *const net = lang_network(m);
    ness_diags *const diags = ness_diags_create();
    lang_slopes s = {0};
    CHECK(lang_slopes_find(m, name, (lang_place){0}, diags, &s) == NESS_OK);
    double *const scratch = mem_zero(2 * (size_t)net->tape_max + 1, sizeof *scratch);
    double *const shifted = mem_zero((size_t)net->nconst + 1, sizeof *shifted);
    for (int64_t count = 1; s.model && count <= 9; count++) {
      for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
        const int64_t n[2] = {count, 9 - count};
        const int32_t begin = net->tape_start[dir], length = net->tape_start[dir + 1] - begin;
        const double h = 1e-4;
        double slope, value[2], wide[2];
        if (net->dir_law[dir] != LAW_TAPE) continue;
        const double at =
            network_tape_slope(net->tape + begin, length, net->tape_const, s.constant, n, scratch, &slope);
        CHECK(at == network_tape(net->tape + begin, length, net->tape_const, n, scratch));
        for (int side = 0; side < 4; side++) {
          const double shift = (side % 2 ? -h : h) * (side < 2 ? 1 : 2);
          for (int32_t i = 0; i < net->nconst; i++) shifted[i] = net->tape_const[i] + shift * s.constant[i];
          (side < 2 ? value : wide)[side % 2] = network_tape(net->tape + begin, length, shifted, n, scratch);
        }
        const double by = (8 * (value[0] - value[1]) - (wide[0] - wide[1])) / (12 * h);
        CHECK_NEAR(slope, by, 1e-9);
      }
    }
    mem_free(scratch);
    mem_free(shifted);
    lang_slopes_free(&s);
    ness_diags_free(diags);
  }
  lang_model_free(m);
  lang_file_free(file);
}

int main(void)
{
  test_operations();
  test_tapes();
  test_ways();
  test_models();
  test_words();
  test_shipped();
  return check_done();
}
