import Bus
import Daemon
import Foundation
import Market
import TestSupport

/// Deadlines of tests: long enough for a machine that is busy with other things.
let patienceSeconds: Int64 = 20

/// What a subscriber told, in a form that can be kept.
enum Heard: Equatable {
  case message(topic: String, isSnapshot: Bool, value: Int64)
  case gap(topic: String, missed: UInt64)
  case restarted(topic: String)
  case end(publisher: String)

  var value: Int64? { if case .message(_, false, let value) = self { value } else { nil } }
  var isGap: Bool { if case .gap = self { true } else { false } }
}

/// A bus of one run directory, driven by hand: no threads but libzmq's own.
final class Bench {
  let scratch = ScratchDirectory()
  var heard: [Heard] = []

  var runDirectory: String { scratch.path }

  func publisher(_ name: String, highWaterMark: Int = 100_000) throws -> Publisher {
    try Publisher(name: name, runDirectory: runDirectory, highWaterMark: highWaterMark)
  }

  func subscriber(
    _ name: String, to publishers: [String], topics: [String], wantsSnapshot: Bool = true, highWaterMark: Int = 100_000
  ) throws -> Subscriber {
    let subscriber = try Subscriber(
      name: name, topics: topics, wantsSnapshot: wantsSnapshot, highWaterMark: highWaterMark)
    for publisher in publishers {
      try subscriber.connect(BusEndpoint.ipc(name: publisher, runDirectory: runDirectory))
    }
    return subscriber
  }

  /// Takes what has come, for messages whose body is one integer.
  func listen(_ subscriber: Subscriber, limit: Int = 100_000) {
    subscriber.receive(limit: limit) { event in
      switch event {
      case .message(let stream, let isSnapshot, _, var body):
        let value = (try? body.integer()) ?? -1
        heard.append(.message(topic: subscriber.topic(of: stream), isSnapshot: isSnapshot, value: value))
      case .gap(let stream, let missed): heard.append(.gap(topic: subscriber.topic(of: stream), missed: missed))
      case .restarted(let stream): heard.append(.restarted(topic: subscriber.topic(of: stream)))
      case .snapshotEnd(let publisher): heard.append(.end(publisher: publisher))
      }
    }
  }
}

/// Turns `step` until `isDone`, at most as long as tests wait; polls what it is given meanwhile.
func wait(_ poller: Poller, until isDone: () -> Bool, _ step: () -> Void) -> Bool {
  let deadline = SystemClock.monotonicNanoseconds + patienceSeconds * 1_000_000_000
  while SystemClock.monotonicNanoseconds < deadline {
    step()
    if isDone() { return true }
    poller.wait(timeoutMilliseconds: 20)
  }
  return false
}
