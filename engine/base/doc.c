/* Result trees: building and reading. Invariant: nodes and texts live in one arena, objects keep the order of their
 * keys, and a failed addition returns NULL, which every later call passes over; doc_finish tells. Cost: an addition is
 * O(1) plus its text, a path O(children along the way). The renderers are in doc_json.c and doc_text.c. */
#include "doc_node.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ness_doc {
  arena nodes;
  doc_node *root;
};

static doc_node *doc_add(doc_node *parent, const char *key, doc_kind kind)
{
  if (!parent) {
    return NULL;
  }
  arena *nodes = &parent->doc->nodes;
  doc_node *node = arena_alloc(nodes, sizeof *node);
  if (!node) {
    return NULL;
  }
  node->doc = parent->doc;
  node->kind = kind;
  if (parent->kind == DOC_OBJECT) {
    key = key ? key : "";
    node->key = arena_text(nodes, key, strlen(key));
    if (!node->key) {
      return NULL;
    }
  }
  if (parent->last) {
    parent->last->next = node;
  } else {
    parent->first = node;
  }
  parent->last = node;
  parent->count++;
  return node;
}

ness_doc *doc_create(const char *kind)
{
  ness_doc *self = mem_zero(1, sizeof *self);
  if (!self) {
    return NULL;
  }
  self->root = arena_alloc(&self->nodes, sizeof *self->root);
  if (!self->root) {
    ness_doc_free(self);
    return NULL;
  }
  self->root->doc = self;
  self->root->kind = DOC_OBJECT;
  doc_string(self->root, "schema", "ness/1");
  doc_string(self->root, "kind", "%s", kind);
  doc_string(self->root, "version", "%s", ness_version_text());
  return self;
}

ness_status doc_finish(ness_doc *self)
{
  return self && !self->nodes.failed ? NESS_OK : NESS_NOMEM;
}

doc_node *doc_root(ness_doc *self)
{
  return self ? self->root : NULL;
}

const doc_node *doc_top(const ness_doc *self)
{
  return self ? self->root : NULL;
}

void ness_doc_free(ness_doc *self)
{
  if (self) {
    arena_free(&self->nodes);
    mem_free(self);
  }
}

doc_node *doc_object(doc_node *parent, const char *key)
{
  return doc_add(parent, key, DOC_OBJECT);
}

doc_node *doc_array(doc_node *parent, const char *key)
{
  return doc_add(parent, key, DOC_ARRAY);
}

void doc_number(doc_node *parent, const char *key, double value)
{
  doc_node *node = doc_add(parent, key, DOC_NUMBER);
  if (node) {
    node->number = value;
  }
}

void doc_int(doc_node *parent, const char *key, int64_t value)
{
  doc_node *node = doc_add(parent, key, DOC_INT);
  if (node) {
    node->integer = value;
  }
}

void doc_bool(doc_node *parent, const char *key, bool value)
{
  doc_node *node = doc_add(parent, key, DOC_BOOL);
  if (node) {
    node->integer = value;
  }
}

void doc_null(doc_node *parent, const char *key)
{
  doc_add(parent, key, DOC_NULL);
}

void doc_string(doc_node *parent, const char *key, const char *format, ...)
{
  va_list args;
  doc_node *node = doc_add(parent, key, DOC_STRING);
  if (!node) {
    return;
  }
  char *copy;
  va_start(args, format);
  if (strcmp(format, "%s") == 0) { /* most are a name as it stands, and printf has a long way to it */
    const char *const given = va_arg(args, const char *), *const name = given ? given : "(null)";
    copy = arena_text(&node->doc->nodes, name, strlen(name));
  } else {
    copy = arena_print(&node->doc->nodes, format, args);
  }
  va_end(args);
  node->string = copy ? copy : ""; /* a string node always has a string, even when the tree failed */
}

/* Keys may hold dots and brackets themselves ("Na.out"): every key that the path goes on with is tried. */
static const doc_node *doc_find(const doc_node *node, const char *path)
{
  if (!node || !*path) {
    return node;
  }
  if (node->kind == DOC_ARRAY && *path == '[') {
    char *end;
    errno = 0;
    const long long index = strtoll(path + 1, &end, 10);
    if (end == path + 1 || *end != ']' || errno || index < 0 || index >= node->count) {
      return NULL;
    }
    const doc_node *child = node->first;
    for (long long i = 0; i < index; i++) {
      child = child->next;
    }
    end++;
    return doc_find(child, *end == '.' ? end + 1 : end);
  }
  for (const doc_node *child = node->first; child && node->kind == DOC_OBJECT; child = child->next) {
    const size_t length = strlen(child->key);
    if (length == 0 || strncmp(path, child->key, length) != 0) {
      continue;
    }
    const char *rest = path + length;
    const doc_node *found = NULL;
    if (*rest == 0 || *rest == '[') {
      found = doc_find(child, rest);
    } else if (*rest == '.' && rest[1]) {
      found = doc_find(child, rest + 1);
    }
    if (found) {
      return found;
    }
  }
  return NULL;
}

const doc_node *doc_at(const ness_doc *self, const char *path)
{
  return self && path ? doc_find(self->root, path) : NULL;
}

double ness_doc_number(const ness_doc *self, const char *path)
{
  const doc_node *node = doc_at(self, path);
  if (!node) {
    return (double)NAN;
  }
  switch (node->kind) {
  case DOC_NUMBER: return node->number;
  case DOC_INT:
  case DOC_BOOL: return (double)node->integer;
  default: return (double)NAN;
  }
}

const char *ness_doc_string(const ness_doc *self, const char *path)
{
  const doc_node *node = doc_at(self, path);
  return node && node->kind == DOC_STRING ? node->string : NULL;
}

int32_t ness_doc_count(const ness_doc *self, const char *path)
{
  const doc_node *node = doc_at(self, path);
  return node && (node->kind == DOC_ARRAY || node->kind == DOC_OBJECT) ? node->count : -1;
}
