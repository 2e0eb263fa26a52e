import Market
import Testing

@Suite struct ChainCostsTests {
  private func time(_ text: String) throws -> Timestamp { try Timestamp(rfc3339: text) }

  @Test func `what holds is the newest cost that has begun`() throws {
    let costs = ChainCosts([
      .init(from: try time("2026-06-01"), cost: try Money("0.05")),
      .init(from: try time("2026-01-01"), cost: try Money("0.02")),
    ])
    #expect(try costs.operation(at: .polymarket, time("2025-12-31T23:59:59Z")) == .zero)
    #expect(try costs.operation(at: .polymarket, time("2026-01-01")) == Money("0.02"))
    #expect(try costs.operation(at: .polymarket, time("2026-05-31T23:59:59Z")) == Money("0.02"))
    #expect(try costs.operation(at: .polymarket, time("2026-06-01")) == Money("0.05"))
    #expect(try costs.operation(at: .kalshi, time("2026-06-01")) == .zero)
    #expect(!costs.isFree && ChainCosts.usual.isFree)
    #expect(ChainCosts([.init(from: try time("2026-01-01"), cost: .zero)]).isFree)
  }

  @Test func `a set pays for the operations that it needs, where one of its venues has a chain`() throws {
    let costs = ChainCosts([.init(from: try time("2026-01-01"), cost: try Money("0.02"))])
    let now = try time("2026-02-01")
    func cost(_ kind: OpportunityKind, _ legs: Int, _ venues: [Venue]) -> Money {
      costs.cost(of: kind, legs: legs, venues: venues, at: now)
    }
    #expect(try cost(.binaryBuy, 2, [.polymarket, .polymarket]) == Money("0.02"))
    #expect(cost(.binaryBuy, 2, [.kalshi, .kalshi]) == .zero)
    #expect(try cost(.crossFirst, 2, [.kalshi, .polymarket]) == Money("0.02"))
    // Three splits and one conversion.
    #expect(try cost(.negRiskSellYes, 3, [.polymarket]) == Money("0.08"))
    #expect(try cost(.negRiskConvert, 3, [.polymarket]) == Money("0.02"))
  }
}
