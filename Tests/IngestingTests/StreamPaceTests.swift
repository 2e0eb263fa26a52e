import Ingesting
import Testing

/// A silence that is told from quiet by a stream's own pace and its siblings' (X5).
@Suite struct StreamPaceTests {
  private static let second: Int64 = 1_000_000_000

  /// A stream that has brought so many messages a second, from the first to the last second, both included.
  private func stream(_ perSecond: Int, seconds: ClosedRange<Int64>) -> StreamPace {
    var pace = StreamPace()
    pace.opened(0)
    for second in 1...max(seconds.upperBound, 1) {
      if seconds.contains(second) { for _ in 0..<perSecond { pace.heard(second * Self.second) } }
      pace.count(second * Self.second)
    }
    return pace
  }

  @Test func `a busy stream that falls silent while its siblings go on is doubtful within seconds`() {
    let still = stream(10, seconds: 1...120)
    let sibling = stream(10, seconds: 1...124)
    #expect(!still.isDoubtful(beside: [sibling], 122 * Self.second))
    #expect(still.isDoubtful(beside: [sibling], 124 * Self.second))
    #expect(!sibling.isDoubtful(beside: [still], 124 * Self.second))
    // Nobody else can tell: REST is to.
    #expect(still.isDoubtful(beside: [], 124 * Self.second))
  }

  @Test func `where all fall silent it is the venue that is quiet`() {
    let still = stream(10, seconds: 1...120)
    #expect(still.isStill(130 * Self.second))
    #expect(!still.isDoubtful(beside: [still, still], 130 * Self.second))
    // One of two others goes on: no majority. Two of three do.
    let sibling = stream(10, seconds: 1...130)
    #expect(!still.isDoubtful(beside: [still, sibling], 130 * Self.second))
    #expect(still.isDoubtful(beside: [still, sibling, sibling], 130 * Self.second))
    // One that never says much has nothing to say of this.
    let idle = stream(0, seconds: 1...130)
    #expect(still.isDoubtful(beside: [idle, idle, sibling], 130 * Self.second))
  }

  @Test func `a slow stream may be silent for long, and one that has slowed down is not expected to be busy`() {
    let slow = stream(1, seconds: 1...100)
    #expect(!slow.isStill(110 * Self.second) && slow.isStill(130 * Self.second))
    let slowed = stream(10, seconds: 1...600)
    var later = slowed
    for second in Int64(601)...1000 {
      if second % 10 == 0 { later.heard(second * Self.second) }
      later.count(second * Self.second)
    }
    #expect(slowed.isStill(604 * Self.second) && !later.isStill(1009 * Self.second))
  }

  @Test func `what came over an older connection stays the pace, and the silence begins anew`() {
    var pace = stream(10, seconds: 1...120)
    pace.opened(200 * Self.second)
    #expect(!pace.isStill(201 * Self.second) && pace.isStill(204 * Self.second))
  }
}
