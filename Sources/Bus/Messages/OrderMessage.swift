public import Market

extension Order {
  /// Writes it as one array; the body of `order/…`.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(16)
    writer.text(id)
    writer.unsigned(opportunityID)
    writer.unsigned(UInt64(strategy.code))
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.text(marketID)
    writer.unsigned(UInt64(side.rawValue))
    writer.integer(limit.raw)
    writer.integer(quantity.raw)
    writer.text(timeInForce.rawValue)
    writer.text(state.rawValue)
    writer.integer(filled.raw)
    writer.boolean(isUnwind)
    writer.integer(createdAt.nanoseconds)
    writer.integer(updatedAt.nanoseconds)
    writer.text(reason)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no order.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 16)
    let id = try reader.text()
    let opportunityID = try reader.unsigned()
    guard let strategy = Strategy(code: UInt8(try reader.integer(in: 0...255, "strategy"))) else {
      throw .outOfRange(field: "strategy")
    }
    let instrument = try readInstrument(&reader)
    let marketID = try reader.text()
    let side = try readSide(&reader)
    let limit = Price(raw: try reader.integer())
    let quantity = Quantity(raw: try reader.integer())
    guard let timeInForce = TimeInForce(rawValue: try reader.text()) else { throw .outOfRange(field: "timeInForce") }
    guard let state = OrderState(rawValue: try reader.text()) else { throw .outOfRange(field: "state") }
    let filled = Quantity(raw: try reader.integer())
    let isUnwind = try reader.boolean()
    self.init(
      id: id, opportunityID: opportunityID, strategy: strategy, instrument: instrument, marketID: marketID,
      side: side, limit: limit, quantity: quantity, timeInForce: timeInForce, isUnwind: isUnwind,
      createdAt: try reader.time())
    self.state = state
    self.filled = filled
    updatedAt = try reader.time()
    reason = try reader.text()
    try reader.skip(fields - 16)
  }
}

extension Fill {
  /// Writes it as one array; the body of `fill/…`.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(11)
    writer.integer(sequence)
    writer.text(orderID)
    writer.unsigned(UInt64(strategy.code))
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.text(marketID)
    writer.unsigned(UInt64(side.rawValue))
    writer.integer(price.raw)
    writer.integer(quantity.raw)
    writer.integer(fee.raw)
    writer.integer(time.nanoseconds)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no fill.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 11)
    let sequence = try reader.integer()
    let orderID = try reader.text()
    guard let strategy = Strategy(code: UInt8(try reader.integer(in: 0...255, "strategy"))) else {
      throw .outOfRange(field: "strategy")
    }
    self.init(
      orderID: orderID, strategy: strategy, instrument: try readInstrument(&reader), marketID: try reader.text(),
      side: try readSide(&reader), price: Price(raw: try reader.integer()),
      quantity: Quantity(raw: try reader.integer()), fee: Money(raw: try reader.integer()),
      time: try reader.time())
    self.sequence = sequence
    try reader.skip(fields - 11)
  }
}
