// What the readers of Polymarket's market channel share: numbers, tokens, and the parser's memory.
#ifndef BULKHEAD_POLYMARKET_PARSER_HPP
#define BULKHEAD_POLYMARKET_PARSER_HPP
#include "polymarket_stream.h"

#include <simdjson.h>

#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

using namespace simdjson;
using std::string_view;

namespace bh_pm {

constexpr int64_t scale = 100000000;
constexpr int64_t powers[9] = {100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};

struct Binding {
  int32_t book;
  int64_t tick;
};

struct TokenHash {
  size_t operator()(string_view text) const noexcept {
    // Tokens are random digits: words that are turned against each other and mixed once at the end tell them apart.
    uint64_t hash = text.size();
    const char *bytes = text.data();
    size_t left = text.size();
    while (left >= 8) {
      uint64_t word;
      memcpy(&word, bytes, 8);
      hash = (hash << 9 | hash >> 55) ^ word;
      bytes += 8;
      left -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, left);
    hash = ((hash << 9 | hash >> 55) ^ rest) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 32;
  }
};

// A scalar's text without its quotes; texts with escapes keep their backslashes.
inline string_view scalar(ondemand::value value) {
  string_view token = value.raw_json_token();
  size_t end = token.size();
  if (end > 0 && token[0] == '"') {
    while (end > 1 && token[end - 1] != '"') end--;
    return end > 1 ? token.substr(1, end - 2) : string_view();
  }
  while (end > 0 && (token[end - 1] == ' ' || token[end - 1] == '\n' || token[end - 1] == '\r' || token[end - 1] == '\t'))
    end--;
  return token.substr(0, end);
}

inline bh_slice slice(string_view text) { return {text.data(), text.size()}; }

// Plain decimal text of up to 18 digits; anything else goes the careful way.
inline int decimal(string_view text, int64_t *raw) {
  const char *p = text.data();
  const char *end = p + text.size();
  uint64_t value = 0;
  if (text.size() - 1 > 17) return bh_decimal(text.data(), text.size(), raw);
  while (p < end && static_cast<unsigned char>(*p - '0') < 10) value = value * 10 + static_cast<unsigned char>(*p++ - '0');
  if (p == end) {
    if (value > static_cast<uint64_t>(INT64_MAX / scale)) return BH_PM_TOO_LARGE;
    *raw = static_cast<int64_t>(value) * scale;
    return BH_PM_OK;
  }
  if (*p != '.' || value > 99999999) return bh_decimal(text.data(), text.size(), raw);
  const char *fraction = ++p;
  while (p < end && static_cast<unsigned char>(*p - '0') < 10) value = value * 10 + static_cast<unsigned char>(*p++ - '0');
  if (p != end || p - fraction > 8 || text.size() == 1) return bh_decimal(text.data(), text.size(), raw);
  *raw = static_cast<int64_t>(value) * powers[p - fraction];
  return BH_PM_OK;
}

// A constant divisor becomes a multiplication: the usual grids are tried by name.
inline bool on_grid(int64_t price, int64_t tick) {
  switch (tick) {
    case 1000000: return price % 1000000 == 0;
    case 100000: return price % 100000 == 0;
    case 10000: return price % 10000 == 0;
    case 0: return true;
    default: return price % tick == 0;
  }
}

}  // namespace bh_pm

using namespace bh_pm;

struct bh_pm_parser {
  ondemand::parser json;
  ondemand::document *document = nullptr;   // the one being read
  std::vector<bh_pm_event> events;
  std::vector<bh_level> levels;
  std::vector<bh_pm_change> changes;
  const char *limit = nullptr;              // the end of the frame
  std::deque<std::string> tokens;
  std::unordered_map<string_view, Binding, TokenHash> bindings;

  Binding lookup(string_view token) const {
    auto found = bindings.find(token);
    return found == bindings.end() ? Binding{-1, 0} : found->second;
  }
};

#endif
