internal import Daemon
internal import Market
internal import Store
public import Venues

/// Asks the venues what a settlement needs: on the cold path, all at once.
public struct SettlementResearch: Sendable {
  private let prices: [any CandleSource]
  private let markets: [any MarketSource]

  /// Research at these venues.
  /// - Parameters:
  ///   - prices: the sources of coin prices.
  ///   - markets: the venues whose markets are settled.
  public init(prices: [any CandleSource], markets: [any MarketSource]) {
    self.prices = prices
    self.markets = markets
  }

  /// Finds out what a task needs; a source that fails says nothing, and hurts nobody.
  /// - Parameter task: what is asked.
  /// - Returns: the answer; it comes in any case.
  public func answer(_ task: SettlementTask) async -> SettlementAnswer {
    switch task {
    case .resolved: return SettlementAnswer(task: task, result: .market(nil))
    case .prices(_, let terms): return SettlementAnswer(task: task, result: await observe(terms))
    case .metadata(let key), .resolution(let key):
      guard let source = markets.first(where: { $0.venue == key.venue }) else {
        return SettlementAnswer(task: task, result: .failed("\(key.venue.rawValue) is not configured"))
      }
      do throws(VenueError) {
        return SettlementAnswer(task: task, result: .market(try await source.market(id: key.id)))
      } catch {
        return SettlementAnswer(task: task, result: .failed(error.description))
      }
    }
  }

  private func observe(_ terms: UpDownTerms) async -> SettlementAnswer.Result {
    var start: [PriceObservation] = []
    var end: [PriceObservation] = []
    var problems: [String] = []
    await withTaskGroup(of: (instant: Timestamp, Result<PriceObservation, ObservationProblem>).self) { group in
      for source in prices {
        for instant in [terms.opensAt, terms.closesAt] {
          group.addTask { (instant, await Self.observe(source, terms.coin, at: instant)) }
        }
      }
      for await (instant, result) in group {
        switch result {
        case .success(let observation):
          if instant == terms.opensAt { start.append(observation) } else { end.append(observation) }
        case .failure(let problem): problems.append(problem.text)
        }
      }
    }
    return .prices(start: start, end: end, problems: problems.sorted())
  }

  private static func observe(
    _ source: any CandleSource, _ coin: String, at instant: Timestamp
  ) async -> Result<PriceObservation, ObservationProblem> {
    let name = source.venue.rawValue
    guard let symbol = symbol(ofCoin: coin, at: source.venue) else {
      return .failure(ObservationProblem(text: "\(name): no pair of this coin"))
    }
    do throws(VenueError) {
      let candles = try await source.candles(
        symbol: symbol, periodSeconds: 60, from: instant.advanced(bySeconds: -60), to: instant, now: SystemClock.now)
      guard let observation = PriceConsensus.observation(candles, source: name, at: instant) else {
        return .failure(ObservationProblem(text: "\(name): no closed candle that ends at \(instant)"))
      }
      return .success(observation)
    } catch {
      return .failure(ObservationProblem(text: error.description))
    }
  }

  /// A venue's name of a coin's pair against dollars; nil where it has none, or the coin is no name of letters and
  /// digits.
  static func symbol(ofCoin coin: String, at venue: Venue) -> String? {
    CoinPair(base: coin, quote: "USD")?.symbol(at: venue)
  }
}

private struct ObservationProblem: Error {
  let text: String
}
