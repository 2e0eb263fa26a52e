internal import Market
internal import Store

extension Command {
  static let candles = Command(
    "candles",
    options: [
      Option(["--exchange"], value: "NAME", "of one exchange, such as kraken; all otherwise"),
      Option(["--symbol"], value: "COIN", "of one coin, such as BTC; all otherwise"),
      Option(["--timeframe"], value: "T", "of one length, such as 1m, 4h or 1d; all otherwise"),
      Option(["--from"], value: "TIME", "that start then or later, such as 2026-07-24T10:00:00Z"),
      .limit, .json,
    ],
    "Shows the newest stored candles, each with its exchange, also when nothing runs"
  ) { context in
    var query = CandleQuery(limit: try context.limit())
    if let name = context.invocation.value("--exchange") {
      guard let venue = Venue(rawValue: name.lowercased()) else {
        throw ToolError.usage("expected an exchange such as kraken after --exchange, found \(name)")
      }
      query.exchange = venue
    }
    // `BTC/USD`, `btc` and `BTC` are one coin.
    query.symbol = context.invocation.value("--symbol").map {
      String($0.uppercased().prefix { $0 != "/" })
    }
    if let name = context.invocation.value("--timeframe") {
      guard let period = CandlePeriod(name), let seconds = period.seconds else {
        throw ToolError.usage("expected a length such as 1m, 4h or 1d after --timeframe, found \(name)")
      }
      query.timeframeSeconds = seconds
    }
    if let text = context.invocation.value("--from") {
      guard let time = try? Timestamp(rfc3339: text) else {
        throw ToolError.usage("expected a time such as 2026-07-24T10:00:00Z after --from, found \(text)")
      }
      query.from = time
    }
    let path = context.dataDirectory + "/history.db"
    let store = try openStore(path, "history") { try HistoryStore(readingFrom: path) }
    var report = Report([
      .init("time", "TIME"), .init("exchange", "EXCHANGE"), .init("symbol", "SYMBOL"),
      .init("timeframe", "TIMEFRAME"), .init("open", "OPEN", isNumber: true), .init("high", "HIGH", isNumber: true),
      .init("low", "LOW", isNumber: true), .init("close", "CLOSE", isNumber: true),
      .init("volume", "VOLUME", isNumber: true), .init("closed", nil), .init("is_stale", "STALE"),
      .init("source", "SOURCE"),
    ])
    for row in try store.candles(query) {
      let candle = row.candle
      report.add([
        .time(candle.start), .text(row.exchange.rawValue), .text(row.symbol),
        .text(CandlePeriod.seconds(candle.periodSeconds).description), .decimal(candle.open.raw, shown: 4),
        .decimal(candle.high.raw, shown: 4), .decimal(candle.low.raw, shown: 4), .decimal(candle.close.raw, shown: 4),
        .text(candle.volume.description), .boolean(candle.isClosed), .boolean(row.isStale), .text(row.source),
      ])
    }
    return context.print(report, empty: "no candles yet")
  }
}
