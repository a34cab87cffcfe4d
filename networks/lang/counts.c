/* An expression of counts as a tape, for conditions such as `A + B > 3`: what the engines evaluate at every state.
 * Cost: that of the expression, once. */
#include "networks/lang/compile.h"

/* Slots that the tape reads, each once. */
static bool counts_slots(lang_model *m, const eval_tape *tape, lang_counts *out)
{
  out->slot = arena_alloc(&m->memory, ((size_t)tape->nop + 1) * sizeof *out->slot);
  if (!out->slot) return false;
  for (int32_t i = 0; i < tape->nop; i++) {
    bool known = tape->ops[i].code != TAPE_SLOT;
    for (int32_t k = 0; k < out->nslot && !known; k++) known = out->slot[k] == tape->ops[i].a;
    if (!known) out->slot[out->nslot++] = tape->ops[i].a;
  }
  return true;
}

bool lang_counts_of(lang_model *self, const expr *node, ness_diags *diags, lang_counts *out)
{
  ness_diags *const kept = self->diags;
  eval_tape tape = {0};
  const eval e = {.m = self, .tape = &tape};
  const eval_value one = {.q = {1, UNIT_NONE}, .constant = true, .reg = -1};
  eval_value v;
  *out = (lang_counts){0};
  self->diags = diags;
  bool fine = eval_expr(&e, node, &v);
  int32_t reg = fine ? eval_reg(&e, &v) : -1;
  if (reg >= 0 && reg != tape.nop - 1) { /* the value of a tape is its last register */
    const int32_t factor = eval_reg(&e, &one);
    reg = factor < 0 ? -1 : eval_emit(&e, TAPE_MUL, reg, factor, 0);
  }
  fine = reg >= 0 && counts_slots(self, &tape, out);
  self->diags = kept;
  out->nop = tape.nop;
  out->op = tape.ops;
  out->constant = tape.constants;
  out->unit = v.q.unit;
  return fine;
}
