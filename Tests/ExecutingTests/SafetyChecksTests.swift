import Executing
import Market
import Testing

@Suite struct SafetyChecksTests {
  private var context: CheckContext {
    CheckContext(options: everyStrategy, portfolio: Portfolio(cash: Money(dollars: 10_000)))
  }

  private func rejection(
    _ opportunity: Opportunity = binaryBuy(), _ books: TestBooks = binaryBooks(), now: Timestamp = start,
    _ change: (inout CheckContext) -> Void = { _ in }
  ) -> Rejection? {
    var context = context
    change(&context)
    do throws(Rejection) {
      _ = try SafetyChecks.approve(opportunity, context, books, now: now)
      return nil
    } catch { return error }
  }

  @Test func `what passes becomes one order for each leg, at the worst level that it reaches`() throws {
    let approved = try SafetyChecks.approve(binaryBuy(), context, binaryBooks(), now: start)
    #expect(approved.quantity == quantity("100"))
    #expect(approved.orders.map(\.limit) == [price("0.40"), price("0.58")])
    #expect(approved.orders.map(\.id) == ["bh-0000000000000001-l0", "bh-0000000000000001-l1"])
    #expect(approved.orders.allSatisfy { $0.timeInForce == .fak && $0.side == .buy && $0.state == .journalled })
    #expect(approved.outlay == money("96.2") && approved.profit == money("3.8") && approved.split.isEmpty)
  }

  @Test func `what the chain takes is counted with the outlay and against the edge`() throws {
    var context = context
    context.options.chainCosts = ChainCosts([.init(from: Timestamp(nanoseconds: 0), cost: money("0.02"))])
    let approved = try SafetyChecks.approve(binaryBuy(), context, binaryBooks(), now: start)
    #expect(approved.outlay == money("96.22") && approved.profit == money("3.78"))
    #expect(approved.chainCost == money("0.02"))
    // It does not become cheaper with the size: each set of the first level earns 0.05 before it.
    context.options.opportunityExposureMax = money("47.52")
    let half = try SafetyChecks.approve(binaryBuy(), context, binaryBooks(), now: start)
    #expect(half.quantity > quantity("49") && half.quantity < quantity("50"))
    #expect(half.profit == Money(price("0.05"), times: half.quantity, rounding: .down) - money("0.02"))
    context.options.chainCosts = ChainCosts([.init(from: Timestamp(nanoseconds: 0), cost: money("3.8"))])
    context.options.opportunityExposureMax = money("1000")
    #expect(throws: Rejection.edgeGone(expected: money("3.8"), found: .zero)) {
      try SafetyChecks.approve(binaryBuy(), context, binaryBooks(), now: start)
    }
  }

  @Test func `an opportunity expires at its limit, by strategy`() {
    let limit: Int64 = 2_000_000_000
    #expect(rejection(now: start.advanced(byNanoseconds: limit)) == nil)
    #expect(
      rejection(now: start.advanced(byNanoseconds: limit + 1_000_000))
        == .expired(ageMilliseconds: 2001, limitMilliseconds: 2000))
    #expect(rejection(now: start.advanced(byNanoseconds: -limit - 1))?.name == "expired")
    var spike = binaryBuy()
    spike.kind = .spike
    spike.triggerPrice = price("0.39")
    #expect(rejection(spike, now: start.advanced(byNanoseconds: 500_000_000)) == nil)
    #expect(rejection(spike, now: start.advanced(byNanoseconds: 500_000_001))?.name == "expired")
  }

  @Test func `prices are stale when a book is not live, or was not confirmed within the limit`() {
    let books = binaryBooks()
    books.markStale("m-no")
    #expect(rejection(binaryBuy(), books) == .pricesStale(instrument("m-no")))
    #expect(rejection { $0.options.priceAgeMaxNanoseconds = 0 } == nil)
    let later = start.advanced(byNanoseconds: 1)
    #expect(rejection(now: later) { $0.options.priceAgeMaxNanoseconds = 0 } == .pricesStale(instrument("m-yes")))
    #expect(rejection(now: later) { $0.options.priceAgeMaxNanoseconds = 1 } == nil)
  }

  @Test func `a leg whose level has gone is missing depth, one whose level has moved has slipped`() {
    let books = binaryBooks()
    books.set("m-no", bids: [("0.50", "500")])
    #expect(rejection(binaryBuy(), books) == .depthMissing(instrument("m-no")))
    books.set("m-no", asks: [("0.59", "100")])
    #expect(
      rejection(binaryBuy(), books) == .limitSlipped(instrument("m-no"), limit: price("0.58"), found: price("0.59")))
  }

  @Test func `a limit may slip by half a percent and no more`() {
    // 0.58 · 1.005 = 0.5829
    let books = binaryBooks()
    books.add("m") { $0.tick = price("0.0001") }
    books.set("m-no", asks: [("0.5529", "60"), ("0.5829", "100")])
    #expect(rejection(binaryBuy(), books) == nil)
    books.set("m-no", asks: [("0.5530", "100")])
    books.set("m-yes", asks: [("0.4021", "100")])
    #expect(rejection(binaryBuy(), books)?.name == "limit_slipped")
  }

  @Test func `the swept cost may be one percent above the expected, and no more`() {
    // Expected 56.2; 56.762 is one percent more.
    let books = binaryBooks()
    books.set("m-no", asks: [("0.55", "41.9"), ("0.58", "100")])
    #expect(rejection(binaryBuy(), books) { $0.options.costTolerance = price("0.01") } == nil)
    books.set("m-no", asks: [("0.55", "40"), ("0.58", "100")])
    // 40 · 0.55 + 60 · 0.58 = 56.8
    #expect(
      rejection(binaryBuy(), books)
        == .costSlipped(instrument("m-no"), expected: money("56.2"), found: money("56.8")))
  }

  @Test func `half of the profit must be left on fresh books`() {
    // Found 3.80; the books now give 100 − 41.9 − 56.2 = 1.9, exactly half.
    let books = binaryBooks()
    books.add("m") { $0.tick = price("0.0001") }
    func check(_ ask: String) -> Rejection? {
      books.set("m-yes", asks: [(ask, "100")])
      return rejection(binaryBuy(), books) {
        $0.options.limitTolerance = price("0.1")
        $0.options.costTolerance = price("0.1")
      }
    }
    #expect(check("0.4190") == nil)
    #expect(check("0.4191") == .edgeGone(expected: money("3.8"), found: money("1.89")))
  }

  @Test func `only the strategies that are named are executed`() {
    #expect(rejection { $0.options.strategies = [.binary] } == nil)
    #expect(rejection { $0.options.strategies = [.negRisk, .latency] } == .strategyOff(.binary))
  }

  @Test(arguments: HoldReason.allCases)
  func `what the scanner holds is not executed`(reason: HoldReason) {
    var held = binaryBuy()
    held.hold = reason
    #expect(rejection(held) == .held(reason))
  }

  @Test func `what is not certain gets its share of the bankroll, and no more`() throws {
    let books = binaryBooks()
    var chance = opportunity(
      [leg(.buy, "m-yes", limit: "0.40", "100", notional: "40")], kind: .latencyUp, payout: "60", cost: "40")
    chance.probability = 0.6
    // 0.2 % of 10,000 are 20 dollars: 50 shares at 0.40.
    chance.score.kelly = 0.002
    let approved = try SafetyChecks.approve(chance, context, books, now: start)
    #expect(approved.quantity == quantity("50"))
    chance.score.kelly = 0
    #expect(rejection(chance, books) == .exposure(.kelly))
  }

  @Test func `fees count against the edge`() {
    // 100 · 0.07 · 0.4 · 0.6 = 1.68 alone leaves less than half of 3.80.
    let books = binaryBooks(fees: FeeSchedule(rate: price("0.07"), exponent: 1, takerOnly: true))
    #expect(rejection(binaryBuy(), books)?.name == "edge_gone")
  }

  @Test func `more legs than a batch holds are refused`() {
    #expect(rejection { $0.options.legsMax = 2 } == nil)
    #expect(rejection { $0.options.legsMax = 1 } == .tooManyLegs(2, limit: 1))
  }

  @Test func `legs that do not belong together are refused`() {
    var uneven = binaryBuy()
    uneven.legs[1].quantity = quantity("99")
    #expect(rejection(uneven) == .malformed("legs of different size"))
    var mixed = binaryBuy()
    mixed.legs[1].side = .sell
    #expect(rejection(mixed) == .malformed("legs of both sides"))
    var twice = binaryBuy()
    twice.legs[1] = twice.legs[0]
    #expect(rejection(twice) == .malformed("one instrument in two legs"))
    var empty = binaryBuy()
    empty.legs = []
    #expect(rejection(empty) == .malformed("no legs"))
    var loss = binaryBuy()
    loss.cost = loss.payout
    #expect(rejection(loss)?.name == "malformed")
  }

  @Test func `closed, ended, unknown and placeholder markets are not traded`() {
    for change: (inout PredictionMarket) -> Void in [
      { $0.isClosed = true }, { $0.isAcceptingOrders = false }, { $0.isPlaceholder = true }, { $0.endsAt = start },
    ] {
      let books = binaryBooks()
      books.add("m", change)
      #expect(rejection(binaryBuy(), books) == .marketClosed("m"))
    }
    let books = binaryBooks()
    books.add("m") { $0.endsAt = start.advanced(byNanoseconds: 1) }
    #expect(rejection(binaryBuy(), books) == nil)
    #expect(rejection(binaryBuy(), TestBooks()) == .marketUnknown("m"))
  }

  @Test func `nothing is executed twice, nor two things in one event, nor what is gone`() {
    #expect(rejection { $0.executed = [1] } == .alreadyExecuted)
    #expect(rejection { $0.executed = [2] } == nil)
    #expect(rejection { $0.busyEvents = ["polymarket/event-m"] } == .eventBusy("polymarket/event-m"))
    #expect(rejection { $0.busyEvents = ["polymarket/event-x"] } == nil)
    var gone = binaryBuy()
    gone.state = .closed
    #expect(rejection(gone) == .closed)
  }

  @Test func `breaker, kill switch and journal stop everything`() {
    #expect(rejection { $0.isBreakerOpen = true } == .breakerOpen)
    #expect(rejection { $0.isKilled = true } == .killSwitch)
    #expect(rejection { $0.canJournal = false } == .journalUnavailable)
  }

  @Test func `the size is cut to each limit of exposure, and refused where nothing is left`() throws {
    func size(_ change: (inout CheckContext) -> Void) throws -> Quantity {
      var context = context
      change(&context)
      return try SafetyChecks.approve(binaryBuy(), context, binaryBooks(), now: start).quantity
    }
    #expect(try size { $0.options.opportunityExposureMax = money("96.2") } == quantity("100"))
    // 60 sets cost 57, each further one 0.98.
    let cut = try size { $0.options.opportunityExposureMax = money("57") }
    #expect(cut <= quantity("60") && cut >= quantity("59.2"))
    #expect(try size { $0.options.eventExposureMax = money("19") } <= quantity("20"))
    #expect(try size { $0.options.exposureMax = money("19") } <= quantity("20"))
    #expect(try size { $0.portfolio = Portfolio(cash: money("19")) } <= quantity("20"))
    #expect(rejection { $0.options.opportunityExposureMax = .zero } == .exposure(.opportunity))
    #expect(rejection { $0.options.eventExposureMax = .zero } == .exposure(.event))
    #expect(rejection { $0.options.exposureMax = .zero } == .exposure(.total))
    #expect(rejection { $0.portfolio = Portfolio(cash: .zero) } == .exposure(.cash))
    #expect(rejection { $0.portfolio = Portfolio(cash: money("0.5")) }?.name == "below_minimum")
  }

  @Test func `the outlay of a cut size never exceeds the room`() throws {
    for cents in stride(from: 150, through: 9620, by: 37) {
      var context = context
      context.options.opportunityExposureMax = Money(raw: Int64(cents) * 1_000_000)
      context.options.buyMinimum = .zero
      let books = binaryBooks(fees: FeeSchedule(rate: price("0.001"), exponent: 1, takerOnly: true))
      let approved = try SafetyChecks.approve(binaryBuy(), context, books, now: start)
      #expect(approved.outlay <= context.options.opportunityExposureMax)
      #expect(approved.quantity.raw % context.options.lot.raw == 0)
    }
  }

  @Test func `less depth makes a smaller execution, in whole lots`() throws {
    let books = binaryBooks()
    books.set("m-yes", asks: [("0.40", "30.129")])
    let approved = try SafetyChecks.approve(binaryBuy(), context, books, now: start)
    #expect(approved.quantity == quantity("30.12"))
    #expect(approved.orders.map(\.limit) == [price("0.40"), price("0.55")])
  }
}

@Suite struct SetTests {
  private var context: CheckContext {
    CheckContext(options: everyStrategy, portfolio: Portfolio(cash: Money(dollars: 10_000)))
  }

  private func approve(_ opportunity: Opportunity, _ books: TestBooks) -> Result<RiskApproved, Rejection> {
    do throws(Rejection) {
      return .success(try SafetyChecks.approve(opportunity, context, books, now: start))
    } catch { return .failure(error) }
  }

  private func rejection(_ result: Result<RiskApproved, Rejection>) -> Rejection? {
    if case .failure(let rejection) = result { rejection } else { nil }
  }

  /// Three outcomes that ask 0.30, 0.33 and 0.32 with 50 shares each.
  private func negRisk(_ change: (inout PredictionMarket) -> Void = { _ in }) -> (TestBooks, Opportunity) {
    let books = TestBooks()
    for (id, ask) in [("a", "0.30"), ("b", "0.33"), ("c", "0.32")] {
      books.add(id, event: "e") {
        $0.isNegRisk = true
        if id == "c" { change(&$0) }
      }
      books.set("\(id)-yes", asks: [(ask, "50")])
    }
    let legs = [
      leg(.buy, "a-yes", limit: "0.30", "50", notional: "15"),
      leg(.buy, "b-yes", limit: "0.33", "50", notional: "16.5"),
      leg(.buy, "c-yes", limit: "0.32", "50", notional: "16"),
    ]
    return (books, opportunity(legs, kind: .negRiskBuyYes, payout: "50", cost: "47.5"))
  }

  @Test func `every YES of a closed event is a set`() throws {
    let (books, opportunity) = negRisk()
    #expect(try approve(opportunity, books).get().profit == money("2.5"))
  }

  @Test func `an outcome that is missing from the legs breaks the set, unless it is lost`() {
    let (books, opportunity) = negRisk()
    books.add("d", event: "e") { $0.isNegRisk = true }
    #expect(rejection(approve(opportunity, books)) == .incompleteSet)
    books.add("d", event: "e") {
      $0.isNegRisk = true
      $0.isClosed = true
      $0.winner = 1
    }
    #expect(rejection(approve(opportunity, books)) == nil)
    books.add("d", event: "e") {
      $0.isNegRisk = true
      $0.isClosed = true
    }
    #expect(rejection(approve(opportunity, books)) == .incompleteSet)
  }

  @Test func `an augmented event, or one that is not neg-risk, is no set`() {
    let (augmented, first) = negRisk { $0.isAugmented = true }
    #expect(rejection(approve(first, augmented)) == .incompleteSet)
    let (plain, second) = negRisk { $0.isNegRisk = false }
    #expect(rejection(approve(second, plain)) == .incompleteSet)
  }

  @Test func `NO of three outcomes pays two`() throws {
    let books = TestBooks()
    for id in ["a", "b", "c", "d"] {
      books.add(id, event: "e") { $0.isNegRisk = true }
      books.set("\(id)-no", bids: [("0.71", "20")], asks: [("0.60", "20")])
    }
    let buys = ["a", "b", "c"].map { leg(.buy, "\($0)-no", limit: "0.60", "20", notional: "12") }
    let approved = try approve(opportunity(buys, kind: .negRiskConvert, payout: "40", cost: "36"), books).get()
    #expect(approved.profit == money("4"))
    let sales = ["a", "b"].map { leg(.sell, "\($0)-no", limit: "0.71", "20", notional: "14.2") }
    let sale = approve(opportunity(sales, kind: .negRiskSellYes, payout: "28.4", cost: "20"), books)
    #expect(rejection(sale) == .incompleteSet)
  }

  @Test func `a sale of both outcomes splits cash into sets first`() throws {
    let books = saleBooks()
    let sale = binarySell()
    let approved = try approve(sale, books).get()
    #expect(approved.split.map(\.limit) == [price("0.5"), price("0.5")])
    #expect(approved.split.map(\.reason) == ["split", "split"] && approved.split.allSatisfy { $0.side == .buy })
    #expect(approved.outlay == money("40") && approved.profit == money("1.2"))
  }

  @Test func `what is held is sold without a split`() throws {
    let books = saleBooks()
    let sale = binarySell()
    var context = context
    for token in ["m-yes", "m-no"] {
      context.portfolio.apply(
        Fill(
          orderID: "o", strategy: .binary, instrument: instrument(token), marketID: "m", side: .buy,
          price: price("0.4"), quantity: quantity("40"), fee: .zero, time: start))
    }
    let approved = try SafetyChecks.approve(sale, context, books, now: start)
    #expect(approved.split.isEmpty && approved.outlay == .zero)
  }

  @Test func `a single outcome that is not held cannot be sold`() {
    let books = TestBooks()
    books.add("m")
    books.set("m-yes", bids: [("0.56", "40")])
    var sale = opportunity(
      [leg(.sell, "m-yes", limit: "0.56", "40", notional: "22.4")], kind: .spike, payout: "22.4", cost: "20")
    sale.triggerPrice = price("0.56")
    #expect(rejection(approve(sale, books)) == .inventoryMissing(instrument("m-yes")))
  }

  @Test func `parts of a split add up to one, also for three`() throws {
    let books = TestBooks()
    var legs: [Leg] = []
    for id in ["a", "b", "c"] {
      books.add(id, event: "e") { $0.isNegRisk = true }
      books.set("\(id)-yes", bids: [("0.36", "10")])
      legs.append(leg(.sell, "\(id)-yes", limit: "0.36", "10", notional: "3.6"))
    }
    let approved = try approve(opportunity(legs, kind: .negRiskBuyYes, payout: "10.8", cost: "10"), books).get()
    #expect(approved.split.reduce(Price.zero) { $0 + $1.limit } == .one)
  }
}
