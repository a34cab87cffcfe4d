/* The run frame, writing: everything that makes a run repeatable, and everything a person needs to read the rest.
 *
 * Invariant: the columns hold every stored array of NETWORK_ARRAYS as it lies in memory, so that the network comes back
 * bit for bit. Tables, units and conventions repeat in words what the arrays say in numbers; no reader of ours uses
 * them. Tables of more than TABLE_ROWS rows are left out: the arrays hold the same. Cost: the network once. */
#include "engine/dump/frame.h"

#define TABLE_ROWS 10000
#define MV_PER_KELVIN 0.08617333262145179 /* k_B/e in mV/K (SI 2019, exact) */

const char *const dump_conventions[][2] = {
    {"rates", "k_ij is i->j; J_ij = p_i k_ij - p_j k_ji"},
    {"cycles", "a cycle's sign is that of its listed steps, lowest id first"},
    {"affinity", "kT"},
    {"entropy_production", "k_B/s"},
    {"potential", "V inside minus outside in mV, outward current positive"},
    {"charge", "e"},
    {"concentration", "M"},
    {"directions", "direction 2*s is step s forward, 2*s+1 is step s backward"},
    {"sampling", "right-continuous: the state after the last event at or before t"},
};
const int32_t dump_conventions_count = (int32_t)(sizeof dump_conventions / sizeof dump_conventions[0]);

static const char *const units[][2] = {
    {"t0 t1 row_time time warmup window every counted", "s"},
    {"n0 row_count", "copies"},
    {"fwd bwd row_fwd row_bwd", "events"},
    {"dwell row_dwell", "copies s, integral of n dt"},
    {"dwell2", "copies^2 s, integral of n^2 dt"},
    {"tape_entropy row_tape_entropy", "k_B"},
    {"flow_fwd flow_bwd one_way", "events, integrals of rates where a step flows"},
    {"x0 x1", "copies"},
    {"ledger", "k_B to the medium; work of the input, change of energy, work of each source, kT"},
    {"energies and chemical potentials", "kT"},
    {"volt_kt", "kT/e"},
    {"heat_kelvin", "K; in natural units T_h/T"},
    {"heat_kt", "kT"},
    {"dir_k", "1/s"},
    {"temperature", "K; 0 in natural units (kT = e = 1)"},
};

static void pack_pairs(frame_build *out, const char *key, const char *const (*pairs)[2], int32_t count)
{
  pack_map(out, key, (size_t)count);
  for (int32_t i = 0; i < count; i++) pack_text(out, pairs[i][0], pairs[i][1]);
}

/* A name by id; nil for id -1. */
static void pack_ref(frame_build *out, const char *key, const ness_network *net, const int32_t *names, int32_t id)
{
  if (id < 0) pack_nil(out, key);
  else pack_text(out, key, network_text(net, names[id]));
}

static void pack_slots(frame_build *out, const ness_network *net)
{
  pack_array(out, "slots", (size_t)net->nslot);
  for (int32_t i = 0; i < net->nslot; i++) {
    pack_map(out, NULL, 7);
    pack_ref(out, "name", net, net->slot_name, i);
    pack_int(out, "start", net->slot_start[i]);
    if (net->slot_max[i] == MODEL_NO_MAX) pack_nil(out, "max");
    else pack_int(out, "max", net->slot_max[i]);
    pack_real(out, "free_energy_kT", net->slot_g[i]);
    pack_real(out, "charge_e", net->slot_charge[i]);
    pack_ref(out, "voltage", net, net->volt_name, net->slot_volt[i]);
    pack_ref(out, "protein", net, net->family_name, net->slot_family[i]);
  }
}

static void pack_reservoirs(frame_build *out, const ness_network *net)
{
  pack_array(out, "reservoirs", (size_t)net->nres);
  for (int32_t i = 0; i < net->nres; i++) {
    pack_map(out, NULL, 5);
    pack_ref(out, "name", net, net->res_name, i);
    pack_real(out, "potential_kT", net->res_mu[i]);
    pack_real(out, "activity", net->res_activity[i]);
    pack_real(out, "charge_e", net->res_charge[i]);
    pack_ref(out, "voltage", net, net->volt_name, net->res_volt[i]);
  }
  pack_array(out, "voltages", (size_t)net->nvolt);
  for (int32_t i = 0; i < net->nvolt; i++) {
    pack_map(out, NULL, 3);
    pack_ref(out, "name", net, net->volt_name, i);
    pack_real(out, "kT_per_e", net->volt_kt[i]);
    if (net->temperature > 0) pack_real(out, "mV", net->volt_kt[i] * net->temperature * MV_PER_KELVIN);
    else pack_nil(out, "mV");
  }
  pack_array(out, "heats", (size_t)net->nheat);
  for (int32_t i = 0; i < net->nheat; i++) {
    pack_map(out, NULL, 2);
    pack_ref(out, "name", net, net->heat_name, i);
    pack_real(out, "temperature", net->heat_kelvin[i]);
  }
}

/* {name: number} over one row of a CSR table. */
static void pack_numbers(frame_build *out, const char *key, const ness_network *net, const int32_t *names,
                         const int32_t *start, const int32_t *id, const int32_t *by, int32_t row)
{
  pack_map(out, key, (size_t)(start[row + 1] - start[row]));
  for (int32_t k = start[row]; k < start[row + 1]; k++) pack_int(out, network_text(net, names[id[k]]), by[k]);
}

static void pack_rate(frame_build *out, const char *key, const ness_network *net, int32_t dir)
{
  if (net->dir_law[dir] == LAW_MASS) pack_real(out, key, net->dir_k[dir]);
  else pack_text(out, key, net->dir_law[dir] == LAW_TAPE ? "formula" : "none");
}

static void pack_steps(frame_build *out, const ness_network *net)
{
  pack_array(out, "steps", (size_t)net->nstep);
  for (int32_t s = 0; s < net->nstep; s++) {
    pack_map(out, NULL, 8);
    pack_ref(out, "name", net, net->step_name, s);
    pack_ref(out, "text", net, net->step_text, s);
    pack_int(out, "line", net->step_line[s]);
    pack_rate(out, "forward", net, 2 * s);
    pack_rate(out, "backward", net, 2 * s + 1);
    pack_real(out, "lnk_kT", net->step_lnk[s]);
    pack_numbers(out, "changes", net, net->slot_name, net->change_start, net->change_slot, net->change_by, s);
    pack_numbers(out, "gives", net, net->res_name, net->exch_start, net->exch_res, net->exch_by, s);
  }
  pack_array(out, "cycles", (size_t)net->ncycle);
  for (int32_t c = 0; c < net->ncycle; c++) {
    pack_map(out, NULL, 2);
    pack_ref(out, "name", net, net->cycle_name, c);
    pack_numbers(out, "steps", net, net->step_name, net->cycle_start, net->cycle_step, net->cycle_by, c);
  }
}

static void pack_tables(frame_build *out, const ness_network *net)
{
  const int64_t rows = (int64_t)net->nslot + net->nres + net->nvolt + net->nheat + net->nstep + net->nchange +
                       net->nexch + net->ncycle + net->ncycstep;
  if (rows > TABLE_ROWS) {
    pack_nil(out, "tables");
    return;
  }
  pack_map(out, "tables", 6);
  pack_slots(out, net);
  pack_reservoirs(out, net);
  pack_steps(out, net);
}

#define TYPE_int64_t COLUMN_I64, sizeof(int64_t), 1
#define TYPE_int32_t COLUMN_I32, sizeof(int32_t), 1
#define TYPE_double COLUMN_F64, sizeof(double), 1
#define TYPE_tape_op COLUMN_I32, sizeof(tape_op), 4
#define TYPE_char COLUMN_U8, sizeof(char), 1

static bool add_array(payload *columns, const char *name, column_type type, size_t item, int64_t width, int64_t length,
                      const void *data)
{
  if ((size_t)length > DUMP_RAW_MAX / item || columns->raw_bytes + (size_t)length * item > DUMP_RAW_MAX) return false;
  payload_add(columns, name, type, length, width, data);
  return true;
}

/* All stored arrays; false when they are larger than DUMP_RAW_MAX together. */
static bool add_network(payload *columns, const ness_network *n)
{
  bool fits = true;
#define LOCAL(name)                                                                                                    \
  const int64_t name = n->name;                                                                                        \
  (void)name;
#define ADD_S(type, name, length) fits = fits && add_array(columns, #name, TYPE_##type, length, n->name);
#define ADD_D(type, name, length)
#define ADD(stored, type, name, length) ADD_##stored(type, name, length)
  NETWORK_SIZES(LOCAL)
  NETWORK_ARRAYS(ADD)
  return fits;
}

#define COUNT(stored, type, name, length) +1
_Static_assert(0 NETWORK_ARRAYS(COUNT) <= COLUMNS_MAX, "a frame has room for every array of a network");
#undef COUNT
#undef ADD
#undef ADD_S
#undef ADD_D
#undef LOCAL

static void pack_network(frame_build *out, const ness_network *n)
{
#define ONE(name) +1
#define SIZE(name) pack_int(out, #name, n->name);
  pack_map(out, "network", 3);
  pack_map(out, "sizes", 0 NETWORK_SIZES(ONE));
  NETWORK_SIZES(SIZE)
  pack_real(out, "temperature", n->temperature);
  pack_int(out, "model_name", n->model_name ? n->model_name - n->name : 0);
#undef SIZE
#undef ONE
}

ness_status run_pack(const ness_network *net, const dump_run *run, ness_diags *diags, void **frame, size_t *bytes)
{
  const char *const text = run->model_text ? run->model_text : "";
  frame_build build;
  payload columns = {.count = 0};
  ness_status status = NESS_LIMIT;
  *frame = NULL;
  *bytes = 0;
  if (run->level < DUMP_SUMMARY || run->level > DUMP_EVENTS || run->replicas < 0) return NESS_USAGE;
  if (!add_network(&columns, net)) goto out;

  /* Exact methods have no epsilon, and runs whose inputs stand or flip have no input; nor have files of before,
   * which do not know what flows either. */
  frame_begin(&build, "run",
              23U + (run->epsilon > 0 ? 1U : 0U) + (run->input ? 3U : 0U) + (run->flows_beside ? 1U : 0U));
  pack_text(&build, "about", "a dump of ness: docs/dump-format.md explains it");
  pack_text(&build, "version", run->version);
  pack_text(&build, "command", run->command);
  pack_text(&build, "machine", run->machine);
  pack_text(&build, "method", run->method);
  pack_text(&build, "overrides", run->overrides);
  pack_int(&build, "level", run->level);
  pack_text(&build, "level_name", dump_level_name(run->level));
  pack_uint(&build, "seed", run->seed);
  pack_int(&build, "replicas", run->replicas);
  pack_int(&build, "block", run->block);
  pack_real(&build, "time", run->time);
  pack_int(&build, "events", run->events);
  pack_real(&build, "warmup", run->warmup);
  pack_real(&build, "window", run->window);
  pack_real(&build, "every", run->every);
  if (run->epsilon > 0) pack_real(&build, "epsilon", run->epsilon);
  if (run->input) {
    pack_text(&build, "input", run->input);
    pack_text(&build, "input_kind", run->input_kind);
    pack_real(&build, "input_period", run->input_period);
  }
  if (run->flows_beside) pack_text(&build, "flows_beside", run->flows_beside);
  pack_text(&build, "model", net->model_name);
  pack_text(&build, "model_text", text);
  pack_uint(&build, "model_hash", dump_text_hash(text));
  pack_network(&build, net);
  pack_tables(&build, net);
  pack_pairs(&build, "units", units, (int32_t)(sizeof units / sizeof units[0]));
  pack_pairs(&build, "conventions", dump_conventions, dump_conventions_count);
  status = frame_end(&build, DUMP_KIND_RUN, &columns, frame, bytes);
out:
  if (status == NESS_LIMIT && diags) {
    diag_add(diags, NESS_ERROR, "the model is too large for a dump: model text and network must fit a frame of %d MiB",
             (int)(DUMP_FRAME_MAX >> 20));
    diag_hint(diags, "simulate without a dump, or make the model smaller");
  }
  return status;
}
