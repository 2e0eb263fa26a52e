internal import Daemon
internal import Market
internal import Matching

#if canImport(Glibc)
  internal import Glibc
#endif

/// The files in which people approve pairs, read again when one of them has changed.
struct PairFiles {
  private let matchesFile: String
  private let others: [String]
  /// Size and time of each file as they were last read.
  private var seen: [String] = []

  /// The files of the section `[matching]`.
  init(settings: Settings) {
    matchesFile = settings.path("matching", "matches_file")
    others = settings.list("matching", "pairs_files")
  }

  /// The pairs, where a file has changed since the last look; nil where none has, or one of them is malformed, which is
  /// logged: then what was read before holds.
  mutating func changed() -> [MarketPair]? {
    let now = ([matchesFile] + others).map(Self.mark)
    guard now != seen else { return nil }
    seen = now
    return pairs()
  }

  private static func mark(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "" }
    return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
  }

  /// All pairs that are approved.
  private func pairs() -> [MarketPair]? {
    let matches: VerifiedMatches
    do throws(VerifiedMatchesError) {
      matches = try VerifiedMatches.load(matchesFile, readingAlso: others)
    } catch {
      Log.warning("approved pairs cannot be read; those of before hold", ["error": "\(error)"])
      return nil
    }
    let pairs = matches.all.filter { $0.decision == .approved }.map { pair in
      MarketPair(
        first: .init(
          venue: .polymarket, id: pair.polymarket, terms: pair.holdsForAnyTerms ? nil : pair.polymarketTerms),
        second: .init(venue: .kalshi, id: pair.kalshi, terms: pair.holdsForAnyTerms ? nil : pair.kalshiTerms),
        isOpposite: pair.polarity == .opposite)
    }
    Log.info("approved pairs are read", ["pairs": "\(pairs.count)"])
    return pairs
  }
}
