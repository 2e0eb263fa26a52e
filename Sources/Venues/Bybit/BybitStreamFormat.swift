internal import Daemon
public import Market
internal import Web

/// Bybit's stream of spot pairs: best prices, trades, and candles of a minute.
///
/// Tickers of spot pairs have no best prices, so these come from the book of one level.
public struct BybitStreamFormat: SpotStreamFormat {
  /// Spot takes so many topics in one request.
  private static let topicsPerRequest = 10
  private static let topics = ["orderbook.1.", "publicTrade.", "kline.1."]

  private struct Best {
    var bid: Level?
    var ask: Level?
  }

  /// The best prices as the deltas have left them, by topic.
  private var best: [String: Best] = [:]

  /// A format that has seen no prices.
  public init() {}

  /// Which venue it is.
  public var venue: Venue { .bybit }
  /// Spot: the same topic is another market elsewhere.
  public var path: String { "/v5/public/spot" }
  /// The topics of a connection may have 21,000 characters.
  public var symbolsPerConnectionMax: Int { 200 }
  /// The venue names no limit of requests.
  public var requestPauseMilliseconds: Int { 50 }
  /// As the venue recommends.
  public var ping: (text: String, everySeconds: Int)? { ("{\"op\":\"ping\"}", 20) }

  /// `{"req_id":"1","op":"subscribe","args":["publicTrade.BTCUSDT",…]}`.
  public func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String] {
    let topics = symbols.flatMap { symbol in Self.topics.map { $0 + symbol } }
    return numbered(topics.parts(of: Self.topicsPerRequest).map(\.jsonArray), firstID: firstID) {
      "{\"req_id\":\"\($1)\",\"op\":\"\(operation.rawValue)\",\"args\":\($0)}"
    }
  }

  /// One for each request.
  public func answers(toSubscribing symbols: Int) -> Int {
    (symbols * Self.topics.count + Self.topicsPerRequest - 1) / Self.topicsPerRequest
  }

  /// Forgets the prices: deltas of the next connection follow its snapshot.
  public mutating func reset() { best = [:] }

  /// Reads one message.
  public mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError) {
    let message = try json(text)
    var kind = "stream"
    do throws(WireProblem) {
      guard let topic = try message.optionalText("topic") else {
        kind = "subscription"
        return body(try answer(message))
      }
      let parts = topic.split(separator: ".", maxSplits: 2).map(String.init)
      switch parts.first {
      case "publicTrade":
        kind = "trade"
        try message.inside("data", "an array") { data throws(WireProblem) in
          try data.eachGood { item throws(WireProblem) in body(.trade(try trade(item))) }
        }
      case "kline" where parts.count == 3:
        kind = "candle"
        try message.inside("data", "an array") { data throws(WireProblem) in
          try data.eachGood { item throws(WireProblem) in body(.candle(symbol: parts[2], try candle(item))) }
        }
      case "orderbook" where parts.count == 3 && parts[1] == "1":
        kind = "ticker"
        body(try bestOfBook(message, topic).map { .ticker($0) } ?? .ignored)
      case "tickers":
        kind = "ticker"
        body(try bestOfTicker(message, topic).map { .ticker($0) } ?? .ignored)
      default: body(.ignored)
      }
    } catch {
      throw error.error(.bybit, kind)
    }
  }

  /// `{"success":true,"ret_msg":"","conn_id":"…","req_id":"1","op":"subscribe"}`, where `success` is false with the reason
  /// in `ret_msg`; pings are answered with `{"success":true,"ret_msg":"pong","op":"ping",…}`.
  private func answer(_ message: Wire) throws(WireProblem) -> SpotStreamEvent {
    switch try message.text("op") {
    case "ping", "pong": return .alive
    case "subscribe", "unsubscribe":
      guard try !message.boolean("success") else { return .accepted }
      let words = quotedExcerpt(try message.optionalText("ret_msg") ?? "", charactersMax: 200)
      return .refused(
        VenueError(venue: .bybit, kind: "subscription", problem: words, cause: .refused(isTemporary: false)))
    default: return .ignored
    }
  }

  /// `{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"…","BT":false,…}`; `S` is
  /// the taker's side.
  private func trade(_ item: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .bybit, symbol: try item.text("s")), price: try item.price("p"),
      quantity: try item.quantity("v"), takerSide: try item.side("S", buy: "Buy", sell: "Sell"),
      time: try item.milliseconds("T"), number: item.number("i"))
    try trade.check(price: "p", quantity: "v")
    return trade
  }

  /// Reads a candle.
  ///
  /// `{"start":1672324800000,"end":1672325099999,"interval":"5","open":"16649.5","close":"16677","high":"16677",`
  /// `"low":"16608","volume":"2.081","turnover":"34666.4005","confirm":false,"timestamp":1672324988882}`
  private func candle(_ item: Wire) throws(WireProblem) -> Candle {
    let interval = try item.text("interval")
    guard let period = BybitREST.periods.first(where: { $0.1 == interval })?.0 else {
      throw WireProblem("interval", "expected a period that the venue has, found \(quotedExcerpt(interval))")
    }
    let start = try item.milliseconds("start")
    let end = try item.milliseconds("end")
    guard period.mayStart(at: start), end.milliseconds + 1 == period.end(ofCandleAt: start).milliseconds else {
      throw WireProblem("end", "expected the end of the period, found \(end) for a start at \(start)")
    }
    return try Candle(item, start: start, period: period, isClosed: try item.boolean("confirm"))
  }

  // MARK: - Best prices

  /// Reads the book of one level.
  ///
  /// `{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],`
  /// `"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}`
  ///
  /// A delta has the levels that changed, of which a size of 0 deletes; `u` 1 is a snapshot after a restart of the venue.
  /// nil where one side is empty, and for a delta of which there is no snapshot.
  private mutating func bestOfBook(_ message: Wire, _ topic: String) throws(WireProblem) -> Ticker? {
    let time = try message.milliseconds("ts")
    var state = try isWhole(message) ? Best() : best[topic]
    return try message.inside("data", "an object") { data throws(WireProblem) in
      if data.json["u"]?.integer == 1 { state = Best() }
      guard var book = state else { return nil }
      let symbol = try data.text("s")
      // What a bad message leaves is no base for the next one.
      best[topic] = nil
      try apply(data, "b", &book.bid) { $0 > $1 }
      try apply(data, "a", &book.ask) { $0 < $1 }
      let ticker = try ticker(symbol, book, time, bidField: "b")
      best[topic] = book
      return ticker
    }
  }

  private func apply(
    _ data: Wire, _ side: String, _ level: inout Level?, isBetter: (Price, Price) -> Bool
  ) throws(WireProblem) {
    guard data.json[side] != nil else { return }
    var changed: Level?
    try data.inside(side, "an array") { rows throws(WireProblem) in
      try rows.eachGood { row throws(WireProblem) in
        let fields = try row.elements
        guard fields.count >= 2 else { throw WireProblem("", "expected 2 values, found \(fields.count)") }
        let (price, quantity) = (try fields.price(0), try fields.quantity(1))
        guard quantity.raw >= 0 else { throw WireProblem("[1]", "expected no negative number, found \(quantity)") }
        if quantity.raw == 0 {
          if level?.price == price { level = nil }
        } else if changed.map({ isBetter(price, $0.price) }) ?? true {
          changed = Level(price: price, quantity: quantity)
        }
      }
    }
    level = changed ?? level
  }

  /// Reads a ticker of the other categories.
  ///
  /// `{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","bid1Price":"17215.50","bid1Size":"84.489",`
  /// `"ask1Price":"17216.00","ask1Size":"83.020",…},"cs":24987956059,"ts":1673272861686}`, and deltas with the members that
  /// changed; spot pairs have no such members.
  private mutating func bestOfTicker(_ message: Wire, _ topic: String) throws(WireProblem) -> Ticker? {
    let time = try message.milliseconds("ts")
    let state = try isWhole(message) ? Best() : best[topic]
    guard var state else { return nil }
    return try message.inside("data", "an object") { data throws(WireProblem) in
      let symbol = try data.text("symbol")
      best[topic] = nil
      state.bid = try merged(data, state.bid, "bid1Price", "bid1Size")
      state.ask = try merged(data, state.ask, "ask1Price", "ask1Size")
      let ticker = try ticker(symbol, state, time, bidField: "bid1Price")
      best[topic] = state
      return ticker
    }
  }

  private func merged(
    _ data: Wire, _ level: Level?, _ priceField: String, _ sizeField: String
  ) throws(WireProblem) -> Level? {
    // An empty text means that there is no price any more; a member that is missing has not changed.
    if data.json[priceField]?.string == "" { return nil }
    guard let price = try data.optionalPrice(priceField) ?? level?.price else { return nil }
    let quantity = try data.optionalQuantity(sizeField) ?? level?.quantity
    return Level(price: price, quantity: quantity ?? .zero)
  }

  private func isWhole(_ message: Wire) throws(WireProblem) -> Bool {
    switch try message.text("type") {
    case "snapshot": return true
    case "delta": return false
    case let other: throw WireProblem("type", "expected snapshot or delta, found \(quotedExcerpt(other))")
    }
  }

  private func ticker(
    _ symbol: String, _ best: Best, _ time: Timestamp, bidField: String
  ) throws(WireProblem) -> Ticker? {
    guard let bid = best.bid, let ask = best.ask else { return nil }
    let ticker = Ticker(instrument: InstrumentID(venue: .bybit, symbol: symbol), bid: bid, ask: ask, time: time)
    try ticker.check(bidField: bidField)
    return ticker
  }
}
