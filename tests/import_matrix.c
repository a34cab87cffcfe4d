/* Rates in and out: what is written reads back bit for bit, every format gives the same network, and free energies are
 * those that the model language finds for the same steps and those that detailed balance was made from. The second
 * ways: a dense matrix filled by hand, a small reader of PETSc's format written from its description, counting, and
 * models compiled from text. */
#include "engine/model/stoich.h"
#include "engine/rng/rng.h"
#include "import_sample.h"
#include "networks/lang/lang.h"
#include "networks/thermo/thermo.h"

#define N_MAX 40

/* --- chains by chance --- */

typedef struct dense { /* what a chain says, added up by hand */
  int32_t n;
  double k[N_MAX][N_MAX];
} dense;

/* Positive doubles over 60 decades with all their bits. */
static double any_rate(rng_stream *rng)
{
  return exp(140 * (rng_double(rng) - 0.5)) * (1 + rng_double(rng));
}

static void chain_by_chance(rng_stream *rng, int32_t n, bool exits, chain *q, dense *d)
{
  const int64_t most = 3 * (int64_t)n;
  if (chain_create(n, most, exits, q)) exit(2);
  *d = (dense){.n = n};
  int64_t end = 0;
  for (int32_t i = 0; i < n; i++) {
    for (int32_t t = (int32_t)(rng_double(rng) * 4); t > 0 && end < most; t--, end++) { /* loops and parallels too */
      q->to[end] = (int32_t)(rng_double(rng) * n);
      q->rate[end] = any_rate(rng);
      d->k[i][q->to[end]] += q->rate[end];
    }
    q->start[i + 1] = end;
    if (exits) q->exit[i] = any_rate(rng);
  }
  for (int32_t i = 0; i < n; i++) d->k[i][i] = 0;
}

static int64_t dense_count(const dense *d)
{
  int64_t count = 0;
  for (int32_t i = 0; i < d->n; i++)
    for (int32_t j = 0; j < d->n; j++) count += d->k[i][j] != 0;
  return count;
}

static bool same_rates(const import_rates *r, const dense *d)
{
  bool same = r->n == d->n && r->count == dense_count(d);
  for (int64_t e = 0; e < r->count && same; e++) {
    const import_rate *const x = &r->rate[e];
    same = memcmp(&x->rate, &d->k[x->from][x->to], sizeof x->rate) == 0;
    same = same && (e == 0 || x[-1].from < x->from || (x[-1].from == x->from && x[-1].to < x->to));
  }
  return same;
}

static void name_of(void *context, int32_t state, text_buffer *out)
{
  const int *const kind = context;
  if (*kind == 0) text_add(out, "%d", 2 * state);
  else if (*kind == 1) text_add(out, "C%d", state);
  else text_add(out, "%d,%d", state / 3, state % 3);
}

static void test_round_trips(void)
{
  rng_stream rng;
  rng_init(&rng, 7, 0, 0);
  static dense d;
  for (int round = 0; round < 60; round++) {
    chain q;
    import_rates r;
    ness_diags *const diags = ness_diags_create();
    const int32_t n = 2 + (int32_t)(rng_double(&rng) * (N_MAX - 2));
    chain_by_chance(&rng, n, false, &q, &d);
    int kind = round % 3;
    const export_states states = {kind == 2 ? "x,y" : kind ? NULL : "x", name_of, &kind};
    const char *const tra = in_folder("a.tra"), *const mtx = in_folder("a.mtx");
    CHECK(export_chain(&q, EXPORT_TRA, tra, &states, true, diags) == NESS_OK);
    CHECK(export_chain(&q, export_format_of(mtx), mtx, NULL, true, diags) == NESS_OK);
    const ness_status want = dense_count(&d) ? NESS_OK : NESS_MODEL;
    CHECK(import_read(tra, NULL, 0, diags, &r) == want);
    if (want == NESS_OK) {
      char name[32], room[16];
      CHECK(same_rates(&r, &d));
      const int32_t s = n / 2;
      if (kind == 0) snprintf(name, sizeof name, "x[%d]", 2 * s);
      else if (kind == 1) snprintf(name, sizeof name, "C%d", s);
      else snprintf(name, sizeof name, "(%d,%d)", s / 3, s % 3);
      CHECK_STR(import_state_name(&r, s, room), name);
      CHECK(import_state_find(&r, name, strlen(name)) == s);
    }
    import_rates_free(&r);
    CHECK(import_read(mtx, NULL, 0, diags, &r) == want);
    CHECK(want != NESS_OK || same_rates(&r, &d));
    CHECK(ness_diags_count(diags, NULL) == (want == NESS_OK ? 0 : 2)); /* no word about the diagonal */
    import_rates_free(&r);
    ness_diags_free(diags);
    chain_free(&q);
  }
  CHECK(unlink(in_folder("a.tra")) == 0 && unlink(in_folder("a.sta")) == 0 && unlink(in_folder("a.mtx")) == 0);
}

/* --- PETSc, read as its manual says --- */

static uint64_t big(const unsigned char **p, int bytes)
{
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value = value << 8 | *(*p)++;
  return value;
}

static void test_petsc(void)
{
  static unsigned char file[65536];
  static dense d;
  rng_stream rng;
  rng_init(&rng, 8, 0, 0);
  for (int round = 0; round < 20; round++) {
    chain q;
    const int32_t n = 2 + (int32_t)(rng_double(&rng) * (N_MAX - 2));
    const bool exits = round % 2;
    chain_by_chance(&rng, n, exits, &q, &d);
    const char *const path = in_folder("a.petsc");
    CHECK(export_chain(&q, export_format_of(path), path, NULL, true, NULL) == NESS_OK);
    FILE *const in = fopen(path, "rb");
    const size_t bytes = in ? fread(file, 1, sizeof file, in) : 0;
    if (in) fclose(in);
    const unsigned char *p = file;
    const int64_t count = dense_count(&d) + n;
    CHECK(bytes == (size_t)(16 + 4 * n + 12 * count));
    CHECK(big(&p, 4) == 1211216 && big(&p, 4) == (uint64_t)n && big(&p, 4) == (uint64_t)n);
    CHECK(big(&p, 4) == (uint64_t)count);
    const unsigned char *lengths = p, *columns = p + 4 * n, *values = columns + 4 * count;
    bool same = true;
    for (int32_t i = 0; i < n; i++) {
      double out = exits ? q.exit[i] : 0, row[N_MAX];
      memcpy(row, d.k[i], sizeof row);
      for (int32_t j = 0; j < n; j++) out += row[j];
      row[i] = -out;
      int64_t last = -1;
      for (uint64_t k = big(&lengths, 4); k > 0; k--) {
        const int64_t j = (int64_t)big(&columns, 4);
        const uint64_t bits = big(&values, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        same = same && j > last && j < n && value == row[j];
        if (j < n) row[j] = 0;
        last = j;
      }
      for (int32_t j = 0; j < n; j++) same = same && row[j] == 0; /* none is left out */
    }
    CHECK(same);
    chain_free(&q);
  }
  unlink(in_folder("a.petsc"));
}

/* --- every format --- */

static void check_three(const import_rates *r, bool narrow)
{
  static const int32_t from[] = {0, 0, 1, 2, 2}, to[] = {1, 2, 0, 0, 1};
  CHECK(r->n == 3 && r->count == 5);
  for (int64_t e = 0; e < 5 && e < r->count; e++) {
    const double want = three[from[e]][to[e]];
    CHECK(r->rate[e].from == from[e] && r->rate[e].to == to[e]);
    CHECK(r->rate[e].rate == (narrow ? (double)(float)want : want));
  }
}

static void test_formats(void)
{
  static const struct {
    const char *name, *text;
  } texts[] = {
      {"a.csv", "-3.5,1.5,2\n0.1,-0.1,0\n4e-7,1e9,0\n"},
      {"a.CSV", "\xEF\xBB\xBF# made by hand\r\n\"C\";O;\"I;1\"\r\n\r\n-3.5; 1.5 ;2\r\n.1;-.1;0\r\n4E-7;+1e+9;0"},
      {"a.csv", ",a,\"b\"\"\",c\na,-3.5,1.5,2\n\"b\"\"\",0.1,-0.1,0\nc,4e-7,1e9,0\n"},
      {"a.csv", "-3.5e0 1.5  2\n 0.1 -1e-1 0 \n4e-7\t1e9 0.0\n"},
      {"a.csv", "-3.5\t1.5\t2\n0.1\t-0.1\t0\n4e-7\t1e9\t0\n"},
      {"a.csv", "from,to,rate\n7,100,2\n7,12,1.5\n12,7,0.1\n100,12,1000000000\n100,100,5\n100,7,4e-7\n12,100,0\n"},
      {"a.csv", "From, To, Rate\na,\"b\",1.5\nb,a,0.1\na,c,2\nc,b,1e9\nc,a,4e-7\n"},
      {"a.tra", "3 6\n0 1 1.5\n0 2 2\n1 0 0.1\n2 1 1e9 hop\n2 2 7\n2 0 0.0000004\n"},
      {"a.tra", "# PRISM\nctmc\n\n3 5\n2 0 4e-7\n2 1 1e9\n1 0 0.1\n0 2 2\n0 1 1.5"},
      {"a.tra", "ctmc 3 5\n2 0 4e-7\n0 1 1.5\n2 1 1e9\n1 0 0.1\n0 2 2\n"},
      {"a.mtx",
       "%%MatrixMarket matrix coordinate real general\n% c\n3 3 7\n1 1 -3.5\n2 2 -0.1\n3 2 1e9\n1 2 1.5\n1 3 2\n"
       "2 1 .1\n3 1 4e-7\n"},
      {"a.mtx", "%%matrixmarket MATRIX coordinate Real general\n3 3 5\n3 2 1e9\n1 2 1.5\n1 3 2\n2 1 .1\n3 1 4e-7\n"},
  };
  import_rates r;
  char room[16];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ness_diags *const diags = ness_diags_create();
    CHECK(import_read(texts[i].name, texts[i].text, strlen(texts[i].text), diags, &r) == NESS_OK);
    if (r.count != 5) fprintf(stderr, "%zu: %s\n", i, first_message(diags));
    check_three(&r, false);
    if (i == 1) CHECK_STR(import_state_name(&r, 2, room), "I;1");
    if (i == 2) CHECK_STR(import_state_name(&r, 1, room), "b\"");
    if (i == 5) CHECK_STR(import_state_name(&r, 2, room), "s100");
    if (i == 6) CHECK_STR(import_state_name(&r, 1, room), "b");
    if (i == 7) CHECK_STR(import_state_name(&r, 1, room), "s1");
    import_rates_free(&r);
    ness_diags_free(diags);
  }
  for (int i = 0; i < 12; i++) {
    ness_diags *const diags = ness_diags_create();
    const npy_file f = npy_three(1 + i / 4, i % 2, i / 2 % 2);
    CHECK(import_read("a.npy", f.bytes, f.length, diags, &r) == NESS_OK);
    check_three(&r, i % 2);
    CHECK(ness_diags_count(diags, NULL) == 1 && strstr(first_message(diags), "diagonal")); /* row 2 has none */
    import_rates_free(&r);
    ness_diags_free(diags);
  }
}

/* Numbers: the reader against strtod on what people and programs write. */
static void test_numbers(void)
{
  rng_stream rng;
  rng_init(&rng, 9, 0, 0);
  char line[256];
  import_rates r;
  for (int i = 0; i < 20000; i++) {
    char number[64];
    const double x = any_rate(&rng);
    const int digits = 1 + (int)(rng_double(&rng) * 25);
    snprintf(number, sizeof number,
             i % 3 == 0   ? "%.*e"
             : i % 3 == 1 ? "%.*g"
                          : "%.*g",
             digits, i % 3 == 2 ? rng_double(&rng) : x);
    const int length = snprintf(line, sizeof line, "2 1\n0 1 %s\n", number);
    CHECK(import_read("a.tra", line, (size_t)length, NULL, &r) == NESS_OK && r.rate[0].rate == strtod(number, NULL));
    import_rates_free(&r);
  }
  static const char *const odd[] = {"9007199254740993",
                                    "0.1e-22",
                                    "1e22",
                                    "1e23",
                                    "00000000000000000000000000001",
                                    "0.00000000000000000000000000001",
                                    "123456789012345678901234567890e-20",
                                    "5e-324",
                                    "1.7976931348623157e308",
                                    "4.9406564584124654e-324",
                                    "1.",
                                    ".5",
                                    "1e0",
                                    "1E+2"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    const int length = snprintf(line, sizeof line, "2 1\n0 1 %s\n", odd[i]);
    CHECK(import_read("a.tra", line, (size_t)length, NULL, &r) == NESS_OK && r.rate[0].rate == strtod(odd[i], NULL));
    import_rates_free(&r);
  }
}

/* --- networks --- */

static ness_network *network_of(const char *name, const char *text, const char *setting)
{
  ness_diags *const diags = ness_diags_create();
  ness_network *net = NULL;
  if (import_load(name, text, strlen(text), &setting, setting != NULL, diags, &net))
    fprintf(stderr, "%s: %s\n", name, first_message(diags));
  ness_diags_free(diags);
  if (!net) exit(2);
  return net;
}

static void test_network(void)
{
  ness_network *net =
      network_of("dir/my rates.tra", "3 8\n0 1 2\n0 1 3\n0 2 1\n1 0 5\n1 0 7\n1 0 11\n2 1 4\n0 0 9\n", "start = 2");
  static const char *const names[] = {"s0.s1", "s0.s1[2]", "s0.s2", "s1.s0[3]", "s2.s1"};
  static const char *const texts[] = {"s0 <-> s1", "s0 <-> s1", "s0 -> s2", "s1 -> s0", "s2 -> s1"};
  static const double forward[] = {2, 3, 1, 11, 4}, backward[] = {5, 7, 0, 0, 0};
  static const int32_t line[] = {2, 3, 4, 7, 8};
  CHECK_STR(net->model_name, "my rates");
  CHECK(net->nslot == 3 && net->nstep == 5 && net->nfamily == 1 && net->family_copies[0] == 1);
  CHECK(net->slot_start[0] == 0 && net->slot_start[1] == 0 && net->slot_start[2] == 1);
  CHECK(net->one_way_steps == 3);
  for (int32_t s = 0; s < 5 && net->nstep == 5; s++) {
    CHECK_STR(network_text(net, net->step_name[s]), names[s]);
    CHECK_STR(network_text(net, net->step_text[s]), texts[s]);
    CHECK(net->dir_k[2 * s] == forward[s] && net->dir_k[2 * s + 1] == backward[s] && net->step_line[s] == line[s]);
  }
  CHECK_NEAR(net->slot_g[1], -log(2.0 / 5), 1e-15); /* the first pair says it; the second one disagrees */
  CHECK(net->slot_g[2] == 0);
  network_free(net);
}

/* Lists by chance: the steps of a pair of states against what counting says. */
static void test_pairs(void)
{
  rng_stream rng;
  rng_init(&rng, 11, 0, 0);
  for (int round = 0; round < 300; round++) {
    int32_t count[6][6] = {{0}}, met[6][6] = {{0}};
    double rate[6][6][40];
    const int32_t n = 2 + (int32_t)(rng_double(&rng) * 5), entries = 1 + (int32_t)(rng_double(&rng) * 30);
    text_buffer tra = {0};
    text_add(&tra, "%d %d\n0 1 9\n", n, entries + 1);
    rate[0][1][count[0][1]++] = 9;
    for (int32_t e = 0; e < entries; e++) {
      const int32_t i = (int32_t)(rng_double(&rng) * n), j = (int32_t)(rng_double(&rng) * n);
      text_add(&tra, "%d %d %d\n", i, j, e + 10);
      rate[i][j][count[i][j]++] = e + 10;
    }
    ness_network *const net = network_of("m.tra", tra.data, NULL);
    int32_t steps = 0;
    for (int32_t i = 0; i < n; i++)
      for (int32_t j = i + 1; j < n; j++) steps += count[i][j] > count[j][i] ? count[i][j] : count[j][i];
    CHECK(net->nstep == steps);
    for (int32_t s = 0; s < net->nstep; s++) {
      const bool up = net->change_by[net->change_start[s]] < 0; /* the lower state is left */
      const int32_t low = net->change_slot[net->change_start[s]], high = net->change_slot[net->change_start[s] + 1];
      const int32_t i = up ? low : high, j = up ? high : low;
      const bool both = net->dir_law[2 * s + 1] == LAW_MASS;
      CHECK(!both || i < j);
      if (!both && met[i][j] < count[j][i]) met[i][j] = count[j][i]; /* those before went with a way back */
      CHECK(net->dir_law[2 * s] == LAW_MASS && net->dir_k[2 * s] == rate[i][j][met[i][j]]);
      CHECK(!both || net->dir_k[2 * s + 1] == rate[j][i][met[i][j]]);
      CHECK(both == (met[i][j] < count[j][i]));
      met[i][j]++;
    }
    network_free(net);
    text_clear(&tra);
  }
}

/* Energies by chance, rates in balance with them, some pairs left out. */
static void test_balance(void)
{
  rng_stream rng;
  rng_init(&rng, 10, 0, 0);
  for (int round = 0; round < 30; round++) {
    const int32_t n = 2 + (int32_t)(rng_double(&rng) * 12);
    double g[16];
    text_buffer tra = {0}, ness = {0}, list = {0};
    int32_t entries = 0, line = 0;
    const bool driven = round % 2;
    for (int32_t i = 0; i < n; i++) g[i] = i ? 10 * (rng_double(&rng) - 0.5) : 0;
    text_add(&ness, "model m\nunits natural\nprotein chain {\n");
    for (int32_t i = 0; i < n; i++) text_add(&ness, "  state s%d\n", i);
    text_add(&ness, "}\n");
    for (int32_t i = 0; i < n; i++) {
      for (int32_t j = i + 1; j < n; j++) {
        if (j != i + 1 && rng_double(&rng) < 0.5) continue; /* a line through all states, and chords */
        const double speed = exp(6 * (rng_double(&rng) - 0.5)), noise = driven ? exp(rng_double(&rng)) : 1;
        const double there = speed * exp(g[i] / 2 - g[j] / 2), back = speed * noise * exp(g[j] / 2 - g[i] / 2);
        text_add(&list, "%d %d %.17g\n%d %d %.17g\n", i, j, there, j, i, back);
        text_add(&ness, "r%d: s%d <-> s%d @ %.17g, %.17g\n", ++line, i, j, there, back);
        entries += 2;
      }
    }
    text_add(&tra, "%d %d\n%s", n, entries, list.data);
    ness_network *const net = network_of("m.tra", tra.data, NULL);
    lang_file *file = NULL;
    lang_model *model = NULL;
    CHECK(lang_parse("m.ness", ness.data, ness.length, NULL, &file) == NESS_OK);
    CHECK(lang_compile(file, NULL, 0, NULL, &model) == NESS_OK);
    const ness_network *const other = lang_network(model);
    CHECK(net->nslot == other->nslot && net->nstep == other->nstep);
    for (int32_t i = 0; i < n; i++) {
      CHECK_NEAR(net->slot_g[i], other->slot_g[i], 1e-12); /* energies left open, as the language fixes them */
      CHECK(net->slot_start[i] == other->slot_start[i]);
      if (!driven) CHECK_NEAR(net->slot_g[i], g[i], 1e-11);
    }
    for (int32_t s = 0; s < net->nstep; s++) {
      CHECK(memcmp(&net->step_lnk[s], &other->step_lnk[s], sizeof(double)) == 0);
      CHECK(net->dir_k[2 * s] == other->dir_k[2 * s] && net->dir_k[2 * s + 1] == other->dir_k[2 * s + 1]);
      double work = 0;
      for (int32_t w = net->work_start[s]; w < net->work_start[s + 1]; w++) work += net->work_kt[w];
      if (!driven) CHECK_NEAR(work, 0, 1e-11); /* nothing drives it */
    }
    thermo_report report;
    CHECK(thermo_check(net, NULL, INFINITY, &report) == NESS_OK);
    if (!driven) CHECK(report.worst_affinity < 1e-11);
    else CHECK(report.cycles.count == 0 || report.worst_affinity > 1e-4); /* by chance below: 1e-3 over all rounds */
    thermo_report_free(&report);
    lang_model_free(model);
    lang_file_free(file);
    network_free(net);
    text_clear(&tra);
    text_clear(&ness);
    text_clear(&list);
  }
}

int main(void)
{
  if (!mkdtemp(folder)) return 2;
  test_round_trips();
  test_petsc();
  test_formats();
  test_numbers();
  test_network();
  test_pairs();
  test_balance();
  CHECK(files_in_folder() == 0);
  rmdir(folder);
  return check_done();
}
