/* The inside of a result tree, shared by its builder and by what renders it (doc_text.c, doc_json.c, doc_csv.c, and
 * the pages of analysis/report), and by nobody else. */
#ifndef ENGINE_BASE_DOC_NODE_H
#define ENGINE_BASE_DOC_NODE_H

#include "base.h"

typedef enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_NUMBER, DOC_STRING, DOC_ARRAY, DOC_OBJECT } doc_kind;

struct doc_node {
  ness_doc *doc;
  const char *key; /* NULL inside an array */
  doc_kind kind;
  int32_t count; /* of children */
  doc_node *first, *last, *next;
  union {
    double number;
    int64_t integer; /* and bool */
    const char *string;
  };
};

static inline bool doc_is_scalar(const doc_node *node)
{
  return node->kind < DOC_ARRAY;
}

/* Every child is a scalar: such arrays are written on one line. */
static inline bool doc_is_flat(const doc_node *node)
{
  for (const doc_node *child = node->first; child; child = child->next) {
    if (!doc_is_scalar(child)) {
      return false;
    }
  }
  return true;
}

const doc_node *doc_top(const ness_doc *self);
/* The node at a path; NULL when there is none. */
const doc_node *doc_at(const ness_doc *self, const char *path);

#endif
