internal import Bus
internal import Daemon
internal import Market
internal import Resilience
internal import Store
internal import Venues

extension CandleCollectingService {
  // MARK: - Candles of all exchanges

  /// Asks all exchanges at once for each coin.
  func start(_ period: CandlePeriod, _ now: Timestamp) {
    let newest = period.start(of: period.start(of: now).advanced(byNanoseconds: -1))
    var asked: [String: [Venue]] = [:]
    var references: [String: Price] = [:]
    var requests: [(exchange: Exchange, coin: String, symbol: String)] = []
    for coin in options.coins {
      references[coin] = board.reference(coin, now: now)
      guard let pair = CoinPair(base: coin, quote: "USD") else { continue }
      for exchange in exchanges where exchange.source.candlePeriods.contains(period) {
        guard let symbol = names.symbol(pair, at: exchange.venue) else { continue }
        asked[coin, default: []].append(exchange.venue)
        requests.append((exchange, coin, symbol))
      }
    }
    counters.cycles += 1
    cycles[period] = CandleCycle(
      period: period, newest: newest, order: options.exchanges, asked: asked, references: references,
      deviationMaxPercent: options.deviationMaxPercent)
    for (exchange, coin, symbol) in requests {
      let span = from(exchange.venue, coin, period, newest)..<period.end(ofCandleAt: newest)
      ask(exchange, coin, symbol, period, span)
    }
    if requests.isEmpty { finish(period) }
  }

  /// From the last candle that is stored, which may have been corrected since; at first, and after a long time, from so
  /// many candles ago.
  private func from(_ venue: Venue, _ coin: String, _ period: CandlePeriod, _ newest: Timestamp) -> Timestamp {
    func before(_ count: Int64) -> Timestamp {
      period.start(of: newest.advanced(bySeconds: -(count - 1) * period.longestSeconds))
    }
    guard let stored = watermarks[subject(venue, coin, period)] else { return before(options.historyCandles) }
    return max(min(stored, newest), before(options.catchUpCandlesMax))
  }

  private func ask(
    _ exchange: Exchange, _ coin: String, _ symbol: String, _ period: CandlePeriod, _ span: Range<Timestamp>
  ) {
    let source = HistorySource(venue: exchange.venue, gate: exchange.gate) { _, span in
      try await exchange.source.candles(
        symbol: symbol, period: period, from: span.lowerBound, to: span.upperBound, now: SystemClock.now)
    }
    let profile = options.fast
    let limit = options.gatherLimitNanoseconds
    let mailbox = self.mailbox
    Task {
      let answer: CandleCycle.Answer
      do {
        let candles = try await limited(limit, clock: ContinuousClock()) {
          try await fetching(source, profile, clock: ContinuousClock(), subject: coin) {
            try await source.fetch(coin, span)
          }
        }
        answer = .candles(candles)
      } catch {
        answer = .failed("\(error)")
      }
      mailbox.post(.answer(period, symbol: coin, venue: exchange.venue, answer))
    }
  }

  func take(_ answer: CandleCycle.Answer, _ period: CandlePeriod, _ coin: String, _ venue: Venue) {
    guard var cycle = cycles[period] else { return }
    switch answer {
    case .candles: counters.answers += 1
    case .failed: counters.failures += 1
    }
    let wasChosen = cycle.isComplete
    let events = cycle.take(symbol: coin, venue: venue, answer)
    cycles[period] = cycle
    for event in events { handle(event, period) }
    if cycle.isDone { finish(period) }
    if !isReady, cycle.isDone || (cycle.isComplete && !wasChosen) {
      isReady = true
      context.notifyReady(status: "\(exchanges.count) exchanges, \(options.coins.count) coins")
    }
  }

  private func handle(_ event: CandleCycle.Event, _ period: CandlePeriod) {
    switch event {
    case .store(let coin, let venue, let candles):
      batch.candles += candles.map {
        StoredCandle(exchange: venue, symbol: coin, candle: $0, source: venue.rawValue)
      }
      if let last = candles.last?.start {
        let subject = subject(venue, coin, period)
        watermarks[subject] = max(watermarks[subject] ?? last, last)
        batch.watermarks[subject] = watermarks[subject]
      }
      history.keep(candles, coin: coin, venue: venue)
    case .implausible(let coin, let venue, let close, let expected):
      counters.implausible += 1
      Log.warning(
        "candles refused",
        ["symbol": coin, "exchange": venue.rawValue, "close": "\(close)", "expected": "\(expected)"])
    case .primary(let coin, let venue, let candles): choose(coin, venue, candles, period)
    case .complete(let coin, let count, let problems):
      let line = "\(count) exchanges returned data for \(coin)"
      if problems.isEmpty {
        Log.info(line, ["timeframe": "\(period)"])
      } else {
        Log.info(line, ["timeframe": "\(period)", "absent": problems.joined(separator: "; ")])
      }
      if cycles[period]?.hasPrimary(coin) != true { fail(coin, period, problems) }
    }
  }

  private func choose(_ coin: String, _ venue: Venue, _ candles: [Candle], _ period: CandlePeriod) {
    guard let last = candles.last, let symbol = symbol(coin, venue) else { return }
    let key = SeriesKey(period: period, coin: coin)
    var row = series[key] ?? newSeries
    if case .recovered(let failures)? = row.good.succeed(.init(venue: venue, candle: last), at: SystemClock.now) {
      tell(
        FlowNotice(
          line: "DATA_RECOVERY \(coin): candles of \(period) are back after \(failures) failures", isWarning: false))
    }
    for candle in candles where candle.start > row.publishedUntil {
      row.publishedUntil = candle.start
      let message = CandleMessage(
        instrument: InstrumentID(venue: venue, symbol: symbol), candle: candle, source: venue.rawValue)
      row.keep(message, countMax: options.historyCandles)
      publisher.publish(candleTopic) { message.encode($0) }
    }
    series[key] = row
  }

  /// Nobody has candles of a coin: the last good one stands in for a while, marked as what it is, then nothing does.
  private func fail(_ coin: String, _ period: CandlePeriod, _ problems: [String]) {
    let key = SeriesKey(period: period, coin: coin)
    let now = SystemClock.now
    var row = series[key] ?? newSeries
    let why = problems.isEmpty ? "no exchange has a new candle" : problems.joined(separator: "; ")
    if case .alert(let failures)? = row.good.fail(why) {
      tell(
        FlowNotice(
          line: "no candles of \(coin), \(period): \(failures) failures in a row", isWarning: true,
          alertSubject: "candles/\(coin)"))
    }
    switch row.good.answer(at: now) {
    case .fresh: break
    case .stale(let good, let since, let reason):
      counters.staleUsed += 1
      let age = now.nanoseconds(since: since) / 1_000_000_000
      tell(
        FlowNotice(
          line: "STALE_OHLCV_USED \(coin) \(period): \(good.candle.close) from \(good.venue.rawValue), "
            + "\(age) s old: \(reason)", isWarning: true))
      standIn(for: good, coin, period, "last good of \(good.candle.start): \(reason)", &row)
    case .hold(let reason):
      tell(
        FlowNotice(line: "OHLCV_HOLD \(coin) \(period): no candle that may be traded on: \(reason)", isWarning: true))
    }
    series[key] = row
  }

  private func standIn(
    for good: Series.Good, _ coin: String, _ period: CandlePeriod, _ source: String, _ row: inout Series
  ) {
    guard let newest = cycles[period]?.newest, newest > good.candle.start, let symbol = symbol(coin, good.venue) else {
      return
    }
    let close = good.candle.close
    let candle = Candle(
      start: newest, periodSeconds: period.end(ofCandleAt: newest).seconds - newest.seconds, open: close, high: close,
      low: close, close: close, volume: Volume(raw: 0), isClosed: true)
    let short = String(source.prefix(300))
    batch.candles.append(
      StoredCandle(exchange: good.venue, symbol: coin, candle: candle, isStale: true, source: short))
    let message = CandleMessage(
      instrument: InstrumentID(venue: good.venue, symbol: symbol), candle: candle, isStale: true, source: short)
    row.keep(message, countMax: options.historyCandles)
    publisher.publish(candleTopic) { message.encode($0) }
  }

  private var newSeries: Series {
    Series(good: LastGood(ageMaxSeconds: options.staleAgeMaxSeconds, failuresMax: options.failuresMax))
  }

  private func symbol(_ coin: String, _ venue: Venue) -> String? {
    CoinPair(base: coin, quote: "USD").flatMap { names.symbol($0, at: venue) }
  }

  private func subject(_ venue: Venue, _ coin: String, _ period: CandlePeriod) -> WatermarkSubject {
    WatermarkSubject(venue: venue, name: "candles/\(coin)/\(period)")
  }

  private func finish(_ period: CandlePeriod) {
    guard let cycle = cycles.removeValue(forKey: period) else { return }
    schedule.finished(period, isComplete: cycle.isComplete, now: SystemClock.now)
    noteBreakers()
  }

  // MARK: - Prices

  /// Asks for the prices of all coins at once.
  func startPricing(_ now: Timestamp) {
    isPricing = true
    let interval = options.priceIntervalSeconds
    nextPricingAt = now.advanced(bySeconds: -options.delaySeconds).floored(toSeconds: interval)
      .advanced(bySeconds: interval + options.delaySeconds)
    let wanted = options.coins.map { ($0, board.reference($0, now: now)) }
    priceAnswers = [:]
    for (coin, reference) in wanted {
      let (history, mailbox) = (self.history, self.mailbox)
      Task {
        do {
          mailbox.post(.price(coin, .success(try await history.answer(coin, reference: reference))))
        } catch {
          mailbox.post(.price(coin, .failure(error)))
        }
      }
    }
  }

  func take(_ answer: Result<RaceOutcome<PriceAnswer>, any Error>, _ coin: String) {
    priceAnswers[coin] = answer
    if priceAnswers.count == options.coins.count { take(priceAnswers) }
  }

  private func take(_ answers: [String: Result<RaceOutcome<PriceAnswer>, any Error>]) {
    isPricing = false
    let (snapshot, notices) = board.take(answers, now: SystemClock.now)
    for (coin, answer) in answers.sorted(by: { $0.key < $1.key }) {
      guard case .success(let outcome) = answer, !outcome.failures.isEmpty else { continue }
      let failed = outcome.failures.map { "\($0.source): \($0.reason)" }.joined(separator: "; ")
      Log.warning("FALLBACK_USED \(coin): \(outcome.source)", ["failed": failed])
    }
    for notice in notices { tell(notice) }
    counters.snapshots += 1
    if snapshot.held.isEmpty {
      Log.info(snapshot.line)
    } else {
      counters.partialSnapshots += 1
      Log.warning(snapshot.line)
    }
    let message = PricesMessage(
      number: snapshot.number, time: snapshot.time,
      marks: snapshot.prices.map {
        .init(
          coin: $0.coin, price: $0.price, time: $0.time, source: $0.source, isStale: $0.staleReason != nil,
          staleReason: $0.staleReason ?? "")
      }, holds: snapshot.held.map { .init(coin: $0.coin, reason: $0.reason) })
    lastPrices = message
    publisher.publish(pricesTopic) { message.encode($0) }
    noteBreakers()
  }

  // MARK: - Store and health

  /// Breakers that have changed are written with the next batch, and told.
  private func noteBreakers() {
    for (venue, gate) in gates {
      let breaker = gate.breaker
      let stored = StoredBreaker(
        name: "candles/\(venue.rawValue)", failures: breaker.memory.failures, openings: breaker.memory.openings,
        openUntil: Timestamp(nanoseconds: breaker.memory.openUntil))
      let before = savedBreakers[stored.name]
      guard stored != before, before != nil || stored.openings > 0 || stored.failures > 0 else { continue }
      savedBreakers[stored.name] = stored
      batch.breakers.removeAll { $0.name == stored.name }
      batch.breakers.append(stored)
      let wasOpen = (before?.openUntil.nanoseconds ?? 0) > 0
      let isOpen = stored.openUntil.nanoseconds > 0
      if isOpen, stored.openUntil != before?.openUntil {
        tell(
          FlowNotice(
            line: "circuit breaker of \(venue.rawValue) is open until \(stored.openUntil)", isWarning: true,
            alertSubject: wasOpen ? nil : "breaker/\(venue.rawValue)"))
      } else if wasOpen, !isOpen {
        tell(FlowNotice(line: "circuit breaker of \(venue.rawValue) is closed", isWarning: false))
      }
    }
  }

  /// Writes what has come; what cannot be written now is kept, and tried again.
  func write(_ now: Int64) {
    guard !batch.isEmpty, now >= nextWriteAt else { return }
    batch.time = SystemClock.now
    do throws(StoreError) {
      counters.stored += UInt64(try store.write(batch))
      batch = HistoryBatch(time: batch.time)
      if storeFailures > 0 { Log.info("the history is written again", ["failures": "\(storeFailures)"]) }
      storeFailures = 0
    } catch {
      storeFailures += 1
      nextWriteAt = now + 1_000_000_000
      if storeFailures == 1 || storeFailures % 60 == 0 {
        Log.error("the history cannot be written", ["problem": "\(error)", "waiting": "\(batch.candles.count)"])
      }
    }
  }

  func publishHealth() {
    context.readiness.watchdog()
    let history = self.history.counts
    var values: [String: Int64] = [
      "cycles": Int64(counters.cycles), "cycles_running": Int64(cycles.count), "answers": Int64(counters.answers),
      "failures": Int64(counters.failures), "implausible": Int64(counters.implausible),
      "candles_stored": Int64(counters.stored), "candles_waiting": Int64(batch.candles.count),
      "store_failures": Int64(storeFailures), "stale_used": Int64(counters.staleUsed),
      "alerts": Int64(counters.alerts), "snapshots": Int64(counters.snapshots),
      "snapshots_partial": Int64(counters.partialSnapshots), "history_candles_wanted": Int64(history.wanted),
      "history_candles_fetched": Int64(history.fetched), "histories": Int64(history.histories),
      "history_requests": Int64(history.requests), "history_fallbacks": Int64(history.fallbacks),
      "history_failures": Int64(history.failures), "exchanges": Int64(exchanges.count),
      "messages_published": Int64(publisher.sentCount),
      "snapshot_requests": Int64(publisher.snapshotRequestCount),
    ]
    for (venue, gate) in gates {
      let counts = gate.counts
      values["\(venue.rawValue)_requests"] = Int64(counts.sent)
      values["\(venue.rawValue)_requests_failed"] = Int64(counts.failed)
      values["\(venue.rawValue)_requests_refused"] = Int64(counts.refused)
      values["\(venue.rawValue)_breaker_open"] = gate.breaker.state == .closed ? 0 : 1
      values.merge(RequestFailures.values(venue, prefix: "\(venue.rawValue)_failures_")) { $1 }
    }
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(healthTopic) { message.encode($0) }
  }
}
