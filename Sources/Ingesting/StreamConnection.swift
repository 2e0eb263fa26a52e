internal import Web

/// One WebSocket of an ingestor.
///
/// idle → connecting (an attempt was started) → open (subscribed) → idle (lost, silent, or refused), each time with a
/// longer wait until a message has come.
struct StreamConnection {
  enum State {
    case idle
    case connecting
    case open
  }

  var state = State.idle
  var peer: WebSocketPeer?
  /// Which attempt the present one is: the outcome of an older one is thrown away.
  var attempt = 0
  var failures = 0
  /// When the next attempt is due, in monotonic nanoseconds.
  var dueAt: Int64 = 0
  var openedAt: Int64 = 0
  /// When it last brought more than a sign of life.
  private(set) var dataAt: Int64 = 0
  /// How busy it is.
  var pace = StreamPace()
  /// Since when it does not tell what happens; 0 while it does, and before it was ever lost.
  var lostAt: Int64 = 0
  /// When what it watches is polled again while it is down.
  var pollDueAt: Int64 = 0
  /// Its place in the poller while it is open; −1 otherwise.
  var place = -1
  /// How often it was opened.
  var openCount = 0

  /// Takes more than a sign of life.
  mutating func heard(_ now: Int64) {
    dataAt = now
    pace.heard(now)
  }

  /// The counter of an error.
  static func name(of error: WebSocketError) -> String {
    switch error.code {
    case .resolve: "dns"
    case .connect: "connect"
    case .tls: "tls"
    case .timeout: "timeout"
    case .refused: error.httpStatus == 429 || error.httpStatus == 418 ? "limit" : "status"
    case .disconnected, .closed: "lost"
    case .protocol: "malformed"
    case .invalidRequest, .cancelled, .backlog, .internal: "other"
    }
  }

  /// How long to wait before the next attempt: doubling from 100 ms to 10 s, with up to half of it at random.
  static func backoffNanoseconds(failures: Int, random: UInt64) -> Int64 {
    let base = min(Int64(100) << Int64(min(failures, 7)), 10_000) * 1_000_000
    return base / 2 + Int64(random % UInt64(base / 2 + 1))
  }
}
