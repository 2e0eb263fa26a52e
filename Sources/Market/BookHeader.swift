/// A book's place in a `BookCache`.
public typealias BookIndex = Int

/// How far a book can be trusted.
///
/// Exits: `empty` → `live` by a snapshot; `live` → `stale` by a gap, a failed hash or a lost stream, → `closed` when
/// its market ends; `stale` → `live` by a snapshot, → `closed`; `closed` has none.
@frozen public enum BookState: UInt8, Sendable {
  /// No snapshot yet: deltas are dropped.
  case empty = 0
  /// A snapshot and every delta since.
  case live = 1
  /// Something is missing; the levels are kept for the eye, not for trading.
  case stale = 2
  /// Its market has ended.
  case closed = 3
}

/// What became of a delta.
@frozen public enum DeltaResult: UInt8, Sendable {
  /// The level is set, changed or removed.
  case applied = 0
  /// The book had no snapshot, was stale or closed: the delta is dropped.
  case dropped = 1
  /// The side is full: the book is marked stale.
  case full = 2
}

/// What the cache knows of one book apart from its levels and its best prices: 40 bytes.
@frozen public struct BookHeader {
  /// When we received the last change.
  public var receivedAt = Timestamp(nanoseconds: 0)
  /// The venue's time of the last change.
  public var venueTime = Timestamp(nanoseconds: 0)
  /// The grid of prices.
  public var tick: Price = .zero
  /// Where the bids begin in the level store, worst first.
  @usableFromInline var bidStart: Int32 = -1
  /// Where the asks begin in the level store, worst first.
  @usableFromInline var askStart: Int32 = -1
  /// How many bids there are.
  public var bidCount: UInt16 = 0
  /// How many asks there are.
  public var askCount: UInt16 = 0
  @usableFromInline var bidClass: UInt8 = 0
  @usableFromInline var askClass: UInt8 = 0
  /// How far the book can be trusted.
  public var state: BookState = .empty

  init() {}
}

/// The best prices of one book, apart from everything else: what a scan of all books reads.
///
/// Eight bytes, so that those of all markets of a venue fit the cache of one core. Prices of outcomes are at most 1, for
/// which 27 bits are enough: the bid is in the lower half, the ask in the upper half, whose five highest bits are the
/// reader's.
@frozen public struct Touch: Sendable {
  @usableFromInline var bits = UInt64(Touch.noAsk) << 32

  init() {}

  /// Stands for "no ask": so large that no sum of prices with it is below 1.
  @inlinable public static var noAsk: Int64 { (1 << 27) - 1 }

  /// All marks that there is room for.
  @inlinable public static var allMarks: UInt8 { 31 }

  @usableFromInline static var priceBits: UInt64 { UInt64(noAsk) << 32 | UInt64(UInt32.max) }
  @usableFromInline static var signBits: UInt64 { 1 << 63 | 1 << 31 }

  /// The best bid's price in 10⁻⁸; 0 where there is no bid.
  @inlinable public var bid: Int64 { Int64(UInt32(truncatingIfNeeded: bits)) }

  /// The best ask's price in 10⁻⁸; `noAsk` where there is no ask.
  @inlinable public var ask: Int64 { Int64(bits >> 32) & Touch.noAsk }

  /// What `BookCache.setMark` has noted of the book; the cache makes nothing of it.
  @inlinable public var mark: UInt8 { UInt8(truncatingIfNeeded: bits >> 59) }

  /// Whether two outcomes of which exactly one pays 1 can be bought for less, or sold for more.
  @inlinable public func pays(with other: Touch) -> Bool { reasons(with: other, marks: 0) != 0 }

  /// Whether `pays` or one of some marks is set, without a branch: other than 0 where it is so.
  ///
  /// Both sums are made by one addition, and both are compared by another: asks − 1 has its highest bit set where the
  /// asks are too cheap, bids + 2³¹ − 1 − 1 (in the smallest unit) where the bids are too dear.
  @inlinable public func reasons(with other: Touch, marks: UInt8) -> UInt64 {
    let one = UInt64(fixedPointScale)
    let shift = ((1 << 32) - one) << 32 | ((1 << 31) - 1 - one)
    let sums = (bits & Touch.priceBits) &+ (other.bits & Touch.priceBits)
    return (sums &+ shift) & Touch.signBits | (bits | other.bits) & UInt64(marks) << 59
  }

  /// The `reasons` of eight pairs of neighbours in one go, the first at `touches`.
  @inlinable public static func reasonsOfEight(_ touches: UnsafePointer<Touch>, marks: UInt8) -> UInt64 {
    var reasons: UInt64 = 0
    for pair in 0..<8 { reasons |= touches[pair &* 2].reasons(with: touches[pair &* 2 &+ 1], marks: marks) }
    return reasons
  }

  @inline(__always) mutating func set(bid: Int64) {
    bits = bits & ~UInt64(UInt32.max) | UInt64(min(bid, Touch.noAsk))
  }

  @inline(__always) mutating func set(ask: Int64) {
    bits = bits & ~(UInt64(Touch.noAsk) << 32) | UInt64(min(ask, Touch.noAsk)) << 32
  }

  @inline(__always) mutating func set(bid: Int64, ask: Int64) {
    bits = bits & ~Touch.priceBits | UInt64(min(ask, Touch.noAsk)) << 32 | UInt64(min(bid, Touch.noAsk))
  }

  @inline(__always) mutating func set(mark: UInt8) { bits = bits & Touch.priceBits | UInt64(mark) << 59 }
}
