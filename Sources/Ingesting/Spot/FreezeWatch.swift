package import Market

/// Tells a frozen stream from a quiet market (X5): both answer a ping, and neither brings data.
///
/// A pure value; times are nanoseconds of the monotonic clock. A symbol that has been without data for so long is
/// compared with what another connection or REST says of it.
package struct FreezeWatch: Sendable {
  /// What a comparison shows.
  package enum Verdict: Hashable, Sendable {
    /// Nothing moves: there is nothing to tell.
    case quiet
    /// The venue moves, the stream does not.
    case frozen
  }

  /// What is to be done about a symbol.
  package enum Doubt: Hashable, Sendable {
    /// Nothing: there was data lately, or it was looked at lately.
    case none
    /// Another connection has told of it since.
    case frozen
    /// REST must say.
    case ask
  }

  private let afterNanoseconds: Int64
  private var dataAt: [String: Int64] = [:]
  private var askedAt: [String: Int64] = [:]

  /// A watch that knows nothing.
  /// - Parameter afterNanoseconds: a symbol without data for so long is looked at.
  package init(afterNanoseconds: Int64) { self.afterNanoseconds = afterNanoseconds }

  /// When a symbol last had data; nil where it is not watched.
  package func dataAt(_ symbol: String) -> Int64? { dataAt[symbol] }

  /// When any of them last had data; nil where there are none.
  package var newestDataAt: Int64? { dataAt.values.max() }

  /// Takes a sign of data, or the moment at which a symbol was subscribed.
  package mutating func heard(_ symbol: String, at now: Int64) { dataAt[symbol] = now }

  /// Watches a symbol no longer.
  package mutating func forget(_ symbol: String) {
    dataAt[symbol] = nil
    askedAt[symbol] = nil
  }

  /// Whether a symbol is to be looked at now.
  /// - Parameters:
  ///   - symbol: the symbol.
  ///   - siblingAt: when another connection last had data of it; nil where there is none.
  ///   - now: the time.
  /// - Returns: what is to be done.
  package mutating func doubt(_ symbol: String, siblingAt: Int64?, now: Int64) -> Doubt {
    guard let last = dataAt[symbol], now - last > afterNanoseconds else { return .none }
    if let siblingAt, siblingAt - last > afterNanoseconds / 2, now - siblingAt < afterNanoseconds { return .frozen }
    guard now - (askedAt[symbol] ?? .min / 2) > afterNanoseconds else { return .none }
    askedAt[symbol] = now
    return .ask
  }

  /// Compares what REST says with what the stream has said last.
  package static func verdict(rest: Ticker, stream: Ticker?) -> Verdict {
    guard let stream else { return .frozen }
    return rest.bid == stream.bid && rest.ask == stream.ask ? .quiet : .frozen
  }
}
