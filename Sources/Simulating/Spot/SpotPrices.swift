package import Market

/// Open, high, low, close and volume of one period; prices in units of 10⁻⁸ dollars.
package struct SpotCandle: Hashable, Sendable {
  package var open: Int64
  package var high: Int64
  package var low: Int64
  package var close: Int64
  /// In units of 10⁻⁸ coins.
  package var volume: Int128
  package var trades: Int

  /// Takes in a later candle.
  mutating func extend(by next: SpotCandle) {
    high = max(high, next.high)
    low = min(low, next.low)
    close = next.close
    volume += next.volume
    trades += next.trades
  }
}

/// The price of every coin at every moment since 2024: a function of seed and time, and of nothing else.
///
/// At whole minutes the price is the base, moved by value noise on eighteen time scales, one minute to three months,
/// each √2 times as strong as the one below it, as in a random walk. Within a minute it goes on so down to the second:
/// the middle between two known points is displaced as in a Brownian bridge, again and again. So it moves as much as
/// `volatilityPerRootSecond` says over a second as over an hour, and a candle of any past minute costs a few hundred
/// nanoseconds and is the same after a restart.
package struct SpotPrices: Sendable {
  /// How far apart trades are: each has a number, its time divided by this.
  package static let tradeMilliseconds: Int64 = 250
  /// Trades in a minute.
  package static let tradesPerMinute = 240
  /// When the exchanges opened, in minutes since 1970: 2024-01-01.
  package static let firstMinute: Int64 = 28_401_120

  /// How far the logarithm of the price goes in a second, as a standard deviation; in t seconds √t times as far.
  ///
  /// Scales of strength a·√2ᵏ and width 2ᵏ minutes, uniform in ±1 and linear between, add up to a variance of 4a²/3 for
  /// each minute at every distance: Σₖ 2ᵏ·E[(Xₖ(t + d) − Xₖ(t))²] = 4d/3.
  package static let volatilityPerRootSecond = (4.0 / 3 / 60).squareRoot() * Double(firstAmplitude) / 1e9

  private let seed: Seed

  package init(seed: Seed) { self.seed = seed }

  /// The price at the start of a minute, before an exchange's own offset: the close of the minute before.
  package func boundary(_ coin: Coin, minute: Int64) -> Int64 { boundaryTicks(coin, minute: minute) * coin.tick }

  private func boundaryTicks(_ coin: Coin, minute: Int64) -> Int64 {
    var relative: Int64 = 0
    for scale in 0..<SpotPrices.amplitudes.count {
      let cell = minute >> Int64(scale)
      let width: Int64 = 1 << Int64(scale)
      let left = lattice(coin, scale, cell)
      let within = minute - cell * width
      let value = within == 0 ? left : left + (lattice(coin, scale, cell + 1) - left) * within / width
      relative += value * SpotPrices.amplitudes[scale] / 1_000_000
    }
    return SpotPrices.ticks(coin, relative)
  }

  /// A whole minute, before an exchange's own offset.
  package func minute(_ coin: Coin, _ minute: Int64) -> SpotCandle {
    candle(path(coin, minute), volumeOf: coin, minute)
  }

  /// The price at a moment: what the last trade paid.
  package func price(_ coin: Coin, milliseconds: Int64) -> Int64 {
    let minute = SpotPrices.floorDivide(milliseconds, 60_000)
    let trade = (milliseconds - minute * 60_000) / SpotPrices.tradeMilliseconds
    return path(coin, minute).price(trade: Int(trade)) * coin.tick
  }

  /// The part of a minute up to a moment in it, by its trades so far.
  package func openMinute(_ coin: Coin, milliseconds: Int64) -> SpotCandle {
    let minute = SpotPrices.floorDivide(milliseconds, 60_000)
    let path = path(coin, minute)
    let last = Int((milliseconds - minute * 60_000) / SpotPrices.tradeMilliseconds)
    let open = path.open * coin.tick
    var result = SpotCandle(open: open, high: open, low: open, close: open, volume: 0, trades: 0)
    for trade in 0...last {
      let price = path.price(trade: trade) * coin.tick
      result.high = max(result.high, price)
      result.low = min(result.low, price)
      result.close = price
      result.volume += Int128(quantity(coin, trade: minute * Int64(SpotPrices.tradesPerMinute) + Int64(trade)))
    }
    result.trades = last + 1
    return result
  }

  /// One second of a minute, by its trades up to a moment.
  package func second(_ coin: Coin, _ second: Int64, milliseconds: Int64) -> SpotCandle {
    let minute = SpotPrices.floorDivide(second, 60)
    let path = path(coin, minute)
    let first = Int(second - minute * 60) * 4
    let last = min(first + 3, Int((milliseconds - minute * 60_000) / SpotPrices.tradeMilliseconds))
    let open = path.price(trade: max(0, first - 1)) * coin.tick
    var result = SpotCandle(open: open, high: open, low: open, close: open, volume: 0, trades: last - first + 1)
    for trade in first...max(first, last) {
      let price = path.price(trade: trade) * coin.tick
      result.high = max(result.high, price)
      result.low = min(result.low, price)
      result.close = price
      result.volume += Int128(quantity(coin, trade: minute * Int64(SpotPrices.tradesPerMinute) + Int64(trade)))
    }
    return result
  }

  /// A whole hour: what its sixty minutes add up to, at a tenth of their cost.
  func hour(_ coin: Coin, _ hour: Int64) -> SpotCandle {
    let ends = boundaries(coin, from: hour * 60, count: 61)
    var result: SpotCandle?
    for step in 0..<60 {
      let minute = hour * 60 + Int64(step)
      let part = candle(path(coin, minute, open: ends[step], close: ends[step + 1]), volumeOf: coin, minute)
      if result == nil { result = part } else { result?.extend(by: part) }
    }
    return result!
  }

  /// The starts of minutes in a row, in ticks: the lattice of each scale is asked for once a cell.
  private func boundaries(_ coin: Coin, from minute: Int64, count: Int) -> [Int64] {
    var relative = [Int64](repeating: 0, count: count)
    for scale in 0..<SpotPrices.amplitudes.count {
      let width: Int64 = 1 << Int64(scale)
      var cell = minute >> Int64(scale)
      var left = lattice(coin, scale, cell)
      var right = lattice(coin, scale, cell + 1)
      for step in 0..<count {
        let place = minute + Int64(step)
        if place >> Int64(scale) != cell {
          cell = place >> Int64(scale)
          left = right
          right = lattice(coin, scale, cell + 1)
        }
        let value = left + (right - left) * (place - cell * width) / width
        relative[step] += value * SpotPrices.amplitudes[scale] / 1_000_000
      }
    }
    return relative.map { SpotPrices.ticks(coin, $0) }
  }

  private static func ticks(_ coin: Coin, _ relative: Int64) -> Int64 {
    coin.baseTicks + coin.baseTicks * relative / 1_000_000_000
  }

  /// How much the trade of a number was for, in units of 10⁻⁸ coins: those of a minute add up to its volume.
  package func quantity(_ coin: Coin, trade: Int64) -> Int64 {
    let minute = SpotPrices.floorDivide(trade, Int64(SpotPrices.tradesPerMinute))
    let mean = meanQuantity(coin, minute)
    let pair = seed.bits(.trade, UInt64(bitPattern: (trade / 2) * 8 + Int64(coin.rawValue)))
    let deviation = Int64(pair % UInt64(mean / 2)) * 2 - mean / 2
    return trade % 2 == 0 ? mean + deviation : mean - deviation
  }

  /// Whether the buyer of the trade of a number was the maker, so that the taker sold.
  package func isBuyerMaker(_ coin: Coin, trade: Int64) -> Bool {
    seed.bits(.trade, UInt64(bitPattern: trade * 16 + 8 + Int64(coin.rawValue))) & 0x100 != 0
  }

  /// What an exchange adds to the price, in units of 10⁻⁸ dollars: always the same, and below 0.05 %.
  package static func offset(_ venue: Venue, _ coin: Coin) -> Int64 {
    let parts: Int64 =
      switch venue {
      case .binance: 11
      case .coinbase: -14
      case .kraken: 6
      case .okx: -5
      case .bybit: 17
      default: 0
      }
    return coin.baseTicks * parts / 100_000 * coin.tick
  }

  /// Whether the coin closed at least as high at the end of a window as at its start: what up/down markets ask.
  package func isUp(_ coin: Coin, opensAt: Timestamp, closesAt: Timestamp) -> Bool {
    boundary(coin, minute: closesAt.seconds / 60) >= boundary(coin, minute: opensAt.seconds / 60)
  }

  // MARK: Inside

  /// Strength of the scale of one minute, in 10⁻⁹ of the price.
  private static let firstAmplitude: Int64 = 220_000

  /// Strengths of the scales in 10⁻⁹ of the price.
  private static let amplitudes: [Int64] = (0..<18).map { scale in
    var amplitude = firstAmplitude
    for step in 0..<scale { amplitude = step % 2 == 0 ? amplitude * 1414 / 1000 : amplitude * 1415 / 1000 }
    return amplitude
  }

  /// From −10⁶ to 10⁶.
  private func lattice(_ coin: Coin, _ scale: Int, _ cell: Int64) -> Int64 {
    let number = UInt64(bitPattern: cell) &* 256 &+ UInt64(scale * 8 + coin.rawValue)
    return Int64(seed.bits(.noise, number) % 2_000_001) - 1_000_000
  }

  private func meanQuantity(_ coin: Coin, _ minute: Int64) -> Int64 {
    let bits = seed.bits(.volume, UInt64(bitPattern: minute * 8 + Int64(coin.rawValue)))
    return Int64(coin.tradeUnits / 2 + bits % coin.tradeUnits)
  }

  private func path(_ coin: Coin, _ minute: Int64) -> MinutePath {
    path(
      coin, minute, open: boundaryTicks(coin, minute: minute), close: boundaryTicks(coin, minute: minute + 1))
  }

  private func path(_ coin: Coin, _ minute: Int64, open: Int64, close: Int64) -> MinutePath {
    // In 1/1024 of a tick, which is more than a second's way at some coins.
    var points = [Int64](repeating: open << 10, count: MinutePath.lines + 1)
    points[MinutePath.lines] = close << 10
    var width = MinutePath.lines
    // A bridge of variance 4a²/3 has a quarter of it in the middle, which is what a uniform number in ±a has.
    var amplitude = SpotPrices.firstAmplitude
    var bits: UInt64 = 0
    var drawn: UInt64 = 0
    while width > 1 {
      let strength = (open << 10) * amplitude / 1_000_000
      for left in stride(from: 0, to: MinutePath.lines, by: width) {
        // Four displacements out of each draw.
        if drawn % 4 == 0 {
          bits = seed.bits(.wick, (UInt64(bitPattern: minute * 8 + Int64(coin.rawValue)) &* 16) &+ drawn / 4)
        }
        let displacement = (Int64(bits & 0xFFFF) - 0x8000) * strength / (0x8000 * 1000)
        points[left + width / 2] = (points[left] + points[left + width]) / 2 + displacement
        bits >>= 16
        drawn += 1
      }
      width /= 2
      amplitude = amplitude * 1000 / 1414
    }
    return MinutePath(points: points.map { max(1, ($0 + 512) >> 10) })
  }

  private func candle(_ path: MinutePath, volumeOf coin: Coin, _ minute: Int64) -> SpotCandle {
    SpotCandle(
      open: path.open * coin.tick, high: path.high * coin.tick, low: path.low * coin.tick,
      close: path.close * coin.tick, volume: Int128(meanQuantity(coin, minute)) * Int128(SpotPrices.tradesPerMinute),
      trades: SpotPrices.tradesPerMinute)
  }

  static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    value >= 0 ? value / by : -((by - 1 - value) / by)
  }
}

/// In ticks: straight lines of about a second each, from the open to the close.
private struct MinutePath {
  static let lines = 64

  /// Where the lines begin, and where the last one ends.
  let points: [Int64]

  var open: Int64 { points[0] }
  var close: Int64 { points[MinutePath.lines] }
  var high: Int64 { points.reduce(open, max) }
  var low: Int64 { points.reduce(open, min) }

  func price(trade: Int) -> Int64 {
    var line = trade * MinutePath.lines / MinutePath.lastTrade
    guard line < MinutePath.lines else { return close }
    if MinutePath.trade(at: line + 1) == trade { line += 1 }
    let start = MinutePath.trade(at: line)
    guard trade > start else { return points[line] }
    let steps = MinutePath.trade(at: line + 1) - start
    return points[line] + (points[line + 1] - points[line]) * Int64(trade - start) / Int64(steps)
  }

  private static let lastTrade = SpotPrices.tradesPerMinute - 1

  /// The trade that stands at a point.
  private static func trade(at point: Int) -> Int { point * lastTrade / lines }
}
