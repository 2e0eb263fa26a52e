public import Market

/// Trades on the bus: the body of `trade/…` is an array of
/// `[venue, symbol, price, quantity or nil, side, time, sizeBackfilled]`; older publishers leave out the last one.
public enum TradeMessage {
  /// Writes trades as one array.
  public static func encode(_ trades: [Trade], _ writer: MessagePackWriter) {
    writer.array(trades.count)
    for trade in trades {
      writer.array(7)
      writer.unsigned(UInt64(trade.instrument.venue.code))
      writer.text(trade.instrument.symbol)
      writer.integer(trade.price.raw)
      writeOptional(trade.quantity?.raw, writer)
      writer.unsigned(UInt64(trade.takerSide.rawValue))
      writer.integer(trade.time.nanoseconds)
      writer.boolean(trade.sizeBackfilled)
    }
  }

  /// Reads such an array.
  ///
  /// - Throws: `MessageError` where the bytes are no trades.
  public static func readList(_ reader: inout MessagePackReader) throws(MessageError) -> [Trade] {
    var trades: [Trade] = []
    for _ in 0..<(try reader.array()) {
      let fields = try reader.array(atLeast: 6)
      let instrument = try readInstrument(&reader)
      let price = Price(raw: try reader.integer())
      let quantity = try readOptional(&reader).map { Quantity(raw: $0) }
      let side = try readSide(&reader)
      var trade = Trade(
        instrument: instrument, price: price, quantity: quantity, takerSide: side, time: try reader.time())
      if fields > 6 { trade.sizeBackfilled = try reader.boolean() }
      trades.append(trade)
      try reader.skip(max(0, fields - 7))
    }
    return trades
  }
}

extension Ticker {
  /// Writes it as one array; the body of `ticker/…`.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(7)
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.integer(bid.price.raw)
    writer.integer(bid.quantity.raw)
    writer.integer(ask.price.raw)
    writer.integer(ask.quantity.raw)
    writer.integer(time.nanoseconds)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no ticker.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 7)
    self.init(
      instrument: try readInstrument(&reader),
      bid: Level(price: Price(raw: try reader.integer()), quantity: Quantity(raw: try reader.integer())),
      ask: Level(price: Price(raw: try reader.integer()), quantity: Quantity(raw: try reader.integer())),
      time: try reader.time())
    try reader.skip(fields - 7)
  }
}
