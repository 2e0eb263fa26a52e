internal import Daemon
package import Market
package import Venues

/// What was seen and what was refused; each has its counter.
package struct SpotCounters {
  package var frames: UInt64 = 0
  package var trades: UInt64 = 0
  package var oldTrades: UInt64 = 0
  /// Numbers of trades that were left out: REST is asked for them.
  package var missedTrades: UInt64 = 0
  /// Those of them that REST has told.
  package var filledTrades: UInt64 = 0
  /// Trades that came after later ones.
  package var reorderedTrades: UInt64 = 0
  /// Trades that the stream told again.
  package var repeatedTrades: UInt64 = 0
  /// Trades that were under way for more than a second.
  package var late: UInt64 = 0
  /// Trades that REST told again.
  package var knownTrades: UInt64 = 0
  package var tickers: UInt64 = 0
  /// Tickers that are older than the one before: they are passed over.
  package var lateTickers: UInt64 = 0
  package var candles: UInt64 = 0
  /// Candles that say less than what is known of their minute.
  package var lateCandles: UInt64 = 0
  package var unknownSymbols: UInt64 = 0
  package var ignored: UInt64 = 0
  /// Requests on the stream that the venue refused.
  package var refusedRequests: UInt64 = 0
  /// By kind and field.
  package var refused: [String: UInt64] = [:]
}

/// Tickers, trades and candles of a venue's watched pairs, from its streams and from REST: the pure core of the ingestor.
package final class SpotBoard {
  /// How many candles of a symbol are kept for whoever joins late.
  package static let candlesKept = 60

  private struct Pair {
    let symbol: String
    /// Whether it is this shard's.
    var isWatched = false
    var ticker: Ticker?
    var isTickerNew = false
    /// The time of its newest trade.
    var tradedAt: Timestamp?
    var numbers: TradeNumbers
    /// The time of the newest ticker of the present stream.
    var toldAt: Timestamp?
    /// Oldest first, each minute once.
    var candles: [Candle] = []
  }

  package private(set) var counters = SpotCounters()
  private let venue: Venue
  private let hasRunningNumbers: Bool
  private var pairs: [Pair]
  private let places: [String: Int]
  private let tradeAge: TradeAgeFilter
  private var trades: [Trade] = []
  private var changedCandles: [(place: Int, candle: Candle)] = []

  /// - Parameters:
  ///   - venue: whose pairs they are.
  ///   - symbols: the venue's names of the pairs, each once.
  ///   - tradeAge: which trades are young enough.
  ///   - isWatched: whether they are watched from the beginning.
  package init(venue: Venue, symbols: [String], tradeAge: TradeAgeFilter, isWatched: Bool = true) {
    self.venue = venue
    // Others leave numbers out, or have none that run.
    hasRunningNumbers = venue == .binance || venue == .coinbase || venue == .kraken
    let numbers = TradeNumbers(areRunning: hasRunningNumbers)
    pairs = symbols.map { Pair(symbol: $0, isWatched: isWatched, numbers: numbers) }
    places = Dictionary(uniqueKeysWithValues: symbols.enumerated().map { ($1, $0) })
    self.tradeAge = tradeAge
  }

  /// Takes messages of a symbol from here on.
  package func watch(_ symbol: String) {
    if let place = places[symbol] { pairs[place].isWatched = true }
  }

  /// Takes none any more, and forgets what is known of it.
  package func unwatch(_ symbol: String) {
    guard let place = places[symbol] else { return }
    pairs[place] = Pair(symbol: symbol, numbers: TradeNumbers(areRunning: hasRunningNumbers))
    changedCandles.removeAll { $0.place == place }
    trades.removeAll { $0.instrument.symbol == symbol }
  }

  /// Counts a message.
  package func countFrame() { counters.frames += 1 }

  /// Takes what a message says.
  ///
  /// - Returns: the symbol that it is about; nil where it is none of a watched one.
  @discardableResult
  package func take(_ event: SpotStreamEvent, receivedAt: Timestamp) -> String? {
    switch event {
    case .trade(let trade): return take(trade, receivedAt)
    case .ticker(let ticker): return take(streamed: ticker) ? ticker.instrument.symbol : nil
    case .candle(let symbol, let candle):
      guard let place = place(of: symbol) else { return nil }
      counters.candles += 1
      // Others are read by whoever asks for them.
      if candle.periodSeconds == 60 { take(candle, place) }
      return symbol
    case .refused(let error):
      counters.refusedRequests += 1
      refuse(error)
    case .ignored: counters.ignored += 1
    case .accepted, .alive, .closing: break
    }
    return nil
  }

  private func place(of symbol: String) -> Int? {
    guard let place = places[symbol] else {
      counters.unknownSymbols += 1
      return nil
    }
    // One that was dropped tells a little longer.
    guard pairs[place].isWatched else {
      counters.ignored += 1
      return nil
    }
    return place
  }

  private func take(_ trade: Trade, _ receivedAt: Timestamp) -> String? {
    guard let place = place(of: trade.instrument.symbol) else { return nil }
    let symbol = trade.instrument.symbol
    switch pairs[place].numbers.take(trade.number) {
    case .next: break
    case .after(let missed): counters.missedTrades += UInt64(missed)
    case .late: counters.reorderedTrades += 1
    case .known:
      counters.repeatedTrades += 1
      return symbol
    }
    guard tradeAge.accepts(trade.time, now: receivedAt) else {
      counters.oldTrades += 1
      return nil
    }
    counters.trades += 1
    if receivedAt.nanoseconds(since: trade.time) > 1_000_000_000 { counters.late += 1 }
    pairs[place].tradedAt = max(pairs[place].tradedAt ?? trade.time, trade.time)
    trades.append(trade)
    return symbol
  }

  /// The symbols of which trades are missing.
  package var symbolsWithGaps: [String] { pairs.filter { $0.isWatched && $0.numbers.hasGaps }.map(\.symbol) }

  /// A new stream tells of these symbols: what it says is not compared with what another one said.
  package func streamBegins(_ symbols: [String]) {
    for symbol in symbols { if let place = places[symbol] { pairs[place].toldAt = nil } }
  }

  private func take(streamed ticker: Ticker) -> Bool {
    if let place = places[ticker.instrument.symbol], pairs[place].isWatched {
      if let told = pairs[place].toldAt, ticker.time < told {
        counters.lateTickers += 1
        return true
      }
      pairs[place].toldAt = ticker.time
    }
    return take(ticker)
  }

  /// Takes a ticker, of the stream or of REST.
  ///
  /// - Returns: whether its pair is watched.
  @discardableResult
  package func take(_ ticker: Ticker) -> Bool {
    guard let place = place(of: ticker.instrument.symbol) else { return false }
    counters.tickers += 1
    pairs[place].ticker = ticker
    pairs[place].isTickerNew = true
    return true
  }

  /// Takes trades that were fetched by REST; those that are not newer than what is known were told before.
  package func take(fetched trades: RecentTrades, symbol: String) {
    guard let place = place(of: symbol) else { return }
    counters.oldTrades += UInt64(trades.tooOldCount)
    let known = pairs[place].tradedAt
    for trade in trades.trades.sorted(by: { $0.time < $1.time }) {
      // Where trades are numbered one by one, their numbers say which are known; elsewhere their times do.
      let isKnown: Bool
      if hasRunningNumbers, let number = trade.number, pairs[place].numbers.hasBegun {
        let outcome = pairs[place].numbers.take(number)
        if outcome == .late { counters.filledTrades += 1 }
        isKnown = outcome == .known
      } else {
        isKnown = known.map { trade.time <= $0 } ?? false
        if hasRunningNumbers, !isKnown { _ = pairs[place].numbers.take(trade.number) }
      }
      if isKnown {
        counters.knownTrades += 1
        continue
      }
      counters.trades += 1
      pairs[place].tradedAt = max(pairs[place].tradedAt ?? trade.time, trade.time)
      self.trades.append(trade)
    }
    if let newest = trades.trades.compactMap(\.number).max() { pairs[place].numbers.forgetGaps(upTo: newest) }
  }

  /// Takes candles that were fetched by REST; what the stream has told since stays.
  package func take(history: [Candle], symbol: String) {
    guard let place = place(of: symbol) else { return }
    for candle in history { take(candle, place) }
  }

  /// A minute's volume only grows, and a closed candle is final: so the later word is told from the earlier one, whichever
  /// way they came.
  private func take(_ candle: Candle, _ place: Int) {
    let index = pairs[place].candles.lastIndex { $0.start <= candle.start }
    if let index, pairs[place].candles[index].start == candle.start {
      let known = pairs[place].candles[index]
      guard known != candle else { return }
      guard !known.isClosed, candle.isClosed || candle.volume >= known.volume else {
        counters.lateCandles += 1
        return
      }
      pairs[place].candles[index] = candle
    } else {
      let isFull = pairs[place].candles.count >= Self.candlesKept
      guard !isFull || index != nil else {
        counters.lateCandles += 1
        return
      }
      pairs[place].candles.insert(candle, at: index.map { $0 + 1 } ?? 0)
      if isFull { pairs[place].candles.removeFirst() }
    }
    changedCandles.append((place, candle))
  }

  /// Counts what was not understood.
  package func refuse(_ error: VenueError) {
    let key = error.field.isEmpty ? error.kind : "\(error.kind) \(error.field)"
    let seen = counters.refused[key, default: 0]
    counters.refused[key] = seen + 1
    // The first of a kind in full, then every thousandth: a venue that has gone mad must not fill the disk.
    if seen % 1000 == 0 { Log.warning("message refused", ["problem": "\(error)", "times": "\(seen + 1)"]) }
  }

  // MARK: - What is to be published

  /// The trades since the last take.
  package func takeTrades() -> [Trade] {
    guard !trades.isEmpty else { return [] }
    defer { trades.removeAll(keepingCapacity: true) }
    return trades
  }

  /// The pairs whose best prices have changed since the last take, each with its last value.
  package func takeTickers(_ body: (Ticker) -> Void) {
    for place in pairs.indices where pairs[place].isTickerNew {
      pairs[place].isTickerNew = false
      if let ticker = pairs[place].ticker { body(ticker) }
    }
  }

  /// The candles that have changed since the last take, in order.
  package func takeCandles(_ body: (InstrumentID, Candle) -> Void) {
    for (place, candle) in changedCandles { body(instrument(place), candle) }
    changedCandles.removeAll(keepingCapacity: true)
  }

  /// The last ticker of a pair; nil where there is none.
  package func ticker(_ symbol: String) -> Ticker? { places[symbol].flatMap { pairs[$0].ticker } }

  /// The last ticker of each pair that has one.
  package var tickers: [Ticker] { pairs.compactMap(\.ticker) }

  /// All candles that are kept, by pair and time.
  package var candles: [(InstrumentID, Candle)] {
    pairs.indices.flatMap { place in pairs[place].candles.map { (instrument(place), $0) } }
  }

  private func instrument(_ place: Int) -> InstrumentID { InstrumentID(venue: venue, symbol: pairs[place].symbol) }
}
