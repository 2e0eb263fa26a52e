public import Market

/// What a look at one kind of a venue's answers has shown (X8).
public struct ShapeFinding: Hashable, Sendable {
  /// How it turned out.
  public enum Verdict: String, Hashable, Sendable {
    /// The answer has what we read of it.
    case ok
    /// Something that we need is missing, or of another type.
    case different
    /// No answer was to be had, or there was nothing in it to look at.
    case unknown
  }

  /// Whose answer.
  public let venue: Venue
  /// Which kind, such as `book`.
  public let kind: String
  /// How it turned out.
  public let verdict: Verdict
  /// The field that is missing or of another type, such as `bids[0].price`; empty where it is none.
  public let field: String
  /// What is wrong with it, or why nothing is known; empty where all is well.
  public let problem: String
  /// Members that were not there when the parsers were written, sorted; no fault by themselves.
  public let newFields: [String]

  /// A finding by its parts.
  public init(
    venue: Venue, kind: String, verdict: Verdict, field: String = "", problem: String = "", newFields: [String] = []
  ) {
    self.venue = venue
    self.kind = kind
    self.verdict = verdict
    self.field = field
    self.problem = problem
    self.newFields = newFields
  }

  /// `bids[0].price: expected a decimal number, found true`, and the fields that are new.
  public var text: String {
    var parts: [String] = []
    if !problem.isEmpty { parts.append(field.isEmpty ? problem : "\(field): \(problem)") }
    if !newFields.isEmpty {
      let shown = newFields.prefix(8).joined(separator: ", ")
      let more = newFields.count > 8 ? " and \(newFields.count - 8) more" : ""
      parts.append("new fields: \(shown)\(more)")
    }
    return parts.joined(separator: "; ")
  }
}
