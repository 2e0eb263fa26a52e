// What stands exactly as the venue writes it, read in one pass without an index of its structure.
#ifndef BULKHEAD_POLYMARKET_VERBATIM_HPP
#define BULKHEAD_POLYMARKET_VERBATIM_HPP
#include "polymarket_parser.hpp"

#ifdef __SSE4_1__
#include <immintrin.h>
#endif

// The venue writes its messages the same way each time. A frame without a blank, an escape or anything else that is not
// plain is read here; at the first byte that differs, at every number that is not plain or not in order, and at every
// mistake, the frame is read again from the start by the careful functions, which also say what is wrong with it.
namespace bh_pm::verbatim {

template <size_t count>
inline bool take(const char *&p, const char (&text)[count]) {
  if (memcmp(p, text, count - 1) != 0) return false;
  p += count - 1;
  return true;
}

// A number of up to seven digits before the point and eight behind it, up to its closing quote.
inline bool take_decimal(const char *&p, int64_t *raw) {
#ifdef __SSE4_1__
  const __m128i lanes = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
  unsigned quotes = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('"'))));
  if (!quotes) return false;
  int count = __builtin_ctz(quotes);
  unsigned here = (1u << count) - 1;
  unsigned points = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')))) & here;
  __m128i values = _mm_sub_epi8(text, _mm_set1_epi8('0'));
  __m128i plain = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
  unsigned digits = static_cast<unsigned>(_mm_movemask_epi8(plain)) & here;
  if ((digits | points) != here || digits == 0 || (points & (points - 1)) != 0) return false;
  int whole = points ? __builtin_ctz(points) : count;
  if (whole > 7 || count - whole > 9) return false;
  // Two numbers of eight digits: the whole part flush right, the fraction flush left.
  __m128i kept = _mm_and_si128(values, _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(count)), lanes));
  __m128i shift = _mm_blend_epi16(
      _mm_set1_epi8(static_cast<char>(whole - 8)), _mm_set1_epi8(static_cast<char>(whole - 7)), 0xF0);
  __m128i placed = _mm_shuffle_epi8(kept, _mm_add_epi8(lanes, shift));
  __m128i pairs = _mm_maddubs_epi16(placed, _mm_set1_epi16(1 << 8 | 10));
  __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
  __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
  uint64_t both = static_cast<uint64_t>(_mm_cvtsi128_si64(eights));
  *raw = static_cast<int64_t>(both & 0xFFFFFFFF) * scale + static_cast<int64_t>(both >> 32);
  p += count;
  return true;
#else
  (void)p;
  (void)raw;
  return false;
#endif
}

// Whether so many bytes are neither quotes nor backslashes.
inline bool is_plain(const char *p, size_t count) {
  int found = 0;
  for (size_t i = 0; i < count; i++) found |= (p[i] == '"') | (p[i] == '\\');
  return found == 0;
}

// A text of printable ASCII without escapes, of up to 127 bytes.
inline bool take_text(const bh_pm_parser *parser, const char *&p, string_view &text) {
  if (!take(p, "\"")) return false;
  ptrdiff_t room = parser->limit - p;
  if (room <= 0) return false;
  const void *end = memchr(p, '"', static_cast<size_t>(room < 128 ? room : 128));
  if (!end) return false;
  text = {p, static_cast<size_t>(static_cast<const char *>(end) - p)};
  int found = 0;
  for (char c : text) found |= (c < 0x20) | (c == 0x7F) | (c == '\\');
  p += text.size() + 1;
  return found == 0;
}

// `[{"price":"0.48","size":"30"},…]`: answers what follows, or null.
inline const char *levels(bh_pm_parser *parser, const char *p) {
  if (!take(p, "[")) return nullptr;
  if (*p == ']') return p + 1;
  while (p < parser->limit) {
    bh_level level;
    if (!take(p, "{\"price\":\"") || !take_decimal(p, &level.price)) return nullptr;
    if (!take(p, "\",\"size\":\"") || !take_decimal(p, &level.quantity) || !take(p, "\"}")) return nullptr;
    if (level.price <= 0 || level.price >= scale) return nullptr;
    if (level.quantity > 0) parser->levels.push_back(level);
    if (*p == ']') return p + 1;
    if (!take(p, ",")) return nullptr;
  }
  return nullptr;
}

// `[{"asset_id":"71…","price":"0.5","size":"200","side":"BUY","hash":"56…","best_bid":"0.5","best_ask":"1"},…]`, of
// tokens that are bound: answers what follows, or null.
inline const char *changes(bh_pm_parser *parser, const char *p) {
  if (!take(p, "[")) return nullptr;
  while (p < parser->limit) {
    if (!take(p, "{\"asset_id\":\"") || p >= parser->limit) return nullptr;
    const void *quote = memchr(p, '"', static_cast<size_t>(parser->limit - p));
    if (!quote) return nullptr;
    size_t count = static_cast<size_t>(static_cast<const char *>(quote) - p);
    // A whole change has more than this behind its token, so that nothing below reads beyond the frame's slack.
    if (parser->limit - p < static_cast<ptrdiff_t>(count) + 60) return nullptr;
    // What it is bound to comes from memory while the rest is read.
    TokenKey token = parser->bindings.key({p, count});
    parser->bindings.prefetch(token);
    bh_pm_change change = {-1, 0, 0, 0, -1, -1};
    p += count;
    if (!take(p, "\",\"price\":\"") || !take_decimal(p, &change.price)) return nullptr;
    if (!take(p, "\",\"size\":\"") || !take_decimal(p, &change.quantity)) return nullptr;
    if (!take(p, "\",\"side\":\"")) return nullptr;
    if (take(p, "SELL")) change.side = 1;
    else if (!take(p, "BUY")) return nullptr;
    if (!take(p, "\",\"hash\":\"") || p + 40 > parser->limit || !is_plain(p, 40)) return nullptr;
    p += 40;
    int64_t best_bid, best_ask;
    if (!take(p, "\",\"best_bid\":\"") || !take_decimal(p, &best_bid)) return nullptr;
    if (!take(p, "\",\"best_ask\":\"") || !take_decimal(p, &best_ask) || !take(p, "\"}")) return nullptr;
    if (best_bid > scale || best_ask > scale) return nullptr;
    change.best_bid = static_cast<int32_t>(best_bid);
    change.best_ask = static_cast<int32_t>(best_ask);
    Binding binding = parser->bindings.find(token);
    if (binding.book < 0) return nullptr;
    parser->prefetch_book(binding.book);
    change.book = binding.book;
    if (change.price <= 0 || change.price >= scale || !on_grid(change.price, binding.tick)) return nullptr;
    parser->changes.push_back(change);
    if (*p == ']') return p + 1;
    if (!take(p, ",")) return nullptr;
  }
  return nullptr;
}

}  // namespace bh_pm::verbatim

#endif
