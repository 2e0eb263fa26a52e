import Daemon
import Foundation
import Synchronization
import TestSupport
import Testing
import Web

/// When a venue was asked.
private final class RequestLog: Sendable {
  private struct State {
    var times: [Int64] = []
    var refusesAt: Int?
    var refusedAt: Int64 = 0
  }

  private let state = Mutex(State())

  var times: [Int64] { state.withLock { $0.times } }
  /// The time of the refusal; 0 before.
  var refusedAt: Int64 { state.withLock { $0.refusedAt } }

  /// Refuses the request after the next so many, once.
  func refuse(after count: Int) { state.withLock { $0.refusesAt = $0.times.count + count } }

  func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let now = SystemClock.monotonicNanoseconds
    let isRefused = state.withLock { state in
      state.times.append(now)
      guard state.refusesAt == state.times.count else { return false }
      state.refusedAt = now
      return true
    }
    if isRefused {
      var answer = HTTPServerResponse.json("{\"message\":\"Public rate limit exceeded\"}", status: 429)
      answer.headers["Retry-After"] = "4"
      return answer
    }
    guard request.path.hasSuffix("/ticker") else { return .json("[]") }
    return .json(#"{"ask":"2","bid":"1","price":"1","size":"1","time":"\#(SystemClock.now)"}"#)
  }
}

@Suite(.serialized) struct SharedBudgetProcessTests {
  @Test func `shards and the collector together stay within a venue's limit, and wait together`() throws {
    let log = RequestLog()
    let venue = try InTestVenue(answer: log.answer) { _ in [] }
    defer { venue.stop() }
    // Without streams everything is polled: far more is wanted than the venue allows.
    venue.refusesStreams = true
    let scratch = ScratchDirectory()
    let symbols = (0..<60).map { "C\($0)-USD" }.joined(separator: ",")
    let configuration = """
      [bulkhead]
      run_dir = \(scratch.path)/run
      data_dir = \(scratch.path)/data
      request_share_percent = 100
      [coinbase]
      rest_url = http://127.0.0.1:\(venue.port)
      websocket_url = ws://127.0.0.1:\(venue.port)/stream
      symbols = \(symbols)
      poll_s = 1
      [candles]
      exchanges = coinbase
      """
    func worker(_ name: String, _ arguments: [String]) throws -> Worker {
      try Worker(
        "ingestor", arguments, configuration: configuration, directory: scratch.path,
        environment: ["BULKHEAD_NAME": name])
    }
    var workers = try (0..<3).map { try worker("ingestor-\($0)", ["coinbase", "--shard", "\($0)/3"]) }
    #expect(eventually { log.times.count > 60 })
    // One that comes later, and one that is no shard at all.
    workers.append(try worker("ingestor-3", ["coinbase", "--shard", "3/4"]))
    workers.append(try worker("candles", ["candles"]))
    let joined = log.times.count
    #expect(eventually { log.times.count > joined + 100 })
    log.refuse(after: 5)
    #expect(eventually { log.refusedAt > 0 && (log.times.last ?? 0) > log.refusedAt + 3_000_000_000 })
    for worker in workers { #expect(worker.stop() == 0) }

    let times = log.times
    for (index, start) in times.enumerated() {
      // The bucket of the venue: 15 at once and 10 in each second. What left in time may arrive a little late; three
      // shards for themselves would send three times as much.
      let second = times[index...].prefix { $0 < start + 900_000_000 }.count
      #expect(second <= 32, "\(second) requests within 0.9 s")
      let long = times[index...].prefix { $0 < start + 4_500_000_000 }.count
      #expect(long <= 80, "\(long) requests within 4.5 s")
    }
    // When one was told to wait, all did: what was under way came, and then nothing.
    let after = times.filter { $0 >= log.refusedAt }
    let longest = zip(after, after.dropFirst()).map { $1 - $0 }.max() ?? 0
    #expect(longest > 2_000_000_000, "the longest silence was \(longest / 1_000_000) ms")
  }
}
