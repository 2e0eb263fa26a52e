import Bus
import Market
import Scanning
import TestSupport
import Testing

/// Pairs of markets of two venues.
struct CrossPlatformTests {
  private let kalshiFees = FeeSchedule(
    rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true,
    rounding: .of(.kalshi, at: Timestamp(nanoseconds: 1_784_852_721_000_000_000)))

  /// A market of each venue, paired.
  private func pair(
    _ stage: Stage, isOpposite: Bool = false, terms: (UInt64?, UInt64?) = (nil, nil),
    _ configure: (inout PredictionMarket) -> Void = { _ in }
  ) throws -> (here: Int, there: Int) {
    let here = try stage.add { $0.termsDigest = 11 }
    let there = try stage.add {
      $0.venue = .kalshi
      $0.termsDigest = 22
      $0.fees = kalshiFees
      $0.tick = Price(raw: 1_000_000)
      configure(&$0)
    }
    stage.scanner.setPairs([
      MarketPair(
        first: .init(venue: .polymarket, id: stage.feed.markets[here].id, terms: terms.0),
        second: .init(venue: .kalshi, id: stage.feed.markets[there].id, terms: terms.1), isOpposite: isOpposite)
    ])
    return (here, there)
  }

  @Test func `YES here and NO there, with the other venue's fee`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage)
    try stage.set(here, 0, asks: [("0.46", "200")])
    try stage.set(there, 1, asks: [("0.50", "150")])
    // 150 · 0.46 = 69, 150 · 0.50 = 75, the fee 150 · 0.07 · 0.25 = 2.625, and half a cent that the balance is rounded.
    let found = try #require(stage.only())
    #expect(found.kind == .crossFirst)
    #expect(found.payout == (try Money("150")))
    #expect(found.cost == (try Money("146.63")))
    #expect(found.legs.map(\.fee) == (try [Money("0"), Money("2.63")]))
    #expect(found.legs.map(\.instrument.venue) == [.polymarket, .kalshi])
    #expect(found.legs.allSatisfy { $0.side == .buy })
  }

  @Test func `NO here and YES there`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage)
    try stage.set(here, 1, asks: [("0.30", "40")])
    try stage.set(there, 0, asks: [("0.55", "60")])
    let found = try #require(stage.only())
    #expect(found.kind == .crossSecond)
    #expect(found.legs[0].instrument.symbol.hasSuffix("-no") && found.legs[1].instrument.symbol.hasSuffix("-yes"))
    #expect(try found.legs.map(\.quantity) == [Quantity("40"), Quantity("40")])
  }

  @Test func `of opposite questions the same outcomes belong together`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage, isOpposite: true)
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.scan().isEmpty, "YES here and NO there are the same side")
    try stage.set(there, 0, asks: [("0.55", "60")])
    let found = try #require(stage.only())
    #expect(found.kind == .crossFirst)
    #expect(found.legs.map { $0.instrument.symbol.hasSuffix("-yes") } == [true, true])
  }

  @Test func `markets that nobody has paired are none, however alike`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage)
    stage.scanner.setPairs([])
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.scan().isEmpty)
  }

  @Test func `a list that changes leaves the other pairs' opportunities alone`() throws {
    let stage = try Stage()
    var pairs: [MarketPair] = []
    for number in 0..<3 {
      let here = try stage.add()
      let there = try stage.add { $0.venue = .kalshi }
      pairs.append(
        MarketPair(
          first: .init(venue: .polymarket, id: stage.feed.markets[here].id, terms: nil),
          second: .init(venue: .kalshi, id: stage.feed.markets[there].id, terms: nil), isOpposite: false))
      if number == 0 { stage.scanner.setPairs([pairs[0]]) }
      try stage.set(here, 0, asks: [("0.30", "40")])
      try stage.set(there, 1, asks: [("0.55", "60")])
    }
    #expect(stage.scan().map(\.state) == [.opened])
    stage.scanner.setPairs([pairs[0], pairs[1]])
    #expect(stage.scan().map(\.state) == [.opened])
    stage.scanner.setPairs([pairs[2], pairs[1]])
    #expect(stage.scan().map(\.state) == [.closed, .opened])
    #expect(stage.scanner.pairCounts.active == 2)
  }

  @Test func `a text that changes withdraws the approval, and closes what was open`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage, terms: (11, 22))
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.only() != nil)
    stage.change(there) { $0.termsDigest = 23 }
    #expect(stage.scan().map(\.state) == [.closed])
    #expect(stage.scanner.skips[.termsChanged] > 0)
    stage.change(there) { $0.termsDigest = 22 }
    #expect(stage.only() != nil)
  }

  @Test func `an approval of another text never trades`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage, terms: (11, 99))
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    stage.scanner.scanAll(now: stage.now)
    #expect(stage.scanner.board.openCount == 0)
  }

  @Test func `a text that nobody knows is not the approved one`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage, terms: (0, 22))
    stage.change(here) { $0.termsDigest = 0 }
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.pairCounts.active == 0)
  }

  @Test(arguments: [("0.30", "0.45", OpportunityKind.crossFirst), ("0.45", "0.30", .crossSecond)])
  func `where both directions pay, the better one counts`(
    yes: String, no: String, kind: OpportunityKind
  ) throws {
    let stage = try Stage()
    let (here, there) = try pair(stage)
    try stage.set(here, 0, asks: [(yes, "40")])
    try stage.set(here, 1, asks: [(no, "40")])
    try stage.set(there, 0, asks: [("0.45", "40")])
    try stage.set(there, 1, asks: [("0.45", "40")])
    stage.scan()
    #expect(stage.scanner.board.openOpportunities.filter { $0.strategy == .crossPlatform }.map(\.kind) == [kind])
  }

  @Test func `a pair may be announced before its markets are`() throws {
    let stage = try Stage()
    stage.scanner.setPairs([
      MarketPair(
        first: .init(venue: .polymarket, id: "m1", terms: nil), second: .init(venue: .kalshi, id: "m2", terms: nil),
        isOpposite: false)
    ])
    let here = try stage.add()
    let there = try stage.add { $0.venue = .kalshi }
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.only()?.kind == .crossFirst)
  }

  @Test func `a fee above a fifth of the price is uneconomical`() throws {
    // 0.07 · p · (1 − p) is above a fifth of p only with other rates; 0.30 · 0.30 · 0.70 = 0.063 is 21 % of 0.30.
    let stage = try Stage()
    let (here, there) = try pair(stage) {
      $0.fees = FeeSchedule(rate: Price(raw: 30_000_000), exponent: 1, takerOnly: true)
    }
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.30", "60")])
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.feeTooHigh] > 0)
    // 0.30 · 0.40 · 0.60 = 0.072 is 18 % of 0.40.
    try stage.set(there, 1, asks: [("0.40", "60")])
    #expect(stage.only() != nil)
  }

  @Test func `a price that is not on the grid may move half a cent`() throws {
    let coarse = PriceGrid(step: Price(raw: 2_000_000))
    let stage = try Stage()
    let (here, there) = try pair(stage) { $0.grid = coarse }
    try stage.set(here, 0, asks: [("0.30", "40")])
    // The second outcome's grid is the first one's from above: 0.53 would have to go up to 0.54.
    try stage.set(there, 1, asks: [("0.53", "60")])
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.offGrid] > 0)
    try stage.set(there, 1, asks: [("0.535", "60")])
    #expect(stage.only() != nil)
  }

  @Test func `the second outcome's grid is the first one's from above`() throws {
    let grid = try #require(
      PriceGrid([
        .init(start: .zero, end: Price("0.5"), step: Price("0.02")),
        .init(start: Price("0.5"), end: .one, step: Price("0.001")),
      ]))
    let stage = try Stage()
    let (here, there) = try pair(stage) { $0.grid = grid }
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.53", "60")])
    #expect(stage.scan().isEmpty, "0.47 of the first one is not on its grid")
    #expect(stage.scanner.skips[.offGrid] > 0)
  }

  @Test func `a venue that takes no orders holds its finds, and lets them go again`() throws {
    let stage = try Stage()
    let (here, there) = try pair(stage)
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")])
    #expect(stage.only()?.hold == nil)
    stage.scanner.setVenue(.kalshi, isOpen: false)
    let told = stage.scan()
    #expect(told.map(\.state) == [.changed] && told.map(\.hold) == [.venueUnavailable])
    try stage.set(there, 1, asks: [("0.54", "60")])
    #expect(stage.only()?.hold == .venueUnavailable)
    stage.scanner.setVenue(.kalshi, isOpen: true)
    #expect(stage.scan().map(\.hold) == [nil])
  }

  @Test func `a book of one venue may rest for long, but not for ever`() throws {
    let stage = try Stage(bookAgeSeconds: 10) { $0.crossBookAgeMaxNanoseconds = 600_000_000_000 }
    let (here, there) = try pair(stage)
    try stage.set(here, 0, asks: [("0.30", "40")])
    try stage.set(there, 1, asks: [("0.55", "60")], receivedAt: stage.now.advanced(bySeconds: -600))
    #expect(stage.only() != nil)
    try stage.set(there, 1, asks: [("0.55", "60")], receivedAt: stage.now.advanced(bySeconds: -601))
    #expect(stage.scan().map(\.state) == [.closed])
    #expect(stage.scanner.skips[.bookTooOld] > 0)
  }

  @Test func `the last level is left where rounding to cents costs more than it earns`() throws {
    let stage = try Stage(minimumProfit: "0.0001")
    let (here, there) = try pair(stage)
    try stage.set(here, 0, asks: [("0.40", "200")])
    // The second level earns 0.02 · (0.0011 + …) less than the cent that its own fill is rounded by.
    try stage.set(there, 1, asks: [("0.50", "100"), ("0.58", "0.02")])
    #expect(try stage.only()?.legs[0].quantity == Quantity("100"))
  }
}
