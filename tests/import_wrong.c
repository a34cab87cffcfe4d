/* What can go wrong: every broken file of rates is met with its own message, line and column, or byte; settings that
 * say nothing are refused; a file appears whole or not at all, whatever was there, on a full disk, and when memory runs
 * out at any allocation. */
#include "engine/file/file.h"
#include "import_sample.h"

static void test_settings(void)
{
  static const struct {
    const char *setting, *message;
    int32_t start;
  } cases[] = {{"start=O", NULL, 1},
               {" start = 2 ", NULL, 2},
               {"start=C", NULL, 0},
               {"start=3", "no state has the name or number '3'", 0},
               {"start=", "no state has the name or number ''", 0},
               {"V=2", "a file of rates has no value V", 0},
               {"start", "a file of rates has no value start", 0}};
  static const char *const text = "C,O,I\n0,1,0\n0,0,2\n3,0,0\n";
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_diags *const diags = ness_diags_create();
    ness_network *net = NULL;
    const ness_status status = import_load("m.csv", text, strlen(text), &cases[i].setting, 1, diags, &net);
    CHECK(status == (cases[i].message ? NESS_USAGE : NESS_OK) && (status == NESS_OK) == (net != NULL));
    if (net) CHECK(net->slot_start[cases[i].start] == 1);
    if (cases[i].message) CHECK_STR(first_message(diags), cases[i].message);
    network_free(net);
    ness_diags_free(diags);
  }
}

/* --- what is wrong --- */

typedef struct wrong {
  const char *name, *text, *message;
  int32_t line, column;
} wrong;

static const wrong wrongs[] = {
    {"a.tra", "", "the file is empty", 0, 0},
    {"a.tra", "# only\n", "expected the numbers of states and of transitions", 1, 0},
    {"a.tra", "dtmc\n2 1\n0 1 1\n", "this is a dtmc, expected a chain in continuous time (ctmc)", 1, 1},
    {"a.tra", "2 1 1\n0 0 1 1\n", "expected two numbers, states and transitions", 1, 5},
    {"a.tra", "2\n0 1 1\n", "expected the number of transitions, found the end of the line", 1, 0},
    {"a.tra", "-2 1\n0 1 1\n", "expected the number of states, found '-2'", 1, 1},
    {"a.tra", "0 1\n0 1 1\n", "the number of states is 0, expected 1 to 9223372036854775807", 1, 1},
    {"a.tra", "2 1000000000000000000\n0 1 1\n", "expected the number of transitions, found '1000000000000000000'", 1,
     3},
    {"a.tra", "2 100000000000000000\n0 1 1\n", "100000000000000000 rates are too many: at most 268435456", 1, 0},
    {"a.tra", "2 100000\n0 1 1\n", "a file of 15 bytes cannot hold 100000 rates", 1, 1},
    {"a.tra", "200000000 1\n0 1 1\n", "a file of 18 bytes cannot hold 200000000 states", 1, 1},
    {"a.tra", "2 2\n0 1 1\n", "the first line promises 2 transitions, the file has 1", 2, 0},
    {"a.tra", "2 1\n0 1 1\n1 0 2\n", "the first line promises 1 transitions, the file has 2", 3, 0},
    {"a.tra", "2 1\n0 2 1\n", "the state a transition leads to is 2, expected 0 to 1", 2, 3},
    {"a.tra", "2 1\n5 1 1\n", "the state a transition leaves is 5, expected 0 to 1", 2, 1},
    {"a.tra", "2 1\n-1 1 1\n", "expected the state a transition leaves, found '-1'", 2, 1},
    {"a.tra", "2 1\n0 1\n", "expected a rate, found the end of the line", 2, 0},
    {"a.tra", "2 1\n0\n", "expected the state a transition leads to, found the end of the line", 2, 0},
    {"a.tra", "2 1\n0 1 fast\n", "expected a rate, found 'fast'", 2, 5},
    {"a.tra", "2 1\n0 1 0x1p3\n", "expected a rate, found '0x1p3'", 2, 5},
    {"a.tra", "2 1\n0 1 1e\n", "expected a rate, found '1e'", 2, 5},
    {"a.tra", "2 1\n0 1 1 a b\n", "expected the end of the line, found 'b'", 2, 9},
    {"a.tra", "2 1\n0 1 -1\n", "the rate from s0 to s1 is -1, expected a finite number that is not negative", 2, 5},
    {"a.tra", "2 1\n0 1 nan\n", "the rate from s0 to s1 is nan, expected a finite number", 2, 5},
    {"a.tra", "2 1\n0 1 1e999\n", "the rate from s0 to s1 is inf, expected a finite number", 2, 5},
    {"a.tra", "2 1\n0 0 -1\n", "the rate from s0 to s0 is -1, expected a finite number that is not negative", 2, 5},
    {"a.tra", "2 1\n0 1 0\n", "there is no rate", 0, 0},
    {"a.tra", "1 1\n0 0 2\n", "there is no rate", 0, 0},
    {"a.mtx", "2 2 1\n1 2 1\n", "expected '%%MatrixMarket' in %%MatrixMarket matrix coordinate real general, found '2'",
     1, 1},
    {"a.mtx", "%%MatrixMarket matrix array real general\n1 1\n0\n",
     "expected 'coordinate' in %%MatrixMarket matrix coordinate real general, found 'array'", 1, 23},
    {"a.mtx", "%%MatrixMarket matrix coordinate complex general\n",
     "expected 'real' in %%MatrixMarket matrix coordinate real general, found 'complex'", 1, 34},
    {"a.mtx", "%%MatrixMarket matrix coordinate real symmetric\n",
     "expected 'general' in %%MatrixMarket matrix coordinate real general, found 'symmetric'", 1, 39},
    {"a.mtx", "%%MatrixMarket matrix coordinate real\n",
     "expected 'general' in %%MatrixMarket matrix coordinate real general, found ''", 1, 38},
    {"a.mtx", MTX "% none\n", "expected the numbers of rows, columns and entries", 2, 0},
    {"a.mtx", MTX "2 3 1\n1 2 1\n", "a rate matrix is square, this one has 2 rows and 3 columns", 2, 3},
    {"a.mtx", MTX "2 2 1 4\n1 2 1\n", "expected three numbers, rows, columns and entries", 2, 7},
    {"a.mtx", MTX "2 2 1\n0 2 1\n", "the row is 0, expected 1 to 2", 3, 1},
    {"a.mtx", MTX "2 2 1\n1 3 1\n", "the column is 3, expected 1 to 2", 3, 3},
    {"a.mtx", MTX "2 2 1\n1 2\n", "expected a value, found the end of the line", 3, 0},
    {"a.mtx", MTX "2 2 1\n1 2 x\n", "expected a value, found 'x'", 3, 5},
    {"a.mtx", MTX "2 2 1\n1 2 1 1\n", "expected the end of the line, found '1'", 3, 7},
    {"a.mtx", MTX "2 2 2\n1 2 1\n", "the header promises 2 entries, the file has 1", 3, 0},
    {"a.mtx", MTX "2 2 1\n1 2 -1\n", "the rate from s0 to s1 is -1, expected a finite number that is not negative", 3,
     5},
    {"a.mtx", MTX "2 2 3\n1 2 1\n2 1 1\n1 2 3\n", "the rate from s0 to s1 is given a second time, first in line 3", 5,
     0},
    {"a.mtx", MTX "2 2 4\n1 1 -1\n1 2 2\n2 1 1\n2 2 -2\n",
     "the columns of the matrix sum to zero, not its rows: the diagonal of s0 is -1, but its row has 2", 0, 0},
    {"a.csv", "# none\n", "expected a table, found none", 1, 0},
    {"a.csv", "0,1\n1\n", "row 2 has 1 values, expected 2", 2, 0},
    {"a.csv", "0,1\n1,0,3\n", "row 2 has more than 2 values", 2, 5},
    {"a.csv", "0,1\n1,x\n", "expected a number, found 'x'", 2, 3},
    {"a.csv", "0,1\n1,\n", "expected a number, found ''", 2, 3},
    {"a.csv", "0,1\n", "a rate matrix is square, this one has 1 rows and 2 columns", 1, 0},
    {"a.csv", "0,1\n1,0\n2,2\n", "a rate matrix is square: expected the end of the file behind 2 rows of 2 values", 3,
     0},
    {"a.csv", "0,1,2\n1,0,x3\n", "expected a number, found 'x3'", 2, 5},
    {"a.csv", "0,1y\n1,0\n", "expected a number, found '1y'", 1, 3},
    {"a.csv", "a,a\n0,1\n1,0\n", "the name 'a' is taken by state 0", 1, 3},
    {"a.csv", "a,b,\n0,1\n1,0\n", "expected a number, found 'a'", 1, 1},
    {"a.csv", ",a,b\na,0,1\nc,1,0\n", "expected the row of 'b', found 'c'", 3, 1},
    {"a.csv", ",\n", "expected the name of a state", 1, 2},
    {"a.csv", "\"a\",\"b\n0,1\n1,0\n", "the quote is not closed on this line", 1, 6},
    {"a.csv", "\"a\"x,b\n0,1\n1,0\n", "expected ',' behind the quote", 1, 4},
    {"a.csv", "a,b\n0,-1\n1,0\n", "the rate from a to b is -1, expected a finite number that is not negative", 2, 3},
    {"a.csv", "0,inf\n1,0\n", "the rate from s0 to s1 is inf, expected a finite number", 1, 3},
    {"a.csv", "\"C\";O;rea\"I;1\"\n-3;1;2\n1;-1;0\n4;0;0", "row 1 has 3 values, expected 4", 2, 0},
    {"a.csv", "from,to,rate\na,b\n", "expected three values: from, to, rate", 2, 0},
    {"a.csv", "from,to,rate\na,b,1,2\n", "expected the end of the line, found '2'", 2, 7},
    {"a.csv", "from,to,rate\n,b,1\n", "expected the name of a state", 2, 1},
    {"a.csv", "from,to,rate\na,b,c\n", "expected a rate, found 'c'", 2, 5},
    {"a.csv", "from,to,rate\n", "there is no rate", 0, 0},
    {"a.csv", "from,to,rate\na\x01,b,1\n", "the name 'a?' holds a control character", 2, 1},
    {"a.txt", "0,1\n1,0\n", "a.txt is no file of rates", 0, 0},
};

static void check_wrong(const char *name, const void *text, size_t length, ness_status want, const char *message,
                        int32_t line, int32_t column)
{
  ness_diags *const diags = ness_diags_create();
  import_rates r;
  const ness_status status = import_read(name, text, length, diags, &r);
  CHECK(status == want && r.rate == NULL && r.names.text == NULL);
  CHECK_STR(first_message(diags), message);
  if (ness_diags_count(diags, NULL) > 0) {
    const ness_diag *const d = ness_diags_get(diags, 0);
    if (d->line != line || d->column != column)
      fprintf(stderr, "  %s: at %d:%d, expected %d:%d\n", message, d->line, d->column, line, column);
    CHECK(d->line == line && d->column == column);
    CHECK(want == NESS_USAGE || (d->file && strcmp(d->file, name) == 0));
  }
  ness_diags_free(diags);
}

static void test_wrong(void)
{
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    const wrong *const w = &wrongs[i];
    const ness_status want = strcmp(w->name, "a.txt") == 0    ? NESS_USAGE
                             : strstr(w->message, "too many") ? NESS_LIMIT
                                                              : NESS_MODEL;
    check_wrong(w->name, w->text, strlen(w->text), want, w->message, w->line, w->column);
  }
  /* Many mistakes: twenty are shown, and the reading ends. */
  text_buffer many = {0};
  text_add(&many, "2 100000\n");
  for (int i = 0; i < 100000; i++) text_add(&many, "0 1 x\n");
  ness_diags *const diags = ness_diags_create();
  import_rates r;
  CHECK(import_read("a.tra", many.data, many.length, diags, &r) == NESS_MODEL);
  CHECK(ness_diags_count(diags, NULL) == 20 && ness_diags_get(diags, 19)->line == 21);
  ness_diags_free(diags);
  text_clear(&many);
  /* Zero bytes are bytes like others. */
  check_wrong("a.csv", "0\0,1\n1,0\n", 9, NESS_MODEL, "expected a number, found '0?'", 1, 1);
  check_wrong("a.mtx", "\0\n", 2, NESS_MODEL,
              "expected '%%MatrixMarket' in %%MatrixMarket matrix coordinate real general, found '?'", 1, 1);
  check_wrong("a.tra", "2 1\n0 1\0 1\n", 12, NESS_MODEL, "expected the state a transition leads to, found '1?'", 2, 3);
}

static void test_wrong_npy(void)
{
  static const struct {
    const char *header, *message;
  } cases[] = {
      {"", "byte 10: expected a dictionary, as {'descr': '<f8', ...}"},
      {"{", "byte 11: expected 'descr', 'fortran_order' or 'shape', each once"},
      {"{'descr' '<f8'}", "byte 19: expected ':'"},
      {"{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2)}",
       "byte 20: elements of type '>f8', expected '<f8' or '<f4'"},
      {"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2)}",
       "byte 20: elements of type '<i8', expected '<f8' or '<f4'"},
      {"{'descr': [('a', '<f8')], 'shape': (2, 2)}", "byte 20: expected the type of one number, as '<f8'"},
      {"{'descr': '<f8", "byte 20: expected the type of one number, as '<f8'"},
      {"{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 2)}", "byte 44: expected True or False for fortran_order"},
      {"{'descr': '<f8', 'fortran_order': False}", "byte 50: descr, fortran_order or shape is missing"},
      {"{'descr': '<f8', 'descr': '<f8'}", "byte 27: expected 'descr', 'fortran_order' or 'shape', each once"},
      {"{'shape': (2, 3)}", "byte 20: a rate matrix is square, this one has 2 rows and 3 columns"},
      {"{'shape': (4,)}", "byte 20: 1 dimensions, expected 2"},
      {"{'shape': ()}", "byte 20: 0 dimensions, expected 2"},
      {"{'shape': (2, 2, 2)}", "byte 20: 3 dimensions, expected 2"},
      {"{'shape': (0, 0)}", "byte 20: a chain needs a state, the matrix has none"},
      {"{'shape': (-2, -2)}", "byte 21: expected a length of at most 18 digits in the shape"},
      {"{'shape': (1000000000000000000000, 2)}", "byte 43: expected a length of at most 18 digits in the shape"},
      {"{'shape': (2 2)}", "byte 23: expected ',' or ')' in the shape"},
      {"{'shape': 2}", "byte 20: expected a shape, as (3, 3)"},
      {"{'descr': '<f8' 'fortran_order': False}", "byte 26: expected ',' or '}'"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)} x", "byte 68: expected the end of the header"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}",
       "byte 85: 0 bytes of elements, expected 1000000000 x 1000000000 of 8 bytes each"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000000000, 100000000000000000)}",
       "byte 101: 0 bytes of elements, expected 100000000000000000 x 100000000000000000 of 8 bytes each"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
       "byte 85: 0 bytes of elements, expected 4294967296 x 4294967296 of 8 bytes each"},
  };
  npy_file f;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    npy_begin(&f, 1, cases[i].header);
    check_wrong("a.npy", f.bytes, f.length, NESS_MODEL, cases[i].message, 0, 0);
  }
  const npy_file good = npy_three(1, false, false);
  check_wrong("a.npy", good.bytes, 5, NESS_MODEL, "this is no file of numpy.save: it does not begin with \\x93NUMPY", 0,
              0);
  check_wrong("a.npy", good.bytes, 9, NESS_MODEL, "byte 8: a header of 0 bytes in a file of 9 bytes", 0, 0);
  check_wrong("a.npy", good.bytes, good.length - 1, NESS_MODEL,
              "byte 73: 71 bytes of elements, expected 3 x 3 of 8 bytes each", 0, 0);
  f = good;
  f.bytes[f.length++] = 0;
  check_wrong("a.npy", f.bytes, f.length, NESS_MODEL, "byte 73: 73 bytes of elements, expected 3 x 3 of 8 bytes each",
              0, 0);
  f = good;
  f.bytes[6] = 4;
  check_wrong("a.npy", f.bytes, f.length, NESS_MODEL, "byte 6: version 4.0 of the format, expected 1.0, 2.0 or 3.0", 0,
              0);
  f = good;
  f.bytes[9] = 0xff;
  check_wrong("a.npy", f.bytes, f.length, NESS_MODEL, "byte 8: a header of 65343 bytes in a file of 145 bytes", 0, 0);
  f = npy_three(2, false, false);
  f.bytes[11] = 0xff;
  check_wrong("a.npy", f.bytes, f.length, NESS_MODEL, "byte 8: a header of 4278190143 bytes in a file of 147 bytes", 0,
              0);
  f = good;
  f.bytes[73 + 5 * 8 + 7] = f.bytes[73 + 5 * 8 + 6] = 0xff; /* the sixth element becomes no number */
  check_wrong("a.npy", f.bytes, f.length, NESS_MODEL,
              "byte 113: the rate from s1 to s2 is nan, expected a finite number", 0, 0);
}

static void test_states(void)
{
  static const struct {
    const char *sta, *message;
    int32_t line;
  } cases[] = {{"", "the file is empty", 0},
               {"x,y\n0:(0,1)\n1:(0,2)\n", "expected values in parentheses, as (0,1)", 1},
               {"()\n0:(0)\n1:(1)\n", "expected the name of a variable", 1},
               {"(x,y)\n0:(0,1)\n", "expected 2 states, as the .tra has, found 1", 2},
               {"(x,y)\n0:(0,1)\n1:(0,2)\n2:(1,1)\n", "expected the end of the file: the .tra has 2 states", 4},
               {"(x,y)\n1:(0,1)\n", "expected '0:' and the values of that state", 2},
               {"(x,y)\n0:(0,1)\n1 (0,1)\n", "expected '1:' and the values of that state", 3},
               {"(x,y)\n0:(0,1)\n1:(0,1)\n", "the name '(0,1)' is taken by state 0", 3},
               {"(x)\n0:(3)\n1:3\n", "expected values in parentheses, as (0,1)", 3},
               {"(x)\n0:(3)\n1:(3)\n", "the name 'x[3]' is taken by state 0", 3}};
  const char *const tra = in_folder("b.tra"), *const sta = in_folder("b.sta");
  write_bytes(tra, "2 1\n0 1 1\n", 10);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ness_diags *const diags = ness_diags_create();
    import_rates r;
    write_bytes(sta, cases[i].sta, strlen(cases[i].sta));
    CHECK(import_read(tra, NULL, 0, diags, &r) == NESS_MODEL && !r.rate);
    CHECK_STR(first_message(diags), cases[i].message);
    if (ness_diags_count(diags, NULL)) {
      CHECK(ness_diags_get(diags, 0)->line == cases[i].line);
      CHECK_STR(ness_diags_get(diags, 0)->file, sta);
    }
    ness_diags_free(diags);
  }
  unlink(tra);
  unlink(sta);
}

static void test_unreadable(void)
{
  ness_diags *diags = ness_diags_create();
  import_rates r;
  char message[256];
  const char *const gone = in_folder("gone.tra"), *const dir = in_folder("dir.csv");
  CHECK(import_read(gone, NULL, 0, diags, &r) == NESS_IO);
  snprintf(message, sizeof message, "cannot open %s: No such file or directory", gone);
  CHECK_STR(first_message(diags), message);
  ness_diags_free(diags);
  diags = ness_diags_create();
  CHECK(mkdir(dir, 0777) == 0 && import_read(dir, NULL, 0, diags, &r) == NESS_IO);
  snprintf(message, sizeof message, "%s is a folder", dir);
  CHECK_STR(first_message(diags), message);
  rmdir(dir);
  ness_diags_free(diags);
  CHECK(import_knows("a.tra") && import_knows("/x/b.NPY") && import_knows("c.d.mtx") && !import_knows(".csv"));
  CHECK(!import_knows("a.ness") && !import_knows("tra") && !import_knows(""));
}

/* States that no rate leads to or from. */
static void test_lonely(void)
{
  chain q;
  import_rates r;
  if (chain_create(60000, 1, false, &q)) exit(2);
  for (int32_t i = 0; i < q.n; i++) q.start[i + 1] = i >= 30;
  q.to[0] = 7;
  q.rate[0] = 2;
  CHECK(export_chain(&q, EXPORT_TRA, in_folder("f.tra"), NULL, false, NULL) == NESS_OK);
  CHECK(import_read(in_folder("f.tra"), NULL, 0, NULL, &r) == NESS_OK && r.n == 60000 && r.count == 1);
  CHECK(r.rate && r.rate[0].from == 30 && r.rate[0].to == 7 && r.rate[0].rate == 2);
  import_rates_free(&r);
  unlink(in_folder("f.tra"));
  chain_free(&q);
}

/* A diagonal that fits nothing is a warning, and the rates count. */
static void test_diagonal(void)
{
  static const char *const text = "-5,1\n2,-2\n", *const single = "-0.33333334,0.33333334\n1e-9,-1e-9\n";
  ness_diags *diags = ness_diags_create();
  import_rates r;
  CHECK(import_read("a.csv", text, strlen(text), diags, &r) == NESS_OK && r.count == 2);
  CHECK_STR(first_message(diags), "the diagonal of s0 is -5, but the rates out of it sum to 1");
  CHECK(ness_diags_get(diags, 0)->severity == NESS_WARNING);
  import_rates_free(&r);
  ness_diags_free(diags);
  diags = ness_diags_create();
  CHECK(import_read("a.csv", single, strlen(single), diags, &r) == NESS_OK && ness_diags_count(diags, NULL) == 0);
  import_rates_free(&r);
  ness_diags_free(diags);
}

static void name_of(void *context, int32_t state, text_buffer *out)
{
  const int *const kind = context;
  if (*kind == 0) text_add(out, "%d", 2 * state);
  else if (*kind == 1) text_add(out, "C%d", state);
  else text_add(out, "%d,%d", state / 3, state % 3);
}

/* --- files that are written --- */

static void small_chain(chain *q, bool exits)
{
  if (chain_create(2, 2, exits, q)) exit(2);
  q->start[1] = 1;
  q->start[2] = 2;
  q->to[0] = 1;
  q->to[1] = 0;
  q->rate[0] = 0.1;
  q->rate[1] = 3;
  if (exits) q->exit[1] = 4;
}

static void check_file(const char *path, const char *want)
{
  char got[512] = "";
  FILE *const in = fopen(path, "rb");
  const size_t length = in ? fread(got, 1, sizeof got - 1, in) : 0;
  if (in) fclose(in);
  got[length] = 0;
  CHECK_STR(got, want);
}

static void test_export_files(void)
{
  chain q, open;
  int kind = 2;
  const export_states states = {"x,y", name_of, &kind};
  const char *const tra = in_folder("c.tra"), *const sta = in_folder("c.sta"), *const mtx = in_folder("c.mtx");
  const char *const link_path = in_folder("l.mtx");
  small_chain(&q, false);
  small_chain(&open, true);
  const int before = files_in_folder();
  CHECK(export_chain(&q, EXPORT_TRA, tra, &states, false, NULL) == NESS_OK);
  check_file(tra, "2 2\n0 1 0.1\n1 0 3\n");
  check_file(sta, "(x,y)\n0:(0,0)\n1:(0,1)\n");
  CHECK(export_chain(&open, EXPORT_MTX, mtx, NULL, false, NULL) == NESS_OK);
  check_file(mtx, MTX "% generator: row i, column j: the rate from state i to state j, 1/s\n2 2 4\n1 1 -0.1\n1 2 0.1\n"
                      "2 1 3\n2 2 -7\n");
  CHECK(files_in_folder() == before + 3); /* nothing else is left */
  /* An existing file stays, unless it may go; so does a .sta in the way of a .tra. */
  ness_diags *diags = ness_diags_create();
  CHECK(export_chain(&q, EXPORT_MTX, mtx, NULL, false, diags) == NESS_USAGE);
  CHECK(strstr(first_message(diags), "exists already"));
  unlink(tra);
  CHECK(export_chain(&q, EXPORT_TRA, tra, &states, false, diags) == NESS_USAGE && access(tra, F_OK) != 0);
  CHECK(export_chain(&q, EXPORT_TRA, tra, &states, true, diags) == NESS_OK);
  CHECK(symlink("c.mtx", link_path) == 0 && export_chain(&q, EXPORT_MTX, link_path, NULL, true, diags) == NESS_OK);
  struct stat info;
  CHECK(lstat(link_path, &info) == 0 && S_ISLNK(info.st_mode)); /* the link stays, what it leads to is new */
  check_file(mtx, MTX "% generator: row i, column j: the rate from state i to state j, 1/s\n2 2 4\n1 1 -0.1\n1 2 0.1\n"
                      "2 1 3\n2 2 -3\n");
  ness_diags_free(diags);
  /* Refused. */
  diags = ness_diags_create();
  CHECK(export_chain(&open, EXPORT_TRA, tra, NULL, true, diags) == NESS_USAGE);
  CHECK_STR(first_message(diags), "a .tra has no place for rates that leave the chain");
  CHECK(export_chain(&q, export_format_of("a.ness"), "a.ness", NULL, true, NULL) == NESS_USAGE);
  CHECK(export_chain(&q, EXPORT_MTX, in_folder("no/where.mtx"), NULL, true, NULL) == NESS_IO);
  CHECK(export_chain(&q, EXPORT_MTX, folder, NULL, true, NULL) == NESS_IO);
  open.rate[1] = open.exit[1] = 1.7e308;
  CHECK(export_chain(&open, EXPORT_MTX, mtx, NULL, true, NULL) == NESS_NUMERIC);
  CHECK(files_in_folder() == before + 4);
  ness_diags_free(diags);
  unlink(tra), unlink(sta), unlink(mtx), unlink(link_path);
  chain_free(&q);
  chain_free(&open);
}

/* A file that comes while another of its name is written stays. */
static void test_race(void)
{
  whole_file f;
  const char *const path = in_folder("r.mtx");
  CHECK(file_begin(&f, path, false, NULL) == NESS_OK);
  file_put(&f, "late", 4);
  CHECK(file_close(&f) == NESS_OK && access(path, F_OK) != 0);
  write_bytes(path, "first", 5);
  CHECK(file_publish(&f) == NESS_USAGE);
  file_end(&f);
  check_file(path, "first");
  unlink(path);
}

static void test_full_disk(void)
{
  chain q;
  small_chain(&q, false);
  if (access("/dev/full", W_OK) == 0) {
    for (export_format f = EXPORT_MTX; f <= EXPORT_PETSC; f++) {
      int kind = 2;
      const export_states states = {"x,y", name_of, &kind};
      ness_diags *const diags = ness_diags_create();
      CHECK(export_chain(&q, f, "/dev/full", &states, true, diags) == NESS_IO);
      CHECK_STR(first_message(diags), "cannot write '/dev/full': No space left on device");
      CHECK(access("/dev/full", F_OK) == 0 && access("/dev/full.sta", F_OK) != 0);
      ness_diags_free(diags);
    }
  }
  CHECK(export_chain(&q, EXPORT_MTX, "/dev/null", NULL, false, NULL) == NESS_OK); /* a device is there to be written */
  chain_free(&q);
}

/* --- memory --- */

static void test_memory(void)
{
  static const char *const names[] = {"d.tra", "d.csv", "d.mtx", "d.npy", "l.csv"};
  static const char *const texts[] = {"3 5\n2 0 4\n2 1 1\n1 0 2\n0 2 2\n0 1 1.5\n", ",a,b\na,-1,1\nb,2,-2\n",
                                      MTX "3 3 3\n3 2 1\n1 2 2\n2 1 4\n", NULL, "from,to,rate\n2,1,3\n1,2,1\n"};
  const npy_file npy = npy_three(1, false, true);
  write_bytes(in_folder("d.sta"), "(x)\n0:(0)\n1:(1)\n2:(2)\n", 22);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s", in_folder(names[i]));
    write_bytes(path, texts[i] ? texts[i] : (const char *)npy.bytes, texts[i] ? strlen(texts[i]) : npy.length);
    bool done = false;
    int64_t after = 0;
    for (; !done && after < 1000; after++) {
      ness_network *net = NULL;
      mem_fail_after(after);
      const ness_status status = import_load(path, NULL, 0, NULL, 0, NULL, &net);
      mem_fail_after(-1);
      done = status == NESS_OK;
      CHECK(status == (done ? NESS_OK : NESS_NOMEM) && done == (net != NULL));
      network_free(net);
    }
    CHECK(done && after > 10);
    unlink(path);
  }
  unlink(in_folder("d.sta"));
  const int before = files_in_folder();
  for (export_format f = EXPORT_MTX; f <= EXPORT_PETSC; f++) {
    bool done = false;
    int kind = 2;
    const export_states states = {"x,y", name_of, &kind};
    int64_t after = 0;
    for (; !done && after < 1000; after++) {
      chain q;
      small_chain(&q, false);
      mem_fail_after(after);
      const ness_status status = export_chain(&q, f, in_folder("e.tra"), &states, false, NULL);
      mem_fail_after(-1);
      done = status == NESS_OK;
      CHECK(status == (done ? NESS_OK : NESS_NOMEM));
      CHECK(files_in_folder() == before + (done ? (f == EXPORT_TRA ? 2 : 1) : 0)); /* all of it or nothing */
      chain_free(&q);
    }
    CHECK(done && after > 3);
    unlink(in_folder("e.tra"));
    unlink(in_folder("e.sta"));
  }
}

int main(void)
{
  if (!mkdtemp(folder)) return 2;
  test_settings();
  test_wrong();
  test_wrong_npy();
  test_states();
  test_unreadable();
  test_lonely();
  test_diagonal();
  test_export_files();
  test_race();
  test_full_disk();
  test_memory();
  CHECK(files_in_folder() == 0);
  rmdir(folder);
  return check_done();
}
