internal import Market
internal import Web

/// Coinbase's feed: tickers, matches, heartbeats.
struct CoinbaseWire: StreamWire {
  let venue = Venue.coinbase
  let rules = StreamRules(subscribeWithinSeconds: 5, requestsPerSecondMax: 100)

  private static let channels: [String: StreamTopic.Kind] = [
    "ticker": .ticker, "ticker_batch": .slowTicker, "matches": .trade, "heartbeat": .heartbeat,
  ]

  func hear(
    _ text: UnsafeRawBufferPointer, _ session: inout StreamSession, _ desk: SpotDesk
  ) -> [StreamReply] {
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [refusal("Malformed JSON", nil)]
    }
    let type = document.root["type"]?.string ?? ""
    guard type == "subscribe" || type == "unsubscribe" else {
      return [refusal("Type has to be either subscribe or unsubscribe", nil)]
    }
    let common = document.root["product_ids"]?.elements.compactMap(\.string) ?? []
    var wanted: [StreamTopic] = []
    let channels = document.root["channels"].map { Array($0.elements) } ?? []
    for channel in channels {
      guard let name = channel.string ?? channel["name"]?.string else {
        return [refusal("Failed to subscribe", "channels must be names")]
      }
      if name == "status" || name == "heartbeats" { continue }
      guard let kind = CoinbaseWire.channels[name] else {
        return [refusal("Failed to subscribe", "\(name) is not a valid channel")]
      }
      let own = channel["product_ids"]?.elements.compactMap(\.string) ?? []
      for product in Set(common + own) {
        guard let coin = CoinbaseRoutes.coin(product) else {
          return [refusal("Failed to subscribe", "\(product) is not a valid product")]
        }
        wanted.append(StreamTopic(coin: coin, kind: kind, name: name, symbol: product))
      }
    }
    guard type == "subscribe" else {
      session.topics.subtract(wanted)
      return [.text(subscriptions(session))]
    }
    guard !wanted.isEmpty else { return [refusal("Failed to subscribe", "no product_ids or channels given")] }
    let fresh = wanted.filter { session.topics.insert($0).inserted }
    var replies = [StreamReply.text(subscriptions(session))]
    for topic in fresh {
      switch topic.kind {
      case .trade: replies.append(.text(match(topic, desk, "last_match")))
      case .ticker, .slowTicker: replies.append(.text(ticker(topic, desk)))
      default: break
      }
    }
    return replies
  }

  private func refusal(_ message: String, _ reason: String?) -> StreamReply {
    var writer = ByteWriter()
    writer.raw("{\"type\":\"error\",\"message\":")
    writer.quoted(message)
    if let reason {
      writer.raw(",\"reason\":")
      writer.quoted(reason)
    }
    writer.byte(0x7D)
    return .text(writer)
  }

  private func subscriptions(_ session: StreamSession) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"type\":\"subscriptions\",\"channels\":[")
    let names = Set(session.topics.map(\.name)).sorted()
    for (place, name) in names.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      writer.raw("{\"name\":")
      writer.plain(name)
      writer.raw(",\"product_ids\":[")
      let products = session.topics.filter { $0.name == name }.map(\.symbol).sorted()
      writer.text(products.map { "\"\($0)\"" }.joined(separator: ","))
      writer.raw("],\"account_ids\":null}")
    }
    writer.raw("]}")
    return writer
  }

  func write(_ topic: StreamTopic, _ desk: SpotDesk, _ emit: (ByteWriter) -> Void) {
    switch topic.kind {
    case .trade: emit(match(topic, desk, "match"))
    case .ticker: emit(ticker(topic, desk))
    case .slowTicker: if desk.newestTrade % 20 == 0 { emit(ticker(topic, desk)) }
    case .heartbeat: if desk.newestTrade % 4 == 0 { emit(heartbeat(topic, desk)) }
    default: break
    }
  }

  /// Every order changes it, so trades alone leave gaps.
  private func sequence(_ trade: Int64) -> Int64 { trade * 16 + trade % 5 }

  private func head(_ type: StaticString, _ topic: StreamTopic, _ trade: SpotTrade) -> ByteWriter {
    var writer = ByteWriter(capacity: 512)
    writer.raw("{\"type\":\"")
    writer.raw(type)
    writer.raw("\",\"sequence\":")
    writer.integer(sequence(trade.number))
    writer.raw(",\"product_id\":")
    writer.plain(topic.symbol)
    writer.raw(",\"time\":")
    writer.fineTime(trade.time)
    return writer
  }

  private func heartbeat(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    let trade = desk.trade(topic.coin, desk.newestTrade)
    var writer = head("heartbeat", topic, trade)
    writer.raw(",\"last_trade_id\":")
    writer.integer(trade.number)
    writer.byte(0x7D)
    return writer
  }

  /// The side is the maker's.
  private func match(_ topic: StreamTopic, _ desk: SpotDesk, _ type: StaticString) -> ByteWriter {
    let trade = desk.trade(topic.coin, desk.newestTrade)
    var writer = head(type, topic, trade)
    writer.raw(",\"trade_id\":")
    writer.integer(trade.number)
    writer.raw(",\"maker_order_id\":\"ac928c66-ca53-498f-9c13-")
    writer.hexadecimal(UInt64(bitPattern: trade.number), digits: 12)
    writer.raw("\",\"taker_order_id\":\"132fb6ae-456b-4654-b4e0-")
    writer.hexadecimal(UInt64(bitPattern: trade.number), digits: 12)
    if trade.isBuyerMaker { writer.raw("\",\"side\":\"buy\"") } else { writer.raw("\",\"side\":\"sell\"") }
    writer.raw(",\"size\":")
    writer.eight(trade.quantity)
    writer.raw(",\"price\":")
    writer.price(trade.price, of: topic.coin)
    writer.byte(0x7D)
    return writer
  }

  /// The side is the taker's.
  private func ticker(_ topic: StreamTopic, _ desk: SpotDesk) -> ByteWriter {
    let trade = desk.trade(topic.coin, desk.newestTrade)
    let quote = desk.quote(topic.coin)
    let day = desk.day(topic.coin)
    var writer = head("ticker", topic, trade)
    let prices: [(StaticString, Int64)] = [
      (",\"price\":", trade.price), (",\"open_24h\":", day.open), (",\"low_24h\":", day.low),
      (",\"high_24h\":", day.high), (",\"best_bid\":", quote.bid), (",\"best_ask\":", quote.ask),
    ]
    for (name, price) in prices {
      writer.raw(name)
      writer.price(price, of: topic.coin)
    }
    let sizes: [(StaticString, Int128)] = [
      (",\"volume_24h\":", day.volume), (",\"volume_30d\":", day.volume * 30),
      (",\"best_bid_size\":", Int128(quote.bidSize)), (",\"best_ask_size\":", Int128(quote.askSize)),
      (",\"last_size\":", Int128(trade.quantity)),
    ]
    for (name, size) in sizes {
      writer.raw(name)
      writer.eight(size)
    }
    if trade.isBuyerMaker { writer.raw(",\"side\":\"sell\"") } else { writer.raw(",\"side\":\"buy\"") }
    writer.raw(",\"trade_id\":")
    writer.integer(trade.number)
    writer.byte(0x7D)
    return writer
  }
}
