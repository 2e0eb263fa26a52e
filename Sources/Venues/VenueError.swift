public import Market

/// What went wrong between us and a venue: with which message, at which field, and why.
///
/// Prints as `polymarket book: bids[3].price: expected a decimal number, found "abc"`. It never holds a header, a query
/// or a body of ours, so no credential can be in it.
public struct VenueError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Cause: Hashable, Sendable {
    /// The venue answered with something that we cannot accept.
    case malformed
    /// The venue answered with an HTTP status that is no success.
    case status(Int)
    /// The venue refuses by its own envelope, or by a status that means something else at this venue; `isTemporary` says
    /// whether it may answer later.
    case refused(isTemporary: Bool)
    /// The venue does not have what was asked for: a coin, or a time that it no longer tells about.
    case absent
    /// No answer came: name, connection, encryption, time.
    case unreachable
    /// It was not sent: the venue's limit, or its wish to be left alone, does not allow it for too long.
    case heldBack
    /// We were told to stop waiting.
    case cancelled
    /// The request cannot be made: a period that the venue does not have, a wrong base URL.
    case impossible
  }

  /// Where a request without an answer got stuck.
  public enum Obstacle: String, Hashable, Sendable, CaseIterable {
    /// The name does not resolve.
    case dns
    /// No connection came about.
    case connect
    /// The encryption, or the certificate.
    case tls
    /// The time ran out.
    case timeout
    /// The connection broke.
    case lost
  }

  /// Which venue.
  public let venue: Venue
  /// The kind of message, such as `book` or `market`.
  public let kind: String
  /// The path of the field inside the message, such as `bids[3].price`; empty where it is the message as a whole.
  public let field: String
  /// What is wrong, for a person.
  public let problem: String
  /// What kind of failure it is.
  public let cause: Cause
  /// How long the venue asks us to wait, in seconds; nil where it does not say.
  public let retryAfterSeconds: Int?
  /// Where it got stuck, where no answer came and that is known.
  public let obstacle: Obstacle?

  /// An error by its parts.
  public init(
    venue: Venue, kind: String, field: String = "", problem: String, cause: Cause = .malformed,
    retryAfterSeconds: Int? = nil, obstacle: Obstacle? = nil
  ) {
    self.obstacle = obstacle
    self.venue = venue
    self.kind = kind
    self.field = field
    self.problem = problem
    self.cause = cause
    self.retryAfterSeconds = retryAfterSeconds
  }

  /// Whether the same request may succeed later (I10): no answer, 408, 418, 425, 429, 5xx, and what the venue
  /// itself calls temporary.
  ///
  /// Says nothing about safety: a request that may have had an effect is not to be sent again blindly.
  public var isRetriable: Bool {
    switch cause {
    case .unreachable, .heldBack: true
    case .status(let code): code == 408 || code == 418 || code == 425 || code == 429 || code >= 500
    case .refused(let isTemporary): isTemporary
    case .malformed, .absent, .cancelled, .impossible: false
    }
  }

  /// `venue kind: field: problem`.
  public var description: String {
    var text = "\(venue.rawValue) \(kind): "
    if !field.isEmpty { text += "\(field): " }
    text += problem
    if let retryAfterSeconds { text += " (retry after \(retryAfterSeconds) s)" }
    return text
  }
}

/// What is wrong with one field, seen from inside the message: the venue and the kind are added on the way out.
struct WireProblem: Error, Hashable, Sendable {
  /// The path from here.
  var field: String
  /// What is wrong.
  var problem: String

  /// A problem of a field.
  init(_ field: String, _ problem: String) {
    self.field = field
    self.problem = problem
  }

  /// The same problem, seen from one level further out.
  func inside(_ outer: String) -> WireProblem {
    guard !field.isEmpty else { return WireProblem(outer, problem) }
    return WireProblem(field.hasPrefix("[") ? outer + field : outer + "." + field, problem)
  }

  /// The problem as the error of a venue's message.
  func error(_ venue: Venue, _ kind: String) -> VenueError {
    VenueError(venue: venue, kind: kind, field: field, problem: problem)
  }
}

/// Outside text for an error: short, on one line, in quotes.
func quotedExcerpt(_ text: some StringProtocol, charactersMax: Int = 60) -> String {
  var result = "\""
  for scalar in text.unicodeScalars.prefix(charactersMax) {
    switch scalar {
    case "\"", "\\": result += "\\" + String(scalar)
    case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += " "
    default: result.unicodeScalars.append(scalar)
    }
  }
  if text.unicodeScalars.dropFirst(charactersMax).first != nil { result += "…" }
  return result + "\""
}
