internal import Daemon
internal import Market
internal import Store
internal import Venues

/// What of the markets' past is written and read again: markets, tokens, trades, and how far they were read (D2).
struct HistoryDesk {
  let writer: HistoryWriter
  /// Takes what says how markets are decided, from the threads that read listings.
  let terms: TermsKeeper
  /// How far this process has processed its trades.
  let subject: WatermarkSubject
  /// The places of the markets that are to be written, oldest change first.
  var places: [Int] = []
  var trades: [Trade] = []
  /// The newest trade that was processed; nil where there never was one.
  var watermark: Timestamp?
  /// The streams that were not there for a while, each with the time from which on its trades were missed.
  var missed: [Int: Timestamp] = [:]
  var isCatchingUp = false
  var nextCatchUpAt: Int64 = 0
  var fetched: UInt64 = 0
  var failures: UInt64 = 0
  var incomplete: UInt64 = 0

  /// Starts the writer, and reads where the process before has ended.
  /// - Throws: `SystemError` where there is no thread.
  init<Letter>(_ loop: IngestingLoop<Letter>) throws(SystemError) {
    let path = loop.context.dataDirectory + "/history.db"
    subject = WatermarkSubject(venue: loop.venue, name: "ingestor/" + loop.context.name)
    do throws(StoreError) {
      watermark = try HistoryStore(path: path).watermark(subject)
    } catch {
      // The markets go on without it; the writer says so as long as that lasts.
      Log.error("the watermark cannot be read", ["venue": loop.venue.rawValue, "problem": "\(error)"])
    }
    writer = try HistoryWriter(path: path)
    terms = TermsKeeper(loop.venue, writer, path: path)
    if let watermark { Log.info("trades were read before", ["venue": loop.venue.rawValue, "until": "\(watermark)"]) }
  }

  /// For the process's health.
  func health(_ now: Timestamp) -> [String: Int64] {
    let counters = writer.counters
    var values = [
      "history_rows": Int64(counters.rows), "history_failures": Int64(counters.failures),
      "history_dropped": Int64(counters.dropped), "history_waiting": Int64(counters.waiting + trades.count),
      "history_markets_waiting": Int64(places.count), "trades_fetched": Int64(fetched),
      "trades_fetch_failures": Int64(failures), "trades_fetch_incomplete": Int64(incomplete),
    ]
    if let watermark { values["watermark_age_s"] = max(0, now.nanoseconds(since: watermark) / 1_000_000_000) }
    return values
  }
}

/// What is to be asked for by REST: the trades of some streams' markets, since when each was not there.
struct MissedTrades: Sendable {
  var streams: [Int: Timestamp]
  /// When all streams were there.
  var until: Timestamp
  var since: Timestamp { streams.values.min() ?? until }
}

/// Trades that a venue has told by REST.
struct FetchedTrades: Sendable {
  var trades: [Trade]
  /// Whether they reach back to the moment that was asked for.
  var isComplete: Bool
}

extension MarketIngestingService {
  /// How many markets are handed over at once: a first listing has tens of thousands, and the writer holds what waits.
  private var marketsPerBatch: Int { 2000 }

  /// Hands over what has come since the last time; the writer's thread waits for the disk.
  ///
  /// - Parameter isLast: whether everything goes at once.
  func writeHistory(isLast: Bool = false) {
    var batch = HistoryBatch(time: SystemClock.now)
    let some = isLast ? history.places[...] : history.places.prefix(marketsPerBatch)
    batch.markets = some.map { markets.market($0) }
    history.places.removeFirst(some.count)
    // A trade finds its market by its token: the markets go first.
    if history.places.isEmpty {
      batch.trades = history.trades
      history.trades.removeAll(keepingCapacity: true)
      if let watermark = history.watermark, !batch.trades.isEmpty { batch.watermarks[history.subject] = watermark }
    }
    history.writer.post(batch)
  }

  func keepHistory(_ trades: [Trade]) {
    history.trades += trades
    for trade in trades { history.watermark = max(history.watermark ?? trade.time, trade.time) }
  }

  // MARK: - Trades that no stream has told

  /// Notes that a stream is gone: it has told nothing since its last data.
  func missTrades(of index: Int) {
    guard !connections[index].isUnused else { return }
    let silence = SystemClock.monotonicNanoseconds - max(connections[index].stream.dataAt, loop.startedAt)
    let since = SystemClock.now.advanced(byNanoseconds: -silence)
    history.missed[index] = min(history.missed[index] ?? since, since)
  }

  /// Asks REST for what was traded while streams were not there, as soon as all of them are.
  func catchUp(_ now: Int64) {
    guard !history.missed.isEmpty, desk.isReady, !history.isCatchingUp, now >= history.nextCatchUpAt else { return }
    // The streams tell what happens from when they are open; a moment later, that is known here.
    let isStreaming = connections.allSatisfy {
      $0.isUnused || ($0.stream.state == .open && now - $0.stream.openedAt > 2_000_000_000)
    }
    guard isStreaming else { return }
    let opened = history.missed.keys.map { connections[$0].stream.openedAt }.max() ?? now
    let missed = MissedTrades(
      streams: history.missed, until: SystemClock.now.advanced(byNanoseconds: opened - now))
    history.isCatchingUp = true
    history.missed = [:]
    let (request, mailbox) = (fetchTrades(since: missed.since), mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(Self.caughtUp(.success(try await request()), missed))
      } catch {
        mailbox.post(Self.caughtUp(.failure(error), missed))
      }
    }
  }

  func take(_ fetched: Result<FetchedTrades, VenueError>, of missed: MissedTrades) {
    history.isCatchingUp = false
    switch fetched {
    case .failure(let error):
      history.failures += 1
      history.missed.merge(missed.streams) { min($0, $1) }
      history.nextCatchUpAt = SystemClock.monotonicNanoseconds + 10_000_000_000
      guard history.failures == 1 || history.failures % 10 == 0 else { return }
      Log.warning(
        "missed trades cannot be read",
        ["venue": venue.rawValue, "failures": "\(history.failures)", "problem": "\(error)"])
    case .success(let answer):
      if !answer.isComplete { history.incomplete += 1 }
      let since = missingSince(answer.trades, missed)
      // What was traded in the second in which a stream came may have been told by it, too: the store finds out.
      let trades = answer.trades.filter { trade in
        guard let since = since[trade.instrument.symbol] else { return false }
        return trade.time >= since.floored(toSeconds: 1) && trade.time <= missed.until
      }
      history.fetched += UInt64(trades.count)
      Log.info(
        "missed trades",
        [
          "venue": venue.rawValue, "from": "\(missed.since)", "to": "\(missed.until)", "trades": "\(trades.count)",
          "complete": "\(answer.isComplete)",
        ])
      writeHistory(isLast: true)
      var batch = HistoryBatch(time: SystemClock.now)
      batch.fetchedTrades = trades
      if let newest = trades.map(\.time).max() { batch.watermarks[history.subject] = newest }
      history.writer.post(batch)
    }
  }

  /// Since when trades of each token were missed; those of other shards' tokens are theirs.
  private func missingSince(_ trades: [Trade], _ missed: MissedTrades) -> [String: Timestamp] {
    let named = Set(trades.map(\.instrument.symbol))
    var since: [String: Timestamp] = [:]
    for place in markets.entries.indices where markets.entries[place].isOwned {
      for (outcome, book) in zip(markets.market(place).outcomes, markets.entries[place].books)
      where named.contains(outcome.token) {
        if let index = connection(of: book) { since[outcome.token] = missed.streams[index] }
      }
    }
    return since
  }

  func stopped() { finishHistory() }

  /// Writes what waits; the process ends.
  func finishHistory() {
    writeHistory(isLast: true)
    guard !history.writer.finish(withinMilliseconds: 2000) else { return }
    Log.warning("the history was not written to its end", ["venue": venue.rawValue])
  }
}
