import Bus
import Daemon
import Foundation
import Market
import TestSupport

/// Hears all shards of an ingestor, and one unsharded ingestor beside them, which tells what the venue really sent.
///
/// `@unchecked Sendable`: what it keeps is behind the thread's lock.
final class ShardWatcher: @unchecked Sendable {
  /// One new total at one price, as the venue sent it.
  struct Change: Hashable {
    let token: String
    let venueTime: Int64
    let side: UInt64
    let price: Int64
    let quantity: Int64
  }

  struct Seen {
    /// What the shards published, whichever of them.
    var published: Set<Change> = []
    /// What the unsharded ingestor published.
    var truth: Set<Change> = []
    /// Tokens that the unsharded ingestor or a shard has marked as doubtful.
    var doubted: Set<String> = []
    /// Who publishes each open token: who has announced it and not withdrawn it.
    var publishers: [String: Set<String>] = [:]
    /// Tokens that nobody published for a while, or that were stale, or went back in time, for whoever listens.
    var abandoned: [String] = []
    var wentStale: [String] = []
    var wentBack: [String] = []
    /// The newest change of each side, in nanoseconds since 1970 by the venue's clock.
    var newestPublished: Int64 = 0
    var newestTruth: Int64 = 0
    var missed: UInt64 = 0
    var liveBooks = 0
    var liveBooksTruth = 0
    var handedOver: UInt64 = 0
    /// Tokens whose books differ; nil until a comparison was asked for.
    var different: [String]?
  }

  private let thread = BusThread()
  private var state = Seen()
  private var wantsComparison = false
  private let control: String
  private let feed = BookFeed()
  private let truth = BookFeed()
  private var tokens: [String: [UInt64: String]] = [:]
  private var lastTimes: [Int64] = []
  private var isWatching = false

  /// - Parameters:
  ///   - deployment: whose bus.
  ///   - shards: the names of all shards that there will ever be.
  ///   - control: the unsharded ingestor.
  /// - Throws: `BusError`.
  init(_ deployment: Deployment, shards: [String], control: String) throws {
    self.control = control
    try thread.hear(
      .init(topics: [Topic.market, Topic.book], highWaterMark: 10_000_000), of: deployment,
      publishers: shards + [control],
      { [weak self] in self?.take($0, $1) }, turned: { [weak self] in self?.turned($0) })
  }

  deinit { stop() }

  func stop() { thread.stop() }

  var seen: Seen { thread.withLock { state } }

  /// Those of some tokens whose markets go on: of one that has ended the venue tells a new owner nothing.
  func goingOn(_ tokens: some Sequence<String>) -> [String] { thread.withLock { tokens.filter { !isOver($0) } } }

  private func isOver(_ token: String) -> Bool {
    let instrument = InstrumentID(venue: .polymarket, symbol: token)
    let markets = [feed, truth].compactMap { feed in
      feed.bookPlace(instrument).map { feed.markets[feed.owners[$0].market] }
    }
    return markets.contains { market in
      market.isClosed || market.endsAt.map { $0.nanoseconds <= state.newestTruth + 2_000_000_000 } ?? false
    }
  }

  /// Open tokens that have no publisher, or several.
  var crowds: [String] {
    thread.withLock {
      state.publishers.keys.filter { state.publishers[$0]?.count != 1 && !isOver($0) }.map(describe)
    }
  }

  /// From here on everything is kept, and what may not happen is noted.
  func watch() { thread.withLock { isWatching = true } }

  /// Compares all books of the shards with those of the unsharded ingestor.
  func compare() -> [String] {
    thread.withLock {
      state.different = nil
      wantsComparison = true
    }
    while true {
      if let result = thread.withLock({ state.different }) { return result }
      usleep(2000)
    }
  }

  private func turned(_ subscriber: Subscriber) {
    state.missed = subscriber.missedCount
    state.liveBooks = feed.liveBookCount
    state.liveBooksTruth = truth.liveBookCount
    state.handedOver = feed.counters.handedOver
    if wantsComparison {
      wantsComparison = false
      state.different = differences()
    }
  }

  private func take(_ event: BusEvent, _ subscriber: Subscriber) {
    switch event {
    case .message(let stream, _, _, let body):
      let topic = subscriber.topic(of: stream)
      let publisher = String(topic.split(separator: "/").last ?? "")
      let isTruth = publisher == control
      let own = isTruth ? truth : feed
      own.handle(
        event, from: subscriber, onMarket: { _ in }, onBook: { if !isTruth { check($0) } })
      var reader = body
      if topic.hasPrefix(Topic.market) {
        takeMarkets(&reader, publisher, isTruth)
      } else {
        takeBooks(&reader, publisher, isTruth)
      }
    case .gap(let stream, _), .restarted(let stream):
      let isTruth = subscriber.topic(of: stream).hasSuffix("/" + control)
      (isTruth ? truth : feed).handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
    case .snapshotEnd:
      feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
      truth.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
    }
  }

  /// A book that is handed over is never stale, and never goes back in time.
  private func check(_ book: BookIndex) {
    while lastTimes.count <= book { lastTimes.append(0) }
    let header = feed.cache.header(book)
    let time = header.venueTime.nanoseconds
    defer { lastTimes[book] = max(time, lastTimes[book]) }
    guard isWatching else { return }
    let owner = feed.owners[book]
    let token = feed.markets[owner.market].outcomes[owner.outcome].token
    if header.state == .stale { state.wentStale.append(token) }
    if header.state == .live, time < lastTimes[book] { state.wentBack.append(token) }
  }

  private func takeMarkets(_ reader: inout MessagePackReader, _ publisher: String, _ isTruth: Bool) {
    guard let count = try? reader.array() else { return }
    for _ in 0..<count {
      guard let message = try? MarketMessage(&reader) else { return }
      for (outcome, handle) in zip(message.market.outcomes, message.books) {
        tokens[publisher, default: [:]][UInt64(handle)] = outcome.token
        guard !isTruth else { continue }
        if message.market.isClosed {
          state.publishers[outcome.token] = nil
        } else {
          state.publishers[outcome.token, default: []].insert(publisher)
        }
      }
    }
  }

  private func takeBooks(_ reader: inout MessagePackReader, _ publisher: String, _ isTruth: Bool) {
    guard let count = try? reader.array() else { return }
    for _ in 0..<count { guard (try? takeItem(&reader, publisher, isTruth)) != nil else { return } }
  }

  private func takeItem(_ reader: inout MessagePackReader, _ publisher: String, _ isTruth: Bool) throws {
    let fields = try reader.array(atLeast: 2)
    let item = BookItem(rawValue: try reader.unsigned())
    let token = tokens[publisher]?[try reader.unsigned()] ?? ""
    switch item {
    case .change:
      let time = try reader.integer()
      _ = try reader.integer()
      for _ in 0..<(fields - 4) / 3 {
        let change = Change(
          token: token, venueTime: time, side: try reader.unsigned(), price: try reader.integer(),
          quantity: try reader.integer())
        note(change, isTruth)
      }
      return
    case .stale, .tick: state.doubted.insert(token)
    case .closed:
      if !isTruth { state.publishers[token] = nil }
    case .withdrawn:
      state.publishers[token]?.remove(publisher)
      if state.publishers[token]?.isEmpty == true { state.abandoned.append(token) }
    case .snapshot, nil: break
    }
    try reader.skip(fields - 2)
  }

  private func note(_ change: Change, _ isTruth: Bool) {
    if isTruth {
      state.newestTruth = max(state.newestTruth, change.venueTime)
      if isWatching { state.truth.insert(change) }
    } else {
      state.newestPublished = max(state.newestPublished, change.venueTime)
      if isWatching { state.published.insert(change) }
    }
  }

  /// What is known of a token's book here and there, for people.
  private func describe(_ token: String) -> String {
    let instrument = InstrumentID(venue: .polymarket, symbol: token)
    let sides = [("shards", feed), ("venue", truth)].map { name, feed in
      guard let book = feed.bookPlace(instrument) else { return "\(name): none" }
      let header = feed.cache.header(book)
      let market = feed.markets[feed.owners[book].market]
      let levels = feed.cache.side(.bid, of: book).count + feed.cache.side(.ask, of: book).count
      return "\(name): \(header.state), \(levels) levels at \(header.venueTime), closed \(market.isClosed), "
        + "ends \(market.endsAt.map(\.description) ?? "never")"
    }
    return "…\(token.suffix(8)) " + sides.joined(separator: "; ") + ", published by \(state.publishers[token] ?? [])"
  }

  private func differences() -> [String] {
    var different: [String] = []
    for (place, market) in truth.markets.enumerated() {
      for (outcome, book) in truth.marketBooks[place].enumerated() {
        guard truth.cache.header(book).state == .live else { continue }
        let token = market.outcomes[outcome].token
        guard !isOver(token) else { continue }
        guard let other = feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)),
          feed.cache.header(other).state == .live,
          [BookSide.bid, .ask].allSatisfy({
            feed.cache.side($0, of: other).elementsEqual(truth.cache.side($0, of: book))
          })
        else {
          different.append(describe(token))
          continue
        }
      }
    }
    return different
  }
}
