import Daemon
import Foundation
import Market
import Synchronization
import TestSupport
import Testing
import Venues
import Web

/// The breaker of a venue's requests, through the clients and the file that processes share.
@Suite struct RequestBreakerTests {
  private let second: Int64 = 1_000_000_000

  /// A venue that fails as long as it is told to, in a run directory of its own.
  private final class Stage: Sendable {
    let scratch = ScratchDirectory()
    let fails = Mutex(true)
    let asked = Mutex<[String]>([])

    func settings(_ host: String = "venue") -> Settings {
      let text = """
        [bulkhead]
        breaker_failures_max = 3
        breaker_pause_s = 1
        breaker_pause_max_s = 2
        [kalshi]
        rest_url = http://\(host)/api
        """
      let file = ConfigurationFile(text: text, path: "supervisor.conf", directory: scratch.path)
      return Settings.read(file, environment: [:]).settings
    }

    var transport: VenueTransport {
      VenueTransport { (request) async throws(HTTPError) in
        self.asked.withLock { $0.append(request.path) }
        if self.fails.withLock({ $0 }) { return response("{}", status: 503) }
        return request.path.hasSuffix("/status")
          ? response(#"{"exchange_active":true,"trading_active":true}"#) : response(#"{"trades":[],"cursor":""}"#)
      }
    }

    /// A client as a process makes it; each with its own run directory has its own breaker.
    func kalshi(_ way: String = "") -> KalshiREST {
      KalshiREST(settings: settings(), runDirectory: scratch.path + way, transport: transport)
    }
  }

  private func ask(_ kalshi: KalshiREST) async -> VenueError? {
    await failure { () async throws(VenueError) in
      _ = try await kalshi.recentTrades(
        symbol: "A", filter: TradeAgeFilter(ageMaxSeconds: 1), now: Timestamp(nanoseconds: 1))
    }
  }

  @Test func `failures in a row stop all requests, and a question about the venue itself starts them again`() async {
    let stage = Stage()
    let kalshi = stage.kalshi()
    for _ in 0..<3 { #expect(await ask(kalshi)?.cause == .status(503)) }
    #expect(RequestBreakers.values(.kalshi)["breaker_venue"] == 1)
    let error = await ask(kalshi)
    #expect(error?.cause == .heldBack && error?.retryAfterSeconds == 1)
    #expect(stage.asked.withLock { $0.count } == 3)
    // Another client of the same place is held back, too, and one that shares nothing but the file: another process, or
    // this one after a restart.
    #expect(await ask(stage.kalshi())?.cause == .heldBack)
    #expect(await ask(stage.kalshi("/."))?.cause == .heldBack)
    #expect(stage.asked.withLock { $0.count } == 3)
    // Its state can be asked for all the while, and opens it when that is answered.
    #expect(await failure { () async throws(VenueError) in _ = try await kalshi.status() }?.cause == .status(503))
    #expect(await ask(kalshi)?.cause == .heldBack)
    stage.fails.withLock { $0 = false }
    #expect(await failure { () async throws(VenueError) in _ = try await kalshi.status() } == nil)
    #expect(await ask(kalshi) == nil)
    #expect(RequestBreakers.values(.kalshi)["breaker_venue"] == 0)
  }

  @Test func `a limit is not a failure, and an answer in between begins the count anew`() async {
    let stage = Stage()
    let status = Mutex(429)
    let transport = VenueTransport { (_) async throws(HTTPError) in
      response("{}", status: status.withLock { $0 })
    }
    let kalshi = KalshiREST(
      settings: stage.settings("other"), runDirectory: stage.scratch.path, transport: transport)
    for code in [500, 500, 404, 500, 500] {
      status.withLock { $0 = code }
      #expect(await ask(kalshi)?.cause == .status(code))
    }
    status.withLock { $0 = 500 }
    #expect(await ask(kalshi)?.cause == .status(500))
    #expect(await ask(kalshi)?.cause == .heldBack)
  }
}
