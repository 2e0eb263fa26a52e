import Foundation
import Market
import Simulating
import Synchronization
import Testing
import Web

/// Whether a thread shall end, and whether it has.
final class StopFlag: Sendable {
  private let state = Mutex((isSet: false, hasEnded: false))
  var isSet: Bool { state.withLock { $0.isSet } }
  var hasEnded: Bool { state.withLock { $0.hasEnded } }
  func set() { state.withLock { $0.isSet = true } }
  func end() { state.withLock { $0.hasEnded = true } }
}

/// Serves on a port of the system's choice, on a thread of its own that has ended when the body is through.
func serving<Result: Sendable>(
  _ options: SimulatorOptions, _ body: (UInt16) async throws -> Result
) async throws -> Result {
  let stop = StopFlag()
  let port: UInt16 = try await withCheckedThrowingContinuation { continuation in
    let thread = Thread {
      do {
        let service = try SimulatorService(options: options, host: "127.0.0.1", port: 0)
        continuation.resume(returning: service.port)
        while !stop.isSet { service.turn(timeoutMilliseconds: 1) }
        service.stop()
      } catch {
        continuation.resume(throwing: error)
      }
      stop.end()
    }
    thread.start()
  }
  let result: Swift.Result<Result, any Error>
  do {
    result = .success(try await body(port))
  } catch {
    result = .failure(error)
  }
  stop.set()
  while !stop.hasEnded { try await Task.sleep(for: .milliseconds(5)) }
  return try result.get()
}

@Suite struct ServiceTests {
  @Test(.timeLimit(.minutes(10)))
  func `over real sockets a subscriber's books follow the venue's, and an order moves them`() async throws {
    var options = SimulatorOptions()
    options.markets = 60
    options.events = 10
    try await serving(options) { port in try await follow(port) }
  }

  private func follow(_ port: UInt16) async throws {
    let base = "http://127.0.0.1:\(port)"
    let client = HTTPClient()
    let listing = try await client.send(
      HTTPRequest(url: base + "/polymarket/gamma/markets?limit=500&closed=false&active=true"))
    #expect(listing.status == 200)
    let markets = try JSONDocument(listing.body).root
    let texts = markets.elements.filter { $0["acceptingOrders"]?.bool == true && $0["negRiskOther"]?.bool == false }
      .compactMap { $0["clobTokenIds"]?.string }
    let tokens = try texts.prefix(40).flatMap { try JSONDocument($0).root.elements.compactMap(\.string) }
    #expect(tokens.count == 80)

    let socket = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(port)/polymarket/ws/market")
    let list = tokens.map { "\"\($0)\"" }.joined(separator: ",")
    try socket.send(text: "{\"assets_ids\":[\(list)],\"type\":\"market\"}")
    try socket.send(text: "PING")
    var received: [String] = []
    let deadline = Date().addingTimeInterval(240)
    while Date() < deadline, received.count < 300 || !received.contains("PONG") {
      try socket.receive { if $0.kind == .text { received.append($0.text) } }
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(received.first?.hasPrefix("[{\"event_type\":\"book\"") == true)
    #expect(received.contains("PONG"))
    #expect(received.contains { $0.contains("\"event_type\":\"price_change\"") })

    let book = try await client.send(HTTPRequest(url: base + "/polymarket/clob/book?token_id=\(tokens[0])"))
    let asks = try #require(try JSONDocument(book.body).root["asks"])
    let best = try Price(try #require(asks[asks.count - 1]?["price"]?.string))
    let zero = "0x" + String(repeating: "0", count: 64)
    let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    // Five ticks above the best: the market moves while we ask.
    let limit = min(98, best.raw / 1_000_000 + 5)
    let body =
      "{\"order\":{\"salt\":5,\"maker\":\"\(address)\",\"signer\":\"\(address)\",\"tokenId\":\"\(tokens[0])\","
      + "\"makerAmount\":\"\(limit * 200_000)\",\"takerAmount\":\"20000000\",\"side\":\"BUY\",\"signatureType\":0,"
      + "\"timestamp\":\"1\",\"expiration\":\"0\",\"metadata\":\"\(zero)\",\"builder\":\"\(zero)\",\"signature\":\"0x\"},"
      + "\"owner\":\"k\",\"orderType\":\"FAK\"}"
    let order = try await client.send(
      HTTPRequest(method: "POST", url: base + "/polymarket/clob/order", body: Array(body.utf8)))
    #expect(order.status == 200, "\(String(decoding: order.body, as: UTF8.self))")
    received = []
    while Date() < deadline, !received.contains(where: { $0.contains("last_trade_price") && $0.contains(tokens[0]) }) {
      try socket.receive { if $0.kind == .text { received.append($0.text) } }
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(received.contains { $0.contains("last_trade_price") && $0.contains(tokens[0]) })
    socket.close()
    let missing = try await client.send(HTTPRequest(url: base + "/nothing"))
    #expect(missing.status == 404)
  }
}
