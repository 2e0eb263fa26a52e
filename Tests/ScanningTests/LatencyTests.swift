import Glibc
import Market
import Scanning
import TestSupport
import Testing

/// Up/down markets against spot prices.
struct LatencyTests {
  /// A market whose window opened ten minutes ago and closes in five, with exchanges whose prices were watched.
  final class World {
    let stage: Stage
    let market: Int
    let opensAt: Timestamp
    private let symbols: [(Venue, String)] = [(.binance, "BTCUSDT"), (.coinbase, "BTC-USD"), (.kraken, "BTC/USD")]

    init(errors: Double = 0, samplesMin: Int64 = 2, rate: String = "0", left: Int64 = 400) throws {
      stage = try Stage(bookAgeSeconds: 100_000) {
        $0.volatilityErrors = errors
        $0.volatilitySamplesMin = samplesMin
        $0.minimumProfit = .zero
        $0.activityWindowNanoseconds = 1_000_000_000
      }
      let start = Timestamp(nanoseconds: stage.now.nanoseconds / 60_000_000_000 * 60_000_000_000)
      opensAt = start
      let closesAt = start.advanced(bySeconds: 900)
      stage.now = closesAt.advanced(bySeconds: -left)
      market = try stage.add(rate: rate) {
        $0.upDown = UpDownTerms(coin: "BTC", opensAt: start, closesAt: closesAt)
        $0.endsAt = closesAt
        $0.tick = Price(raw: 100_000)
      }
    }

    func ticker(_ dollars: Double, at time: Timestamp, venues: Range<Int> = 0..<3) {
      for (number, symbol) in symbols.enumerated() where venues.contains(number) {
        // Each exchange has a price of its own, by a constant factor.
        let price = Price(raw: Int64(dollars * (1 + 0.0003 * Double(number)) * 1e8))
        let level = Level(price: price, quantity: Quantity(units: 1))
        stage.scanner.tickerChanged(
          Ticker(
            instrument: InstrumentID(venue: symbol.0, symbol: symbol.1), bid: level, ask: level, time: time),
          now: max(stage.now, time))
      }
    }

    func candle(open: Double, close: Double, start: Timestamp, venues: Range<Int> = 0..<3) {
      for (number, symbol) in symbols.enumerated() where venues.contains(number) {
        func price(_ dollars: Double) -> Price { Price(raw: Int64(dollars * (1 + 0.0003 * Double(number)) * 1e8)) }
        stage.scanner.candleClosed(
          Candle(
            start: start, periodSeconds: 60, open: price(open), high: price(max(open, close)),
            low: price(min(open, close)), close: price(close), volume: Volume(raw: 0), isClosed: true),
          of: InstrumentID(venue: symbol.0, symbol: symbol.1))
      }
    }

    /// Prices of ten minutes that go up and down by the same each minute, so that the root mean square is known.
    func watch(base: Double, minuteReturn: Double) {
      let now = stage.now
      for second in stride(from: Int64(-600), through: -2, by: 1) {
        let minute = (second + 6000) / 60
        ticker(base * (minute % 2 == 0 ? 1 : exp(minuteReturn)), at: now.advanced(bySeconds: second))
      }
    }

    /// All that a find needs: prices that went over each minute by so much for the root of a second, 100,000 when the
    /// window opened, and the price of now.
    func open(perRootSecond: Double = 0.00005, price: Double) {
      watch(base: 100_000, minuteReturn: perRootSecond * 60.0.squareRoot())
      candle(open: 100_000, close: 100_000, start: opensAt.advanced(bySeconds: -60))
      ticker(price, at: stage.now)
    }
  }

  @Test func `the worked example: two standard deviations up, Up at 0.90`() throws {
    let world = try World()
    world.open(price: 100_200)
    try world.stage.set(world.market, 0, asks: [("0.90", "100")])
    let found = try #require(world.stage.only())
    #expect(found.kind == .latencyUp)
    #expect(found.payout == (try Money("97.7")))
    #expect(found.cost == (try Money("90")))
    #expect(found.probability == 0.977)
    #expect(found.markSource == "binance")
    #expect(found.endsAt == world.opensAt.advanced(bySeconds: 900))
    // (0.977 − 0.90) / (1 − 0.90), a quarter of it.
    #expect(abs(found.score.kelly - 0.77 / 4) < 1e-9)
  }

  @Test func `where a coin moves much, its logarithm drifts by half its variance`() throws {
    let world = try World()
    // 0.005 · √400 = 0.1: (ln 1.002 − 0.005) / 0.1 = −0.030; without the drift it would be 0.020, and Up likelier than not.
    world.open(perRootSecond: 0.005, price: 100_200)
    try world.stage.set(world.market, 0, asks: [("0.30", "100")])
    let found = try #require(world.stage.only())
    #expect(abs(found.probability - 0.488) < 0.0025)
  }

  @Test func `where Up is unlikely, Down is bought, never Up sold`() throws {
    let world = try World()
    world.open(price: 99_800)
    try world.stage.set(world.market, 0, bids: [("0.20", "100")])
    #expect(world.stage.scan().isEmpty)
    try world.stage.set(world.market, 1, asks: [("0.80", "100")])
    let found = try #require(world.stage.only())
    #expect(found.kind == .latencyDown && found.legs.map(\.side) == [.buy])
    #expect(found.legs[0].instrument.symbol.hasSuffix("-no"))
  }

  @Test func `the fee and the least edge decide which levels are bought`() throws {
    let world = try World(rate: "0.07")
    world.open(price: 100_200)
    // 0.94 + 0.07 · 0.94 · 0.06 = 0.94395 leaves 0.033; 0.945 + 0.00364 leaves 0.0284, less than 0.03.
    try world.stage.set(world.market, 0, asks: [("0.94", "10"), ("0.945", "10")])
    #expect(try world.stage.only()?.legs[0].quantity == Quantity("10"))
    try world.stage.set(world.market, 0, asks: [("0.945", "10")])
    #expect(world.stage.scan().map(\.state) == [.closed])
  }

  @Test func `doubt about the volatility counts against us`() throws {
    let world = try World(errors: 2)
    world.open(price: 100_200)
    try world.stage.set(world.market, 0, asks: [("0.50", "100")])
    let found = try #require(world.stage.only())
    #expect(found.probability < 0.95 && found.probability > 0.8)
  }

  @Test func `what is not known is a reason to hold, each counted`() throws {
    let world = try World()
    let skips = { world.stage.scanner.skips }
    try world.stage.set(world.market, 0, asks: [("0.10", "100")])
    #expect(world.stage.scan().isEmpty)
    #expect(skips()[.spotPriceMissing] == 1)
    world.ticker(100_000, at: world.stage.now)
    #expect(world.stage.scan().isEmpty)
    #expect(skips()[.openingPriceMissing] == 1)
    world.candle(open: 100_000, close: 100_000, start: world.opensAt.advanced(bySeconds: -60))
    world.ticker(100_001, at: world.stage.now)
    #expect(world.stage.scan().isEmpty)
    #expect(skips()[.volatilityUnknown] == 1)
  }

  /// On the coarse grid the set is the same before and after.
  @Test(arguments: [100_000, 10_000_000])
  func `a spot price that is stale holds what rests on it, until a fresh one confirms it or it ends`(
    tick: Int64
  ) throws {
    let world = try World()
    world.stage.change(world.market) { $0.tick = Price(raw: tick) }
    world.open(price: 100_200)
    try world.stage.set(world.market, 0, asks: [("0.80", "100")])
    #expect(world.stage.only() != nil)
    world.stage.now = world.stage.now.advanced(bySeconds: 3)
    // One exchange alone is not enough.
    world.ticker(100_200, at: world.stage.now, venues: 0..<1)
    let held = try #require(world.stage.scanAll().first)
    #expect(held.state == .changed && held.hold == .stalePrice)
    #expect(held.staleReason == "BTC: 1 of 5 exchanges have a fresh price, 2 are needed")
    #expect(world.stage.scanner.skips[.spotPriceMissing] > 0)
    #expect(world.stage.scanAll().isEmpty, "it is told once")
    world.ticker(100_200, at: world.stage.now)
    let confirmed = try #require(world.stage.scanAll().first)
    #expect(confirmed.id == held.id && confirmed.hold == nil && confirmed.staleReason.isEmpty)
    world.stage.now = world.opensAt.advanced(bySeconds: 895)
    #expect(world.stage.scanAll().map(\.state) == [.closed])
  }

  @Test func `in the last seconds nothing is bought`() throws {
    let world = try World(left: 9)
    world.open(price: 100_200)
    try world.stage.set(world.market, 0, asks: [("0.50", "100")])
    #expect(world.stage.scan().isEmpty)
  }

  @Test func `candles of before it was watched tell how much a coin moves`() throws {
    let world = try World(samplesMin: 30)
    // Sixty minutes that each go up or down by 0.00005 · √60; one exchange alone tells them.
    let step = 0.00005 * 60.0.squareRoot()
    let end = world.opensAt.advanced(bySeconds: 300)
    for minute in 0..<60 {
      let start = end.advanced(bySeconds: Int64(minute - 60) * 60)
      let (open, close) = minute % 2 == 0 ? (100_000, 100_000 * exp(step)) : (100_000 * exp(step), 100_000.0)
      world.candle(open: open, close: close, start: start, venues: 0..<1)
    }
    world.candle(open: 100_000, close: 100_000, start: world.opensAt.advanced(bySeconds: -60))
    world.ticker(100_200, at: world.stage.now)
    try world.stage.set(world.market, 0, asks: [("0.90", "100")])
    let found = try #require(world.stage.only())
    #expect(abs(found.probability - 0.977) < 0.002)
    // Candles of the time since then say what the ticks have said.
    world.candle(open: 100_000, close: 150_000, start: world.stage.now.advanced(bySeconds: 60), venues: 0..<1)
    world.ticker(100_201, at: world.stage.now.advanced(bySeconds: 1))
    #expect(abs(try #require(world.stage.only()).probability - 0.977) < 0.002)
  }

  @Test func `a window that is over is forgotten`() throws {
    let world = try World()
    world.stage.now = world.opensAt.advanced(bySeconds: 901)
    world.stage.scanner.scanAll(now: world.stage.now)
    world.stage.change(world.market) { $0.isClosed = true }
    #expect(world.stage.scan().isEmpty)
  }

  @Test(arguments: [
    (0.0, 0.5), (1.0, 0.841_344_746), (-1.0, 0.158_655_254), (1.96, 0.975_002_105), (-3.0, 0.001_349_898),
  ])
  func `the normal distribution`(value: Double, expected: Double) {
    #expect(abs(NormalDistribution.cumulative(value) - expected) < 1e-9)
  }
}
