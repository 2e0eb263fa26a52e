// Polymarket's market channel: `book`, `price_change` in its three shapes, `last_trade_price`, `tick_size_change`,
// `new_market`, `market_resolved`. A frame is one object or an array of them. Numbers are read from their text.
#include "polymarket_parser.hpp"
#include "polymarket_verbatim.hpp"

namespace {

struct Fault {
  int32_t code = BH_PM_OK;
  const char *field = nullptr;
  int32_t index = -1;
};

bool is(const ondemand::raw_json_string &key, string_view name) { return key.unsafe_is_equal(name); }

void fail(bh_pm_event &event, int32_t code, const char *field, int32_t index = -1) {
  if (event.error != BH_PM_OK) return;
  event.error = code;
  event.field = field;
  event.field_index = index;
}

// Checks that a side is strictly sorted one way, and turns it round if need be.
void finish_levels(bh_pm_parser *parser, bh_pm_event &event, size_t from, bool bids) {
  size_t count = parser->levels.size() - from;
  bh_level *levels = parser->levels.data() + from;
  if (count > 1) {
    bool rising = levels[0].price < levels[1].price;
    for (size_t i = 1; i < count; i++)
      if (rising ? levels[i - 1].price >= levels[i].price : levels[i - 1].price <= levels[i].price)
        return fail(event, BH_PM_UNSORTED, bids ? "bids" : "asks", static_cast<int32_t>(i));
    if (rising != bids)
      for (size_t i = 0; i < count / 2; i++) std::swap(levels[i], levels[count - 1 - i]);
  }
  (bids ? event.bids_from : event.asks_from) = static_cast<uint32_t>(from);
  (bids ? event.bids_count : event.asks_count) = static_cast<uint32_t>(count);
}

// Reads levels in the order received, and checks that they are strictly sorted one way; turns them round if need be.
void read_levels(bh_pm_parser *parser, bh_pm_event &event, ondemand::value value, bool bids, bh_slice &text) {
  const char *field = bids ? "bids" : "asks";
  size_t from = parser->levels.size();
  const char *start = value.raw_json_token().data();
  ondemand::array list;
  if (value.get_array().get(list)) return fail(event, BH_PM_BAD_VALUE, field);
  int32_t index = 0;
  for (auto element : list) {
    ondemand::object level;
    if (element.get_object().get(level)) return fail(event, BH_PM_BAD_VALUE, field, index);
    bh_level out = {0, 0};
    bool has_price = false, has_size = false;
    for (auto member : level) {
      ondemand::raw_json_string key;
      ondemand::value number;
      if (member.key().get(key) || member.value().get(number)) return fail(event, BH_PM_BAD_JSON, field, index);
      if (is(key, "price")) {
        int code = decimal(scalar(number), &out.price);
        if (code) return fail(event, code, bids ? "bids.price" : "asks.price", index);
        has_price = true;
      } else if (is(key, "size")) {
        int code = decimal(scalar(number), &out.quantity);
        if (code) return fail(event, code, bids ? "bids.size" : "asks.size", index);
        has_size = true;
      }
    }
    if (!has_price) return fail(event, BH_PM_MISSING, bids ? "bids.price" : "asks.price", index);
    if (!has_size) return fail(event, BH_PM_MISSING, bids ? "bids.size" : "asks.size", index);
    if (out.price <= 0 || out.price >= scale)
      return fail(event, BH_PM_OUT_OF_RANGE, bids ? "bids.price" : "asks.price", index);
    if (out.quantity < 0) return fail(event, BH_PM_NEGATIVE, bids ? "bids.size" : "asks.size", index);
    if (out.quantity > 0) parser->levels.push_back(out);
    index++;
  }
  // The list's own text, for the book hash: up to the token that follows it.
  const char *end;
  if (parser->document->current_location().get(end)) return fail(event, BH_PM_BAD_JSON, field);
  while (end > start && end[-1] != ']') end--;
  text = {start, static_cast<size_t>(end - start)};
  finish_levels(parser, event, from, bids);
}

// A best price as a change tells it, from 0 to 1; a text that is empty or null tells none.
int best_price(string_view text, int32_t *best) {
  if (text.empty() || text == "null") return BH_PM_OK;
  int64_t price;
  if (int code = decimal(text, &price)) return code;
  if (price < 0 || price > scale) return BH_PM_OUT_OF_RANGE;
  *best = static_cast<int32_t>(price);
  return BH_PM_OK;
}

// The changes of one message: `price_changes` (2025, each with its asset), `changes` (2024, of the message's asset).
void read_changes(bh_pm_parser *parser, bh_pm_event &event, ondemand::value value, const char *field) {
  ondemand::array list;
  if (value.get_array().get(list)) return fail(event, BH_PM_BAD_VALUE, field);
  int32_t index = 0;
  for (auto element : list) {
    ondemand::object object;
    if (element.get_object().get(object)) return fail(event, BH_PM_BAD_VALUE, field, index);
    bh_pm_change change = {-2, 2, -1, -1, -1, -1};
    int64_t tick = 0;
    for (auto member : object) {
      ondemand::raw_json_string key;
      ondemand::value item;
      if (member.key().get(key) || member.value().get(item)) return fail(event, BH_PM_BAD_JSON, field, index);
      int code = BH_PM_OK;
      if (is(key, "asset_id")) {
        Binding binding = parser->lookup(scalar(item));
        change.book = binding.book;
        tick = binding.tick;
      } else if (is(key, "price")) {
        if ((code = decimal(scalar(item), &change.price))) return fail(event, code, "price_changes.price", index);
      } else if (is(key, "size")) {
        if ((code = decimal(scalar(item), &change.quantity))) return fail(event, code, "price_changes.size", index);
        if (change.quantity < 0) return fail(event, BH_PM_NEGATIVE, "price_changes.size", index);
      } else if (is(key, "side")) {
        string_view side = scalar(item);
        if (side == "BUY") change.side = 0;
        else if (side == "SELL") change.side = 1;
        else return fail(event, BH_PM_BAD_VALUE, "price_changes.side", index);
      } else if (is(key, "best_bid")) {
        if ((code = best_price(scalar(item), &change.best_bid)))
          return fail(event, code, "price_changes.best_bid", index);
      } else if (is(key, "best_ask")) {
        if ((code = best_price(scalar(item), &change.best_ask)))
          return fail(event, code, "price_changes.best_ask", index);
      }
    }
    if (change.price == -1) return fail(event, BH_PM_MISSING, "price_changes.price", index);
    if (change.quantity == -1) return fail(event, BH_PM_MISSING, "price_changes.size", index);
    if (change.side == 2) return fail(event, BH_PM_MISSING, "price_changes.side", index);
    if (change.price <= 0 || change.price >= scale) return fail(event, BH_PM_OUT_OF_RANGE, "price_changes.price", index);
    if (!on_grid(change.price, tick)) return fail(event, BH_PM_OFF_GRID, "price_changes.price", index);
    parser->changes.push_back(change);
    index++;
  }
}

void check_book(bh_pm_parser *parser, bh_pm_event &event, int64_t tick) {
  if (!event.bids_text.bytes) return fail(event, BH_PM_MISSING, "bids");
  if (!event.asks_text.bytes) return fail(event, BH_PM_MISSING, "asks");
  if (event.tick) tick = event.tick;
  const bh_level *bids = parser->levels.data() + event.bids_from;
  const bh_level *asks = parser->levels.data() + event.asks_from;
  for (uint32_t i = 0; i < event.bids_count; i++)
    if (!on_grid(bids[i].price, tick)) return fail(event, BH_PM_OFF_GRID, "bids.price", static_cast<int32_t>(i));
  for (uint32_t i = 0; i < event.asks_count; i++)
    if (!on_grid(asks[i].price, tick)) return fail(event, BH_PM_OFF_GRID, "asks.price", static_cast<int32_t>(i));
  if (event.bids_count && event.asks_count &&
      bids[event.bids_count - 1].price >= asks[event.asks_count - 1].price)
    return fail(event, BH_PM_CROSSED, "bids");
}

int32_t kind_of(string_view name) {
  if (name == "price_change") return BH_PM_PRICE_CHANGE;
  if (name == "book") return BH_PM_BOOK;
  if (name == "last_trade_price") return BH_PM_LAST_TRADE;
  if (name == "tick_size_change") return BH_PM_TICK_SIZE;
  if (name == "new_market") return BH_PM_NEW_MARKET;
  if (name == "market_resolved") return BH_PM_MARKET_RESOLVED;
  return BH_PM_OTHER;
}

int64_t whole_number(string_view text) {
  int64_t value = 0;
  if (text.empty() || text.size() > 18) return -1;
  for (char digit : text) {
    if (digit < '0' || digit > '9') return -1;
    value = value * 10 + (digit - '0');
  }
  return value;
}

struct Flat {
  int64_t price = -1, quantity = -1;
  int32_t side = -1;
  Fault fault;
};

// Members that stand alone in a message: the flat price_change of 2024, and last_trade_price.
void finish(bh_pm_parser *parser, bh_pm_event &event, const Flat &flat, Binding binding) {
  if (event.error != BH_PM_OK) return;
  bool has_changes = parser->changes.size() > event.changes_from;
  switch (event.kind) {
    case BH_PM_BOOK:
      if (!event.asset.bytes) return fail(event, BH_PM_MISSING, "asset_id");
      if (event.timestamp_ms < 0) return fail(event, BH_PM_MISSING, "timestamp");
      return check_book(parser, event, binding.tick);
    case BH_PM_PRICE_CHANGE:
      if (event.timestamp_ms < 0) return fail(event, BH_PM_MISSING, "timestamp");
      if (!has_changes) {
        if (!event.asset.bytes) return fail(event, BH_PM_MISSING, "price_changes");
        if (flat.fault.code) return fail(event, flat.fault.code, flat.fault.field);
        if (flat.price < 0) return fail(event, BH_PM_MISSING, "price");
        if (flat.quantity < 0) return fail(event, BH_PM_MISSING, "size");
        if (flat.side < 0) return fail(event, BH_PM_MISSING, "side");
        if (flat.price == 0 || flat.price >= scale) return fail(event, BH_PM_OUT_OF_RANGE, "price");
        if (!on_grid(flat.price, binding.tick)) return fail(event, BH_PM_OFF_GRID, "price");
        parser->changes.push_back({binding.book, static_cast<uint8_t>(flat.side), flat.price, flat.quantity, -1, -1});
      }
      for (size_t i = event.changes_from; i < parser->changes.size(); i++) {
        if (parser->changes[i].book != -2) continue;  // the shape of 2024 names the asset once, perhaps at the end
        if (!event.asset.bytes) return fail(event, BH_PM_MISSING, "asset_id");
        parser->changes[i].book = binding.book;
        if (!on_grid(parser->changes[i].price, binding.tick)) return fail(event, BH_PM_OFF_GRID, "changes.price");
      }
      event.changes_count = static_cast<uint32_t>(parser->changes.size() - event.changes_from);
      return;
    case BH_PM_LAST_TRADE:
      if (!event.asset.bytes) return fail(event, BH_PM_MISSING, "asset_id");
      if (event.timestamp_ms < 0) return fail(event, BH_PM_MISSING, "timestamp");
      if (flat.fault.code) return fail(event, flat.fault.code, flat.fault.field);
      if (flat.price < 0) return fail(event, BH_PM_MISSING, "price");
      if (flat.price >= scale) return fail(event, BH_PM_OUT_OF_RANGE, "price");
      event.price = flat.price;
      event.quantity = flat.quantity;
      event.taker_sells = flat.side == 1;
      return;
    case BH_PM_TICK_SIZE:
      if (!event.asset.bytes) return fail(event, BH_PM_MISSING, "asset_id");
      if (event.tick <= 0) return fail(event, BH_PM_MISSING, "new_tick_size");
      return;
    default:
      return;
  }
}

void read_number(Flat &flat, int64_t &target, const char *field, string_view text) {
  if (text.empty()) return;
  int code = decimal(text, &target);
  if (code == BH_PM_OK && target < 0) code = BH_PM_NEGATIVE;
  if (code != BH_PM_OK && !flat.fault.code) flat.fault = {code, field, -1};
}

bh_pm_event &begin_message(bh_pm_parser *parser) {
  parser->events.push_back({});
  bh_pm_event &event = parser->events.back();
  event.book = -1;
  event.field_index = -1;
  event.timestamp_ms = -1;
  event.changes_from = static_cast<uint32_t>(parser->changes.size());
  return event;
}

// A member that is no list, by its text.
void read_member(
    bh_pm_parser *parser, bh_pm_event &event, Flat &flat, Binding &binding, string_view key, string_view text) {
  if (key == "event_type") event.kind = kind_of(text);
  else if (key == "asset_id") {
    event.asset = slice(text);
    binding = parser->lookup(text);
    event.book = binding.book;
  } else if (key == "timestamp") {
    event.timestamp = slice(text);
    event.timestamp_ms = whole_number(text);
  } else if (key == "market") event.market = slice(text);
  else if (key == "hash") event.hash = slice(text);
  else if (key == "price") read_number(flat, flat.price, "price", text);
  else if (key == "size") read_number(flat, flat.quantity, "size", text);
  else if (key == "side") flat.side = text == "BUY" ? 0 : text == "SELL" ? 1 : -1;
  else if (key == "new_tick_size" || key == "tick_size") {
    bool own = key == "tick_size";
    if (own) event.tick_size = slice(text);
    if (decimal(text, &event.tick) || event.tick <= 0 || event.tick >= scale)
      fail(event, BH_PM_NOT_A_NUMBER, own ? "tick_size" : "new_tick_size");
  } else if (key == "min_order_size") event.min_order_size = slice(text);
  else if (key == "neg_risk") event.neg_risk = slice(text);
  else if (key == "last_trade_price") event.last_trade_price = slice(text);
  else if (key == "winning_asset_id") event.winning_asset = slice(text);
}

int read_message(bh_pm_parser *parser, ondemand::object object) {
  bh_pm_event &event = begin_message(parser);
  Flat flat;
  Binding binding = {-1, 0};
  for (auto member : object) {
    ondemand::raw_json_string key;
    ondemand::value value;
    if (member.key().get(key) || member.value().get(value)) return BH_PM_BAD_JSON;
    if (is(key, "price_changes")) read_changes(parser, event, value, "price_changes");
    else if (is(key, "changes")) read_changes(parser, event, value, "changes");
    else if (is(key, "bids") || is(key, "buys")) read_levels(parser, event, value, true, event.bids_text);
    else if (is(key, "asks") || is(key, "sells")) read_levels(parser, event, value, false, event.asks_text);
    else {
      const char *name = key.raw();
      const void *end = memchr(name, '"', 32);
      size_t count = end ? static_cast<size_t>(static_cast<const char *>(end) - name) : 0;
      if (count) read_member(parser, event, flat, binding, {name, count}, scalar(value));
    }
  }
  finish(parser, event, flat, binding);
  return BH_PM_OK;
}

// A message of plain texts, and of lists that stand to the letter: answers what follows it, or null. What it accepts is
// JSON, for every byte is looked at.
const char *read_verbatim_message(bh_pm_parser *parser, const char *p) {
  if (!verbatim::take(p, "{")) return nullptr;
  bh_pm_event &event = begin_message(parser);
  Flat flat;
  Binding binding = {-1, 0};
  for (;;) {
    string_view key, text;
    if (!verbatim::take_text(parser, p, key) || !verbatim::take(p, ":")) return nullptr;
    if (*p == '[') {
      if (key == "price_changes") {
        if (!(p = verbatim::changes(parser, p))) return nullptr;
      } else if (key == "bids" || key == "asks") {
        bool bids = key == "bids";
        size_t from = parser->levels.size();
        const char *start = p;
        if (!(p = verbatim::levels(parser, p))) return nullptr;
        (bids ? event.bids_text : event.asks_text) = {start, static_cast<size_t>(p - start)};
        finish_levels(parser, event, from, bids);
      } else {
        return nullptr;
      }
    } else {
      const char *start = p;
      if (verbatim::take(p, "true") || verbatim::take(p, "false")) text = {start, static_cast<size_t>(p - start)};
      else if (!verbatim::take_text(parser, p, text)) return nullptr;
      read_member(parser, event, flat, binding, key, text);
    }
    if (verbatim::take(p, "}")) break;
    if (p >= parser->limit || !verbatim::take(p, ",")) return nullptr;
  }
  finish(parser, event, flat, binding);
  return event.error == BH_PM_OK ? p : nullptr;
}

// Whether the frame is one such message, or a list of them.
bool read_verbatim_frame(bh_pm_parser *parser, const char *p) {
  if (*p == '{') return read_verbatim_message(parser, p) == parser->limit;
  if (!verbatim::take(p, "[")) return false;
  for (;;) {
    if (!(p = read_verbatim_message(parser, p))) return false;
    if (verbatim::take(p, "]")) return p == parser->limit;
    if (p >= parser->limit || !verbatim::take(p, ",")) return false;
  }
}

void clear(bh_pm_parser *parser) {
  parser->events.clear();
  parser->levels.clear();
  parser->changes.clear();
}

int parse_frame(bh_pm_parser *parser, const char *frame, size_t count) {
  clear(parser);
  parser->limit = frame + count;
  if (count > 1 && read_verbatim_frame(parser, frame)) return BH_PM_OK;
  clear(parser);
  ondemand::document document;
  if (parser->json.iterate(frame, count, count + SIMDJSON_PADDING).get(document)) return BH_PM_BAD_JSON;
  parser->document = &document;
  ondemand::json_type type;
  if (document.type().get(type)) return BH_PM_BAD_JSON;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (document.get_object().get(object)) return BH_PM_BAD_JSON;
    if (read_message(parser, object)) return BH_PM_BAD_JSON;
  } else if (type == ondemand::json_type::array) {
    ondemand::array list;
    if (document.get_array().get(list)) return BH_PM_BAD_JSON;
    for (auto element : list) {
      ondemand::object object;
      if (element.get_object().get(object)) return BH_PM_BAD_JSON;
      if (read_message(parser, object)) return BH_PM_BAD_JSON;
    }
  } else {
    return BH_PM_BAD_JSON;
  }
  // Nothing may follow the value.
  return document.current_location().error() == OUT_OF_BOUNDS ? BH_PM_OK : BH_PM_BAD_JSON;
}

}  // namespace

extern "C" {

bh_pm_parser *bh_pm_new(void) { return new bh_pm_parser; }
void bh_pm_free(bh_pm_parser *parser) { delete parser; }

void bh_pm_bind(bh_pm_parser *parser, const char *token, size_t count, int32_t book, int64_t tick) {
  if (count > 0) parser->bindings.bind(parser->bindings.key({token, count}), {book, tick});
}

void bh_pm_unbind(bh_pm_parser *parser, const char *token, size_t count) {
  TokenKey key = parser->bindings.key({token, count});
  if (parser->bindings.find(key).book >= 0) parser->bindings.bind(key, {-1, 0});
}

void bh_pm_books(bh_pm_parser *parser, const void *books, size_t stride) {
  parser->books = static_cast<const char *>(books);
  parser->book_stride = stride;
}

int bh_pm_parse(bh_pm_parser *parser, const char *frame, size_t count) {
  int result;
  try {
    result = parse_frame(parser, frame, count);
  } catch (const simdjson_error &) {
    result = BH_PM_BAD_JSON;
  }
  // A frame that breaks off is refused whole: half of a message is not data.
  if (result != BH_PM_OK) parser->events.clear();
  return result;
}

size_t bh_pm_event_count(const bh_pm_parser *parser) { return parser->events.size(); }
const bh_pm_event *bh_pm_events(const bh_pm_parser *parser) { return parser->events.data(); }
const bh_level *bh_pm_levels(const bh_pm_parser *parser) { return parser->levels.data(); }
const bh_pm_change *bh_pm_changes(const bh_pm_parser *parser) { return parser->changes.data(); }

int bh_decimal(const char *text, size_t count, int64_t *raw) {
  size_t i = 0;
  bool negative = false;
  if (i < count && text[i] == '-') {
    negative = true;
    i++;
  }
  __int128 value = 0;
  int decimals = 0, digits = 0;
  bool point = false, lost = false;
  for (; i < count; i++) {
    char c = text[i];
    if (c == '.') {
      if (point) return BH_PM_NOT_A_NUMBER;
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return BH_PM_NOT_A_NUMBER;
    digits++;
    if (point && decimals == 8) {
      lost = lost || c != '0';
      continue;
    }
    value = value * 10 + (c - '0');
    if (point) decimals++;
    if (value > (static_cast<__int128>(INT64_MAX))) return BH_PM_TOO_LARGE;
  }
  if (digits == 0) return BH_PM_NOT_A_NUMBER;
  if (lost) return BH_PM_TOO_PRECISE;
  value *= powers[decimals];
  if (value > INT64_MAX) return BH_PM_TOO_LARGE;
  *raw = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return BH_PM_OK;
}

}  // extern "C"
