import Market
import Scanning
import Testing

/// Numbers worked out by hand, each written out.
struct WorkedExamplesTests {
  private func expect(
    _ opportunity: Opportunity?, _ strategy: Strategy, side: Side, quantity: String, payout: String, cost: String,
    limits: [String], fees: [String]
  ) throws {
    let found = try #require(opportunity)
    #expect(found.strategy == strategy)
    #expect(found.payout == (try Money(payout)))
    #expect(found.cost == (try Money(cost)))
    #expect(found.legs.map(\.limit) == (try limits.map { try Price($0) }))
    #expect(found.legs.map(\.fee) == (try fees.map { try Money($0) }))
    let size = try Quantity(quantity)
    #expect(found.legs.allSatisfy { $0.side == side && $0.quantity == size })
    #expect(Set(found.legs.map(\.instrument)).count == found.legs.count)
  }

  @Test func `buying YES and NO`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.55", "60"), ("0.58", "100")])
    // 100 · 0.40 + 60 · 0.55 + 40 · 0.58 = 40 + 33 + 23.20
    try expect(
      stage.only(), .binary, side: .buy, quantity: "100", payout: "100", cost: "96.2", limits: ["0.40", "0.58"],
      fees: ["0", "0"])
  }

  @Test func `buying YES and NO with fees ends where the marginal set stops paying`() throws {
    let stage = try Stage()
    let market = try stage.add(rate: "0.07")
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.55", "60"), ("0.58", "100")])
    // First level: 0.40 + 0.0168 + 0.55 + 0.017325 = 0.984125; second: 0.4168 + 0.58 + 0.017052 = 1.013852.
    // 60 · 0.95 = 57; fees 60 · 0.0168 = 1.008 and 60 · 0.017325 = 1.0395
    try expect(
      stage.only(), .binary, side: .buy, quantity: "60", payout: "60", cost: "59.0475", limits: ["0.40", "0.55"],
      fees: ["1.008", "1.0395"])
  }

  @Test func `what an operation on the chain costs is paid once, whatever the size, from its date on`() throws {
    let stage = try Stage {
      $0.chainCosts = ChainCosts([
        .init(from: Timestamp(nanoseconds: 0), cost: Money(raw: 2_000_000)),
        .init(from: Timestamp(nanoseconds: 1_784_852_722_000_000_000), cost: Money(raw: 500_000_000)),
      ])
    }
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.55", "60"), ("0.58", "100")])
    // 96.20 as without, and 0.02 for the merge.
    try expect(
      stage.only(), .binary, side: .buy, quantity: "100", payout: "100", cost: "96.22", limits: ["0.40", "0.58"],
      fees: ["0", "0"])
    // A second later the merge costs 5, and 3.80 is left before it.
    stage.now = stage.now.advanced(bySeconds: 1)
    try stage.set(market, 0, asks: [("0.40", "100")])
    #expect(stage.only() == nil && stage.scanner.skips[.belowMinimum] == 1)
  }

  @Test func `YES of all outcomes is made by a split for each and a conversion; Kalshi has no chain`() throws {
    let costs = ChainCosts([.init(from: Timestamp(nanoseconds: 0), cost: Money(raw: 2_000_000))])
    let stage = try Stage { $0.chainCosts = costs }
    for (price, size) in [("0.36", "40"), ("0.35", "60"), ("0.34", "50")] {
      try stage.set(try stage.add(event: "e"), 0, bids: [(price, size)])
    }
    try expect(
      stage.only(), .negRisk, side: .sell, quantity: "40", payout: "42", cost: "40.08",
      limits: ["0.36", "0.35", "0.34"], fees: ["0", "0", "0"])
    let elsewhere = try Stage { $0.chainCosts = costs }
    let market = try elsewhere.add { $0.venue = .kalshi }
    try elsewhere.set(market, 0, asks: [("0.40", "100")])
    try elsewhere.set(market, 1, asks: [("0.55", "100")])
    #expect(elsewhere.only()?.cost == (try Money("95")))
  }

  @Test func `selling YES and NO`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, bids: [("0.55", "50"), ("0.52", "50")])
    try stage.set(market, 1, bids: [("0.50", "80")])
    // 50 · 0.55 + 30 · 0.52 + 80 · 0.50 = 27.50 + 15.60 + 40; a set costs 1
    try expect(
      stage.only(), .binary, side: .sell, quantity: "80", payout: "83.1", cost: "80", limits: ["0.52", "0.50"],
      fees: ["0", "0"])
  }

  @Test func `selling YES and NO with fees`() throws {
    let stage = try Stage()
    let market = try stage.add(rate: "0.07")
    try stage.set(market, 0, bids: [("0.55", "50"), ("0.52", "50")])
    try stage.set(market, 1, bids: [("0.50", "80")])
    // 0.55 − 0.017325 + 0.50 − 0.0175 = 1.015175; then 0.52 − 0.017472 + 0.4825 = 0.985028.
    // 50 · 1.05 = 52.50; fees 50 · 0.017325 = 0.86625 and 50 · 0.0175 = 0.875
    try expect(
      stage.only(), .binary, side: .sell, quantity: "50", payout: "52.5", cost: "51.74125", limits: ["0.55", "0.50"],
      fees: ["0.86625", "0.875"])
  }

  @Test func `buying YES of all outcomes`() throws {
    let stage = try Stage()
    for (price, size) in [("0.30", "50"), ("0.33", "70"), ("0.32", "50")] {
      try stage.set(try stage.add(event: "e"), 0, asks: [(price, size)])
    }
    try expect(
      stage.only(), .negRisk, side: .buy, quantity: "50", payout: "50", cost: "47.5",
      limits: ["0.30", "0.33", "0.32"], fees: ["0", "0", "0"])
  }

  @Test func `buying YES of all outcomes with fees`() throws {
    let stage = try Stage()
    for price in ["0.30", "0.33", "0.32"] {
      try stage.set(try stage.add(event: "e", rate: "0.03"), 0, asks: [(price, "50")])
    }
    // 50 · 0.03 · 0.21 = 0.315; 50 · 0.03 · 0.2211 = 0.33165; 50 · 0.03 · 0.2176 = 0.3264
    try expect(
      stage.only(), .negRisk, side: .buy, quantity: "50", payout: "50", cost: "48.47305",
      limits: ["0.30", "0.33", "0.32"], fees: ["0.315", "0.33165", "0.3264"])
  }

  @Test func `selling YES of all outcomes`() throws {
    let stage = try Stage()
    for (price, size) in [("0.36", "40"), ("0.35", "60"), ("0.34", "50")] {
      try stage.set(try stage.add(event: "e"), 0, bids: [(price, size)])
    }
    // 40 · 1.05
    try expect(
      stage.only(), .negRisk, side: .sell, quantity: "40", payout: "42", cost: "40",
      limits: ["0.36", "0.35", "0.34"], fees: ["0", "0", "0"])
  }

  @Test func `selling YES of all outcomes with fees`() throws {
    let stage = try Stage()
    for price in ["0.36", "0.35", "0.34"] {
      try stage.set(try stage.add(event: "e", rate: "0.07"), 0, bids: [(price, "40")])
    }
    // 40 · 0.07 · 0.2304 = 0.64512; 40 · 0.07 · 0.2275 = 0.637; 40 · 0.07 · 0.2244 = 0.62832
    try expect(
      stage.only(), .negRisk, side: .sell, quantity: "40", payout: "42", cost: "41.91044",
      limits: ["0.36", "0.35", "0.34"], fees: ["0.64512", "0.637", "0.62832"])
  }

  @Test func `buying NO of all outcomes`() throws {
    let stage = try Stage()
    for price in ["0.60", "0.62", "0.63"] {
      try stage.set(try stage.add(event: "e"), 1, asks: [(price, "30")])
    }
    // The YES books are not needed. 30 · 1.85 = 55.50; two of three pay: 60
    try expect(
      stage.only(), .negRisk, side: .buy, quantity: "30", payout: "60", cost: "55.5",
      limits: ["0.60", "0.62", "0.63"], fees: ["0", "0", "0"])
  }

  @Test func `buying NO of some outcomes, with fees`() throws {
    let stage = try Stage()
    for price in ["0.60", "0.62", "0.63"] {
      try stage.set(try stage.add(event: "e", rate: "0.04"), 1, asks: [(price, "30")])
    }
    // One more without any offer of NO: it is no leg.
    try stage.set(try stage.add(event: "e", rate: "0.04"), 1, bids: [("0.9", "30")])
    // 30 · 0.04 · 0.24 = 0.288; 30 · 0.04 · 0.2356 = 0.28272; 30 · 0.04 · 0.2331 = 0.27972
    try expect(
      stage.only(), .negRisk, side: .buy, quantity: "30", payout: "60", cost: "56.35044",
      limits: ["0.60", "0.62", "0.63"], fees: ["0.288", "0.28272", "0.27972"])
  }

  @Test func `of several ways to trade an event the most profitable is told`() throws {
    let stage = try Stage()
    for price in ["0.60", "0.62", "0.63"] {
      let market = try stage.add(event: "e")
      // Selling YES brings 1.20, buying NO saves 0.15 a set.
      try stage.set(market, 0, bids: [("0.40", "30")])
      try stage.set(market, 1, asks: [(price, "30")])
    }
    #expect(stage.only()?.legs.first?.side == .sell)
    // Buying YES as well, for a cent less than 1, is no reason to forget the rest.
    let other = try Stage()
    for price in ["0.60", "0.62", "0.63"] {
      let market = try other.add(event: "e")
      try other.set(market, 0, asks: [("0.33", "30")])
      try other.set(market, 1, asks: [(price, "30")])
    }
    other.scan()
    let found = other.scanner.board.openOpportunities.filter { $0.strategy == .negRisk }
    #expect(try found.map(\.profit) == [Money("4.5")])
  }

  @Test func `an event of more outcomes than 64 without offers is no trap`() throws {
    let stage = try Stage()
    for _ in 0..<200 { try stage.set(try stage.add(event: "e"), 0, bids: [("0.001", "10")]) }
    #expect(stage.scan().isEmpty)
  }

  @Test func `converting NO of three of four outcomes`() throws {
    let stage = try Stage()
    let markets = try (0..<4).map { _ in try stage.add(event: "e") }
    for (market, ask) in zip(markets, ["0.60", "0.62", "0.70"]) { try stage.set(market, 1, asks: [(ask, "100")]) }
    try stage.set(markets[3], 0, asks: [("0.99", "1")])
    // 100 · (0.60 + 0.62 + 0.70) = 192; at most one of the three loses, so 100 sets pay 200.
    try expect(
      stage.only(), .negRisk, side: .buy, quantity: "100", payout: "200", cost: "192",
      limits: ["0.60", "0.62", "0.70"], fees: ["0", "0", "0"])
  }
}
