import Foundation
import Market
import Testing
import Venues
import Web

@Suite struct UserStreamTests {
  private static func events(_ format: some UserStreamFormat, _ text: String) -> [Result<UserStreamEvent, VenueError>] {
    var found: [Result<UserStreamEvent, VenueError>] = []
    Array(text.utf8).withUnsafeBytes { bytes in format.read(bytes) { found.append($0) } }
    return found
  }

  private static let polymarket = PolymarketUserStream(
    credentials: PolymarketCredentials(apiKey: "key", secret: "s3cret", passphrase: "pass\"phrase"), markets: ["0x1"])

  @Test func `Polymarket is told the key first, and nothing else shows it`() throws {
    let opening = try #require(Self.polymarket.opening.first)
    let message = try #require(try JSONSerialization.jsonObject(with: Data(opening.utf8)) as? [String: Any])
    #expect(message["type"] as? String == "user" && message["markets"] as? [String] == ["0x1"])
    #expect(
      message["auth"] as? [String: String] == ["apiKey": "key", "secret": "s3cret", "passphrase": "pass\"phrase"])
    let credentials = try PolymarketCredentials(json: Array(#"{"apiKey":"a","secret":"b","passphrase":"c"}"#.utf8))
    #expect("\(credentials)" == "PolymarketCredentials(a)")
    do {
      _ = try PolymarketCredentials(json: Array(#"{"apiKey":"a","secret":"hidden"}"#.utf8))
      Issue.record("taken")
    } catch {
      #expect(error.field == "passphrase" && !"\(error)".contains("hidden"))
    }
    #expect(Self.polymarket.ping?.text == "PING" && Self.events(Self.polymarket, "PONG").isEmpty)
  }

  @Test func `recorded messages of Polymarket become updates`() throws {
    if let bytes = Shared.fixture("polymarket/ws_user_order_fok_killed.json") {
      guard case .order(let order) = try Self.events(Self.polymarket, String(decoding: bytes, as: UTF8.self))[0].get(),
        case .canceled(let reason) = order.state
      else {
        Issue.record("no cancelled order")
        return
      }
      #expect(reason.hasPrefix("order couldn't be fully filled") && order.filled == nil && order.side == .buy)
    }
    if let bytes = Shared.fixture("polymarket/ws_user_trade.json") {
      let text = String(decoding: bytes, as: UTF8.self)
      let states: [(String, UserFillUpdate.State)] = [
        ("MATCHED", .provisional), ("MINED", .provisional), ("RETRYING", .provisional), ("CONFIRMED", .final),
        ("FAILED", .failed),
      ]
      for (word, state) in states {
        let events = Self.events(
          Self.polymarket, text.replacingOccurrences(of: "\"MATCHED\"", with: "\"\(word)\""))
        guard case .fill(let fill) = try events[0].get() else {
          Issue.record("no fill")
          continue
        }
        #expect(fill.state == state && fill.price == price("0.52") && fill.quantity == quantity("5"))
        #expect(fill.orderID.hasPrefix("0x5b605a0e"))
      }
    }
  }

  @Test func `Kalshi's documented messages become updates, in prices of YES`() throws {
    guard let bytes = Shared.fixture("kalshi/ws_documentation_examples.json") else { return }
    let all = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    func event(_ name: String) throws -> UserStreamEvent {
      let data = try JSONSerialization.data(withJSONObject: try #require(all[name]))
      return try Self.events(KalshiUserStream(signer: nil), String(decoding: data, as: UTF8.self))[0].get()
    }
    guard case .order(let order) = try event("user_order"), case .fill(let fill) = try event("fill"),
      case .position(let position) = try event("market_position")
    else {
      Issue.record("other kinds")
      return
    }
    #expect(order.state == .open && order.clientOrderID == "my-order-1" && order.price == price("0.35"))
    #expect(order.quantity == quantity("10") && order.filled == .zero && order.side == .buy)
    #expect(fill.price == price("0.75") && fill.quantity == quantity("278") && fill.fee?.description == "0.01")
    #expect(fill.state == .final && fill.instrument.symbol == "HIGHNY-22DEC23-B53.5:yes")
    #expect(position.quantity == quantity("100") && position.averagePrice == price("0.5"))
    #expect(try event("subscribed") == .accepted)
    guard case .refused(let error) = try event("error") else {
      Issue.record("not refused")
      return
    }
    #expect(error.problem.contains("Unknown subscription ID") && !error.isRetriable)
  }

  @Test func `Kalshi's channels are asked for all markets`() throws {
    let text = try #require(KalshiUserStream(signer: nil).opening.first)
    let command = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let parameters = try #require(command["params"] as? [String: Any])
    #expect(parameters["channels"] as? [String] == ["user_orders", "fill", "market_positions"])
    #expect(parameters["market_tickers"] == nil)
  }
}
