import Bus
import Daemon
import Foundation
import Market
import Synchronization
import TestSupport
import Testing
import Web

/// Trades that come without a size, through the ingestor's process (I5).
@Suite(.serialized) struct PolymarketSizeTests {
  /// What the ingestor tells of trades.
  private final class TradeListener {
    let subscriber: Subscriber
    var trades: [Trade] = []
    var health: [String: Int64] = [:]

    init(_ runDirectory: String) throws {
      subscriber = try Subscriber(name: "trades", topics: [Topic.trade, Topic.health], wantsSnapshot: false)
      try subscriber.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: runDirectory))
    }

    func follow() {
      subscriber.receive { event in
        guard case .message(let stream, _, _, var body) = event else { return }
        if subscriber.topic(of: stream).hasPrefix(Topic.trade) {
          trades += (try? TradeMessage.readList(&body)) ?? []
        } else if let message = try? HealthMessage(&body) {
          health = message.counters
        }
      }
    }
  }

  private func trade(_ token: String, size: String? = nil) -> String {
    let member = size.map { "\"size\":\"\($0)\"," } ?? ""
    return
      #"{"event_type":"last_trade_price","market":"0x\#(token.prefix(1))","asset_id":"\#(token)","price":"0.41",\#(member)"#
      + #""side":"BUY","timestamp":"\#(SystemClock.now.milliseconds)"}"#
  }

  @Test func `a trade without a size waits for it alone, also where the answer never comes`() throws {
    let scratch = ScratchDirectory()
    let venue = try InTestVenue { request in
      switch request.path {
      case "/data/trades":
        let seconds = SystemClock.now.seconds
        return .json(#"[{"side":"BUY","asset":"1001","size":60,"price":0.405,"timestamp":\#(seconds)}]"#)
      case "/gamma/events/keyset": return .json(PolymarketServiceTests.events)
      default: return .text("not found", status: 404)
      }
    } reply: { text in
      guard text.hasPrefix("{") else { return text == "PING" ? ["PONG"] : [] }
      let tokens = PolymarketServiceTests.tokens(in: text)
      return ["[\(tokens.map { PolymarketServiceTests.book($0) }.joined(separator: ","))]"]
    } isSilent: { request in
      request.path == "/data/trades" && request.target.contains("0x2")
    }
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"],
      configuration: PolymarketServiceTests.configuration(scratch, venue, assets: 4, frozen: 3600)
        + "\nsize_wait_ms = 2500\n",
      directory: scratch.path)
    let listener = try TradeListener(scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.health["books_live"] == 4 })
    // The listener is surely there: what is told now, it hears.
    venue.send(trade("1002", size: "1"))
    #expect(eventually(listener.follow) { listener.trades.count == 1 })

    venue.send(trade("2001"))
    #expect(eventually { venue.requests.contains("GET /data/trades") })
    venue.send(trade("1001"))
    venue.send(trade("1002", size: "7"))
    #expect(eventually(listener.follow) { listener.trades.count == 4 })
    // That of which REST says nothing is last, and each came once.
    #expect(listener.trades.last?.instrument.symbol == "2001")
    #expect(listener.trades.last?.quantity == nil && listener.trades.last?.sizeBackfilled == false)
    let found = listener.trades.first { $0.instrument.symbol == "1001" }
    #expect(found?.quantity == (try? Quantity("60")) && found?.sizeBackfilled == true)
    #expect(found?.price == (try? Price("0.41")))
    #expect(Set(listener.trades.map(\.instrument.symbol)) == ["1001", "1002", "2001"])
    #expect(
      eventually(listener.follow) {
        listener.health["sizes_needed"] == 2 && listener.health["sizes_found"] == 1
          && (listener.health["sizes_overdue"] ?? 0) + (listener.health["sizes_failed"] ?? 0) == 1
      })
    #expect(listener.health["sizes_waiting"] == 0 && listener.trades.count == 4)
    #expect(worker.stop() == 0)
  }
}
