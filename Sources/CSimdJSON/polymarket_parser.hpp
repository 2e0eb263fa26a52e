// What the readers of Polymarket's market channel share: numbers, tokens, and the parser's memory.
#ifndef BULKHEAD_POLYMARKET_PARSER_HPP
#define BULKHEAD_POLYMARKET_PARSER_HPP
#include "polymarket_stream.h"

#include <simdjson.h>

#include <stdlib.h>
#include <sys/mman.h>

#include <cstring>
#include <new>
#include <random>
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

// By what a token is known: 128 bits of a hash whose keys are drawn at the start, so that nobody can choose two tokens
// that have the same, and two of 2^32 tokens have the same with a chance of 2^-65.
struct TokenKey {
  uint64_t first;
  uint64_t second;
};

// Memory of 2 MB and more in pages of 2 MB, where the system has them: what is looked up at random is found in fewer
// steps.
template <typename Element>
struct LargePages {
  using value_type = Element;

  LargePages() = default;
  template <typename Other>
  LargePages(const LargePages<Other> &) {}

  Element *allocate(size_t count) {
    constexpr size_t page = size_t{2} << 20;
    size_t bytes = count * sizeof(Element);
    void *memory = nullptr;
    if (posix_memalign(&memory, bytes >= page ? page : 64, bytes) != 0) throw std::bad_alloc();
    if (bytes >= page) madvise(memory, bytes, MADV_HUGEPAGE);
    return static_cast<Element *>(memory);
  }

  void deallocate(Element *memory, size_t) { free(memory); }

  bool operator==(const LargePages &) const { return true; }
};

// Tokens and what they are bound to: open addressing over a power of two, never more than half full.
class Bindings {
 public:
  Bindings() : slots(1024) {
    std::random_device source;
    for (uint64_t &key : keys) key = static_cast<uint64_t>(source()) << 32 | source();
  }

  // Two products of 64 by 64 bits for each sixteen bytes, folded.
  TokenKey key(string_view token) const {
    TokenKey key = {keys[0] ^ token.size(), keys[1]};
    const char *bytes = token.data();
    size_t left = token.size();
    for (; left >= 16; bytes += 16, left -= 16) mix(key, word(bytes, 8), word(bytes + 8, 8));
    if (left > 0) mix(key, word(bytes, left < 8 ? left : 8), left > 8 ? word(bytes + 8, left - 8) : 0);
    mix(key, keys[4], token.size());
    return key;
  }

  // Begins to bring what a token is bound to.
  void prefetch(TokenKey key) const { __builtin_prefetch(&slots[key.first & (slots.size() - 1)]); }

  Binding find(TokenKey key) const {
    const Slot &slot = slots[place(key)];
    return slot.isUsed ? Binding{slot.book, ticks[slot.tick]} : Binding{-1, 0};
  }

  // There are as few ticks as the venue has grids.
  void bind(TokenKey key, Binding binding) {
    uint16_t tick = tick_number(binding.tick);
    if (tick == ticks.size()) return;
    Slot *slot = &slots[place(key)];
    if (!slot->isUsed) {
      if (++used * 2 > slots.size()) {
        grow();
        slot = &slots[place(key)];
      }
      slot->key = key;
      slot->isUsed = true;
    }
    slot->book = binding.book;
    slot->tick = tick;
  }

 private:
  struct Slot {
    TokenKey key = {0, 0};
    int32_t book = -1;
    uint16_t tick = 0;
    bool isUsed = false;
  };

  uint64_t keys[5];
  std::vector<Slot, LargePages<Slot>> slots;
  std::vector<int64_t> ticks;
  size_t used = 0;

  static uint64_t word(const char *bytes, size_t count) {
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return word;
  }

  static uint64_t fold(uint64_t left, uint64_t right) {
    unsigned __int128 product = static_cast<unsigned __int128>(left) * right;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  void mix(TokenKey &key, uint64_t first, uint64_t second) const {
    uint64_t left = fold(key.first ^ first, keys[2] ^ second);
    key.second = fold(key.second ^ second, keys[3] ^ first) + key.first;
    key.first = left;
  }

  uint16_t tick_number(int64_t tick) {
    size_t number = 0;
    while (number < ticks.size() && ticks[number] != tick) number++;
    if (number == ticks.size() && number < UINT16_MAX) ticks.push_back(tick);
    return static_cast<uint16_t>(number);
  }

  // Where the token is, or where it would be.
  size_t place(TokenKey key) const {
    size_t place = key.first & (slots.size() - 1);
    while (slots[place].isUsed && (slots[place].key.first != key.first || slots[place].key.second != key.second))
      place = (place + 1) & (slots.size() - 1);
    return place;
  }

  void grow() {
    std::vector<Slot, LargePages<Slot>> old(slots.size() * 2);
    old.swap(slots);
    for (const Slot &slot : old)
      if (slot.isUsed) slots[place(slot.key)] = slot;
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
  // What the caller knows of each book lies here, one after the other.
  const char *books = nullptr;
  size_t book_stride = 0;

  // Begins to bring what the caller knows of a book.
  void prefetch_book(int32_t book) const {
    if (books) __builtin_prefetch(books + static_cast<size_t>(book) * book_stride);
  }

  Binding lookup(string_view token) const { return bindings.find(bindings.key(token)); }
};

#endif
