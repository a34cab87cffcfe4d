/* The run frame, reading: settings and network back from bytes that may come from anywhere.
 *
 * Invariant: sizes are held against the columns that are really there before the network is made, and network_complete
 * verifies every index before anybody uses it. Strings are copied; one with a zero byte within is refused.
 * Cost: the network once. */
#include "engine/dump/frame.h"
#include <string.h>

static char *copy_text(cursor *at, arena *strings)
{
  size_t length;
  const char *text = cursor_text(at, &length);
  if (length > 0 && memchr(text, 0, length)) at->bad = true;
  return arena_text(strings, at->bad ? "" : text, at->bad ? 0 : length);
}

/* --- settings --- */

static ness_status read_run(const frame_body *body, arena *strings, dump_run *run, uint64_t *model_hash,
                            cursor *network)
{
  static const char *const keys[] = {"version", "command",    "machine",      "method",      "overrides", "level",
                                     "seed",    "replicas",   "block",        "time",        "events",    "warmup",
                                     "window",  "every",      "model_text",   "model_hash",  "network",   "epsilon",
                                     "input",   "input_kind", "input_period", "flows_beside"};
  enum { KEYS = sizeof keys / sizeof keys[0], EPSILON = KEYS - 5, INPUT, KIND, PERIOD, BESIDE };
  cursor at = body->map;
  size_t length;
  unsigned seen = 0;
  int64_t level = -1;
  *run = (dump_run){0};
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    unsigned k = 0;
    while (k < KEYS && !cursor_is(key, length, keys[k])) k++;
    if (k < KEYS && seen & 1u << k) return NESS_FORMAT;
    if (k < KEYS) seen |= 1u << k;
    switch (k) {
    case 0: run->version = copy_text(&at, strings); break;
    case 1: run->command = copy_text(&at, strings); break;
    case 2: run->machine = copy_text(&at, strings); break;
    case 3: run->method = copy_text(&at, strings); break;
    case 4: run->overrides = copy_text(&at, strings); break;
    case 5: level = cursor_int(&at); break;
    case 6: run->seed = cursor_uint(&at); break;
    case 7: run->replicas = cursor_int(&at); break;
    case 8: run->block = cursor_int(&at); break;
    case 9: run->time = cursor_real(&at); break;
    case 10: run->events = cursor_int(&at); break;
    case 11: run->warmup = cursor_real(&at); break;
    case 12: run->window = cursor_real(&at); break;
    case 13: run->every = cursor_real(&at); break;
    case 14: run->model_text = copy_text(&at, strings); break;
    case 15: *model_hash = cursor_uint(&at); break;
    case 16:
      *network = at;
      cursor_skip(&at);
      network->end = at.at;
      break;
    case EPSILON: run->epsilon = cursor_real(&at); break;
    case INPUT: run->input = copy_text(&at, strings); break;
    case KIND: run->input_kind = copy_text(&at, strings); break;
    case PERIOD: run->input_period = cursor_real(&at); break;
    case BESIDE: run->flows_beside = copy_text(&at, strings); break;
    default: cursor_skip(&at);
    }
  }
  if (strings->failed) return NESS_NOMEM;
  /* Exact methods have no epsilon, and most runs no input: what is told of one is told whole, and is not told of what
   * flows, which has rows of a grid alone. */
  const unsigned of_input = 1u << INPUT | 1u << KIND | 1u << PERIOD;
  if (at.bad || ((seen & ~of_input & ~(1u << BESIDE)) | 1u << EPSILON) != (1u << INPUT) - 1) return NESS_FORMAT;
  if (seen & of_input && ((seen & of_input) != of_input || !*run->input || !(run->input_period >= 0)))
    return NESS_FORMAT;
  if (run->flows_beside && (run->input || level != DUMP_GRID)) return NESS_FORMAT;
  if (level < DUMP_SUMMARY || level > DUMP_EVENTS || run->replicas < 0) return NESS_FORMAT;
  run->level = (int32_t)level;
  return NESS_OK;
}

/* --- network --- */

static bool read_size(cursor *at, int32_t *size, bool *seen)
{
  const int64_t value = cursor_int(at);
  if (*seen || value < 0 || value > (int64_t)DUMP_RAW_MAX) return false;
  *size = (int32_t)value;
  *seen = true;
  return true;
}

static bool read_sizes(cursor *at, ness_network *sizes)
{
  size_t length;
#define FLAG(name) bool seen_##name = false;
#define READ(name)                                                                                                     \
  if (cursor_is(key, length, #name)) {                                                                                 \
    if (!read_size(at, &sizes->name, &seen_##name)) return false;                                                      \
    continue;                                                                                                          \
  }
#define SEEN(name) &&seen_##name
  NETWORK_SIZES(FLAG)
  for (uint32_t n = cursor_map(at); n > 0 && !at->bad; n--) {
    const char *key = cursor_text(at, &length);
    NETWORK_SIZES(READ)
    cursor_skip(at);
  }
  seen_nheat = seen_nheatstep = true;           /* files that know of no temperature of a place have none, */
  seen_nproc = seen_nflip = seen_nshift = true; /* and those that know of no process neither, */
  seen_nvar = seen_nflow = true;                /* of no variable, */
  seen_nevent = seen_nset = seen_nrule = true;  /* or of no event */
  return !at->bad NETWORK_SIZES(SEEN);
#undef SEEN
#undef READ
#undef FLAG
}

static bool read_network(cursor at, ness_network *sizes, int64_t *model_name)
{
  size_t length;
  unsigned seen = 0;
  for (uint32_t n = cursor_map(&at); n > 0 && !at.bad; n--) {
    const char *key = cursor_text(&at, &length);
    if (cursor_is(key, length, "sizes")) {
      if (seen & 1 || !read_sizes(&at, sizes)) return false;
      seen |= 1;
    } else if (cursor_is(key, length, "temperature")) {
      sizes->temperature = cursor_real(&at);
      seen |= 2;
    } else if (cursor_is(key, length, "model_name")) {
      *model_name = cursor_int(&at);
      seen |= 4;
    } else {
      cursor_skip(&at);
    }
  }
  return !at.bad && seen == 7 && *model_name >= 0 && *model_name < sizes->nname;
}

#define TYPE_int64_t COLUMN_I64, sizeof(int64_t), 1
#define TYPE_int32_t COLUMN_I32, sizeof(int32_t), 1
#define TYPE_double COLUMN_F64, sizeof(double), 1
#define TYPE_tape_op COLUMN_I32, sizeof(tape_op), 4
#define TYPE_char COLUMN_U8, sizeof(char), 1

static bool has_array(const payload *columns, const char *name, column_type type, size_t item, int64_t width,
                      int64_t length)
{
  const column *c = payload_find(columns, name);
  (void)item;
  const size_t letters = strlen(name);
  const bool start = letters > 6 && strcmp(name + letters - 6, "_start") == 0;
  if (!c && (length == 0 || (start && length == 1))) return true; /* a table that the file knows nothing of is empty */
  return c && c->type == type && c->rows == length && c->width == width;
}

static void copy_array(const payload *columns, const unsigned char *raw, const char *name, column_type type,
                       size_t item, int64_t width, int64_t length, void *to)
{
  (void)type;
  (void)width;
  const column *c = length > 0 ? payload_find(columns, name) : NULL;
  if (c) memcpy(to, raw + c->offset, (size_t)length * item);
}

#define LOCAL(name)                                                                                                    \
  const int64_t name = n->name;                                                                                        \
  (void)name;
#define EACH(stored, type, name, length) EACH_##stored(type, name, length)
#define EACH_D(type, name, length)

/* Every stored array is there in the length that the sizes ask for. */
static bool has_arrays(const payload *columns, const ness_network *n)
{
  NETWORK_SIZES(LOCAL)
#define EACH_S(type, name, length)                                                                                     \
  if (!has_array(columns, #name, TYPE_##type, length)) return false;
  NETWORK_ARRAYS(EACH)
#undef EACH_S
  return true;
}

/* The arrays of a fresh network are const to everybody but its maker. */
static void *writable(const void *array)
{
  void *result;
  memcpy(&result, &array, sizeof result);
  return result;
}

static void copy_arrays(const payload *columns, const unsigned char *raw, const ness_network *n)
{
  NETWORK_SIZES(LOCAL)
#define EACH_S(type, name, length) copy_array(columns, raw, #name, TYPE_##type, length, writable(n->name));
  NETWORK_ARRAYS(EACH)
#undef EACH_S
}

#undef EACH_D
#undef EACH
#undef LOCAL

ness_status run_unpack(const void *frame, size_t bytes, arena *strings, dump_run *run, ness_network **net,
                       ness_diags *diags)
{
  frame_body body;
  cursor network = {0};
  ness_network sizes = {0};
  uint64_t hash = 0;
  int64_t model_name = 0;
  *net = NULL;
  ness_status status = frame_split(frame, bytes, &body);
  if (!status) status = read_run(&body, strings, run, &hash, &network);
  if (status) return status;
  if (hash != dump_text_hash(run->model_text)) return NESS_FORMAT;
  if (!read_network(network, &sizes, &model_name) || !has_arrays(&body.columns, &sizes)) return NESS_FORMAT;
  sizes.nwork = sizes.nguard = sizes.ndep = 0; /* derived: network_complete finds them again */

  unsigned char *raw = mem_alloc(body.columns.raw_bytes + 1);
  if (!raw) return NESS_NOMEM;
  status = frame_payload(&body, raw);
  if (!status && !(*net = network_create(&sizes))) status = NESS_NOMEM;
  if (!status) {
    copy_arrays(&body.columns, raw, *net);
    (*net)->temperature = sizes.temperature;
    (*net)->model_name = (*net)->name + model_name;
    status = network_complete(net, diags);
    if (status == NESS_MODEL) status = NESS_FORMAT;
  }
  mem_free(raw);
  return status;
}
