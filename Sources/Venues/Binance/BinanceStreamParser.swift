public import Market
internal import Web

/// What one message of Binance's streams says.
public enum BinanceStreamEvent: Hashable, Sendable {
  /// A trade: `{"e":"trade","E":1639351062244,"s":"ETHUSDT","t":705291099,"p":"4149.74000000","q":"0.43870000",`
  /// `"T":1639351062243,"m":true,"M":true}`; `m` means that the buyer was the maker, so the seller took.
  case trade(Trade)
  /// The best prices, which come without a time:
  /// `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`.
  case ticker(Ticker)
  /// A candle of one minute: `{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,`
  /// `"i":"1m","o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0010","v":"1000","x":false,…}}`; `x` means closed.
  case candle(symbol: String, Candle)
  /// The answer to a request of ours: `{"result":null,"id":1}`.
  case response
  /// The venue goes down for maintenance: connect anew at once.
  case shutdown
  /// A kind that is not read here.
  case ignored
}

/// Reads the messages of Binance's streams, bare or wrapped as combined streams wrap them:
/// `{"stream":"ethusdt@trade","data":{…}}`.
public enum BinanceStreamParser {
  /// Reads one message.
  /// - Parameters:
  ///   - text: the message.
  ///   - receivedAt: the time of a ticker, which brings none.
  /// - Returns: what it says.
  /// - Throws: `VenueError` that names kind and field.
  public static func parse(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp
  ) throws(VenueError) -> BinanceStreamEvent {
    let document: JSONDocument
    do {
      document = try JSONDocument(text)
    } catch {
      throw VenueError(venue: .binance, kind: "stream", problem: "the message is no JSON that we take: \(error)")
    }
    let root = Wire(document.root)
    var message = root
    var place = ""
    do throws(WireProblem) {
      if let stream = try root.optionalText("stream") {
        if stream == "!serverShutdown" { return .shutdown }
        message = try root.required("data", "an object")
        place = "data"
      }
    } catch {
      throw error.error(.binance, "stream")
    }
    return try parse(message, at: place, receivedAt)
  }

  private static func parse(
    _ message: Wire, at place: String, _ receivedAt: Timestamp
  ) throws(VenueError) -> BinanceStreamEvent {
    var kind = "stream"
    do throws(WireProblem) {
      switch try message.optionalText("e") {
      case "trade":
        kind = "trade"
        return .trade(try trade(message))
      case "kline":
        kind = "candle"
        return .candle(symbol: try message.text("s"), try candle(message))
      case "serverShutdown": return .shutdown
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
        kind = "subscription"
        let words = try message.text("msg").prefix(200)
        throw WireProblem("", "refused with code \(code.json.decimalText ?? "?"): \(words)")
      }
      return message.json["result"] != nil ? .response : .ignored
    } catch {
      throw (place.isEmpty ? error : error.inside(place)).error(.binance, kind)
    }
  }

  private static func trade(_ message: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .binance, symbol: try message.text("s")), price: try message.price("p"),
      quantity: try message.quantity("q"), takerSide: try message.boolean("m") ? .sell : .buy,
      time: try message.milliseconds("T"))
    try trade.check(price: "p", quantity: "q")
    return trade
  }

  private static func ticker(_ message: Wire, _ receivedAt: Timestamp) throws(WireProblem) -> Ticker {
    let ticker = Ticker(
      instrument: InstrumentID(venue: .binance, symbol: try message.text("s")),
      bid: Level(price: try message.price("b"), quantity: try message.quantity("B")),
      ask: Level(price: try message.price("a"), quantity: try message.quantity("A")), time: receivedAt)
    try ticker.check(bidField: "b")
    return ticker
  }

  private static func candle(_ message: Wire) throws(WireProblem) -> Candle {
    let inner = try message.required("k", "an object")
    do throws(WireProblem) {
      guard try inner.text("i") == "1m" else { throw WireProblem("i", "expected a candle of one minute") }
      let start = try inner.milliseconds("t")
      let end = try inner.milliseconds("T")
      guard end.milliseconds - start.milliseconds == 59_999, start.milliseconds % 60_000 == 0 else {
        throw WireProblem("T", "expected the end of the minute, found \(end) for a start at \(start)")
      }
      let candle = Candle(
        start: start, periodSeconds: 60, open: try inner.price("o"), high: try inner.price("h"),
        low: try inner.price("l"), close: try inner.price("c"), volume: try inner.volume("v"),
        isClosed: try inner.boolean("x"))
      guard candle.volume.raw >= 0 else {
        throw WireProblem("v", "expected no negative number, found \(candle.volume)")
      }
      guard candle.low.raw > 0 else { throw WireProblem("l", "expected a low above 0, found \(candle.low)") }
      for (value, field) in [(candle.open, "o"), (candle.close, "c"), (candle.high, "h")]
      where value < candle.low || value > candle.high {
        throw WireProblem(field, "expected a price between \(candle.low) and \(candle.high), found \(value)")
      }
      return candle
    } catch {
      throw error.inside("k")
    }
  }
}
