/* Settings from outside: every kind of value that may be replaced gives the network of the file in which it was
 * replaced by hand; who wins of command line, include and file; what is refused. */
#include "lang_sample.h"

/* A model with blanks: V, k[2], F, Na.o, Na.c, A, X[2], copies. */
static const char *const form = SI
    "compartment o reservoir\ncompartment i reservoir potential V\ncompartment c volume 1 [fL]\nparam V = %s, W = 2*V\n"
    "param k[1..3] = {1, %s, 3} [1/s]\nbath F = %s\nion Na z +1 { o = %s\n c = %s\n i = 12 [mM] }\n"
    "species A = %s, X[j in 1..3] = if(j == 2, %s, 7)\nprotein P copies %s {\nstate p\nstate q charge 1 at i\n}\n"
    "r: p + Na.o <-> q @ 1 [1/M/s], ldb\nfor i in 1..3 { s: X[i] <-> A @ k[i], ldb }\nt: A + F <-> X[1] @ 2 [1/s], "
    "ldb\n"
    "u: Na.o <-> Na.c @ ldb(k0 = 2 [1/s])\nv: Na.o <-> Na.i @ ldb(k0 = 1 [1/s])\n";
enum { BLANKS = 8 };
static const char *const names[BLANKS] = {"V", "k[2]", "F", "Na.o", "Na.c", "A", "X[2]", "P.copies"};
static const char *const first[BLANKS] = {"-60 [mV]", "2", "3", "140 [mM]", "10 [uM]", "5", "6", "30"};
static const char *const other[BLANKS] = {"25 [mV]", "9", "0.25", "5 [mM]", "3 [uM]", "50", "0", "11"};

static void fill(char out[2000], const char *const blanks[BLANKS])
{
  snprintf(out, 2000, form, blanks[0], blanks[1], blanks[2], blanks[3], blanks[4], blanks[5], blanks[6], blanks[7]);
}

static bool same(const ness_model *a, const ness_model *b)
{
  if (!a || !b) return false;
  const ness_network *const m = sample_network(a), *const n = sample_network(b);
  if (m->nslot != n->nslot || m->nstep != n->nstep || m->nres != n->nres) return false;
  const size_t slots = (size_t)m->nslot, steps = (size_t)m->nstep, res = (size_t)m->nres;
  return memcmp(m->slot_start, n->slot_start, slots * sizeof(int64_t)) == 0 &&
         memcmp(m->slot_g, n->slot_g, slots * sizeof(double)) == 0 &&
         memcmp(m->dir_k, n->dir_k, 2 * steps * sizeof(double)) == 0 &&
         memcmp(m->step_lnk, n->step_lnk, steps * sizeof(double)) == 0 &&
         memcmp(m->res_mu, n->res_mu, res * sizeof(double)) == 0 && m->volt_kt[0] == n->volt_kt[0] &&
         m->family_copies[0] == n->family_copies[0];
}

static void test_each(void)
{
  char text[2000], changed[2000], all_text[2000];
  fill(text, first);
  fill(all_text, other);
  ness_model *const plain = sample_model(text);
  const char *settings[BLANKS];
  char words[BLANKS][60];
  for (int i = 0; i < BLANKS; i++) {
    const char *blanks[BLANKS];
    memcpy(blanks, first, sizeof blanks);
    blanks[i] = other[i];
    fill(changed, blanks);
    snprintf(words[i], sizeof words[i], "%s=%s%s", names[i], other[i], i == 1 ? "[1/s]" : "");
    settings[i] = words[i];
    ness_model *const by_hand = sample_model(changed), *const set = sample_settings(text, &settings[i], 1, NULL, NULL);
    if (!same(by_hand, set)) fprintf(stderr, "%s is not what the file with it is\n", words[i]);
    CHECK(same(by_hand, set));
    CHECK(!same(plain, set));
    ness_model_free(by_hand);
    ness_model_free(set);
  }
  ness_model *const all = sample_settings(text, settings, BLANKS, NULL, NULL), *const all_hand = sample_model(all_text);
  CHECK(same(all, all_hand));
  CHECK(all && strstr(all->settings, "V=25 [mV]; k[2]=9[1/s]; F=0.25") == all->settings);
  ness_model_free(all);
  ness_model_free(all_hand);
  /* A setting is an expression in the blanks of the file; the file's own dependent blanks follow it. */
  static const char *const expression[] = {"V = W/4 - 10 [mV]"};
  ness_model *const m = sample_settings(text, expression, 1, NULL, NULL);
  CHECK(m && fabs(sample_number(m, "V") + 0.04) < 1e-16 && fabs(sample_number(m, "W") + 0.08) < 1e-16);
  ness_model_free(m);
  ness_model_free(plain);
}

static void test_refused(void)
{
  static const struct {
    const char *setting, *words;
    ness_status status;
  } cases[] = {{"W2=1", "no parameter, bath or concentration has the name W2", NESS_MODEL},
               {"k=1", "has the name k", NESS_MODEL},
               {"k[4]=1", "has the name k[4]", NESS_MODEL},
               {"Na.q=1[mM]", "has the name Na.q", NESS_MODEL},
               {"Na.o=1", "a concentration is in M", NESS_MODEL},
               {"Na.o=0[mM]", "held at zero", NESS_MODEL},
               {"Na.o=-1[mM]", "cannot be", NESS_MODEL},
               {"A=1.5", "whole number", NESS_MODEL},
               {"A=-1", "whole number", NESS_MODEL},
               {"P.copies=0.5", "whole number", NESS_MODEL},
               {"V=1", "potential is in V", NESS_MODEL},
               {"V=nothing", "no value has the name nothing", NESS_USAGE},
               {"V", "expected", NESS_USAGE},
               {"V=", "expected a value", NESS_USAGE},
               {"V=1 2", "expected the end of the setting", NESS_USAGE},
               {"V=1:2:3[mV]", "a range", NESS_USAGE},
               {"=3", "expected a name", NESS_USAGE},
               {"", "expected a name", NESS_USAGE}};
  char text[2000], why[400];
  fill(text, first);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_status status;
    ness_model_free(sample_settings(text, &cases[i].setting, 1, &status, why));
    if (status != cases[i].status || !strstr(why, cases[i].words))
      fprintf(stderr, "%s: %d, %s\n", cases[i].setting, (int)status, why);
    CHECK(status == cases[i].status && strstr(why, cases[i].words));
  }
}

/* Of two settings of one name the same one counts for a parameter and for a bath: the last. */
static void test_twice(void)
{
  const char *const text = NATURAL "param k = 1\nbath F = 1\nspecies A = 5, B = 0\nr: A + F <-> B @ k, 1\n";
  static const char *const param[] = {"k=3", "k=7"}, *const bath[] = {"F=3", "F=7"}, *const count[] = {"A=3", "A=7"};
  ness_model *m = sample_settings(text, param, 2, NULL, NULL);
  CHECK(m && sample_k(m, "r", 0) == 7);
  ness_model_free(m);
  m = sample_settings(text, bath, 2, NULL, NULL);
  CHECK(m && sample_k(m, "r", 0) == 7);
  ness_model_free(m);
  m = sample_settings(text, count, 2, NULL, NULL);
  CHECK(m && sample_network(m)->slot_start[0] == 7);
  ness_model_free(m);
}

/* A scan over what the call has set already goes over its points. */
static void test_scan_of_a_setting(void)
{
  const char *const text = NATURAL "param k = 1\nbath F = 1\nspecies A = 5, B = 0\nr: A + F <-> B @ k, 1\n";
  static const char *const set[] = {"k=3", "F=2"}, *const range[] = {"k=1:5:2", "F=1:5:2"};
  static const char *const column[] = {"mean(B)"};
  for (int i = 0; i < 2; i++) {
    ness_model *const m = sample_settings(text, &set[i], 1, NULL, NULL);
    ness_diags *const diags = ness_diags_create();
    ness_doc *doc = NULL;
    const ness_scan_options options = {
        .struct_size = sizeof options, .settings = &range[i], .nsettings = 1, .columns = column, .ncolumns = 1};
    CHECK(m && ness_scan(m, &options, diags, &doc) == NESS_OK);
    for (int p = 0; p < 3 && doc; p++) {
      char path[60];
      snprintf(path, sizeof path, "table[%d].mean(B)", p);
      const double x = 1 + 2 * p;
      CHECK_REL(ness_doc_number(doc, path), 5 * x / (1 + x), 1e-14);
    }
    ness_doc_free(doc);
    ness_diags_free(diags);
    ness_model_free(m);
  }
}

/* --- include ... with --- */

static void write_file(const char *folder, const char *name, const char *text)
{
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *const out = fopen(path, "wb");
  CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static ness_model *load(const char *folder, const char *name, const char *const *settings, int32_t n, char why[400])
{
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  ness_diags *const diags = ness_diags_create();
  ness_model *m = NULL;
  ness_model_load(path, NULL, settings, n, diags, &m);
  snprintf(why, 400, "%s", ness_diags_count(diags, NULL) ? ness_diags_get(diags, 0)->message : "");
  ness_diags_free(diags);
  return m;
}

static void test_include(void)
{
  char folder[300], path[400], text[2000], why[400];
  const char *const base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/ness-override-XXXXXX", base && base[0] ? base : "/tmp");
  CHECK(mkdtemp(folder) != NULL);
  fill(text, first);
  write_file(folder, "part.ness", text);
  write_file(
      folder, "all.ness",
      "include \"part.ness\" with V = 25 [mV], k[2] = 9 [1/s], F = 0.25, Na.o = 5 [mM], Na.c = 3 [uM], A = 50, X[2] "
      "= 0, P.copies = 11\n");
  write_file(folder, "mid.ness", "include \"part.ness\" with F = 5, A = 9\n");
  write_file(folder, "top.ness", "include \"mid.ness\" with F = 8\n");
  write_file(folder, "own.ness", "param mine = 4\ninclude \"part.ness\" with F = mine/8, V = W0\nparam W0 = 3 [mV]\n");
  write_file(folder, "bad.ness", "include \"part.ness\" with Fuel = 8\n");
  write_file(folder, "twice.ness", "include \"part.ness\"\ninclude \"part.ness\"\n");
  fill(text, other);
  ness_model *const by_hand = sample_model(text), *const all = load(folder, "all.ness", NULL, 0, why);
  CHECK(same(by_hand, all));
  ness_model_free(all);
  ness_model_free(by_hand);
  /* The file gives 3, the include 5, the include around it 8, the command line 20. */
  static const char *const set[] = {"F=20"};
  static const struct {
    const char *file;
    int settings;
    double f;
  } cases[] = {{"part.ness", 0, 3},  {"mid.ness", 0, 5},  {"top.ness", 0, 8},
               {"part.ness", 1, 20}, {"mid.ness", 1, 20}, {"top.ness", 1, 20}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_model *const m = load(folder, cases[i].file, set, cases[i].settings, why);
    const double got = m ? sample_number(m, "F") : NAN;
    if (got != cases[i].f) fprintf(stderr, "%s: F = %g, expected %g\n", cases[i].file, got, cases[i].f);
    CHECK(got == cases[i].f);
    CHECK(m && sample_network(m)->slot_start[sample_slot(m, "A")] == (i % 3 ? 9 : 5)); /* of the inner one still */
    ness_model_free(m);
  }
  ness_model *const own = load(folder, "own.ness", NULL, 0, why);
  CHECK(own && sample_number(own, "F") == 0.5 && sample_number(own, "V") == 0.003);
  ness_model_free(own);
  CHECK(!load(folder, "bad.ness", NULL, 0, why) && strstr(why, "has the name Fuel"));
  CHECK(!load(folder, "twice.ness", NULL, 0, why) && strstr(why, "declared already"));
  static const char *const files[] = {"part.ness", "all.ness", "mid.ness",  "top.ness",
                                      "own.ness",  "bad.ness", "twice.ness"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    CHECK(unlink(path) == 0);
  }
  CHECK(rmdir(folder) == 0);
}

int main(void)
{
  test_each();
  test_refused();
  test_twice();
  test_scan_of_a_setting();
  test_include();
  return check_done();
}
