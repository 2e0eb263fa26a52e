public import Daemon
public import Market

/// How the outcomes of a matched pair stand to each other.
public enum Polarity: String, CaseIterable, Sendable, Codable {
  /// Polymarket's first outcome pays exactly if Kalshi's YES pays.
  case same
  /// Polymarket's second outcome pays exactly if Kalshi's YES pays.
  case opposite

  /// The index of the Polymarket outcome that pays when Kalshi's YES pays.
  public var firstOutcome: Int { self == .same ? 0 : 1 }
}

/// A pair of markets that a person has decided on: the same question on both venues, or not.
public struct MatchedPair: Hashable, Sendable {
  /// What was decided.
  public enum Decision: String, CaseIterable, Sendable, Codable {
    case approved, rejected
  }

  /// The condition id.
  public var polymarket: String
  /// The ticker.
  public var kalshi: String
  /// Which outcomes pay together.
  public var polarity: Polarity
  /// The `termsDigest` of the Polymarket market as it was when it was decided on.
  public var polymarketTerms: UInt64
  /// The `termsDigest` of the Kalshi market, likewise.
  public var kalshiTerms: UInt64
  /// Whether it holds whatever the markets say: only in files that are read beside a person's own, such as that of the
  /// simulator, which has made both markets of one.
  public var holdsForAnyTerms = false
  /// For people.
  public var polymarketTitle: String
  /// For people.
  public var kalshiTitle: String
  /// How alike the titles were, from 0 to 100; for people.
  public var score: Double
  /// What was decided.
  public var decision: Decision
  /// When.
  public var decidedAt: Timestamp
  /// By whom.
  public var by: String

  /// A pair by its ids, polarity and terms; set what else is known.
  public init(polymarket: String, kalshi: String, polarity: Polarity, polymarketTerms: UInt64, kalshiTerms: UInt64) {
    self.polymarket = polymarket
    self.kalshi = kalshi
    self.polarity = polarity
    self.polymarketTerms = polymarketTerms
    self.kalshiTerms = kalshiTerms
    polymarketTitle = ""
    kalshiTitle = ""
    score = 0
    decision = .approved
    decidedAt = Timestamp(nanoseconds: 0)
    by = ""
  }
}

/// Why an approval does not hold now.
public enum WithdrawalReason: String, CaseIterable, Sendable, Codable {
  /// Polymarket does not list the market now, or not yet.
  case polymarketUnlisted
  /// Kalshi does not list the market now, or not yet.
  case kalshiUnlisted
  /// The terms of one market are not known, or were not when it was approved: nothing says that they are the same.
  case termsUnknown
  /// Polymarket has changed what its market says since it was approved.
  case polymarketTermsChanged
  /// Kalshi has changed what its market says since it was approved.
  case kalshiTermsChanged
  /// One of the markets has not two outcomes.
  case notBinary
}

/// The approvals, held against the markets as they are now.
public struct CheckedPairs: Hashable, Sendable {
  /// An approval that holds.
  public struct Valid: Hashable, Sendable {
    /// What was approved.
    public var pair: MatchedPair
    /// The market as Polymarket lists it now.
    public var polymarket: PredictionMarket
    /// The market as Kalshi lists it now.
    public var kalshi: PredictionMarket

    /// An approval with the markets that it is about.
    public init(pair: MatchedPair, polymarket: PredictionMarket, kalshi: PredictionMarket) {
      self.pair = pair
      self.polymarket = polymarket
      self.kalshi = kalshi
    }
  }

  /// An approval that does not hold.
  public struct Withdrawn: Hashable, Sendable {
    /// What was approved.
    public var pair: MatchedPair
    /// Why it does not hold.
    public var reason: WithdrawalReason
  }

  /// Those that may trade.
  public var valid: [Valid] = []
  /// Those that may not, each with its reason.
  public var withdrawn: [Withdrawn] = []

  /// None of either.
  public init() {}
}

/// What people have decided about pairs of markets: `verified_matches.json`, and files that are only read (S7, X6).
///
/// An approval is one of the texts that were read: it holds while both markets have the terms that it names, and no longer.
public struct VerifiedMatches: Sendable {
  /// The two ids that name a pair.
  private struct Key: Hashable {
    var polymarket: String
    var kalshi: String
  }

  private var pairs: [Key: MatchedPair] = [:]
  /// In the order in which they were added.
  private var order: [Key] = []

  /// No decisions.
  public init() {}

  /// All decisions, in the order of the files.
  public var all: [MatchedPair] { order.compactMap { pairs[$0] } }

  /// What was decided about a pair; nil where nothing was.
  public func pair(polymarket: String, kalshi: String) -> MatchedPair? {
    pairs[Key(polymarket: polymarket, kalshi: kalshi)]
  }

  /// Takes a decision in the place of an earlier one about the same pair.
  public mutating func decide(_ pair: MatchedPair) {
    let key = Key(polymarket: pair.polymarket, kalshi: pair.kalshi)
    if pairs.updateValue(pair, forKey: key) == nil { order.append(key) }
  }

  /// Takes the decisions of a file that is only read; one that stands here already is the stronger one.
  public mutating func add(_ others: VerifiedMatches) {
    for pair in others.all where self.pair(polymarket: pair.polymarket, kalshi: pair.kalshi) == nil { decide(pair) }
  }

  /// Holds the approvals against the markets as they are now.
  /// - Parameter market: a market of Polymarket by its condition id, or of Kalshi by its ticker; nil where it is not listed.
  /// - Returns: the pairs that may trade, and those that may not with the reason; rejected ones are in neither.
  public func check(_ market: (Venue, String) -> PredictionMarket?) -> CheckedPairs {
    var checked = CheckedPairs()
    for pair in all where pair.decision == .approved {
      let (polymarket, kalshi) = (market(.polymarket, pair.polymarket), market(.kalshi, pair.kalshi))
      if let reason = withdrawal(of: pair, polymarket, kalshi) {
        checked.withdrawn.append(CheckedPairs.Withdrawn(pair: pair, reason: reason))
      } else if let polymarket, let kalshi {
        checked.valid.append(CheckedPairs.Valid(pair: pair, polymarket: polymarket, kalshi: kalshi))
      }
    }
    return checked
  }

  /// Why an approval does not hold for two markets as they are now; nil where it holds.
  public func withdrawal(
    of pair: MatchedPair, _ polymarket: PredictionMarket?, _ kalshi: PredictionMarket?
  ) -> WithdrawalReason? {
    if let polymarket, let kalshi, polymarket.outcomes.count != 2 || kalshi.outcomes.count != 2 { return .notBinary }
    return withdrawal(of: pair, polymarketTerms: polymarket?.termsDigest, kalshiTerms: kalshi?.termsDigest)
  }

  /// Why an approval does not hold for two markets with these digests; nil where it holds.
  /// - Parameters:
  ///   - pair: the approval.
  ///   - polymarketTerms: nil where the market is not listed.
  ///   - kalshiTerms: likewise.
  /// - Returns: the reason, or nil.
  public func withdrawal(
    of pair: MatchedPair, polymarketTerms: UInt64?, kalshiTerms: UInt64?
  ) -> WithdrawalReason? {
    guard let polymarketTerms else { return .polymarketUnlisted }
    guard let kalshiTerms else { return .kalshiUnlisted }
    if pair.holdsForAnyTerms { return nil }
    guard ![pair.polymarketTerms, pair.kalshiTerms, polymarketTerms, kalshiTerms].contains(0) else {
      return .termsUnknown
    }
    if polymarketTerms != pair.polymarketTerms { return .polymarketTermsChanged }
    if kalshiTerms != pair.kalshiTerms { return .kalshiTermsChanged }
    return nil
  }
}

/// A file of matches that cannot be read or written.
public struct VerifiedMatchesError: ExitStatusError, Hashable, CustomStringConvertible {
  /// The file.
  public let file: String
  /// The field, such as `matches[3].polarity`; empty where it is the file itself.
  public let field: String
  /// What is wrong.
  public let problem: String

  /// A file that people write is configuration.
  public var exitStatus: ExitStatus { .misconfigured }

  /// `FILE: matches[3].polarity: expected …`.
  public var description: String { field.isEmpty ? "\(file): \(problem)" : "\(file): \(field): \(problem)" }
}

extension VerifiedMatches {
  /// Reads the person's own decisions and the files that are only read.
  /// - Parameters:
  ///   - file: `matches_file`.
  ///   - others: `pairs_files`; of two that decide on a pair, the one that is named first counts.
  /// - Returns: all of them; a file that is not there decides nothing.
  /// - Throws: `VerifiedMatchesError` naming file and field.
  public static func load(_ file: String, readingAlso others: [String]) throws(VerifiedMatchesError) -> Self {
    var matches = try load(file)
    for other in others { matches.add(try load(other, allowsAnyTerms: true)) }
    return matches
  }

  /// Reads one file; one that is not there decides nothing.
  /// - Parameters:
  ///   - file: the file.
  ///   - allowsAnyTerms: whether `*` may stand for the terms of both markets.
  /// - Returns: its decisions.
  /// - Throws: `VerifiedMatchesError` naming file and field.
  public static func load(_ file: String, allowsAnyTerms: Bool = false) throws(VerifiedMatchesError) -> Self {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try readFile(file, sizeMax: 64 << 20)
    } catch {
      if error.isMissingFile { return VerifiedMatches() }
      throw VerifiedMatchesError(file: file, field: "", problem: "\(error)")
    }
    return try MatchesFile(file: file, allowsAnyTerms: allowsAnyTerms).read(bytes)
  }

  /// Writes all decisions so that a reader, or a machine that loses power, sees the old file or the new one.
  /// - Parameter file: the file; its directory is made where it is missing.
  /// - Throws: `VerifiedMatchesError`.
  public func save(_ file: String) throws(VerifiedMatchesError) {
    do throws(SystemError) {
      try FilePaths.makeDirectories(FilePaths.directory(of: file))
      try writeFileAtomically(MatchesFile.text(all), to: file, isDurable: true)
    } catch {
      throw VerifiedMatchesError(file: file, field: "", problem: "\(error)")
    }
  }
}
