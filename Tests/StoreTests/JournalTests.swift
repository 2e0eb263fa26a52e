import Foundation
import Market
import Store
import TestSupport
import Testing

@Suite struct JournalTests {
  private let directory: ScratchDirectory
  private var path: String { directory.file("journal.db") }

  init() throws { directory = ScratchDirectory() }

  @Test func `an order comes back field by field, also after a restart`() throws {
    var order = try sampleOrder("a")
    order.isUnwind = true
    order.side = .sell
    do { try Journal(path: path).record(orders: [order]) }
    let journal = try Journal(path: path)
    #expect(try journal.order(id: "a") == order)
    #expect(try journal.order(id: "b") == nil)
    #expect(try journal.openOrders() == [order])
  }

  @Test func `an id that was recorded before is a duplicate, and the whole batch is left out`() throws {
    let journal = try Journal(path: path)
    try journal.record(orders: [try sampleOrder("a")])
    let batch = [try sampleOrder("b"), try sampleOrder("a")]
    let error = #expect(throws: StoreError.self) { try journal.record(orders: batch) }
    #expect(error?.code == .duplicate)
    #expect(try journal.orders(limit: 10).map(\.id) == ["a"])
  }

  @Test func `a change of state and its fills are one commit, and may be repeated`() throws {
    let journal = try Journal(path: path)
    var order = try sampleOrder("a")
    try journal.record(orders: [order])
    let first = try sampleFill(of: order, quantity: "40")
    let second = try sampleFill(of: order, price: "0.47", quantity: "20")
    order.state = .sent
    order.filled = try quantity("40")
    #expect(try journal.update(order: order, fills: [first]).map(\.sequence) == [1])
    order.state = .partlyFilled
    order.filled = try quantity("60")
    order.updatedAt = noon.advanced(bySeconds: 1)
    #expect(try journal.update(order: order, fills: [first, second]).map(\.sequence) == [2])
    #expect(try journal.update(order: order, fills: [first, second]).isEmpty)
    #expect(try journal.update(order: order).isEmpty)
    #expect(try journal.order(id: "a") == order)
    #expect(try journal.openOrders().isEmpty)
    let fills = try journal.fills(after: 0, limit: 10)
    #expect(fills.map(\.quantity) == [first.quantity, second.quantity])
    var expected = second
    expected.sequence = 2
    #expect(fills.last == expected)
    #expect(try journal.fills(after: 1, limit: 10) == [expected])
    #expect(try journal.fills(after: 0, limit: 1).map(\.sequence) == [1])
    #expect(try journal.fills(limit: 1) == [expected])
    #expect(try journal.lastSequence() == 2)
  }

  @Test func `two fills that look alike are two fills`() throws {
    let journal = try Journal(path: path)
    var order = try sampleOrder("a")
    try journal.record(orders: [order])
    let fill = try sampleFill(of: order, quantity: "10")
    order.state = .partlyFilled
    order.filled = try quantity("20")
    #expect(try journal.update(order: order, fills: [fill, fill]).map(\.sequence) == [1, 2])
  }

  @Test(arguments: ["unknown order", "other fill", "wrong sum", "reopened", "foreign fill"])
  func `what contradicts the journal is refused and changes nothing`(_ case: String) throws {
    let journal = try Journal(path: path)
    var order = try sampleOrder("a")
    try journal.record(orders: [order])
    let fill = try sampleFill(of: order, quantity: "10")
    order.state = .partlyFilled
    order.filled = try quantity("10")
    try journal.update(order: order, fills: [fill])
    var changed = order
    var fills = [fill]
    switch `case` {
    case "unknown order": changed.id = "z"
    case "other fill": fills[0].price = try price("0.46")
    case "wrong sum": changed.filled = try quantity("11")
    case "reopened": changed.state = .sent
    default:
      fills.append(fill)
      fills[1].orderID = "z"
      changed.filled = try quantity("20")
    }
    let error = #expect(throws: StoreError.self) { try journal.update(order: changed, fills: fills) }
    #expect(error?.code == (`case` == "unknown order" ? .missing : .conflict))
    #expect(try journal.order(id: "a") == order)
    #expect(try journal.lastSequence() == 1)
  }

  @Test func `several changes are one commit, or none`() throws {
    let journal = try Journal(path: path)
    var first = try sampleOrder("a")
    var second = try sampleOrder("b")
    try journal.record(orders: [first, second])
    first.state = .filled
    first.filled = try quantity("100")
    let fill = try sampleFill(of: first, quantity: "100")
    second.state = .filled
    second.filled = try quantity("1")
    #expect(throws: StoreError.self) {
      try journal.update([OrderChange(order: first, fills: [fill]), OrderChange(order: second)])
    }
    #expect(try journal.openOrders().count == 2)
    #expect(try journal.lastSequence() == 0)
    second.state = .unfilled
    second.filled = .zero
    try journal.update([OrderChange(order: first, fills: [fill]), OrderChange(order: second)])
    #expect(try journal.openOrders().isEmpty)
    #expect(try journal.lastSequence() == 1)
  }

  @Test func `sequences rise without gaps through refused changes`() throws {
    let journal = try Journal(path: path)
    for number in 0..<20 {
      var order = try sampleOrder("o\(number)")
      try journal.record(orders: [order])
      order.state = .filled
      order.filled = try quantity(number % 3 == 0 ? "99" : "100")
      let fill = try sampleFill(of: order, quantity: "100")
      _ = try? journal.update(order: order, fills: [fill])
    }
    #expect(try journal.fills(after: 0, limit: 100).map(\.sequence) == Array(1...13))
  }

  @Test func `a reader waits for the writer to make the journal, then follows it`() throws {
    let early = #expect(throws: StoreError.self) { _ = try Journal(readingFrom: path) }
    #expect(early?.code == .notReady)
    let writer = try Journal(path: path)
    let reader = try Journal(readingFrom: path)
    #expect(try reader.openOrders().isEmpty)
    try writer.record(orders: [try sampleOrder("a")])
    #expect(try reader.openOrders().map(\.id) == ["a"])
    #expect(throws: StoreError.self) { try reader.record(orders: [try sampleOrder("b")]) }
  }

  @Test func `a fill whose match failed is taken back once, by a fill of its own`() throws {
    let journal = try Journal(path: path)
    var order = try sampleOrder("a")
    try journal.record(orders: [order])
    order.state = .filled
    order.filled = try quantity("100")
    let fill = try sampleFill(of: order, quantity: "100")
    try journal.update(order: order, fills: [fill])
    let later = noon.advanced(bySeconds: 60)
    let reversal = try journal.reverse(fill: 1, reason: "FAILED on chain", at: later)
    #expect(reversal.sequence == 2)
    #expect(reversal.side == .sell)
    #expect(reversal.price == fill.price && reversal.quantity == fill.quantity && reversal.fee == -fill.fee)
    #expect(try journal.reverse(fill: 1, reason: "again", at: later) == reversal)
    #expect(try journal.fills(after: 0, limit: 10).map(\.sequence) == [1, 2])
    let stored = try journal.order(id: "reversal/1")
    #expect(stored?.state == .filled)
    #expect(stored?.reason == "FAILED on chain")
    #expect(stored?.opportunityID == order.opportunityID)
    let missing = #expect(throws: StoreError.self) { try journal.reverse(fill: 7, reason: "", at: later) }
    #expect(missing?.code == .missing)
    let twice = #expect(throws: StoreError.self) { try journal.reverse(fill: 2, reason: "", at: later) }
    #expect(twice?.code == .conflict)
    #expect(try journal.lastSequence() == 2)
  }

  @Test func `orders are listed newest first`() throws {
    let journal = try Journal(path: path)
    for number in 0..<5 {
      try journal.record(orders: [try sampleOrder("o\(number)", at: noon.advanced(bySeconds: Int64(number)))])
    }
    #expect(try journal.orders(limit: 3).map(\.id) == ["o4", "o3", "o2"])
    #expect(try journal.openOrders().map(\.id) == ["o0", "o1", "o2", "o3", "o4"])
  }

  @Test func `a full disk refuses the order, keeps the rest, and takes it later`() throws {
    var stored = 0
    do {
      let journal = try Journal(path: path, pagesMax: 30)
      var failure: StoreError?
      while failure == nil, stored < 2000 {
        let order = try sampleOrder("o\(stored)")
        do {
          try journal.record(orders: [order])
          stored += 1
        } catch {
          failure = error
        }
      }
      #expect(failure?.code == .full)
      #expect(try journal.openOrders().count == stored)
    }
    let journal = try Journal(path: path)
    try journal.record(orders: [try sampleOrder("o\(stored)")])
    #expect(try journal.openOrders().count == stored + 1)
  }

  @Test func `flags and stuck positions survive a restart`() throws {
    var stuck = StuckPosition(
      orderID: "a", strategy: .binary, instrument: no, marketID: "0xabc", quantity: try quantity("12.5"),
      cost: try money("6.25"), reason: "book is empty", createdAt: noon)
    let kill = Flag(name: Flag.killSwitch, isSet: true, reason: "operator", changedAt: noon)
    do {
      let journal = try Journal(path: path)
      #expect(try journal.flag(Flag.killSwitch) == nil)
      try journal.set(kill)
      stuck.id = try journal.record(stuck: stuck)
    }
    let journal = try Journal(path: path)
    #expect(try journal.flag(Flag.killSwitch) == kill)
    #expect(try journal.stuckPositions() == [stuck])
    let lifted = Flag(name: Flag.killSwitch, isSet: false, reason: "operator", changedAt: noon.advanced(bySeconds: 1))
    try journal.set(lifted)
    #expect(try journal.flags() == [lifted])
  }
}
