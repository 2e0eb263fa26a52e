/// Several books as they stood together at one moment.
public struct BooksSnapshot: Hashable, Sendable {
  /// One of the books.
  public struct Book: Hashable, Sendable {
    /// Its place in the cache.
    public let book: BookIndex
    /// How far it could be trusted.
    public let state: BookState
    /// Bids, worst first.
    public let bids: [Level]
    /// Asks, worst first.
    public let asks: [Level]
  }

  /// The moment.
  public let time: Timestamp
  /// The books, in the order asked for.
  public let books: [Book]

  /// Whether all of them could be traded on.
  public var isLive: Bool { books.allSatisfy { $0.state == .live } }
}
