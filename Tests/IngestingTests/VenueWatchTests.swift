import Ingesting
import Market
import Testing
import Venues

@Suite struct VenueWatchTests {
  private let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
  private let second: Int64 = 1_000_000_000

  private func sight(
    ready: Bool = true, _ open: Int = 4, of streams: Int = 4, _ word: VenueSignalBoard.Word? = nil
  ) -> VenueWatch.Sight {
    VenueWatch.Sight(isReady: ready, streams: streams, openStreams: open, word: word)
  }

  @Test func `nothing is open before the ingestor knows what there is`() {
    var watch = VenueWatch(probeNanoseconds: 5 * second, now: now)
    #expect(watch.state == .unreachable)
    #expect(watch.take(sight(ready: false), now: now) == false)
    #expect(watch.state == .unreachable)
    #expect(watch.take(sight(), now: now.advanced(bySeconds: 1)) == true)
    #expect(watch.state == .open && watch.reason.isEmpty && watch.since == now.advanced(bySeconds: 1))
  }

  @Test func `what the venue says counts most, then its streams, then that it does not answer`() {
    var watch = VenueWatch(probeNanoseconds: 5 * second, now: now)
    _ = watch.take(sight(0, .init(.restarting, "425")), now: now)
    #expect(watch.state == .restarting && watch.reason == "425")
    _ = watch.take(sight(1, .init(.unreachable, "no answer")), now: now)
    #expect(watch.state == .unreachable && watch.reason == "1 of 4 streams are open")
    _ = watch.take(sight(2, .init(.unreachable, "no answer")), now: now)
    #expect(watch.reason == "no answer")
    _ = watch.take(sight(2), now: now)
    #expect(watch.state == .open)
    // A shard that has no market of its own watches nothing.
    _ = watch.take(sight(0, of: 0), now: now)
    #expect(watch.state == .open)
  }

  @Test func `the venue is asked again soon while it is closed, one question at a time`() {
    var watch = VenueWatch(probeNanoseconds: 5 * second, now: now)
    _ = watch.take(sight(), now: now)
    #expect(watch.takeProbe(0) == true)
    #expect(watch.takeProbe(100 * second) == false)
    watch.isProbing = false
    #expect(watch.takeProbe(4 * second) == false)
    _ = watch.take(sight(.init(.restarting, "425")), now: now)
    watch.hurry(second)
    #expect(watch.takeProbe(2 * second) == true)
    watch.isProbing = false
    #expect(watch.takeProbe(2 * second + second / 2) == false)
    #expect(watch.takeProbe(3 * second) == true)
  }

  private func sight(_ word: VenueSignalBoard.Word) -> VenueWatch.Sight { sight(4, word) }
  private func sight(_ open: Int, _ word: VenueSignalBoard.Word) -> VenueWatch.Sight { sight(open, of: 4, word) }
}
