public import Daemon
public import Market

/// The drift canary: looks whether a venue's answers still have the shape that the parsers read (X8).
///
/// One small request for each kind, through the same clients and parsers that the processes use: what they would refuse is
/// what is found here, by the same name.
public struct ShapeCheck: Sendable {
  private let venues: Venues
  private let polymarket: PolymarketREST
  private let kalshi: KalshiREST
  private let symbols: [Venue: String]

  /// A check of the venues that the settings name.
  /// - Parameters:
  ///   - settings: addresses and symbols.
  ///   - runDirectory: where the simulator writes its address.
  ///   - transport: what carries the requests.
  public init(settings: Settings, runDirectory: String, transport: VenueTransport) {
    venues = Venues(settings: settings, runDirectory: runDirectory, transport: transport)
    polymarket = PolymarketREST(settings: settings, runDirectory: runDirectory, transport: transport)
    kalshi = KalshiREST(settings: settings, runDirectory: runDirectory, transport: transport)
    let names = try? PairNames(settings: settings)
    var symbols: [Venue: String] = [:]
    for venue in Venue.allCases where venue != .polymarket && venue != .kalshi {
      guard let text = settings.list(venue.rawValue, "symbols").first else { continue }
      symbols[venue] = CoinPair(text).flatMap { names?.symbol($0, at: venue) } ?? text
    }
    self.symbols = symbols
  }

  /// Looks at all kinds of one venue.
  ///
  /// - Parameter venue: the venue.
  /// - Returns: a finding for each kind, in the order in which they were asked for.
  public func run(_ venue: Venue) async -> [ShapeFinding] {
    let look = ShapeLook(venue)
    switch venue {
    case .polymarket: await polymarket.look(look)
    case .kalshi: await kalshi.look(look)
    default: await lookAtPrices(venue, look)
    }
    return look.findings
  }

  /// What a venue's own clock says, less ours, in milliseconds; half of the way there and back is taken into account.
  ///
  /// - Parameter venue: the venue.
  /// - Returns: the difference; nil where the venue tells no time.
  /// - Throws: `VenueError`.
  public func clockOffsetMilliseconds(_ venue: Venue) async throws(VenueError) -> Int64? {
    let source: (any ClockSource)? = venue == .polymarket ? polymarket : venues.clock(venue)
    guard let source else { return nil }
    let before = SystemClock.now
    let told = try await source.serverTime()
    let after = SystemClock.now
    let middle = before.advanced(byNanoseconds: after.nanoseconds(since: before) / 2)
    return told.nanoseconds(since: middle) / 1_000_000
  }

  private func lookAtPrices(_ venue: Venue, _ look: ShapeLook) async {
    guard let symbol = symbols[venue] else { return look.skip("ticker", "no symbol is configured") }
    let now = SystemClock.now
    if let source = venues.candles(venue) {
      await look.at("candles") { () async throws(VenueError) in
        let candles = try await source.candles(
          symbol: symbol, periodSeconds: 60, from: now.advanced(bySeconds: -600), to: now, now: now)
        return candles.isEmpty ? .empty : .good
      }
    }
    if let source = venues.tickers(venue) {
      await look.at("ticker") { () async throws(VenueError) in
        _ = try await source.ticker(symbol: symbol, now: now)
        return .good
      }
    }
    if let source = venues.trades(venue) {
      await look.at("trades") { () async throws(VenueError) in
        let filter = TradeAgeFilter(ageMaxSeconds: 31_536_000)
        let recent = try await source.recentTrades(symbol: symbol, filter: filter, now: now)
        return recent.trades.isEmpty && recent.tooOldCount == 0 ? .empty : .good
      }
    }
    if let source = venues.prices(venue) {
      await look.at("price") { () async throws(VenueError) in
        _ = try await source.price(symbol: symbol)
        return .good
      }
    }
  }
}

/// Gathers the findings of one venue.
final class ShapeLook {
  /// What was in an answer that could be read.
  enum Content {
    case good
    /// Rows that could be read, and the problem of one of those that could not.
    case partly(goodCount: Int, badCount: Int, VenueError)
    /// Nothing by which the shape could be told.
    case empty

    var isEmpty: Bool {
      if case .empty = self { true } else { false }
    }
  }

  let venue: Venue
  private(set) var findings: [ShapeFinding] = []

  init(_ venue: Venue) { self.venue = venue }

  /// Makes one request.
  func at(_ kind: String, _ request: () async throws(VenueError) -> Content) async {
    let recorder = ShapeRecorder()
    let result: Result<Content, VenueError> = await ShapeRecorder.$current.withValue(recorder) {
      do throws(VenueError) { return .success(try await request()) } catch { return .failure(error) }
    }
    let new = newFields(kind, recorder)
    let names = recorder.names(of: kind)
    if case .success(let content) = result, !content.isEmpty,
      let missing = KnownFields.expected(venue, kind).first(where: { !names.contains($0) })
    {
      return add(kind, .different, nil, new, "is in no row of the answer", field: missing)
    }
    switch result {
    case .success(.good): add(kind, .ok, nil, new)
    case .success(.empty): add(kind, .unknown, nil, new, "the answer is empty: nothing can be told by it")
    case .success(.partly(let good, let bad, let error)):
      // Some rows are odd at any time; where most are, it is the shape.
      add(kind, bad > good ? .different : .ok, error, new, "\(bad) of \(good + bad) left out: \(error.problem)")
    case .failure(let error):
      let isShape = error.cause == .malformed || error.cause == .status(404) || error.cause == .status(410)
      add(kind, isShape ? .different : .unknown, error, new)
    }
  }

  func skip(_ kind: String, _ why: String) { add(kind, .unknown, nil, [], why) }

  private func add(
    _ kind: String, _ verdict: ShapeFinding.Verdict, _ error: VenueError?, _ new: [String],
    _ problem: String? = nil, field: String? = nil
  ) {
    findings.append(
      ShapeFinding(
        venue: venue, kind: kind, verdict: verdict, field: field ?? error?.field ?? "",
        problem: problem ?? error?.problem ?? "", newFields: new))
  }

  private func newFields(_ kind: String, _ recorder: ShapeRecorder) -> [String] {
    guard let known = KnownFields.of(venue, kind) else { return [] }
    return recorder.names(of: kind).subtracting(known).sorted()
  }
}

extension Venues {
  /// The venue's clock; nil where it tells no time.
  func clock(_ venue: Venue) -> (any ClockSource)? { (candles(venue) as? any ClockSource) }
}
