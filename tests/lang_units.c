/* Units: every name and prefix against values written here from the SI brochure, products, powers and quotients against
 * arithmetic on those, what is refused and where, kT at a temperature, and that round numbers stay round. */
#include "lang_sample.h"

typedef struct row {
  const char *name;
  double value; /* in SI base units; the mole is a number */
  lang_unit unit;
  bool prefixes;
} row;

static const double na = 6.02214076e23, e_charge = 1.602176634e-19;

static const row rows[] = {{"m", 1, {1, 0, 0, 0, 0}, true},
                           {"g", 0.001, {0, 1, 0, 0, 0}, true},
                           {"s", 1, {0, 0, 1, 0, 0}, true},
                           {"min", 60, {0, 0, 1, 0, 0}, false},
                           {"h", 60 * 60, {0, 0, 1, 0, 0}, false},
                           {"d", 24 * 60 * 60, {0, 0, 1, 0, 0}, false},
                           {"A", 1, {0, 0, 0, 1, 0}, true},
                           {"K", 1, {0, 0, 0, 0, 1}, true},
                           {"V", 1, {2, 1, -3, -1, 0}, true}, /* W/A */
                           {"J", 1, {2, 1, -2, 0, 0}, true},
                           {"cal", 4.184, {2, 1, -2, 0, 0}, true},
                           {"eV", 1.602176634e-19, {2, 1, -2, 0, 0}, true},
                           {"W", 1, {2, 1, -3, 0, 0}, true},
                           {"N", 1, {1, 1, -2, 0, 0}, true},
                           {"Pa", 1, {-1, 1, -2, 0, 0}, true},
                           {"C", 1, {0, 0, 1, 1, 0}, true},
                           {"e", 1.602176634e-19, {0, 0, 1, 1, 0}, false},
                           {"F", 1, {-2, -1, 4, 2, 0}, true},   /* C/V */
                           {"S", 1, {-2, -1, 3, 2, 0}, true},   /* A/V */
                           {"Ohm", 1, {2, 1, -3, -2, 0}, true}, /* V/A */
                           {"Hz", 1, {0, 0, -1, 0, 0}, true},
                           {"L", 0.001, {3, 0, 0, 0, 0}, true},
                           {"mol", 6.02214076e23, {0, 0, 0, 0, 0}, true},
                           {"M", 6.02214076e26, {-3, 0, 0, 0, 0}, true},
                           {"1", 1, {0, 0, 0, 0, 0}, false}};

static const struct {
  const char *name;
  double value;
} prefixes[] = {{"f", 1e-15},     {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"\xc2\xb5", 1e-6}, {"\xce\xbc", 1e-6},
                {"m", 1. / 1000}, {"c", 0.01},  {"d", 0.1},  {"k", 1000}, {"M", 1e6},         {"G", 1e9}};

static bool parse(const char *text, double kt, quantity *out, size_t *bad)
{
  const char *why = "";
  *bad = 999;
  const bool fine = unit_parse(text, strlen(text), kt, out, bad, &why);
  CHECK(fine ? why[0] == '\0' : why[0] != '\0' && *bad <= strlen(text)); /* a refusal has a reason and a place */
  return fine;
}

/* Every prefix with every name. Where the two together spell another unit (min, cd, Pa...), that one counts. */
static void test_table(void)
{
  quantity q;
  size_t bad;
  int seen = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK(parse(rows[i].name, 0, &q, &bad) && unit_equal(q.unit, rows[i].unit));
    CHECK_REL(q.value, rows[i].value, 2e-16);
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes && strcmp(rows[i].name, "1") != 0; p++) {
      char name[16];
      snprintf(name, sizeof name, "%s%s", prefixes[p].name, rows[i].name);
      bool other = false;
      for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) other = other || strcmp(rows[k].name, name) == 0;
      if (other) continue;
      const bool fine = parse(name, 0, &q, &bad);
      CHECK(fine == rows[i].prefixes);
      if (!fine) continue;
      seen++;
      CHECK(unit_equal(q.unit, rows[i].unit));
      CHECK_REL(q.value, prefixes[p].value * rows[i].value, 4e-16);
    }
  }
  CHECK(seen == 12 * 20); /* no name with a prefix is hidden by another name */
  /* A litre is a cubic decimetre, M is mol/L, an electronvolt e V, a coulomb A s. */
  static const char *const same[][2] = {{"L", "dm^3"},       {"M", "mol/L"}, {"eV", "e V"},  {"C", "A s"},
                                        {"F", "C/V"},        {"S", "1/Ohm"}, {"W", "J/s"},   {"Pa", "N/m^2"},
                                        {"J", "kg m^2/s^2"}, {"Hz", "1/s"},  {"uL", "mm^3"}, {"fL", "um^3"},
                                        {"mM", "mol/m^3"},   {"J", "C V"},   {"l", "L"}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    quantity a, b;
    CHECK(parse(same[i][0], 0, &a, &bad) && parse(same[i][1], 0, &b, &bad) && unit_equal(a.unit, b.unit));
    CHECK_REL(a.value, b.value, 1e-15);
  }
}

static void test_products(void)
{
  static const struct {
    const char *text;
    double value;
    lang_unit unit;
  } cases[] = {{"1/M^2/s", 1 / (1000 * na) / (1000 * na), {6, 0, -1, 0, 0}},
               {"kJ/mol", 1000 / na, {2, 1, -2, 0, 0}},
               {"kcal/mol", 4184 / na, {2, 1, -2, 0, 0}},
               {"1/ms", 1000, {0, 0, -1, 0, 0}},
               {"s^-1", 1, {0, 0, -1, 0, 0}},
               {"1/s^-1", 1, {0, 0, 1, 0, 0}},
               {"m/s/s", 1, {1, 0, -2, 0, 0}},
               {"m / s * s", 1, {1, 0, 0, 0, 0}}, /* from left to right */
               {"um^2/s", 1e-12, {2, 0, -1, 0, 0}},
               {"mmol L^-1 s^-1", na / 1000 * 1000, {-3, 0, -1, 0, 0}},
               {"pA", 1e-12, {0, 0, 0, 1, 0}},
               {"m^12", 1, {12, 0, 0, 0, 0}},
               {"m^-12", 1, {-12, 0, 0, 0, 0}},
               {"mV", 1e-3, {2, 1, -3, -1, 0}},
               {"m V", 1, {3, 1, -3, -1, 0}},
               {" K\t", 1, {0, 0, 0, 0, 1}},
               {"e/nm^2", 1.602176634e-19 * 1e18, {-2, 0, 1, 1, 0}}};
  quantity q;
  size_t bad;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK(parse(cases[i].text, 0, &q, &bad) && unit_equal(q.unit, cases[i].unit));
    CHECK_REL(q.value, cases[i].value, 1e-15);
  }
  /* kT is known with a temperature only, and takes no prefix. */
  CHECK(parse("kT", KT300, &q, &bad) && q.value == KT300 && unit_equal(q.unit, UNIT_ENERGY));
  CHECK(parse("1/kT", KT300, &q, &bad) && q.value == 1 / KT300 && unit_equal(q.unit, unit_scale(UNIT_ENERGY, -1)));
  CHECK(!parse("kT", 0, &q, &bad) && bad == 0);
  CHECK(!parse("mkT", KT300, &q, &bad));
}

static void test_refused(void)
{
  static const struct {
    const char *text;
    size_t bad;
  } cases[] = {{"parsec", 0}, {"mX", 0},    {"m/X", 2},  {"m//s", 2},  {"/s", 0},    {"m/", 1},
               {"", 0},       {"  ", 1},    {"m^", 1},   {"m^13", 3},  {"m^x", 2},   {"m^-", 2},
               {"2 m", 0},    {"m^2.5", 3}, {"kmin", 0}, {"ue", 0},    {"m2", 1},    {"Nm", 0},
               {"m s !", 4},  {"m*/s", 2},  {"(m)", 0},  {"m^123", 4}, {"M\xc2", 0}, {"4 J", 0}};
  quantity q;
  size_t bad;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bool fine = parse(cases[i].text, 0, &q, &bad);
    if (fine || bad != cases[i].bad) fprintf(stderr, "[%s]: bad byte %zu\n", cases[i].text, bad);
    CHECK(!fine && bad == cases[i].bad);
  }
}

/* An int8 of an exponent must not run over: 22 times m^12 is m^264, not m^8. */
static void test_overflow(void)
{
  char text[200] = "m^12";
  for (int i = 1; i < 22; i++) strcat(text, " m^12");
  quantity q;
  size_t bad;
  CHECK(!(parse(text, 0, &q, &bad) && q.unit.m == 8));
  ness_model *const m = sample_model(SI "protein P { state A  state B }\nr: A <-> B @ 1 [1/s], 2 [1/s]\n");
  char why[400];
  const quantity wrapped = sample_value(m, "((1 [m^8])^8)^4", why);
  CHECK(isnan(wrapped.value) || !unit_equal(wrapped.unit, UNIT_NONE));
  ness_model_free(m);
}

static void test_words(void)
{
  static const struct {
    lang_unit unit;
    const char *text;
  } cases[] = {{{0, 0, 0, 0, 0}, "no unit"},
               {{6, 0, -1, 0, 0}, "1/M^2/s"},
               {{1, 1, -2, 0, 0}, "m kg s^-2"},
               {{0, 0, 0, 2, -1}, "A^2 K^-1"}};
  char text[64];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unit_text(cases[i].unit, text);
    CHECK_STR(text, cases[i].text);
  }
  /* What is printed reads back as the same dimension. */
  for (int m = -3; m <= 3; m++) {
    for (int s = -2; s <= 2; s++) {
      for (int a = -1; a <= 1; a++) {
        const lang_unit unit = {(int8_t)m, (int8_t)(a - 1), (int8_t)s, (int8_t)a, (int8_t)(m == s)};
        quantity q;
        size_t bad;
        unit_text(unit, text);
        char *const or = strstr(text, " or ");
        if (or) * or = '\0';
        CHECK(strcmp(text, "no unit") == 0 || (parse(text, 0, &q, &bad) && unit_equal(q.unit, unit)));
      }
    }
  }
}

/* In a model: values with units against hand arithmetic, and dimensions at every operation. */
static void test_values(void)
{
  ness_model *const m = sample_model(SI "param V = -60 [mV], c = 140 [mM], t = 2 [min]\n"
                                        "compartment o reservoir\ncompartment i reservoir potential V\n"
                                        "ion Na z +1 { o = 140 [mM]  i = 14 [mM] }\n"
                                        "protein P { state A  state B }\nr: A <-> B @ 1 [1/s], 2 [1/s]\n");
  if (!m) return;
  static const struct {
    const char *text;
    double value, tolerance;
    lang_unit unit;
  } cases[] = {{"V", -0.06, 0, {2, 1, -3, -1, 0}},
               {"-60 [mV]", -0.06, 0, {2, 1, -3, -1, 0}},
               {"t", 120, 0, {0, 0, 1, 0, 0}},
               {"5 [1/ms]", 5000, 0, {0, 0, -1, 0, 0}},
               {"2e7 [1/M/s] * 1 [M]", 2e7, 0, {0, 0, -1, 0, 0}},
               {"c / c0", 0.14, 2e-16, {0, 0, 0, 0, 0}},
               {"1 [M] / c0", 1, 0, {0, 0, 0, 0, 0}},
               {"10 [mM] * 1 [fL]", 6.02214076e6, 2e-16, {0, 0, 0, 0, 0}},
               {"1 [L] * 1 [mM]", 6.02214076e20, 2e-16, {0, 0, 0, 0, 0}},
               {"2 kT", 2 * KT300, 0, {2, 1, -2, 0, 0}},
               {"2 [kT]", 2 * KT300, 0, {2, 1, -2, 0, 0}},
               {"5 [kJ/mol] / kT", 5000 / (8.31446261815324 * 300), 1e-15, {0, 0, 0, 0, 0}},
               {"1 [kcal/mol] / kT", 4184 / (8.31446261815324 * 300), 1e-15, {0, 0, 0, 0, 0}},
               {"RT / (1 [J/mol])", 8.31446261815324 * 300, 1e-15, {0, 0, 0, 0, 0}},
               {"R / (1 [J/mol/K])", 8.31446261815324, 1e-15, {0, 0, 0, 0, 0}},
               {"F / (1 [C/mol])", 96485.33212331001, 1e-15, {0, 0, 0, 0, 0}},
               {"kB * T / kT", 1, 2e-16, {0, 0, 0, 0, 0}},
               {"e * (25.852 [mV]) / kT", 1.602176634e-19 * 0.025852 / KT300, 1e-15, {0, 0, 0, 0, 0}},
               {"NA", 6.02214076e23, 0, {0, 0, 0, 0, 0}},
               {"nernst(Na.i, Na.o)", KT300 / 1.602176634e-19 * 2.302585092994046, 1e-15, {2, 1, -3, -1, 0}},
               {"sqrt(4 [mV^2])", 0.002, 1e-15, {2, 1, -3, -1, 0}},
               {"(3 [m])^-2", 1. / 9, 1e-15, {-2, 0, 0, 0, 0}},
               {"abs(-3 [mV])", 0.003, 1e-15, {2, 1, -3, -1, 0}},
               {"min(3 [mV], 2 [mV])", 0.002, 1e-15, {2, 1, -3, -1, 0}},
               {"max(0, -2 [mV])", 0, 0, {2, 1, -3, -1, 0}},
               {"0 + 3 [s]", 3, 0, {0, 0, 1, 0, 0}},
               {"3 [s] - 0", 3, 0, {0, 0, 1, 0, 0}},
               {"if(1 < 2, 3 [s], 1/0)", 3, 0, {0, 0, 1, 0, 0}}, /* the other branch is left alone */
               {"(1 + 2) [mV]", 0.003, 1e-15, {2, 1, -3, -1, 0}},
               {"exp(0) [1/s]", 1, 0, {0, 0, -1, 0, 0}},
               {"1 [s] < 2 [s]", 1, 0, {0, 0, 0, 0, 0}},
               {"log10(1000)", 3, 0, {0, 0, 0, 0, 0}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const quantity q = sample_value(m, cases[i].text, NULL);
    CHECK(unit_equal(q.unit, cases[i].unit));
    if (!(fabs(q.value - cases[i].value) <= cases[i].tolerance * fabs(cases[i].value)))
      fprintf(stderr, "%s = %.17g, expected %.17g\n", cases[i].text, q.value, cases[i].value);
    CHECK(fabs(q.value - cases[i].value) <= cases[i].tolerance * fabs(cases[i].value));
  }
  static const struct {
    const char *text, *words;
  } wrong[] = {{"1 [s] + 1", "cannot add s and no unit"},
               {"1 [s] - 1 [V]", "cannot subtract s and V"},
               {"1 [s] < 1", "cannot compare s and no unit"},
               {"min(1 [s], 1)", "cannot compare s and no unit"},
               {"exp(1 [s])", "exp needs a plain number, not s"},
               {"ln(c)", "ln needs a plain number, not M"},
               {"log10(1 [s])", "cannot take log10 of s"},
               {"tanh(1 [V])", "tanh needs a plain number, not V"},
               {"sqrt(1 [s])", "cannot take the root of s"},
               {"(1 [s])^0.5", "whole constant exponent"},
               {"2^(1 [s])", "cannot raise to no unit and s"},
               {"(1 [s]) [s]", "has a unit already"},
               {"(1 [parsec])", "is no unit that ness knows"},
               {"1/0", "division by zero"},
               {"V [mV]", "a unit after a name"}};
  char why[400];
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const quantity q = sample_value(m, wrong[i].text, why);
    if (!strstr(why, wrong[i].words)) fprintf(stderr, "%s: %s\n", wrong[i].text, why);
    CHECK(isnan(q.value) && strstr(why, wrong[i].words));
  }
  ness_model_free(m);
}

/* Decimal values of everyday size come out as the double nearest to what is written, or one beside it. */
static void test_round(void)
{
  ness_model *const m = sample_model(SI "protein P { state A  state B }\nr: A <-> B @ 1 [1/s], 2 [1/s]\n");
  if (!m) return;
  static const char *const units[] = {"mV", "ms", "us", "nm", "kHz", "fL", "pA"};
  static const int digits[] = {-3, -3, -6, -9, 3, -18, -12};
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    int exact = 0;
    for (int i = -200; i <= 200; i += 5) {
      char text[40], decimal[40];
      snprintf(text, sizeof text, "%d [%s]", i, units[u]);
      snprintf(decimal, sizeof decimal, "%de%d", i, digits[u]);
      const double got = sample_number(m, text), want = strtod(decimal, NULL);
      CHECK(got == want || got == nextafter(want, got));
      exact += got == want;
    }
    CHECK(exact > 30); /* most are the nearest itself */
  }
  /* 1/unit times unit is 1 within a rounding, for any unit with any prefix. */
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (size_t p = 0; rows[i].prefixes && p < sizeof prefixes / sizeof *prefixes; p++) {
      char text[80];
      snprintf(text, sizeof text, "1 [1/%s%s] * (1 [%s%s])", prefixes[p].name, rows[i].name, prefixes[p].name,
               rows[i].name);
      CHECK_REL(sample_number(m, text), 1, 3e-16);
    }
  }
  ness_model_free(m);
  CHECK_REL(e_charge * na, 96485.33212331001, 1e-15); /* the rows of this file agree with each other */
}

int main(void)
{
  test_table();
  test_products();
  test_refused();
  test_overflow();
  test_words();
  test_values();
  test_round();
  return check_done();
}
