/// Which stream watches a book, and since when: eight bytes, of which an ingestor keeps one for each book.
struct StreamWatch {
  /// No stream does.
  static let none = StreamWatch()

  /// −1 for none.
  private let number: Int32
  /// In steps of 2²⁴ ns, 17 ms, of the monotonic clock, rounded up; they last for two years.
  private let start: UInt32

  private init() { (number, start) = (-1, 0) }

  /// - Parameters:
  ///   - connection: the stream's place.
  ///   - since: in monotonic nanoseconds.
  init(connection: Int, since: Int64) {
    number = Int32(connection)
    start = UInt32(clamping: (since >> 24) + 1)
  }

  /// The stream's place, or nil.
  var connection: Int? { number < 0 ? nil : Int(number) }

  /// Whether the book has been watched since that moment, in monotonic nanoseconds; in doubt it has not.
  func isOlder(than time: Int64) -> Bool { Int64(start) << 24 <= time }
}
