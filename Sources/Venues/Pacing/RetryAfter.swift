internal import Daemon
internal import Market
internal import Web

/// How long a venue asks us to wait: `Retry-After` of RFC 9110, in seconds or as a moment.
enum RetryAfter {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// The seconds that an answer's headers ask for, rounded up; nil where they do not, or say what nobody can read.
  /// - Parameters:
  ///   - headers: the answer's; a moment is compared with their `Date`, because clocks differ.
  ///   - now: stands in for a `Date` that is missing.
  /// - Returns: the seconds.
  static func seconds(_ headers: HTTPHeaders, now: Timestamp) -> Int? {
    guard let field = headers["Retry-After"] else { return nil }
    let text = String(field.drop { $0 == " " })
    if let count = Int(text) { return count >= 0 ? count : nil }
    guard let moment = time(text) else { return nil }
    let start = headers["Date"].flatMap { time($0) } ?? now
    return max(0, Int((moment.nanoseconds(since: start) + 999_999_999) / 1_000_000_000))
  }

  /// Reads a time in one of the three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`,
  /// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
  static func time(_ text: String) -> Timestamp? {
    let parts = text.split(whereSeparator: { " ,-".contains($0) }).map(String.init)
    switch parts.count {
    case 6 where parts[5] == "GMT":
      let year = parts[3].count == 2 ? (parts[3] < "70" ? "20" : "19") + parts[3] : parts[3]
      return time(year, parts[2], parts[1], parts[4])
    case 5: return time(parts[4], parts[1], parts[2].count == 1 ? "0" + parts[2] : parts[2], parts[3])
    default: return nil
    }
  }

  private static func time(_ year: String, _ month: String, _ day: String, _ clock: String) -> Timestamp? {
    guard let index = months.firstIndex(of: month) else { return nil }
    let number = index < 9 ? "0\(index + 1)" : "\(index + 1)"
    return try? Timestamp(rfc3339: "\(year)-\(number)-\(day)T\(clock)Z")
  }
}
