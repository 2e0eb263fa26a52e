package import Market
package import Venues

/// Whether a venue takes orders, from what its ingestor sees (X4): a value with the time passed in.
///
/// What the venue itself says counts most, then whether its streams are there, then whether it answers.
package struct VenueWatch: Sendable {
  /// What holds now.
  package private(set) var state = VenueState.unreachable
  /// Why; empty where it is open.
  package private(set) var reason = "the ingestor has just started"
  /// Since when it holds.
  package private(set) var since: Timestamp
  /// When the venue is asked again, in monotonic nanoseconds.
  package private(set) var nextProbeAt: Int64 = 0
  /// When it is told again, in monotonic nanoseconds.
  package var nextTellingAt: Int64 = 0
  /// Whether a question is under way.
  package var isProbing = false

  private let probeNanoseconds: Int64
  private static let probeNanosecondsWhileClosed: Int64 = 1_000_000_000

  /// A watch that knows nothing yet.
  /// - Parameters:
  ///   - probeNanoseconds: how often the venue is asked while it is open.
  ///   - now: the time.
  package init(probeNanoseconds: Int64, now: Timestamp) {
    self.probeNanoseconds = probeNanoseconds
    since = now
  }

  /// What the ingestor sees.
  package struct Sight: Sendable {
    /// Whether it knows what it watches.
    package var isReady: Bool
    /// How many streams there are to be, and how many are open.
    package var streams: Int
    package var openStreams: Int
    /// What the venue's answers say.
    package var word: VenueSignalBoard.Word?

    /// A sight by its parts.
    package init(isReady: Bool, streams: Int, openStreams: Int, word: VenueSignalBoard.Word?) {
      self.isReady = isReady
      self.streams = streams
      self.openStreams = openStreams
      self.word = word
    }
  }

  /// Takes what is seen.
  /// - Returns: whether the state is another one now.
  package mutating func take(_ sight: Sight, now: Timestamp) -> Bool {
    let (next, why) = VenueWatch.judge(sight)
    reason = why
    guard next != state else { return false }
    state = next
    since = now
    return true
  }

  private static func judge(_ sight: Sight) -> (VenueState, String) {
    if let word = sight.word, word.state != .unreachable { return (word.state, word.reason) }
    guard sight.isReady else { return (.unreachable, "the ingestor has not read yet what there is") }
    // Books of streams that are lost are stale each by itself; where most are lost, it is the venue.
    guard sight.openStreams * 2 >= sight.streams else {
      return (.unreachable, "\(sight.openStreams) of \(sight.streams) streams are open")
    }
    if let word = sight.word { return (word.state, word.reason) }
    return (.open, "")
  }

  /// Whether the venue is to be asked now; one question at a time.
  package mutating func takeProbe(_ now: Int64) -> Bool {
    guard !isProbing, now >= nextProbeAt else { return false }
    isProbing = true
    nextProbeAt = now + (state.takesOrders ? probeNanoseconds : VenueWatch.probeNanosecondsWhileClosed)
    return true
  }

  /// The present state is one of trouble: the next question is not as late as while all was well.
  package mutating func hurry(_ now: Int64) {
    nextProbeAt = min(nextProbeAt, now + VenueWatch.probeNanosecondsWhileClosed)
  }
}
