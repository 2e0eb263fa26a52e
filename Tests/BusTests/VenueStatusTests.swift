import Bus
import Market
import Testing

@Suite struct VenueStatusTests {
  private let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

  private func written(_ body: (MessagePackWriter) -> Void) -> [UInt8] {
    let writer = MessagePackWriter(capacity: 64)
    body(writer)
    return Array(writer.written)
  }

  private func read<Value>(
    _ bytes: [UInt8], _ body: (inout MessagePackReader) throws -> Value
  ) throws -> Value {
    try bytes.withUnsafeBytes { bytes in
      var reader = MessagePackReader(bytes)
      return try body(&reader)
    }
  }

  @Test(arguments: VenueState.allCases)
  func `a status comes over the wire as it was`(state: VenueState) throws {
    let message = VenueStatusMessage(
      venue: .kalshi, publisher: "ingestor-kalshi", state: state, reason: "because", since: now,
      time: now.advanced(bySeconds: 3))
    let bytes = written { message.encode($0) }
    let told = try read(bytes) { reader in try VenueStatusMessage(&reader) }
    #expect(told == message)
  }

  @Test func `a state that is not known takes no orders, and what a later version adds is passed over`() throws {
    let bytes = written { writer in
      writer.array(7)
      writer.unsigned(0)
      writer.text("p")
      writer.unsigned(77)
      writer.text("new")
      writer.integer(1)
      writer.integer(2)
      writer.text("more")
    }
    let message = try read(bytes) { reader in try VenueStatusMessage(&reader) }
    #expect(!message.state.takesOrders && message.reason == "new")
    #expect(VenueState.allCases.filter(\.takesOrders) == [.open])
    #expect(VenueState.allCases.filter(\.takesUnwinds) == [.open, .unreachable])
  }

  @Test func `a trade says whether its size was found elsewhere, and older publishers say nothing of it`() throws {
    var trade = Trade(
      instrument: InstrumentID(venue: .polymarket, symbol: "71"), price: Price(raw: 1), quantity: Quantity(raw: 2),
      takerSide: .sell, time: now)
    trade.sizeBackfilled = true
    let bytes = written { TradeMessage.encode([trade], $0) }
    let told = try read(bytes) { reader in try TradeMessage.readList(&reader) }
    #expect(told == [trade])
    let old = written { writer in
      writer.array(1)
      writer.array(6)
      writer.unsigned(0)
      writer.text("71")
      writer.integer(1)
      writer.null()
      writer.unsigned(1)
      writer.integer(now.nanoseconds)
    }
    let older = try read(old) { reader in try TradeMessage.readList(&reader) }
    #expect(older.count == 1 && older.first?.sizeBackfilled == false && older.first?.quantity == nil)
  }
}
