public import Market

/// Candles that were fetched already; look-ups align to the candle's start.
///
/// The older a candle was when it was fetched, the longer its entry lives: one that has just closed may still be
/// corrected by its venue, and one that is open changes with every trade. A closed one that came back unchanged when it
/// was fetched again is final, and lives as the oldest do.
public struct CandleCache<Candle: Sendable & Equatable>: Sendable {
  /// What an entry is found by.
  private struct Key: Hashable {
    let exchange: Venue
    let symbol: String
    let timeframeSeconds: Int64
    let start: Int64
  }

  private struct Entry {
    let candle: Candle
    let isClosed: Bool
    let expiresAt: Int64
  }

  /// How long entries live, by the candle's age: the time since its start.
  public struct Lifetimes: Hashable, Sendable {
    /// Of candles older than an hour, in seconds.
    public var oldSeconds: Int64
    /// Of candles of five minutes to an hour, in seconds.
    public var recentSeconds: Int64
    /// Of younger ones, in seconds.
    public var youngSeconds: Int64

    /// Lifetimes; the defaults are an hour, five minutes, a minute.
    public init(oldSeconds: Int64 = 3600, recentSeconds: Int64 = 300, youngSeconds: Int64 = 60) {
      self.oldSeconds = oldSeconds
      self.recentSeconds = recentSeconds
      self.youngSeconds = youngSeconds
    }

    func seconds(age: Int64) -> Int64 {
      switch age {
      case ..<300: youngSeconds
      case 300...3600: recentSeconds
      default: oldSeconds
      }
    }
  }

  /// Look-ups that found a living entry.
  public private(set) var hits: UInt64 = 0
  /// Look-ups that did not.
  public private(set) var misses: UInt64 = 0
  /// How many entries there are, dead ones among them.
  public var count: Int { entries.count }

  private let lifetimes: Lifetimes
  private let entriesMax: Int
  private var entries: [Key: Entry] = [:]

  /// An empty cache.
  /// - Parameters:
  ///   - lifetimes: how long entries live.
  ///   - entriesMax: beyond it dead entries are removed, and then the ones that die first.
  public init(lifetimes: Lifetimes = Lifetimes(), entriesMax: Int = 200_000) {
    precondition(entriesMax > 0, "a cache without room")
    self.lifetimes = lifetimes
    self.entriesMax = entriesMax
  }

  /// The candle in which a moment lies; nil where it is not there or has expired.
  public mutating func candle(
    exchange: Venue, symbol: String, timeframeSeconds: Int64, at time: Timestamp, now: Timestamp
  ) -> Candle? {
    let key = Self.key(exchange, symbol, timeframeSeconds, time)
    if let entry = entries[key], now.nanoseconds < entry.expiresAt {
      hits += 1
      return entry.candle
    }
    misses += 1
    return nil
  }

  /// Keeps a candle.
  ///
  /// - Parameters:
  ///   - candle: the candle.
  ///   - exchange: whose it is.
  ///   - symbol: of which pair.
  ///   - timeframeSeconds: its length.
  ///   - time: a moment in it.
  ///   - isClosed: whether its period is over; only then the same again means that it is final.
  ///   - now: when it was fetched.
  public mutating func store(
    _ candle: Candle, exchange: Venue, symbol: String, timeframeSeconds: Int64, at time: Timestamp,
    isClosed: Bool = false, now: Timestamp
  ) {
    let key = Self.key(exchange, symbol, timeframeSeconds, time)
    let age = (now.nanoseconds - key.start) / 1_000_000_000
    // A second look that follows the first at once confirms nothing: the venue may not have had the time to correct.
    let known = entries[key]
    let isFinal =
      isClosed && known.map { $0.isClosed && $0.candle == candle && now.nanoseconds >= $0.expiresAt } ?? false
    let life = (isFinal ? lifetimes.oldSeconds : lifetimes.seconds(age: age)) * 1_000_000_000
    let expiresAt = max(now.nanoseconds + life, known.map { $0.candle == candle ? $0.expiresAt : 0 } ?? 0)
    entries[key] = Entry(candle: candle, isClosed: isClosed, expiresAt: expiresAt)
    if entries.count > entriesMax { shrink(now) }
  }

  private static func key(_ exchange: Venue, _ symbol: String, _ timeframeSeconds: Int64, _ time: Timestamp) -> Key {
    precondition(timeframeSeconds > 0, "a timeframe of nothing")
    let start = time.floored(toSeconds: timeframeSeconds).nanoseconds
    return Key(exchange: exchange, symbol: symbol, timeframeSeconds: timeframeSeconds, start: start)
  }

  private mutating func shrink(_ now: Timestamp) {
    entries = entries.filter { $0.value.expiresAt > now.nanoseconds }
    guard entries.count > entriesMax else { return }
    let limit = entries.values.map(\.expiresAt).sorted()[entries.count - entriesMax / 2]
    entries = entries.filter { $0.value.expiresAt >= limit }
  }
}
