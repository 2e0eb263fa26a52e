public import Market

extension HistoryStore {
  /// Between the names of outcomes: no venue writes a control character.
  private static let separator: Character = "\u{1F}"

  /// Terms that are stored under the same digest are left alone.
  func write(_ terms: MarketTerms, at time: Timestamp) throws(StoreError) -> Int {
    let columns = ["event_id", "title", "subtitle", "strike", "rules", "source", "closes_at", "outcomes", "digest"]
    return try database.execute(
      """
      INSERT INTO market_terms (venue, id, \(columns.joined(separator: ", ")), updated_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (venue, id) DO UPDATE SET \(columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")),
        updated_at = excluded.updated_at
      WHERE market_terms.digest <> excluded.digest OR market_terms.event_id <> excluded.event_id
      """,
      [
        .text(terms.venue.rawValue), .text(terms.id), .text(terms.eventID), .text(terms.title), .text(terms.subtitle),
        .text(terms.strike), .text(terms.rules), .text(terms.source),
        terms.closesAt.map { .integer($0.nanoseconds) } ?? .null,
        .text(terms.outcomes.joined(separator: String(Self.separator))), .text(digits(terms.digest)),
        .integer(time.nanoseconds),
      ])
  }

  /// Forgets the terms of markets that have closed before a moment: nobody can approve them any more.
  /// - Returns: of how many.
  /// - Throws: `StoreError`.
  @discardableResult public func forgetTerms(closedBefore time: Timestamp) throws(StoreError) -> Int {
    try database.execute("DELETE FROM market_terms WHERE closes_at < ?", [.integer(time.nanoseconds)])
  }

  /// What says how one market is decided, as it was last read; nil where it is not stored.
  /// - Throws: `StoreError`.
  public func terms(_ venue: Venue, id: String) throws(StoreError) -> MarketTerms? {
    try database.first(
      Self.selectTerms + " WHERE t.venue = ? AND t.id = ?", [.text(venue.rawValue), .text(id)], read)
  }

  /// What says how the markets of a venue are decided that are open as far as is known.
  /// - Parameters:
  ///   - venue: where.
  ///   - now: markets that have closed before are left out.
  /// - Returns: the terms, by the markets' ids.
  /// - Throws: `StoreError`.
  public func openTerms(_ venue: Venue, now: Timestamp) throws(StoreError) -> [MarketTerms] {
    try database.query(
      Self.selectTerms + """
         LEFT JOIN markets m ON m.venue = t.venue AND m.id = t.id
        WHERE t.venue = ? AND (m.is_closed IS NULL OR m.is_closed = 0) AND (t.closes_at IS NULL OR t.closes_at > ?)
        ORDER BY t.id
        """, [.text(venue.rawValue), .integer(now.nanoseconds)], read)
  }

  /// The digests of a venue's stored terms, by the market's id.
  /// - Throws: `StoreError`.
  public func termsDigests(_ venue: Venue) throws(StoreError) -> [String: UInt64] {
    let rows = try database.query("SELECT id, digest FROM market_terms WHERE venue = ?", [.text(venue.rawValue)]) {
      row throws(StoreError) in (try row.text(0), UInt64(try row.text(1), radix: 16) ?? 0)
    }
    return Dictionary(rows) { $1 }
  }

  private static let selectTerms = """
    SELECT t.venue, t.id, t.event_id, t.title, t.subtitle, t.strike, t.rules, t.source, t.closes_at, t.outcomes, t.digest
    FROM market_terms t
    """

  private func read(_ row: borrowing Row) throws(StoreError) -> MarketTerms {
    guard let venue = Venue(rawValue: try row.text(0)), let digest = UInt64(try row.text(10), radix: 16) else {
      throw StoreError(.invalid, operation: "read terms", message: "the venue or the digest is none")
    }
    return MarketTerms(
      venue: venue, id: try row.text(1), eventID: try row.text(2), title: try row.text(3),
      subtitle: try row.text(4), strike: try row.text(5), rules: try row.text(6), source: try row.text(7),
      closesAt: try row.optionalInteger(8).map { Timestamp(nanoseconds: $0) },
      outcomes: try row.text(9).split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init),
      digest: digest)
  }

  private func digits(_ digest: UInt64) -> String {
    let digits = String(digest, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
