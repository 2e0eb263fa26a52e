public import Market

/// The items of a `book/…` message: a list of arrays that begin with one of these codes.
///
/// - `change`: `[0, book, venueTime, receivedAt, side, price, quantity, side, price, quantity, …]`; a quantity is the
///   new total at its price, 0 removes the level.
/// - `snapshot`: `[1, book, venueTime, receivedAt, tick, [price, quantity, …] bids, [price, quantity, …] asks]`, both
///   worst first.
/// - `stale`: `[2, book]`: not to be trusted until the next snapshot.
/// - `closed`: `[3, book]`: its market has ended.
/// - `tick`: `[4, book, tick]`: the grid has changed; the book is stale until its next snapshot.
/// - `withdrawn`: `[5, book]`: this publisher tells nothing more of it; another one does.
///
/// Times are nanoseconds since 1970, prices and quantities units of 10⁻⁸. A list without items is a sign of life.
public enum BookItem: UInt64, Sendable {
  case change = 0
  case snapshot = 1
  case stale = 2
  case closed = 3
  case tick = 4
  case withdrawn = 5
}

/// Collects what one socket brought, so that it goes out as one message.
///
/// Whoever gets it sees no state between two changes of one moment of the venue's that came together.
public final class BookBatch {
  private let writer = MessagePackWriter(capacity: 256 * 1024)
  /// Publishes what waits, where that is enough and a change of a later moment comes; nil where all goes out together.
  ///
  /// So the first part of a long burst is worked on while the rest is read.
  public var onMomentEnd: (() -> Void)?
  /// So many items are enough.
  private static let momentItemsMin = 12
  /// The newest moment of what waits.
  private var moment = Timestamp(nanoseconds: .min)
  /// How many items wait.
  public private(set) var itemCount = 0
  private var changeStart = 0
  private var changeFields = 0

  /// An empty batch.
  public init() {}

  /// How many bytes wait.
  public var byteCount: Int { writer.count }

  /// Begins the changes of one book; `change` adds to it, `endChange` closes it.
  ///
  /// What waits may go out before.
  public func beginChange(book: UInt32, venueTime: Timestamp, receivedAt: Timestamp) {
    if itemCount >= BookBatch.momentItemsMin, venueTime > moment { onMomentEnd?() }
    moment = max(moment, venueTime)
    itemCount += 1
    changeStart = writer.openArray()
    changeFields = 4
    writer.unsigned(BookItem.change.rawValue)
    writer.unsigned(UInt64(book))
    writer.integer(venueTime.nanoseconds)
    writer.integer(receivedAt.nanoseconds)
  }

  /// Adds one level's new total.
  public func change(side: BookSide, price: Price, quantity: Quantity) {
    writer.unsigned(UInt64(side.rawValue))
    writer.integer(price.raw)
    writer.integer(quantity.raw)
    changeFields += 3
  }

  /// Ends the changes of one book.
  public func endChange() { writer.patchArray(changeFields, at: changeStart) }

  /// Adds a whole book, of whatever moment: many may come at once.
  public func snapshot(book: UInt32, index: BookIndex, of cache: borrowing BookCache) {
    moment = max(moment, cache.header(index).venueTime)
    itemCount += 1
    writeBookSnapshot(book: book, index: index, of: cache, writer)
  }

  /// Says that a book is not to be trusted.
  public func stale(book: UInt32) { item(.stale, book) }

  /// Says that a book's market has ended.
  public func closed(book: UInt32) { item(.closed, book) }

  /// Says that a book is another publisher's from here on.
  public func withdrawn(book: UInt32) { item(.withdrawn, book) }

  /// Says that a book's grid has changed.
  public func tick(book: UInt32, _ tick: Price) {
    itemCount += 1
    writer.array(3)
    writer.unsigned(BookItem.tick.rawValue)
    writer.unsigned(UInt64(book))
    writer.integer(tick.raw)
  }

  private func item(_ item: BookItem, _ book: UInt32) {
    itemCount += 1
    writer.array(2)
    writer.unsigned(item.rawValue)
    writer.unsigned(UInt64(book))
  }

  /// Publishes what waits, also when that is nothing, and is empty again.
  public func publish(on publisher: Publisher, _ topic: TopicHandle) {
    publisher.publish(topic) { output in
      output.array(itemCount)
      output.raw(writer.written)
    }
    writer.truncate(to: 0)
    itemCount = 0
    moment = Timestamp(nanoseconds: .min)
  }
}

/// Writes one whole book as an item of a `book/…` message; a stale one says so in a second item.
///
/// - Returns: how many items were written.
@discardableResult public func writeBookSnapshot(
  book: UInt32, index: BookIndex, of cache: borrowing BookCache, _ writer: MessagePackWriter
) -> Int {
  let header = cache.header(index)
  writer.array(7)
  writer.unsigned(BookItem.snapshot.rawValue)
  writer.unsigned(UInt64(book))
  writer.integer(header.venueTime.nanoseconds)
  writer.integer(header.receivedAt.nanoseconds)
  writer.integer(header.tick.raw)
  for side in [BookSide.bid, .ask] {
    let levels = cache.side(side, of: index)
    writer.array(levels.count * 2)
    for level in levels {
      writer.integer(level.price.raw)
      writer.integer(level.quantity.raw)
    }
  }
  return 1
}
