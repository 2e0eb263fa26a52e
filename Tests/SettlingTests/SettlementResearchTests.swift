import Market
import Settling
import Store
import Synchronization
import Testing
import Venues

/// An exchange by a script: what it has for each length of candles.
private struct ScriptedCandles: CandleSource {
  let venue: Venue
  let candlePeriods: [CandlePeriod] = [60, 300, 900, 3600].map { .seconds($0) }
  /// The closes by length; a length that is missing is told no longer.
  let closes: [Int64: String]
  let asked = Asked()

  final class Asked: Sendable {
    let requests = Mutex<[String]>([])
  }

  func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    let seconds = period.longestSeconds
    asked.requests.withLock { $0.append("\(symbol) \(seconds)") }
    guard let text = closes[seconds], let close = try? Price(text) else {
      throw VenueError(venue: venue, kind: "candles", problem: "too long ago", cause: .absent)
    }
    return [
      Candle(
        start: from, periodSeconds: seconds, open: close, high: close, low: close, close: close,
        volume: Volume(.one), isClosed: true)
    ]
  }
}

/// A source of points by a script.
private struct ScriptedPoints: PriceSource {
  let venue = Venue.coingecko
  let points: [(offset: Int64, price: String)]

  func price(symbol: String) async throws(VenueError) -> PricePoint {
    throw VenueError(venue: venue, kind: "price", problem: "not asked for", cause: .absent)
  }

  func prices(symbol: String, from: Timestamp, to: Timestamp) async throws(VenueError) -> [PricePoint] {
    [noon, noon.advanced(bySeconds: -900)].flatMap { instant in
      points.compactMap { point -> PricePoint? in
        guard let price = try? Price(point.price) else { return nil }
        return PricePoint(
          instrument: InstrumentID(venue: .coingecko, symbol: symbol), price: price,
          time: instant.advanced(bySeconds: point.offset))
      }
    }.filter { $0.time >= from && $0.time < to }
  }
}

@Suite struct SettlementResearchTests {
  private let task = SettlementTask.prices(
    MarketKey(venue: .polymarket, id: "m"),
    UpDownTerms(coin: "BTC", opensAt: noon.advanced(bySeconds: -900), closesAt: noon))

  private func ask(
    _ prices: [any CandleSource], _ points: [any PriceSource], names: PairNames = PairNames()
  ) async -> (start: [PriceObservation], end: [PriceObservation], problems: [String]) {
    let research = SettlementResearch(prices: prices, points: points, markets: [], names: names) {
      noon.advanced(bySeconds: 5)
    }
    guard case .prices(let start, let end, let problems) = await research.answer(task).result else {
      return ([], [], ["no prices"])
    }
    return (start, end, problems)
  }

  @Test func `all sources are asked for both instants, and a source that has only points counts with its nearest`()
    async throws
  {
    let exchange = ScriptedCandles(venue: .binance, closes: [60: "61000"])
    let gecko = ScriptedPoints(points: [(-50, "61500"), (20, "61010"), (45, "62000")])
    let (start, end, problems) = await ask([exchange], [gecko])
    #expect(start.count == 2 && end.count == 2 && problems.isEmpty)
    #expect(exchange.asked.requests.withLock { $0 } == ["BTCUSDT 60", "BTCUSDT 60"])
    let point = try #require(end.first { $0.source == "coingecko" })
    #expect(try point.price == price("61010"))
    #expect(point.isPoint && point.time == noon.advanced(bySeconds: 20))
    let agreed = PriceConsensus.of(end, at: noon, rules: .init()).agreedPrice
    #expect(try agreed?.price == price("61005"))
    #expect(agreed?.sources == ["binance", "coingecko"])
  }

  @Test func `a point that is too far away is absent`() async throws {
    let exchange = ScriptedCandles(venue: .binance, closes: [60: "61000"])
    let (_, end, problems) = await ask([exchange], [ScriptedPoints(points: [(-150, "61000"), (150, "61000")])])
    #expect(end.map(\.source) == ["binance"])
    #expect(problems.count == 2 && problems.allSatisfy { $0.hasPrefix("coingecko: no price within 60 s") })
    // And who hands one in all the same does not count.
    let far = PriceObservation(
      source: "coingecko", price: try price("61000"), time: noon.advanced(bySeconds: 61), isPoint: true)
    #expect(PriceConsensus.of(end + [far], at: noon, rules: .init()).problem.contains("another instant"))
    let near = PriceObservation(
      source: "coingecko", price: try price("61000"), time: noon.advanced(bySeconds: 60), isPoint: true)
    #expect(PriceConsensus.of(end + [near], at: noon, rules: .init()).agreedPrice != nil)
  }

  @Test func `where the minute is told no longer, a longer candle that ends at the same instant closes at its price`()
    async throws
  {
    let kraken = ScriptedCandles(venue: .kraken, closes: [900: "60900"])
    let (start, end, _) = await ask([kraken], [])
    #expect(end == [PriceObservation(source: "kraken", price: try price("60900"), time: noon)])
    #expect(start.count == 1)
    let asked = kraken.asked.requests.withLock { $0.sorted() }
    #expect(asked == ["60", "60", "300", "300", "900", "900"].map { "BTC/USD \($0)" }.sorted())
    // Nobody takes the close of an hour for that of a quarter.
    let late = ScriptedCandles(venue: .kraken, closes: [3600: "60900"])
    let (whole, none, problems) = await ask([late], [])
    #expect(none.isEmpty && problems.count == 1)
    // 15:00 is the end of one, and 15:15 is not.
    #expect(whole.map(\.time) == [noon.advanced(bySeconds: -900)])
  }

  @Test func `the settings' names of pairs hold here, too`() async throws {
    let exchange = ScriptedCandles(venue: .binance, closes: [60: "61000"])
    let pair = try #require(CoinPair("BTC/USD"))
    _ = await ask([exchange], [], names: PairNames(exceptions: [.binance: [pair: "BTCFDUSD"]]))
    #expect(exchange.asked.requests.withLock { Set($0) } == ["BTCFDUSD 60"])
    let (start, _, problems) = await ask([exchange], [], names: PairNames(exceptions: [.binance: [pair: "-"]]))
    #expect(start.isEmpty && problems == ["binance: no pair of this coin", "binance: no pair of this coin"])
  }
}
