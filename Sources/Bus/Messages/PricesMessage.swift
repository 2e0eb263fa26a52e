public import Market

/// All prices of one cycle, taken at one moment: the body of `prices/PUBLISHER`.
///
/// `[number, time, [[coin, price, time, mark_src, isStale, staleReason], …], [[coin, reason], …]]`; the second list names
/// the coins that have no price which may be traded on.
public struct PricesMessage: Hashable, Sendable {
  /// One coin's price.
  public struct Mark: Hashable, Sendable {
    /// The coin, such as `BTC`.
    public var coin: String
    /// Its price in dollars.
    public var price: Price
    /// For which moment it holds.
    public var time: Timestamp
    /// Who gave it.
    public var source: String
    /// Whether it is of an earlier cycle.
    public var isStale: Bool
    /// Why; empty where it is not stale.
    public var staleReason: String

    /// A price by its parts.
    public init(
      coin: String, price: Price, time: Timestamp, source: String, isStale: Bool = false, staleReason: String = ""
    ) {
      self.coin = coin
      self.price = price
      self.time = time
      self.source = source
      self.isStale = isStale
      self.staleReason = staleReason
    }
  }

  /// A coin without a price.
  public struct Hold: Hashable, Sendable {
    /// The coin.
    public var coin: String
    /// Why it has none.
    public var reason: String

    /// A hold by its parts.
    public init(coin: String, reason: String) {
      self.coin = coin
      self.reason = reason
    }
  }

  /// The number of the cycle.
  public var number: UInt64
  /// When the snapshot was taken.
  public var time: Timestamp
  /// The prices.
  public var marks: [Mark]
  /// Those without one.
  public var holds: [Hold]

  /// Prices by their parts.
  public init(number: UInt64, time: Timestamp, marks: [Mark], holds: [Hold]) {
    self.number = number
    self.time = time
    self.marks = marks
    self.holds = holds
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(4)
    writer.unsigned(number)
    writer.integer(time.nanoseconds)
    writer.array(marks.count)
    for mark in marks {
      writer.array(6)
      writer.text(mark.coin)
      writer.integer(mark.price.raw)
      writer.integer(mark.time.nanoseconds)
      writer.text(mark.source)
      writer.boolean(mark.isStale)
      writer.text(mark.staleReason)
    }
    writer.array(holds.count)
    for hold in holds {
      writer.array(2)
      writer.text(hold.coin)
      writer.text(hold.reason)
    }
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no prices.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 4)
    number = try reader.unsigned()
    time = try reader.time()
    marks = []
    holds = []
    for _ in 0..<(try reader.array()) {
      let parts = try reader.array(atLeast: 6)
      marks.append(
        Mark(
          coin: try reader.text(), price: Price(raw: try reader.integer()), time: try reader.time(),
          source: try reader.text(), isStale: try reader.boolean(), staleReason: try reader.text()))
      try reader.skip(parts - 6)
    }
    for _ in 0..<(try reader.array()) {
      let parts = try reader.array(atLeast: 2)
      holds.append(Hold(coin: try reader.text(), reason: try reader.text()))
      try reader.skip(parts - 2)
    }
    try reader.skip(fields - 4)
  }
}
