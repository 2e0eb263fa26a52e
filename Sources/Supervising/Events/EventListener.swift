/// What one event listener says and is told: a pure state machine.
package struct EventListener: Sendable {
  /// Where it stands; names are supervisord's.
  package enum State: String, Sendable {
    /// It has answered, or has just begun. Left for READY when it says `READY`, for UNKNOWN when it says anything else.
    case acknowledged = "ACKNOWLEDGED"
    /// It waits for an event. Left for BUSY when it gets one, for UNKNOWN when it says anything.
    case ready = "READY"
    /// It has an event. Left for ACKNOWLEDGED when it has answered, for UNKNOWN when the answer is none.
    case busy = "BUSY"
    /// It has broken the protocol, and gets no more events. Left when it is started again, for ACKNOWLEDGED.
    case unknown = "UNKNOWN"
  }

  /// What came of its words.
  package enum Outcome: Equatable, Sendable {
    /// Its event is done.
    case done
    /// It refused its event.
    case refused
    /// It broke the protocol; an event that it had is not done.
    case broken
  }

  /// The most that is kept of an answer, in bytes.
  package static let answerMax = 1 << 20
  private static let readyToken = Array("READY\n".utf8)

  package private(set) var state = State.acknowledged
  /// Whether the process is RUNNING: before, it gets no events.
  package var isRunning = false
  private var buffer: [UInt8] = []
  private var resultLength: Int?

  package var canTake: Bool { isRunning && state == .ready }

  /// It has been started anew.
  package mutating func restart() {
    self = EventListener()
  }

  /// It has an event.
  package mutating func give() { state = .busy }

  /// It did not get the event after all.
  package mutating func takeBack() { state = .ready }

  /// It has said something.
  /// - Parameter bytes: what, whole or in part.
  /// - Returns: what came of it, in this order.
  package mutating func hear(_ bytes: [UInt8]) -> [Outcome] {
    guard state != .unknown else { return [] }
    buffer += bytes
    var outcomes: [Outcome] = []
    while let outcome = step() {
      if let outcome { outcomes.append(outcome) }
      if state == .unknown { break }
    }
    return outcomes
  }

  /// Takes one piece of what it has said; nil where there is no whole one.
  private mutating func step() -> Outcome?? {
    switch state {
    case .unknown: return nil
    case .ready: return buffer.isEmpty ? nil : .some(fail())
    case .acknowledged:
      guard buffer.count >= Self.readyToken.count else { return nil }
      guard buffer.starts(with: Self.readyToken) else { return .some(fail()) }
      buffer.removeFirst(Self.readyToken.count)
      state = .ready
      return .some(nil)
    case .busy:
      if let length = resultLength { return result(length) }
      guard let end = buffer.firstIndex(of: 0x0A) else {
        return buffer.count > Self.answerMax ? .some(fail()) : nil
      }
      // The word RESULT itself is not looked at, as in supervisord.
      let digits = String(decoding: buffer[..<end].dropFirst("RESULT ".utf8.count), as: UTF8.self)
      guard let length = Int(digits.filter { !$0.isWhitespace }), (0...Self.answerMax).contains(length) else {
        return .some(fail())
      }
      buffer.removeFirst(end + 1)
      resultLength = length
      return .some(nil)
    }
  }

  private mutating func result(_ length: Int) -> Outcome?? {
    guard buffer.count >= length else { return nil }
    let isDone = Array(buffer[..<length]) == Array("OK".utf8)
    buffer.removeFirst(length)
    resultLength = nil
    state = .acknowledged
    return .some(isDone ? .done : .refused)
  }

  private mutating func fail() -> Outcome {
    state = .unknown
    buffer = []
    resultLength = nil
    return .broken
  }
}
