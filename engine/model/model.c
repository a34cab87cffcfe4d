/* The block of a network: its layout, its completion after building or loading, its end. Invariant: one allocation
 * holds the struct and every array, each array begins on a cache line, and the derived arrays are what derive.c makes
 * of the stored ones. Cost: create is one zeroed allocation; complete is linear in the network and copies it once. */
#include "compile.h"

#include <string.h>

#define MODEL_ALIGN ((size_t)64)

#define MODEL_LOCAL(name)                                                                                              \
  const int64_t name = n->name;                                                                                        \
  (void)name;

/* Bytes of all arrays and where each begins; false when a size is out of range or the sum does not fit. */
static bool model_layout(ness_network *n, unsigned char *base, size_t *bytes)
{
  size_t at = (sizeof *n + MODEL_ALIGN - 1) / MODEL_ALIGN * MODEL_ALIGN, length;
#define MODEL_RANGE(name)                                                                                              \
  if (n->name < 0 || n->name >= MODEL_SIZE_MAX) return false;
  NETWORK_SIZES(MODEL_RANGE)
#undef MODEL_RANGE
  NETWORK_SIZES(MODEL_LOCAL)
#define MODEL_PLACE(stored, type, field, count)                                                                        \
  if (base) n->field = (const type *)(const void *)(base + at);                                                        \
  if (!size_mul((size_t)(count), sizeof(type), &length) || !size_add(length, MODEL_ALIGN - 1, &length) ||              \
      !size_add(at, length / MODEL_ALIGN * MODEL_ALIGN, &at))                                                          \
    return false;
  NETWORK_ARRAYS(MODEL_PLACE)
#undef MODEL_PLACE
  *bytes = at;
  return true;
}

ness_network *network_create(const ness_network *sizes)
{
  ness_network shape = *sizes;
  size_t bytes, whole;
  if (!model_layout(&shape, NULL, &bytes) || !size_add(bytes, MODEL_ALIGN + sizeof(void *), &whole)) {
    return NULL;
  }
  unsigned char *block = mem_zero(whole, 1);
  if (!block) {
    return NULL;
  }
  /* The pointer to be freed lies right before the aligned block. */
  const size_t skip = MODEL_ALIGN - (size_t)((uintptr_t)(block + sizeof(void *)) % MODEL_ALIGN);
  unsigned char *base = block + sizeof(void *) + skip % MODEL_ALIGN;
  memcpy(base - sizeof(void *), &block, sizeof(void *));
  ness_network *self = (ness_network *)(void *)base;
#define MODEL_COPY(name) self->name = sizes->name;
  NETWORK_SIZES(MODEL_COPY)
#undef MODEL_COPY
  model_layout(self, base, &bytes);
  self->temperature = sizes->temperature;
  self->model_name = self->name;
  self->bytes = bytes;
  return self;
}

void network_free(ness_network *self)
{
  if (self) {
    void *block;
    memcpy(&block, (unsigned char *)self - sizeof(void *), sizeof block);
    mem_free(block);
  }
}

#define MODEL_COPY_D(type, field, count)
#define MODEL_COPY_S(type, field, count)                                                                               \
  if ((count) > 0) memcpy(model_writable(to->field), n->field, (size_t)(count) * sizeof(type));
#define MODEL_COPY(stored, type, field, count) MODEL_COPY_##stored(type, field, count)

static void model_copy(ness_network *to, const ness_network *n)
{
  NETWORK_SIZES(MODEL_LOCAL)
  NETWORK_ARRAYS(MODEL_COPY)
  to->model_name = to->name + (n->model_name - n->name);
}

ness_status network_complete(ness_network **self, ness_diags *diags)
{
  ness_network *old = *self;
  ness_status status = model_verify(old, diags);
  if (status) {
    return status;
  }
  ness_network sizes = *old;
  status = model_derive_sizes(old, &sizes, diags);
  if (status) {
    return status;
  }
  ness_network *whole = network_create(&sizes);
  if (!whole) {
    return NESS_NOMEM;
  }
  model_copy(whole, old);
  status = model_derive(whole);
  if (status) {
    network_free(whole);
    return status;
  }
  network_free(old);
  *self = whole;
  return NESS_OK;
}
