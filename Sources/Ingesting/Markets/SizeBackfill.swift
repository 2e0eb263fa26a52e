internal import Daemon
package import Market

/// Trades that came without their size, held back until REST tells it or their time is over (I5).
///
/// held → published with its size, as soon as an answer has it; held → published without, when its time is over. Each is
/// published exactly once. What REST tells comes some seconds late, so an answer that does not have it is asked for again.
/// One request serves all that wait for one market. A pure value; time is passed in, in monotonic nanoseconds.
package struct SizeBackfill {
  /// Limits, by the section `[polymarket]`.
  package struct Options: Sendable {
    /// How far the price that REST tells may be away, in dollars.
    package var priceTolerance = Price(raw: 1_000_000)
    /// How old the trade that REST tells may be.
    package var tradeAgeMaxSeconds: Int64 = 60
    /// How long a trade is held back.
    package var waitNanoseconds: Int64 = 3_000_000_000
    /// How many trades are held back at once.
    package var waitingMax = 500
    /// How many requests are under way at once.
    package var requestsMax = 4

    /// The defaults.
    package init() {}
  }

  /// What became of them.
  package struct Counters: Equatable, Sendable {
    package var needed: UInt64 = 0
    package var found: UInt64 = 0
    /// The last answer had none that fits.
    package var notFound: UInt64 = 0
    /// The last request failed.
    package var failed: UInt64 = 0
    /// No answer came at all in the time that there was.
    package var overdue: UInt64 = 0
    /// Too many waited.
    package var crowded: UInt64 = 0
    package var requests: UInt64 = 0
  }

  private struct Held {
    let trade: Trade
    let market: String
    let dueAt: Int64
    var isAsked = false
    /// Not asked for again before that.
    var askAt: Int64 = 0
    /// What the last answer was.
    var answer = Answer.none

    enum Answer {
      case none, notFound, failed
    }
  }

  /// Before REST is asked again for the same trade.
  private static let againNanoseconds: Int64 = 1_000_000_000

  /// Between two requests, so that other requests for trades have room under the venue's limit.
  private static let pauseNanoseconds: Int64 = 100_000_000

  package let options: Options
  package private(set) var counters = Counters()
  private var held: [Held] = []
  private var marketsInFlight: Set<String> = []
  private var nextRequestAt: Int64 = 0

  /// Nothing held.
  package init(options: Options) { self.options = options }

  /// How many trades wait.
  package var waitingCount: Int { held.count }

  /// Takes a trade without a size.
  /// - Returns: the trade where too many wait already: it is to be published as it is.
  package mutating func hold(_ trade: Trade, market: String, now: Int64) -> Trade? {
    counters.needed += 1
    guard held.count < options.waitingMax else {
      counters.crowded += 1
      return trade
    }
    held.append(Held(trade: trade, market: market, dueAt: now + options.waitNanoseconds))
    return nil
  }

  /// The market whose trades are to be asked for now; nil where none is, or requests enough are under way.
  package mutating func takeRequest(_ now: Int64) -> String? {
    guard marketsInFlight.count < options.requestsMax, now >= nextRequestAt,
      let next = held.first(where: { !$0.isAsked && now >= $0.askAt && !marketsInFlight.contains($0.market) })
    else { return nil }
    marketsInFlight.insert(next.market)
    for place in held.indices where held[place].market == next.market { held[place].isAsked = true }
    nextRequestAt = now + SizeBackfill.pauseNanoseconds
    counters.requests += 1
    return next.market
  }

  /// Takes the answer to a request.
  /// - Parameters:
  ///   - market: whose trades were asked for.
  ///   - trades: what the venue tells; nil where it could not be had.
  ///   - time: the time of day.
  ///   - now: monotonic nanoseconds.
  /// - Returns: the trades that are to be published, each with its size.
  package mutating func take(market: String, _ trades: [Trade]?, time: Timestamp, now: Int64) -> [Trade] {
    marketsInFlight.remove(market)
    var search = TradeSizeSearch(
      among: trades ?? [], priceTolerance: options.priceTolerance, ageMaxSeconds: options.tradeAgeMaxSeconds, now: time)
    var ready: [Trade] = []
    // Those that came while the request was under way may not be in its answer: they are asked for next.
    held = held.compactMap { one in
      guard one.market == market, one.isAsked else { return one }
      var trade = one.trade
      if let size = search.tradeSize(at: trade.price, of: trade.instrument, time: trade.time) {
        trade.quantity = size
        trade.sizeBackfilled = true
        ready.append(trade)
        return nil
      }
      var again = one
      again.isAsked = false
      again.askAt = now + SizeBackfill.againNanoseconds
      again.answer = trades == nil ? .failed : .notFound
      return again
    }
    counters.found += UInt64(ready.count)
    return ready
  }

  /// The trades whose time is over; they are to be published without a size.
  package mutating func takeOverdue(_ now: Int64) -> [Trade] {
    // The oldest are first: each waits equally long.
    let count = held.prefix { $0.dueAt <= now }.count
    return giveUp(count)
  }

  /// All that wait, because the process ends.
  package mutating func takeAll() -> [Trade] {
    giveUp(held.count)
  }

  private mutating func giveUp(_ count: Int) -> [Trade] {
    defer { held.removeFirst(count) }
    for one in held.prefix(count) {
      switch one.answer {
      case .none: counters.overdue += 1
      case .notFound: counters.notFound += 1
      case .failed: counters.failed += 1
      }
    }
    return held.prefix(count).map(\.trade)
  }

  /// For the process's health.
  package var health: [String: Int64] {
    [
      "sizes_needed": Int64(counters.needed), "sizes_found": Int64(counters.found),
      "sizes_not_found": Int64(counters.notFound), "sizes_failed": Int64(counters.failed),
      "sizes_overdue": Int64(counters.overdue), "sizes_crowded": Int64(counters.crowded),
      "sizes_requests": Int64(counters.requests), "sizes_waiting": Int64(held.count),
    ]
  }
}

extension SizeBackfill.Options {
  init(settings: Settings) {
    self.init()
    priceTolerance = Price(raw: settings.decimal("polymarket", "size_price_tolerance"))
    tradeAgeMaxSeconds = Int64(settings.integer("polymarket", "size_trade_age_max_s"))
    waitNanoseconds = Int64(settings.integer("polymarket", "size_wait_ms")) * 1_000_000
    waitingMax = settings.integer("polymarket", "size_waiting_max")
    requestsMax = settings.integer("polymarket", "size_requests_max")
  }
}
