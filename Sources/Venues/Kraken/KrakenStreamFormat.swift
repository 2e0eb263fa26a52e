internal import Daemon
public import Market
internal import Web

/// Kraken's stream, version 2: tickers at every change of the best prices, trades, and candles of a minute.
///
/// Its numbers are JSON numbers, of which the text is read.
public struct KrakenStreamFormat: SpotStreamFormat {
  private static let symbolsPerRequest = 100
  private static let channels = [
    "\"channel\":\"ticker\",\"event_trigger\":\"bbo\"", "\"channel\":\"trade\",\"snapshot\":false",
    "\"channel\":\"ohlc\",\"interval\":1",
  ]

  /// The newest candle of each symbol and period: it is final when the next one begins.
  private var newest: [CandleKey: Candle] = [:]

  private struct CandleKey: Hashable {
    var symbol: String
    var periodSeconds: Int64
  }

  /// A format that has seen no candle.
  public init() {}

  /// Which venue it is.
  public var venue: Venue { .kraken }
  /// Version 2.
  public var path: String { "/v2" }
  /// The venue names no limit; this keeps the connections small.
  public var symbolsPerConnectionMax: Int { 200 }
  /// The venue names no limit.
  public var requestPauseMilliseconds: Int { 50 }
  /// A connection without subscriptions is closed after a minute.
  public var ping: (text: String, everySeconds: Int)? { ("{\"method\":\"ping\"}", 30) }

  /// `{"method":"subscribe","params":{"channel":"ticker","event_trigger":"bbo","symbol":["BTC/USD"]},"req_id":1}`, one for
  /// each channel.
  public func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String] {
    let bodies = symbols.parts(of: Self.symbolsPerRequest).flatMap { part in
      Self.channels.map { "\($0),\"symbol\":\(part.jsonArray)" }
    }
    return numbered(bodies, firstID: firstID) {
      "{\"method\":\"\(operation.rawValue)\",\"params\":{\($0)},\"req_id\":\($1)}"
    }
  }

  /// One for each symbol and channel.
  public func answers(toSubscribing symbols: Int) -> Int { symbols * Self.channels.count }

  /// Forgets the candles: those of the next connection begin with a snapshot.
  public mutating func reset() { newest = [:] }

  /// Reads one message.
  public mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError) {
    let message = try json(text)
    var kind = "stream"
    do throws(WireProblem) {
      guard let channel = try message.optionalText("channel") else {
        kind = "subscription"
        return body(try answer(message))
      }
      switch channel {
      case "ticker":
        kind = "ticker"
        try message.inside("data", "an array") { data throws(WireProblem) in
          try data.eachGood { item throws(WireProblem) in
            body(try ticker(item, receivedAt).map { .ticker($0) } ?? .ignored)
          }
        }
      case "trade":
        kind = "trade"
        // A snapshot holds trades of before.
        guard try message.text("type") == "update" else { return body(.ignored) }
        try message.inside("data", "an array") { data throws(WireProblem) in
          try data.eachGood { item throws(WireProblem) in body(.trade(try trade(item))) }
        }
      case "ohlc":
        kind = "candle"
        try message.inside("data", "an array") { data throws(WireProblem) in
          try data.eachGood { item throws(WireProblem) in try take(candleOf: item, body) }
        }
      case "heartbeat", "status": body(.alive)
      default: body(.ignored)
      }
    } catch {
      throw error.error(.kraken, kind)
    }
  }

  /// `{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD",…},"success":true,"req_id":1,…}`, or
  /// `{"method":"subscribe","success":false,"error":"Currency pair not supported XXX/USD","symbol":"XXX/USD",…}`.
  private func answer(_ message: Wire) throws(WireProblem) -> SpotStreamEvent {
    if try message.text("method") == "pong" { return .alive }
    // Only a success has to say so; a refusal always brings its words.
    if let words = try message.optionalText("error") {
      return .refused(
        VenueError(
          venue: .kraken, kind: "subscription", field: try message.optionalText("symbol") ?? "",
          problem: quotedExcerpt(words, charactersMax: 200), cause: .refused(isTemporary: false)))
    }
    guard try message.boolean("success") else {
      throw WireProblem("error", "expected a string, found nothing")
    }
    return .accepted
  }

  /// `{"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40,…}`, with a
  /// `timestamp` from newer servers; nil where one side of the market is empty.
  private func ticker(_ item: Wire, _ receivedAt: Timestamp) throws(WireProblem) -> Ticker? {
    let symbol = try item.text("symbol")
    let bid = try item.price("bid")
    let ask = try item.price("ask")
    guard bid.raw != 0, ask.raw != 0 else { return nil }
    let ticker = Ticker(
      instrument: InstrumentID(venue: .kraken, symbol: symbol),
      bid: Level(price: bid, quantity: try item.quantity("bid_qty")),
      ask: Level(price: ask, quantity: try item.quantity("ask_qty")),
      time: try item.optionalTime("timestamp") ?? receivedAt)
    try ticker.check(bidField: "bid")
    return ticker
  }

  /// `{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,`
  /// `"timestamp":"2023-10-06T17:35:55.440295Z"}`; `side` is the taker's.
  private func trade(_ item: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .kraken, symbol: try item.text("symbol")), price: try item.price("price"),
      quantity: try item.quantity("qty"), takerSide: try item.side("side", buy: "buy", sell: "sell"),
      time: try item.time("timestamp"), number: item.number("trade_id"))
    try trade.check(price: "price", quantity: "qty")
    return trade
  }

  /// `{"symbol":"BTC/USD","open":106038.2,"high":106044.3,"low":106038.1,"close":106040.1,"volume":30927.68066226,`
  /// `"interval_begin":"2023-10-04T16:25:00.000000000Z","interval":1,…}`; nothing says that a candle is closed.
  private mutating func take(candleOf item: Wire, _ body: (SpotStreamEvent) -> Void) throws(WireProblem) {
    let symbol = try item.text("symbol")
    let minutes = try item.required("interval", "a number of minutes")
    guard let count = minutes.json.integer, (1...100_000).contains(count),
      let period = KrakenREST.periods.first(where: { $0 == .seconds(count * 60) })
    else { throw WireProblem("interval", "expected a number of minutes that the venue has, found \(minutes.excerpt)") }
    let start = try item.time("interval_begin")
    guard period.mayStart(at: start) else {
      throw WireProblem("interval_begin", "expected the start of a candle of \(period), found \(start)")
    }
    let candle = try Candle(item, start: start, period: period, isClosed: false)
    let key = CandleKey(symbol: symbol, periodSeconds: candle.periodSeconds)
    if var known = newest[key] {
      guard known.start <= start else { return body(.ignored) }
      if known.start < start {
        known.isClosed = true
        body(.candle(symbol: symbol, known))
      }
    }
    newest[key] = candle
    body(.candle(symbol: symbol, candle))
  }
}
