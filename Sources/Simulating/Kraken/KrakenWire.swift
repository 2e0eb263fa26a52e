internal import Market
internal import Web

/// Kraken's stream, version 2: tickers, trades, candles; one answer for each symbol, numbers as JSON numbers.
struct KrakenWire: StreamWire {
  let venue = Venue.kraken
  let rules = StreamRules(subscribeWithinSeconds: 60, heartbeat: "{\"channel\":\"heartbeat\"}")

  func greeting(_ session: StreamSession, _ desk: SpotDesk) -> [StreamReply] {
    [
      .text(
        "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.0\",\"system\":\"online\","
          + "\"api_version\":\"v2\",\"connection_id\":\(12_393_906_104_898_154_000 + UInt64(session.number))}]}")
    ]
  }

  // MARK: Requests

  func hear(
    _ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [.text("{\"error\":\"Malformed request\",\"success\":false}")]
    }
    let root = document.root
    let method = root["method"]?.string ?? ""
    let id = root["req_id"]?.integer
    switch method {
    case "ping": return [answer("pong", id, desk)]
    case "subscribe", "unsubscribe": return change(method, root["params"], id, &session, desk)
    default: return [answer(method, id, desk, error: "Unsupported method")]
    }
  }

  private func change(
    _ method: String, _ params: JSONValue?, _ id: Int64?, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    let channel = params?["channel"]?.string ?? ""
    var kind: StreamTopic.Kind
    var extra = ""
    switch channel {
    case "ticker": kind = .ticker
    case "trade": kind = .trade
    case "ohlc":
      let interval = params?["interval"]?.integer ?? 1
      guard KrakenRoutes.intervals.contains(interval) else {
        return [answer(method, id, desk, error: "Interval not supported")]
      }
      kind = .candle(.minutes(interval))
      extra = ",\"interval\":\(interval)"
    default: return [answer(method, id, desk, error: "Channel not supported")]
    }
    let snapshot = params?["snapshot"]?.bool ?? (channel != "trade")
    var replies: [StreamReply] = []
    for symbol in params?["symbol"]?.elements.compactMap(\.string) ?? [] {
      guard let pair = KrakenPair.byStream[symbol] else {
        replies.append(
          answer(method, id, desk, error: "Currency pair not supported \(symbol)", symbol: symbol))
        continue
      }
      let topic = StreamTopic(coin: pair.coin, kind: kind, name: channel + extra, symbol: symbol)
      if method == "subscribe" {
        guard session.topics.insert(topic).inserted else {
          replies.append(answer(method, id, desk, error: "Already subscribed", symbol: symbol))
          continue
        }
      } else if session.topics.remove(topic) == nil {
        replies.append(answer(method, id, desk, error: "Subscription Not Found", symbol: symbol))
        continue
      }
      let flag = method == "subscribe" ? ",\"snapshot\":\(snapshot)" : ""
      replies.append(
        answer(
          method, id, desk,
          result: "{\"channel\":\"\(channel)\"\(flag)\(extra),\"symbol\":\"\(symbol)\"}"))
      if method == "subscribe", snapshot { replies.append(.text(self.snapshot(topic, desk))) }
    }
    return replies.isEmpty ? [answer(method, id, desk, error: "Symbol(s) not found")] : replies
  }

  private func answer(
    _ method: String, _ id: Int64?, _ desk: SpotDesk, result: String? = nil, error: String? = nil,
    symbol: String? = nil
  ) -> StreamReply {
    var writer = ByteWriter(capacity: 256)
    if let error {
      writer.raw("{\"error\":")
      writer.quoted(error)
      writer.raw(",\"method\":")
    } else {
      writer.raw("{\"method\":")
    }
    writer.quoted(method)
    if let id { writer.text(",\"req_id\":\(id)") }
    if let result { writer.text(",\"result\":\(result)") }
    if result != nil || error != nil { writer.text(",\"success\":\(error == nil)") }
    if let symbol {
      writer.raw(",\"symbol\":")
      writer.quoted(symbol)
    }
    writer.raw(",\"time_in\":")
    writer.fineTime(desk.now)
    writer.raw(",\"time_out\":")
    writer.fineTime(desk.now)
    writer.byte(0x7D)
    return .text(writer)
  }

  // MARK: Payloads

  private func head(_ topic: StreamTopic, _ type: StaticString) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"channel\":")
    writer.plain(String(topic.name.prefix { $0 != "," }))
    writer.raw(",\"type\":\"")
    writer.raw(type)
    writer.raw("\",\"data\":[")
    return writer
  }

  /// What there is already: the last fifty trades, the last candles, the ticker.
  private func snapshot(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    var writer = head(topic, "snapshot")
    switch topic.kind {
    case .trade:
      for number in (desk.newestTrade - 49)...desk.newestTrade {
        if writer.bytes.last != 0x5B { writer.byte(0x2C) }
        trade(topic, desk.trade(topic.coin, number), &writer)
      }
    case .candle(let bar):
      let current = bar.start(of: desk.now.seconds)
      let first = bar.start(current, plus: -59)
      desk.candles(topic.coin, bar, oldestFirstFrom: first, to: current, count: 60) { start, candle in
        if writer.bytes.last != 0x5B { writer.byte(0x2C) }
        self.candle(topic, bar, start, candle, &writer)
      }
    default: ticker(topic, desk, &writer)
    }
    return stamped(writer, topic, desk)
  }

  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) {
    switch topic.kind {
    case .trade:
      var writer = head(topic, "update")
      trade(topic, desk.trade(topic.coin, desk.newestTrade), &writer)
      emit(stamped(writer, topic, desk))
    case .candle(let bar):
      desk.candleNews(topic.coin, bar, everyTrades: 4) { start, candle, _ in
        var writer = head(topic, "update")
        self.candle(topic, bar, start, candle, &writer)
        emit(stamped(writer, topic, desk))
      }
    default:
      var writer = head(topic, "update")
      ticker(topic, desk, &writer)
      emit(stamped(writer, topic, desk))
    }
  }

  private func stamped(_ writer: ByteWriter, _ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    var writer = writer
    writer.byte(0x5D)
    if case .candle = topic.kind {
      writer.raw(",\"timestamp\":")
      writer.fineTime(desk.now)
    }
    writer.byte(0x7D)
    return writer
  }

  private func trade(_ topic: StreamTopic, _ trade: SpotTrade, _ writer: inout ByteWriter) {
    writer.raw("{\"symbol\":")
    writer.plain(topic.symbol)
    if trade.isBuyerMaker { writer.raw(",\"side\":\"sell\"") } else { writer.raw(",\"side\":\"buy\"") }
    writer.raw(",\"price\":")
    writer.fixed(raw: trade.price, decimals: topic.coin.priceDecimals)
    writer.raw(",\"qty\":")
    writer.fixed(raw: trade.quantity, decimals: 8)
    if trade.number % 3 == 0 { writer.raw(",\"ord_type\":\"market\"") } else { writer.raw(",\"ord_type\":\"limit\"") }
    writer.raw(",\"trade_id\":")
    writer.integer(trade.number)
    writer.raw(",\"timestamp\":")
    writer.fineTime(trade.time)
    writer.byte(0x7D)
  }

  private func ticker(_ topic: StreamTopic, _ desk: SpotDesk, _ writer: inout ByteWriter) {
    let coin = topic.coin
    let quote = desk.quote(coin)
    let day = desk.day(coin)
    writer.raw("{\"symbol\":")
    writer.plain(topic.symbol)
    let members: [(StaticString, Int64, Int)] = [
      (",\"bid\":", quote.bid, coin.priceDecimals), (",\"bid_qty\":", quote.bidSize, 8),
      (",\"ask\":", quote.ask, coin.priceDecimals), (",\"ask_qty\":", quote.askSize, 8),
      (",\"last\":", desk.last(coin), coin.priceDecimals), (",\"vwap\":", day.mean, 5),
      (",\"low\":", day.low, coin.priceDecimals), (",\"high\":", day.high, coin.priceDecimals),
      (",\"change\":", day.close - day.open, coin.priceDecimals), (",\"change_pct\":", day.changePercent, 2),
    ]
    for (name, value, decimals) in members {
      writer.raw(name)
      writer.fixed(raw: value, decimals: decimals)
    }
    writer.raw(",\"volume\":")
    writer.short(day.volume)
    writer.raw(",\"timestamp\":")
    writer.fineTime(desk.now)
    writer.byte(0x7D)
  }

  /// `timestamp` is the end of the interval.
  private func candle(
    _ topic: StreamTopic, _ bar: SpotBar, _ start: Int64, _ candle: SpotCandle, _ writer: inout ByteWriter
  ) {
    writer.raw("{\"symbol\":")
    writer.plain(topic.symbol)
    let prices: [(StaticString, Int64)] = [
      (",\"open\":", candle.open), (",\"high\":", candle.high), (",\"low\":", candle.low),
      (",\"close\":", candle.close), (",\"vwap\":", candle.mean),
    ]
    for (name, price) in prices {
      writer.raw(name)
      writer.fixed(raw: price, decimals: topic.coin.priceDecimals)
    }
    writer.raw(",\"trades\":")
    writer.integer(candle.trades)
    writer.raw(",\"volume\":")
    writer.short(candle.volume)
    writer.raw(",\"interval_begin\":")
    writer.nanosecondTime(Timestamp(nanoseconds: start * 1_000_000_000))
    writer.raw(",\"interval\":")
    writer.integer(bar.seconds / 60)
    writer.raw(",\"timestamp\":")
    writer.fineTime(Timestamp(nanoseconds: bar.start(start, plus: 1) * 1_000_000_000))
    writer.byte(0x7D)
  }
}
