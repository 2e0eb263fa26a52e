internal import Glibc
internal import Market
internal import Venues

/// What coins cost at each exchange: now, at the starts of the last minutes, and how much it moves.
///
/// Exchanges differ by a constant and by what they are quoted in, so their prices are never mixed: each is compared with
/// its own, and the middle of what they say of a change counts.
struct SpotBoard: ~Copyable {
  /// A coin at one exchange.
  private struct Quote {
    let venue: Venue
    var mid: Int64 = 0
    var time = Timestamp(nanoseconds: 0)
    /// What it cost in each of the last seconds, by second.
    var seconds = RecentValues(count: Int(Volatility.stepSeconds) + 4)
    /// What it cost when each of the last minutes began, by minute.
    var minutes = RecentValues(count: 128)
    var volatility: Volatility
    /// When it was first watched; candles of before tell what was missed.
    var firstSecond = Int64.max
    /// The minute of the newest candle that was taken for the volatility.
    var candleMinute = Int64.min
  }

  /// What is known of a coin's move since a window opened.
  struct Move {
    /// The middle of the exchanges' logarithms of price ÷ price at the opening.
    var logReturn: Double
    /// The middle of their volatilities, for the root of a second.
    var perRootSecond: Double
    /// How far that may be off, as a fraction.
    var relativeError: Double
    /// Who says so: the first of them in the order of the venues.
    var source: String
  }

  /// Why nothing is known of a coin's move.
  enum Missing: Error {
    case price, openingPrice, volatility
  }

  private var coins: [String] = []
  private var quotes: [[Quote]] = []
  private var placeOfInstrument: [InstrumentID: (coin: Int, quote: Int)] = [:]
  private let halfLifeSeconds: Int64
  private let samplesMin: Double
  private let sourcesMin: Int
  private let ageMaxNanoseconds: Int64

  /// A board that knows what each exchange calls the coins.
  init(options: ScannerOptions) {
    halfLifeSeconds = options.volatilityHalfLifeSeconds
    samplesMin = Double(options.volatilitySamplesMin)
    sourcesMin = options.spotSourcesMin
    ageMaxNanoseconds = options.spotAgeMaxNanoseconds
    for coin in options.coins {
      guard let pair = CoinPair(base: coin, quote: "USD") else { continue }
      var row: [Quote] = []
      for venue in [Venue.binance, .coinbase, .kraken, .okx, .bybit] {
        guard let symbol = options.pairNames.symbol(pair, at: venue) else { continue }
        placeOfInstrument[InstrumentID(venue: venue, symbol: symbol)] = (coins.count, row.count)
        row.append(Quote(venue: venue, volatility: Volatility(halfLifeSeconds: halfLifeSeconds)))
      }
      coins.append(coin)
      quotes.append(row)
    }
  }

  /// The number of a coin, or nil where it is not watched.
  func number(of coin: String) -> Int? { coins.firstIndex(of: coin) }

  /// Takes the best prices of a coin at an exchange.
  /// - Returns: the coin's number, where its price has changed.
  mutating func take(_ ticker: Ticker, now: Timestamp) -> Int? {
    guard let place = placeOfInstrument[ticker.instrument], ticker.mid.raw > 0 else { return nil }
    // A time of the future would make it fresh for ever.
    guard ticker.time.nanoseconds(since: now) <= ageMaxNanoseconds else { return nil }
    let second = ticker.time.seconds
    let old = quotes[place.coin][place.quote]
    guard ticker.time >= old.time else { return nil }
    let mid = ticker.mid.raw
    if second > old.time.seconds, old.mid > 0 { pass(second, place, old.mid) }
    quotes[place.coin][place.quote].firstSecond = min(old.firstSecond, second)
    quotes[place.coin][place.quote].mid = mid
    quotes[place.coin][place.quote].time = ticker.time
    return mid == old.mid ? nil : place.coin
  }

  /// A second is over: what it cost at its end stands for it, and for the minute that begins now.
  private mutating func pass(_ second: Int64, _ place: (coin: Int, quote: Int), _ last: Int64) {
    quotes[place.coin][place.quote].seconds.set(last, at: second - 1)
    if second % 60 == 0 || second / 60 > quotes[place.coin][place.quote].time.seconds / 60 {
      quotes[place.coin][place.quote].minutes.setIfMissing(last, at: second / 60)
    }
    if let before = quotes[place.coin][place.quote].seconds.value(at: second - 1 - Volatility.stepSeconds) {
      quotes[place.coin][place.quote].volatility.add(log(Double(last) / Double(before)), second: second)
    }
  }

  /// Takes a candle of one minute of a coin at an exchange: where it ends, the next minute begins.
  mutating func take(_ candle: Candle, of instrument: InstrumentID) {
    guard candle.periodSeconds == 60, let place = placeOfInstrument[instrument] else { return }
    let minute = candle.start.seconds / 60
    if candle.open.raw > 0 { quotes[place.coin][place.quote].minutes.setIfMissing(candle.open.raw, at: minute) }
    // What a window is settled by is the close of the minute before.
    guard candle.isClosed, candle.close.raw > 0, candle.open.raw > 0 else { return }
    quotes[place.coin][place.quote].minutes.set(candle.close.raw, at: minute + 1)
    // Minutes that were watched count second by second already.
    let quote = quotes[place.coin][place.quote]
    guard minute > quote.candleMinute, (minute + 1) * 60 <= quote.firstSecond else { return }
    quotes[place.coin][place.quote].candleMinute = minute
    quotes[place.coin][place.quote].volatility.addMinute(
      log(Double(candle.close.raw) / Double(candle.open.raw)), endingAt: (minute + 1) * 60)
  }

  /// How far a coin has moved since a window opened, and how much it moves.
  ///
  /// - Parameters:
  ///   - coin: its number.
  ///   - opening: when the window opened, at a whole minute.
  ///   - now: the time of day.
  /// - Returns: the middle of what the exchanges say.
  /// - Throws: `Missing` where too few of them say it.
  func move(of coin: Int, since opening: Timestamp, now: Timestamp) throws(Missing) -> Move {
    let minute = opening.seconds / 60
    var returns = InlineArray<8, Double>(repeating: 0)
    var roots = InlineArray<8, Double>(repeating: 0)
    var fresh = 0
    var known = 0
    var moving = 0
    var error = 0.0
    var source: Venue?
    for place in quotes[coin].indices {
      let mid = quotes[coin][place].mid
      guard mid > 0, isFresh(quotes[coin][place], now) else { continue }
      fresh += 1
      guard let opened = quotes[coin][place].minutes.value(at: minute) else { continue }
      returns[known] = log(Double(mid) / Double(opened))
      known += 1
      let volatility = quotes[coin][place].volatility
      guard volatility.samples >= samplesMin, let root = volatility.perRootSecond, root > 0 else { continue }
      roots[moving] = root
      moving += 1
      error = max(error, volatility.relativeError)
      source = source ?? quotes[coin][place].venue
    }
    guard fresh >= sourcesMin else { throw .price }
    guard known >= sourcesMin else { throw .openingPrice }
    // How much it moves is much the same everywhere: one exchange whose past is known is enough.
    guard moving > 0, let source else { throw .volatility }
    return Move(
      logReturn: SpotBoard.middle(&returns, known), perRootSecond: SpotBoard.middle(&roots, moving),
      relativeError: error, source: source.rawValue)
  }

  /// Why a coin has no price to rest on, for people.
  func staleReason(of coin: Int, now: Timestamp) -> String {
    let fresh = quotes[coin].count { $0.mid > 0 && isFresh($0, now) }
    return "\(coins[coin]): \(fresh) of \(quotes[coin].count) exchanges have a fresh price, \(sourcesMin) are needed"
  }

  private func isFresh(_ quote: Quote, _ now: Timestamp) -> Bool {
    now.nanoseconds(since: quote.time).magnitude <= UInt64(ageMaxNanoseconds)
  }

  /// The median; of two in the middle their mean.
  private static func middle(_ values: inout InlineArray<8, Double>, _ count: Int) -> Double {
    for place in 1..<max(1, count) {
      let value = values[place]
      var hole = place
      while hole > 0, values[hole - 1] > value {
        values[hole] = values[hole - 1]
        hole -= 1
      }
      values[hole] = value
    }
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2
  }
}

/// The newest values of something that is numbered: an older one makes room for a newer one.
struct RecentValues {
  private var numbers: [Int64]
  private var values: [Int64]

  /// Room for so many numbers in a row.
  init(count: Int) {
    numbers = Array(repeating: Int64.min, count: count)
    values = Array(repeating: 0, count: count)
  }

  private func slot(_ number: Int64) -> Int {
    Int(((number % Int64(values.count)) + Int64(values.count)) % Int64(values.count))
  }

  /// Keeps a value, unless its place is taken by a newer number.
  mutating func set(_ value: Int64, at number: Int64) {
    let slot = slot(number)
    guard numbers[slot] <= number else { return }
    numbers[slot] = number
    values[slot] = value
  }

  /// Keeps a value where there is none.
  mutating func setIfMissing(_ value: Int64, at number: Int64) {
    if self.value(at: number) == nil { set(value, at: number) }
  }

  /// The value of a number, or nil where it was not kept.
  func value(at number: Int64) -> Int64? {
    let slot = slot(number)
    return numbers[slot] == number ? values[slot] : nil
  }
}
