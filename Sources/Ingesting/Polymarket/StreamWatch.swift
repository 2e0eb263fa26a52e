internal import Daemon

/// Which stream watches a book, and since when: eight bytes, of which an ingestor keeps one for each book.
struct StreamWatch {
  /// No stream does.
  static let none = StreamWatch()
  /// When the first was made, in monotonic nanoseconds.
  private static let begin = SystemClock.monotonicNanoseconds

  /// −1 for none.
  private let number: Int32
  /// In steps of 2²⁴ ns, 17 ms, since `begin`, rounded up: a process may live for two years.
  private let start: UInt32

  private init() { (number, start) = (-1, 0) }

  /// - Parameters:
  ///   - connection: the stream's place.
  ///   - since: in monotonic nanoseconds.
  init(connection: Int, since: Int64) {
    number = Int32(connection)
    start = UInt32(clamping: (since - Self.begin) >> 24 + 1)
  }

  /// The stream's place, or nil.
  var connection: Int? { number < 0 ? nil : Int(number) }

  /// Whether the book has been watched since that moment, in monotonic nanoseconds; in doubt it has not.
  func isOlder(than time: Int64) -> Bool { Self.begin + Int64(start) << 24 <= time }
}
