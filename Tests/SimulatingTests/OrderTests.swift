import Foundation
import Market
import Simulating
import TestSupport
import Testing
import Web

@Suite struct OrderTests {
  let maker = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

  func body(
    _ token: String, _ side: String, maker makerAmount: Int, taker takerAmount: Int, _ type: String, salt: Int = 1,
    postOnly: Bool = false
  ) -> String {
    let zero = "0x" + String(repeating: "0", count: 64)
    return "{\"order\":{\"salt\":\(salt),\"maker\":\"\(maker)\",\"signer\":\"\(maker)\",\"tokenId\":\"\(token)\","
      + "\"makerAmount\":\"\(makerAmount)\",\"takerAmount\":\"\(takerAmount)\",\"side\":\"\(side)\","
      + "\"signatureType\":0,\"timestamp\":\"1767225600000\",\"expiration\":\"0\",\"metadata\":\"\(zero)\","
      + "\"builder\":\"\(zero)\",\"signature\":\"0x00\"},\"owner\":\"key\",\"orderType\":\"\(type)\","
      + "\"deferExec\":false,\"postOnly\":\(postOnly)}"
  }

  /// Cash and shares of a limit order, in 10⁻⁶.
  func amounts(_ price: Price, units: Int) -> (cash: Int, shares: Int) {
    (Int(price.raw) * units / 100, units * 1_000_000)
  }

  @Test func `an order's id is its digest, as the venue's own client computes it`() throws {
    let shared =
      ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] ?? Places.package.appending(path: "../shared").path
    let path = shared + "/venues/vectors/polymarket_signing.json"
    guard let bytes = FileManager.default.contents(atPath: path) else { return }
    let vectors = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    var checked = 0
    for vector in vectors["orders"] as? [[String: Any]] ?? [] {
      let domain = try #require(vector["domain"] as? [String: Any])
      guard domain["version"] as? String == "2", let order = vector["signedOrderJson"] as? [String: Any] else {
        continue
      }
      func text(_ name: String) -> String { order[name] as? String ?? "" }
      let members = OrderDigest.Members(
        salt: "\(order["salt"] as? Int64 ?? 0)", maker: text("maker"), signer: text("signer"),
        tokenID: text("tokenId"), makerAmount: text("makerAmount"), takerAmount: text("takerAmount"),
        isSell: text("side") == "SELL", signatureType: UInt8(order["signatureType"] as? Int ?? 9),
        timestamp: text("timestamp"), metadata: text("metadata"), builder: text("builder"))
      let negRisk = domain["verifyingContract"] as? String == "0xe2222d279d744050d28e00520010520000310F59"
      #expect(OrderDigest.digest(members, negRisk: negRisk) == vector["digest"] as? String)
      checked += 1
    }
    #expect(checked > 10)
  }

  @Test func `the user channel tells an owner of its orders, and of each step of its trades`() throws {
    let venue = try Venue()
    let slot = try venue.slot { $0.tick.raw == 1_000_000 }
    let token = venue.token(slot)
    let own = try Listener(venue, path: "/polymarket/ws/user")
    let other = try Listener(venue, path: "/polymarket/ws/user")
    let nobody = try Listener(venue, path: "/polymarket/ws/user")
    own.alsoKeeps = other.session
    func auth(_ key: String) -> String {
      "{\"auth\":{\"apiKey\":\"\(key)\",\"secret\":\"s\",\"passphrase\":\"p\"},\"markets\":[],\"type\":\"user\"}"
    }
    own.say(auth("key"))
    other.say(auth("another"))
    nobody.say(auth(""))
    own.say("PING")
    #expect(own.texts == ["PONG"] && nobody.texts == ["close 1008"])
    let ask = try #require(venue.simulator.world.engine.ladders[slot * 2].asks.last)
    let cents = Int(ask.price.raw / 1_000_000)
    _ = venue.send(
      "POST", "/polymarket/clob/order", body: body(token, "BUY", maker: cents * 100_000, taker: 10_000_000, "FAK"))
    let resting = try #require(
      try venue.json(
        "POST", "/polymarket/clob/order", body: body(token, "BUY", maker: 100_000, taker: 10_000_000, "GTC", salt: 2))
        as? [String: Any])
    let id = try #require(resting["orderID"] as? String)
    _ = venue.send("DELETE", "/polymarket/clob/order", body: "{\"orderID\":\"\(id)\"}")
    own.run(milliseconds: 5000)
    let messages = try own.messages()
    let orders = messages.filter { $0["event_type"] as? String == "order" }
    #expect(orders.compactMap { $0["type"] as? String } == ["PLACEMENT", "PLACEMENT", "CANCELLATION"])
    #expect(orders.compactMap { $0["status"] as? String } == ["MATCHED", "LIVE", "CANCELED"])
    #expect(orders[1]["id"] as? String == id && orders[1]["created_at"] is String)
    let trades = messages.filter { $0["event_type"] as? String == "trade" }
    #expect(trades.compactMap { $0["status"] as? String } == ["MATCHED", "MINED", "CONFIRMED"])
    #expect(Set(trades.compactMap { $0["id"] as? String }).count == 1 && trades[0]["trader_side"] as? String == "TAKER")
    #expect(own.othersTexts.isEmpty)
  }

  @Test func `an order that is filled at once takes the book's best and reports it`() throws {
    let venue = try Venue()
    let slot = try venue.slot { $0.tick.raw == 1_000_000 }
    let token = venue.token(slot)
    let ask = try #require(venue.simulator.world.engine.ladders[slot * 2].asks.last)
    let order = body(
      token, "BUY", maker: Int(ask.price.raw / 1_000_000) * 100_000, taker: 10_000_000, "FAK")
    let answer = try #require(try venue.json("POST", "/polymarket/clob/order", body: order) as? [String: Any])
    #expect(answer["success"] as? Bool == true && answer["status"] as? String == "matched")
    #expect(answer["takingAmount"] as? String == "10")
    #expect(Double(answer["makingAmount"] as? String ?? "") == ask.price.approximate * 10)
    let left = venue.simulator.world.engine.ladders[slot * 2].quantity(.ask, at: ask.price)
    #expect(left == ask.quantity - Quantity(units: 10))
    let mirrored = venue.simulator.world.engine.ladders[slot * 2 + 1].quantity(.bid, at: ask.price.complement)
    #expect(mirrored == left)
    let id = try #require(answer["orderID"] as? String)
    let record = try venue.object("/polymarket/clob/data/order/\(id)")
    #expect(record["status"] as? String == "MATCHED" && record["size_matched"] as? String == "10")
    let trades = try venue.object("/polymarket/clob/data/trades", [("maker_address", maker)])
    let trade = try #require((trades["data"] as? [[String: Any]])?.first)
    #expect(trade["taker_order_id"] as? String == id && trade["status"] as? String == "MATCHED")
    venue.now = venue.now.advanced(bySeconds: 5)
    let later = try venue.object("/polymarket/clob/data/trades")
    #expect((later["data"] as? [[String: Any]])?.first?["status"] as? String == "CONFIRMED")
    let again = try venue.json("POST", "/polymarket/clob/order", body: order, status: 400)
    #expect(((again as? [String: Any])?["error"] as? String)?.contains("Duplicated") == true)
    #expect(venue.simulator.world.engine.accounts.imbalance == .zero)
  }

  @Test func `an order that rests is listed, filled by the market or cancelled`() throws {
    let venue = try Venue { $0.updatesPerSecond = 0 }
    let slot = try venue.slot { $0.tick.raw == 1_000_000 && $0.spreadTicks >= 3 }
    let token = venue.token(slot)
    let ladder = venue.simulator.world.engine.ladders[slot * 2]
    let price = Price(raw: ladder.shownBid.raw + 1_000_000)
    let (cash, shares) = amounts(price, units: 20)
    let order = body(token, "BUY", maker: cash, taker: shares, "GTC", postOnly: true)
    let answer = try #require(try venue.json("POST", "/polymarket/clob/order", body: order) as? [String: Any])
    #expect(answer["status"] as? String == "live" && answer["makingAmount"] as? String == "")
    let id = try #require(answer["orderID"] as? String)
    #expect(venue.simulator.world.engine.ladders[slot * 2].bestBid == price)
    let open = try venue.object("/polymarket/clob/data/orders", [("asset_id", token)])
    #expect((open["data"] as? [[String: Any]])?.compactMap { $0["id"] as? String } == [id])
    let sell = body(token, "SELL", maker: 5_000_000, taker: Int(price.raw / 1_000_000) * 50_000, "FAK", salt: 2)
    let taken = try #require(try venue.json("POST", "/polymarket/clob/order", body: sell) as? [String: Any])
    #expect(taken["makingAmount"] as? String == "5")
    #expect(try venue.object("/polymarket/clob/data/order/\(id)")["size_matched"] as? String == "5")
    let cancel = try #require(
      try venue.json("DELETE", "/polymarket/clob/order", body: "{\"orderID\":\"\(id)\"}") as? [String: Any])
    #expect(cancel["canceled"] as? [String] == [id])
    #expect(venue.simulator.world.engine.ladders[slot * 2].bestBid == ladder.bestBid)
    let twice = try #require(
      try venue.json("DELETE", "/polymarket/clob/orders", body: "[\"\(id)\",\"0x1\"]") as? [String: Any])
    #expect((twice["not_canceled"] as? [String: String])?.count == 2)
  }

  @Test func `a resting order is filled when the market comes to it`() throws {
    let venue = try Venue { $0.updatesPerSecond = 20_000 }
    let slot = try venue.slot { $0.tick.raw == 1_000_000 }
    let best = try #require(venue.simulator.world.engine.ladders[slot * 2].bestBid)
    let (cash, shares) = amounts(best, units: 10)
    let order = body(venue.token(slot), "BUY", maker: cash, taker: shares, "GTC")
    let answer = try #require(try venue.json("POST", "/polymarket/clob/order", body: order) as? [String: Any])
    let id = try #require(answer["orderID"] as? String)
    var status = ""
    for _ in 0..<5000 {
      venue.now = venue.now.advanced(byNanoseconds: 20_000_000)
      venue.simulator.advance(to: venue.now)
      _ = venue.simulator.drain { _, _, _ in }
      status = try venue.object("/polymarket/clob/data/order/\(id)")["status"] as? String ?? ""
      if status == "MATCHED" { break }
    }
    #expect(status == "MATCHED")
    let trades = try venue.object("/polymarket/clob/data/trades", [("maker_address", maker)])
    #expect((trades["data"] as? [[String: Any]])?.first?["trader_side"] as? String == "MAKER")
    #expect(venue.simulator.world.engine.accounts.imbalance == .zero)
  }

  @Test func `what the venue refuses, it refuses in its own words`() throws {
    let venue = try Venue { $0.updatesPerSecond = 0 }
    let slot = try venue.slot { $0.tick.raw == 1_000_000 }
    let token = venue.token(slot)
    func refusal(_ body: String, status: Int = 400) throws -> String {
      let answer = try venue.json("POST", "/polymarket/clob/order", body: body, status: status)
      return (answer as? [String: Any])?["error"] as? String ?? ""
    }
    #expect(try refusal("{}") == "Invalid order payload")
    #expect(try refusal("not json") == "Invalid order payload")
    #expect(try refusal(body("7", "BUY", maker: 1_000_000, taker: 2_000_000, "GTC")).contains("does not exist"))
    #expect(try refusal(body(token, "BUY", maker: 2_505_000, taker: 5_000_000, "GTC")).contains("minimum tick size"))
    #expect(try refusal(body(token, "BUY", maker: 500_000, taker: 1_000_000, "GTC")).contains("lower than the minimum"))
    #expect(try refusal(body(token, "BUY", maker: 100_000, taker: 10_000_000, "FAK")).contains("min size: $1"))
    #expect(try refusal(body(token, "BUY", maker: 1_000_000, taker: 100_000_000, "FAK")).contains("no orders found"))
    let much = body(token, "BUY", maker: 990_000_000_000, taker: 1_000_000_000_000, "FOK")
    #expect(try refusal(much).contains("FOK orders are fully filled or killed"))
    let poor = body(token, "BUY", maker: 99_000_000_000_000, taker: 100_000_000_000_000, "GTC")
    #expect(try refusal(poor) == "not enough balance / allowance")
    #expect(try refusal(body(token, "BUY", maker: 10_001, taker: 20_000, "FAK")).contains("max accuracy"))
    let ask = try #require(venue.simulator.world.engine.ladders[slot * 2].bestAsk)
    let (cash, shares) = amounts(ask, units: 10)
    #expect(
      try refusal(body(token, "BUY", maker: cash, taker: shares, "GTC", postOnly: true)).contains("post-only"))
    let many = "[" + Array(repeating: "{}", count: 16).joined(separator: ",") + "]"
    let answer = try venue.json("POST", "/polymarket/clob/orders", body: many, status: 400) as? [String: Any]
    #expect(answer?["error"] as? String == "Too many orders in payload: 16, max allowed: 15")
  }

  @Test func `a batch answers each order in its place, and a refusal still says success`() throws {
    let venue = try Venue { $0.updatesPerSecond = 0 }
    let slot = try venue.slot { $0.tick.raw == 1_000_000 }
    let ask = try #require(venue.simulator.world.engine.ladders[slot * 2].bestAsk)
    let good = body(
      venue.token(slot), "BUY", maker: Int(ask.raw / 1_000_000) * 100_000, taker: 10_000_000, "FAK")
    let answer = try #require(
      try venue.json("POST", "/polymarket/clob/orders", body: "[{},\(good)]") as? [[String: Any]])
    #expect(answer[0]["success"] as? Bool == true && answer[0]["orderID"] as? String == "")
    #expect(answer[0]["errorMsg"] as? String == "Invalid order payload")
    #expect(answer[1]["status"] as? String == "matched")
  }
}
