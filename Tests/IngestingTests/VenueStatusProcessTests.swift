import Bus
import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Web

/// Whether a venue takes orders, from the simulator through the ingestor to the executor, as processes (X4).
@Suite(.serialized) struct VenueStatusProcessTests {
  /// The three processes, with a scanner that the test plays.
  private final class Stage {
    let scratch = ScratchDirectory()
    let scanner: Publisher
    let find: TopicHandle
    let subscriber: Subscriber
    let venue: Venue
    var workers: [Worker] = []
    /// The states that the ingestor has told, each once in a row.
    var states: [VenueState] = []
    var reason = ""
    var ingestor: [String: Int64] = [:]
    var executor: [String: Int64] = [:]
    private var nextID: UInt64 = 1

    init(_ venue: Venue) throws {
      self.venue = venue
      let run = scratch.path + "/run"
      let configuration = """
        [bulkhead]
        run_dir = \(run)
        data_dir = \(scratch.path)/data
        venue_status_s = 1
        [bus]
        publishers = ingestor-\(venue.rawValue),scanner-test
        [simulator]
        markets = 60
        events = 20
        """
      scanner = try Publisher(name: "scanner-test", runDirectory: run)
      find = scanner.topic(Topic.opportunity + "binary")
      subscriber = try Subscriber(name: "test", topics: [Topic.venue, Topic.health])
      for name in ["ingestor-\(venue.rawValue)", "executor"] {
        try subscriber.connect(BusEndpoint.ipc(name: name, runDirectory: run))
      }
      for (program, arguments, name) in [
        ("simulator", [], "simulator"), ("executor", [], "executor"),
        ("ingestor", [venue.rawValue], "ingestor-\(venue.rawValue)"),
      ] {
        workers.append(
          try Worker(
            program, arguments, configuration: configuration, directory: scratch.path,
            environment: ["BULKHEAD_NAME": name]))
      }
    }

    /// Publishes a find of a market that nobody knows: an executor that takes orders for the venue says just that.
    func follow() {
      scanner.processSubscriptions { scanner.endSnapshot($0) }
      let now = SystemClock.now
      let leg = Leg(
        instrument: InstrumentID(venue: venue, symbol: "x"), marketID: "x", side: .buy, limit: Price(raw: 1_000_000),
        quantity: Quantity(raw: 1_000_000_000), notional: Money(raw: 1), fee: .zero)
      let opportunity = Opportunity(
        id: nextID, state: .opened, kind: .binaryBuy, eventID: "x", legs: [leg], payout: Money(raw: 10),
        cost: Money(raw: 1), foundAt: now, updatedAt: now, venueTime: now)
      nextID += 1
      scanner.publish(find) { opportunity.encode($0) }
      subscriber.receive { event in
        guard case .message(let stream, _, _, var body) = event else { return }
        if subscriber.topic(of: stream).hasPrefix(Topic.venue) {
          guard let status = try? VenueStatusMessage(&body) else { return }
          reason = status.reason
          if states.last != status.state { states.append(status.state) }
        } else if let message = try? HealthMessage(&body) {
          if message.name == "executor" { executor = message.counters } else { ingestor = message.counters }
        }
      }
    }

    func set(_ members: String) throws {
      let address = try String(contentsOfFile: scratch.path + "/run/simulator.address", encoding: .utf8)
      let url = "http://\(address.trimmingCharacters(in: .whitespacesAndNewlines))/faults"
      let body = "{\"venue\":\"\(venue.rawValue)\",\(members)}"
      let answer = try HTTPClient().sendBlocking(HTTPRequest(method: "POST", url: url, body: Array(body.utf8)))
      guard answer.status == 201 else { throw Overdue("a fault: \(answer.text)") }
    }

    func clear() throws {
      let address = try String(contentsOfFile: scratch.path + "/run/simulator.address", encoding: .utf8)
      let url = "http://\(address.trimmingCharacters(in: .whitespacesAndNewlines))/faults?venue=all"
      _ = try HTTPClient().sendBlocking(HTTPRequest(method: "DELETE", url: url))
    }

    func stop() { for worker in workers.reversed() { #expect(worker.stop() == 0) } }
  }

  @Test(arguments: [
    (Venue.polymarket, #""kind":"status","value":425"#, VenueState.restarting),
    (.kalshi, #""kind":"pause""#, .paused),
  ])
  func `a venue that takes no orders gets none, until it does again`(
    venue: Venue, fault: String, state: VenueState
  ) throws {
    let stage = try Stage(venue)
    func refused(_ state: VenueState) -> Int64 { stage.executor["rejected_venue_\(state.name)"] ?? 0 }
    func unknown() -> Int64 { stage.executor["rejected_market_unknown"] ?? 0 }
    func stagnates(_ count: () -> Int64) -> Bool {
      let before = count()
      let other = refused(state)
      return eventually(stage.follow) { refused(state) > other + 20 } && count() == before
    }
    // Before anybody has said that the venue is open, nothing goes to it; then it does.
    #expect(eventually(stage.follow) { stage.states.last == .open })
    #expect(stage.states == [.open] || stage.states == [.unreachable, .open])
    #expect(eventually(stage.follow) { unknown() > 0 })
    #expect(refused(state) == 0)

    try stage.set(fault)
    #expect(eventually(stage.follow) { stage.states.last == state })
    #expect(!stage.reason.isEmpty)
    #expect(eventually(stage.follow) { refused(state) > 0 })
    #expect(stagnates(unknown))
    #expect(eventually(stage.follow) { stage.executor["venue_open_\(venue.rawValue)"] == 0 })
    #expect(eventually(stage.follow) { stage.ingestor["venue_state"] == Int64(state.rawValue) })

    try stage.clear()
    let before = unknown()
    #expect(eventually(stage.follow) { stage.states.last == .open && unknown() > before })
    #expect(eventually(stage.follow) { stage.executor["venue_open_\(venue.rawValue)"] == 1 })

    // An ingestor that is gone says nothing any more: that closes the venue, too.
    #expect(stage.workers[2].stop() == 0)
    let silent = refused(.unreachable)
    #expect(eventually(stage.follow) { refused(.unreachable) > silent + 20 })
    stage.stop()
  }
}
