public import Market

/// A candle on the bus: the body of `candle/VENUE/PUBLISHER`.
///
/// `[venue, symbol, periodSeconds, start, open, high, low, close, volume, isClosed]`; the volume is decimal text, for it
/// is larger than any integer of the wire.
public struct CandleMessage: Hashable, Sendable {
  /// The pair.
  public var instrument: InstrumentID
  /// The candle.
  public var candle: Candle

  /// A candle of a pair.
  public init(instrument: InstrumentID, candle: Candle) {
    self.instrument = instrument
    self.candle = candle
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(10)
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.integer(candle.periodSeconds)
    writer.integer(candle.start.nanoseconds)
    writer.integer(candle.open.raw)
    writer.integer(candle.high.raw)
    writer.integer(candle.low.raw)
    writer.integer(candle.close.raw)
    writer.text(candle.volume.description)
    writer.boolean(candle.isClosed)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no candle.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 10)
    instrument = try readInstrument(&reader)
    let periodSeconds = try reader.integer(in: 1...366 * 86_400, "periodSeconds")
    let start = try reader.time()
    let open = Price(raw: try reader.integer())
    let high = Price(raw: try reader.integer())
    let low = Price(raw: try reader.integer())
    let close = Price(raw: try reader.integer())
    guard let volume = try? Volume(try reader.text()) else { throw .outOfRange(field: "volume") }
    candle = Candle(
      start: start, periodSeconds: periodSeconds, open: open, high: high, low: low, close: close, volume: volume,
      isClosed: try reader.boolean())
    try reader.skip(fields - 10)
  }
}
