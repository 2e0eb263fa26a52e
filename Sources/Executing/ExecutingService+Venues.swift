internal import Bus
internal import Daemon
internal import Market

/// What the executor knows of the venues: whether they take orders (X4).
extension ExecutingService {
  /// Takes an ingestor's word on its venue.
  func takeVenue(_ reader: inout MessagePackReader) {
    do {
      let message = try VenueStatusMessage(&reader)
      guard admission.take(message, now: SystemClock.monotonicNanoseconds) else { return }
      Log.info(
        "venue is \(message.state.name)",
        ["venue": message.venue.rawValue, "publisher": message.publisher, "reason": message.reason])
    } catch {
      Log.warning("message of the bus could not be read", ["kind": "venue", "error": "\(error)"])
    }
  }

  /// Which venues and which books can be traded on at this moment.
  func checkVenues(_ now: Int64) {
    desk.closedVenues = closedVenues(now)
    books.feed.checkSilence(subscriber, now: now, limitNanoseconds: admission.silenceMaxNanoseconds)
  }

  /// What the venues say of themselves, and then whether our accounts there answer.
  private func closedVenues(_ now: Int64) -> [Venue: ClosedVenue] {
    admission.closed(now).merging(accounts.closed(now)) { venue, _ in venue }
  }

  /// 1 for each venue that takes orders, 0 for each that does not, as far as anything was ever heard of it.
  var venueCounters: [String: Int64] {
    let now = SystemClock.monotonicNanoseconds
    let closed = closedVenues(now)
    let venues = Dictionary(
      uniqueKeysWithValues: admission.venues.map { ("venue_open_\($0.rawValue)", closed[$0] == nil ? Int64(1) : 0) })
    return venues.merging(accounts.counters(now)) { $1 }
  }
}
