internal import Market
internal import Web

/// OKX's stream: tickers, trades and best prices on `public`, candles and single trades on `business`.
struct OKXWire: StreamWire {
  let venue = Venue.okx
  let rules = StreamRules(subscribeWithinSeconds: 30, silenceSecondsMax: 30)
  let isBusiness: Bool

  private func kind(_ channel: String) -> StreamTopic.Kind? {
    switch channel {
    case "trades" where !isBusiness, "trades-all" where isBusiness: return .trade
    case "tickers" where !isBusiness: return .ticker
    case "bbo-tbt" where !isBusiness: return .best
    case "books5" where !isBusiness: return .book(depth: 5)
    default:
      guard isBusiness, channel.hasPrefix("candle") else { return nil }
      return OKXRoutes.bars[String(channel.dropFirst(6))].map { .candle($0) }
    }
  }

  func hear(
    _ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    if text.elementsEqual("ping".utf8) { return [.text("pong")] }
    let said = String(decoding: text, as: UTF8.self)
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [error("60012", "Invalid request: \(said)", session)]
    }
    let operation = document.root["op"]?.string ?? ""
    guard operation == "subscribe" || operation == "unsubscribe", let args = document.root["args"], args.count > 0
    else { return [error("60012", "Invalid request: \(said)", session)] }
    let id = document.root["id"]?.decimalText
    var replies: [StreamReply] = []
    for arg in args.elements {
      let channel = arg["channel"]?.string ?? ""
      let name = arg["instId"]?.string ?? ""
      guard let kind = kind(channel), let coin = OKXRoutes.coins[name] else {
        replies.append(
          error(
            "60018",
            "Wrong URL or channel:\(channel),instId:\(name) doesn't exist. Please use the correct URL, channel and "
              + "parameters referring to API document.", session, id: id))
        continue
      }
      let topic = StreamTopic(coin: coin, kind: kind, name: channel, symbol: name)
      replies.append(event(operation, topic, session, id: id))
      guard operation == "subscribe" else {
        session.topics.remove(topic)
        continue
      }
      session.topics.insert(topic)
      if kind != .trade { payload(topic, desk) { replies.append(.text($0)) } }
    }
    return replies
  }

  private func event(_ event: String, _ topic: StreamTopic, _ session: StreamSession, id: String?) -> StreamReply {
    var writer = ByteWriter(capacity: 192)
    writer.byte(0x7B)
    if let id {
      writer.raw("\"id\":")
      writer.quoted(id)
      writer.byte(0x2C)
    }
    writer.raw("\"event\":")
    writer.plain(event)
    writer.byte(0x2C)
    argument(topic, to: &writer)
    writer.raw(",\"connId\":\"")
    writer.hexadecimal(UInt64(session.number), digits: 8)
    writer.raw("\"}")
    return .text(writer)
  }

  private func error(_ code: String, _ text: String, _ session: StreamSession, id: String? = nil) -> StreamReply {
    var writer = ByteWriter(capacity: 192)
    writer.byte(0x7B)
    if let id {
      writer.raw("\"id\":")
      writer.quoted(id)
      writer.byte(0x2C)
    }
    writer.raw("\"event\":\"error\",\"code\":")
    writer.plain(code)
    writer.raw(",\"msg\":")
    writer.quoted(text)
    writer.raw(",\"connId\":\"")
    writer.hexadecimal(UInt64(session.number), digits: 8)
    writer.raw("\"}")
    return .text(writer)
  }

  private func argument(_ topic: StreamTopic, to writer: inout ByteWriter) {
    writer.raw("\"arg\":{\"channel\":")
    writer.plain(topic.name)
    writer.raw(",\"instId\":")
    writer.plain(topic.symbol)
    writer.byte(0x7D)
  }

  // MARK: Payloads

  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) { payload(topic, desk, emit) }

  private func payload(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) {
    var writer = ByteWriter(capacity: 512)
    writer.byte(0x7B)
    argument(topic, to: &writer)
    writer.raw(",\"data\":[")
    switch topic.kind {
    case .trade:
      OKXRoutes.trade(topic.coin, desk.trade(topic.coin, desk.newestTrade), to: &writer)
      if isBusiness { writer.byte(0x7D) } else { writer.raw(",\"count\":\"1\"}") }
    case .ticker: OKXRoutes.ticker(topic.coin, desk, to: &writer)
    case .candle(let bar):
      let head = writer
      desk.candleNews(topic.coin, bar, everyTrades: 4) { start, candle, isClosed in
        var writer = head
        OKXRoutes.candle(start, candle, isClosed: isClosed, to: &writer)
        writer.raw("]}")
        emit(writer)
      }
      return
    case .best, .book:
      let depth = if case .book(let depth) = topic.kind { depth } else { 1 }
      OKXRoutes.book(topic.coin, desk, depth: depth, to: &writer)
      writer.byte(0x7D)
    default: return
    }
    writer.raw("]}")
    emit(writer)
  }
}
