import Foundation
import Market
import TestSupport
import Testing

struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-07-24T00:25:21Z", 1_784_852_721_000_000_000),
    ("2026-07-24 00:25:21+00", 1_784_852_721_000_000_000), ("2026-07-24t00:25:21z", 1_784_852_721_000_000_000),
    ("2026-07-24T00:25:21", 1_784_852_721_000_000_000), ("2026-07-24T00:25Z", 1_784_852_700_000_000_000),
    ("2026-07-24", 1_784_851_200_000_000_000), ("2026-07-24T02:25:21+02:00", 1_784_852_721_000_000_000),
    ("2026-07-23T19:55:21-0430", 1_784_852_721_000_000_000),
    ("2026-07-24T00:25:21.123456789Z", 1_784_852_721_123_456_789),
    ("2026-07-24T00:25:21.1234567899Z", 1_784_852_721_123_456_789),
    ("2026-07-24T00:25:21.5Z", 1_784_852_721_500_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
    ("2024-02-29", 1_709_164_800_000_000_000), ("1972-06-30T23:59:60Z", 78_796_800_000_000_000),
  ])
  func `RFC 3339 and its relatives are read`(text: String, nanoseconds: Int64) throws {
    #expect(try Timestamp(rfc3339: text).nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "2026", "2026-07", "2026-7-24", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "2026-02-29",
    "2100-02-29", "2026-04-31", "1969-12-31", "2262-01-01", "2026-07-24T", "2026-07-24T24:00:00Z",
    "2026-07-24T00:60:00Z", "2026-07-24T00:00:61Z", "2026-07-24T00:00:00.Z", "2026-07-24T00:00:00Zx",
    "2026-07-24T00:00:00Z+02", "2026-07-24T00:00:00+24", "2026-07-24T00:00:00+02:60", "2026-07-24T00:00:00+2",
    "2026-07-24T00:00:00+02:00Z", "2026-07-24X00:00:00Z", "-026-07-24", "2026-07-24T00:00:00 UTC",
    "1970-01-01T00:00:00+01:00", "٢٠٢٦-07-24",
  ])
  func `a text that is no time is refused`(text: String) {
    #expect(throws: DecimalError.malformed) { try Timestamp(rfc3339: text) }
  }

  @Test func `counts out of range are refused`() throws {
    #expect(throws: DecimalError.tooLarge) { try Timestamp(milliseconds: Int64.max) }
    #expect(throws: DecimalError.tooLarge) { try Timestamp(seconds: -1) }
    #expect(throws: DecimalError.tooLarge) { try Timestamp(seconds: 9_223_372_037) }
    #expect(try Timestamp(seconds: 9_223_372_036).nanoseconds == 9_223_372_036_000_000_000)
    #expect(try Timestamp(milliseconds: 1_757_908_892_351).milliseconds == 1_757_908_892_351)
  }

  @Test func `every day is printed as Foundation prints it, and read back`() throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .gmt
    var random = SeededRandom(seed: 5)
    for day in 0..<106_000 {
      let millisecond = Int64(day) * 86_400_000 + Int64.random(in: 0..<86_400_000, using: &random)
      let time = try Timestamp(milliseconds: millisecond)
      #expect(try Timestamp(rfc3339: time.description) == time)
      guard day % 37 == 0 else { continue }
      let parts = calendar.dateComponents(
        [.year, .month, .day, .hour, .minute, .second], from: Date(timeIntervalSince1970: Double(millisecond / 1000)))
      let civil = CivilTime(time)
      #expect(civil.year == parts.year && civil.month == parts.month && civil.day == parts.day)
      #expect(civil.hour == parts.hour && civil.minute == parts.minute && civil.second == parts.second)
    }
  }

  @Test func `a moment falls into its period`() throws {
    let time = try Timestamp(rfc3339: "2026-07-24T00:25:21.5Z")
    #expect(time.floored(toSeconds: 60).description == "2026-07-24T00:25:00.000Z")
    #expect(time.floored(toSeconds: 86_400).description == "2026-07-24T00:00:00.000Z")
    #expect(time.advanced(bySeconds: 39).description == "2026-07-24T00:26:00.500Z")
  }

  @Test func `a trade counts by its own time`() throws {
    let filter = TradeAgeFilter(ageMaxSeconds: 300)
    let now = try Timestamp(seconds: 1_800_000_000)
    #expect(filter.accepts(now.advanced(bySeconds: -300), now: now))
    #expect(!filter.accepts(now.advanced(byNanoseconds: -300_000_000_001), now: now))
    #expect(!filter.accepts(now.advanced(bySeconds: 301), now: now))
    #expect(!filter.accepts(Timestamp(nanoseconds: 0), now: now))
  }

  @Test func `what is farther away than can be said is as far as can be`() throws {
    let (first, last) = (Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max))
    #expect(last.advanced(byNanoseconds: 1) == last && first.advanced(byNanoseconds: -1) == first)
    #expect(last.advanced(bySeconds: 1) == last && last.advanced(bySeconds: .max) == last)
    #expect(first.advanced(bySeconds: -1) == first && first.advanced(bySeconds: .min) == first)
    #expect(last.nanoseconds(since: first) == .max && first.nanoseconds(since: last) == .min)
    #expect(last.nanoseconds(since: Timestamp(nanoseconds: -1)) == .max)
    #expect(Timestamp(nanoseconds: -5).nanoseconds(since: last) == .min)
    #expect(first.nanoseconds(since: Timestamp(nanoseconds: 0)) == .min)
    #expect(Timestamp(nanoseconds: 0).nanoseconds(since: first) == .max)
    #expect(last.advanced(bySeconds: -1).nanoseconds(since: last) == -1_000_000_000)
  }
}
