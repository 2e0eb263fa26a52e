internal import Daemon
internal import Market
internal import Web

/// What a venue says instead of an answer.
struct Refusal: Hashable, Sendable {
  /// The venue's own words, with its code.
  var problem: String
  /// Whether the same request may be answered later; nil: as the HTTP status has it.
  var isTemporary: Bool?
  /// How long the venue asks us to wait, in seconds; nil where it does not say.
  var retryAfterSeconds: Int?

  /// A refusal by its parts.
  init(_ problem: String, isTemporary: Bool? = nil, retryAfterSeconds: Int? = nil) {
    self.problem = problem
    self.isTemporary = isTemporary
    self.retryAfterSeconds = retryAfterSeconds
  }
}

/// How a venue answers over REST: the way from bytes to a value or a `VenueError`.
struct AnswerFormat: Sendable {
  let venue: Venue
  /// What the venue refuses, by its HTTP status and its body (nil where that is no JSON); nil where it does not refuse.
  ///
  /// It is asked for each answer, also of status 200: some venues say no there.
  var refusal: @Sendable (_ status: Int, _ body: Wire?) -> Refusal? = { status, body in
    (200...299).contains(status) ? nil : Refusal(AnswerFormat.words(body))
  }

  /// Reads an answer.
  /// - Throws: `VenueError` with the venue's words, or naming the field.
  func read<Value>(
    _ kind: String, _ response: HTTPResponse, _ parse: (Wire) throws(WireProblem) -> Value
  ) throws(VenueError) -> Value {
    let isSuccess = (200...299).contains(response.status)
    let document: JSONDocument?
    do {
      document = try JSONDocument(response.body)
    } catch {
      guard !isSuccess else {
        throw VenueError(venue: venue, kind: kind, problem: "the answer is no JSON that we take: \(error)")
      }
      document = nil
    }
    if let refusal = refusal(response.status, document.map { Wire($0.root) }) {
      throw error(kind, refusal, response)
    }
    guard isSuccess, let document else { throw error(kind, Refusal(""), response) }
    do { return try parse(Wire(document.root)) } catch { throw error.error(venue, kind) }
  }

  private func error(_ kind: String, _ refusal: Refusal, _ response: HTTPResponse) -> VenueError {
    let isSuccess = (200...299).contains(response.status)
    var problem = refusal.problem
    if !isSuccess { problem = "HTTP \(response.status)" + (problem.isEmpty ? "" : ": " + problem) }
    let cause: VenueError.Cause =
      if let isTemporary = refusal.isTemporary {
        // 418 and 429 are for now, whatever the venue's code beside them says.
        .refused(isTemporary: isTemporary || response.status == 418 || response.status == 429)
      } else {
        isSuccess ? .refused(isTemporary: false) : .status(response.status)
      }
    let asked = RetryAfter.seconds(response.headers, now: SystemClock.now)
    return VenueError(
      venue: venue, kind: kind, problem: problem, cause: cause, retryAfterSeconds: asked ?? refusal.retryAfterSeconds)
  }

  /// The venue's own words: `{"error":…}`, `{"code":…,"msg":…}`, `{"message":…}`, or these inside an `{"error":{…}}`; empty
  /// where there are none.
  static func words(_ body: Wire?) -> String {
    guard let outer = body?.json, outer.kind == .object else { return "" }
    let root = outer["error"].flatMap { $0.kind == .object ? $0 : nil } ?? outer
    var words: [String] = []
    if let code = root["code"]?.decimalText { words.append("code \(code.prefix(60))") }
    for name in ["error", "errorMsg", "msg", "message"] {
      if let text = root[name]?.string, !text.isEmpty {
        words.append(quotedExcerpt(text, charactersMax: 200))
        break
      }
    }
    return words.joined(separator: ", ")
  }
}
