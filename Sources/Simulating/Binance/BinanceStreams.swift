internal import Market
internal import Web

/// Binance's WebSocket streams of trades, best prices, candles and day tickers.
struct BinanceStreams {
  private struct Session {
    var isCombined: Bool
    var streams: Set<String> = []
    var second: Int64 = 0
    var messages = 0
  }

  private enum Kind {
    case trade, aggTrade, bookTicker, ticker
    case kline(interval: String, minutes: Int64)
  }

  private struct Stream {
    let name: String
    let coin: Coin
    let kind: Kind

    /// Reads a name such as `btcusdt@kline_1m`; nil where there is no such stream.
    init?(_ name: String) {
      let parts = name.split(separator: "@", maxSplits: 1)
      guard parts.count == 2,
        let coin = Coin.allCases.first(where: { BinanceRoutes.symbol($0).lowercased() == parts[0] })
      else { return nil }
      self.name = name
      self.coin = coin
      switch parts[1] {
      case "trade": kind = .trade
      case "aggTrade": kind = .aggTrade
      case "bookTicker": kind = .bookTicker
      case "ticker": kind = .ticker
      default:
        let interval = String(parts[1].dropFirst(6))
        guard parts[1].hasPrefix("kline_"), let minutes = BinanceRoutes.intervals[interval] else { return nil }
        kind = .kline(interval: interval, minutes: minutes)
      }
    }
  }

  private var sessions: [Int: Session] = [:]
  private var streams: [String: (stream: Stream, count: Int)] = [:]
  private var lastTrade: Int64 = 0
  private static let messagesMax = 5
  private static let streamsMax = 1024

  /// A connection to `/ws` or, wrapping each payload with its stream's name, to `/stream`.
  mutating func open(_ session: Int, isCombined: Bool, streams names: [String]) {
    sessions[session] = Session(isCombined: isCombined)
    for name in names where Stream(name) != nil { subscribe(session, name) }
  }

  mutating func close(_ session: Int) {
    guard let closed = sessions.removeValue(forKey: session) else { return }
    for name in closed.streams { release(name) }
  }

  /// Takes a request such as `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`.
  /// - Returns: the answer; nil where the connection is to be closed for sending too much.
  mutating func receive(_ text: UnsafeRawBufferPointer, from session: Int, now: Timestamp) -> [UInt8]? {
    guard let state = sessions[session] else { return [] }
    let isSameSecond = state.second == now.seconds
    sessions[session]?.second = now.seconds
    sessions[session]?.messages = isSameSecond ? state.messages + 1 : 1
    if isSameSecond, state.messages >= BinanceStreams.messagesMax { return nil }
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return refusal("Invalid JSON: expected value at line 1 column 1", code: 3, id: nil)
    }
    let id = document.root["id"]?.decimalText
    guard let method = document.root["method"]?.string else {
      return refusal("Invalid request: missing field `method`", code: 2, id: id)
    }
    let names = document.root["params"]?.elements.compactMap(\.string) ?? []
    switch method {
    case "SUBSCRIBE":
      guard names.allSatisfy({ Stream($0) != nil }) else {
        return refusal("Invalid request: invalid stream", code: 2, id: id)
      }
      guard state.streams.count + names.count <= BinanceStreams.streamsMax else {
        return refusal("Invalid request: too many streams", code: 2, id: id)
      }
      for name in names { subscribe(session, name) }
      return result("null", id: id)
    case "UNSUBSCRIBE":
      for name in names where sessions[session]?.streams.remove(name) != nil { release(name) }
      return result("null", id: id)
    case "LIST_SUBSCRIPTIONS":
      return result("[\(state.streams.sorted().map { "\"\($0)\"" }.joined(separator: ","))]", id: id)
    default:
      return refusal("Invalid request: unknown variant", code: 2, id: id)
    }
  }

  private func result(_ text: String, id: String?) -> [UInt8] {
    Array("{\"result\":\(text),\"id\":\(id ?? "null")}".utf8)
  }

  private func refusal(_ text: String, code: Int, id: String?) -> [UInt8] {
    Array("{\"code\":\(code),\"msg\":\"\(text)\"\(id.map { ",\"id\":\($0)" } ?? "")}".utf8)
  }

  private mutating func subscribe(_ session: Int, _ name: String) {
    guard let stream = Stream(name), sessions[session]?.streams.insert(name).inserted == true else { return }
    streams[name] = (stream, (streams[name]?.count ?? 0) + 1)
  }

  private mutating func release(_ name: String) {
    guard let entry = streams[name] else { return }
    streams[name] = entry.count > 1 ? (entry.stream, entry.count - 1) : nil
  }

  // MARK: Sending

  /// Sends what has happened since the last call: trades four times a second, tickers every second, candles every two
  /// seconds and when they close.
  mutating func advance(to now: Timestamp, _ history: SpotHistory, _ deliver: (Int, [UInt8]) -> Void) {
    let newest = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    if lastTrade == 0 || newest - lastTrade > 40 { lastTrade = newest - 1 }
    guard newest > lastTrade else { return }
    defer { lastTrade = newest }
    guard !streams.isEmpty else { return }
    for trade in (lastTrade + 1)...newest {
      for (stream, _) in streams.values {
        for payload in payloads(of: stream, trade: trade, history, now) { send(payload, of: stream, deliver) }
      }
    }
  }

  private func send(_ payload: ByteWriter, of stream: Stream, _ deliver: (Int, [UInt8]) -> Void) {
    for (session, state) in sessions where state.streams.contains(stream.name) {
      guard state.isCombined else {
        deliver(session, payload.bytes)
        continue
      }
      var wrapped = ByteWriter(capacity: payload.count + 64)
      wrapped.raw("{\"stream\":")
      wrapped.plain(stream.name)
      wrapped.raw(",\"data\":")
      wrapped.append(payload.bytes)
      wrapped.byte(0x7D)
      deliver(session, wrapped.bytes)
    }
  }

  private func payloads(
    of stream: Stream, trade: Int64, _ history: SpotHistory, _ now: Timestamp
  ) -> [ByteWriter] {
    let milliseconds = trade * SpotPrices.tradeMilliseconds
    let time = Timestamp(nanoseconds: milliseconds * 1_000_000)
    switch stream.kind {
    case .trade, .aggTrade: return [self.trade(stream, trade, history, now)]
    case .bookTicker: return [bookTicker(stream, trade, history)]
    case .ticker: return trade % 4 == 0 ? [ticker(stream, trade, history, time)] : []
    case .kline(let interval, let minutes):
      var result: [ByteWriter] = []
      let minute = milliseconds / 60_000
      if milliseconds % 60_000 == 0, BinanceRoutes.start(of: minute, minutes) == minute {
        result += kline(stream, interval, minutes, start: minute - minutes, isClosed: true, history, time)
      }
      if trade % 8 == 0 {
        let start = BinanceRoutes.start(of: minute, minutes)
        result += kline(stream, interval, minutes, start: start, isClosed: false, history, time)
      }
      return result
    }
  }

  private func head(_ event: StaticString, _ stream: Stream, milliseconds: Int64) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"e\":\"")
    writer.raw(event)
    writer.raw("\",\"E\":")
    writer.integer(milliseconds)
    writer.raw(",\"s\":")
    writer.plain(BinanceRoutes.symbol(stream.coin))
    return writer
  }

  private func trade(_ stream: Stream, _ number: Int64, _ history: SpotHistory, _ now: Timestamp) -> ByteWriter {
    let milliseconds = number * SpotPrices.tradeMilliseconds
    let isAggregate = if case .aggTrade = stream.kind { true } else { false }
    var writer = head(isAggregate ? "aggTrade" : "trade", stream, milliseconds: now.milliseconds)
    if isAggregate { writer.raw(",\"a\":") } else { writer.raw(",\"t\":") }
    writer.integer(number)
    writer.raw(",\"p\":")
    writer.cents(price(stream.coin, milliseconds, history))
    writer.raw(",\"q\":")
    writer.coins(Int128(history.prices.quantity(stream.coin, trade: number)))
    if isAggregate {
      writer.raw(",\"f\":")
      writer.integer(number)
      writer.raw(",\"l\":")
      writer.integer(number)
    }
    writer.raw(",\"T\":")
    writer.integer(milliseconds)
    writer.raw(",\"m\":")
    writer.boolean(history.prices.isBuyerMaker(stream.coin, trade: number))
    writer.raw(",\"M\":true}")
    return writer
  }

  private func price(_ coin: Coin, _ milliseconds: Int64, _ history: SpotHistory) -> Int64 {
    history.prices.price(coin, milliseconds: milliseconds) + SpotPrices.offset(.binance, coin)
  }

  private func bookTicker(_ stream: Stream, _ number: Int64, _ history: SpotHistory) -> ByteWriter {
    let milliseconds = number * SpotPrices.tradeMilliseconds
    let quote = SpotQuote(stream.coin, prices: history.prices, milliseconds: milliseconds)
    let last = price(stream.coin, milliseconds, history)
    var writer = ByteWriter(capacity: 256)
    writer.raw("{\"u\":")
    writer.integer(number)
    writer.raw(",\"s\":")
    writer.plain(BinanceRoutes.symbol(stream.coin))
    writer.raw(",\"b\":")
    writer.cents(last - 1)
    writer.raw(",\"B\":")
    writer.coins(Int128(quote.bidSize))
    writer.raw(",\"a\":")
    writer.cents(last)
    writer.raw(",\"A\":")
    writer.coins(Int128(quote.askSize))
    writer.byte(0x7D)
    return writer
  }

  private func kline(
    _ stream: Stream, _ interval: String, _ minutes: Int64, start: Int64, isClosed: Bool, _ history: SpotHistory,
    _ time: Timestamp
  ) -> [ByteWriter] {
    guard let candle = history.candle(.binance, stream.coin, start: start, minutes: minutes, now: time) else {
      return []
    }
    let first = start * Int64(SpotPrices.tradesPerMinute)
    var writer = head("kline", stream, milliseconds: time.milliseconds)
    writer.raw(",\"k\":{\"t\":")
    writer.integer(start * 60_000)
    writer.raw(",\"T\":")
    writer.integer((start + minutes) * 60_000 - 1)
    writer.raw(",\"s\":")
    writer.plain(BinanceRoutes.symbol(stream.coin))
    writer.raw(",\"i\":")
    writer.plain(interval)
    writer.raw(",\"f\":")
    writer.integer(first)
    writer.raw(",\"L\":")
    writer.integer(first + Int64(candle.trades) - 1)
    writer.raw(",\"o\":")
    writer.cents(candle.open)
    writer.raw(",\"c\":")
    writer.cents(candle.close)
    writer.raw(",\"h\":")
    writer.cents(candle.high)
    writer.raw(",\"l\":")
    writer.cents(candle.low)
    writer.raw(",\"v\":")
    writer.coins(candle.volume)
    writer.raw(",\"n\":")
    writer.integer(candle.trades)
    writer.raw(",\"x\":")
    writer.boolean(isClosed)
    writer.raw(",\"q\":")
    writer.coins(candle.quoteVolume)
    writer.raw(",\"V\":")
    writer.coins(candle.volume / 2)
    writer.raw(",\"Q\":")
    writer.coins(candle.quoteVolume / 2)
    writer.raw(",\"B\":\"0\"}}")
    return [writer]
  }

  private func ticker(
    _ stream: Stream, _ number: Int64, _ history: SpotHistory, _ time: Timestamp
  ) -> ByteWriter {
    var writer = head("24hrTicker", stream, milliseconds: time.milliseconds)
    let quote = SpotQuote(stream.coin, prices: history.prices, milliseconds: time.milliseconds)
    let last = price(stream.coin, time.milliseconds, history)
    let candle =
      BinanceRoutes(now: time, history: history).dayCandle(stream.coin)
      ?? SpotCandle(open: last, high: last, low: last, close: last, volume: 0, trades: 0)
    let members: [(StaticString, Int64)] = [
      (",\"p\":", candle.close - candle.open), (",\"w\":", (candle.open + candle.close) / 2),
      (",\"x\":", candle.open), (",\"c\":", last), (",\"b\":", last - 1), (",\"a\":", last), (",\"o\":", candle.open),
      (",\"h\":", candle.high), (",\"l\":", candle.low),
    ]
    for (name, cents) in members {
      writer.raw(name)
      writer.cents(cents)
    }
    writer.raw(",\"P\":\"")
    writer.fixed(raw: Int64(Int128(candle.close - candle.open) * 10_000_000_000 / Int128(candle.open)), decimals: 3)
    writer.raw("\",\"Q\":")
    writer.coins(Int128(history.prices.quantity(stream.coin, trade: number)))
    writer.raw(",\"B\":")
    writer.coins(Int128(quote.bidSize))
    writer.raw(",\"A\":")
    writer.coins(Int128(quote.askSize))
    writer.raw(",\"v\":")
    writer.coins(candle.volume)
    writer.raw(",\"q\":")
    writer.coins(candle.quoteVolume)
    writer.raw(",\"O\":")
    writer.integer(time.milliseconds - 86_400_000)
    writer.raw(",\"C\":")
    writer.integer(time.milliseconds)
    writer.raw(",\"F\":")
    writer.integer(number - Int64(candle.trades))
    writer.raw(",\"L\":")
    writer.integer(number)
    writer.raw(",\"n\":")
    writer.integer(candle.trades)
    writer.byte(0x7D)
    return writer
  }
}
