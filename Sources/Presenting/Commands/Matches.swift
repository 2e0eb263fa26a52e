internal import Daemon
internal import Market
internal import Matching
internal import Store
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

extension Command {
  static let matches = Command(
    "matches", operands: "list | show A B | approve A B | reject A B | export FILE | try TITLE TITLE", count: 1...3,
    options: [
      Option(["--all"], "lists what the rules reject, too"),
      Option(
        ["--polarity"], value: "P", "same: Polymarket's first outcome pays with Kalshi's YES; opposite: its second"),
      .limit, .json,
    ],
    "Shows which markets of two venues seem to be the same, and takes a person's word for it, also when nothing runs"
  ) { context in
    let operands = context.invocation.operands
    func expect(_ count: Int) throws {
      guard operands.count == count else { throw ToolError.usage("\(operands[0]) takes \(count - 1) more") }
    }
    switch operands[0] {
    case "list":
      try expect(1)
      return try MatchReview(context).list()
    case "show":
      try expect(3)
      return try MatchReview(context).show(operands[1], operands[2])
    case "approve", "reject":
      try expect(3)
      return try MatchReview(context).decide(operands[0] == "approve" ? .approved : .rejected, operands[1], operands[2])
    case "export":
      try expect(2)
      let matches = try VerifiedMatches.load(settings: context.settings)
      try matches.save(FilePaths.absolute(operands[1]))
      return "\(matches.all.count) decisions are in \(operands[1])\n"
    case "try":
      return try MatchTrial(context.invocation).text(limits: MatchLimits(settings: context.settings))
    default:
      throw ToolError.usage("expected list, show, approve, reject, export or try, found \(operands[0])")
    }
  }
}

/// Two titles that are compared without any data.
struct MatchTrial {
  let polymarket: String
  let kalshi: String
  let wantsJSON: Bool

  /// - Throws: `ToolError` of usage unless there are two titles.
  init(_ invocation: Invocation) throws(ToolError) {
    guard invocation.operands.count == 3 else {
      throw .usage("expected two titles: bulkhead matches try TITLE TITLE")
    }
    polymarket = invocation.operands[1]
    kalshi = invocation.operands[2]
    wantsJSON = invocation.has("--json")
  }

  func text(limits: MatchLimits) -> String {
    let score = TitleScore.tokenSetRatio(polymarket, kalshi)
    let facts = (MarketFacts(MarketText(title: polymarket)), MarketFacts(MarketText(title: kalshi)))
    let verdict = MatchVerdict(facts.0, facts.1, limits: limits)
    if wantsJSON {
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("score", number: TermsDigest.score(score))
        writer.field("normalised_score", number: TermsDigest.score(verdict.score))
        write(verdict, &writer)
      }
      return writer.text + "\n"
    }
    return """
      score       \(TermsDigest.score(score)) as written, \(TermsDigest.score(verdict.score)) in one form
      verdict     \(verdict.isCandidate ? "candidate" : "rejected")
      reason      \(verdict.rejections.isEmpty ? "none" : verdict.rejections.map { "\($0.rawValue): \($0.meaning)" }.joined(separator: "; "))
      polarity    \(verdict.polarity?.rawValue ?? "not clear")
      confidence  0: it trades when a person has approved it

      """
  }
}

/// A verdict for programs, as members of the object that is being written.
func write(_ verdict: MatchVerdict, _ writer: inout JSONWriter) {
  writer.field("verdict", verdict.isCandidate ? "candidate" : "rejected")
  if let reason = verdict.reason { writer.field("reason", reason.rawValue) } else { writer.null("reason") }
  writer.array("reasons") { writer in for reason in verdict.rejections { writer.value(reason.rawValue) } }
  if let polarity = verdict.polarity { writer.field("polarity", polarity.rawValue) } else { writer.null("polarity") }
  writer.field("confidence", 0)
}

/// Candidates, decisions, and what both venues say: what a person sees before two markets are taken as one.
struct MatchReview {
  let context: ToolContext
  let history: HistoryStore
  private(set) var decisions: VerifiedMatches
  let limits: MatchLimits
  let now = SystemClock.now

  /// - Throws: where there is no history yet, or a file of decisions is wrong.
  init(_ context: ToolContext) throws {
    self.context = context
    let path = context.dataDirectory + "/history.db"
    history = try Command.openStore(path, "history") { try HistoryStore(readingFrom: path) }
    decisions = try VerifiedMatches.load(settings: context.settings)
    limits = MatchLimits(settings: context.settings)
  }

  // MARK: - list

  /// What became of a pair.
  enum State: String {
    case candidate, approved, withdrawn, rejected
  }

  func list() throws -> String {
    let polymarket = try history.openTerms(.polymarket, now: now)
    let kalshi = try history.openTerms(.kalshi, now: now)
    let search = MatchSearch(polymarket: polymarket, kalshi: kalshi, limits: limits)
    var report = Report([
      .init("score", "SCORE", isNumber: true), .init("state", "STATE"),
      .init("confidence", "CONFIDENCE", isNumber: true),
      .init("polarity", "POLARITY"), .init("reason", "REASON"), .init("polymarket_title", "POLYMARKET"),
      .init("kalshi_title", "KALSHI"), .init("polymarket", "CONDITION"), .init("kalshi", "TICKER"),
    ])
    func add(
      _ score: Double, _ state: State, _ polarity: Polarity?, _ reason: String, _ titles: (String, String),
      _ ids: (String, String)
    ) {
      report.add([
        .number(score, shown: 2), .text(state.rawValue), .integer(state == .approved ? 1 : 0),
        polarity.map { .text($0.rawValue) } ?? .none, .text(reason), .text(titles.0), .text(titles.1),
        context.wantsJSON ? .text(ids.0) : .id(ids.0), .text(ids.1),
      ])
    }
    for pair in decisions.all {
      let (state, reason) = try state(of: pair)
      add(
        pair.score, state, pair.polarity, reason, (pair.polymarketTitle, pair.kalshiTitle),
        (pair.polymarket, pair.kalshi))
    }
    let others = search.candidates + (context.invocation.has("--all") ? search.rejected : [])
    for found in others {
      let (left, right) = (polymarket[found.polymarket], kalshi[found.kalshi])
      guard decisions.pair(polymarket: left.id, kalshi: right.id) == nil else { continue }
      add(
        found.verdict.score, found.verdict.isCandidate ? .candidate : .rejected, found.verdict.polarity,
        found.verdict.reason?.rawValue ?? "", (left.title, right.title), (left.id, right.id))
      if report.rows.count >= (try context.limit()) { break }
    }
    if context.wantsJSON { return report.json }
    let left = search.counts.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
    return report.table(empty: "no candidates yet")
      + "compared \(polymarket.count) markets of Polymarket with \(kalshi.count) of Kalshi: "
      + "\(search.candidates.count) candidates; rejected "
      + (left.isEmpty ? "none" : left.map { "\($0.value) for \($0.key.rawValue)" }.joined(separator: ", ")) + "\n"
  }

  private func state(of pair: MatchedPair) throws(StoreError) -> (State, String) {
    guard pair.decision == .approved else { return (.rejected, "by \(pair.by)") }
    let reason = decisions.withdrawal(
      of: pair, polymarketTerms: try history.terms(.polymarket, id: pair.polymarket)?.digest,
      kalshiTerms: try history.terms(.kalshi, id: pair.kalshi)?.digest)
    return reason.map { (.withdrawn, $0.rawValue) } ?? (.approved, "by \(pair.by)")
  }

  // MARK: - show

  /// Two markets by their ids, in either order.
  private func find(_ first: String, _ second: String) throws -> (polymarket: MarketTerms, kalshi: MarketTerms) {
    for (left, right) in [(first, second), (second, first)] {
      if let left = try history.terms(.polymarket, id: left), let right = try history.terms(.kalshi, id: right) {
        return (left, right)
      }
    }
    for id in [first, second] {
      let known = try history.terms(.polymarket, id: id) ?? history.terms(.kalshi, id: id)
      if known == nil { throw ToolError(.failed, "the history has no market \(id)") }
    }
    throw ToolError(.failed, "expected a market of Polymarket and one of Kalshi")
  }

  private func verdict(_ pair: (polymarket: MarketTerms, kalshi: MarketTerms)) -> MatchVerdict {
    MatchVerdict(MarketFacts(MarketText(pair.polymarket)), MarketFacts(MarketText(pair.kalshi)), limits: limits)
  }

  func show(_ first: String, _ second: String) throws -> String {
    let pair = try find(first, second)
    let known = decisions.pair(polymarket: pair.polymarket.id, kalshi: pair.kalshi.id)
    let state = try known.map { try self.state(of: $0) }
    let comparison = TermsComparison(
      polymarket: pair.polymarket, kalshi: pair.kalshi, verdict: verdict(pair),
      state: state.map { "\($0.0.rawValue): \($0.1)" } ?? "undecided")
    return context.wantsJSON ? comparison.json : comparison.text
  }

  // MARK: - approve, reject

  func decide(_ decision: MatchedPair.Decision, _ first: String, _ second: String) throws -> String {
    let pair = try find(first, second)
    let verdict = verdict(pair)
    let wanted = context.invocation.value("--polarity")
    guard
      let polarity = wanted.map(Polarity.init(rawValue:)) ?? verdict.polarity ?? (decision == .rejected ? .same : nil)
    else {
      throw ToolError.usage(
        wanted == nil
          ? "which outcomes pay together is not clear: say --polarity same or --polarity opposite"
          : "expected same or opposite after --polarity, found \(wanted ?? "")")
    }
    var decided = MatchedPair(
      polymarket: pair.polymarket.id, kalshi: pair.kalshi.id, polarity: polarity,
      polymarketTerms: pair.polymarket.digest, kalshiTerms: pair.kalshi.digest)
    decided.polymarketTitle = pair.polymarket.title
    decided.kalshiTitle = pair.kalshi.title
    decided.score = verdict.score
    decided.decision = decision
    decided.decidedAt = now
    decided.by = context.environment["USER"] ?? context.environment["LOGNAME"] ?? "user \(getuid())"
    // The files that are only read stay where they are: this one alone is written.
    let file = context.settings.path("matching", "matches_file")
    var own = try VerifiedMatches.load(file)
    own.decide(decided)
    try own.save(file)
    let warning =
      verdict.isCandidate ? "" : "; the rules say: \(verdict.rejections.map(\.meaning).joined(separator: "; "))"
    return "\(decision.rawValue): \(pair.polymarket.title) = \(pair.kalshi.title) (\(polarity.rawValue))\(warning)\n"
  }
}
