/* Model texts with bytes changed, cut, doubled and swapped: whatever comes, loading ends, a refusal has a diagnostic
 * with a place inside the text, and what loads can be asked. The quick sister of fuzz_model. */
#include "engine/rng/rng.h"
#include "lang_sample.h"
#include "networks/experiment/driven.h"

static const char *const seeds[] = {
    NATURAL
    "param k = 2, n = 3\nspecies A = 5 max 9, X[i in 1..n] = if(i == 1, 4, 0)\nd := 2*A\n"
    "grow: A -> 2 A @@ k*d/(1 + d)\nfor i in 1..2 {\n  hop: X[i] <-> X[i+1] @ 3 +- 0.1, ldb\n}\n"
    "cycle c: hop[1] - hop[1]\nassert 1 + 1 == 2 +- 1e-9\nobserve J = rate(hop[1]) - 2*mean(A)\n"
    "experiment e with k = 3 {\n solve steady\n expect mean(A) ~ 3 +- 1\n scan k = 1:3:1 {\n solve steady\n }\n}\n",
    SI "compartment o reservoir\ncompartment i reservoir potential V # held\nparam V = -60 [mV]\n"
       "ion Na z +1 { o = 140 [mM]\n i = 12 [mM]\n mu0 = 1 kT }\nbath ATP = 4 [mM], mu0 = 12 kT, ADP = 1 [mM]\n"
       "potential ATP -> ADP = -30.5 [kJ/mol]\nprotein P copies 30 {\n state A\n state B energy = 1.5 kT charge -2.5 "
       "at i\n}\n"
       "lattice s[1..4] between o, i field linear holds Na max 1\nenergy Na.s[i] = 2 kT*exp(-(i - 3)^2)\n"
       "h: Na.s[i] <-> Na.s[i+1] @ ldb(k0 = 10 [1/s], form = scharfetter-gummel)\n"
       "g: A + ATP <-> B + ADP @ ldb(k0 = 200 [1/s], split = 0.6)\ncycle through: h[0..4]\n"
       "observe I = current(i), N = netflux(Na.o)\n",
    SI "compartment o reservoir temperature Th\ncompartment i reservoir potential V\n"
       "param V = -60 [mV], k = 3 [1/s], Th = 310 [K]\nion Na z 1 { o = 140 [mM]\n i = 12 [mM] }\nbath F = 2 [mM]\n"
       "protein P copies 3 {\n state A\n state B energy = 1.5 kT charge -2\n}\nspecies X = 4\n"
       "g: A <-> B @ ldb(k0 = 20 [1/s], split = 0.3)\nb: A + Na.o <-> B @ 1e3 [1/M/s], ldb\n"
       "f: A + F <-> B @ ldb(k0 = 5 [1/s], form = heat-bath)\nt: X -> 0 @@ k*X/(1 + X)\n"
       "process V sine(mean = -20 [mV], amplitude = 40 [mV], frequency = 10 [1/s], phase = 0.3)\n"
       "process F telegraph(low = 1 [mM], high = 3 [mM], up = k, down = 2 [1/s], start = 1)\n"
       "process Th markov {\n level a = 290 [K]\n level b = 330 [K]\n level c = 350 [K]\n"
       " a <-> b @ 3 [1/s], 1 [1/s]\n b <-> c @ k, 2 [1/s]\n}\n",
    NATURAL "param u = 0.3, v = 1\nspecies A = 3, B = 0\nr: A <-> B @ exp(u*v), 2\ns: A <-> B @ 1 + v, 1\n"
            "process u square(low = -1, high = 2, period = 3, share = 0.4)\n"
            "process v ou(mean = 2, sd = 0.1, tau = 5, points = 5, reach = 1.5)\n"
            "process w ramp(from = 1, to = 2, begin = 0, end = 3)\nparam w = 1\nq: B -> A @ w\n",
    NATURAL "param u = 0.3\nspecies A = 3, B = 0\nr: A <-> B @ 1 + u, 2\n"
            "process u shot(base = 1, jump = 0.2, rate = 3, tau = 0.4)\n",
    SI
    "compartment i reservoir potential V\ncompartment c volume 1 [fL]*(1 + n/9) potential W\ncompartment o reservoir\n"
    "capacitor V between i, o capacitance 0.1 [pF] start -60 [mV] within -99 [mV], 99 [mV]\n"
    "capacitor W between c, i capacitance 1 [fF] start 5 [mV]\nion K z +1 { i = 100 [mM]\n o = 3 [mM]\n c = 1 [uM] }\n"
    "protein P copies 5 { state A  state B charge -1.5 at i }\ng: A <-> B @ ldb(k0 = 2 [1/s], split = 0.3)\n"
    "p: B + K.i <-> B + K.o @ ldb(conductance = 3 [pS]) fluid\nl: K.o <-> K.c @ ldb(k0 = 3 [1/s], form = metropolis)\n"
    "variable x = 2 [uM] within 0 [uM], 9 [uM], n = 0 within 0, 9\nx' = (1 [uM] - x)/exprel(V/9 [mV])/1 [s]\n"
    "V' = -V/3 [s]\nat 1 [ms] every 2 [s]: x = 3 [uM], n = 1\nwhen V > -5 [mV] and A < 3: n = n + 1\n"};
enum { SEEDS = sizeof seeds / sizeof *seeds };

static const char *const words[] = {"\n",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    "(",
                                    ")",
                                    "..",
                                    "<->",
                                    "->",
                                    "@",
                                    "@@",
                                    "ldb",
                                    "kT",
                                    "1e308",
                                    "-",
                                    "^",
                                    "999999999",
                                    ":=",
                                    "+-",
                                    "\"",
                                    "#@file x\n",
                                    "include \"x\"\n",
                                    "\xff",
                                    "\xc2\xb5",
                                    "\r",
                                    "energy",
                                    "protein",
                                    "0",
                                    "0.",
                                    "1/0",
                                    "for i in 1..9 {",
                                    "i",
                                    "[i in 1..",
                                    "inf",
                                    "process ",
                                    "sine(",
                                    "ou(",
                                    "markov {",
                                    "level ",
                                    "capacitor ",
                                    "variable ",
                                    "volume ",
                                    "x' = ",
                                    "when ",
                                    " fluid",
                                    ";"};

static char *mutate(const char *seed, rng_stream *rng)
{
  size_t length = strlen(seed);
  char *const out = malloc(2 * length + 400);
  memcpy(out, seed, length + 1);
  const int changes = 1 + (int)rng_below(rng, 4);
  for (int i = 0; i < changes && length > 2; i++) {
    const size_t at = rng_below(rng, length), span = 1 + rng_below(rng, length - at < 20 ? length - at : 20);
    switch (rng_below(rng, 12)) {
    case 0: out[at] = (char)(1 + rng_below(rng, 255)); break;
    case 1: /* cut */
      memmove(out + at, out + at + span, length - at - span + 1);
      length -= span;
      break;
    case 2: /* double */
      if (length + span > 2 * strlen(seed) + 300) break;
      memmove(out + at + span, out + at, length - at + 1);
      length += span;
      break;
    case 3: /* swap two bytes */ {
      const size_t b = rng_below(rng, length);
      const char c = out[at];
      out[at] = out[b];
      out[b] = c;
      break;
    }
    case 4:
    case 5: { /* a word of the language where it does not belong */
      const char *const word = words[rng_below(rng, sizeof words / sizeof *words)];
      const size_t n = strlen(word);
      if (length + n > 2 * strlen(seed) + 300) break;
      memmove(out + at + n, out + at, length - at + 1);
      memcpy(out + at, word, n);
      length += n;
      break;
    }
    default: { /* another number */
      size_t k = at;
      while (k < length && (out[k] < '0' || out[k] > '9')) k++;
      if (k < length) out[k] = (char)('0' + rng_below(rng, 10));
      break;
    }
    }
  }
  return out;
}

/* Rates as series in an input, where one moves; and the means over its period, where there is one and states are few.
 */
static void drive(const ness_model *model)
{
  const cme_options few = {.max_states = 30};
  const lang_process *const input = driven_input(model->compiled, true);
  if (!input) return;
  ness_diags *const diags = ness_diags_create();
  driven d;
  driven_steady s = {0};
  ness_status status = driven_create(model->compiled, input, diags, &d);
  CHECK(status == NESS_OK || (status == NESS_MODEL && ness_diags_count(diags, NULL) > 0));
  if (status == NESS_OK) CHECK(motion_law_check(d.net, &d.law, diags) == NESS_OK);
  if (status == NESS_OK) status = driven_rest(&d, &few, diags, &s);
  CHECK(status == NESS_OK || ness_diags_count(diags, NULL) > 0);
  driven_steady_free(&s);
  driven_free(&d);
  ness_diags_free(diags);
}

int main(void)
{
  rng_stream rng;
  rng_init(&rng, 1, 0, 9);
  int loaded = 0, refused = 0;
  for (int i = 0; i < 300 * SEEDS; i++) {
    char *const text = mutate(seeds[i % SEEDS], &rng);
    const int32_t length = (int32_t)strlen(text);
    ness_diags *const diags = ness_diags_create();
    ness_model *model = NULL;
    const ness_status status = ness_model_load("mutant.ness", text, NULL, 0, diags, &model);
    CHECK((status == NESS_OK) == (model != NULL));
    CHECK(status == NESS_OK || status == NESS_MODEL || status == NESS_EXPECT);
    if (status == NESS_OK) {
      const ness_check_options options = {.struct_size = sizeof options, .max_states = 50};
      ness_doc *info = NULL, *check = NULL;
      const ness_status asked = ness_check(model, &options, diags, &check);
      CHECK(ness_info(model, diags, &info) == NESS_OK && (asked == NESS_OK || asked == NESS_EXPECT));
      ness_doc_free(info);
      ness_doc_free(check);
      drive(model);
      loaded++;
    } else {
      const ness_diag *const d = ness_diags_get(diags, 0);
      CHECK(d && d->message && d->message[0] && d->line >= 0 && d->line <= length + 1 && d->column <= length + 1);
      char *const shown = ness_diags_render(diags, 0);
      CHECK(shown && shown[0]);
      ness_text_free(shown);
      refused++;
    }
    ness_model_free(model);
    ness_diags_free(diags);
    free(text);
  }
  printf("%d loaded, %d refused\n", loaded, refused);
  CHECK(loaded > 20 && refused > 100); /* both ends are reached */
  return check_done();
}
