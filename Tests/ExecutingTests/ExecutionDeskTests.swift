import Executing
import Market
import Testing

@Suite struct ExecutionDeskTests {
  private let journal = MemoryJournal()

  /// Approves, journals and sends; the output of the moment when the orders reach the books.
  private func execute(
    _ desk: ExecutionDesk, _ opportunity: Opportunity, _ books: TestBooks, at milliseconds: Int64 = 0,
    meanwhile: () -> Void = {}
  ) throws -> DeskOutput {
    let approved = try desk.approve(opportunity, books, now: moment(milliseconds).time).get()
    for durable in try DurableOrders.record([OrderBatch(approved)], in: journal) {
      _ = desk.accept(durable, now: moment(milliseconds))
    }
    meanwhile()
    #expect(desk.work(books, now: moment(milliseconds + 39)).results.isEmpty)
    return desk.work(books, now: moment(milliseconds + 40))
  }

  private func send(_ plan: UnwindPlan, _ desk: ExecutionDesk, at milliseconds: Int64) throws {
    for durable in try DurableOrders.record([OrderBatch(plan)], in: journal) {
      #expect(desk.accept(durable, now: moment(milliseconds)).isEmpty)
    }
  }

  @Test func `a complete purchase is merged back into cash, with its profit`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let output = try execute(desk, binaryBuy(), binaryBooks())
    let report = try #require(output.reports.first)
    #expect(report.outcome == .completed && report.sets == quantity("100") && report.result == money("3.8"))
    #expect(report.unwindLoss == .zero && output.unwinds.isEmpty)
    #expect(output.results.map(\.order.state) == [.filled, .filled])
    #expect(desk.portfolio.cash == money("10003.8") && desk.portfolio.positions.isEmpty)
    #expect(desk.portfolio.exposure == .zero && desk.inFlightCount == 0 && desk.nextDue == nil)
  }

  private func withChainCost(_ text: String) -> ExecutionDesk {
    var options = ExecutorOptions()
    options.chainCosts = ChainCosts([.init(from: Timestamp(nanoseconds: 0), cost: money(text))])
    return ExecutionDesk(options: options)
  }

  @Test func `a merge that the chain charges for is paid once`() throws {
    let desk = withChainCost("0.02")
    let report = try #require(try execute(desk, binaryBuy(), binaryBooks()).reports.first)
    #expect(report.outcome == .completed && report.result == money("3.78") && report.fees == money("0.02"))
    #expect(desk.portfolio.cash == money("10003.78") && desk.portfolio.positions.isEmpty)
  }

  @Test func `a split that the chain charges for is paid with the shares that it makes`() throws {
    let desk = withChainCost("0.02")
    let books = saleBooks()
    let sale = binarySell(cost: "40.02")
    let report = try #require(try execute(desk, sale, books).reports.first)
    #expect(report.outcome == .completed && report.result == money("1.18") && report.fees == money("0.02"))
    #expect(desk.portfolio.cash == money("10001.18") && desk.portfolio.positions.isEmpty)
  }

  @Test func `a redemption takes no more than it brings`() throws {
    let desk = withChainCost("0.5")
    for (token, size) in [("m-yes", "10"), ("k-yes", "0.2")] {
      desk.restore(fills: [
        Fill(
          orderID: token, strategy: .binary, instrument: instrument(token), marketID: String(token.prefix(1)),
          side: .buy, price: .zero, quantity: quantity(size), fee: .zero, time: start)
      ])
    }
    desk.settled(TestBooks().add("m") { $0.payouts = [.one, .zero] }, at: start)
    #expect(desk.portfolio.cash == money("10009.5"))
    desk.settled(TestBooks().add("k") { $0.payouts = [.one, .zero] }, at: start)
    #expect(desk.portfolio.cash == money("10009.5"))
  }

  @Test func `what is kept without a certain payout counts against its event until that settles`() throws {
    var options = ExecutorOptions()
    options.strategies = [.latency]
    let desk = ExecutionDesk(options: options)
    let books = binaryBooks()
    var chance = opportunity(
      [leg(.buy, "m-yes", limit: "0.40", "100", notional: "40")], kind: .latencyUp, payout: "60", cost: "40")
    chance.probability = 0.6
    chance.score.kelly = 0.1
    _ = try execute(desk, chance, books)
    #expect(desk.portfolio.exposure == money("40") && desk.portfolio.bankroll == money("10000"))
    var market = try #require(books.market("m", venue: .polymarket))
    market.payouts = [.one, .zero]
    desk.settled(market, at: start)
    #expect(desk.portfolio.exposure == .zero && desk.portfolio.cash == money("10060"))
  }

  @Test func `the books are looked at after the latency, not before`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    let output = try execute(desk, binaryBuy(), books) {
      books.set("m-yes", asks: [("0.41", "100")])
      books.set("m-no", asks: [("0.59", "100")])
    }
    #expect(output.reports.map(\.outcome) == [.missed] && output.reports.first?.result == .zero)
    #expect(desk.portfolio.cash == money("10000"))
  }

  @Test func `a surplus is sold back at the bids, and its loss is computed from the fills`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    let output = try execute(desk, binaryBuy(), books) {
      // Only 60 of the 100 NO are left; YES will find bids at 0.39 and 0.38.
      books.set("m-no", asks: [("0.55", "60")])
      books.set("m-yes", bids: [("0.39", "25"), ("0.38", "500")], asks: [("0.40", "100")])
    }
    #expect(output.reports.isEmpty)
    let unwind = try #require(output.unwinds.first?.orders.first)
    #expect(output.unwinds.first?.orders.count == 1)
    #expect(unwind.instrument == instrument("m-yes") && unwind.side == .sell && unwind.isUnwind)
    #expect(unwind.quantity == quantity("40") && unwind.limit == price("0.38") && unwind.timeInForce == .fak)
    #expect(unwind.id == "bh-0000000000000001-u0.1")
    try send(output.unwinds[0], desk, at: 41)
    let end = desk.work(books, now: moment(81))
    let report = try #require(end.reports.first)
    #expect(report.outcome == .unwound && report.sets == quantity("60"))
    // 40 YES cost 16, and bring 25 · 0.39 + 15 · 0.38 = 15.45.
    #expect(report.unwindLoss == money("0.55"))
    // 60 − 40 − 33 + 15.45
    #expect(report.result == money("2.45") && desk.portfolio.cash == money("10002.45"))
    #expect(desk.portfolio.positions.isEmpty && desk.breaker.failuresInRow == 1)
  }

  @Test func `an unwind that fails is stuck, counts for the breaker, and says so in its order`() throws {
    var options = ExecutorOptions()
    options.unwindAttemptsMax = 2
    options.failedUnwindsMax = 1
    let desk = ExecutionDesk(options: options)
    let books = binaryBooks()
    var output = try execute(desk, binaryBuy(), books) {
      books.set("m-no", asks: [])
      books.set("m-yes", bids: [("0.30", "30")], asks: [("0.40", "100")])
    }
    try send(output.unwinds[0], desk, at: 40)
    output = desk.work(books, now: moment(80))
    #expect(output.results.map(\.order.filled) == [quantity("30")] && output.reports.isEmpty)
    #expect(desk.nextDue == 330_000_000)
    output = desk.work(books, now: moment(330))
    let second = try #require(output.unwinds.first?.orders.first)
    // Nothing is bid: the lowest price of the grid.
    #expect(second.quantity == quantity("70") && second.limit == price("0.01"))
    #expect(second.id == "bh-0000000000000001-u0.2")
    try send(output.unwinds[0], desk, at: 330)
    output = desk.work(books, now: moment(370))
    let stuck = try #require(output.stuck.first)
    #expect(stuck.quantity == quantity("70") && stuck.cost == money("28"))
    #expect(output.results.map(\.order.reason) == ["unwind failed: 70 shares are left"])
    let report = try #require(output.reports.first)
    #expect(report.outcome == .stuck && report.result == money("-31") && report.unwindLoss == money("31"))
    #expect(output.hasOpenedBreaker && desk.breaker.isOpen)
    #expect(desk.portfolio.exposure == money("28"))
    #expect(desk.portfolio.held(instrument("m-yes")) == quantity("70"))
    let next = desk.approve(binaryBuy(2, at: moment(370).time), binaryBooks(), now: moment(370).time)
    #expect(throws: Rejection.breakerOpen) { try next.get() }
    desk.breaker.lift()
    #expect(!desk.breaker.isOpen)
  }

  @Test func `a sale splits first, sells both, and earns what is above one`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = saleBooks()
    let sale = binarySell()
    let approved = try desk.approve(sale, books, now: start).get()
    let durable = try DurableOrders.record([OrderBatch(approved)], in: journal)
    #expect(journal.orders.map(\.reason) == ["split", "split", "", ""])
    let split = desk.accept(durable[0], now: moment(0))
    #expect(split.map(\.order.state) == [.filled, .filled] && split.flatMap(\.fills).count == 2)
    #expect(desk.portfolio.cash == money("9960") && desk.portfolio.held(instrument("m-no")) == quantity("40"))
    let output = desk.work(books, now: moment(40))
    #expect(output.reports.first?.outcome == .completed && output.reports.first?.result == money("1.2"))
    #expect(desk.portfolio.cash == money("10001.2") && desk.portfolio.positions.isEmpty)
  }

  @Test func `a sale that sold one leg only sells the other's rest, and merges what neither sold`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = saleBooks()
    let sale = binarySell()
    var output = try execute(desk, sale, books) {
      books.set("m-yes", bids: [("0.56", "30")])
      books.set("m-no", bids: [("0.47", "10"), ("0.40", "100")])
    }
    // Sold 30 YES and 10 NO: 20 NO are to be sold, 10 sets are merged.
    let unwind = try #require(output.unwinds.first?.orders.first)
    #expect(unwind.instrument == instrument("m-no") && unwind.quantity == quantity("20"))
    #expect(unwind.limit == price("0.40"))
    try send(output.unwinds[0], desk, at: 40)
    output = desk.work(books, now: moment(80))
    // 16.8 + 4.7 + 8 − 30
    #expect(output.reports.first?.result == money("-0.5"))
    // 20 NO of the split at 0.50 bring 8.
    #expect(output.reports.first?.unwindLoss == money("2"))
    #expect(desk.portfolio.cash == money("9999.5") && desk.portfolio.positions.isEmpty)
  }

  @Test func `one opportunity is executed once, and one event is busy until its end`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    let approved = try desk.approve(binaryBuy(), books, now: start).get()
    #expect(desk.portfolio.exposure == money("96.2"))
    #expect(throws: Rejection.alreadyExecuted) { try desk.approve(binaryBuy(), books, now: start).get() }
    #expect(throws: Rejection.eventBusy("polymarket/event-m")) {
      try desk.approve(binaryBuy(2), books, now: start).get()
    }
    for durable in try DurableOrders.record([OrderBatch(approved)], in: journal) {
      _ = desk.accept(durable, now: moment(0))
    }
    _ = desk.work(books, now: moment(40))
    #expect(throws: Rejection.alreadyExecuted) { try desk.approve(binaryBuy(), books, now: start).get() }
    // The depth is taken: the same books do not sell it twice.
    #expect(throws: Rejection.depthMissing(instrument("m-yes"))) {
      try desk.approve(binaryBuy(3), books, now: start).get()
    }
    #expect(desk.counters["rejected_already_executed"] == 2 && desk.counters["approved"] == 1)
  }

  @Test func `an abandoned execution gives its money and its event back`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    _ = try desk.approve(binaryBuy(), binaryBooks(), now: start).get()
    desk.abandon(1)
    #expect(desk.portfolio.exposure == .zero && desk.inFlightCount == 0)
    #expect(throws: Never.self) { try desk.approve(binaryBuy(2), binaryBooks(), now: start).get() }
  }

  @Test func `a resolved market pays what is held`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    desk.restore(fills: [
      Fill(
        orderID: "o", strategy: .binary, instrument: instrument("m-yes"), marketID: "m", side: .buy,
        price: price("0.4"), quantity: quantity("10"), fee: money("0.1"), time: start)
    ])
    #expect(desk.portfolio.cash == money("9995.9"))
    let market = TestBooks().add("m") { $0.payouts = [.one, .zero] }
    desk.settled(market, at: start)
    #expect(desk.portfolio.cash == money("10005.9") && desk.portfolio.positions.isEmpty)
  }

  @Test func `losses of one day open the breaker, and a new day begins anew`() throws {
    var options = ExecutorOptions()
    options.dailyLossMax = money("3")
    options.failuresMax = 100
    let desk = ExecutionDesk(options: options)
    var opened: [Bool] = []
    for (number, day) in [(1, 0), (2, 1), (3, 1)] as [(UInt64, Int64)] {
      let milliseconds = day * 86_400_000 + Int64(number) * 1000
      let now = moment(milliseconds)
      let books = TestBooks()
      books.add("m")
      books.set("m-yes", bids: [("0.38", "50\(number)")], asks: [("0.40", "10\(number)")], at: now.time)
      books.set("m-no", asks: [("0.55", "60"), ("0.58", "10\(number)")], at: now.time)
      let output = try execute(desk, binaryBuy(number, at: now.time), books, at: milliseconds) {
        books.set("m-no", asks: [])
      }
      try send(output.unwinds[0], desk, at: milliseconds + 40)
      // 100 YES for 40 are sold for 38, each time.
      opened.append(desk.work(books, now: moment(milliseconds + 80)).hasOpenedBreaker)
    }
    #expect(opened == [false, false, true] && desk.breaker.dailyResult == money("-4"))
  }
}
