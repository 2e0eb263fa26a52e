import Bus
import Market
import Presenting
import Testing

@Suite struct TallyTests {
  private func planted(
    _ id: UInt64 = 1, _ kind: OpportunityKind = .binaryBuy, event: String = "e1", markets: [String] = ["m1"],
    token: String = "", isDecoy: Bool = false, from: Int64, to: Int64? = nil
  ) -> PlantedArbitrage {
    PlantedArbitrage(
      id: id, kind: kind, eventID: event, marketIDs: markets, token: token, isDecoy: isDecoy,
      startedAt: noon(plus: from), endedAt: to.map { noon(plus: $0) }, profitPerSet: Money(dollars: 1))
  }

  private func figures(_ tally: Tally, at milliseconds: Int64 = 100_000) -> [Int] {
    let result = tally.result(now: noon(plus: milliseconds)).total
    return [result.planted, result.found, result.missed, result.tooShort, result.falseFinds]
  }

  @Test func `a find within the window is found, with its latency`() throws {
    var tally = Tally()
    tally.add(planted(from: 0))
    tally.add(try opportunity(7, found: noon(plus: 3)))
    tally.add(try opportunity(7, .closed, found: noon(plus: 3), updated: noon(plus: 201)))
    tally.add(planted(from: 0, to: 200))
    #expect(figures(tally) == [1, 1, 0, 0, 0])
    let result = tally.result(now: noon(plus: 1000))
    #expect(result.scores[.binary]?.latencies == [3_000_000])
    #expect(result.scores[.binary]?.opened == 1)
  }

  @Test func `a window that ended unfound is missed, once the find can no longer be under way`() {
    var tally = Tally()
    tally.add(planted(from: 0))
    #expect(figures(tally, at: 400) == [0, 0, 0, 0, 0])
    tally.add(planted(from: 0, to: 500))
    #expect(figures(tally, at: 750) == [0, 0, 0, 0, 0])
    #expect(figures(tally, at: 751) == [1, 0, 1, 0, 0])
  }

  @Test func `a window of 20 ms counts and a shorter one is listed apart, found or not`() throws {
    var tally = Tally()
    tally.add(planted(1, from: 0, to: 19))
    tally.add(planted(2, event: "e2", markets: ["m2"], from: 0, to: 20))
    tally.add(try opportunity(7, found: noon(plus: 2)))
    #expect(figures(tally) == [1, 0, 1, 1, 0])
  }

  @Test(arguments: [(250, 199, 1), (251, 199, 0), (250, 200, 1), (250, 201, 0), (250, -251, 0)])
  func `a find told after the end must be near and of the window's books`(
    _ case: (late: Int64, venue: Int64, found: Int)
  ) throws {
    var tally = Tally()
    tally.add(planted(from: 0, to: 200))
    tally.add(try opportunity(7, found: noon(plus: 200 + `case`.late), venue: noon(plus: `case`.venue)))
    #expect(tally.result(now: noon(plus: 100_000)).total.found == `case`.found)
  }

  @Test func `what was open before and still is counts as found, without a latency`() throws {
    var tally = Tally()
    tally.add(try opportunity(7, found: noon(plus: -5000)))
    tally.add(planted(from: 0, to: 200))
    #expect(figures(tally) == [1, 1, 0, 0, 0])
    #expect(tally.result(now: noon(plus: 9000)).total.latencies == [])
  }

  @Test func `what was closed before the window began is no find of it`() throws {
    var tally = Tally()
    tally.add(try opportunity(7, found: noon(plus: -400)))
    tally.add(try opportunity(7, .closed, found: noon(plus: -400), updated: noon(plus: -300)))
    tally.add(planted(from: 0, to: 200))
    #expect(figures(tally) == [1, 0, 1, 0, 1])
  }

  @Test func `another market, strategy or direction is no find`() throws {
    for wrong in [
      try opportunity(7, legs: [try leg(market: "m2")], found: noon(plus: 5)),
      try opportunity(7, kind: .negRiskBuyYes, found: noon(plus: 5)),
      try opportunity(7, kind: .binarySell, found: noon(plus: 5)),
    ] {
      var tally = Tally()
      tally.add(planted(from: 0, to: 200))
      tally.add(wrong)
      // The event is the same, so it is not held against the scanner either.
      #expect(figures(tally) == [1, 0, 1, 0, 0], "\(wrong.kind)")
    }
  }

  @Test(arguments: [
    (OpportunityKind.negRiskSellYes, OpportunityKind.negRiskSellYes, 1), (.negRiskSellYes, .negRiskConvert, 1),
    (.negRiskBuyYes, .negRiskConvert, 0), (.negRiskConvert, .negRiskConvert, 1), (.negRiskConvert, .negRiskSellYes, 0),
  ])
  func `buying NO of several outcomes is found as their sale, and nothing else is`(
    _ case: (planted: OpportunityKind, found: OpportunityKind, count: Int)
  ) throws {
    let legs = [try leg(market: "m1"), try leg(market: "m2"), try leg(market: "m3")]
    var tally = Tally()
    tally.add(planted(1, `case`.planted, markets: [], from: 0, to: 200))
    tally.add(try opportunity(7, kind: `case`.found, legs: legs, payout: 200, cost: 195, found: noon(plus: 5)))
    #expect(figures(tally) == [1, `case`.count, 1 - `case`.count, 0, 0])
  }

  @Test func `a pair is found by both its markets`() throws {
    for (markets, count) in [(["m1", "K1"], 1), (["m1", "K2"], 0), (["m2", "K1"], 0)] {
      var tally = Tally()
      tally.add(planted(1, .crossFirst, markets: ["m1", "K1"], from: 0, to: 200))
      let legs = try markets.map { try leg(market: $0) }
      tally.add(try opportunity(7, kind: .crossFirst, event: "e9", legs: legs, found: noon(plus: 5)))
      #expect(figures(tally) == [1, count, 1 - count, 0, 0], "\(markets)")
    }
  }

  @Test func `what buys one outcome is found by its token`() throws {
    for (token, count) in [("7001", 1), ("7002", 0)] {
      var tally = Tally()
      tally.add(planted(1, .spike, token: "7001", from: 0, to: 200))
      tally.add(try opportunity(7, kind: .spike, legs: [try leg(token: token)], found: noon(plus: 5)))
      #expect(figures(tally) == [1, count, 1 - count, 0, 0])
    }
  }

  @Test func `each strategy is judged by itself`() throws {
    var tally = Tally()
    tally.add(planted(1, .latencyUp, token: "7001", from: 0, to: 200))
    tally.add(planted(2, .negRiskBuyYes, event: "e2", markets: [], from: 0, to: 200))
    tally.add(try opportunity(7, kind: .latencyUp, legs: [try leg(token: "7001")], found: noon(plus: 5)))
    tally.add(try opportunity(8, kind: .spike, event: "e9", legs: [try leg(market: "m9")], found: noon(plus: 5)))
    let scores = tally.result(now: noon(plus: 9000)).scores
    #expect(
      scores.mapValues { [$0.planted, $0.found, $0.missed, $0.falseFinds, $0.opened] } == [
        .latency: [1, 1, 0, 0, 1], .negRisk: [1, 0, 1, 0, 0], .spike: [0, 0, 0, 1, 1],
      ])
  }

  @Test func `a decoy excuses nothing, and who reports it is counted`() throws {
    func result(_ kind: OpportunityKind?, token: String = "7001", compacts: Bool = false) throws -> [Int] {
      var tally = Tally()
      tally.add(planted(1, .spike, token: "7001", isDecoy: true, from: 0, to: 200))
      if let kind {
        for state in [OpportunityState.opened, .closed] {
          tally.add(
            try opportunity(
              7, state, kind: kind, legs: [try leg(token: token)], found: noon(plus: 5), updated: noon(plus: 190)))
        }
      }
      if compacts { tally.compact(now: noon(plus: 90_000)) }
      let result = tally.result(now: noon(plus: 99_000))
      return [result.decoys, result.decoysReported, result.total.planted, result.total.missed, result.total.falseFinds]
    }
    for compacts in [false, true] {
      #expect(try result(nil, compacts: compacts) == [1, 0, 0, 0, 0])
      #expect(try result(.spike, compacts: compacts) == [1, 1, 0, 0, 0])
      #expect(try result(.spike, token: "7002", compacts: compacts) == [1, 0, 0, 0, 1])
      #expect(try result(.binaryBuy, compacts: compacts) == [1, 0, 0, 0, 1])
    }
  }

  @Test(arguments: [(-251, -251, 1), (-400, -250, 0), (200 + 250, 500, 0), (200 + 251, 500, 1)])
  func `an opportunity near no planted window is false`(_ case: (from: Int64, to: Int64, falseFinds: Int)) throws {
    var tally = Tally()
    tally.add(planted(from: 0, to: 200))
    tally.add(try opportunity(7, found: noon(plus: `case`.from)))
    tally.add(try opportunity(7, .closed, found: noon(plus: `case`.from), updated: noon(plus: `case`.to)))
    #expect(tally.result(now: noon(plus: 100_000)).total.falseFinds == `case`.falseFinds)
  }

  @Test func `an opportunity of another event is false`() throws {
    var tally = Tally()
    tally.add(planted(from: 0, to: 200))
    tally.add(try opportunity(7, event: "e9", legs: [try leg(market: "m9")], found: noon(plus: 10)))
    #expect(figures(tally) == [1, 0, 1, 0, 1])
    // Its planted window may be told a moment later.
    #expect(tally.result(now: noon(plus: 200)).total.falseFinds == 0)
  }

  @Test func `without anything planted nothing is false`() throws {
    var tally = Tally()
    tally.add(try opportunity(7, found: noon))
    let result = tally.result(now: noon(plus: 100_000))
    #expect(!result.hasPlanted)
    #expect(result.total.falseFinds == 0)
    #expect(result.scores[.binary]?.opened == 1)
  }

  @Test func `the order in which messages arrive does not matter`() throws {
    let messages: [(inout Tally) throws -> Void] = [
      { $0.add(planted(from: 0)) }, { $0.add(planted(from: 0, to: 200)) },
      { $0.add(try opportunity(7, found: noon(plus: 4))) },
      { $0.add(try opportunity(7, .changed, found: noon(plus: 4), updated: noon(plus: 90))) },
      { $0.add(try opportunity(7, .closed, found: noon(plus: 4), updated: noon(plus: 202))) },
    ]
    for order in permutations(Array(0..<messages.count)) where closesLast(order) {
      var tally = Tally()
      for index in order { try messages[index](&tally) }
      #expect(figures(tally) == [1, 1, 0, 0, 0], "\(order)")
    }
  }

  /// Messages of one publisher stay in order; those of two do not.
  private func closesLast(_ order: [Int]) -> Bool {
    func place(_ index: Int) -> Int { order.firstIndex(of: index) ?? 0 }
    return place(2) < place(3) && place(3) < place(4)
  }

  private func permutations(_ items: [Int]) -> [[Int]] {
    guard let first = items.first else { return [[]] }
    return permutations(Array(items.dropFirst())).flatMap { rest in
      (0...rest.count).map { rest[..<$0] + [first] + rest[$0...] }.map { Array($0) }
    }
  }

  @Test func `compacting changes no figure`() throws {
    var tally = Tally()
    var whole = Tally()
    for round in 0..<300 as Range<Int64> {
      let start = round * 1000
      let isFound = round % 3 != 0
      for step in [0, 1] {
        let window = planted(UInt64(round), event: "e\(round % 7)", markets: ["m\(round % 7)"], from: start)
        let ended = planted(
          UInt64(round), event: "e\(round % 7)", markets: ["m\(round % 7)"], from: start, to: start + 200)
        tally.add(step == 0 ? window : ended)
        whole.add(step == 0 ? window : ended)
      }
      // A market of its own makes every tenth a false one.
      let place = round % 10 == 5 ? "x" : "\(round % 7)"
      if isFound {
        for state in [OpportunityState.opened, .closed] {
          let find = try opportunity(
            UInt64(round), state, event: "e" + place, legs: [try leg(market: "m" + place)],
            found: noon(plus: start + round % 9), updated: noon(plus: start + 205))
          tally.add(find)
          whole.add(find)
        }
      }
      tally.compact(now: noon(plus: start + 900))
    }
    let end = noon(plus: 1_000_000)
    tally.compact(now: end)
    #expect(tally.result(now: end) == whole.result(now: end))
    #expect(figures(whole, at: 1_000_000) == [300, 180, 120, 0, 20])
  }

  @Test func `a find that is no longer kept still counts for a window that goes on`() throws {
    var tally = Tally()
    tally.add(planted(from: 0))
    tally.add(try opportunity(7, found: noon(plus: 5)))
    tally.add(try opportunity(7, .closed, found: noon(plus: 5), updated: noon(plus: 100)))
    tally.compact(now: noon(plus: 90_000))
    tally.add(planted(from: 0, to: 95_000))
    #expect(figures(tally, at: 200_000) == [1, 1, 0, 0, 0])
    #expect(tally.result(now: noon(plus: 200_000)).total.latencies == [5_000_000])
  }

  @Test func `a scanner that starts anew closes what was open`() throws {
    var tally = Tally()
    tally.add(try opportunity(7, found: noon))
    #expect(tally.openCount == 1)
    tally.scannerRestarted(at: noon(plus: 50))
    #expect(tally.openCount == 0)
    tally.add(planted(from: 100, to: 300))
    #expect(tally.result(now: noon(plus: 9000)).total.found == 0)
  }

  @Test func `a simulator that starts anew ends what was planted, and its numbers mean other windows`() throws {
    var tally = Tally()
    tally.add(planted(1, from: 0))
    tally.add(try opportunity(7, found: noon(plus: 5)))
    tally.simulatorRestarted(at: noon(plus: 300))
    tally.add(planted(1, event: "e2", markets: ["m2"], from: 1000, to: 1200))
    #expect(figures(tally) == [2, 1, 1, 0, 0])
  }

  @Test func `percentiles are by nearest rank`() {
    var result = Tally.Score()
    #expect(result.latency(percentile: 50) == nil)
    result.latencies = [5]
    #expect(result.latency(percentile: 99) == 5)
    result.latencies = Array(1...200)
    #expect(result.latency(percentile: 50) == 100)
    #expect(result.latency(percentile: 99) == 198)
    #expect(result.latency(percentile: 100) == 200)
  }
}
