internal import Market
internal import Web

/// Binance's streams of trades, best prices, candles and day tickers.
struct BinanceWire: StreamWire {
  let venue = Venue.binance
  let rules = StreamRules(requestsPerSecondMax: 5)

  private static let streamsMax = 1024

  /// Reads a name such as `btcusdt@kline_1m`; nil where there is no such stream.
  static func topic(_ name: String) -> StreamTopic? {
    let parts = name.split(separator: "@", maxSplits: 1)
    guard parts.count == 2,
      let coin = Coin.allCases.first(where: { BinanceRoutes.symbol($0).lowercased() == parts[0] })
    else { return nil }
    let kind: StreamTopic.Kind
    switch parts[1] {
    case "trade": kind = .trade
    case "aggTrade": kind = .aggregateTrade
    case "bookTicker": kind = .best
    case "ticker": kind = .ticker
    default:
      guard parts[1].hasPrefix("kline_"), let bar = BinanceRoutes.intervals[String(parts[1].dropFirst(6))] else {
        return nil
      }
      kind = .candle(bar)
    }
    return StreamTopic(coin: coin, kind: kind, name: name, symbol: BinanceRoutes.symbol(coin))
  }

  /// Takes a request such as `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`.
  func hear(
    _ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [refusal("Invalid JSON: expected value at line 1 column 1", code: 3, id: nil)]
    }
    let id = document.root["id"].flatMap { $0.string.map { "\"\($0)\"" } ?? $0.numberText }
    guard let method = document.root["method"]?.string else {
      return [refusal("Invalid request: missing field `method`", code: 2, id: id)]
    }
    let names = document.root["params"]?.elements.compactMap(\.string) ?? []
    switch method {
    case "SUBSCRIBE":
      let topics = names.compactMap(BinanceWire.topic)
      guard topics.count == names.count else { return [refusal("Invalid request: invalid stream", code: 2, id: id)] }
      guard session.topics.count + names.count <= BinanceWire.streamsMax else {
        return [refusal("Invalid request: too many streams", code: 2, id: id)]
      }
      session.topics.formUnion(topics)
      return [result("null", id: id)]
    case "UNSUBSCRIBE":
      session.topics.subtract(names.compactMap(BinanceWire.topic))
      return [result("null", id: id)]
    case "LIST_SUBSCRIPTIONS":
      let list = session.topics.map(\.name).sorted().map { "\"\($0)\"" }
      return [result("[\(list.joined(separator: ","))]", id: id)]
    default:
      return [refusal("Invalid request: unknown variant", code: 2, id: id)]
    }
  }

  private func result(_ text: String, id: String?) -> StreamReply {
    .text("{\"result\":\(text),\"id\":\(id ?? "null")}")
  }

  private func refusal(_ text: String, code: Int, id: String?) -> StreamReply {
    .text("{\"code\":\(code),\"msg\":\"\(text)\"\(id.map { ",\"id\":\($0)" } ?? "")}")
  }

  func wrap(_ payload: ByteWriter, _ topic: StreamTopic) -> ByteWriter {
    var wrapped = ByteWriter(capacity: payload.count + 64)
    wrapped.raw("{\"stream\":")
    wrapped.plain(topic.name)
    wrapped.raw(",\"data\":")
    wrapped.append(payload.bytes)
    wrapped.byte(0x7D)
    return wrapped
  }

  // MARK: Payloads

  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) {
    switch topic.kind {
    case .trade, .aggregateTrade: emit(trade(topic, desk))
    case .best: emit(best(topic, desk))
    case .ticker: if desk.newestTrade % 4 == 0 { emit(ticker(topic, desk)) }
    case .candle(let bar):
      let every: Int64 = bar.seconds == 1 ? 4 : 8
      desk.candleNews(topic.coin, bar, everyTrades: every) { start, candle, isClosed in
        emit(kline(topic, bar, start, candle, isClosed: isClosed, desk))
      }
    default: break
    }
  }

  private func head(_ event: StaticString, _ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"e\":\"")
    writer.raw(event)
    writer.raw("\",\"E\":")
    writer.integer(desk.now.milliseconds)
    writer.raw(",\"s\":")
    writer.plain(topic.symbol)
    return writer
  }

  private func trade(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    let isAggregate = topic.kind == .aggregateTrade
    let trade = desk.trade(topic.coin, desk.newestTrade)
    var writer = head(isAggregate ? "aggTrade" : "trade", topic, desk)
    if isAggregate { writer.raw(",\"a\":") } else { writer.raw(",\"t\":") }
    writer.integer(trade.number)
    writer.raw(",\"p\":")
    writer.eight(trade.price)
    writer.raw(",\"q\":")
    writer.eight(trade.quantity)
    if isAggregate {
      writer.raw(",\"f\":")
      writer.integer(trade.number)
      writer.raw(",\"l\":")
      writer.integer(trade.number)
    }
    writer.raw(",\"T\":")
    writer.integer(trade.milliseconds)
    writer.raw(",\"m\":")
    writer.boolean(trade.isBuyerMaker)
    writer.raw(",\"M\":true}")
    return writer
  }

  private func best(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    let quote = desk.quote(topic.coin)
    var writer = ByteWriter(capacity: 256)
    writer.raw("{\"u\":")
    writer.integer(desk.newestTrade)
    writer.raw(",\"s\":")
    writer.plain(topic.symbol)
    let members: [(StaticString, Int64)] = [
      (",\"b\":", quote.bid), (",\"B\":", quote.bidSize), (",\"a\":", quote.ask), (",\"A\":", quote.askSize),
    ]
    for (name, value) in members {
      writer.raw(name)
      writer.eight(value)
    }
    writer.byte(0x7D)
    return writer
  }

  private func kline(
    _ topic: StreamTopic, _ bar: SpotBar, _ start: Int64, _ candle: SpotCandle, isClosed: Bool, _ desk: SpotDesk
  ) -> ByteWriter {
    let first = start * 4
    var writer = head("kline", topic, desk)
    writer.raw(",\"k\":{\"t\":")
    writer.integer(start * 1000)
    writer.raw(",\"T\":")
    writer.integer(bar.start(start, plus: 1) * 1000 - 1)
    writer.raw(",\"s\":")
    writer.plain(topic.symbol)
    writer.raw(",\"i\":")
    writer.plain(String(topic.name.drop { $0 != "_" }.dropFirst()))
    writer.raw(",\"f\":")
    writer.integer(first)
    writer.raw(",\"L\":")
    writer.integer(first + Int64(candle.trades) - 1)
    let prices: [(StaticString, Int64)] = [
      (",\"o\":", candle.open), (",\"c\":", candle.close), (",\"h\":", candle.high), (",\"l\":", candle.low),
    ]
    for (name, price) in prices {
      writer.raw(name)
      writer.eight(price)
    }
    writer.raw(",\"v\":")
    writer.eight(candle.volume)
    writer.raw(",\"n\":")
    writer.integer(candle.trades)
    writer.raw(",\"x\":")
    writer.boolean(isClosed)
    writer.raw(",\"q\":")
    writer.eight(candle.quoteVolume)
    writer.raw(",\"V\":")
    writer.eight(candle.volume / 2)
    writer.raw(",\"Q\":")
    writer.eight(candle.quoteVolume / 2)
    writer.raw(",\"B\":\"0\"}}")
    return writer
  }

  private func ticker(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    var writer = head("24hrTicker", topic, desk)
    let quote = desk.quote(topic.coin)
    let day = desk.day(topic.coin)
    let trade = desk.trade(topic.coin, desk.newestTrade)
    let members: [(StaticString, Int64)] = [
      (",\"p\":", day.close - day.open), (",\"w\":", day.mean), (",\"x\":", day.open), (",\"c\":", trade.price),
      (",\"b\":", quote.bid), (",\"a\":", quote.ask), (",\"o\":", day.open), (",\"h\":", day.high),
      (",\"l\":", day.low), (",\"Q\":", trade.quantity), (",\"B\":", quote.bidSize), (",\"A\":", quote.askSize),
    ]
    for (name, value) in members {
      writer.raw(name)
      writer.eight(value)
    }
    writer.raw(",\"P\":\"")
    writer.fixed(raw: day.changePercent, decimals: 3)
    writer.raw("\",\"v\":")
    writer.eight(day.volume)
    writer.raw(",\"q\":")
    writer.eight(day.quoteVolume)
    let numbers: [(StaticString, Int64)] = [
      (",\"O\":", desk.now.milliseconds - 86_400_000), (",\"C\":", desk.now.milliseconds),
      (",\"F\":", trade.number - Int64(day.trades)), (",\"L\":", trade.number), (",\"n\":", Int64(day.trades)),
    ]
    for (name, number) in numbers {
      writer.raw(name)
      writer.integer(number)
    }
    writer.byte(0x7D)
    return writer
  }
}
