internal import Daemon
public import Market
internal import Web

/// Binance's combined stream: trades, best prices and candles of a minute, wrapped as `{"stream":"…","data":{…}}` or bare.
///
/// The base URL ends in `/stream`; the venue's pings are WebSocket's own.
public struct BinanceStreamFormat: SpotStreamFormat {
  /// What is watched of each symbol.
  private static let kinds = ["trade", "bookTicker", "kline_1m"]
  /// The most streams of one connection, as the venue limits them.
  private static let streamsPerConnectionMax = 1024
  /// The symbols of one request.
  private static let symbolsPerRequest = 100

  /// A format; it remembers nothing.
  public init() {}

  /// Which venue it is.
  public var venue: Venue { .binance }
  /// Nothing: the base URL is the stream's.
  public var path: String { "" }
  /// As many as have 1,024 streams together.
  public var symbolsPerConnectionMax: Int { Self.streamsPerConnectionMax / Self.kinds.count }
  /// The venue takes 5 messages in a second, pongs among them.
  public var requestPauseMilliseconds: Int { 250 }
  /// None: the venue pings.
  public var ping: (text: String, everySeconds: Int)? { nil }

  /// `{"method":"SUBSCRIBE","params":["btcusdt@trade",…],"id":1}`; names are lower case.
  public func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String] {
    let parts = symbols.parts(of: Self.symbolsPerRequest).map { part in
      part.flatMap { symbol in Self.kinds.map { "\(symbol.lowercased())@\($0)" } }.jsonArray
    }
    return numbered(parts, firstID: firstID) {
      "{\"method\":\"\(operation.rawValue.uppercased())\",\"params\":\($0),\"id\":\($1)}"
    }
  }

  /// One for each request.
  public func answers(toSubscribing symbols: Int) -> Int {
    (symbols + Self.symbolsPerRequest - 1) / Self.symbolsPerRequest
  }

  /// Reads one message.
  public mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError) {
    let root = try json(text)
    var message = root
    var place = ""
    do throws(WireProblem) {
      if let stream = try root.optionalText("stream") {
        if stream == "!serverShutdown" { return body(.closing) }
        message = try root.required("data", "an object")
        place = "data"
      }
    } catch {
      throw error.error(.binance, "stream")
    }
    var kind = "stream"
    do throws(WireProblem) {
      body(try event(message, receivedAt, &kind))
    } catch {
      throw (place.isEmpty ? error : error.inside(place)).error(.binance, kind)
    }
  }

  private func event(
    _ message: Wire, _ receivedAt: Timestamp, _ kind: inout String
  ) throws(WireProblem) -> SpotStreamEvent {
    switch try message.optionalText("e") {
    case "trade":
      kind = "trade"
      return .trade(try trade(message))
    case "kline":
      kind = "candle"
      let read = try message.inside("k", "an object") { inner throws(WireProblem) -> Candle in
        try candle(inner)
      }
      return .candle(symbol: try message.text("s"), read)
    case "24hrTicker":
      kind = "ticker"
      return .ticker(try ticker(message, try message.milliseconds("E")))
    case "serverShutdown": return .closing
    case .some: return .ignored
    case nil: break
    }
    let hasUpdate = try message.optional("u") != nil
    let hasBid = try message.optional("b") != nil
    let hasAsk = try message.optional("a") != nil
    if hasUpdate, hasBid || hasAsk {
      kind = "ticker"
      return .ticker(try ticker(message, receivedAt))
    }
    if let code = try message.optional("code") {
      let words = try message.text("msg").prefix(200)
      return .refused(
        VenueError(
          venue: .binance, kind: "subscription", problem: "refused with code \(code.json.decimalText ?? "?"): \(words)",
          cause: .refused(isTemporary: false)))
    }
    return message.json["result"] != nil ? .accepted : .ignored
  }

  /// `{"e":"trade","E":1639351062244,"s":"ETHUSDT","t":705291099,"p":"4149.74000000","q":"0.43870000",`
  /// `"T":1639351062243,"m":true,"M":true}`; `m` means that the buyer was the maker, so the seller took.
  private func trade(_ message: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .binance, symbol: try message.text("s")), price: try message.price("p"),
      quantity: try message.quantity("q"), takerSide: try message.boolean("m") ? .sell : .buy,
      time: try message.milliseconds("T"), number: message.number("t"))
    try trade.check(price: "p", quantity: "q")
    return trade
  }

  /// Best prices, which come without a time but in the statistics of a day (`24hrTicker`):
  /// `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`.
  private func ticker(_ message: Wire, _ time: Timestamp) throws(WireProblem) -> Ticker {
    let ticker = Ticker(
      instrument: InstrumentID(venue: .binance, symbol: try message.text("s")),
      bid: Level(price: try message.price("b"), quantity: try message.quantity("B")),
      ask: Level(price: try message.price("a"), quantity: try message.quantity("A")), time: time)
    try ticker.check(bidField: "b")
    return ticker
  }

  /// `{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"i":"1m","o":"0.0010",`
  /// `"c":"0.0020","h":"0.0025","l":"0.0010","v":"1000","x":false,…}}`; `x` means closed.
  private func candle(_ inner: Wire) throws(WireProblem) -> Candle {
    let interval = try inner.text("i")
    guard let period = BinanceREST.periods.first(where: { $0.1 == interval })?.0 else {
      throw WireProblem("i", "expected a period that the venue has, found \(quotedExcerpt(interval))")
    }
    let start = try inner.milliseconds("t")
    let end = try inner.milliseconds("T")
    guard period.mayStart(at: start), end.milliseconds + 1 == period.end(ofCandleAt: start).milliseconds else {
      throw WireProblem("T", "expected the end of the period, found \(end) for a start at \(start)")
    }
    return try Candle(
      inner, start: start, period: period, isClosed: try inner.boolean("x"),
      members: .init(open: "o", high: "h", low: "l", close: "c", volume: "v"))
  }
}
