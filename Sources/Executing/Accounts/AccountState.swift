package import Market

/// Whether our account at a venue can be traded on: its stream of orders speaks, and its balance comes (X4).
///
/// It fails closed: before both have answered nothing is. A pure value; times are nanoseconds of the monotonic clock.
///
/// Of the stream: down → opening (connected; what the venue is to answer first is awaited) → speaking, and from each back
/// to down.
package struct AccountState: Sendable {
  private enum StreamState: Hashable {
    case down(String)
    case opening(awaited: Int)
    case speaking
  }

  /// A balance that is older is none, in nanoseconds.
  private let balanceAgeMaxNanoseconds: Int64
  private var stream = StreamState.down("it has not been opened yet")
  private var balanceProblem: String? = "it has not been told yet"
  private var balanceAt: Int64 = 0
  /// What can be spent, as far as it was ever told.
  package private(set) var balance: Money?

  /// An account that has not answered.
  package init(balanceAgeMaxNanoseconds: Int64) { self.balanceAgeMaxNanoseconds = balanceAgeMaxNanoseconds }

  /// The stream is connected.
  /// - Parameter awaited: how many subscriptions the venue is to confirm; where it confirms none, any sign of life will do.
  package mutating func streamOpened(awaited: Int) { stream = .opening(awaited: awaited) }

  /// The venue has confirmed a subscription.
  package mutating func streamConfirmed() {
    guard case .opening(let awaited) = stream else { return }
    stream = awaited <= 1 ? .speaking : .opening(awaited: awaited - 1)
  }

  /// Bytes have come.
  package mutating func streamHeard() {
    if stream == .opening(awaited: 0) { stream = .speaking }
  }

  /// The stream is gone, or could not be opened.
  package mutating func streamLost(_ problem: String) { stream = .down(problem) }

  /// The venue has told what can be spent.
  package mutating func take(balance: Money, now: Int64) {
    self.balance = balance
    balanceAt = now
    balanceProblem = nil
  }

  /// The venue has not told it.
  package mutating func balanceFailed(_ problem: String) { balanceProblem = problem }

  /// Why no order may go there; nil where one may.
  package func problem(_ now: Int64) -> String? {
    switch stream {
    case .down(let problem): return "stream of our orders: \(problem)"
    case .opening: return "stream of our orders: it has said nothing yet"
    case .speaking: break
    }
    if let balanceProblem { return "balance: \(balanceProblem)" }
    return now - balanceAt > balanceAgeMaxNanoseconds ? "balance: what was told last is too old" : nil
  }
}
