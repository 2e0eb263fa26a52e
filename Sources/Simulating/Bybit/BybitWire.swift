internal import Market
internal import Web

/// Bybit's public stream of spot pairs: trades, tickers, candles, best prices.
struct BybitWire: StreamWire {
  let venue = Venue.bybit
  let rules = StreamRules(silenceSecondsMax: 600)

  private static let argsMax = 10

  /// Reads a topic such as `kline.5.BTCUSDT`; nil where there is none.
  private static func topic(_ name: String) -> StreamTopic? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let symbol = parts.last, let coin = BybitRoutes.coins[symbol] else { return nil }
    let kind: StreamTopic.Kind
    switch (parts.first, parts.count) {
    case ("publicTrade", 2): kind = .trade
    case ("tickers", 2): kind = .ticker
    case ("orderbook", 3) where parts[1] == "1": kind = .best
    case ("kline", 3):
      guard let bar = BybitRoutes.intervals[parts[1]] else { return nil }
      kind = .candle(bar)
    default: return nil
    }
    return StreamTopic(coin: coin, kind: kind, name: name, symbol: symbol)
  }

  func hear(
    _ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [answer("", isGood: false, "Error:\(String(decoding: text, as: UTF8.self).prefix(64))", nil, session)]
    }
    let operation = document.root["op"]?.string ?? ""
    let id = document.root["req_id"]?.string
    switch operation {
    case "ping": return [answer("ping", isGood: true, "pong", id, session)]
    case "subscribe", "unsubscribe":
      let names = document.root["args"]?.elements.compactMap(\.string) ?? []
      guard names.count <= BybitWire.argsMax else {
        return [answer(operation, isGood: false, "args size >10", id, session)]
      }
      var topics: [StreamTopic] = []
      for name in names {
        guard let topic = BybitWire.topic(name) else {
          return [answer(operation, isGood: false, "Invalid topic: \(name)", id, session)]
        }
        topics.append(topic)
      }
      guard operation == "subscribe" else {
        session.topics.subtract(topics)
        return [answer(operation, isGood: true, "", id, session)]
      }
      let fresh = topics.filter { session.topics.insert($0).inserted }
      var replies = [answer(operation, isGood: true, operation, id, session)]
      for topic in fresh {
        switch topic.kind {
        case .ticker: replies.append(.text(ticker(topic, desk)))
        case .best: replies.append(.text(best(topic, desk, isSnapshot: true)))
        default: break
        }
      }
      return replies
    default: return [answer(operation, isGood: false, "Invalid op", id, session)]
    }
  }

  private func answer(
    _ operation: String, isGood: Bool, _ text: String, _ id: String?, _ session: StreamSession
  ) -> StreamReply {
    var writer = ByteWriter(capacity: 192)
    writer.text("{\"success\":\(isGood),\"ret_msg\":")
    writer.quoted(text)
    writer.raw(",\"conn_id\":\"cejreaspqfm9se7usbrg-")
    writer.hexadecimal(UInt64(session.number), digits: 6)
    writer.byte(0x22)
    if let id {
      writer.raw(",\"req_id\":")
      writer.quoted(id)
    }
    writer.raw(",\"op\":")
    writer.quoted(operation)
    writer.byte(0x7D)
    return .text(writer)
  }

  // MARK: Payloads

  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) {
    switch topic.kind {
    case .trade: emit(trade(topic, desk))
    case .ticker: emit(ticker(topic, desk))
    case .best: emit(best(topic, desk, isSnapshot: false))
    case .candle(let bar):
      desk.candleNews(topic.coin, bar, everyTrades: 4) { start, candle, isClosed in
        emit(kline(topic, bar, start, candle, isClosed: isClosed, desk))
      }
    default: break
    }
  }

  private func head(_ topic: StreamTopic, _ desk: SpotDesk, type: StaticString) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"topic\":")
    writer.plain(topic.name)
    writer.raw(",\"ts\":")
    writer.integer(desk.now.milliseconds)
    writer.raw(",\"type\":\"")
    writer.raw(type)
    writer.byte(0x22)
    return writer
  }

  private func trade(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    let trade = desk.trade(topic.coin, desk.newestTrade)
    var writer = head(topic, desk, type: "snapshot")
    writer.raw(",\"data\":[{\"T\":")
    writer.integer(trade.milliseconds)
    writer.raw(",\"s\":")
    writer.plain(topic.symbol)
    if trade.isBuyerMaker { writer.raw(",\"S\":\"Sell\"") } else { writer.raw(",\"S\":\"Buy\"") }
    writer.raw(",\"v\":")
    writer.quotedShort(Int128(trade.quantity))
    writer.raw(",\"p\":")
    writer.quotedShort(Int128(trade.price))
    writer.raw(",\"L\":\"PlusTick\",\"i\":\"2")
    writer.unsigned(UInt64(trade.number), width: 18)
    writer.raw("\",\"BT\":false,\"RPI\":false,\"seq\":")
    writer.integer(trade.number * 3)
    writer.raw("}]}")
    return writer
  }

  /// Without best prices: those are in the book's topic.
  private func ticker(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    var writer = head(topic, desk, type: "snapshot")
    writer.raw(",\"cs\":")
    writer.integer(desk.newestTrade * 3)
    writer.raw(",\"data\":{\"symbol\":")
    writer.plain(topic.symbol)
    BybitRoutes.day(topic.coin, desk, to: &writer)
    writer.byte(0x7D)
    return writer
  }

  /// The best level whole, or what is new of it: a price that is best no longer has the size 0.
  private func best(_ topic: StreamTopic, _ desk: SpotDesk, isSnapshot: Bool) -> ByteWriter {
    let coin = topic.coin
    let quote = desk.quote(coin)
    let past = desk.at(desk.now.advanced(byNanoseconds: -SpotPrices.tradeMilliseconds * 1_000_000)).quote(coin)
    var writer = head(topic, desk, type: isSnapshot ? "snapshot" : "delta")
    writer.raw(",\"data\":{\"s\":")
    writer.plain(topic.symbol)
    for (name, price, size, old) in [
      (",\"b\":[" as StaticString, quote.bid, quote.bidSize, past.bid),
      ("],\"a\":[", quote.ask, quote.askSize, past.ask),
    ] {
      writer.raw(name)
      writer.byte(0x5B)
      writer.quotedShort(Int128(price))
      writer.byte(0x2C)
      writer.quotedShort(Int128(size))
      writer.byte(0x5D)
      guard !isSnapshot, old != price else { continue }
      writer.raw(",[")
      writer.quotedShort(Int128(old))
      writer.raw(",\"0\"]")
    }
    writer.text("],\"u\":\(desk.newestTrade),\"seq\":\(desk.newestTrade * 3)},\"cts\":\(desk.now.milliseconds)}")
    return writer
  }

  private func kline(
    _ topic: StreamTopic, _ bar: SpotBar, _ start: Int64, _ candle: SpotCandle, isClosed: Bool, _ desk: SpotDesk
  ) -> ByteWriter {
    var writer = head(topic, desk, type: "snapshot")
    writer.text(",\"data\":[{\"start\":\(start * 1000),\"end\":\(bar.start(start, plus: 1) * 1000 - 1),\"interval\":")
    writer.plain(String(topic.name.dropFirst(6).prefix { $0 != "." }))
    for (name, value) in [
      (",\"open\":" as StaticString, Int128(candle.open)), (",\"close\":", Int128(candle.close)),
      (",\"high\":", Int128(candle.high)), (",\"low\":", Int128(candle.low)), (",\"volume\":", candle.volume),
      (",\"turnover\":", candle.quoteVolume),
    ] {
      writer.raw(name)
      writer.quotedShort(value)
    }
    writer.text(",\"confirm\":\(isClosed),\"timestamp\":\(desk.now.milliseconds)}]}")
    return writer
  }
}
