import Foundation
import Market
import Testing
import Venues

@Suite struct PolymarketUserTests {
  static func messages(_ text: String) -> [Result<PolymarketUserMessage, VenueError>] {
    var found: [Result<PolymarketUserMessage, VenueError>] = []
    Array(text.utf8).withUnsafeBytes { bytes in PolymarketUserParser.parse(bytes) { found.append($0) } }
    return found
  }

  @Test func `real orders are read with their status`() throws {
    for name in Shared.fixtures(in: "polymarket", named: { $0.hasPrefix("ws_user_order") }) {
      let bytes = try #require(Shared.fixture("polymarket/" + name))
      let raw = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
      guard case .order(let order) = try #require(Self.messages(String(decoding: bytes, as: UTF8.self)).first).get()
      else {
        Issue.record("\(name): no order")
        continue
      }
      #expect(order.id == raw["id"] as? String && order.change.rawValue == raw["type"] as? String)
      #expect(order.price == price(raw["price"] as? String ?? ""))
      #expect(order.originalSize == quantity(raw["original_size"] as? String ?? ""))
      #expect(order.time?.milliseconds == Int64(raw["timestamp"] as? String ?? ""))
      let status = raw["status"] as? String ?? ""
      if status.hasPrefix("CANCELED_") {
        #expect(order.status == .canceled(reason: String(status.dropFirst(9))) && order.status.isKilled)
        #expect(order.matchedSize == nil && order.createdAt == nil)
      } else {
        #expect(order.status == .live && order.createdAt?.seconds == Int64(raw["created_at"] as? String ?? ""))
      }
    }
  }

  @Test(arguments: [
    ("LIVE", PolymarketUserOrder.Status.live), ("ORDER_STATUS_MATCHED", .matched), ("DELAYED", .delayed),
    ("UNMATCHED", .unmatched), ("CANCELED", .canceled(reason: "")), ("INVALID", .invalid),
    ("CANCELED_MARKET_RESOLVED", .canceled(reason: "MARKET_RESOLVED")), ("NEW_WORD", .other("NEW_WORD")),
  ])
  func `each status is known by its beginning`(_ text: String, _ status: PolymarketUserOrder.Status) {
    #expect(PolymarketUserOrder.Status(text) == status)
    #expect(!status.isKilled)
  }

  @Test func `a real trade is ours as its taker`() throws {
    guard let bytes = Shared.fixture("polymarket/ws_user_trade.json") else { return }
    guard case .trade(let trade) = try #require(Self.messages(String(decoding: bytes, as: UTF8.self)).first).get()
    else {
      Issue.record("no trade")
      return
    }
    #expect(trade.status == .matched && !trade.status.isFinal && trade.isTaker == true)
    #expect(trade.matchedAt == Timestamp(nanoseconds: 1_725_958_681_000_000_000))
    let fill = try #require(trade.fills.first)
    #expect(fill.orderID == "0x5b605a0e8e40f3402d3cb3bc19edad6733ed23fbc079d2a09ee399c3487ace81")
    #expect(fill.token == trade.token && fill.side == .buy && trade.fills.count == 1)
    #expect(fill.price == price("0.52") && fill.size == quantity("5"))
    #expect(trade.makers.map(\.price) == [price("0.52")])
  }

  @Test func `as a maker our fill is the entry that bears our key, perhaps of the other outcome`() throws {
    let text = """
      {"event_type":"trade","id":"t","status":"TRADE_STATUS_FAILED","market":"m","asset_id":"YES","side":"BUY",\
      "price":"0.6","size":"10","trader_side":"MAKER","owner":"me","matchtime":"1725958681123","maker_orders":[\
      {"order_id":"a","asset_id":"YES","matched_amount":"4","price":"0.6","owner":"me"},\
      {"order_id":"b","asset_id":"NO","matched_amount":"5","price":"0.4","owner":"me"},\
      {"order_id":"c","asset_id":"NO","matched_amount":"1","price":"0.4","owner":"other"}]}
      """
    guard case .trade(let trade) = try #require(Self.messages(text).first).get() else {
      Issue.record("no trade")
      return
    }
    #expect(trade.status == .failed && trade.status.isFinal)
    #expect(trade.matchedAt == Timestamp(nanoseconds: 1_725_958_681_123_000_000))
    #expect(trade.fills.map(\.orderID) == ["a", "b"] && trade.fills.map(\.side) == [.sell, .buy])
    #expect(trade.fills.map(\.size) == [quantity("4"), quantity("5")])
  }

  @Test func `a frame may hold several messages, of which a bad one leaves the others`() {
    let order = { (price: String) in
      "{\"event_type\":\"order\",\"type\":\"UPDATE\",\"id\":\"o\",\"market\":\"m\",\"asset_id\":\"1\",\"side\":\"SELL\",\"price\":\"\(price)\",\"original_size\":\"5\",\"status\":\"LIVE\"}"
    }
    let found = Self.messages("[\(order("0.5")),\(order("2")),\(order("0.25"))]")
    #expect(found.count == 3 && Self.messages("PONG").isEmpty)
    guard case .failure(let error) = found[1] else {
      Issue.record("taken")
      return
    }
    #expect("\(error)" == "polymarket order: price: expected a price from 0 to 1, found 2")
  }

  @Test(arguments: [
    ("order couldn't be fully filled. FOK orders are fully filled or killed.", PolymarketRefusal.killed),
    (
      "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
      .killed
    ),
    ("not enough balance / allowance: the balance is not enough", .balance),
    ("order 0x1 is invalid. Price (0.5551) breaks minimum tick size rule: 0.01", .tick),
    ("Size (2) lower than the minimum: 5", .minimumSize), ("order 0x1 is invalid. Duplicated.", .duplicate),
    ("invalid post-only order: order crosses book", .crosses),
    ("Too many orders in payload: 16, max allowed: 15", .tooMany), ("order_version_mismatch", .version),
    ("the order owner has to be the owner of the API KEY", .unauthorised),
    ("Unauthorized/Invalid api key", .unauthorised), ("order timed out", .timedOut),
    ("No orderbook exists for the requested token id", .notFound), ("Trading restricted jurisdiction", .restricted),
  ])
  func `free text has a meaning`(_ text: String, _ meaning: PolymarketRefusal) {
    #expect(PolymarketRefusal(text) == meaning && PolymarketRefusal("HTTP 400: \"\(text)\"") == meaning)
    #expect(PolymarketRefusal("something else") == nil && PolymarketRefusal("") == nil)
  }
}
