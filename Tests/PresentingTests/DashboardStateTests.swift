import Bus
import Foundation
import Market
import Presenting
import Testing
import Web

private func row(_ name: String, state: String = "RUNNING", ready: Bool = true, restarts: Int = 0) -> ProcessMessage {
  ProcessMessage(
    name: name, group: name, state: state, pid: state == "RUNNING" ? 4711 : 0, startedAt: noon, restarts: restarts,
    isReady: ready, exitStatus: nil, description: "")
}

private func profit(
  at time: Timestamp, equity: Int = 10_064, parts: [ProfitMessage.Part] = []
) throws -> ProfitMessage {
  ProfitMessage(
    time: time, cash: Money(dollars: 9000), deposits: Money(dollars: 10_000), equity: Money(dollars: equity),
    realised: try Money("77.41"), unrealised: try Money("46.68"), fees: try Money("59.91"), rounding: try Money("0.18"),
    fillsBooked: 3, pendingMarkets: 2, parts: parts)
}

private func position(_ symbol: String, quantity: Int) -> PositionMessage {
  PositionMessage(
    strategy: .binary, instrument: InstrumentID(venue: .polymarket, symbol: symbol), marketID: "m1",
    question: "Will it?", outcome: "Yes", quantity: Quantity(units: quantity), cost: Money(dollars: 45),
    inSets: .zero, value: Money(dollars: 50))
}

private func order(_ id: String, _ state: OrderState, at milliseconds: Int64) throws -> Order {
  var order = Order(
    id: id, opportunityID: 1, strategy: .binary, instrument: InstrumentID(venue: .polymarket, symbol: "7001"),
    marketID: "m1", side: .buy, limit: try Price("0.45"), quantity: Quantity(units: 100), timeInForce: .fak,
    isUnwind: false, createdAt: noon)
  order.state = state
  order.updatedAt = noon(plus: milliseconds)
  return order
}

private func fill(_ sequence: Int64) throws -> Fill {
  var fill = Fill(
    orderID: "o\(sequence)", strategy: .binary, instrument: InstrumentID(venue: .polymarket, symbol: "7001"),
    marketID: "m1", side: .buy, price: try Price("0.45"), quantity: Quantity(units: 10), fee: .zero, time: noon)
  fill.sequence = sequence
  return fill
}

@Suite struct DashboardStateTests {
  private var state = DashboardState(startedAt: noon)

  @Test mutating func `a venue's state is told with its reason, until its ingestor is gone`() throws {
    let message = VenueStatusMessage(
      venue: .kalshi, publisher: "ingestor-kalshi", state: .paused, reason: "weekly pause", since: noon, time: noon)
    let writer = MessagePackWriter(capacity: 64)
    message.encode(writer)
    Array(writer.written).withUnsafeBytes { bytes in
      var reader = MessagePackReader(bytes)
      state.take(topic: "venue/kalshi/ingestor-kalshi", epoch: 1, body: &reader, now: noon)
    }
    let told = try #require(try JSONDocument(state.json(name: "d", now: noon)).root["venues"]?[0])
    #expect(told["state"]?.string == "paused" && told["reason"]?.string == "weekly pause")
    #expect(
      state.metrics(now: noon).contains(
        #"bulkhead_venue_open{venue="kalshi",process="ingestor-kalshi",state="paused"} 0"#))
    state.add(row("ingestor-kalshi", state: "REMOVED"))
    #expect(state.venues.isEmpty)
  }

  @Test mutating func `the process table follows its rows, and forgets what is removed`() {
    state.add(row("scanner", state: "STARTING", ready: false))
    state.add(row("scanner", restarts: 1))
    state.add(row("settler"))
    #expect(state.sortedProcesses.map(\.name) == ["scanner", "settler"])
    #expect(state.processes["scanner"]?.restarts == 1)
    state.add(row("settler", state: "REMOVED"))
    #expect(state.sortedProcesses.map(\.name) == ["scanner"])
  }

  @Test mutating func `alerts are kept, the newest first, and one that comes again counts once`() throws {
    for number in 0..<60 {
      let alert = AlertMessage(time: noon(plus: Int64(number)), subject: "scanner", text: "watchdog \(number)")
      state.add(alert)
      state.add(alert)
    }
    #expect(state.alertCount == 60)
    let root = try JSONDocument(state.json(name: "dashboard", now: noon)).root
    #expect(root["alerts"]?.count == DashboardState.alertsMax)
    #expect(root["alerts"]?[0]?["text"]?.string == "watchdog 59")
    #expect(state.metrics(now: noon).contains("bulkhead_alerts_total 60\n"))
  }

  @Test mutating func `an opportunity is open until it closes, and counts once`() throws {
    state.add(try opportunity(1, .opened, found: noon))
    state.add(try opportunity(1, .changed, found: noon, updated: noon(plus: 5)))
    state.add(try opportunity(2, .opened, kind: .negRiskBuyYes, found: noon))
    #expect(state.open.count == 2)
    state.add(try opportunity(1, .closed, found: noon, updated: noon(plus: 9)))
    state.add(try opportunity(1, .closed, found: noon, updated: noon(plus: 9)))
    // Of the snapshot, overtaken by the end.
    state.add(try opportunity(1, .changed, found: noon, updated: noon(plus: 7)))
    #expect(Array(state.open.keys) == [2])
    #expect(state.closed.map(\.id) == [1])
    #expect(state.opened == [.binary: 1, .negRisk: 1])
  }

  @Test mutating func `what a scanner found is void once it starts anew`() throws {
    let (old, new): (UInt64, UInt64) = (1_750_000_000_000_000_000, 1_750_000_007_000_000_000)
    let other: UInt64 = 1_750_000_003_000_000_000
    func id(_ epoch: UInt64, _ number: UInt64) -> UInt64 { (epoch / 1_000_000_000) << 32 | number }
    state.add(HealthMessage(name: "scanner", counters: [:]), epoch: old, now: noon)
    state.add(try opportunity(id(old, 1), found: noon))
    state.add(try opportunity(id(other, 1), found: noon))
    state.add(HealthMessage(name: "scanner", counters: [:]), epoch: old, now: noon(plus: 1000))
    #expect(state.open.count == 2)
    state.add(try opportunity(id(new, 1), found: noon(plus: 7000)))
    state.add(HealthMessage(name: "scanner", counters: [:]), epoch: new, now: noon(plus: 8000))
    #expect(Set(state.open.keys) == [id(other, 1), id(new, 1)])
  }

  @Test mutating func `positions of nothing are forgotten, and those of an earlier settler too`() throws {
    state.add(position("a", quantity: 5), epoch: 1)
    state.add(position("b", quantity: 7), epoch: 1)
    state.add(position("a", quantity: 0), epoch: 1)
    state.add(try profit(at: noon), epoch: 1)
    #expect(state.sortedPositions.map(\.instrument.symbol) == ["b"])
    state.add(position("c", quantity: 1), epoch: 2)
    state.add(try profit(at: noon), epoch: 2)
    #expect(state.sortedPositions.map(\.instrument.symbol) == ["c"])
  }

  @Test mutating func `orders count once, and an older word does not undo a newer one`() throws {
    state.add(try order("x", .sent, at: 1))
    state.add(try order("x", .filled, at: 9))
    state.add(try order("x", .sent, at: 1))
    #expect(state.orderCount == 1)
    #expect(state.recentOrders.map(\.state) == [.filled])
  }

  @Test mutating func `of many orders and fills the newest are kept, and all are counted`() throws {
    for number in 1...1000 {
      state.add(try order("o\(number)", .filled, at: Int64(number)))
      state.add(try fill(Int64(number)))
    }
    #expect(state.orderCount == 1000)
    #expect(state.fillCount == 1000)
    #expect(state.recentFills.count == DashboardState.recentMax)
    #expect(state.recentFills.first?.sequence == 1000)
  }

  @Test mutating func `the line of equity covers everything with a limited number of points`() throws {
    for second in 0..<5000 { state.add(try profit(at: noon(plus: Int64(second) * 1000), equity: second), epoch: 1) }
    #expect(state.points.count <= DashboardState.pointsMax)
    #expect(state.points.count > DashboardState.pointsMax / 3)
    #expect(state.points.first?.equity == .zero)
    #expect(try #require(state.points.last).equity > Money(dollars: 4950))
  }

  @Test mutating func `messages a second are those between two reports of one run`() {
    func report(_ count: Int64, epoch: UInt64, at milliseconds: Int64) -> Double? {
      state.add(
        HealthMessage(name: "x", counters: ["messages_published": count]), epoch: epoch, now: noon(plus: milliseconds))
      return state.health["x"]?.messagesPerSecond
    }
    #expect(report(100, epoch: 1, at: 0) == nil)
    #expect(report(1100, epoch: 1, at: 2000) == 500)
    #expect(report(5000, epoch: 2, at: 3000) == nil)
    #expect(report(5010, epoch: 2, at: 4000) == 10)
  }

  @Test mutating func `bytes that are no message are counted`() {
    let bytes: [UInt8] = [0x93, 0xA1, 0x61]
    bytes.withUnsafeBytes { buffer in
      var reader = MessagePackReader(buffer)
      state.take(topic: "fill/polymarket", epoch: 1, body: &reader, now: noon)
    }
    #expect(state.malformedCount == 1)
    #expect(state.fillCount == 0)
  }

  @Test mutating func `the metrics have every figure, and escape what is in labels`() throws {
    state.add(row("scanner", restarts: 3))
    state.add(row("settler", state: "FATAL", ready: false))
    state.add(
      HealthMessage(name: "we\"ird\\", counters: ["books_live": 4172, "messages_received": 9]), epoch: 1, now: noon)
    state.add(try opportunity(1, found: noon))
    state.add(try profit(at: noon), epoch: 1)
    state.add(try fill(118))
    let lines = Set(state.metrics(now: noon(plus: 2500)).split(separator: "\n").map(String.init))
    for line in [
      "bulkhead_process_up{process=\"scanner\"} 1", "bulkhead_process_up{process=\"settler\"} 0",
      "bulkhead_process_restarts_total{process=\"scanner\"} 3",
      "bulkhead_process_uptime_seconds{process=\"scanner\"} 2.5", "bulkhead_books_live 4172",
      "bulkhead_messages_total 9", "bulkhead_opportunities_opened_total{strategy=\"binary\"} 1",
      "bulkhead_opportunities_open{strategy=\"negRisk\"} 0", "bulkhead_fills_total 118",
      "bulkhead_equity_dollars 10064", "bulkhead_unrealised_dollars 46.68", "bulkhead_fees_dollars 59.91",
      "bulkhead_health{process=\"we\\\"ird\\\\\",counter=\"books_live\"} 4172",
      "# TYPE bulkhead_process_restarts_total counter",
    ] {
      #expect(lines.contains(line), "\(line)")
    }
    for line in lines where !line.hasPrefix("#") {
      #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
    }
  }

  @Test mutating func `the JSON has every part, whatever stands in the texts`() throws {
    let empty = try JSONDocument(state.json(name: "dashboard", now: noon)).root
    #expect(empty["profit"]?.isNull == true)
    state.add(row("scanner"))
    state.add(try opportunity(1, event: "</script>\"", found: noon))
    state.add(position("a", quantity: 5), epoch: 1)
    state.add(try profit(at: noon, parts: []), epoch: 1)
    state.add(try fill(1))
    state.add(try order("x", .filled, at: 1))
    let root = try JSONDocument(state.json(name: "dashboard", now: noon(plus: 1500))).root
    #expect(root["name"]?.string == "dashboard")
    #expect(root["processes"]?[0]?["uptime_seconds"]?.numberText == "1.5")
    #expect(root["opportunities"]?[0]?["event"]?.string == "</script>\"")
    #expect(root["opportunities"]?[0]?["legs"]?.count == 2)
    #expect(root["positions"]?[0]?["question"]?.string == "Will it?")
    #expect(root["profit"]?["equity_line"]?.count == 1)
    #expect(root["profit"]?["net"]?.numberText == "64")
    #expect(root["orders"]?[0]?["state"]?.string == "filled")
    #expect(root["counts"]?["fills"]?.integer == 1)
  }
}
