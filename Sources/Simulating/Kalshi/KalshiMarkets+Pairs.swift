internal import Market

extension KalshiMarkets {
  /// The ordinary markets that both venues list, approved by the simulator, which knows that they are the same.
  ///
  /// Windows of coins are not among them: the venues settle these by different prices.
  func pairs(_ world: World, at time: Timestamp) -> [UInt8] {
    var writer = ByteWriter(capacity: 1 << 16)
    writer.raw("{\"version\":1,\"matches\":[")
    var isFirst = true
    // A recorded market has a twin that is made up.
    for twin in twins.values.sorted(by: { $0.id < $1.id }) where !world.isRecorded {
      let market = world.markets[twin.slot]
      guard market.subject == .ordinary else { continue }
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      writer.raw("\n{\"polymarket\":")
      writer.quoted(market.conditionID)
      writer.raw(",\"kalshi\":")
      writer.quoted(twin.ticker)
      writer.raw(",\"polarity\":\"same\",\"polymarket_terms\":\"*\",\"kalshi_terms\":\"*\",\"polymarket_title\":")
      writer.quoted(market.question)
      writer.raw(",\"kalshi_title\":")
      let event = world.events[market.event]
      let title = KalshiNames.title(event, market)
      writer.quoted(event.markets.count > 1 ? "\(title) \(KalshiNames.outcome(market))" : title)
      writer.raw(",\"score\":100,\"decision\":\"approved\",\"decided_at\":")
      writer.kalshiTime(time)
      writer.raw(",\"by\":\"simulator\"}")
    }
    writer.raw("]}\n")
    return writer.bytes
  }
}
