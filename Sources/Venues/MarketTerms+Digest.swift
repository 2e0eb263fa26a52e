internal import CBotan
public import Market

extension MarketTerms {
  /// What `digest` has to be: the first eight bytes, big end first, of the SHA-256 over all that says how the market is
  /// decided; never 0, which stands for terms that are not known.
  ///
  /// Each text goes in with its length before it, so that none can take a part of another: title, subtitle, strike,
  /// rules, source, close time in seconds since 1970 (empty where there is none), names of the outcomes. The ids are no
  /// part of it.
  public static func digest(of terms: MarketTerms) -> UInt64 {
    var bytes: [UInt8] = []
    let closesAt = terms.closesAt.map { String($0.seconds) } ?? ""
    for text in [terms.title, terms.subtitle, terms.strike, terms.rules, terms.source, closesAt] + terms.outcomes {
      bytes += "\(text.utf8.count):".utf8
      bytes += text.utf8
    }
    var handle: botan_hash_t?
    let made = botan_hash_init(&handle, "SHA-256", 0)
    guard made == 0, let handle else { preconditionFailure("botan_hash_init(SHA-256): \(made)") }
    defer { botan_hash_destroy(handle) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digest in
      let updated = botan_hash_update(handle, bytes, bytes.count)
      let finished = botan_hash_final(handle, digest.baseAddress)
      precondition(updated == 0 && finished == 0, "botan_hash: \(updated), \(finished)")
      return max(1, digest[0..<8].reduce(0) { $0 << 8 | UInt64($1) })
    }
  }

  /// Terms whose digest is computed from the rest.
  func sealed() -> MarketTerms {
    var terms = self
    terms.digest = MarketTerms.digest(of: self)
    return terms
  }
}

/// What takes the terms of each market as they are read, page by page, so that nobody keeps all of them.
public typealias TermsSink = @Sendable ([MarketTerms]) -> Void
