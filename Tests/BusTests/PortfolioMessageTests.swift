import Bus
import Market
import Testing

@Suite struct PortfolioMessageTests {
  private func decode<Message>(
    _ writer: MessagePackWriter, _ read: (inout MessagePackReader) throws(MessageError) -> Message
  ) throws -> Message {
    var reader = MessagePackReader(writer.written)
    let message = try read(&reader)
    #expect(reader.isAtEnd)
    return message
  }

  @Test func `a position comes back as it was sent`() throws {
    let message = PositionMessage(
      strategy: .spike, instrument: InstrumentID(venue: .kalshi, symbol: "KX-1"), marketID: "m", question: "Who?",
      outcome: "Yes", quantity: Quantity(raw: -5), cost: Money(raw: -3), inSets: Quantity(raw: -1),
      value: Money(raw: -4))
    let writer = MessagePackWriter()
    message.encode(writer)
    #expect(try decode(writer) { reader throws(MessageError) in try PositionMessage(&reader) } == message)
  }

  @Test(arguments: [true, false]) func `a settlement comes back as it was sent`(hasPrices: Bool) throws {
    var message = SettlementMessage(
      sequence: 9, venue: .polymarket, marketID: "0xabc", round: 2, question: "Up?", method: "consensus",
      payouts: [.one, .zero], received: Money(dollars: 10), realised: Money(raw: -7), sources: 3,
      settledAt: Timestamp(nanoseconds: 1_750_000_000_000_000_000))
    if hasPrices {
      message.startPrice = Price(raw: 6_100_000_000_000)
      message.endPrice = Price(raw: 6_100_000_000_001)
      message.spreadMillionths = 55
    }
    let writer = MessagePackWriter()
    message.encode(writer)
    #expect(try decode(writer) { reader throws(MessageError) in try SettlementMessage(&reader) } == message)
  }

  @Test func `profit and loss come back as they were sent`() throws {
    let part = ProfitMessage.Part(
      strategy: .latency, realised: Money(raw: -1), unrealised: Money(raw: 2), fees: Money(raw: 3))
    let message = ProfitMessage(
      time: Timestamp(nanoseconds: 5), cash: Money(raw: 1), deposits: Money(raw: 2), equity: Money(raw: 3),
      realised: Money(raw: -4), unrealised: Money(raw: 5), fees: Money(raw: 6), rounding: Money(raw: 7),
      fillsBooked: 8, pendingMarkets: 9, parts: [part, part])
    let writer = MessagePackWriter()
    message.encode(writer)
    #expect(try decode(writer) { reader throws(MessageError) in try ProfitMessage(&reader) } == message)
    // A number above the last strategy's.
    let wrong = MessagePackWriter()
    wrong.array(11)
    for _ in 0..<10 { wrong.integer(0) }
    wrong.array(1)
    wrong.array(4)
    for _ in 0..<4 { wrong.integer(200) }
    #expect(throws: MessageError.outOfRange(field: "strategy")) {
      try decode(wrong) { reader throws(MessageError) in try ProfitMessage(&reader) }
    }
  }
}
