/* What the files of this room share: how a network is laid out, verified and completed. Nobody outside includes it. */
#ifndef ENGINE_MODEL_COMPILE_H
#define ENGINE_MODEL_COMPILE_H

#include "model.h"

#define MODEL_MULT_MAX (1 << 16)           /* largest multiplicity or change of a count in one event */
#define MODEL_COUNT_MAX (INT64_C(1) << 53) /* largest initial count: every count is a double */
#define MODEL_SIZE_MAX (INT32_C(1) << 30)  /* largest size: twice it, or one more, still fits */
#define MODEL_DEP_MAX (INT64_C(1) << 28)   /* dependencies, 1 GiB */

/* Every stored array against every other; messages name the step. NESS_MODEL when something does not hold. */
ness_status model_verify(const ness_network *net, ness_diags *diags);

/* The derived arrays of a verified network. Sizes first, then the arrays of a network that has them. */
ness_status model_derive_sizes(const ness_network *net, ness_network *sizes, ness_diags *diags);
ness_status model_derive(ness_network *net);

/* The arrays are const to everybody but this room. */
static inline void *model_writable(const void *array)
{
  union {
    const void *from;
    void *to;
  } pointer = {array};
  return pointer.to;
}

#endif
