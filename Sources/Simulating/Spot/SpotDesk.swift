internal import Market

/// What one exchange knows of its coins at a moment: the same underlying prices, moved by its own offset.
struct SpotDesk {
  let venue: Venue
  let history: SpotHistory
  let now: Timestamp

  private var prices: SpotPrices { history.prices }

  /// The same exchange at another moment.
  func at(_ time: Timestamp) -> SpotDesk { SpotDesk(venue: venue, history: history, now: time) }

  /// The number of the newest trade; each coin has one every 250 ms.
  var newestTrade: Int64 { SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds) }
  /// The number of the first trade ever.
  static let firstTrade = SpotPrices.firstMinute * Int64(SpotPrices.tradesPerMinute)

  /// The last price, in units of 10⁻⁸ dollars.
  func last(_ coin: Coin) -> Int64 {
    prices.price(coin, milliseconds: now.milliseconds) + SpotPrices.offset(venue, coin)
  }

  func trade(_ coin: Coin, _ number: Int64) -> SpotTrade {
    let milliseconds = number * SpotPrices.tradeMilliseconds
    return SpotTrade(
      number: number, milliseconds: milliseconds,
      price: prices.price(coin, milliseconds: milliseconds) + SpotPrices.offset(venue, coin),
      quantity: prices.quantity(coin, trade: number), isBuyerMaker: prices.isBuyerMaker(coin, trade: number))
  }

  /// The best prices, one tick apart, as the newest trade left them.
  func quote(_ coin: Coin) -> SpotQuote {
    let trade = trade(coin, newestTrade)
    return SpotQuote(
      bid: trade.isBuyerMaker ? trade.price : trade.price - coin.tick,
      ask: trade.isBuyerMaker ? trade.price + coin.tick : trade.price,
      bidSize: prices.quantity(coin, trade: trade.number) * 7,
      askSize: prices.quantity(coin, trade: trade.number + 1) * 5)
  }

  /// A level below the best bid or above the best ask: depth 0 is the best.
  func level(_ coin: Coin, isBid: Bool, depth: Int) -> (price: Int64, size: Int64) {
    let quote = quote(coin)
    let step = Int64(depth) * coin.tick
    if depth == 0 { return isBid ? (quote.bid, quote.bidSize) : (quote.ask, quote.askSize) }
    let size = prices.quantity(coin, trade: newestTrade / 8 + Int64(isBid ? depth : -depth)) * 9
    return (isBid ? quote.bid - step : quote.ask + step, size)
  }

  /// The last 24 hours.
  func day(_ coin: Coin) -> SpotCandle { history.day(venue, coin, now: now) }

  /// The candle that starts at a second; nil where there is none.
  func candle(_ coin: Coin, start: Int64, _ bar: SpotBar) -> SpotCandle? {
    history.candle(venue, coin, start: start, bar: bar, now: now)
  }

  /// The candles that start from `first` to `last`, newest first, as long as there are any; at most `count`.
  func candles(
    _ coin: Coin, _ bar: SpotBar, newestFirstFrom last: Int64, downTo first: Int64, count: Int64,
    _ body: (_ start: Int64, SpotCandle) -> Void
  ) {
    var start = last
    var left = count
    while start >= first, left > 0, let candle = candle(coin, start: start, bar) {
      body(start, candle)
      start = bar.start(start, plus: -1)
      left -= 1
    }
  }

  /// The candles that start from `first` to `last`, oldest first; at most `count`.
  func candles(
    _ coin: Coin, _ bar: SpotBar, oldestFirstFrom first: Int64, to last: Int64, count: Int64,
    _ body: (_ start: Int64, SpotCandle) -> Void
  ) {
    var start = max(first, bar.start(of: SpotPrices.firstMinute * 60))
    var left = count
    while start <= last, left > 0, let candle = candle(coin, start: start, bar) {
      body(start, candle)
      start = bar.start(start, plus: 1)
      left -= 1
    }
  }
}

/// One trade of an exchange.
struct SpotTrade {
  let number: Int64
  let milliseconds: Int64
  /// In units of 10⁻⁸ dollars.
  let price: Int64
  /// In units of 10⁻⁸ coins.
  let quantity: Int64
  /// Whether the taker sold.
  let isBuyerMaker: Bool

  var time: Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }
}

/// The best prices of an exchange, in units of 10⁻⁸.
struct SpotQuote {
  let bid: Int64
  let ask: Int64
  let bidSize: Int64
  let askSize: Int64
}

extension ByteWriter {
  /// Units of 10⁻⁸ with eight decimals, in quotes: `"60685.22000000"`.
  mutating func eight(_ value: Int64) {
    byte(0x22)
    fixed(raw: value, decimals: 8)
    byte(0x22)
  }

  /// Units of 10⁻⁸ with eight decimals, in quotes.
  mutating func eight(_ value: Int128) {
    byte(0x22)
    let scale = Int128(fixedPointScale)
    unsigned(UInt64(value / scale), width: 1)
    byte(0x2E)
    unsigned(UInt64(value % scale), width: 8)
    byte(0x22)
  }

  /// Units of 10⁻⁸ as the shortest decimal text.
  mutating func short(_ value: Int128) {
    if let small = Int64(exactly: value) { return decimal(raw: small) }
    let scale = Int128(fixedPointScale)
    unsigned(UInt64(value / scale), width: 1)
    byte(0x2E)
    unsigned(UInt64(value % scale), width: 8)
  }

  /// Units of 10⁻⁸ as the shortest decimal text, in quotes.
  mutating func quotedShort(_ value: Int128) {
    byte(0x22)
    short(value)
    byte(0x22)
  }

  /// A price with the decimals of its coin, in quotes.
  mutating func price(_ value: Int64, of coin: Coin) {
    byte(0x22)
    fixed(raw: value, decimals: coin.priceDecimals)
    byte(0x22)
  }

  /// A time in RFC 3339 with nanoseconds, in quotes.
  mutating func nanosecondTime(_ time: Timestamp) {
    fineTime(time)
    truncate(to: count - 2)
    unsigned(UInt64(time.nanoseconds % 1000), width: 3)
    raw("Z\"")
  }
}
