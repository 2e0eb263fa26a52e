import Market
import Scanning
import TestSupport
import Testing

/// Jumps of the trade price.
struct SpikeTests {
  /// An outcome that was traded at 0.80, with a bid at 0.90 and an ask at 0.93.
  private func stage(bid: String = "0.90", window: Int64 = 10) throws -> (Stage, Int) {
    let stage = try Stage(bookAgeSeconds: 3600) { $0.spikeWindowNanoseconds = window * 1_000_000_000 }
    let market = try stage.add()
    try stage.set(market, 0, bids: [(bid, "100")], asks: [("0.93", "100")])
    stage.trade(market, 0, at: stage.now, price: "0.80", size: "10")
    stage.scan()
    stage.now = stage.now.advanced(bySeconds: 1)
    return (stage, market)
  }

  @Test func `the worked example: 60 at 0.96 after 0.80, and 100 still asked at 0.93`() throws {
    let (stage, market) = try stage()
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    let found = try #require(stage.only())
    #expect(found.kind == .spike)
    #expect(found.payout == (try Money("96")))
    #expect(found.cost == (try Money("93")))
    #expect(found.triggerPrice == (try Price("0.96")))
    #expect(found.probability == 0.96)
  }

  @Test func `a fall of one outcome is a jump of the other`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 1, bids: [("0.92", "50")], asks: [("0.93", "70")])
    stage.trade(market, 0, at: stage.now, price: "0.25", size: "10")
    stage.trade(market, 0, at: stage.now, price: "0.03", size: "80")
    let found = try #require(stage.only())
    #expect(found.legs[0].instrument.symbol.hasSuffix("-no") && found.legs[0].side == .buy)
    #expect(found.triggerPrice == (try Price("0.97")))
  }

  @Test(
    arguments: [
      // price, size, age of the trade in seconds
      ("0.94", "60", Int64(0)), ("0.96", "49.99", 0), ("0.96", nil, 0), ("0.96", "60", 11), ("0.96", "60", 5_184_000),
    ] as [(String, String?, Int64)])
  func `a trade that is too low, too small, without size or too old is none`(
    price: String, size: String?, age: Int64
  ) throws {
    let (stage, market) = try stage()
    stage.trade(market, 0, at: stage.now.advanced(bySeconds: -age), price: price, size: size)
    #expect(stage.scan().isEmpty)
  }

  @Test func `below the trigger a trade is none, however cheap the asks are`() throws {
    let (stage, market) = try stage()
    try stage.set(market, 0, bids: [("0.90", "100")], asks: [("0.91", "100")])
    stage.trade(market, 0, at: stage.now, price: "0.949", size: "60")
    #expect(stage.scan().isEmpty)
    stage.trade(market, 0, at: stage.now, price: "0.95", size: "60")
    #expect(stage.only() != nil)
  }

  @Test func `a jump that is told too late is counted as such`() throws {
    let (stage, market) = try stage()
    stage.now = stage.now.advanced(bySeconds: 60)
    stage.trade(market, 0, at: stage.now.advanced(bySeconds: -12), price: "0.80", size: "10")
    stage.trade(market, 0, at: stage.now.advanced(bySeconds: -11), price: "0.96", size: "60")
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.tradeTooOld] == 1)
  }

  @Test func `without a jump within the window a high price is none`() throws {
    let (stage, market) = try stage()
    stage.now = stage.now.advanced(bySeconds: 60)
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.scan().isEmpty, "what was before is not known")
    stage.now = stage.now.advanced(bySeconds: 1)
    stage.trade(market, 0, at: stage.now, price: "0.97", size: "60")
    #expect(stage.scan().isEmpty, "0.96 to 0.97 is no jump")
  }

  @Test func `a best bid that is far from the trade's price refutes it`() throws {
    let (stage, market) = try stage(bid: "0.85")
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.bookAgainstTrade] > 0)
    // The bids follow.
    try stage.set(market, 0, bids: [("0.86", "100")], asks: [("0.93", "100")])
    #expect(stage.only() != nil)
  }

  @Test func `an empty side of bids is a price of zero`() throws {
    let (stage, market) = try stage()
    try stage.set(market, 0, asks: [("0.93", "100")])
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.bookAgainstTrade] > 0)
  }

  @Test func `two seconds after the trade it means nothing any more`() throws {
    let (stage, market) = try stage()
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.only() != nil)
    #expect(stage.scanner.nextEnd == stage.now.advanced(bySeconds: 2).nanoseconds)
    stage.now = stage.now.advanced(bySeconds: 2)
    #expect(stage.scan().map(\.state) == [.closed], "no book has changed")
    #expect(stage.scanner.nextEnd == Int64.max)
  }

  @Test func `the scan of everything does not take up a spike that is over`() throws {
    let (stage, market) = try stage()
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.only() != nil)
    stage.now = stage.now.advanced(bySeconds: 2)
    #expect(stage.scanAll().map(\.state) == [.closed])
  }

  @Test func `what is asked near the trade's price earns too little`() throws {
    let (stage, market) = try stage()
    stage.trade(market, 0, at: stage.now, price: "0.96", size: "60")
    #expect(stage.only() != nil)
    try stage.set(market, 0, bids: [("0.90", "100")], asks: [("0.95", "100")])
    #expect(stage.scan().map(\.state) == [.closed], "a cent is the least")
  }
}
