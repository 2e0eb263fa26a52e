import Market
import Settling
import Store
import Testing

@Suite struct BookkeeperTests {
  private let yesKey = PositionKey(.binary, yes)
  private let noKey = PositionKey(.binary, no)

  @Test func `a purchase costs price times quantity and the fee`() throws {
    var books = Bookkeeper()
    let transaction = try books.book(try fill(1, .buy, yes, "100", at: "0.48", fee: "0.5"))
    // 100 × 0.48 = 48; with the fee 48.50 leave the cash.
    #expect(
      transaction.lines == [
        "assets/cash -48.5", "assets/cost/binary/polymarket/yes 48", "expenses/fees/binary/polymarket 0.5",
        "assets/shares/binary/polymarket/yes 100", "market/polymarket/yes -100",
      ])
    #expect(transaction.imbalances.isEmpty)
    #expect(transaction.reference == "fill/1")
    #expect(
      books.positions[yesKey]
        == Position(key: yesKey, marketID: "m", quantity: try quantity("100"), cost: try money("48")))
  }

  @Test func `a sale realises its proceeds less the average cost of what is sold`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "100", at: "0.40"))
    _ = try books.book(try fill(2, .buy, yes, "50", at: "0.55"))
    // 40 + 27.50 = 67.50 for 150 shares, 0.45 each. 60 sold at 0.52: 31.20 − 27 = 4.20 gained.
    let sale = try books.book(try fill(3, .sell, yes, "60", at: "0.52", fee: "0.3"))
    #expect(
      sale.lines == [
        "assets/cash 30.9", "assets/cost/binary/polymarket/yes -27", "expenses/fees/binary/polymarket 0.3",
        "income/realised/binary/polymarket -4.2", "assets/shares/binary/polymarket/yes -60", "market/polymarket/yes 60",
      ])
    #expect(sale.imbalances.isEmpty)
    #expect(books.positions[yesKey]?.quantity == (try quantity("90")))
    #expect(books.positions[yesKey]?.cost == (try money("40.5")))
    // The rest at 0.30: 27 − 40.50 = 13.50 lost, and nothing is left.
    let rest = try books.book(try fill(4, .sell, yes, "90", at: "0.30"))
    #expect(
      rest.lines == [
        "assets/cash 27", "assets/cost/binary/polymarket/yes -40.5", "income/realised/binary/polymarket 13.5",
        "assets/shares/binary/polymarket/yes -90", "market/polymarket/yes 90",
      ])
    #expect(books.positions.isEmpty)
    #expect(books.touchedPositions.map(\.quantity) == [.zero])
  }

  @Test func `what a purchase pays beyond the exact amount goes to rounding`() throws {
    var books = Bookkeeper()
    // 0.333 × 0.00000005 = 0.000000016650…: 0.00000002 is paid, 0.00000001 is the rounded-down value.
    let purchase = try books.book(try fill(1, .buy, yes, "0.00000005", at: "0.333"))
    #expect(
      purchase.lines == [
        "assets/cash -0.00000002", "assets/cost/binary/polymarket/yes 0.00000001", "expenses/rounding 0.00000001",
        "assets/shares/binary/polymarket/yes 0.00000005", "market/polymarket/yes -0.00000005",
      ])
    #expect(purchase.imbalances.isEmpty)
    // Sold again for 0.0000000166…, rounded down: 0.00000001, nothing gained.
    let sale = try books.book(try fill(2, .sell, yes, "0.00000005", at: "0.333"))
    #expect(
      sale.lines == [
        "assets/cash 0.00000001", "assets/cost/binary/polymarket/yes -0.00000001",
        "assets/shares/binary/polymarket/yes -0.00000005", "market/polymarket/yes 0.00000005",
      ])
  }

  @Test func `the cost of a part is rounded, and its rest leaves with the last share`() throws {
    var books = Bookkeeper()
    // 3 shares for 1.00 (0.33333333… each) cannot be had by a price; 0.1 × 0.00000010 = 0.00000001 for 10 units can.
    _ = try books.book(try fill(1, .buy, yes, "0.0000001", at: "0.1"))
    // 3 of 10 units cost 0.3 units of money: 0 leave, then 1 with the last.
    let part = try books.book(try fill(2, .sell, yes, "0.00000003", at: "0.5"))
    #expect(
      part.lines == [
        "assets/cash 0.00000001", "income/realised/binary/polymarket -0.00000001",
        "assets/shares/binary/polymarket/yes -0.00000003", "market/polymarket/yes 0.00000003",
      ])
    let last = try books.book(try fill(3, .sell, yes, "0.00000007", at: "0.5"))
    #expect(
      last.lines == [
        "assets/cash 0.00000003", "assets/cost/binary/polymarket/yes -0.00000001",
        "income/realised/binary/polymarket -0.00000002", "assets/shares/binary/polymarket/yes -0.00000007",
        "market/polymarket/yes 0.00000007",
      ])
    #expect(books.positions.isEmpty)
  }

  @Test func `shares sold before they are held are a short position, and buying closes it`() throws {
    var books = Bookkeeper()
    // 10 sold at 0.60 bring 6.
    let sale = try books.book(try fill(1, .sell, yes, "10", at: "0.6"))
    #expect(
      sale.lines == [
        "assets/cash 6", "assets/cost/binary/polymarket/yes -6", "assets/shares/binary/polymarket/yes -10",
        "market/polymarket/yes 10",
      ])
    // 15 bought at 0.50 cost 7.50: 10 of them (5) close the short with 1 gained, 5 of them (2.50) are held.
    let purchase = try books.book(try fill(2, .buy, yes, "15", at: "0.5", fee: "0.1"))
    #expect(
      purchase.lines == [
        "assets/cash -7.6", "assets/cost/binary/polymarket/yes 8.5", "expenses/fees/binary/polymarket 0.1",
        "income/realised/binary/polymarket -1", "assets/shares/binary/polymarket/yes 15", "market/polymarket/yes -15",
      ])
    #expect(purchase.imbalances.isEmpty)
    #expect(books.positions[yesKey]?.quantity == (try quantity("5")))
    #expect(books.positions[yesKey]?.cost == (try money("2.5")))
  }

  @Test func `a fee that is paid to us is an expense below zero`() throws {
    var books = Bookkeeper()
    let transaction = try books.book(try fill(1, .buy, yes, "10", at: "0.5", fee: "-0.02"))
    #expect(transaction.lines.contains("assets/cash -4.98"))
    #expect(transaction.lines.contains("expenses/fees/binary/polymarket -0.02"))
    #expect(transaction.imbalances.isEmpty)
  }

  @Test func `each strategy has its own position`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "10", at: "0.5", strategy: .binary))
    let sale = try books.book(try fill(2, .sell, yes, "10", at: "0.6", strategy: .spike))
    #expect(!sale.lines.contains { $0.hasPrefix("income") })
    #expect(books.positions.count == 2)
    // Settled at 1: binary gains 10 − 5, spike owes 10 and had 6; together the 1 between 0.50 and 0.60.
    let payout = try books.settle(try sampleMarket(), payouts: [.one, .zero], round: 1, at: noon)
    #expect(payout.received == .zero)
    #expect(payout.realised == (try money("1")))
    #expect(payout.transaction.lines.contains("income/realised/binary/polymarket -5"))
    #expect(payout.transaction.lines.contains("income/realised/spike/polymarket 4"))
    #expect(books.positions.isEmpty)
  }

  @Test(
    arguments: [
      (["1", "0"], "100", "4.5"), (["0", "1"], "80", "-15.5"), (["0.5", "0.5"], "90", "-5.5"),
    ])
  func `a market settles each outcome at its payout`(
    payouts: [String], received: String, realised: String
  ) throws {
    var books = Bookkeeper()
    // 100 YES at 0.48 and 80 NO at 0.59375: 48 + 47.50 = 95.50.
    _ = try books.book(try fill(1, .buy, yes, "100", at: "0.48"))
    _ = try books.book(try fill(2, .buy, no, "80", at: "0.59375"))
    let payout = try books.settle(
      try sampleMarket(), payouts: try payouts.map { try price($0) }, round: 1, at: noon)
    #expect(payout.received == (try money(received)))
    #expect(payout.realised == (try money(realised)))
    #expect(payout.transaction.lines.contains("assets/cash \(received)"))
    #expect(payout.transaction.lines.contains("assets/cost/binary/polymarket/yes -48"))
    #expect(payout.transaction.lines.contains("assets/cost/binary/polymarket/no -47.5"))
    #expect(payout.transaction.imbalances.isEmpty)
    let gains = payout.transaction.entries.filter { $0.account.name.hasPrefix("income") }.map(\.amount)
    #expect(Money(raw: gains.reduce(0, +)) == -payout.realised)
    #expect(payout.transaction.reference == "settlement/polymarket/m/1")
    #expect(books.positions.isEmpty)
  }

  @Test func `half a unit is not received, and is owed in full`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "0.00000003", at: "0"))
    _ = try books.book(try fill(2, .sell, no, "0.00000003", at: "0"))
    let half = try price("0.5")
    let payout = try books.settle(try sampleMarket(), payouts: [half, half], round: 1, at: noon)
    // 1.5 units in, rounded down to 1; 1.5 units out, rounded up to 2.
    #expect(payout.received.raw == -1)
    #expect(payout.transaction.imbalances.isEmpty)
  }

  @Test func `complete sets are given back for 1 each`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "100", at: "0.48"))
    _ = try books.book(try fill(2, .buy, no, "80", at: "0.5"))
    let payout = try books.merge(
      try quantity("80"), of: try sampleMarket(), strategy: .binary, reference: "merge/1", at: noon)
    // 80 − 80 × 0.48 − 40 = 1.60.
    #expect(
      payout.transaction.lines == [
        "assets/cash 80", "assets/cost/binary/polymarket/yes -38.4", "assets/cost/binary/polymarket/no -40",
        "income/realised/binary/polymarket -1.6", "assets/shares/binary/polymarket/yes -80",
        "assets/shares/binary/polymarket/no -80", "market/polymarket/yes 80", "market/polymarket/no 80",
      ])
    #expect(payout.transaction.imbalances.isEmpty)
    #expect(books.positions[yesKey]?.quantity == (try quantity("20")))
    #expect(books.positions[noKey] == nil)
    #expect(throws: BookingError.notHeld(MarketKey(venue: .polymarket, id: "m"))) {
      try books.merge(try quantity("1"), of: try sampleMarket(), strategy: .binary, reference: "merge/2", at: noon)
    }
  }

  @Test func `what the chain takes for merges and redemptions is a fee, and no more than comes in`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "100", at: "0.48"))
    _ = try books.book(try fill(2, .buy, no, "80", at: "0.5"))
    let merge = try books.merge(
      try quantity("80"), of: try sampleMarket(), strategy: .binary, chainCost: try money("0.02"), reference: "merge/1",
      at: noon)
    #expect(merge.transaction.lines.contains("assets/cash 79.98"))
    #expect(merge.transaction.lines.contains("expenses/fees/binary/polymarket 0.02"))
    #expect(merge.transaction.imbalances.isEmpty)
    var lost = books
    let settle = try books.settle(
      try sampleMarket(), payouts: [.one, .zero], redemptionCost: try money("0.02"), round: 1, at: noon)
    #expect(settle.received == (try money("20")))
    #expect(settle.transaction.lines.contains("assets/cash 19.98"))
    #expect(settle.transaction.lines.contains("expenses/fees/binary/polymarket 0.02"))
    #expect(settle.transaction.imbalances.isEmpty)
    // What pays nothing is not redeemed.
    let nothing = try lost.settle(
      try sampleMarket(), payouts: [.zero, .one], redemptionCost: try money("0.02"), round: 1, at: noon)
    #expect(!nothing.transaction.lines.contains { $0.hasPrefix("expenses") })
    #expect(nothing.transaction.imbalances.isEmpty)
    var dust = Bookkeeper()
    _ = try dust.book(try fill(1, .buy, yes, "0.01", at: "0.5"))
    let small = try dust.settle(
      try sampleMarket(), payouts: [.one, .zero], redemptionCost: try money("0.02"), round: 1, at: noon)
    #expect(small.transaction.lines.contains("expenses/fees/binary/polymarket 0.01"))
    #expect(small.transaction.imbalances.isEmpty)
  }

  @Test func `what cannot be booked is an error and changes nothing`() throws {
    var books = Bookkeeper()
    _ = try books.book(try fill(1, .buy, yes, "10", at: "0.5"))
    _ = try books.book(try fill(2, .buy, InstrumentID(venue: .polymarket, symbol: "other"), "10", at: "0.5"))
    let before = books.positions
    var wrong = try fill(3, .buy, yes, "1", at: "0.5")
    wrong.quantity = .zero
    #expect(throws: BookingError.invalidFill(sequence: 3, problem: "0 shares")) { try books.book(wrong) }
    wrong.quantity = .one
    wrong.price = Price(raw: -1)
    #expect(throws: BookingError.self) { try books.book(wrong) }
    wrong.price = Price(raw: .max)
    wrong.quantity = Quantity(raw: .max)
    #expect(throws: BookingError.tooLarge(reference: "fill/3")) { try books.book(wrong) }
    let key = MarketKey(venue: .polymarket, id: "m")
    #expect(throws: BookingError.unknownOutcome(key, InstrumentID(venue: .polymarket, symbol: "other"))) {
      try books.settle(try sampleMarket(), payouts: [.one, .zero], round: 1, at: noon)
    }
    for payouts in [[.one], [.one, .one], [.zero, .zero], [Price(raw: -1), Price(raw: 100_000_001)]] as [[Price]] {
      #expect(throws: BookingError.invalidPayouts(key)) {
        try books.settle(try sampleMarket(), payouts: payouts, round: 1, at: noon)
      }
    }
    #expect(books.positions == before)
  }

  /// An independent, deliberately simple account of the same trades, in exact fractions of 10⁻¹⁶ dollars.
  @Test(arguments: 1...20)
  func `random trades balance, agree with a plain account, and end at nothing`(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    var books = Bookkeeper()
    var balances: [LedgerAccount: Int128] = [:]
    var shares: [PositionKey: Int128] = [:]
    var cash: Int128 = 0
    var fees: Int128 = 0
    func apply(_ transaction: LedgerTransaction) {
      #expect(transaction.imbalances.isEmpty)
      for entry in transaction.entries { balances[entry.account, default: 0] += Int128(entry.amount) }
    }
    for sequence in 1...400 as ClosedRange<Int64> {
      let strategy: Strategy = Bool.random(using: &random) ? .binary : .spike
      let instrument = Bool.random(using: &random) ? yes : no
      var trade = try fill(sequence, .buy, instrument, "1", at: "0.5", strategy: strategy)
      if Int.random(in: 0..<5, using: &random) < 2 { trade.side = .sell }
      trade.price = Price(raw: Int64.random(in: 0...100_000_000, using: &random))
      let sizeMax: Int64 = Bool.random(using: &random) ? 1000 : 50_000_000_000
      trade.quantity = Quantity(raw: Int64.random(in: 1...sizeMax, using: &random))
      trade.fee = Money(raw: Int64.random(in: -10...1_000_000, using: &random))
      apply(try books.book(trade))
      cash += trade.side == .buy ? -Int128(trade.notional.raw) : Int128(trade.notional.raw)
      cash -= Int128(trade.fee.raw)
      fees += Int128(trade.fee.raw)
      shares[PositionKey(strategy, instrument), default: 0] +=
        Int128(trade.quantity.raw) * (trade.side == .buy ? 1 : -1)
      #expect(balances[.cash] == cash)
      // No position has a cost without shares, or one of the other sign.
      for position in books.positions.values {
        #expect(position.quantity.raw != 0)
        #expect(position.cost.raw == 0 || (position.cost.raw > 0) == (position.quantity.raw > 0))
        #expect(balances[.cost(position.key)] ?? 0 == Int128(position.cost.raw))
        #expect(shares[position.key] == Int128(position.quantity.raw))
      }
    }
    let winner = Bool.random(using: &random)
    let payout = try books.settle(
      try sampleMarket(), payouts: winner ? [.one, .zero] : [.zero, .one], round: 1, at: noon)
    apply(payout.transaction)
    let won = shares.filter { $0.key.instrument == (winner ? yes : no) }.values.reduce(0, +)
    #expect(balances[.cash] == cash + won)
    #expect(books.positions.isEmpty)
    // With nothing held, all cash is what was realised, less fees and rounding.
    let realised = -balances.filter { $0.key.name.hasPrefix("income/") }.values.reduce(0, +)
    #expect(balances[.cash] == realised - fees - (balances[.rounding] ?? 0))
    #expect((balances[.rounding] ?? 0) <= 400)
  }
}
