// A whole JSON document as a flat array of nodes: the cold path's reader, one call for each document.
#ifndef BULKHEAD_JSON_TREE_H
#define BULKHEAD_JSON_TREE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum {
  BH_JSON_NULL = 0,
  BH_JSON_FALSE = 1,
  BH_JSON_TRUE = 2,
  BH_JSON_NUMBER = 3,
  BH_JSON_STRING = 4,
  BH_JSON_ARRAY = 5,
  BH_JSON_OBJECT = 6
};

// Depth first: the children of node i stand from i + 1 up to `next`, which is the first node after its subtree.
typedef struct bh_json_node {
  uint32_t kind;
  uint32_t next;
  // Member name, unescaped: a slice of `text`. Empty where the parent is no object.
  uint32_t key_offset;
  uint32_t key_length;
  // String: its unescaped bytes. Number: its bytes as written. Array, object: `value_length` is the count of children.
  uint32_t value_offset;
  uint32_t value_length;
} bh_json_node;

typedef struct bh_json_tree {
  const bh_json_node *nodes;
  size_t node_count;
  const char *text;
  size_t text_length;
  // Owns what the pointers above show.
  void *storage;
} bh_json_tree;

enum {
  BH_JSON_OK = 0,
  BH_JSON_MALFORMED = 1,
  BH_JSON_TOO_DEEP = 2,
  BH_JSON_TOO_LARGE = 3,
  BH_JSON_NOT_UTF8 = 4,
  BH_JSON_NO_MEMORY = 5
};

// Reads one document. On BH_JSON_OK `tree` must be given to bh_json_tree_free; otherwise it is empty.
// `bytes` needs no padding. No number passes through a floating-point type.
int bh_json_tree_read(const char *bytes, size_t length, size_t depth_max, size_t nodes_max, bh_json_tree *tree);
void bh_json_tree_free(bh_json_tree *tree);

// Whether the bytes are UTF-8: no surrogates, no overlong forms, nothing beyond U+10FFFF. Answers 1 or 0.
int bh_utf8_is_valid(const char *bytes, size_t length);

#ifdef __cplusplus
}
#endif
#endif
