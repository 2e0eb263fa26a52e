internal import Daemon
package import Market
internal import Venues

/// What was seen and what was refused; each has its counter.
package struct BinanceCounters {
  package var frames: UInt64 = 0
  package var trades: UInt64 = 0
  package var oldTrades: UInt64 = 0
  package var tickers: UInt64 = 0
  package var candles: UInt64 = 0
  /// Candles that say less than what is known of their minute.
  package var lateCandles: UInt64 = 0
  package var unknownSymbols: UInt64 = 0
  package var ignored: UInt64 = 0
  /// Answers to requests on the stream.
  package var responses: UInt64 = 0
  /// By kind and field.
  package var refused: [String: UInt64] = [:]
}

/// Tickers, trades and candles of the watched pairs, from the stream's messages: the pure core of the ingestor.
package final class BinanceStream {
  /// The most streams of one connection, as the venue limits them.
  package static let streamsPerConnectionMax = 1024
  /// What is watched of each symbol.
  private static let kinds = ["trade", "bookTicker", "kline_1m"]
  /// How many candles of a symbol are kept for whoever joins late.
  package static let candlesKept = 60

  private struct Pair {
    let symbol: String
    /// Whether it is this shard's.
    var isWatched = false
    var ticker: Ticker?
    var isTickerNew = false
    /// Oldest first, each minute once.
    var candles: [Candle] = []
  }

  package private(set) var counters = BinanceCounters()
  private var pairs: [Pair]
  private let places: [String: Int]
  private let tradeAge: TradeAgeFilter
  private var trades: [Trade] = []
  private var changedCandles: [(place: Int, candle: Candle)] = []
  private var isShutdownAnnounced = false

  /// - Parameters:
  ///   - symbols: the venue's names of the pairs, each once.
  ///   - tradeAge: which trades are young enough.
  ///   - isWatched: whether they are watched from the beginning.
  package init(symbols: [String], tradeAge: TradeAgeFilter, isWatched: Bool = true) {
    pairs = symbols.map { Pair(symbol: $0, isWatched: isWatched) }
    places = Dictionary(uniqueKeysWithValues: symbols.enumerated().map { ($1, $0) })
    self.tradeAge = tradeAge
  }

  /// The most symbols that one connection watches.
  package static var symbolsPerConnectionMax: Int { streamsPerConnectionMax / kinds.count }

  /// The symbols that each connection watches.
  package static func connections(of symbols: [String]) -> [[String]] {
    let most = symbolsPerConnectionMax
    return stride(from: 0, to: symbols.count, by: most).map { Array(symbols[$0..<min($0 + most, symbols.count)]) }
  }

  /// The query of a combined stream: `?streams=btcusdt@trade/btcusdt@bookTicker/…`; names are lower case.
  package static func query(_ symbols: [String]) -> String {
    "?streams=" + streamNames(symbols).joined(separator: "/")
  }

  /// The venue's names of what is watched: `btcusdt@trade`, ….
  package static func streamNames(_ symbols: [String]) -> [String] {
    symbols.flatMap { symbol in kinds.map { "\(symbol.lowercased())@\($0)" } }
  }

  /// Takes messages of a symbol from here on.
  package func watch(_ symbol: String) {
    if let place = places[symbol] { pairs[place].isWatched = true }
  }

  /// Takes none any more, and forgets what is known of it.
  package func unwatch(_ symbol: String) {
    guard let place = places[symbol] else { return }
    pairs[place] = Pair(symbol: symbol)
    changedCandles.removeAll { $0.place == place }
    trades.removeAll { $0.instrument.symbol == symbol }
  }

  /// Takes one message of the stream.
  package func take(_ frame: UnsafeRawBufferPointer, receivedAt: Timestamp) {
    counters.frames += 1
    do throws(VenueError) {
      switch try BinanceStreamParser.parse(frame, receivedAt: receivedAt) {
      case .trade(let trade): take(trade, receivedAt)
      case .ticker(let ticker): take(ticker)
      case .candle(let symbol, let candle):
        guard let place = place(of: symbol) else { return }
        counters.candles += 1
        take(candle, place)
      case .shutdown: isShutdownAnnounced = true
      case .response: counters.responses += 1
      case .ignored: counters.ignored += 1
      }
    } catch {
      refuse(error)
    }
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

  private func take(_ trade: Trade, _ receivedAt: Timestamp) {
    guard place(of: trade.instrument.symbol) != nil else { return }
    guard tradeAge.accepts(trade.time, now: receivedAt) else {
      counters.oldTrades += 1
      return
    }
    counters.trades += 1
    trades.append(trade)
  }

  private func take(_ ticker: Ticker) {
    guard let place = place(of: ticker.instrument.symbol) else { return }
    counters.tickers += 1
    pairs[place].ticker = ticker
    pairs[place].isTickerNew = true
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
      let isFull = pairs[place].candles.count >= BinanceStream.candlesKept
      guard !isFull || index != nil else {
        counters.lateCandles += 1
        return
      }
      pairs[place].candles.insert(candle, at: index.map { $0 + 1 } ?? 0)
      if isFull { pairs[place].candles.removeFirst() }
    }
    changedCandles.append((place, candle))
  }

  private func refuse(_ error: VenueError) {
    let key = error.field.isEmpty ? error.kind : "\(error.kind) \(error.field)"
    let seen = counters.refused[key, default: 0]
    counters.refused[key] = seen + 1
    // The first of a kind in full, then every thousandth: a venue that has gone mad must not fill the disk.
    if seen % 1000 == 0 { Log.warning("message refused", ["problem": "\(error)", "times": "\(seen + 1)"]) }
  }

  // MARK: - What is to be published

  /// Whether the venue has announced that it goes down; asked once.
  package func takeShutdown() -> Bool {
    defer { isShutdownAnnounced = false }
    return isShutdownAnnounced
  }

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

  /// The last ticker of each pair that has one.
  package var tickers: [Ticker] { pairs.compactMap(\.ticker) }

  /// All candles that are kept, by pair and time.
  package var candles: [(InstrumentID, Candle)] {
    pairs.indices.flatMap { place in pairs[place].candles.map { (instrument(place), $0) } }
  }

  private func instrument(_ place: Int) -> InstrumentID {
    InstrumentID(venue: .binance, symbol: pairs[place].symbol)
  }
}
