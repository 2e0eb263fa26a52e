import Market
import Resilience
import Testing

private let second: Int64 = 1_000_000_000
private func at(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * second) }

@Suite struct StalePolicyTests {
  private func text(_ answer: LastGood<Int>.Answer) -> String {
    switch answer {
    case .fresh(let value): "fresh \(value)"
    case .stale(let value, let since, let reason): "stale \(value) since \(since.seconds): \(reason)"
    case .hold(let reason): "hold: \(reason)"
    }
  }

  @Test func `the last good answer serves for its limit, marked as stale, and then nothing does`() {
    var price = LastGood<Int>()
    #expect(text(price.answer(at: at(0))) == "hold: never fetched")
    let result1 = price.succeed(7, at: at(100))
    #expect(result1 == nil)
    #expect(text(price.answer(at: at(101))) == "fresh 7")
    let result2 = price.fail("timeout")
    #expect(result2 == nil)
    #expect(text(price.answer(at: at(160))) == "stale 7 since 100: timeout")
    #expect(text(price.answer(at: at(700))) == "stale 7 since 100: timeout")
    #expect(text(price.answer(at: at(701))) == "hold: the last good answer is 601 s old: timeout")
  }

  @Test func `three failures in a row alert once, and the success after them is told`() {
    var price = LastGood<Int>()
    _ = price.succeed(7, at: at(0))
    let result3 = price.fail("a")
    #expect(result3 == nil)
    let result4 = price.fail("b")
    #expect(result4 == nil)
    let result5 = price.fail("c")
    #expect(result5 == .alert(failures: 3))
    let result6 = price.fail("d")
    #expect(result6 == nil)
    let result7 = price.succeed(8, at: at(60))
    #expect(result7 == .recovered(failures: 4))
    let result8 = price.succeed(8, at: at(61))
    #expect(result8 == nil)
    #expect(text(price.answer(at: at(62))) == "fresh 8")
  }

  @Test func `an answer that nobody renews does not stay fresh`() {
    var price = LastGood<Int>()
    _ = price.succeed(7, at: at(0))
    #expect(text(price.answer(at: at(601))) == "hold: the last good answer is 601 s old: no fetch")
  }
}

@Suite struct CandleCacheTests {
  private func lookUp(_ cache: inout CandleCache<Int>, _ time: Int64, now: Int64) -> Int? {
    cache.candle(exchange: .binance, symbol: "BTCUSDT", timeframeSeconds: 60, at: at(time), now: at(now))
  }

  private func store(_ cache: inout CandleCache<Int>, _ value: Int, _ time: Int64, now: Int64) {
    cache.store(value, exchange: .binance, symbol: "BTCUSDT", timeframeSeconds: 60, at: at(time), now: at(now))
  }

  @Test func `a look-up finds the candle in which its moment lies`() {
    var cache = CandleCache<Int>()
    store(&cache, 5, 6037, now: 6100)
    #expect(lookUp(&cache, 6000, now: 6100) == 5)
    #expect(lookUp(&cache, 6059, now: 6100) == 5)
    #expect(lookUp(&cache, 6060, now: 6100) == nil)
    #expect(
      cache.candle(exchange: .kraken, symbol: "BTCUSDT", timeframeSeconds: 60, at: at(6000), now: at(6100)) == nil)
    #expect(cache.hits == 2)
    #expect(cache.misses == 2)
  }

  @Test func `an entry lives as long as the age of its candle allows`() {
    for (age, life) in [(Int64(0), Int64(60)), (299, 60), (300, 300), (3600, 300), (3601, 3600), (90_000, 3600)] {
      var cache = CandleCache<Int>()
      let start: Int64 = 600_000
      let now = start + age
      store(&cache, 1, start, now: now)
      #expect(lookUp(&cache, start, now: now + life - 1) == 1, "\(age) s old")
      #expect(lookUp(&cache, start, now: now + life) == nil, "\(age) s old")
    }
  }

  @Test func `a closed candle that came back unchanged is final, and nothing else is`() {
    func life(_ second: Int, isClosed: Bool = true, after wait: Int64 = 60) -> Int64 {
      var cache = CandleCache<Int>()
      func put(_ value: Int, _ now: Int64) {
        cache.store(
          value, exchange: .binance, symbol: "BTCUSDT", timeframeSeconds: 60, at: at(6000), isClosed: isClosed,
          now: at(now))
      }
      put(1, 6060)
      put(second, 6060 + wait)
      var end = 6060 + wait
      while lookUp(&cache, 6000, now: end) != nil { end += 1 }
      return end - 6060 - wait
    }
    #expect(life(1) == 3600)
    #expect(life(2) == 60, "it was corrected")
    #expect(life(1, isClosed: false) == 60, "it was open")
    #expect(life(1, after: 59) == 60, "asked again too soon")
  }

  @Test func `a full cache forgets what would die first`() {
    var cache = CandleCache<Int>(entriesMax: 100)
    for minute in 0..<500 { store(&cache, minute, Int64(minute) * 60, now: Int64(minute) * 60 + 10_000) }
    #expect(cache.count <= 100)
    #expect(lookUp(&cache, 499 * 60, now: 499 * 60 + 10_000) == 499)
  }
}

@Suite struct RateLimiterTests {
  @Test func `the burst goes at once, and then the rate holds`() {
    let limiter = RateLimiter(units: 10, perSeconds: 1)
    var state: Int64 = 0
    func take(_ now: Int64) -> Int64 {
      let turn = limiter.take(1, fullAt: state, now: now)
      state = turn.fullAt
      return turn.waitNanoseconds
    }
    for _ in 0..<10 { #expect(take(0) == 0) }
    #expect(take(0) == second / 10)
    #expect(take(0) == 2 * second / 10)
    #expect(take(second / 10 * 3) == 0)
    // A bucket that was full for long holds no more than its burst.
    for _ in 0..<10 { #expect(take(100 * second) == 0) }
    #expect(take(100 * second) == second / 10)
  }

  @Test func `in no window more is sent than the budget allows`() {
    let limiter = RateLimiter(units: 1200, perSeconds: 60, burst: 50)
    var state: Int64 = 0
    var generator = SystemRandomNumberGenerator()
    var now: Int64 = 0
    var sent: [(time: Int64, cost: Int64)] = []
    for _ in 0..<5000 {
      now += Int64.random(in: 0...40_000_000, using: &generator)
      let cost = Int64.random(in: 1...5, using: &generator)
      let turn = limiter.take(cost, fullAt: state, now: now)
      state = turn.fullAt
      now += turn.waitNanoseconds
      sent.append((now, cost))
    }
    var start = 0
    var sum: Int64 = 0
    for (time, cost) in sent {
      sum += cost
      while sent[start].time <= time - 60 * second {
        sum -= sent[start].cost
        start += 1
      }
      #expect(sum <= 1200 + 50)
    }
  }

  @Test func `a cost beyond the burst is taken as the burst, and an uneven rate is rounded against us`() {
    let limiter = RateLimiter(units: 3, perSeconds: 1)
    let first = limiter.take(1000, fullAt: 0, now: 0)
    #expect(first.waitNanoseconds == 0 && first.fullAt == second + 2)
    #expect(limiter.take(1, fullAt: first.fullAt, now: 0).waitNanoseconds == 333_333_334)
  }
}

@Suite struct CircuitBreakerTests {
  private let policy = CircuitBreaker.Policy(
    failuresMax: 3, pauseNanoseconds: 10 * second, pauseMaxNanoseconds: 40 * second, probeLimitNanoseconds: 5 * second)

  private func opened(at now: Int64 = 0) -> CircuitBreaker {
    var breaker = CircuitBreaker(policy)
    for _ in 0..<3 { breaker.fail(now: now) }
    return breaker
  }

  @Test func `failures in a row open it, and a success between them does not let it`() {
    var breaker = CircuitBreaker(policy)
    for _ in 0..<5 {
      breaker.fail(now: 0)
      breaker.fail(now: 0)
      breaker.succeed()
    }
    #expect(breaker.state == .closed)
    breaker = opened()
    #expect(breaker.state == .open)
    let result14 = breaker.admits(now: 10 * second - 1)
    #expect(!result14)
  }

  @Test func `one probe passes when the pause is over, and closes it or opens it for longer`() {
    var breaker = opened()
    let result15 = breaker.admits(now: 10 * second)
    #expect(result15)
    #expect(breaker.state == .halfOpen)
    let result16 = breaker.admits(now: 10 * second)
    #expect(!result16, "one probe only")
    var failed = breaker
    failed.fail(now: 11 * second)
    let result17 = failed.admits(now: 30 * second)
    #expect(!result17)
    let result18 = failed.admits(now: 31 * second)
    #expect(result18)
    breaker.succeed()
    #expect(breaker.state == .closed)
    let result19 = breaker.admits(now: 12 * second)
    #expect(result19)
  }

  @Test func `a probe that never comes back is followed by another`() {
    var breaker = opened()
    let result20 = breaker.admits(now: 10 * second)
    #expect(result20)
    let result21 = breaker.admits(now: 14 * second)
    #expect(!result21)
    let result22 = breaker.admits(now: 15 * second)
    #expect(result22)
  }

  @Test func `an answer that was on its way does not close it`() {
    var breaker = opened()
    breaker.succeed()
    #expect(breaker.state == .open)
  }

  @Test func `an open one survives a restart`() {
    let restored = CircuitBreaker(policy, memory: opened(at: 7 * second).memory)
    #expect(restored == opened(at: 7 * second))
    #expect(restored.state == .open)
  }
}
