internal import Daemon
public import Market
internal import Web

/// OKX's streams, of which one has tickers and trades, and another the candles of a minute.
public struct OKXStreamFormat: SpotStreamFormat {
  /// What a connection carries.
  public enum Part: Sendable {
    /// Best prices, and trades: several at one price may come as one.
    case tickersAndTrades
    /// Candles.
    case candles

    fileprivate var channels: [String] {
      switch self {
      case .tickersAndTrades: ["tickers", "trades"]
      case .candles: ["candle1m"]
      }
    }
  }

  /// What this connection carries.
  public let part: Part
  private static let symbolsPerRequest = 50

  /// A format of one connection; it remembers nothing.
  public init(_ part: Part) { self.part = part }

  /// Which venue it is.
  public var venue: Venue { .okx }
  /// Each part has its own.
  public var path: String {
    switch part {
    case .tickersAndTrades: "/ws/v5/public"
    case .candles: "/ws/v5/business"
    }
  }
  /// The venue limits the arguments of a connection to 64 KB.
  public var symbolsPerConnectionMax: Int { 400 }
  /// The venue takes 480 requests of a connection in an hour.
  public var requestPauseMilliseconds: Int { 250 }
  /// After 30 s of silence the venue closes the connection.
  public var ping: (text: String, everySeconds: Int)? { ("ping", 20) }

  /// `{"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}`.
  public func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String] {
    let parts = symbols.parts(of: Self.symbolsPerRequest).map { symbols in
      symbols.flatMap { symbol in
        part.channels.map { "{\"channel\":\"\($0)\",\"instId\":\(jsonQuoted(symbol))}" }
      }.joined(separator: ",")
    }
    return numbered(parts, firstID: firstID) {
      "{\"id\":\"\($1)\",\"op\":\"\(operation.rawValue)\",\"args\":[\($0)]}"
    }
  }

  /// One for each symbol and channel.
  public func answers(toSubscribing symbols: Int) -> Int { symbols * part.channels.count }

  /// Reads one message; `pong` is no JSON.
  public mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError) {
    if text.elementsEqual("pong".utf8) { return body(.alive) }
    let message = try json(text)
    var kind = "stream"
    do throws(WireProblem) {
      if let event = try message.optionalText("event") {
        kind = "subscription"
        return body(try answer(event, message))
      }
      let (channel, symbol) = try message.inside("arg", "an object") { arg throws(WireProblem) in
        (try arg.text("channel"), try arg.optionalText("instId") ?? "")
      }
      let event: @Sendable (Wire) throws(WireProblem) -> SpotStreamEvent
      switch channel {
      case "tickers":
        kind = "ticker"
        event = { item throws(WireProblem) in try OKXREST.ticker(item).map { .ticker($0) } ?? .ignored }
      case "trades", "trades-all":
        kind = "trade"
        event = { item throws(WireProblem) in .trade(try OKXREST.trade(item)) }
      case _ where channel.hasPrefix("candle"):
        kind = "candle"
        guard !symbol.isEmpty else { throw WireProblem("arg.instId", "expected a string, found nothing") }
        let bar = String(channel.dropFirst(6))
        event = { row throws(WireProblem) in .candle(symbol: symbol, try Self.candle(row, bar: bar)) }
      default: return body(.ignored)
      }
      try message.inside("data", "an array") { data throws(WireProblem) in
        try data.eachGood { item throws(WireProblem) in body(try event(item)) }
      }
    } catch {
      throw error.error(.okx, kind)
    }
  }

  /// `{"id":"1512","event":"subscribe","arg":{…},"connId":"a4d3ae55"}`,
  /// `{"event":"error","code":"60012","msg":"Invalid request: …","connId":"…"}`, and
  /// `{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. …"}`.
  private func answer(_ event: String, _ message: Wire) throws(WireProblem) -> SpotStreamEvent {
    switch event {
    case "subscribe", "unsubscribe": return .accepted
    case "error":
      let words = quotedExcerpt(try message.optionalText("msg") ?? "", charactersMax: 200)
      return .refused(
        VenueError(
          venue: .okx, kind: "subscription", problem: "code \(try message.text("code").prefix(12)), \(words)",
          cause: .refused(isTemporary: false)))
    case "notice": return try message.optionalText("code") == "64008" ? .closing : .ignored
    default: return .ignored
    }
  }

  /// The nine strings of REST, in an array of rows: `{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[[…]]}`.
  ///
  /// Bars that the venue opens by the time of Hong Kong stand on no grid of UTC.
  private static func candle(_ row: Wire, bar: String) throws(WireProblem) -> Candle {
    if let period = OKXREST.periods.first(where: { $0.1 == bar })?.0 { return try OKXREST.candle(row, period) }
    guard let period = OKXREST.periods.first(where: { $0.1 == bar + "utc" })?.0 else {
      throw WireProblem("", "the venue has no candles of \(quotedExcerpt(bar))")
    }
    return try OKXREST.candle(row, period, isOnGrid: false)
  }
}
