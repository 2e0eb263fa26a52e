// What the readers of Polymarket's market channel share: numbers, tokens, and the parser's memory.
#ifndef BULKHEAD_POLYMARKET_PARSER_HPP
#define BULKHEAD_POLYMARKET_PARSER_HPP
#include "polymarket_stream.h"

#include <simdjson.h>

#include <cstring>
#include <string>
#include <string_view>
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

// Tokens and what they are bound to: open addressing over a power of two, never more than half full. The texts lie one
// behind the other.
class Bindings {
 public:
  Bindings() : slots(1024) {}

  Binding find(string_view token) const {
    const Slot &slot = slots[place(token, hash(token))];
    return slot.size == 0 ? Binding{-1, 0} : Binding{slot.book, ticks[slot.tick]};
  }

  // A token is no longer than 65,535 bytes; there are as few ticks as the venue has grids.
  void bind(string_view token, Binding binding) {
    uint16_t tick = tick_number(binding.tick);
    if (token.size() > UINT16_MAX || tick == ticks.size()) return;
    uint64_t hashed = hash(token);
    Slot *slot = &slots[place(token, hashed)];
    if (slot->size == 0) {
      if (++used * 2 > slots.size()) {
        grow();
        slot = &slots[place(token, hashed)];
      }
      slot->check = static_cast<uint32_t>(hashed >> 32);
      slot->start = static_cast<uint32_t>(texts.size());
      slot->size = static_cast<uint16_t>(token.size());
      texts.append(token);
    }
    slot->book = binding.book;
    slot->tick = tick;
  }

 private:
  // Empty where it has no size.
  struct Slot {
    uint32_t check = 0;  // the upper half of the hash
    uint32_t start = 0;
    int32_t book = -1;
    uint16_t size = 0;
    uint16_t tick = 0;
  };

  std::vector<Slot> slots;
  std::string texts;
  std::vector<int64_t> ticks;
  size_t used = 0;

  // Tokens are random digits: words that are turned against each other and mixed once at the end tell them apart.
  static uint64_t hash(string_view text) {
    uint64_t hash = text.size();
    const char *bytes = text.data();
    size_t left = text.size();
    for (; left >= 8; bytes += 8, left -= 8) {
      uint64_t word;
      memcpy(&word, bytes, 8);
      hash = (hash << 9 | hash >> 55) ^ word;
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, left);
    hash = ((hash << 9 | hash >> 55) ^ rest) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 32;
  }

  uint16_t tick_number(int64_t tick) {
    size_t number = 0;
    while (number < ticks.size() && ticks[number] != tick) number++;
    if (number == ticks.size() && number < UINT16_MAX) ticks.push_back(tick);
    return static_cast<uint16_t>(number);
  }

  string_view text(const Slot &slot) const { return {texts.data() + slot.start, slot.size}; }

  // Where the token is, or where it would be.
  size_t place(string_view token, uint64_t hashed) const {
    uint32_t check = static_cast<uint32_t>(hashed >> 32);
    size_t place = hashed & (slots.size() - 1);
    while (slots[place].size != 0 && (slots[place].check != check || text(slots[place]) != token))
      place = (place + 1) & (slots.size() - 1);
    return place;
  }

  void grow() {
    std::vector<Slot> old(slots.size() * 2);
    old.swap(slots);
    for (const Slot &slot : old)
      if (slot.size != 0) slots[place(text(slot), hash(text(slot)))] = slot;
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
  Bindings bindings;

  Binding lookup(string_view token) const { return bindings.find(token); }
};

#endif
