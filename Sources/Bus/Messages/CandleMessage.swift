public import Market

/// A candle on the bus: the body of `candle/VENUE/PUBLISHER`.
///
/// `[venue, symbol, periodSeconds, start, open, high, low, close, volume, isClosed, isStale, source]`; the volume is
/// decimal text, for it is larger than any integer of the wire. Older publishers leave out the last two.
public struct CandleMessage: Hashable, Sendable {
  /// The pair.
  public var instrument: InstrumentID
  /// The candle.
  public var candle: Candle
  /// Whether it stands in for one that could not be had.
  public var isStale: Bool
  /// Where it came from, or why it is stale; empty where it is the instrument's own venue.
  public var source: String

  /// A candle of a pair.
  public init(instrument: InstrumentID, candle: Candle, isStale: Bool = false, source: String = "") {
    self.instrument = instrument
    self.candle = candle
    self.isStale = isStale
    self.source = source
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(12)
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
    writer.boolean(isStale)
    writer.text(source)
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
    let hasSource = fields >= 12
    isStale = hasSource ? try reader.boolean() : false
    source = hasSource ? try reader.text() : ""
    try reader.skip(fields - (hasSource ? 12 : 10))
  }
}
