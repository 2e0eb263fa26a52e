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

    init(_ venue: Venue, withAccount: Bool = false) throws {
      self.venue = venue
      let run = scratch.path + "/run"
      let configuration = """
        [bulkhead]
        run_dir = \(run)
        data_dir = \(scratch.path)/data
        venue_status_s = 1
        [polymarket]
        address = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
        credentials_file = \(scratch.path)/credentials.json
        [executor]
        accounts = \(withAccount ? venue.rawValue : "")
        account_check_s = 1
        [bus]
        publishers = ingestor-\(venue.rawValue),scanner-test
        [simulator]
        markets = 60
        events = 20
        """
      try #"{"apiKey":"k","secret":"AAAA","passphrase":"p"}"#.write(
        toFile: scratch.path + "/credentials.json", atomically: true, encoding: .utf8)
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

    func refused(_ state: VenueState) -> Int64 { executor["rejected_venue_\(state.name)"] ?? 0 }

    /// How many finds went as far as to the market, which nobody knows.
    var admitted: Int64 { executor["rejected_market_unknown"] ?? 0 }

    /// Whether none goes so far any more.
    func admitsNone(_ state: VenueState) -> Bool {
      let (before, other) = (admitted, refused(state))
      return eventually(follow) { refused(state) > other + 20 } && admitted == before
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
    // Before anybody has said that the venue is open, nothing goes to it; then it does.
    #expect(eventually(stage.follow) { stage.states.last == .open })
    #expect(stage.states == [.open] || stage.states == [.unreachable, .open])
    #expect(eventually(stage.follow) { stage.admitted > 0 })
    #expect(stage.refused(state) == 0)

    try stage.set(fault)
    #expect(eventually(stage.follow) { stage.states.last == state })
    #expect(!stage.reason.isEmpty)
    #expect(eventually(stage.follow) { stage.refused(state) > 0 })
    #expect(stage.admitsNone(state))
    #expect(eventually(stage.follow) { stage.executor["venue_open_\(venue.rawValue)"] == 0 })
    #expect(eventually(stage.follow) { stage.ingestor["venue_state"] == Int64(state.rawValue) })

    try stage.clear()
    let before = stage.admitted
    #expect(eventually(stage.follow) { stage.states.last == .open && stage.admitted > before })
    #expect(eventually(stage.follow) { stage.executor["venue_open_\(venue.rawValue)"] == 1 })

    // An ingestor that is gone says nothing any more: that closes the venue, too.
    #expect(stage.workers[2].stop() == 0)
    let silent = stage.refused(.unreachable)
    #expect(eventually(stage.follow) { stage.refused(.unreachable) > silent + 20 })
    stage.stop()
  }

  @Test(arguments: [
    (Venue.polymarket, [#""kind":"status","path":"/ws/user""#, #""kind":"disconnect","path":"/ws/user""#]),
    (.polymarket, [#""kind":"status","path":"/balance-allowance""#]),
    (.kalshi, [#""kind":"wrong_types","path":"/portfolio/balance""#]),
  ])
  func `a venue whose account does not answer gets no orders, until it does again`(
    venue: Venue, faults: [String]
  ) throws {
    let stage = try Stage(venue, withAccount: true)
    #expect(eventually(stage.follow) { stage.states.last == .open && stage.admitted > 0 })
    #expect(stage.executor["account_open_\(venue.rawValue)"] == 1)
    #expect(stage.executor["account_cents_\(venue.rawValue)"] != nil)

    for fault in faults { try stage.set(fault) }
    #expect(eventually(stage.follow) { stage.executor["account_open_\(venue.rawValue)"] == 0 })
    #expect(stage.admitsNone(.unreachable))
    // The venue itself is open: it is the account that closes it here.
    #expect(stage.states.last == .open && stage.executor["venue_open_\(venue.rawValue)"] == 0)

    try stage.clear()
    let before = stage.admitted
    #expect(eventually(stage.follow) { stage.admitted > before })
    stage.stop()
  }
}
