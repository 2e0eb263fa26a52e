import Market
import Scanning
import TestSupport
import Testing

/// Scores, the hurdle, and what of the bankroll a find gets.
struct ScoringTests {
  private func market(_ stage: Stage, volume: String = "10000", ends: Int64 = 86_400) throws -> Int {
    let end = stage.now.advanced(bySeconds: ends)
    let volume = try Money(volume)
    let market = try stage.add {
      $0.endsAt = end
      $0.dayVolume = volume
    }
    try stage.set(market, 0, asks: [("0.40", "300")])
    try stage.set(market, 1, asks: [("0.50", "100")])
    return market
  }

  @Test func `every factor is computed from what was seen`() throws {
    let stage = try Stage()
    let place = try market(stage)
    for _ in 0..<5 { stage.trade(place, 0, at: stage.now) }
    for _ in 0..<8 { stage.trade(place, 1, at: stage.now) }
    let score = try #require(stage.only()).score
    // 100 sets at 0.90: 10 dollars; the scarcer leg holds just what is needed.
    #expect(score.profit == 0.5)
    #expect(score.depthRatio == 1 && score.fill == 0.5)
    #expect(score.dayVolume == (try Money("10000")) && score.volume == 0.5)
    #expect(score.recentTradeCount == 5 && score.activity == 0.5)
    #expect(score.lockedSeconds == 600)
    #expect(abs(score.time - 86_400 / 87_000) < 1e-12)
    #expect(score.legs == 1)
    let weighted = (3 * 0.5 + 2 * 0.5 + 0.5 + 0.5 + 2 * score.time + 1) / 10
    #expect(abs(score.total - weighted) < 1e-12)
    // 10 on 90 within ten minutes.
    #expect(abs(score.annualisedReturn - 10.0 / 90 * 365 * 144) < 1e-6)
    #expect(score.kelly == 0.25)
  }

  @Test func `more of a factor ranks higher, with all else equal`() throws {
    func total(_ change: (Stage, Int) throws -> Void) throws -> Double {
      let stage = try Stage()
      let place = try market(stage)
      try change(stage, place)
      return try #require(stage.only()).score.total
    }
    let plain = try total { _, _ in }
    #expect(try total { try $0.set($1, 1, asks: [("0.45", "100")]) } > plain, "profit")
    #expect(try total { try $0.set($1, 1, asks: [("0.50", "60"), ("0.50001", "0.01")]) } < plain, "fill and profit")
    #expect(try total { stage, place in stage.change(place) { $0.dayVolume = Money(dollars: 1_000_000) } } > plain)
    #expect(
      try total { stage, place in
        for outcome in 0..<2 { stage.trade(place, outcome, at: stage.now) }
      } > plain)
  }

  @Test func `a find below the hurdle is shown and held`() throws {
    let stage = try Stage()
    let year: Int64 = 365 * 86_400
    var places: [Int] = []
    let end = stage.now.advanced(bySeconds: year - 7200)
    for _ in 0..<2 { places.append(try stage.add(event: "e") { $0.endsAt = end }) }
    try stage.set(places[0], 0, asks: [("0.40", "100")])
    // 4 on 96 in a year are 4.17 %.
    try stage.set(places[1], 0, asks: [("0.56", "100")])
    #expect(stage.only()?.hold == .belowHurdle)
    // 5 on 95 are 5.26 %.
    try stage.set(places[1], 0, asks: [("0.55", "100")])
    #expect(stage.only()?.hold == nil)
  }

  @Test func `where no venue says when it ends, the capital is locked for long`() throws {
    let stage = try Stage()
    let places = try (0..<2).map { _ in try stage.add(event: "e") }
    try stage.set(places[0], 0, asks: [("0.40", "100")])
    try stage.set(places[1], 0, asks: [("0.56", "100")])
    let found = try #require(stage.only())
    #expect(found.hold == .belowHurdle && found.score.lockedSeconds == nil && found.endsAt == nil)
  }

  @Test func `equal scores stay in the order in which they were found`() throws {
    let stage = try Stage()
    for _ in 0..<20 { _ = try market(stage) }
    stage.scan()
    let ranked = stage.scanner.board.openOpportunities
    #expect(ranked.count == 20)
    #expect(Set(ranked.map(\.score.total)).count == 1)
    #expect(ranked.map(\.id) == ranked.map(\.id).sorted())
  }

  @Test func `trades of the future and of long ago are no recent ones`() throws {
    let stage = try Stage()
    let place = try market(stage)
    for outcome in 0..<2 {
      stage.trade(place, outcome, at: stage.now.advanced(bySeconds: 3600))
      stage.trade(place, outcome, at: stage.now.advanced(bySeconds: -3600))
    }
    #expect(try #require(stage.only()).score.recentTradeCount == 0)
  }

  @Test func `lifetimes are counted when opportunities close`() throws {
    let stage = try Stage()
    let place = try market(stage)
    for milliseconds in [100, 150, 2000] as [Int64] {
      try stage.set(place, 1, asks: [("0.50", "100")])
      stage.scan()
      stage.now = stage.now.advanced(byNanoseconds: milliseconds * 1_000_000)
      try stage.set(place, 1)
      stage.scan()
    }
    let lifetimes = try #require(stage.scanner.board.lifetimes[.binary])
    #expect(lifetimes.total == 3 && lifetimes.medianMilliseconds == 256)
  }
}
