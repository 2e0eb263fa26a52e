internal import Market
internal import Web

/// Why the venue does not take an order: its status and its words.
package struct OrderRefusal: Error, Hashable, Sendable {
  package let status: Int
  package let text: String

  init(_ text: String, status: Int = 400) {
    self.status = status
    self.text = text
  }

  static let payload = OrderRefusal("Invalid order payload")
}

/// How long an order of a client may wait.
enum OrderKind: String, Sendable {
  case gtc = "GTC"
  case gtd = "GTD"
  case fok = "FOK"
  case fak = "FAK"

  /// Whether what is not filled at once stays in the book.
  var rests: Bool { self == .gtc || self == .gtd }
}

/// An order as it came in the body of `POST /order`, read and checked against its market.
///
/// Its id is the order's digest, by which its sender knows it as well.
struct OrderTicket: Sendable {
  let id: String
  let owner: String
  let maker: String
  let token: Int
  let side: Side
  let price: Price
  let size: Quantity
  let kind: OrderKind
  let postOnly: Bool
  /// In seconds since 1970; 0 for none.
  let expiration: Int64

  /// Reads an entry such as
  /// `{"order":{"salt":1,"maker":"0x…",…,"signature":"0x…"},"owner":"…","orderType":"GTC","deferExec":false}`.
  init(_ value: JSONValue, _ world: World) throws(OrderRefusal) {
    guard let order = value["order"], let owner = value["owner"]?.string,
      let kind = value["orderType"]?.string.flatMap(OrderKind.init(rawValue:)),
      let members = OrderTicket.members(order)
    else { throw .payload }
    guard let token = world.tokenOfID[members.tokenID] else {
      throw OrderRefusal("the orderbook \(members.tokenID) does not exist")
    }
    let market = world.markets[token / 2]
    guard let makerAmount = Int64(members.makerAmount), let takerAmount = Int64(members.takerAmount),
      (1...1_000_000_000_000_000).contains(makerAmount), (1...1_000_000_000_000_000).contains(takerAmount),
      let id = OrderDigest.digest(members, negRisk: world.events[market.event].isNegRisk)
    else { throw .payload }
    guard market.isTradable, !market.isPlaceholder else {
      throw OrderRefusal("the orderbook \(members.tokenID) does not exist")
    }
    self.id = id
    self.owner = owner
    self.kind = kind
    self.token = token
    maker = members.maker.lowercased()
    side = members.isSell ? .sell : .buy
    postOnly = value["postOnly"]?.bool ?? false
    expiration = order["expiration"]?.integer ?? 0
    let cash = members.isSell ? takerAmount : makerAmount
    let shares = members.isSell ? makerAmount : takerAmount
    size = Quantity(raw: shares * 100)
    price = try OrderTicket.price(cash, shares, market, kind, id: id, side: side)
    try check(market, makerAmount: makerAmount, takerAmount: takerAmount, now: world.now)
  }

  private static func members(_ order: JSONValue) -> OrderDigest.Members? {
    guard let salt = order["salt"]?.decimalText, let maker = order["maker"]?.string,
      let signer = order["signer"]?.string, let tokenID = order["tokenId"]?.decimalText,
      let makerAmount = order["makerAmount"]?.decimalText, let takerAmount = order["takerAmount"]?.decimalText,
      let side = order["side"]?.string, side == "BUY" || side == "SELL",
      let signatureType = order["signatureType"]?.integer, (0...3).contains(signatureType),
      let timestamp = order["timestamp"]?.decimalText, let metadata = order["metadata"]?.string,
      let builder = order["builder"]?.string, order["signature"]?.string != nil
    else { return nil }
    return OrderDigest.Members(
      salt: salt, maker: maker, signer: signer, tokenID: tokenID, makerAmount: makerAmount, takerAmount: takerAmount,
      isSell: side == "SELL", signatureType: UInt8(signatureType), timestamp: timestamp, metadata: metadata,
      builder: builder)
  }

  /// The price behind two amounts.
  ///
  /// Amounts of orders that are filled at once are cut to few decimals, so theirs is the next grid price within a
  /// tenth of a tick; others must be on the grid.
  private static func price(
    _ cash: Int64, _ shares: Int64, _ market: SimulatedMarket, _ kind: OrderKind, id: String, side: Side
  ) throws(OrderRefusal) -> Price {
    let exact = Int64(Int128(cash) * Int128(fixedPointScale) / Int128(shares))
    let tick = market.tick.raw
    let nearest = (exact + tick / 2) / tick * tick
    let isExact = Int128(nearest) * Int128(shares) == Int128(cash) * Int128(fixedPointScale)
    let isNear = (exact - nearest).magnitude <= UInt64(tick / 10)
    guard nearest >= tick, nearest <= fixedPointScale - tick, kind.rests ? isExact : isNear else {
      throw OrderRefusal(
        "order \(id) is invalid. Price (\(Price(raw: exact))) breaks minimum tick size rule: \(market.tick)")
    }
    return Price(raw: nearest)
  }

  private func check(
    _ market: SimulatedMarket, makerAmount: Int64, takerAmount: Int64, now: Timestamp
  ) throws(OrderRefusal) {
    if kind.rests {
      guard size >= market.minimumSize else {
        throw OrderRefusal("order \(id) is invalid. Size (\(size)) lower than the minimum: \(market.minimumSize)")
      }
      if kind == .gtd, expiration <= now.seconds + 60 {
        throw OrderRefusal("order \(id) is invalid. invalid expiration")
      }
      if kind == .gtc, expiration != 0 { throw OrderRefusal("order \(id) is invalid. invalid expiration") }
      return
    }
    guard !postOnly else { throw OrderRefusal("invalid post-only order: only GTC and GTD order types are allowed") }
    guard makerAmount % 10_000 == 0, takerAmount % 100 == 0 else {
      throw OrderRefusal(
        "invalid amounts, the \(side == .buy ? "buy" : "sell") orders maker amount supports a max accuracy of "
          + "2 decimals, taker amount a max of 4 decimals")
    }
    if side == .buy, makerAmount < 1_000_000 {
      throw OrderRefusal(
        "invalid amount for a marketable BUY order ($\(Money(raw: makerAmount * 100))), min size: $1")
    }
  }
}
