import Ingesting
import Market
import Testing

private let minute: Int64 = 60_000_000_000
private func at(_ minutes: Int64, seconds: Int64 = 0) -> Timestamp {
  Timestamp(nanoseconds: minutes * minute + seconds * 1_000_000_000)
}

private func candle(_ start: Int64, _ close: Int64 = 100, isClosed: Bool = true) -> Candle {
  let price = Price(raw: close * fixedPointScale)
  return Candle(
    start: at(start), periodSeconds: 60, open: price, high: price, low: price, close: price, volume: Volume(raw: 1),
    isClosed: isClosed)
}

@Suite struct CandleScheduleTests {
  private func schedule(_ periods: [CandlePeriod] = [.minute, .hour], now: Timestamp) -> CandleSchedule {
    CandleSchedule(periods: periods, delaySeconds: 2, retrySeconds: 15, now: now)
  }

  @Test func `what was missed is fetched at once, then each candle shortly after its close`() {
    var schedule = schedule(now: at(1000, seconds: 30))
    #expect(schedule.takeDue(now: at(1000, seconds: 30)) == [.minute, .hour])
    for period in [CandlePeriod.minute, .hour] {
      schedule.finished(period, isComplete: true, now: at(1000, seconds: 31))
    }
    #expect(schedule.nextDue == at(1001, seconds: 2))
    #expect(schedule.takeDue(now: at(1001, seconds: 1)).isEmpty)
    #expect(schedule.takeDue(now: at(1001, seconds: 2)) == [.minute])
    schedule.finished(.minute, isComplete: true, now: at(1001, seconds: 3))
    #expect(schedule.nextDue == at(1002, seconds: 2))
    // The hour's candle, too, when its time has come.
    #expect(schedule.takeDue(now: at(1020, seconds: 2)) == [.minute, .hour])
  }

  @Test func `a timeframe never runs twice at a time, and one that took too long runs once more`() {
    var schedule = schedule([.minute], now: at(10))
    #expect(schedule.takeDue(now: at(10)) == [.minute])
    #expect(schedule.takeDue(now: at(13)).isEmpty)
    #expect(schedule.nextDue == nil)
    schedule.finished(.minute, isComplete: true, now: at(13, seconds: 30))
    #expect(schedule.takeDue(now: at(13, seconds: 30)) == [.minute])
    schedule.finished(.minute, isComplete: true, now: at(13, seconds: 31))
    #expect(schedule.nextDue == at(14, seconds: 2))
  }

  @Test func `a run that found nothing is followed by another before the next close`() {
    var schedule = schedule([.hour], now: at(60))
    #expect(schedule.takeDue(now: at(60, seconds: 5)) == [.hour])
    schedule.finished(.hour, isComplete: false, now: at(60, seconds: 8))
    #expect(schedule.nextDue == at(60, seconds: 23))
  }

  @Test func `just after a close, before the delay, the candle that has just closed is still to come`() {
    var schedule = schedule([.minute], now: at(5, seconds: 1))
    #expect(schedule.takeDue(now: at(5, seconds: 1)) == [.minute])
    schedule.finished(.minute, isComplete: true, now: at(5, seconds: 1))
    #expect(schedule.nextDue == at(5, seconds: 2))
  }
}

@Suite struct CandleCycleTests {
  private let order: [Venue] = [.binance, .coinbase, .kraken, .okx, .bybit]

  private func cycle(_ references: [String: Price] = ["BTC": Price(raw: 100 * fixedPointScale)]) -> CandleCycle {
    CandleCycle(
      period: .minute, newest: at(50), order: order, asked: ["BTC": order], references: references,
      deviationMaxPercent: 20)
  }

  private func primary(_ events: [CandleCycle.Event]) -> Venue? {
    for case .primary(_, let venue, _) in events { return venue }
    return nil
  }

  private func stored(_ events: [CandleCycle.Event]) -> [Venue] {
    events.compactMap { event in if case .store(_, let venue, _) = event { venue } else { nil } }
  }

  @Test func `the first of the order with data speaks, whoever was faster`() {
    var cycle = cycle()
    for venue in [Venue.bybit, .okx, .kraken] {
      let events = cycle.take(symbol: "BTC", venue: venue, .candles([candle(50)]))
      #expect(stored(events) == [venue] && primary(events) == nil)
    }
    #expect(primary(cycle.take(symbol: "BTC", venue: .binance, .failed("HTTP 503"))) == nil)
    let last = cycle.take(symbol: "BTC", venue: .coinbase, .candles([candle(50, 101)]))
    #expect(primary(last) == .coinbase)
    #expect(last.last == .complete(symbol: "BTC", count: 4, problems: ["binance: HTTP 503"]))
    #expect(cycle.isDone && cycle.isComplete)
  }

  @Test func `nobody is waited for who cannot change the choice`() {
    var cycle = cycle()
    #expect(primary(cycle.take(symbol: "BTC", venue: .binance, .candles([candle(50)]))) == .binance)
    #expect(cycle.isComplete && !cycle.isDone)
    // Later answers are stored, and choose nothing.
    let events = cycle.take(symbol: "BTC", venue: .kraken, .candles([candle(50)]))
    #expect(events == [.store(symbol: "BTC", venue: .kraken, candles: [candle(50)])])
    #expect(cycle.take(symbol: "BTC", venue: .kraken, .candles([candle(50)])).isEmpty, "answered already")
    #expect(cycle.take(symbol: "ETH", venue: .kraken, .candles([candle(50)])).isEmpty, "not asked")
  }

  @Test func `nonsense is refused, stored nowhere, and counts as no data`() {
    var cycle = cycle()
    let events = cycle.take(symbol: "BTC", venue: .binance, .candles([candle(50, 121)]))
    #expect(
      events == [
        .implausible(
          symbol: "BTC", venue: .binance, close: Price(raw: 121 * fixedPointScale),
          expected: Price(raw: 100 * fixedPointScale))
      ])
    #expect(primary(cycle.take(symbol: "BTC", venue: .coinbase, .candles([candle(50, 120)]))) == .coinbase)
  }

  @Test func `without a price of before, the median of all is what each is compared with`() {
    var cycle = cycle([:])
    #expect(cycle.take(symbol: "BTC", venue: .binance, .candles([candle(50, 4)])).isEmpty)
    for venue in [Venue.coinbase, .kraken, .okx] {
      #expect(cycle.take(symbol: "BTC", venue: venue, .candles([candle(50)])).isEmpty)
    }
    let events = cycle.take(symbol: "BTC", venue: .bybit, .failed("no answer"))
    #expect(stored(events) == [.coinbase, .kraken, .okx] && primary(events) == .coinbase)
    guard case .complete(_, 3, let problems)? = events.last else {
      Issue.record("not complete: \(events)")
      return
    }
    #expect(problems.count == 2)
  }

  @Test func `a candle that is open is no data, and one of long ago does not speak`() {
    var cycle = cycle()
    let open = cycle.take(symbol: "BTC", venue: .binance, .candles([candle(50, isClosed: false)]))
    #expect(stored(open).isEmpty)
    // It is stored all the same: it is true, only old.
    let old = cycle.take(symbol: "BTC", venue: .coinbase, .candles([candle(47)]))
    #expect(stored(old) == [.coinbase] && primary(old) == nil)
    // A minute without trades has no candle at some venues.
    #expect(primary(cycle.take(symbol: "BTC", venue: .kraken, .candles([candle(48)]))) == .kraken)
  }

  @Test func `with nothing at all there is no primary`() {
    var cycle = cycle()
    for venue in order.dropLast() { _ = cycle.take(symbol: "BTC", venue: venue, .failed("x")) }
    let events = cycle.take(symbol: "BTC", venue: .bybit, .candles([]))
    #expect(events.count == 1 && cycle.isDone && !cycle.isComplete && !cycle.hasPrimary("BTC"))
  }
}
