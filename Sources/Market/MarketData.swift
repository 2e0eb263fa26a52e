/// A trade that happened at a venue.
public struct Trade: Hashable, Sendable {
  /// What was traded.
  public var instrument: InstrumentID
  /// At which price.
  public var price: Price
  /// How much; nil where the venue did not say.
  public var quantity: Quantity?
  /// What the taker did.
  public var takerSide: Side
  /// The trade's own time at the venue.
  public var time: Timestamp
  /// The venue's number of the trade; nil where it has none.
  ///
  /// It is not told on the bus.
  public var number: Int64?
  /// Whether the venue did not say how much, and `quantity` was found elsewhere (I5).
  public var sizeBackfilled = false

  /// A trade by its parts.
  public init(
    instrument: InstrumentID, price: Price, quantity: Quantity?, takerSide: Side, time: Timestamp,
    number: Int64? = nil, sizeBackfilled: Bool = false
  ) {
    self.sizeBackfilled = sizeBackfilled
    self.number = number
    self.instrument = instrument
    self.price = price
    self.quantity = quantity
    self.takerSide = takerSide
    self.time = time
  }
}

/// Trades that a venue calls recent may be months old (I4): a trade counts by its own time alone.
public struct TradeAgeFilter: Sendable {
  /// The greatest age, in nanoseconds.
  public let ageMaxNanoseconds: Int64

  /// A filter for trades of at most `seconds` of age.
  public init(ageMaxSeconds seconds: Int64) { ageMaxNanoseconds = seconds * 1_000_000_000 }

  /// Whether the trade is recent at `now`; one from the future by more than the limit is not either.
  @inlinable public func accepts(_ time: Timestamp, now: Timestamp) -> Bool {
    now.nanoseconds(since: time).magnitude <= UInt64(ageMaxNanoseconds)
  }
}

/// Open, high, low and close of one period.
public struct Candle: Hashable, Sendable {
  /// The start of the period (UTC).
  public var start: Timestamp
  /// The length of the period in seconds.
  public var periodSeconds: Int64
  /// The first price.
  public var open: Price
  /// The highest price.
  public var high: Price
  /// The lowest price.
  public var low: Price
  /// The last price.
  public var close: Price
  /// What was traded, in the base currency.
  public var volume: Volume
  /// Whether the period is over, so that the candle will not change.
  public var isClosed: Bool

  /// A candle by its parts.
  public init(
    start: Timestamp, periodSeconds: Int64, open: Price, high: Price, low: Price, close: Price, volume: Volume,
    isClosed: Bool
  ) {
    self.start = start
    self.periodSeconds = periodSeconds
    self.open = open
    self.high = high
    self.low = low
    self.close = close
    self.volume = volume
    self.isClosed = isClosed
  }
}

/// The best prices of a crypto pair.
public struct Ticker: Hashable, Sendable {
  /// The pair.
  public var instrument: InstrumentID
  /// The best bid, and what rests there.
  public var bid: Level
  /// The best ask, and what rests there.
  public var ask: Level
  /// When we received it, or the venue's time where it has one.
  public var time: Timestamp

  /// A ticker by its parts.
  public init(instrument: InstrumentID, bid: Level, ask: Level, time: Timestamp) {
    self.instrument = instrument
    self.bid = bid
    self.ask = ask
    self.time = time
  }

  /// The middle between best bid and best ask, rounded down.
  public var mid: Price { Price(raw: bid.price.raw / 2 + ask.price.raw / 2) }
}
