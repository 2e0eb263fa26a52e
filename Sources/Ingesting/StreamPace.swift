/// How busy a stream is, by which a silence is told from quiet (X5): one in which many messages would have been due, while
/// other streams of the venue go on, is a reason to compare with REST at once.
///
/// A pure value; times are nanoseconds of the monotonic clock.
package struct StreamPace: Sendable {
  /// With so many messages due, a silence is no chance any more: e⁻²⁰ where they come independently.
  private static let dueMin: Double = 20
  /// Over how many seconds the pace is smoothed.
  private static let memorySeconds: Double = 60

  /// When data last came, or watching began.
  private var heardAt: Int64 = 0
  private var frames = 0
  private var perSecond: Double = 0
  private var countedAt: Int64 = 0

  /// A stream that has brought nothing yet.
  package init() {}

  /// It is open: what it brought on an older connection stays its pace.
  package mutating func opened(_ now: Int64) {
    heardAt = now
    countedAt = now
    frames = 0
  }

  /// Data has come.
  package mutating func heard(_ now: Int64) {
    heardAt = now
    frames += 1
  }

  /// Takes what has come since the last time into the pace; about once a second.
  package mutating func count(_ now: Int64) {
    let seconds = Double(now - countedAt) / 1e9
    guard seconds > 0 else { return }
    let weight = min(1, seconds / Self.memorySeconds)
    perSecond += (Double(frames) / seconds - perSecond) * weight
    frames = 0
    countedAt = now
  }

  /// Whether it is silent for longer than chance allows.
  package func isStill(_ now: Int64) -> Bool { isBusy(over: now - heardAt) }

  /// Whether it would bring many messages in that time.
  private func isBusy(over nanoseconds: Int64) -> Bool { perSecond * Double(nanoseconds) / 1e9 >= Self.dueMin }

  /// Whether a stream is to be looked at: it is still, and most of its busy siblings are not.
  ///
  /// Where all are still it is the venue that is, and where there are none nobody else can tell.
  package func isDoubtful(beside siblings: [StreamPace], _ now: Int64) -> Bool {
    guard isStill(now) else { return false }
    let busy = siblings.filter { $0.isBusy(over: now - heardAt) }
    return busy.isEmpty || 2 * busy.count { !$0.isStill(now) } > busy.count
  }
}
