internal import Market

/// What a connection may be told again and again: one coin on one channel, by the exchange's own names.
struct StreamTopic: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case trade, aggregateTrade, best, ticker, slowTicker, heartbeat
    case candle(SpotBar)
    case book(depth: Int)
  }

  let coin: Coin
  let kind: Kind
  /// What tells it from others in requests, such as `btcusdt@kline_1m`.
  let name: String
  /// The exchange's name of the pair.
  let symbol: String
}

/// One client's connection.
struct StreamSession: Sendable {
  let number: Int
  /// Whether each payload is wrapped with its topic's name (Binance's `/stream`).
  var isCombined = false
  var topics: Set<StreamTopic> = []
  let openedAt: Timestamp
  /// When the client said something.
  var heardAt: Timestamp
  /// When the client was told something.
  var toldAt: Timestamp
  /// How many requests came in which second.
  var second: Int64 = 0
  var requests = 0
}

/// What an exchange demands of a connection.
struct StreamRules: Sendable {
  /// The first subscription must come within this time.
  var subscribeWithinSeconds: Int64?
  /// Without a word of either side for so long the connection is ended.
  var silenceSecondsMax: Int64?
  /// Requests in one second.
  var requestsPerSecondMax: Int?
  /// A sign of life for a connection that was told nothing for a second.
  var heartbeat: StaticString?
}

/// What comes back at once.
enum StreamReply {
  case text([UInt8])
  case close(code: UInt16, reason: String)

  static func text(_ text: String) -> StreamReply { .text(Array(text.utf8)) }
  static func text(_ writer: ByteWriter) -> StreamReply { .text(writer.bytes) }
}

/// How one exchange speaks on its stream: a value without state, so that each is short.
///
/// `StreamDesk` keeps the connections, and calls `write` for every topic once for every trade, four times a second.
protocol StreamWire: Sendable {
  var venue: Venue { get }
  var rules: StreamRules { get }

  /// What a client is told as soon as it is there.
  func greeting(_ session: StreamSession, _ desk: SpotDesk) -> [StreamReply]

  /// Takes a text of a client; changes what it is subscribed to.
  func hear(_ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk) -> [StreamReply]

  /// Says what is new of a topic at the newest trade of the desk.
  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void)

  /// A payload as a connection that is combined gets it.
  func wrap(_ payload: ByteWriter, _ topic: StreamTopic) -> ByteWriter
}

extension StreamWire {
  func greeting(_ session: StreamSession, _ desk: SpotDesk) -> [StreamReply] { [] }
  func wrap(_ payload: ByteWriter, _ topic: StreamTopic) -> ByteWriter { payload }
}

extension SpotDesk {
  /// Calls `body` for the candle of a bar that has just closed, and every `everyTrades` trades for the open one.
  func candleNews(
    _ coin: Coin, _ bar: SpotBar, everyTrades: Int64, _ body: (Int64, SpotCandle, _ isClosed: Bool) -> Void
  ) {
    let milliseconds = newestTrade * SpotPrices.tradeMilliseconds
    let second = milliseconds / 1000
    let start = bar.start(of: second)
    if milliseconds == start * 1000 {
      let closed = bar.start(start, plus: -1)
      if let candle = candle(coin, start: closed, bar) { body(closed, candle, true) }
    }
    guard newestTrade % everyTrades == 0, let candle = candle(coin, start: start, bar) else { return }
    body(start, candle, false)
  }
}
