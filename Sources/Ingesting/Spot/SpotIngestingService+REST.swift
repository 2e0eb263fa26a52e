internal import Daemon
internal import Market
internal import Resilience
internal import Venues

/// Sends a request through a gate; whatever goes wrong is told as the venue's error.
func throughGate<Value: Sendable>(
  _ gate: RequestGate<ContinuousClock>, _ venue: Venue,
  _ operation: @escaping @Sendable () async throws -> Value
) async -> Result<Value, VenueError> {
  do {
    return .success(
      try await gate.pass(limitNanoseconds: 30_000_000_000, verdict: VenueFaults.gateVerdict, operation))
  } catch let error as VenueError {
    return .failure(error)
  } catch let error as AttemptTimedOut {
    return .failure(timedOut(error, venue))
  } catch {
    return .failure(VenueError(venue: venue, kind: "request", problem: "\(error)", cause: .unreachable))
  }
}

/// A request that its gate has ended: it counts as one without an answer.
func timedOut(_ error: AttemptTimedOut, _ venue: Venue) -> VenueError {
  let error = VenueError(
    venue: venue, kind: "request", problem: "\(error)", cause: .unreachable, obstacle: .timeout)
  RequestFailures.count(error)
  return error
}

extension SpotIngestingService {
  // MARK: - Candles by REST

  func requestHistory(_ now: Int64) {
    guard let source = venues.candles(venue) else { return }
    for symbol in options.symbols {
      guard let state = history[symbol], state.isWanted, !state.isUnderWay, now >= state.dueAt else { continue }
      history[symbol]?.isWanted = false
      history[symbol]?.isUnderWay = true
      let (gate, venue, mailbox) = (self.gate, self.venue, self.mailbox)
      Task {
        let result = await throughGate(gate, venue) {
          let time = SystemClock.now
          let from = time.floored(toSeconds: 60).advanced(bySeconds: -60 * Int64(SpotBoard.candlesKept - 1))
          return try await source.candles(symbol: symbol, periodSeconds: 60, from: from, to: time, now: time)
        }
        mailbox.post(.candles(symbol: symbol, result))
      }
    }
  }

  func take(_ result: Result<[Candle], VenueError>, _ symbol: String) {
    // One that was dropped meanwhile is another shard's.
    guard watched.contains(symbol) else { return }
    var state = history[symbol, default: History()]
    state.isUnderWay = false
    switch result {
    case .success(let candles):
      state.failures = 0
      board.take(history: candles, symbol: symbol)
      unsettled.remove(symbol)
      publishChanges()
    case .failure(let error):
      health.historyFailures += 1
      state.failures += 1
      // What the venue refuses for good (a symbol that it does not have) is not asked for again until the next stream.
      state.isWanted = state.isWanted || error.isRetriable
      if !state.isWanted { unsettled.remove(symbol) }
      let wait = StreamConnection.backoffNanoseconds(failures: state.failures, random: loop.random.next())
      let asked = Int64(min(error.retryAfterSeconds ?? 0, 86_400)) * 1_000_000_000
      state.dueAt = SystemClock.monotonicNanoseconds + max(wait, asked)
      if state.failures == 1 || state.failures % 10 == 0 {
        Log.warning(
          "candles cannot be read", ["symbol": symbol, "failures": "\(state.failures)", "problem": "\(error)"])
      }
    }
    history[symbol] = state
  }

  // MARK: - Trades that the stream has left out

  /// Asks REST for trades whose numbers are missing.
  func fillGaps(_ now: Int64) {
    guard let trades = venues.trades(venue) else { return }
    for symbol in board.symbolsWithGaps where polling[symbol]?.isOn != true && now >= fillDueAt[symbol] ?? 0 {
      fillDueAt[symbol] = now + options.pollNanoseconds
      let (gate, venue, mailbox) = (self.gate, self.venue, self.mailbox)
      let filter = TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds)
      Task {
        let recent = await throughGate(gate, venue) {
          try await trades.recentTrades(symbol: symbol, filter: filter, now: SystemClock.now)
        }
        mailbox.post(.filled(symbol: symbol, recent))
      }
    }
  }

  func take(filled result: Result<RecentTrades, VenueError>, _ symbol: String) {
    guard watched.contains(symbol), case .success(let trades) = result else { return }
    board.take(fetched: trades, symbol: symbol)
    publishChanges()
  }

  // MARK: - Polling while a stream is down

  /// Asks REST for the symbols of each stream that has been down for a moment, until it is back (I8).
  func poll(_ now: Int64) {
    var down: Set<String> = []
    for connection in connections where connection.stream.lostAt > 0 && now - connection.stream.lostAt > 1_000_000_000 {
      down.formUnion(connection.symbols)
    }
    for symbol in polling.keys where !down.contains(symbol) {
      if polling[symbol]?.isOn == true {
        Log.info("stream is back, polling ends", ["venue": venue.rawValue, "symbol": symbol])
      }
      polling[symbol]?.isOn = false
    }
    for symbol in down.sorted() {
      var state = polling[symbol, default: Polling()]
      if !state.isOn { Log.info("polling by REST", ["venue": venue.rawValue, "symbol": symbol]) }
      state.isOn = true
      if !state.isUnderWay, now >= state.dueAt {
        state.isUnderWay = true
        state.dueAt = now + options.pollNanoseconds
        startPolling(symbol)
      }
      polling[symbol] = state
    }
  }

  private func startPolling(_ symbol: String) {
    guard let tickers = venues.tickers(venue), let trades = venues.trades(venue) else { return }
    health.polls += 1
    // The candles of the minutes without a stream.
    history[symbol, default: History()].isWanted = true
    let (gate, venue, mailbox) = (self.gate, self.venue, self.mailbox)
    let filter = TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds)
    Task {
      let ticker = await throughGate(gate, venue) {
        try await tickers.ticker(symbol: symbol, now: SystemClock.now)
      }
      let recent = await throughGate(gate, venue) {
        try await trades.recentTrades(symbol: symbol, filter: filter, now: SystemClock.now)
      }
      mailbox.post(.polled(symbol: symbol, ticker, recent))
    }
  }

  func take(_ ticker: Result<Ticker, VenueError>, _ trades: Result<RecentTrades, VenueError>, _ symbol: String) {
    polling[symbol]?.isUnderWay = false
    guard watched.contains(symbol), polling[symbol]?.isOn == true else { return }
    var problem: VenueError?
    switch ticker {
    case .success(let ticker): board.take(ticker)
    case .failure(let error): problem = error
    }
    switch trades {
    case .success(let trades): board.take(fetched: trades, symbol: symbol)
    case .failure(let error): problem = error
    }
    publishChanges()
    guard let problem else { return }
    health.failedPolls += 1
    if health.failedPolls == 1 || health.failedPolls % 10 == 0 {
      Log.warning(
        "polling failed", ["symbol": symbol, "failures": "\(health.failedPolls)", "problem": "\(problem)"])
    }
  }
}
