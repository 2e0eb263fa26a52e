package import Market

/// Who gets a frame.
package enum Audience: Sendable {
  /// Everyone who watches one of its tokens.
  case watchers
  /// Of those, who asked for the additional events.
  case customWatchers
  /// Everyone who asked for the additional events.
  case custom
}

/// One message of the market channel: a stretch of the outbox's bytes.
package struct Frame: Sendable {
  package var audience: Audience
  package var token: Int
  /// The second token, −1 where there is none.
  package var other: Int
  package var bytes: Range<Int>
}

/// What must go out: frames that are rendered already, and notices for the bus and the order desk.
///
/// Frames that nobody watches are not rendered.
package struct Outbox {
  package var writer = ByteWriter(capacity: 1 << 16)
  package private(set) var frames: [Frame] = []
  package var plantNotices: [PlantNotice] = []
  /// Fills of orders that rested for clients: market, outcome and side of the taker, fill.
  package var makerFills: [(market: Int, outcome: Int, side: Side, fill: EngineFill)] = []
  /// Resting orders whose market ended.
  package var lapsedOrders: [String] = []
  /// Markets whose books changed, some of them twice.
  var moved: [Int] = []
  /// Markets that are no more: nobody listens to them any longer.
  package var retired: [Int] = []
  /// How many peers asked for the additional events.
  package var customCount = 0
  /// Whether everything is rendered, watched or not: for tests.
  package var rendersAll = false
  let hasher = BookHasher()
  var orderHash: UInt64 = 0
  private var watchers: [Int32] = []
  private var best: [(bid: Price, ask: Price)] = []

  init() {}

  mutating func addMarket() {
    for _ in 0..<2 {
      watchers.append(0)
      best.append((.zero, .one))
    }
  }

  /// Counts one more peer that watches a token, or one less.
  package mutating func watch(token: Int, by change: Int32) { watchers[token] += change }

  /// Whether somebody watches both tokens of a market.
  func isWatched(market: Int) -> Bool { watchers[market * 2] > 0 && watchers[market * 2 + 1] > 0 }

  func isWatched(token: Int) -> Bool { rendersAll || watchers[token] > 0 }

  /// Ends a frame that began at a byte.
  mutating func close(_ start: Int, _ audience: Audience, token: Int, other: Int = -1) {
    frames.append(Frame(audience: audience, token: token, other: other, bytes: start..<writer.count))
  }

  /// Whether the best prices of a token are others than when this was last asked.
  mutating func bestChanged(_ token: Int, bid: Price, ask: Price) -> Bool {
    guard best[token].bid != bid || best[token].ask != ask else { return false }
    best[token] = (bid, ask)
    return true
  }

  /// Forgets what was sent.
  package mutating func removeAll() {
    writer.removeAll()
    frames.removeAll(keepingCapacity: true)
    plantNotices.removeAll(keepingCapacity: true)
    makerFills.removeAll(keepingCapacity: true)
    lapsedOrders.removeAll(keepingCapacity: true)
    retired.removeAll(keepingCapacity: true)
    moved.removeAll(keepingCapacity: true)
  }
}
