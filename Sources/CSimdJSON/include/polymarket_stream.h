// Reads a frame of Polymarket's market channel in one call: simdjson On-Demand behind a C surface.
#ifndef BULKHEAD_POLYMARKET_STREAM_H
#define BULKHEAD_POLYMARKET_STREAM_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// A piece of the frame's own text; `bytes` is null where the member is missing.
typedef struct {
  const char *bytes;
  size_t count;
} bh_slice;

// Price and quantity in units of 1e-8.
typedef struct {
  int64_t price;
  int64_t quantity;
} bh_level;

enum {
  BH_PM_OTHER = 0,             // a kind that we do not read
  BH_PM_BOOK = 1,
  BH_PM_PRICE_CHANGE = 2,
  BH_PM_LAST_TRADE = 3,
  BH_PM_TICK_SIZE = 4,
  BH_PM_NEW_MARKET = 5,
  BH_PM_MARKET_RESOLVED = 6,
};

enum {
  BH_PM_OK = 0,
  BH_PM_BAD_JSON = 1,
  BH_PM_MISSING = 2,
  BH_PM_NOT_A_NUMBER = 3,
  BH_PM_NEGATIVE = 4,
  BH_PM_TOO_LARGE = 5,
  BH_PM_TOO_PRECISE = 6,
  BH_PM_OUT_OF_RANGE = 7,      // a price outside of 0 < p < 1
  BH_PM_UNSORTED = 8,
  BH_PM_CROSSED = 9,
  BH_PM_OFF_GRID = 10,
  BH_PM_BAD_VALUE = 11,
};

// One changed level. `book` is the number that the token was bound to, -1 for a token that was not.
typedef struct {
  int32_t book;
  uint8_t side;                // 0 bid, 1 ask
  int64_t price;
  int64_t quantity;            // the new total; 0 removes the level
  int32_t best_bid;            // the book's best price when all of that moment was applied: 0 no bid, -1 not told
  int32_t best_ask;            // likewise: 0 and 1e8 no ask, -1 not told
} bh_pm_change;

typedef struct {
  int32_t kind;
  int32_t error;               // BH_PM_OK, or why the message was refused
  const char *field;           // the member at fault
  int32_t field_index;         // which element of it, -1 where it is no list
  int32_t book;                // the number of `asset_id`, -1 where it is unknown or missing
  int64_t timestamp_ms;
  int64_t price, quantity;     // last_trade_price
  int32_t taker_sells;         // last_trade_price
  int64_t tick;                // tick_size_change: the new one; book: its own where it says so, else 0
  uint32_t bids_from, bids_count, asks_from, asks_count;   // in `levels`, worst first
  uint32_t changes_from, changes_count;                    // in `changes`
  bh_slice market, asset, hash, timestamp, bids_text, asks_text;
  bh_slice min_order_size, tick_size, neg_risk, last_trade_price, winning_asset;
} bh_pm_event;

typedef struct bh_pm_parser bh_pm_parser;

bh_pm_parser *bh_pm_new(void);
void bh_pm_free(bh_pm_parser *parser);
// Binds a token to a number, and to the grid (units of 1e-8) that its prices must stand on; again to change either.
void bh_pm_bind(bh_pm_parser *parser, const char *token, size_t count, int32_t book, int64_t tick);
void bh_pm_unbind(bh_pm_parser *parser, const char *token, size_t count);
// Says where what the caller knows of the books lies, one after the other by number: it is brought from memory while a
// message is read. Null for nowhere.
void bh_pm_books(bh_pm_parser *parser, const void *books, size_t stride);
// Parses a frame; 64 bytes behind its end must be readable. Answers BH_PM_OK, or BH_PM_BAD_JSON where the whole frame
// is refused; a message at fault says so in its event. What it points to is valid until the next call, and as long as
// the frame is.
int bh_pm_parse(bh_pm_parser *parser, const char *frame, size_t count);
size_t bh_pm_event_count(const bh_pm_parser *parser);
const bh_pm_event *bh_pm_events(const bh_pm_parser *parser);
const bh_level *bh_pm_levels(const bh_pm_parser *parser);
const bh_pm_change *bh_pm_changes(const bh_pm_parser *parser);
// Reads decimal text into units of 1e-8; answers one of the codes above.
int bh_decimal(const char *text, size_t count, int64_t *raw);

#ifdef __cplusplus
}
#endif
#endif
