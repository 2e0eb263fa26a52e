internal import Bus
internal import Daemon
internal import Market
internal import Synchronization
internal import Venues

/// How an ingestor tells whether its venue takes orders.
extension IngestingService {
  /// Looks at streams and answers, asks the venue where that is due, and tells what holds: at once when it has changed, and
  /// every second.
  func watchVenue(_ now: Int64) {
    probeVenue(now)
    if isReady { loop.shapeWatch.start(venue, context) }
    let used = connections.filter { !$0.isUnused }
    var word = VenueSignals.word(of: venue)
    // Prices come by stream alone: that REST does not answer closes only venues that take orders over it.
    if statusSource == nil, word?.state == .unreachable { word = nil }
    let sight = VenueWatch.Sight(
      isReady: isReady, streams: used.count, openStreams: used.count { $0.stream.state == .open }, word: word)
    let hasChanged = loop.watch.take(sight, now: SystemClock.now)
    if hasChanged {
      if loop.watch.state.takesOrders {
        Log.info("venue is open", ["venue": venue.rawValue])
      } else {
        Log.warning(
          "venue is \(loop.watch.state.name)", ["venue": venue.rawValue, "reason": loop.watch.reason])
        loop.watch.hurry(now)
      }
    }
    guard hasChanged || now >= loop.watch.nextTellingAt else { return }
    loop.watch.nextTellingAt = now + 1_000_000_000
    let message = venueStatus
    publisher.publish(loop.venueTopic) { message.encode($0) }
  }

  private var venueStatus: VenueStatusMessage {
    VenueStatusMessage(
      venue: venue, publisher: context.name, state: loop.watch.state, reason: loop.watch.reason,
      since: loop.watch.since, time: SystemClock.now)
  }

  /// The last value for whoever has just joined.
  func publishVenue(to request: SnapshotRequest) {
    let message = venueStatus
    publisher.publishSnapshot(request, loop.venueTopic) { message.encode($0) }
  }

  /// Asks the venue how it is; the answer comes by way of `VenueSignals`.
  private func probeVenue(_ now: Int64) {
    if loop.probeEnd.take() { loop.watch.isProbing = false }
    guard let source = statusSource, loop.watch.takeProbe(now) else { return }
    let end = loop.probeEnd
    Task {
      _ = try? await source.status()
      end.tell()
    }
  }
}

/// Says from one thread to another that a question to the venue is over.
final class ProbeEnd: Sendable {
  private let isOver = Atomic(false)

  func tell() { isOver.store(true, ordering: .releasing) }

  /// Whether it is over; asks only once.
  func take() -> Bool { isOver.exchange(false, ordering: .acquiring) }
}
