/* A model around a ready network answers as the model does that was compiled from the text of the same network. */
#include "check.h"
#include "networks/lang/adopt.h"
#include "networks/lang/compile.h"
#include <stdlib.h>

static const char *const text =
    "model m\nunits natural\nspecies A = 3, B = 1 max 5, C = 0, D = 0\n"
    "protein P copies 2 {\n state p\n state q energy = 2\n}\n"
    "r: 2 A + B <-> B + C @ 1, 2\ns: C -> 0 @ 3\nt: p <-> q @ 1, 4\nu: A + p <-> C + p @ 1, 3\n"
    "v: A <-> D @ 0, 0\ncycle c: t - t\n";

/* A copy of the network through the builder, as an importer would make it. */
static ness_network *network_again(const ness_network *net, const lang_model *m)
{
  network_builder *const b = builder_create("again", 0);
  ness_network *out = NULL;
  for (int32_t i = 0; i < net->nfamily; i++)
    builder_family(b, network_text(net, net->family_name[i]), net->family_copies[i]);
  for (int32_t i = 0; i < net->nslot; i++)
    builder_slot(b, network_text(net, net->slot_name[i]), net->slot_start[i], net->slot_max[i], net->slot_g[i], 0, -1,
                 net->slot_family[i]);
  for (int32_t s = 0; s < net->nstep; s++) {
    const model_step *const from = &m->steps[s];
    const builder_step step = {.name = from->name,
                               .text = from->text,
                               .nleft = from->nleft,
                               .nright = from->nright,
                               .left = from->left,
                               .right = from->right,
                               .law = {net->dir_law[2 * s], net->dir_law[2 * s + 1]},
                               .k = {net->dir_k[2 * s], net->dir_k[2 * s + 1]},
                               .lnk = net->step_lnk[s]};
    builder_step_add(b, &step);
  }
  if (builder_finish(b, NULL, &out)) exit(2);
  builder_free(b);
  return out;
}

static int ids_compare(const void *a, const void *b)
{
  int32_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* The same copies, without those that stand on both sides where a side is not known but by its change. */
static bool same_side(const int32_t *a, int32_t na, const int32_t *b, int32_t nb)
{
  int32_t x[16], y[16];
  if (na != nb || na > 16) return false;
  for (int32_t i = 0; i < na; i++) x[i] = a[i], y[i] = b[i];
  qsort(x, (size_t)na, sizeof *x, ids_compare);
  qsort(y, (size_t)nb, sizeof *y, ids_compare);
  return memcmp(x, y, (size_t)na * sizeof *x) == 0;
}

static void check_same(lang_model *m, lang_model *a)
{
  static const char *const linear[] = {"netflux(A)", "netflux(C)", "rate(r) - 2*forward(s)", "mean(p)", "backward(t)"};
  const ness_network *const net = lang_network(m);
  for (int32_t i = 0; i < net->nslot; i++) {
    const char *const name = network_text(net, net->slot_name[i]);
    CHECK(lang_find_text(a, LANG_SLOT, name) == i && lang_find_text(a, LANG_STEP, name) < 0);
    CHECK_NEAR(a->slots[i].standard, m->slots[i].standard, 0);
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    const model_step *const x = &m->steps[s], *const y = &a->steps[s];
    CHECK(lang_find_text(a, LANG_STEP, x->name) == s && !y->from_energies);
    CHECK(same_side(x->left, x->nleft, y->left, y->nleft) && same_side(x->right, x->nright, y->right, y->nright));
    CHECK(x->law[0] == y->law[0] && x->law[1] == y->law[1] && x->k[0] == y->k[0] && x->k[1] == y->k[1]);
  }
  CHECK(lang_find_text(a, LANG_FAMILY, "P") == 0 && lang_find_text(a, LANG_SLOT, "nobody") < 0);
  CHECK(lang_kt(a) == 1 && lang_file_of(a)->natural);
  for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
    lang_linear x, y;
    expr *e, *f;
    union {
      const lang_file *from;
      lang_file *to;
    } own = {lang_file_of(a)}, other = {lang_file_of(m)}; /* parsing adds to a file's memory */
    ness_diags *const diags = ness_diags_create();
    CHECK(lang_parse_expression(own.to, linear[i], diags, &e) == NESS_OK);
    CHECK(lang_parse_expression(other.to, linear[i], diags, &f) == NESS_OK);
    CHECK(lang_linear_of(a, e, diags, &x) && lang_linear_of(m, f, diags, &y) && x.n == y.n && x.n > 0);
    for (int32_t k = 0; k < x.n && x.n == y.n; k++)
      CHECK(x.kind[k] == y.kind[k] && x.id[k] == y.id[k] && x.coef[k] == y.coef[k]);
    ness_diags_free(diags);
  }
}

int main(void)
{
  lang_file *file = NULL, *own = NULL;
  lang_model *m = NULL, *a = NULL;
  ness_diags *diags = ness_diags_create();
  if (lang_parse("m.ness", text, strlen(text), diags, &file) || lang_compile(file, NULL, 0, diags, &m)) {
    fprintf(stderr, "%s\n", ness_diags_get(diags, 0)->message);
    return 2;
  }
  ness_network *net = network_again(lang_network(m), m);
  bool done = false;
  for (int64_t after = 0; !done && after < 1000; after++) {
    mem_fail_after(after);
    const ness_status status = lang_adopt(net, "dir/m\n.tra", diags, &own, &a);
    mem_fail_after(-1);
    done = status == NESS_OK;
    CHECK(status == (done ? NESS_OK : NESS_NOMEM) && done == (a != NULL) && done == (own != NULL));
  }
  if (!a) return 2;
  CHECK(lang_network(a) == net);
  check_same(m, a);
  char *const bundle = lang_bundle(own);
  CHECK_STR(bundle, "# again: a network of 6 states and 5 steps, read from dir/m .tra\n");
  ness_text_free(bundle);
  ness_diags_free(diags);
  diags = ness_diags_create();
  CHECK(lang_warn_unreached(a, diags) && ness_diags_count(diags, NULL) == 1);
  if (ness_diags_count(diags, NULL) == 1) CHECK_STR(ness_diags_get(diags, 0)->message, "D is never reached");
  lang_model_free(a);
  lang_file_free(own);
  /* What it does not take stays the caller's. */
  network_builder *const b = builder_create("b", 0);
  const int32_t none = builder_reservoir(b, "F", 0, 1, 0, -1),
                slot = builder_slot(b, "A", 1, MODEL_NO_MAX, 0, 0, -1, -1);
  const builder_step step = {.name = "r",
                             .nleft = 1,
                             .left = &slot,
                             .nres_right = 1,
                             .res_right = &none,
                             .law = {LAW_MASS, LAW_NONE},
                             .k = {1, 0},
                             .lnk = (double)NAN};
  CHECK(builder_step_add(b, &step) == 0 && builder_finish(b, NULL, &net) == NESS_OK);
  CHECK(lang_adopt(net, "x", NULL, &own, &a) == NESS_USAGE && !own && !a);
  network_free(net);
  builder_free(b);
  lang_model_free(m);
  lang_file_free(file);
  ness_diags_free(diags);
  return check_done();
}
