public import Market

/// A venue to which no new order goes, and why.
public struct ClosedVenue: Hashable, Sendable {
  /// The worst that is known of it; `unreachable` where nothing is.
  public let state: VenueState
  /// For people.
  public let reason: String

  /// A closed venue by its parts.
  public init(_ state: VenueState, _ reason: String) {
    self.state = state
    self.reason = reason
  }
}

/// Which venues take orders, by what their ingestors say every second (X4).
///
/// It fails closed: a venue of which nothing was heard, or for too long, takes none. Where it has several ingestors, what
/// the venue says of itself holds whoever heard it, and one that sees it open is enough: the books of the others are stale
/// by themselves, so that one of them may start anew while the rest is traded. A pure value: time is passed in.
public struct VenueAdmission: Sendable {
  private struct Word {
    let message: VenueStatusMessage
    let heardAt: Int64
  }

  /// An ingestor that is silent for longer is not believed any more, in nanoseconds.
  public let silenceMaxNanoseconds: Int64
  private var words: [Venue: [String: Word]] = [:]

  /// Nothing heard yet: no venue takes orders.
  public init(silenceMaxNanoseconds: Int64) { self.silenceMaxNanoseconds = silenceMaxNanoseconds }

  /// Takes an ingestor's word.
  /// - Parameters:
  ///   - message: what it says.
  ///   - now: monotonic nanoseconds.
  /// - Returns: whether this ingestor says something else than before.
  @discardableResult public mutating func take(_ message: VenueStatusMessage, now: Int64) -> Bool {
    let before = words[message.venue]?[message.publisher]?.message
    words[message.venue, default: [:]][message.publisher] = Word(message: message, heardAt: now)
    return before?.state != message.state
  }

  /// Forgets an ingestor that is gone for good.
  public mutating func forget(publisher: String) {
    for venue in words.keys { words[venue]?[publisher] = nil }
  }

  /// The venues of which something was heard.
  public var venues: [Venue] { words.filter { !$0.value.isEmpty }.map(\.key).sorted { $0.code < $1.code } }

  /// The venues that take no new orders.
  ///
  /// - Parameter now: monotonic nanoseconds.
  /// - Returns: each with the reason.
  public func closed(_ now: Int64) -> [Venue: ClosedVenue] {
    var result: [Venue: ClosedVenue] = [:]
    for venue in Venue.allCases { result[venue] = closed(venue, now) }
    return result
  }

  private func closed(_ venue: Venue, _ now: Int64) -> ClosedVenue? {
    guard let said = words[venue], !said.isEmpty else {
      return ClosedVenue(.unreachable, "nothing was ever heard of it")
    }
    let all = said.sorted { $0.key < $1.key }
    let fresh = all.filter { now - $0.value.heardAt <= silenceMaxNanoseconds }
    // What the venue says of itself holds for all of it, whoever heard it.
    if let (publisher, word) = fresh.first(where: { !$0.value.message.state.isOfIngestor }) {
      return ClosedVenue(word.message.state, "\(word.message.state.name): \(word.message.reason) (\(publisher))")
    }
    if fresh.contains(where: { $0.value.message.state.takesOrders }) { return nil }
    if let (publisher, word) = fresh.first {
      return ClosedVenue(word.message.state, "\(word.message.state.name): \(word.message.reason) (\(publisher))")
    }
    return all.first.map { publisher, word in
      ClosedVenue(.unreachable, "\(publisher) has said nothing for \((now - word.heardAt) / 1_000_000) ms")
    }
  }
}

extension VenueState {
  /// Whether it says how an ingestor sees its venue, rather than what the venue says of itself.
  fileprivate var isOfIngestor: Bool { self == .open || self == .unreachable }
}
