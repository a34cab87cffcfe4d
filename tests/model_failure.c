/* Networks that must not come to be: memory that runs out at every call, sizes and arrays that a damaged or hostile
 * file may hold. Whatever comes through may be used without a fault (run this under the sanitizers). */
#include "check.h"
#include "engine/model/stoich.h"
#include "model_sample.h"

static void test_memory(void)
{
  int64_t after = 0;
  ness_status status = NESS_NOMEM;
  for (; status && after < 1000; after++) {
    ness_diags *diags = ness_diags_create();
    mem_fail_after(after);
    ness_network *net = sample_carrier(diags, &status);
    mem_fail_after(-1);
    CHECK(status == NESS_OK || status == NESS_NOMEM);
    CHECK((status == NESS_OK) == (net != NULL) && diag_errors(diags) == 0);
    network_free(net);
    ness_diags_free(diags);
  }
  CHECK(after > 40 && after < 1000);
}

static void test_sizes(void)
{
#define HOSTILE(name)                                                                                                  \
  {                                                                                                                    \
    ness_network sizes = {.nname = 1};                                                                                 \
    sizes.name = -1;                                                                                                   \
    CHECK(network_create(&sizes) == NULL);                                                                             \
    sizes.name = INT32_MIN;                                                                                            \
    CHECK(network_create(&sizes) == NULL);                                                                             \
    sizes.name = INT32_C(1) << 30; /* twice that, and one more, would not fit */                                       \
    CHECK(network_create(&sizes) == NULL);                                                                             \
    sizes.name = INT32_MAX;                                                                                            \
    CHECK(network_create(&sizes) == NULL);                                                                             \
  }
  NETWORK_SIZES(HOSTILE)
#undef HOSTILE
  ness_network sizes = {0};
  ness_network *net = network_create(&sizes);
  CHECK(net && network_complete(&net, NULL) == NESS_MODEL); /* not even the empty name */
  network_free(net);
}

#define LOCAL(name)                                                                                                    \
  const int64_t name = n->name;                                                                                        \
  (void)name;

typedef struct array {
  const char *name;
  unsigned char *data;
  size_t bytes, width;
} array;

/* A fresh network with the stored arrays of another, as a loader makes it, and where these arrays lie. */
static ness_network *copy_network(const ness_network *from, array *arrays, int32_t *count)
{
  ness_network sizes = *from;
  sizes.nwork = sizes.nguard = sizes.ndep = 0;
  ness_network *n = network_create(&sizes);
  *count = 0;
  NETWORK_SIZES(LOCAL)
#define KEEP_D(type, field, length)
#define KEEP_S(type, field, length)                                                                                    \
  {                                                                                                                    \
    unsigned char *data;                                                                                               \
    memcpy(&data, &n->field, sizeof data);                                                                             \
    memcpy(data, from->field, (size_t)(length) * sizeof(type));                                                        \
    arrays[(*count)++] = (array){#field, data, (size_t)(length) * sizeof(type), sizeof(type)};                         \
  }
#define KEEP(stored, type, field, length) KEEP_##stored(type, field, length)
  NETWORK_ARRAYS(KEEP)
#undef KEEP
  n->model_name = n->name + (from->model_name - from->name);
  return n;
}

static bool within(const int32_t *ids, int32_t count, int32_t limit)
{
  for (int32_t k = 0; k < count; k++) {
    if (ids[k] < 0 || ids[k] >= limit) {
      return false;
    }
  }
  return true;
}

/* One block holds all arrays, so a sanitizer does not see an index that leaves its own: they are read again here. */
static void check_indices(const ness_network *net)
{
  CHECK(within(net->slot_name, net->nslot, net->nname) && within(net->family_name, net->nfamily, net->nname));
  CHECK(within(net->res_name, net->nres, net->nname) && within(net->volt_name, net->nvolt, net->nname));
  CHECK(within(net->step_name, net->nstep, net->nname) && within(net->step_text, net->nstep, net->nname));
  CHECK(within(net->cycle_name, net->ncycle, net->nname) && within(net->obs_name, net->nobs, net->nname));
  CHECK(net->name[0] == 0 && net->name[net->nname - 1] == 0);
  CHECK(within(net->react_slot, net->nreact, net->nslot) && within(net->change_slot, net->nchange, net->nslot));
  CHECK(within(net->exch_res, net->nexch, net->nres) && within(net->cycle_step, net->ncycstep, net->nstep));
  for (int32_t i = 0; i < net->nslot; i++) {
    CHECK(net->slot_volt[i] >= -1 && net->slot_volt[i] < net->nvolt);
    CHECK(net->slot_family[i] >= -1 && net->slot_family[i] < net->nfamily);
  }
  for (int32_t r = 0; r < net->nres; r++) {
    CHECK(net->res_volt[r] >= -1 && net->res_volt[r] < net->nvolt);
  }
  for (int32_t k = 0; k < net->nobsterm; k++) {
    CHECK(net->obs_id[k] >= 0 && net->obs_id[k] < (net->obs_kind[k] == OBS_COUNT ? net->nslot : net->nstep));
  }
  for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
    const tape_op *op = net->tape + net->tape_start[dir];
    for (int32_t i = 0; i < net->tape_start[dir + 1] - net->tape_start[dir]; i++, op++) {
      const int32_t limit = op->code == TAPE_CONST ? net->nconst : op->code == TAPE_SLOT ? net->nslot : i;
      CHECK(op->code >= 0 && op->code < TAPE_CODES && op->a >= 0 && op->a < limit && op->b >= 0 && op->c >= 0);
      CHECK(op->b < (i > 0 ? i : 1) && op->c < (i > 0 ? i : 1));
    }
  }
}

static void use_network(const ness_network *net, rng_stream *rng)
{
  int64_t *n = mem_zero((size_t)net->nslot, sizeof *n), *after = mem_zero((size_t)net->nslot, sizeof *after);
  double *scratch = mem_zero((size_t)net->tape_max, sizeof *scratch);
  int negative = 0;
  check_indices(net);
  for (int round = 0; round < 3; round++) {
    for (int32_t i = 0; i < net->nslot; i++) {
      const int64_t start = round ? sample_below(rng, 10) : net->slot_start[i];
      n[i] = start > net->slot_max[i] ? net->slot_max[i] : start;
    }
    for (int32_t dir = 0; dir < 2 * net->nstep; dir++) {
      const double value = network_propensity(net, dir, n, scratch);
      negative += value < 0;
      if (value > 0) {
        network_event_entropy(net, dir / 2, dir % 2 ? -1 : 1, n, after, scratch);
        for (int32_t c = net->change_start[dir / 2]; c < net->change_start[dir / 2 + 1]; c++) {
          negative += n[net->change_slot[c]] + (dir % 2 ? -1 : 1) * (int64_t)net->change_by[c] < 0;
        }
      }
    }
    network_free_energy(net, n);
  }
  CHECK(negative == 0);
  stoich_basis basis;
  const ness_status status = stoich_cycles(net, &basis);
  CHECK(status == NESS_OK || status == NESS_NUMERIC);
  stoich_free(&basis);
  for (int32_t s = 0; s < network_sources(net); s++) {
    CHECK(strlen(network_source_name(net, s)) < (size_t)net->nname);
  }
  mem_free(n);
  mem_free(after);
  mem_free(scratch);
}

static void test_copy(const ness_network *net)
{
  array arrays[96];
  int32_t count;
  ness_network *copy = copy_network(net, arrays, &count);
  CHECK(network_complete(&copy, NULL) == NESS_OK);
  CHECK(copy->nwork == net->nwork && copy->nguard == net->nguard && copy->ndep == net->ndep);
  const ness_network *n = net;
  NETWORK_SIZES(LOCAL)
#define SAME(stored, type, field, length) CHECK(memcmp(copy->field, n->field, (size_t)(length) * sizeof(type)) == 0);
  NETWORK_ARRAYS(SAME)
#undef SAME
  CHECK(copy->tape_max == net->tape_max && copy->one_way_steps == net->one_way_steps);
  CHECK_STR(copy->model_name, net->model_name);
  network_free(copy);
}

/* Every element of every stored array in turn becomes every nasty value. */
static void test_elements(const ness_network *net, rng_stream *rng)
{
  const int32_t ints[] = {-1,         -2,         1,         2,          3,          100,
                          65537,      -65537,     INT32_MAX, INT32_MIN,  net->nname, net->nname - 1,
                          net->nslot, net->nstep, net->nres, net->nvolt, net->nop,   net->nconst};
  const int nints = (int)(sizeof ints / sizeof *ints);
  static const int64_t longs[] = {-1, 0, 1, INT64_MAX, INT64_MIN, INT64_C(1) << 53, (INT64_C(1) << 53) + 1};
  static const double reals[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e308, 5e-324, -1e-300};
  static const char *const always_caught[] = {"react_start", "change_start", "tape_start", "cycle_start", "obs_start"};
  array arrays[96];
  int32_t count, refused = 0, taken = 0;
  ness_network *probe = copy_network(net, arrays, &count);
  network_free(probe);
  for (int32_t a = 0; a < count; a++) {
    const array shape = arrays[a];
    const size_t elements = shape.bytes / (shape.width == 16 ? 4 : shape.width);
    for (size_t e = 0; e < elements; e++) {
      for (int v = 0; v < nints; v++) {
        ness_network *copy = copy_network(net, arrays, &count);
        unsigned char *const at = arrays[a].data + e * (shape.width == 16 ? 4 : shape.width);
        unsigned char before[8];
        const size_t width = shape.width == 16 ? 4 : shape.width;
        memcpy(before, at, width);
        if (width == 8 &&
            (strstr(shape.name, "copies") || strstr(shape.name, "slot_start") || strstr(shape.name, "slot_max"))) {
          memcpy(at, &longs[v % 7], 8);
        } else {
          memcpy(at, width == 8 ? (const void *)&reals[v % 8] : (const void *)&ints[v], width);
        }
        const bool changed = memcmp(before, at, width) != 0;
        const ness_status status = network_complete(&copy, NULL);
        CHECK(status == NESS_OK || status == NESS_MODEL);
        for (size_t k = 0; k < sizeof always_caught / sizeof *always_caught; k++) {
          CHECK(!changed || status || strcmp(shape.name, always_caught[k]) != 0);
        }
        if (status == NESS_OK) {
          use_network(copy, rng);
          taken++;
        }
        refused += status != NESS_OK;
        network_free(copy);
      }
    }
  }
  CHECK(refused > 1000 && taken > 100);
}

/* Several elements at once, with small values that may fit together by chance. */
static void test_random(rng_stream *rng)
{
  int refused = 0, taken = 0;
  for (int i = 0; i < 20000; i++) {
    array arrays[96];
    int32_t count;
    ness_network *net = sample_random(rng), *copy = copy_network(net, arrays, &count);
    for (int32_t k = sample_below(rng, 3); k >= 0; k--) {
      const array *a = &arrays[sample_below(rng, count)];
      if (a->bytes > 0 && a->width != 8) {
        const size_t width = a->width == 16 ? 4 : a->width;
        const int32_t value = sample_below(rng, 12) - 3;
        memcpy(a->data + (size_t)rng_below(rng, a->bytes / width) * width, &value, width);
      } else if (a->bytes > 0) {
        uint64_t bits = rng_next(rng);
        bits >>= sample_below(rng, 64);
        memcpy(a->data + (size_t)rng_below(rng, a->bytes / 8) * 8, &bits, 8);
      }
    }
    const ness_status status = network_complete(&copy, NULL);
    CHECK(status == NESS_OK || status == NESS_MODEL);
    if (status == NESS_OK) {
      use_network(copy, rng);
      taken++;
    }
    refused += status != NESS_OK;
    network_free(copy);
    network_free(net);
  }
  CHECK(refused > 5000 && taken > 1000);
}

/* A hub that every step changes and reads: dependencies grow with the square, and beyond the limit they are left out.
 */
static void test_hub(void)
{
  enum { STEPS = 1000, MORE = 17000 };
  ness_diags *diags = ness_diags_create();
  ness_network *net = NULL;
  network_builder *b = builder_create("hub", 0);
  const int32_t hub = builder_slot(b, "ATP", 1, MODEL_NO_MAX, 0, 0, -1, -1);
  for (int i = 0; i < STEPS; i++) {
    builder_step_add(
        b, &(builder_step){
               .name = "s", .nleft = 1, .left = &hub, .law = {LAW_MASS, LAW_MASS}, .k = {1, 1}, .lnk = (double)NAN});
  }
  CHECK(builder_finish(b, diags, &net) == NESS_OK);
  CHECK(net && net->ndep == STEPS * STEPS && !net->dep_left_out);
  network_free(net);
  for (int i = 0; i < MORE; i++) {
    builder_step_add(
        b, &(builder_step){
               .name = "s", .nleft = 1, .left = &hub, .law = {LAW_MASS, LAW_MASS}, .k = {1, 1}, .lnk = (double)NAN});
  }
  CHECK(builder_finish(b, diags, &net) == NESS_OK && net && net->dep_left_out && net->ndep == 0);
  network_free(net);
  builder_free(b);
  ness_diags_free(diags);
}

int main(void)
{
  rng_stream rng;
  rng_init(&rng, 22, 0, 0);
  ness_status status;
  test_memory();
  test_sizes();
  ness_network *net = sample_carrier(NULL, &status);
  CHECK(net != NULL);
  if (net) {
    test_copy(net);
    test_elements(net, &rng);
  }
  network_free(net);
  test_random(&rng);
  test_hub();
  return check_done();
}
