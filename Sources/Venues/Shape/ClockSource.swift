internal import Market

/// A venue that tells the time.
protocol ClockSource: VenueSource {
  /// The venue's time now, as finely as it tells it.
  func serverTime() async throws(VenueError) -> Timestamp
}

extension PolymarketREST: ClockSource {
  func serverTime() async throws(VenueError) -> Timestamp {
    guard let time = try await status() else {
      throw VenueError(venue: venue, kind: "time", problem: "the venue told no time", cause: .absent)
    }
    // Whole seconds: in the middle of one, the error is smallest.
    return time.advanced(byNanoseconds: 500_000_000)
  }
}

extension BinanceREST: ClockSource {
  /// Reads `{"serverTime":1499827319559}`.
  func serverTime() async throws(VenueError) -> Timestamp {
    try await connection.get("time", "/api/v3/time", query: []) { wire throws(WireProblem) in
      try wire.milliseconds("serverTime")
    }
  }
}

extension CoinbaseREST: ClockSource {
  /// Reads `{"iso":"2015-01-07T23:47:25.201Z","epoch":1420674445.201}`.
  func serverTime() async throws(VenueError) -> Timestamp {
    try await connection.get("time", "/time", query: []) { wire throws(WireProblem) in try wire.time("iso") }
  }
}

extension KrakenREST: ClockSource {
  /// Reads `{"error":[],"result":{"unixtime":1688669448,"rfc1123":"Thu, 06 Jul 23 18:50:48 +0000"}}`.
  func serverTime() async throws(VenueError) -> Timestamp {
    let time = try await connection.get("time", "/0/public/Time", query: []) { wire throws(WireProblem) in
      try wire.inside("result", "an object") { result throws(WireProblem) in try result.seconds("unixtime") }
    }
    return time.advanced(byNanoseconds: 500_000_000)
  }
}

extension OKXREST: ClockSource {
  /// Reads `{"code":"0","msg":"","data":[{"ts":"1597026383085"}]}`.
  func serverTime() async throws(VenueError) -> Timestamp {
    try await connection.get("time", "/api/v5/public/time", query: []) { wire throws(WireProblem) in
      guard let row = try wire.array("data").first else { throw WireProblem("data", "expected a row, found none") }
      do throws(WireProblem) { return try row.milliseconds("ts") } catch { throw error.inside("data[0]") }
    }
  }
}

extension BybitREST: ClockSource {
  /// Reads `{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"},…}`.
  func serverTime() async throws(VenueError) -> Timestamp {
    try await connection.get("time", "/v5/market/time", query: []) { wire throws(WireProblem) in
      try wire.inside("result", "an object") { result throws(WireProblem) in
        guard let nanoseconds = result.number("timeNano") else {
          throw WireProblem("timeNano", "expected a time in nanoseconds, found nothing")
        }
        return Timestamp(nanoseconds: nanoseconds)
      }
    }
  }
}
