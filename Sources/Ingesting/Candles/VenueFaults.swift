package import Resilience
internal import Venues

/// What a venue's errors mean for whoever asks again, and for its breaker.
package enum VenueFaults {
  /// Whether the same request is sent again at once; one that was held back would be held back again.
  package static let retryVerdict: @Sendable (any Error) -> RetryVerdict = { error in
    guard let error = error as? VenueError, error.cause != .heldBack else { return .giveUp }
    return error.isRetriable ? .retry : .giveUp
  }

  /// Whether it was the venue's fault.
  package static let gateVerdict: @Sendable (any Error) -> GateVerdict = { error in
    guard let error = error as? VenueError else { return .answered }
    if error.cause == .heldBack { return .notSent }
    return error.isRetriable || error.cause == .malformed ? .failed : .answered
  }
}
