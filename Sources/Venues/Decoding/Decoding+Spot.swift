internal import Market
internal import Web

// The crypto venues: candles, ticker, trades over REST, and their streams.
extension Decoding {
  /// A crypto venue's kinds.
  static func spotKinds(_ venue: Venue) -> [Kind] {
    guard let format = format(venue) else { return [] }
    func kind(
      _ name: String, aliases: [String],
      _ read: @escaping @Sendable (Wire, State) throws(WireProblem) -> [DecodedField]
    ) -> Kind {
      Kind(name, aliases: aliases) { (wire, state, body) throws(VenueError) in
        // An answer may be a refusal of status 200.
        let fields = try format.read(name, wire) { wire throws(WireProblem) in try read(wire, state) }
        body(.message(DecodedMessage(venue, name, fields)))
      }
    }
    let prices = [
      kind("price", aliases: ["simple_price", "ticker_price"]) { (wire, state) throws(WireProblem) in
        DecodedMessage.rows("prices", try pricePoints(venue, wire, state), fields)
      }
    ]
    if venue == .coingecko {
      return prices + [
        kind("range", aliases: ["market_chart_range", "market_chart"]) { (wire, _) throws(WireProblem) in
          DecodedMessage.rows("prices", try CoinGeckoREST.parseRange(wire, symbol: ""), fields)
        }
      ]
    }
    return [
      kind("candles", aliases: ["klines", "kline", "ohlc", "candlesticks", "candles"]) {
        (wire, state) throws(WireProblem) in
        DecodedMessage.rows("candles", try candles(venue, wire, state), DecodedMessage.fields)
      },
      kind("ticker", aliases: ["book_ticker", "tickers"]) { (wire, state) throws(WireProblem) in
        DecodedMessage.fields(try ticker(venue, wire, state))
      },
      kind("trades", aliases: ["recent_trade"]) { (wire, _) throws(WireProblem) in
        DecodedMessage.rows("trades", try trades(venue, wire), DecodedMessage.fields)
      },
    ] + (venue == .binance ? prices : []) + [
      Kind("stream", aliases: ["ws_"], isStream: true) { (wire, state, body) throws(VenueError) in
        try spotStream(venue, wire, &state, body)
      }
    ]
  }

  private static func format(_ venue: Venue) -> AnswerFormat? {
    switch venue {
    case .binance: BinanceREST.format
    case .coinbase: CoinbaseREST.format
    case .kraken: KrakenREST.format
    case .okx: OKXREST.format
    case .bybit: BybitREST.format
    case .coingecko: CoinGeckoREST.format
    case .polymarket, .kalshi: nil
    }
  }

  private static func candles(_ venue: Venue, _ wire: Wire, _ state: State) throws(WireProblem) -> [Candle] {
    switch venue {
    case .binance: try BinanceREST.parseCandles(wire, period: nil, now: state.now)
    case .coinbase: try CoinbaseREST.parseCandles(wire, period: nil, now: state.now)
    case .kraken: try KrakenREST.parseCandles(wire, period: nil)
    case .okx: try OKXREST.parseCandles(wire, period: nil)
    default: try BybitREST.parseCandles(wire, period: nil, asked: nil)
    }
  }

  private static func ticker(_ venue: Venue, _ wire: Wire, _ state: State) throws(WireProblem) -> Ticker {
    switch venue {
    case .binance: try BinanceREST.parseTicker(wire, now: state.now)
    case .coinbase: try CoinbaseREST.parseTicker(wire, symbol: "", now: state.now)
    case .kraken: try KrakenREST.parseTicker(wire, symbol: nil, now: state.now)
    case .okx: try OKXREST.parseTicker(wire)
    default: try BybitREST.parseTicker(wire, asked: nil)
    }
  }

  private static func trades(_ venue: Venue, _ wire: Wire) throws(WireProblem) -> [Trade] {
    switch venue {
    case .binance: try BinanceREST.parseTrades(wire, symbol: "")
    case .coinbase: try CoinbaseREST.parseTrades(wire, symbol: "")
    case .kraken: try KrakenREST.parseTrades(wire, symbol: nil)
    case .okx: try OKXREST.parseTrades(wire)
    default: try BybitREST.parseTrades(wire, asked: nil)
    }
  }

  /// CoinGecko's prices; or Binance's last price, `{"symbol":"BTCUSDT","price":"60740.00000000"}`, alone or in an array.
  private static func pricePoints(_ venue: Venue, _ wire: Wire, _ state: State) throws(WireProblem) -> [PricePoint] {
    guard venue == .binance else { return try CoinGeckoREST.parsePrices(wire) }
    func point(_ row: Wire) throws(WireProblem) -> PricePoint {
      let point = PricePoint(
        instrument: InstrumentID(venue: .binance, symbol: try row.text("symbol")), price: try row.price("price"),
        time: state.now)
      guard point.price.raw > 0 else { throw WireProblem("price", "expected a price above 0, found \(point.price)") }
      return point
    }
    return wire.json.kind == .array ? try wire.each(point) : [try point(wire)]
  }

  private static func fields(_ point: PricePoint) -> [DecodedField] {
    [
      .init("instrument", .text(point.instrument.symbol)), .init("price", .decimal(point.price)),
      .init("time", .time(point.time)),
    ]
  }

  // MARK: - Streams

  private static func spotStream(
    _ venue: Venue, _ wire: Wire, _ state: inout State, _ body: (Line) -> Void
  ) throws(VenueError) {
    var writer = JSONWriter()
    wire.json.write(&writer)
    var events: [SpotStreamEvent] = []
    var format: any SpotStreamFormat
    if let known = state.spot { format = known } else { format = try streamFormat(venue) }
    defer { state.spot = format }
    let now = state.now
    let result = writer.bytes.withUnsafeBytes { bytes in
      Result { () throws(VenueError) in try format.read(bytes, receivedAt: now) { events.append($0) } }
    }
    for event in events { body(line(venue, event, wire)) }
    try result.get()
    if events.isEmpty { body(.message(DecodedMessage(venue, "ignored", []))) }
  }

  private static func line(_ venue: Venue, _ event: SpotStreamEvent, _ wire: Wire) -> Line {
    switch event {
    case .trade(let trade): .message(DecodedMessage(venue, "trade", DecodedMessage.fields(trade)))
    case .ticker(let ticker): .message(DecodedMessage(venue, "ticker", DecodedMessage.fields(ticker)))
    case .candle(let symbol, let candle):
      .message(
        DecodedMessage(venue, "candle", [.init("instrument", .text(symbol))] + DecodedMessage.fields(candle)))
    case .accepted: .message(DecodedMessage(venue, "accepted", []))
    case .refused(let error): .message(DecodedMessage(venue, "refused", [.init("problem", .text(error.problem))]))
    case .alive: .message(DecodedMessage(venue, "alive", []))
    case .closing: .message(DecodedMessage(venue, "closing", []))
    case .ignored: .message(lastPrice(venue, wire) ?? DecodedMessage(venue, "ignored", []))
    }
  }

  /// The last price of Bybit's tickers that have no best prices, as those of spot pairs have none.
  private static func lastPrice(_ venue: Venue, _ wire: Wire) -> DecodedMessage? {
    guard venue == .bybit, let data = try? wire.optionalObject("data"), let symbol = try? data.text("symbol"),
      let price = try? data.price("lastPrice"), let time = try? wire.milliseconds("ts")
    else { return nil }
    let point = PricePoint(instrument: InstrumentID(venue: .bybit, symbol: symbol), price: price, time: time)
    return DecodedMessage(venue, "price", fields(point))
  }

  static func detectSpot(_ wire: Wire, _ venue: Venue) -> String? {
    func has(_ name: String) -> Bool { wire.json.kind == .object && wire.json[name] != nil }
    switch venue {
    case .coingecko: return has("prices") ? "range" : "price"
    case .binance:
      if has("bidPrice") { return "ticker" }
      if has("symbol"), has("price") { return "price" }
      if wire.json.kind == .object { return has("e") || has("stream") || has("u") || has("result") ? "stream" : nil }
      return rows(wire, priced: "price", isCalled: "symbol")
    case .coinbase:
      if has("type") || has("channel") { return "stream" }
      if has("bid"), has("ask") { return "ticker" }
      return rows(wire, priced: "price", isCalled: "")
    case .kraken:
      guard has("result"), has("error"), let result = wire.json["result"] else {
        return wire.json.kind == .object ? "stream" : nil
      }
      let first = result.members.first { $0.key != "last" }?.value
      if first?.kind == .object { return "ticker" }
      return first?.elements.first { _ in true }?.elements.contains { $0.string == "b" || $0.string == "s" } == true
        ? "trades" : "candles"
    case .okx:
      if has("arg") || has("event") { return "stream" }
      return data(wire.json["data"], trade: "px", ticker: "bidPx")
    default:
      if has("topic") || has("op") { return "stream" }
      return data(wire.json["result"]?["list"], trade: "execId", ticker: "bid1Price")
    }
  }

  private static func rows(_ wire: Wire, priced: String, isCalled name: String) -> String? {
    guard let first = wire.json.elements.first(where: { _ in true }) else { return nil }
    if first.kind == .array { return "candles" }
    return first[priced] == nil ? nil : first["symbol"] != nil && !name.isEmpty ? "price" : "trades"
  }

  private static func data(_ rows: JSONValue?, trade: String, ticker: String) -> String? {
    guard let first = rows?.elements.first(where: { _ in true }) else { return nil }
    if first.kind == .array { return "candles" }
    return first[trade] != nil ? "trades" : first[ticker] != nil ? "ticker" : nil
  }
}

extension AnswerFormat {
  /// Reads an answer of status 200 that is JSON already.
  fileprivate func read<Value>(
    _ kind: String, _ wire: Wire, _ parse: (Wire) throws(WireProblem) -> Value
  ) throws(VenueError) -> Value {
    if let refusal = refusal(200, wire) {
      throw VenueError(
        venue: venue, kind: kind, problem: refusal.problem, cause: .refused(isTemporary: refusal.isTemporary ?? false),
        retryAfterSeconds: refusal.retryAfterSeconds)
    }
    do { return try parse(wire) } catch { throw error.error(venue, kind) }
  }
}
