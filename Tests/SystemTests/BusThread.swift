import Bus
import Foundation
import TestSupport

/// Hears what a deployment's processes say on a thread of its own, and hands each event over under a lock.
///
/// `@unchecked Sendable`: whether it was stopped is behind the lock, and bus and poller belong to the thread alone.
final class BusThread: @unchecked Sendable {
  private let lock = NSLock()
  private var isStopped = false

  /// What is heard.
  struct Subject {
    var topics: [String]
    var wantsSnapshot = true
    /// Messages that may wait: a test that is slow must not miss any.
    var highWaterMark = 1_000_000
  }

  /// A subscriber is handed to the thread that owns it from then on.
  private struct Box: @unchecked Sendable {
    let subscriber: Subscriber
  }

  /// Begins to hear; once only.
  ///
  /// - Parameters:
  ///   - subject: what is heard.
  ///   - deployment: whose bus.
  ///   - publishers: the processes.
  ///   - take: is handed each event, under the lock.
  ///   - turned: is called after each turn, under the lock, at least ten times a second.
  /// - Throws: `BusError`.
  func hear(
    _ subject: Subject, of deployment: Deployment, publishers: [String],
    _ take: @escaping @Sendable (BusEvent, Subscriber) -> Void,
    turned: @escaping @Sendable (Subscriber) -> Void = { _ in }
  ) throws {
    let subscriber = try Subscriber(
      name: "test-\(UInt32.random(in: 0..<UInt32.max))", topics: subject.topics, wantsSnapshot: subject.wantsSnapshot,
      highWaterMark: subject.highWaterMark)
    for name in publishers {
      try subscriber.connect(BusEndpoint.ipc(name: name, runDirectory: deployment.runDirectory))
    }
    let box = Box(subscriber: subscriber)
    Thread.detachNewThread { [self] in
      let subscriber = box.subscriber
      let poller = Poller()
      poller.add(subscriber)
      while !lock.withLock({ isStopped }) {
        poller.wait(timeoutMilliseconds: 100)
        lock.withLock {
          subscriber.receive(limit: 4096) { take($0, subscriber) }
          turned(subscriber)
        }
      }
    }
  }

  /// Ends the thread, within a tenth of a second.
  func stop() { lock.withLock { isStopped = true } }

  /// Looks at what `take` has kept.
  func withLock<Result>(_ body: () throws -> Result) rethrows -> Result { try lock.withLock(body) }
}
