/* A compiled model around a ready network: what symbols.c, energy.c and lower.c would have left behind, taken from the
 * network's arrays. Invariant: slots and steps have the ids of the network; energies are the slots' g, and none of them
 * was declared. Where two names are equal the first one is found. Cost: linear, about 250 bytes a slot or step with
 * names; beyond LANG_MAX_ITEMS steps stay empty, which takes no memory before they are touched. */
#include "networks/lang/adopt.h"
#include "networks/lang/compile.h"
#include <string.h>

static ness_status adopt_file(const char *path, const ness_network *net, lang_file **out)
{
  lang_file *const file = mem_zero(1, sizeof *file);
  if (!file) return NESS_NOMEM;
  lang_source *const source = arena_alloc(&file->memory, sizeof *source);
  char *const text = arena_format(&file->memory, "# %s: a network of %d states and %d steps, read from %s\n",
                                  net->model_name, net->nslot, net->nstep, path);
  file->name = arena_text(&file->memory, net->model_name, strlen(net->model_name));
  file->natural = true;
  file->sources = source;
  if (file->memory.failed) {
    lang_file_free(file);
    return NESS_NOMEM;
  }
  for (char *p = text; p[1]; p++) *p = *p == '\n' ? ' ' : *p; /* a path may hold anything */
  source->name = arena_text(&file->memory, path, strlen(path));
  source->text = text;
  source->length = strlen(text);
  if (!source->name) {
    lang_file_free(file);
    return NESS_NOMEM;
  }
  *out = file;
  return NESS_OK;
}

static bool adopt_slots(lang_model *m)
{
  const ness_network *const net = m->network;
  m->slots = mem_zero((size_t)net->nslot + 1, sizeof *m->slots);
  if (!m->slots) return false;
  m->nslot = m->slot_capacity = net->nslot;
  for (int32_t i = 0; i < net->nslot; i++) {
    m->slots[i] = (model_slot){.name = network_text(net, net->slot_name[i]),
                               .start = net->slot_start[i],
                               .max = net->slot_max[i],
                               .volt = -1,
                               .family = net->slot_family[i],
                               .ion = -1,
                               .compartment = -1,
                               .state = LAZY_DONE,
                               .own = net->slot_g[i],
                               .standard = net->slot_g[i]};
  }
  return true;
}

/* Copies on one side of a step: what its way takes, or what the other way takes and the change. */
static int32_t adopt_side(const ness_network *net, int32_t step, int side, int32_t *ids)
{
  const bool own = net->dir_law[2 * step + side] != LAW_NONE, other = net->dir_law[2 * step + 1 - side] != LAW_NONE;
  const int32_t dir = 2 * step + (own || !other ? side : 1 - side);
  int32_t r = net->react_start[dir], c = net->change_start[step], count = 0;
  const int32_t r_end = net->react_start[dir + 1], c_end = net->change_start[step + 1];
  while (r < r_end || c < c_end) {
    const bool react = r < r_end && (c == c_end || net->react_slot[r] <= net->change_slot[c]);
    const int32_t slot = react ? net->react_slot[r] : net->change_slot[c];
    const int32_t by = c < c_end && net->change_slot[c] == slot ? net->change_by[c++] : 0;
    int32_t copies = react ? net->react_mult[r++] : 0;
    if (!own && other) copies += side ? by : -by;
    if (!own && !other) copies = (side ? by : -by) > 0 ? (side ? by : -by) : 0; /* switched off */
    for (int32_t k = 0; k < copies; k++, count++) {
      if (ids) ids[count] = slot;
    }
  }
  return count;
}

static bool adopt_step(lang_model *m, int32_t s)
{
  const ness_network *const net = m->network;
  model_step *const step = &m->steps[s];
  step->name = network_text(net, net->step_name[s]);
  step->text = network_text(net, net->step_text[s]);
  step->nleft = adopt_side(net, s, 0, NULL);
  step->nright = adopt_side(net, s, 1, NULL);
  step->left = arena_alloc(&m->memory, ((size_t)step->nleft + (size_t)step->nright + 1) * sizeof *step->left);
  if (!step->left) return false;
  step->right = step->left + step->nleft;
  adopt_side(net, s, 0, step->left);
  adopt_side(net, s, 1, step->right);
  for (int way = 0; way < 2; way++) {
    step->law[way] = net->dir_law[2 * s + way];
    step->k[way] = net->dir_k[2 * s + way];
  }
  step->lnk = net->step_lnk[s];
  step->tau = 1;
  return true;
}

static bool adopt_name(lang_model *m, char space, const char *name, sym_kind kind, int32_t id)
{
  return sym_find(m, space, name) || sym_add(m, space, name, kind, id, (lang_place){0});
}

static bool adopt_families(lang_model *m, bool names)
{
  const ness_network *const net = m->network;
  const size_t n = (size_t)net->nfamily + 1;
  const char **const family = mem_zero(n, sizeof *family);
  m->families = family;
  m->family_copies = mem_zero(n, sizeof *m->family_copies);
  m->family_energies = mem_zero(n, sizeof *m->family_energies);
  if (!family || !m->family_copies || !m->family_energies) return false;
  m->nfamily = m->family_capacity = m->copies_capacity = m->energies_capacity = net->nfamily;
  for (int32_t i = 0; i < net->nfamily; i++) {
    family[i] = network_text(net, net->family_name[i]);
    m->family_copies[i] = net->family_copies[i];
    if (names && !adopt_name(m, SPACE_FAMILY, family[i], SYM_OTHER, i)) return false;
  }
  return true;
}

static bool adopt_all(lang_model *m)
{
  const ness_network *const net = m->network;
  const bool names = net->nslot <= LANG_MAX_ITEMS && net->nstep <= LANG_MAX_ITEMS;
  m->steps = mem_zero((size_t)net->nstep + 1, sizeof *m->steps);
  if (!m->steps || !adopt_slots(m) || !adopt_families(m, names)) return false;
  m->nstep = m->step_capacity = net->nstep;
  if (!names) {
    diag_add(m->diags, NESS_NOTE, "%s has more than %d states or steps: none can be asked for by name", net->model_name,
             LANG_MAX_ITEMS);
    return true;
  }
  for (int32_t i = 0; i < net->nslot; i++) {
    if (!adopt_name(m, SPACE_VALUE, m->slots[i].name, SYM_SLOT, i)) return false;
  }
  for (int32_t s = 0; s < net->nstep; s++) {
    if (!adopt_step(m, s) || !adopt_name(m, SPACE_STEP, m->steps[s].name, SYM_OTHER, s)) return false;
  }
  for (int32_t c = 0; c < net->ncycle; c++) {
    if (!adopt_name(m, SPACE_CYCLE, network_text(net, net->cycle_name[c]), SYM_OTHER, c)) return false;
  }
  return true;
}

ness_status lang_adopt(ness_network *network, const char *path, ness_diags *diags, lang_file **file, lang_model **out)
{
  *file = NULL;
  *out = NULL;
  if (network->nres > 0 || network->nvolt > 0 || network->nheat > 0 || network->nop > 0 || network->nobs > 0)
    return NESS_USAGE;
  ness_status status = adopt_file(path, network, file);
  if (status != NESS_OK) return status;
  lang_model *const m = mem_zero(1, sizeof *m);
  if (m) {
    m->file = *file;
    m->diags = diags;
    m->kt = 1;
    m->network = network;
  }
  if (!m || !adopt_all(m)) {
    if (m) m->network = NULL; /* still the caller's */
    lang_model_free(m);
    lang_file_free(*file);
    *file = NULL;
    return NESS_NOMEM;
  }
  *out = m;
  return NESS_OK;
}
