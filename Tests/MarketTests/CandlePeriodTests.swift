import Market
import Testing

@Suite struct CandlePeriodTests {
  private func time(_ text: String) throws -> Timestamp { try Timestamp(rfc3339: text) }

  @Test(arguments: ["1s", "1m", "15m", "4h", "1d", "3d", "1w", "1M", "3M", "15d"])
  func `a name is read and written`(_ name: String) {
    #expect(CandlePeriod(name)?.description == name)
  }

  @Test(arguments: ["", "m", "0m", "-1m", "+1m", "1x", "1 m", "13M", "400d", "9223372036854775807d"])
  func `what is no name is none`(_ name: String) { #expect(CandlePeriod(name) == nil) }

  @Test func `a month ends with the next one, also in December`() throws {
    #expect(CandlePeriod.month.end(ofCandleAt: try time("2024-02-01")) == (try time("2024-03-01")))
    #expect(CandlePeriod.month.end(ofCandleAt: try time("2025-12-01")) == (try time("2026-01-01")))
    #expect(CandlePeriod.months(3).end(ofCandleAt: try time("2025-10-01")) == (try time("2026-01-01")))
    #expect(CandlePeriod.week.end(ofCandleAt: try time("2025-12-29")) == (try time("2026-01-05")))
  }

  @Test func `a moment lies in the candle that starts before it`() throws {
    let moment = try time("2026-07-24T13:37:42Z")
    #expect(CandlePeriod.minute.start(of: moment) == (try time("2026-07-24T13:37:00Z")))
    #expect(CandlePeriod.day.start(of: moment) == (try time("2026-07-24")))
    #expect(CandlePeriod.week.start(of: moment) == (try time("2026-07-20")))
    #expect(CandlePeriod.month.start(of: moment) == (try time("2026-07-01")))
    #expect(CandlePeriod.months(3).start(of: try time("2026-06-30T23:59:59Z")) == (try time("2026-04-01")))
  }

  @Test func `periods may start on their grid alone`() throws {
    #expect(CandlePeriod.seconds(21_600).mayStart(at: try time("2026-07-24T06:00:00Z")))
    #expect(!CandlePeriod.seconds(21_600).mayStart(at: try time("2026-07-24T04:00:00Z")))
    #expect(!CandlePeriod.day.mayStart(at: try time("2026-07-24T16:00:00Z")))
    #expect(CandlePeriod.week.mayStart(at: try time("2026-07-23")))
    #expect(!CandlePeriod.month.mayStart(at: try time("2026-07-02")))
    #expect(CandlePeriod.minute < .hour && CandlePeriod.week < .month)
  }
}
