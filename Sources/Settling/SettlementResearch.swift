internal import Daemon
public import Market
internal import Store
public import Venues

/// Asks the venues what a settlement needs: on the cold path, all at once.
public struct SettlementResearch: Sendable {
  private let prices: [any CandleSource]
  private let points: [any PriceSource]
  private let markets: [any MarketSource]
  private let names: PairNames
  private let pointOffsetMaxSeconds: Int64
  private let now: @Sendable () -> Timestamp

  /// Research at these venues.
  /// - Parameters:
  ///   - prices: the sources of coin prices that have candles.
  ///   - points: those that have only points, at moments of their own.
  ///   - markets: the venues whose markets are settled.
  ///   - names: what the venues call the pairs.
  ///   - pointOffsetMaxSeconds: how far from the instant a point may be.
  ///   - now: the time of day.
  public init(
    prices: [any CandleSource], points: [any PriceSource], markets: [any MarketSource], names: PairNames = PairNames(),
    pointOffsetMaxSeconds: Int64 = 60, now: @escaping @Sendable () -> Timestamp
  ) {
    self.prices = prices
    self.points = points
    self.markets = markets
    self.names = names
    self.pointOffsetMaxSeconds = pointOffsetMaxSeconds
    self.now = now
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
    let instants = [terms.opensAt, terms.closesAt]
    // Tasks of their own rather than a group: nobody waits for one that was cancelled.
    let tasks = instants.flatMap { instant in
      prices.map { source in (instant, Task { await observe(source, terms.coin, at: instant) }) }
        + points.map { source in (instant, Task { await observe(source, terms.coin, near: instant) }) }
    }
    return await withTaskCancellationHandler {
      var start: [PriceObservation] = []
      var end: [PriceObservation] = []
      var problems: [String] = []
      for (instant, task) in tasks {
        switch await task.value {
        case .success(let observation):
          if instant == terms.opensAt { start.append(observation) } else { end.append(observation) }
        case .failure(let problem): problems.append(problem.text)
        }
      }
      return .prices(start: start, end: end, problems: problems.sorted())
    } onCancel: {
      for (_, task) in tasks { task.cancel() }
    }
  }

  /// The close of the minute that ends at an instant; where the venue no longer tells of that minute, of the shortest
  /// longer candle that ends at the same instant: it closes at the same trade.
  private func observe(
    _ source: any CandleSource, _ coin: String, at instant: Timestamp
  ) async -> Result<PriceObservation, ObservationProblem> {
    let name = source.venue.rawValue
    guard let symbol = symbol(ofCoin: coin, at: source.venue) else {
      return .failure(ObservationProblem(text: "\(name): no pair of this coin"))
    }
    let longer = source.candlePeriodsSeconds.filter { $0 > 60 && $0 <= 86_400 && instant.seconds % $0 == 0 }
    for period in [60] + longer {
      do throws(VenueError) {
        let candles = try await source.candles(
          symbol: symbol, periodSeconds: period, from: instant.advanced(bySeconds: -period), to: instant, now: now())
        if let observation = PriceConsensus.observation(candles, periodSeconds: period, source: name, at: instant) {
          return .success(observation)
        }
        break
      } catch {
        guard error.cause == .absent, period != longer.last else {
          return .failure(ObservationProblem(text: error.description))
        }
      }
    }
    return .failure(ObservationProblem(text: "\(name): no closed candle that ends at \(instant)"))
  }

  /// The point nearest to an instant, as far from it as is tolerated at most.
  private func observe(
    _ source: any PriceSource, _ coin: String, near instant: Timestamp
  ) async -> Result<PriceObservation, ObservationProblem> {
    let name = source.venue.rawValue
    guard let symbol = symbol(ofCoin: coin, at: source.venue) else {
      return .failure(ObservationProblem(text: "\(name): no such coin"))
    }
    do throws(VenueError) {
      let points = try await source.prices(
        symbol: symbol, from: instant.advanced(bySeconds: -pointOffsetMaxSeconds),
        to: instant.advanced(bySeconds: pointOffsetMaxSeconds + 1))
      guard let observation = PriceConsensus.nearest(points, source: name, to: instant) else {
        return .failure(
          ObservationProblem(text: "\(name): no price within \(pointOffsetMaxSeconds) s of \(instant)"))
      }
      return .success(observation)
    } catch {
      return .failure(ObservationProblem(text: error.description))
    }
  }

  /// A venue's name of a coin's pair against dollars; nil where it has none, or the coin is no name of letters and
  /// digits.
  private func symbol(ofCoin coin: String, at venue: Venue) -> String? {
    CoinPair(base: coin, quote: "USD").flatMap { names.symbol($0, at: venue) }
  }
}

private struct ObservationProblem: Error {
  let text: String
}
