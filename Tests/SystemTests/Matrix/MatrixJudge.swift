import Bus
import Daemon
import Foundation
import Market
import TestSupport
import Venues

/// Hears all that the ingestors say, and judges it: what is right, and who was disturbed.
///
/// `@unchecked Sendable`: what it keeps is behind the thread's lock.
final class MatrixJudge: @unchecked Sendable {
  /// What was seen since the last `begin`.
  struct Disturbances {
    /// Messages that were missed, by topic.
    var missed: [String: UInt64] = [:]
    /// Publishers that started anew, by topic.
    var restarted: Set<String> = []
    /// The longest pause of each topic that has a cadence, in beats of the simulator, one each second.
    var pauses: [String: Int] = [:]
    /// Live books that went stale, with what was heard just then; a new grid of prices is no disturbance.
    var stale: [(venue: Venue, copies: Int, what: String)] = []
    /// Trades that were told twice, and trades of long ago, by venue.
    var repeated: [Venue: Int] = [:]
    var old: [Venue: Int] = [:]
    /// Prices of the collector that were stale or withheld.
    var unpriced: [String] = []
  }

  private struct State {
    var disturbances = Disturbances()
    var silentBeats: [String: Int] = [:]
    var beats = 0
    var health: [String: [String: Int64]] = [:]
    var tickers: [InstrumentID: Ticker] = [:]
    /// How many tickers and trades came of each instrument.
    var tickerCounts: [InstrumentID: Int] = [:]
    var tradeCounts: [InstrumentID: Int] = [:]
    /// The times of the last trades: the simulator's exchanges have one every quarter of a second.
    var tradeTimes: [InstrumentID: [Timestamp]] = [:]
    var prices: [String: PricesMessage] = [:]
    var wholeStates: Set<String> = []
    /// What was last known of each book.
    var books: [BookIndex: (state: BookState, tick: Price, copies: Int)] = [:]
  }

  private let thread = BusThread()
  private var state = State()
  private let feed = BookFeed()

  init(_ deployment: Deployment, publishers: [String]) throws {
    let topics = [
      Topic.book, Topic.market, Topic.trade, Topic.ticker, Topic.candle, Topic.prices, Topic.health,
    ]
    try thread.hear(.init(topics: topics), of: deployment, publishers: publishers) { [weak self] in
      self?.take($0, $1)
    }
  }

  deinit { stop() }

  func stop() { thread.stop() }

  private func take(_ event: BusEvent, _ subscriber: Subscriber) {
    feed.handle(event, from: subscriber, onMarket: { _ in }) { book in
      let header = feed.cache.header(book)
      let known = state.books.updateValue((header.state, header.tick, feed.copyCount(of: book)), forKey: book)
      // Where both lines tell a new grid, the book has been stale since the first of them.
      guard header.state == .stale, let known, known.state == .live, known.tick == header.tick else { return }
      let market = feed.markets[feed.owners[book].market]
      let what = "\(market.question), tick \(header.tick), at \(Self.name(event, subscriber))"
      state.disturbances.stale.append((market.venue, known.copies, what))
    }
    switch event {
    case .gap(let stream, let missed): state.disturbances.missed[subscriber.topic(of: stream), default: 0] += missed
    case .restarted(let stream): state.disturbances.restarted.insert(subscriber.topic(of: stream))
    case .snapshotEnd(let publisher): state.wholeStates.insert(publisher)
    case .message(let stream, _, _, var reader):
      let topic = subscriber.topic(of: stream)
      if Self.hasCadence(topic) { state.silentBeats[topic] = 0 }
      take(topic, &reader)
    }
  }

  private static func name(_ event: BusEvent, _ subscriber: Subscriber) -> String {
    switch event {
    case .gap(let stream, _): "gap of \(subscriber.topic(of: stream))"
    case .restarted(let stream): "start of \(subscriber.topic(of: stream))"
    case .snapshotEnd(let publisher): "state of \(publisher)"
    case .message(let stream, _, _, _): subscriber.topic(of: stream)
    }
  }

  /// Topics on which something comes every second.
  private static func hasCadence(_ topic: String) -> Bool {
    if topic.hasPrefix(Topic.health) || topic.hasPrefix(Topic.book) || topic.hasPrefix(Topic.ticker) { return true }
    let isOfBooks = topic.contains("/polymarket/") || topic.contains("/kalshi/")
    return topic.hasPrefix(Topic.trade) && !isOfBooks
  }

  private func take(_ topic: String, _ reader: inout MessagePackReader) {
    if topic.hasPrefix(Topic.health), let health = try? HealthMessage(&reader) {
      state.health[health.name] = health.counters
      if health.name == "simulator" { beat() }
    } else if topic.hasPrefix(Topic.ticker), let ticker = try? Ticker(&reader) {
      state.tickers[ticker.instrument] = ticker
      state.tickerCounts[ticker.instrument, default: 0] += 1
    } else if topic.hasPrefix(Topic.trade), let trades = try? TradeMessage.readList(&reader) {
      for trade in trades { take(trade) }
    } else if topic.hasPrefix(Topic.prices), let prices = try? PricesMessage(&reader) {
      let name = String(topic.dropFirst(Topic.prices.count))
      state.prices[name] = prices
      guard name == "ingestor-candles" else { return }
      state.disturbances.unpriced += prices.marks.filter(\.isStale).map { "\($0.coin) stale" }
      state.disturbances.unpriced += prices.holds.map { "\($0.coin) withheld" }
    }
  }

  private func take(_ trade: Trade) {
    let venue = trade.instrument.venue
    state.tradeCounts[trade.instrument, default: 0] += 1
    if SystemClock.now.nanoseconds(since: trade.time) > 900_000_000_000 {
      state.disturbances.old[venue, default: 0] += 1
    }
    guard venue != .polymarket, venue != .kalshi else { return }
    let known = state.tradeTimes[trade.instrument, default: []]
    if known.contains(trade.time) { state.disturbances.repeated[venue, default: 0] += 1 }
    state.tradeTimes[trade.instrument] = known.suffix(400) + [trade.time]
  }

  /// Time passes by the simulator's beat: where the machine stands still, nobody is late.
  private func beat() {
    state.beats += 1
    for (topic, beats) in state.silentBeats {
      state.silentBeats[topic] = beats + 1
      state.disturbances.pauses[topic] = max(state.disturbances.pauses[topic] ?? 0, beats + 1)
    }
  }

  // MARK: - What it says

  /// Forgets what was noted until now.
  func begin() {
    thread.withLock {
      state.disturbances = Disturbances()
      for topic in state.silentBeats.keys { state.silentBeats[topic] = 0 }
    }
  }

  /// How many levels were told by one line of publishers after another one had.
  var repeated: UInt64 { thread.withLock { feed.counters.repeated } }

  /// Live books that fewer publishers have told than this.
  func books(withCopiesBelow count: Int) -> [BookIndex] {
    thread.withLock { state.books.filter { $0.value.state == .live && $0.value.copies < count }.map(\.key) }
  }

  var disturbances: Disturbances { thread.withLock { state.disturbances } }

  func counters(_ process: String) -> [String: Int64] { thread.withLock { state.health[process] ?? [:] } }

  func prices(_ process: String) -> PricesMessage? { thread.withLock { state.prices[process] } }

  func ticker(_ instrument: InstrumentID) -> Ticker? { thread.withLock { state.tickers[instrument] } }

  /// How many messages of an instrument came.
  func counts(_ instrument: InstrumentID) -> (tickers: Int, trades: Int) {
    thread.withLock { (state.tickerCounts[instrument] ?? 0, state.tradeCounts[instrument] ?? 0) }
  }

  func hasState(of publisher: String) -> Bool { thread.withLock { state.wholeStates.contains(publisher) } }

  /// Tokens of a venue whose markets last for another while.
  func tokens(_ venue: Venue, limit: Int) -> [String] {
    let soon = SystemClock.now.advanced(bySeconds: 1800)
    return thread.withLock {
      feed.markets.filter { market in
        market.venue == venue && !market.isClosed && market.outcomes.count == 2
          && market.endsAt.map { $0 > soon } ?? true
      }.flatMap { $0.outcomes.map(\.token) }.sorted().prefix(limit).map { $0 }
    }
  }

  /// Those of some books that are not what the venue says of them.
  func wrong(_ truth: [BookSnapshot]) -> [String] {
    thread.withLock {
      truth.compactMap { snapshot -> String? in
        guard let book = feed.bookPlace(snapshot.instrument) else { return snapshot.instrument.symbol }
        let header = feed.cache.header(book)
        guard header.state == .live, feed.cache.side(.bid, of: book).elementsEqual(snapshot.bids),
          feed.cache.side(.ask, of: book).elementsEqual(snapshot.asks)
        else { return snapshot.instrument.symbol }
        return nil
      }
    }
  }
}
