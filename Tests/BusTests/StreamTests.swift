import Bus
import Daemon
import Market
import TestSupport
import Testing

@Suite(.serialized) struct StreamTests {
  private func poller(_ publishers: [Publisher], _ subscribers: [Subscriber]) -> Poller {
    let poller = Poller()
    for publisher in publishers { poller.add(publisher) }
    for subscriber in subscribers { poller.add(subscriber) }
    return poller
  }

  /// Answers a request for the state with one message of each topic, whose value is the last that was published.
  private func answer(_ publisher: Publisher, _ topics: [(TopicHandle, Int64)]) {
    publisher.processSubscriptions { request in
      for (topic, value) in topics { publisher.publishSnapshot(request, topic) { $0.integer(value) } }
      publisher.endSnapshot(request)
    }
  }

  @Test func `messages arrive whole and in order`() throws {
    let bench = Bench()
    let publisher = try bench.publisher("p")
    let topic = publisher.topic("book/x/p")
    let other = publisher.topic("trade/x/p")
    let subscriber = try bench.subscriber("s", to: ["p"], topics: ["book/"])
    let poller = poller([publisher], [subscriber])
    #expect(
      wait(poller, until: { bench.heard.contains(.end(publisher: "p")) }) {
        answer(publisher, [])
        bench.listen(subscriber)
      })
    bench.heard = []
    for value in 0..<20_000 {
      publisher.publish(topic) { $0.integer(Int64(value)) }
      publisher.publish(other) { $0.integer(-1) }
    }
    #expect(wait(poller, until: { bench.heard.count >= 20_000 }) { bench.listen(subscriber) })
    #expect(bench.heard.compactMap(\.value) == (0..<20_000).map(Int64.init))
    #expect(publisher.sequence(of: topic) == 20_000)
    #expect(subscriber.missedCount == 0)
  }

  @Test func `a late joiner gets the state under a topic of its own, and nobody else does`() throws {
    let bench = Bench()
    let publisher = try bench.publisher("p")
    let topic = publisher.topic("book/x/p")
    for value in 1...5 { publisher.publish(topic) { $0.integer(Int64(value)) } }
    let first = try bench.subscriber("first", to: ["p"], topics: ["book/"])
    #expect(
      wait(poller([publisher], [first]), until: { bench.heard.contains(.end(publisher: "p")) }) {
        answer(publisher, [(topic, 5)])
        bench.listen(first)
      })
    #expect(bench.heard.first == .message(topic: "book/x/p", isSnapshot: true, value: 5))

    let others = Bench()
    let second = try Subscriber(name: "second", topics: ["book/"])
    try second.connect(BusEndpoint.ipc(name: "p", runDirectory: bench.runDirectory))
    #expect(
      wait(poller([publisher], [first, second]), until: { others.heard.contains(.end(publisher: "p")) }) {
        answer(publisher, [(topic, 5)])
        bench.listen(first)
        others.listen(second)
      })
    publisher.publish(topic) { $0.integer(6) }
    #expect(
      wait(poller([publisher], [first, second]), until: { others.heard.last?.value == 6 }) {
        bench.listen(first)
        others.listen(second)
      })
    #expect(wait(poller([publisher], [first]), until: { bench.heard.last?.value == 6 }) { bench.listen(first) })
    #expect(bench.heard.count == 3)
    #expect(first.receivedCount == 3)
    // The sequence goes on from the snapshot: five messages before it are no gap.
    #expect(others.heard.filter(\.isGap).isEmpty)
    #expect(publisher.snapshotRequestCount == 2)
  }

  @Test func `a slow reader sees its gap, and gets the state again without asking twice`() throws {
    let bench = Bench()
    let publisher = try bench.publisher("p", highWaterMark: 10)
    let topic = publisher.topic("book/x/p")
    let subscriber = try bench.subscriber("s", to: ["p"], topics: ["book/"], highWaterMark: 10)
    let poller = poller([publisher], [subscriber])
    #expect(
      wait(poller, until: { bench.heard.contains(.end(publisher: "p")) }) {
        answer(publisher, [])
        bench.listen(subscriber)
      })
    // Far more than two high-water marks and a socket's buffer hold, each of them large.
    let padding = String(repeating: "x", count: 100_000)
    var value: Int64 = 0
    for _ in 0..<2000 {
      value += 1
      publisher.publish(topic) { writer in
        writer.integer(value)
        writer.text(padding)
      }
    }
    bench.heard = []
    var isRestored = false
    #expect(
      wait(poller, until: { isRestored }) {
        answer(publisher, [(topic, value)])
        bench.listen(subscriber)
        // A small sign of life shows the gap at the end of the stream.
        value += 1
        publisher.publish(topic) { $0.integer(value) }
        let gap = bench.heard.lastIndex(where: \.isGap)
        let end = bench.heard.lastIndex(of: .end(publisher: "p"))
        if let gap, let end { isRestored = end > gap }
      })
    #expect(subscriber.missedCount > 0)
    let missed = bench.heard.reduce(UInt64(0)) { sum, event in
      if case .gap(_, let missed) = event { sum + missed } else { sum }
    }
    #expect(missed <= subscriber.missedCount)
    // Nothing is told twice or backwards.
    let values = bench.heard.compactMap(\.value)
    #expect(values == values.sorted() && Set(values).count == values.count)
  }

  @Test func `a snapshot that has lost a part is asked for again`() throws {
    let bench = Bench()
    let publisher = try bench.publisher("p", highWaterMark: 5)
    let topic = publisher.topic("book/x/p")
    let subscriber = try bench.subscriber("s", to: ["p"], topics: ["book/"], highWaterMark: 5)
    let padding = String(repeating: "x", count: 1_000_000)
    var requests = 0
    #expect(
      wait(poller([publisher], [subscriber]), until: { bench.heard.contains(.end(publisher: "p")) }) {
        publisher.processSubscriptions { request in
          requests += 1
          // The first answer is a hundred times what the queues hold.
          for value in 0..<(requests == 1 ? 500 : 1) {
            publisher.publishSnapshot(request, topic) { writer in
              writer.integer(Int64(value))
              writer.text(padding)
            }
          }
          if requests == 1 {
            // The end comes through, the parts do not.
            _ = wait(poller([], [subscriber]), until: { bench.heard.count > 3 }) { bench.listen(subscriber, limit: 1) }
          }
          publisher.endSnapshot(request)
        }
        bench.listen(subscriber)
      })
    #expect(requests >= 2)
    #expect(bench.heard.count < 500)
  }

  @Test func `a publisher that starts anew says so, and its state comes without asking`() throws {
    let bench = Bench()
    var publisher: Publisher? = try bench.publisher("p")
    let subscriber = try bench.subscriber("s", to: ["p"], topics: ["book/"])
    let poller = Poller()
    poller.add(subscriber)
    var topic = publisher?.topic("book/x/p")
    #expect(
      wait(poller, until: { bench.heard.contains(.end(publisher: "p")) }) {
        if let publisher, let topic { answer(publisher, [(topic, 1)]) }
        bench.listen(subscriber)
      })
    let epoch = publisher?.epoch
    bench.heard = []
    publisher = nil
    publisher = try bench.publisher("p")
    topic = publisher?.topic("book/x/p")
    #expect(
      wait(poller, until: { bench.heard.contains(.end(publisher: "p")) }) {
        if let publisher, let topic { answer(publisher, [(topic, 2)]) }
        bench.listen(subscriber)
      })
    #expect(publisher?.epoch != epoch)
    #expect(
      bench.heard == [
        .restarted(topic: "book/x/p"), .message(topic: "book/x/p", isSnapshot: true, value: 2), .end(publisher: "p"),
      ])
  }

  @Test func `a directory connects to the processes that the supervisor announces`() throws {
    let bench = Bench()
    let supervisor = try bench.publisher("supervisor")
    let ingestor = try bench.publisher("ingestor-1")
    let stranger = try bench.publisher("stranger")
    let subscriber = try Subscriber(name: "s", topics: [Topic.process, "book/"])
    let directory = try Directory(subscriber: subscriber, runDirectory: bench.runDirectory, fixed: []) {
      $0.hasPrefix("ingestor")
    }
    let book = ingestor.topic("book/x/ingestor-1")
    let foreign = stranger.topic("book/x/stranger")
    func announce(_ name: String, _ state: String) {
      supervisor.publish(supervisor.topic(Topic.process + name)) { writer in
        ProcessMessage(
          name: name, group: name, state: state, pid: 1, startedAt: Timestamp(nanoseconds: 1), restarts: 0,
          isReady: true, exitStatus: nil, description: ""
        ).encode(writer)
      }
    }
    var value: Int64 = 0
    func step() {
      value += 1
      announce("ingestor-1", "RUNNING")
      announce("stranger", "RUNNING")
      ingestor.publish(book) { $0.integer(value) }
      stranger.publish(foreign) { $0.integer(value) }
      subscriber.receive { event in
        directory.handle(event)
        if case .message(let stream, _, _, _) = event {
          bench.heard.append(.message(topic: subscriber.topic(of: stream), isSnapshot: false, value: 0))
        }
      }
    }
    let fromIngestor = Heard.message(topic: "book/x/ingestor-1", isSnapshot: false, value: 0)
    let fromStranger = Heard.message(topic: "book/x/stranger", isSnapshot: false, value: 0)
    let poller = poller([], [subscriber])
    #expect(wait(poller, until: { bench.heard.contains(fromIngestor) }, step))
    #expect(!bench.heard.contains(fromStranger))
    announce("ingestor-1", "REMOVED")
    #expect(
      wait(poller, until: { bench.heard.isEmpty }) {
        bench.heard = []
        subscriber.receive { event in
          directory.handle(event)
          if case .message(let stream, _, _, _) = event {
            bench.heard.append(.message(topic: subscriber.topic(of: stream), isSnapshot: false, value: 0))
          }
        }
        ingestor.publish(book) { $0.integer(0) }
      })
  }
}
