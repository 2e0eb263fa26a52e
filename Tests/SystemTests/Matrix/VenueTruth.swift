import Bus
import Daemon
import Market
import Venues
import Web

/// What the simulator itself says of a venue, to compare what came over the bus with.
///
/// It asks without any pace of its own: the simulator bears it.
struct VenueTruth: Sendable {
  private let polymarket: PolymarketREST
  private let kalshi: KalshiREST
  private let tickers: [Venue: any TickerSource]
  private let coinGecko: CoinGeckoREST
  /// The pairs that the ingestors watch.
  static let pairs = [CoinPair(base: "BTC", quote: "USD"), CoinPair(base: "ETH", quote: "USD")].compactMap { $0 }

  init(runDirectory: String) {
    let transport = VenueTransport(HTTPClient())
    func endpoint(_ path: String) -> Endpoint { Endpoint("simulator:/" + path, runDirectory: runDirectory) }
    polymarket = PolymarketREST(
      endpoints: .init(
        gamma: endpoint("polymarket/gamma"), clob: endpoint("polymarket/clob"), data: endpoint("polymarket/data")),
      transport: transport)
    kalshi = KalshiREST(endpoint: endpoint("kalshi/trade-api/v2"), transport: transport)
    tickers = [
      .binance: BinanceREST(endpoint: endpoint("binance"), transport: transport),
      .coinbase: CoinbaseREST(endpoint: endpoint("coinbase"), transport: transport),
      .kraken: KrakenREST(endpoint: endpoint("kraken"), transport: transport),
      .okx: OKXREST(endpoint: endpoint("okx"), transport: transport),
      .bybit: BybitREST(endpoint: endpoint("bybit"), transport: transport),
    ]
    coinGecko = CoinGeckoREST(endpoint: endpoint("coingecko"), transport: transport)
  }

  /// What has been proved right of a venue since a moment.
  struct Proof {
    var isRight: Set<String> = []
    /// Tickers that were what the venue said, by pair.
    var matches: [String: Set<Int>] = [:]
    /// How many messages of each pair there were at that moment.
    var before: [InstrumentID: (tickers: Int, trades: Int)] = [:]
    var priceNumber: UInt64 = 0
  }

  /// Begins to prove: what comes from here on counts.
  func proof(_ venue: Venue, _ judge: MatrixJudge) -> Proof {
    var proof = Proof()
    for instrument in instruments(venue) { proof.before[instrument] = judge.counts(instrument) }
    proof.priceNumber = judge.prices("ingestor-gecko")?.number ?? 0
    return proof
  }

  private func instruments(_ venue: Venue) -> [InstrumentID] {
    guard tickers[venue] != nil else { return [] }
    return Self.pairs.compactMap { $0.symbol(at: venue) }.map { InstrumentID(venue: venue, symbol: $0) }
  }

  /// Compares what is not proved yet; each book and each pair needs to be seen right once.
  /// - Returns: what is still wrong, for people; empty where all is right.
  /// - Throws: `VenueError` where the simulator does not answer.
  func stillWrong(_ venue: Venue, _ judge: MatrixJudge, _ proof: inout Proof) async throws -> [String] {
    switch venue {
    case .polymarket, .kalshi: return try await wrongBooks(venue, judge, &proof)
    case .coingecko: return try await wrongPrice(judge, proof)
    default: return try await wrongTickers(venue, judge, &proof)
    }
  }

  private func wrongBooks(_ venue: Venue, _ judge: MatrixJudge, _ proof: inout Proof) async throws -> [String] {
    let all = judge.tokens(venue, limit: 60)
    guard !all.isEmpty else { return ["no books"] }
    let open = all.filter { !proof.isRight.contains($0) }
    guard !open.isEmpty else { return [] }
    let listing = venue == .polymarket ? try await polymarket.books(tokens: open) : try await kalshi.books(tokens: open)
    let wrong = Set(judge.wrong(listing.books))
    for book in listing.books where !wrong.contains(book.instrument.symbol) {
      proof.isRight.insert(book.instrument.symbol)
    }
    return open.filter { !proof.isRight.contains($0) }
  }

  private func wrongTickers(_ venue: Venue, _ judge: MatrixJudge, _ proof: inout Proof) async throws -> [String] {
    guard let source = tickers[venue] else { return ["no source"] }
    for instrument in instruments(venue) where !proof.isRight.contains(instrument.symbol) {
      let counts = judge.counts(instrument)
      let before = proof.before[instrument] ?? (0, 0)
      // Prices and trades must flow, and be right.
      guard counts.tickers > before.tickers, counts.trades > before.trades else { continue }
      let truth = try await source.ticker(symbol: instrument.symbol, now: SystemClock.now)
      // Prices alone: REST rounds sizes, or has none. Three different tickers, so that it is no accident.
      guard let seen = judge.ticker(instrument), seen.bid.price == truth.bid.price, seen.ask.price == truth.ask.price
      else { continue }
      proof.matches[instrument.symbol, default: []].insert(counts.tickers)
      if proof.matches[instrument.symbol]?.count ?? 0 >= 3 { proof.isRight.insert(instrument.symbol) }
    }
    return instruments(venue).map(\.symbol).filter { !proof.isRight.contains($0) }
  }

  private func wrongPrice(_ judge: MatrixJudge, _ proof: Proof) async throws -> [String] {
    guard let prices = judge.prices("ingestor-gecko"), prices.number > proof.priceNumber + 1 else {
      return ["no new price"]
    }
    guard let mark = prices.marks.first(where: { $0.coin == "BTC" }) else {
      return prices.holds.map { "\($0.coin): \($0.reason)" }
    }
    guard !mark.isStale, mark.source == "coingecko" else { return ["\(mark.coin): \(mark.staleReason)"] }
    let truth = try await coinGecko.price(symbol: "bitcoin")
    guard mark.price == truth.price || mark.time != truth.time else { return ["\(mark.price), not \(truth.price)"] }
    return mark.time == truth.time ? [] : ["a price of \(mark.time)"]
  }
}
