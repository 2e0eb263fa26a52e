#include "json_tree.h"

#include <memory>
#include <new>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace simdjson;

struct Storage {
  std::vector<bh_json_node> nodes;
  std::string text;
};

int code_of(error_code error) {
  switch (error) {
    case SUCCESS: return BH_JSON_OK;
    case DEPTH_ERROR: return BH_JSON_TOO_DEEP;
    case CAPACITY: return BH_JSON_TOO_LARGE;
    case UTF8_ERROR: return BH_JSON_NOT_UTF8;
    case MEMALLOC: return BH_JSON_NO_MEMORY;
    default: return BH_JSON_MALFORMED;
  }
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  return text;
}

// The grammar of RFC 8259, section 6.
bool is_number(std::string_view text) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') i++;
    return i - start;
  };
  if (i < text.size() && text[i] == '-') i++;
  if (i < text.size() && text[i] == '0') {
    i++;
  } else if (digits() == 0) {
    return false;
  }
  if (i < text.size() && text[i] == '.') {
    i++;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    i++;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) i++;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

class Reader {
 public:
  Reader(Storage &storage, size_t depth_max, size_t nodes_max)
      : storage(storage), depth_max(depth_max), nodes_max(nodes_max) {}

  int document(ondemand::document &document) {
    bool scalar;
    if (auto error = document.is_scalar().get(scalar)) return code_of(error);
    if (!scalar) {
      ondemand::value root;
      if (auto error = document.get_value().get(root)) return code_of(error);
      if (int failure = value(root, 1)) return failure;
      return at_end(document) ? BH_JSON_OK : BH_JSON_MALFORMED;
    }
    ondemand::json_type type;
    if (auto error = document.type().get(type)) return code_of(error);
    bh_json_node *node = append();
    if (node == nullptr) return BH_JSON_TOO_LARGE;
    node->next = 1;
    if (type == ondemand::json_type::string) {
      std::string_view string;
      if (auto error = document.get_string().get(string)) return code_of(error);
      keep(string, node->value_offset, node->value_length);
      node->kind = BH_JSON_STRING;
      return at_end(document) ? BH_JSON_OK : BH_JSON_MALFORMED;
    }
    return BH_JSON_MALFORMED;
  }

  // A number, true, false or null that is the whole document.
  int lone_token(std::string_view token) {
    bh_json_node *node = append();
    if (node == nullptr) return BH_JSON_TOO_LARGE;
    node->next = 1;
    return scalar(token, *node);
  }

 private:
  Storage &storage;
  const size_t depth_max, nodes_max;

  static bool at_end(ondemand::document &document) { return document.current_location().error() == OUT_OF_BOUNDS; }

  bh_json_node *append() {
    if (storage.nodes.size() >= nodes_max) return nullptr;
    storage.nodes.push_back(bh_json_node{});
    return &storage.nodes.back();
  }

  void keep(std::string_view text, uint32_t &offset, uint32_t &length) {
    offset = uint32_t(storage.text.size());
    length = uint32_t(text.size());
    storage.text.append(text);
  }

  int scalar(std::string_view token, bh_json_node &node) {
    if (token == "null") {
      node.kind = BH_JSON_NULL;
    } else if (token == "true") {
      node.kind = BH_JSON_TRUE;
    } else if (token == "false") {
      node.kind = BH_JSON_FALSE;
    } else if (is_number(token)) {
      node.kind = BH_JSON_NUMBER;
      keep(token, node.value_offset, node.value_length);
    } else {
      return BH_JSON_MALFORMED;
    }
    return BH_JSON_OK;
  }

  // Appends the value as a node that has no key yet.
  int value(ondemand::value &value, size_t depth) {
    const size_t index = storage.nodes.size();
    if (append() == nullptr) return BH_JSON_TOO_LARGE;
    return fill(value, index, depth);
  }

  int fill(ondemand::value &value, size_t index, size_t depth) {
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return code_of(error);
    int failure = BH_JSON_OK;
    switch (type) {
      case ondemand::json_type::array: failure = array(value, index, depth); break;
      case ondemand::json_type::object: failure = object(value, index, depth); break;
      case ondemand::json_type::string: {
        std::string_view string;
        if (auto error = value.get_string().get(string)) return code_of(error);
        bh_json_node &node = storage.nodes[index];
        node.kind = BH_JSON_STRING;
        keep(string, node.value_offset, node.value_length);
        break;
      }
      default: failure = scalar(trimmed(value.raw_json_token()), storage.nodes[index]);
    }
    storage.nodes[index].next = uint32_t(storage.nodes.size());
    return failure;
  }

  int array(ondemand::value &value, size_t index, size_t depth) {
    if (depth > depth_max) return BH_JSON_TOO_DEEP;
    storage.nodes[index].kind = BH_JSON_ARRAY;
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return code_of(error);
    for (auto element : array) {
      ondemand::value child;
      if (auto error = element.get(child)) return code_of(error);
      if (int failure = this->value(child, depth + 1)) return failure;
      storage.nodes[index].value_length++;
    }
    return BH_JSON_OK;
  }

  int object(ondemand::value &value, size_t index, size_t depth) {
    if (depth > depth_max) return BH_JSON_TOO_DEEP;
    storage.nodes[index].kind = BH_JSON_OBJECT;
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return code_of(error);
    for (auto member : object) {
      ondemand::field field;
      if (auto error = std::move(member).get(field)) return code_of(error);
      std::string_view key;
      if (auto error = field.unescaped_key().get(key)) return code_of(error);
      const size_t child = storage.nodes.size();
      bh_json_node *node = append();
      if (node == nullptr) return BH_JSON_TOO_LARGE;
      keep(key, node->key_offset, node->key_length);
      if (int failure = fill(field.value(), child, depth + 1)) return failure;
      storage.nodes[index].value_length++;
    }
    return BH_JSON_OK;
  }
};

int read(std::string_view bytes, size_t depth_max, size_t nodes_max, Storage &storage) {
  const std::string_view token = trimmed(bytes);
  if (token.empty()) return BH_JSON_MALFORMED;
  Reader reader(storage, depth_max, nodes_max);
  const char first = token.front();
  if (first != '{' && first != '[' && first != '"') return reader.lone_token(token);
  const padded_string padded(bytes);
  ondemand::parser parser;
  // simdjson's own limit must not be met first: it counts a level more.
  if (auto error = parser.allocate(padded.size(), depth_max + 2)) return code_of(error);
  ondemand::document document;
  if (auto error = parser.iterate(padded).get(document)) return code_of(error);
  return reader.document(document);
}

}  // namespace

extern "C" int bh_json_tree_read(
    const char *bytes, size_t length, size_t depth_max, size_t nodes_max, bh_json_tree *tree) {
  *tree = bh_json_tree{};
  // Offsets are 32 bits wide, and so are simdjson's.
  if (length > 0x7FFFFFFF) return BH_JSON_TOO_LARGE;
  if (nodes_max > 0x7FFFFFFF) nodes_max = 0x7FFFFFFF;
  try {
    auto storage = std::make_unique<Storage>();
    storage->text.reserve(length / 2);
    const int failure = read(std::string_view(bytes, length), depth_max, nodes_max, *storage);
    if (failure != BH_JSON_OK) return failure;
    tree->nodes = storage->nodes.data();
    tree->node_count = storage->nodes.size();
    tree->text = storage->text.data();
    tree->text_length = storage->text.size();
    tree->storage = storage.release();
    return BH_JSON_OK;
  } catch (const std::bad_alloc &) {
    return BH_JSON_NO_MEMORY;
  }
}

extern "C" void bh_json_tree_free(bh_json_tree *tree) {
  delete static_cast<Storage *>(tree->storage);
  *tree = bh_json_tree{};
}

extern "C" int bh_utf8_is_valid(const char *bytes, size_t length) {
  return length == 0 || simdjson::validate_utf8(bytes, length) ? 1 : 0;
}
