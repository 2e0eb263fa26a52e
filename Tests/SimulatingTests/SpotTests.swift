import Market
import Simulating
import Testing

@Suite struct SpotTests {
  let prices = SpotPrices(seed: Seed(7))
  let minute = moment.seconds / 60

  @Test func `the price of a moment does not depend on when it is asked for`() {
    let again = SpotPrices(seed: Seed(7))
    for coin in Coin.allCases {
      for step in 0..<1000 {
        let time = moment.milliseconds - Int64(step) * 777
        #expect(prices.price(coin, milliseconds: time) == again.price(coin, milliseconds: time))
      }
    }
    #expect(SpotPrices(seed: Seed(8)).boundary(.btc, minute: minute) != prices.boundary(.btc, minute: minute))
  }

  @Test func `a minute's candle holds every trade of it, and minutes join without a gap`() {
    for coin in Coin.allCases {
      for step in 0..<200 {
        let candle = prices.minute(coin, minute - Int64(step))
        #expect(candle.low <= min(candle.open, candle.close) && candle.high >= max(candle.open, candle.close))
        #expect(candle.close == prices.minute(coin, minute - Int64(step) + 1).open)
        var volume: Int128 = 0
        var seen = (low: Int64.max, high: Int64.min)
        for trade in 0..<Int64(SpotPrices.tradesPerMinute) {
          let time = (minute - Int64(step)) * 60_000 + trade * SpotPrices.tradeMilliseconds
          let price = prices.price(coin, milliseconds: time)
          seen = (min(seen.low, price), max(seen.high, price))
          volume += Int128(prices.quantity(coin, trade: (minute - Int64(step)) * 240 + trade))
        }
        #expect(seen.low == candle.low && seen.high == candle.high)
        #expect(volume == candle.volume)
        let last = prices.price(coin, milliseconds: (minute - Int64(step) + 1) * 60_000 - 1)
        #expect(last == candle.close)
        let whole = prices.openMinute(coin, milliseconds: (minute - Int64(step) + 1) * 60_000 - 1)
        #expect(whole == candle)
      }
    }
  }

  @Test func `long candles are made of short ones`() throws {
    let history = SpotHistory(prices: prices)
    let start = (minute - 3000) / 1440 * 1440
    let whole = history.candle(.binance, .btc, start: start, minutes: 1440, now: moment)
    let day = try #require(whole)
    var parts: [SpotCandle] = []
    for step in 0..<288 {
      let part = history.candle(.binance, .btc, start: start + Int64(step) * 5, minutes: 5, now: moment)
      parts.append(try #require(part))
    }
    #expect(day.open == parts.first?.open && day.close == parts.last?.close)
    #expect(day.high == parts.map(\.high).max() && day.low == parts.map(\.low).min())
    #expect(day.volume == parts.map(\.volume).reduce(0, +))
    let future = history.candle(.binance, .btc, start: minute + 1, minutes: 1, now: moment)
    #expect(future == nil)
  }

  @Test func `exchanges differ by less than a twentieth of a percent, always by the same`() throws {
    let history = SpotHistory(prices: prices)
    for coin in Coin.allCases {
      var differences: Set<Int64> = []
      for step in 1..<100 {
        let start = minute - Int64(step) * 60
        let first = history.candle(.binance, coin, start: start, minutes: 1, now: moment)
        let second = history.candle(.coinbase, coin, start: start, minutes: 1, now: moment)
        let binance = try #require(first)
        let coinbase = try #require(second)
        differences.insert(binance.close - coinbase.close)
        #expect(abs(binance.close - coinbase.close) * 2000 < binance.close)
      }
      #expect(differences.count == 1)
    }
  }

  @Test func `every price lies on its coin's grid, and no two coins move alike`() {
    for coin in Coin.allCases {
      let closes = (0..<200).map { prices.boundary(coin, minute: minute - Int64($0)) }
      #expect(closes.allSatisfy { $0 > 0 && $0 % coin.tick == 0 })
      #expect(Set(closes).count > 20, "\(coin) stands still")
    }
    let moves = Coin.allCases.map { coin in
      (0..<60).map { prices.boundary(coin, minute: minute - $0) > prices.boundary(coin, minute: minute - $0 - 1) }
    }
    #expect(Set(moves).count == moves.count)
  }

  @Test func `months, weeks and local days begin where the calendar says`() {
    func second(_ text: String) -> Int64 { (try? Timestamp(rfc3339: text))?.seconds ?? -1 }
    let day = SpotBar(seconds: 86_400)
    #expect(day.start(of: second("2026-11-21T20:15:00Z")) == second("2026-11-21T00:00:00Z"))
    let month = SpotBar(months: 1)
    #expect(month.start(of: second("2026-02-28T23:59:59Z")) == second("2026-02-01T00:00:00Z"))
    #expect(month.start(second("2025-12-01T00:00:00Z"), plus: 3) == second("2026-03-01T00:00:00Z"))
    #expect(month.start(second("2026-01-01T00:00:00Z"), plus: -1) == second("2025-12-01T00:00:00Z"))
    let quarter = SpotBar(months: 3)
    #expect(quarter.start(of: second("2026-11-21T20:15:00Z")) == second("2026-10-01T00:00:00Z"))
    let week = SpotBar(seconds: 604_800, shift: 4 * 86_400)
    #expect(week.start(of: second("2026-11-22T23:00:00Z")) == second("2026-11-16T00:00:00Z"))
  }

  @Test func `prices wander as those of coins do`() {
    let closes = (0..<1440).map { prices.boundary(.btc, minute: minute - Int64($0)) }
    let moves = zip(closes, closes.dropFirst()).map { abs($0 - $1) }
    let coinTick = Coin.btc.tick
    let mean = moves.reduce(0, +) / Int64(moves.count)
    #expect((500...6000).contains(mean / coinTick), "mean move of a minute \(mean / coinTick) cents")
  }

  /// Whoever estimates the volatility from the stream finds the same at every sampling.
  @Test(arguments: [1, 5, 15, 60, 300] as [Int64])
  func `a price moves as much in a second as in minutes, by the root of time`(_ seconds: Int64) {
    // The grid of Solana's prices is coarser than its way in a second.
    for coin in Coin.upDown where seconds > 1 || coin != .sol {
      var squares = 0.0
      let count = 20_000 as Int64
      for step in 0..<count {
        let time = moment.milliseconds - step * 17_250
        let before = Double(prices.price(coin, milliseconds: time - seconds * 1000))
        let move = (Double(prices.price(coin, milliseconds: time)) / before).logarithm
        squares += move * move
      }
      let found = (squares / Double(count * seconds)).squareRoot() / SpotPrices.volatilityPerRootSecond
      #expect((0.75...1.25).contains(found), "\(coin): \(found)")
    }
  }
}

extension Double {
  /// Near 1, by its series.
  fileprivate var logarithm: Double {
    let x = self - 1
    return x - x * x / 2 + x * x * x / 3
  }
}
