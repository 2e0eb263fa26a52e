package import Market

/// What goes wrong.
package enum FaultKind: String, CaseIterable, Sendable {
  /// Answers and frames come so many milliseconds late.
  case latency
  /// Requests are never answered.
  case timeout
  /// Requests are answered with an HTTP status.
  case status
  /// HTTP 429 with `Retry-After`, in seconds.
  case rateLimit = "rate_limit"
  /// The venue's own words for too many requests: Kraken's error list and Bybit's code come with HTTP 200.
  case ownLimit = "own_limit"
  /// The exchange has stopped trading: it says so where that can be asked, and refuses orders.
  case pause
  /// HTTP 418 with `Retry-After`, in seconds.
  case ban
  /// The second half of each answer and frame is missing.
  case truncate
  /// Numbers are words, and texts of numbers are `true`.
  case wrongTypes = "wrong_types"
  /// Trades are so many days old.
  case staleTrades = "stale_trades"
  /// Sizes are missing.
  case missingSizes = "missing_sizes"
  /// Frames are lost.
  case drop
  /// Frames come twice.
  case duplicate
  /// A frame comes after so many that follow it.
  case reorder
  /// So many frames in a row are lost.
  case gap
  /// Streams tell nothing new, but still answer pings.
  case freeze
  /// Connections are taken, and then nothing ever comes, without an end.
  case halfOpen = "half_open"
  /// All streams are dropped at once.
  case disconnect
  /// Names do not resolve.
  case dns
  /// Nobody speaks TLS where it is wanted.
  case tls
  /// Connections are refused.
  case refuse

  /// What the value is where none is given; nil where it takes none.
  package var valueDefault: Int64? {
    switch self {
    case .latency: 2000
    case .status: 503
    case .rateLimit: 5
    case .ban: 120
    case .staleTrades: 60
    case .gap: 10
    case .reorder: 1
    default: nil
    }
  }

  /// What values it takes.
  package var valueRange: ClosedRange<Int64> {
    switch self {
    case .latency: 1...600_000
    case .status: 400...599
    case .rateLimit, .ban: 0...259_200
    case .staleTrades: 1...10_000
    case .gap: 1...100_000
    case .reorder: 1...1000
    default: 0...0
    }
  }

  /// How many per cent are hit where nothing is said.
  package var shareDefault: Int {
    switch self {
    case .drop, .duplicate, .reorder: 10
    case .gap: 2
    default: 100
    }
  }

  /// Whether it is what a client finds before it has a connection: where it leads is told to it by a file.
  package var isOfEndpoint: Bool { self == .dns || self == .tls || self == .refuse }

  /// Whether it changes what a payload says.
  var isOfContent: Bool {
    switch self {
    case .truncate, .wrongTypes, .staleTrades, .missingSizes: true
    default: false
    }
  }
}

/// A fault of a venue, and how often it struck.
package struct Fault: Sendable {
  package let id: Int
  /// Nil for all venues.
  package let venue: Venue?
  package let kind: FaultKind
  /// By its kind: milliseconds, a status, seconds, days, frames; 0 where it has none.
  package let value: Int64
  /// Of a hundred.
  package let share: Int
  /// Only requests and streams whose target holds this.
  package let path: String
  /// Only requests whose target and frames whose text hold this, in any case.
  package let symbol: String
  package let startedAt: Timestamp
  /// Nil for until it is cleared.
  package let endsAt: Timestamp?
  package var isActive = true
  /// Requests that it struck, WebSocket handshakes among them.
  package var requests: Int64 = 0
  /// WebSocket handshakes among them.
  package var handshakes: Int64 = 0
  /// Frames that it struck.
  package var frames: Int64 = 0
  /// Open streams that it struck.
  package var streams: Int64 = 0

  func concerns(_ venue: Venue) -> Bool { isActive && (self.venue == nil || self.venue == venue) }

  func concerns(target: String) -> Bool {
    (path.isEmpty || target.contains(path)) && (symbol.isEmpty || target.lowercased().contains(symbol))
  }
}

/// Why a fault was not taken.
package struct FaultRefusal: Error, Sendable {
  package let text: String
}

/// What becomes of a request.
package struct RequestFate: Sendable {
  /// How much later it is answered.
  package var delayMilliseconds: Int64 = 0
  /// Whether it is never answered.
  package var isSilent = false
  /// What is answered instead of the truth.
  package var kind: FaultKind?
  package var value: Int64 = 0
  /// How the answer is changed.
  package var changes: [FaultChange] = []
}

/// What becomes of a frame.
package struct FrameFate: Sendable {
  package var delayMilliseconds: Int64 = 0
  /// How often it is sent.
  package var copies = 1
  /// How many of the next ones go first.
  package var waitsFor: Int64 = 0
  package var changes: [FaultChange] = []
}

/// A change of a payload.
package enum FaultChange: Hashable, Sendable {
  case truncate
  case wrongTypes
  case missingSizes
  case staleTrades(days: Int64)
}
