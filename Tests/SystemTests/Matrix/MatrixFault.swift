import Market

/// The simulator's faults, as its board names them.
enum MatrixFault: String, CaseIterable, Sendable {
  case latency, timeout, status
  case rateLimit = "rate_limit"
  case ownLimit = "own_limit"
  case ban, truncate
  case wrongTypes = "wrong_types"
  case staleTrades = "stale_trades"
  case missingSizes = "missing_sizes"
  case drop, duplicate, reorder, gap, freeze
  case halfOpen = "half_open"
  case disconnect, dns, tls, refuse

  /// What is asked of the board.
  var body: String {
    switch self {
    case .latency: "\"kind\":\"latency\",\"value\":3000"
    case .rateLimit: "\"kind\":\"rate_limit\",\"value\":\(Self.patienceSeconds)"
    case .ban: "\"kind\":\"ban\",\"value\":\(Self.patienceSeconds)"
    case .drop, .duplicate: "\"kind\":\"\(rawValue)\",\"share_percent\":30"
    case .reorder: "\"kind\":\"reorder\",\"value\":20,\"share_percent\":20"
    case .gap: "\"kind\":\"gap\",\"value\":5,\"share_percent\":10"
    default: "\"kind\":\"\(rawValue)\""
    }
  }

  /// How long the venue asks to be left alone.
  static let patienceSeconds: Int64 = 10

  /// Whether it is found by whoever connects or asks: streams are dropped with it, so that there is a reason to.
  var isOfRequests: Bool {
    switch self {
    case .timeout, .status, .rateLimit, .ownLimit, .ban, .dns, .tls, .refuse: true
    default: false
    }
  }
}

/// What shows that a process has seen a fault.
struct Sighting: Sendable {
  /// Which process.
  let process: String
  /// Its counters: each of these, or of those between bars one, must grow while the fault is on.
  let counters: [String]
  /// What its log names, where a message was refused: venue and kind.
  var words = ""
}

/// What a venue makes of a fault.
enum MatrixCell: Sendable {
  case applies(Sighting)
  /// It cannot strike here, or leaves no trace, and why.
  case doesNotApply(String)

  /// The table: every fault, every venue.
  static func of(_ fault: MatrixFault, _ venue: Venue) -> MatrixCell {
    switch venue {
    case .coingecko: coinGecko(fault)
    case .polymarket: polymarket(fault)
    case .kalshi: kalshi(fault)
    default: exchange(fault, venue)
    }
  }

  private static func shared(_ fault: MatrixFault, _ venue: Venue) -> Sighting? {
    let name = "ingestor-\(venue.rawValue)"
    func both(_ kind: String, orBusy: Bool = false) -> Sighting {
      // An exchange that has failed often is not asked at all: its breaker is open.
      let request = "request_failures_\(kind)|rest_requests_refused" + (orBusy ? "|request_failures_busy" : "")
      return Sighting(process: name, counters: ["stream_failures_\(kind)", request])
    }
    switch fault {
    case .latency: return Sighting(process: name, counters: ["late"])
    case .timeout: return both("timeout")
    case .status: return both("status", orBusy: true)
    case .rateLimit, .ban, .ownLimit: return both("limit", orBusy: true)
    case .truncate, .wrongTypes, .missingSizes:
      return Sighting(process: name, counters: ["refused"], words: venue.rawValue)
    case .staleTrades: return Sighting(process: name, counters: ["trades_too_old"])
    case .freeze: return Sighting(process: name, counters: ["frozen"])
    case .halfOpen: return Sighting(process: name, counters: ["stream_failures_silent"])
    case .disconnect: return Sighting(process: name, counters: ["stream_failures_lost", "reconnections"])
    case .dns: return both("dns")
    case .tls: return both("tls")
    case .refuse: return both("connect")
    case .drop, .duplicate, .reorder, .gap: return nil
    }
  }

  private static func exchange(_ fault: MatrixFault, _ venue: Venue) -> MatrixCell {
    let name = "ingestor-\(venue.rawValue)"
    let isNumbered = venue == .binance || venue == .coinbase || venue == .kraken
    switch fault {
    case .ownLimit where venue == .kraken || venue == .bybit:
      // They say so with HTTP 200, which to a handshake is no agreement.
      return .applies(
        Sighting(process: name, counters: ["stream_failures_status", "request_failures_busy|rest_requests_refused"]))
    case .drop, .gap:
      guard isNumbered else { return .doesNotApply("trades have no running numbers; each message is whole") }
      return .applies(Sighting(process: name, counters: ["trades_missed"]))
    case .duplicate: return .applies(Sighting(process: name, counters: ["trades_repeated"]))
    case .reorder:
      return .applies(Sighting(process: name, counters: [isNumbered ? "trades_reordered" : "tickers_late"]))
    default: return shared(fault, venue).map { .applies($0) } ?? .doesNotApply("")
    }
  }

  private static func polymarket(_ fault: MatrixFault) -> MatrixCell {
    switch fault {
    case .drop, .gap, .reorder:
      .applies(Sighting(process: "ingestor-polymarket", counters: ["sampled_different"]))
    case .duplicate: .doesNotApply("changes are new totals and trades have no numbers: a repetition says nothing new")
    default: shared(fault, .polymarket).map { .applies($0) } ?? .doesNotApply("")
    }
  }

  private static func kalshi(_ fault: MatrixFault) -> MatrixCell {
    switch fault {
    case .drop, .gap, .reorder: .applies(Sighting(process: "ingestor-kalshi", counters: ["gaps"]))
    case .duplicate: .applies(Sighting(process: "ingestor-kalshi", counters: ["repetitions"]))
    default: shared(fault, .kalshi).map { .applies($0) } ?? .doesNotApply("")
    }
  }

  private static func coinGecko(_ fault: MatrixFault) -> MatrixCell {
    let kind: String
    switch fault {
    case .latency, .timeout, .halfOpen: kind = "timeout"
    case .status: kind = "status"
    case .rateLimit, .ownLimit, .ban: kind = "limit"
    case .truncate, .wrongTypes: kind = "malformed"
    case .dns: kind = "dns"
    case .tls: kind = "tls"
    case .refuse: kind = "connect"
    case .staleTrades, .missingSizes: return .doesNotApply("it tells prices only: no trades and no sizes")
    case .drop, .duplicate, .reorder, .gap, .freeze, .disconnect: return .doesNotApply("it has no stream")
    }
    return .applies(
      Sighting(process: "ingestor-gecko", counters: ["coingecko_failures_\(kind)"], words: "coingecko "))
  }
}
