public import Market
internal import Web

/// What one message of Polymarket's user channel says.
public enum PolymarketUserMessage: Hashable, Sendable {
  /// One of our orders was placed, has changed or is over.
  case order(PolymarketUserOrder)
  /// A trade of ours has taken a step towards its settlement.
  case trade(PolymarketUserTrade)
  /// A kind that is not read here.
  case ignored(type: String)
}

/// One of our orders.
///
/// `{"event_type":"order","type":"PLACEMENT","id":"0x0f76…","market":"0xdd22…","asset_id":"2174…","side":"BUY",`
/// `"price":"0.513","original_size":"5","size_matched":"0","outcome":"Yes","order_type":"GTC","status":"LIVE",`
/// `"created_at":"1725842520","expiration":"0","associate_trades":null,"owner":"3e2c…","timestamp":"1725842520990"}`
public struct PolymarketUserOrder: Hashable, Sendable {
  /// What happened to it.
  public enum Change: String, Hashable, Sendable {
    case placement = "PLACEMENT"
    case update = "UPDATE"
    case cancellation = "CANCELLATION"
  }

  /// Where an order is in its life.
  public enum Status: Hashable, Sendable {
    /// It rests in the book.
    case live
    /// It met others; size says how far.
    case matched
    /// It is held back before it may match.
    case delayed
    /// It was held back, and rests now.
    case unmatched
    /// It is over; the venue's reason in its own words, empty where it gives none.
    case canceled(reason: String)
    /// It was refused.
    case invalid
    /// A word that we do not know.
    case other(String)

    /// Reads `LIVE`, `ORDER_STATUS_LIVE`, `CANCELED_order couldn't be fully filled. FOK orders are …` and the like.
    public init(_ text: String) {
      let word = text.hasPrefix("ORDER_STATUS_") ? String(text.dropFirst("ORDER_STATUS_".utf8.count)) : text
      switch word {
      case "LIVE": self = .live
      case "MATCHED": self = .matched
      case "DELAYED": self = .delayed
      case "UNMATCHED": self = .unmatched
      case "INVALID": self = .invalid
      case "CANCELED", "CANCELLED": self = .canceled(reason: "")
      default:
        guard let mark = ["CANCELED_", "CANCELLED_"].first(where: { word.hasPrefix($0) }) else {
          self = .other(String(word.prefix(60)))
          return
        }
        self = .canceled(reason: String(word.dropFirst(mark.utf8.count).prefix(300)))
      }
    }

    /// Whether a fill-or-kill order was killed because the book did not hold enough: an ordinary outcome.
    public var isKilled: Bool {
      guard case .canceled(let reason) = self else { return false }
      return PolymarketRefusal(reason) == .killed
    }
  }

  /// The order's hash.
  public var id: String
  /// What happened to it.
  public var change: Change
  /// The token.
  public var token: String
  /// The condition id.
  public var marketID: String
  /// Which way it goes.
  public var side: Side
  /// Its limit.
  public var price: Price
  /// How many shares it was for.
  public var originalSize: Quantity
  /// How many were matched; nil where the venue does not say.
  public var matchedSize: Quantity?
  /// Such as `GTC` or `FOK`.
  public var orderType: String
  /// Where it is in its life.
  public var status: Status
  /// The trades that it was part of.
  public var trades: [String]
  /// The API key that it belongs to.
  public var owner: String
  /// When it was made; nil where the venue does not say.
  public var createdAt: Timestamp?
  /// When this was said.
  public var time: Timestamp?
}

/// A trade of ours.
///
/// `{"event_type":"trade","type":"TRADE","id":"f50e…","status":"MATCHED","side":"BUY","size":"5","price":"0.52",`
/// `"market":"0xdd22…","asset_id":"2174…","outcome":"Yes","taker_order_id":"0x5b60…","trader_side":"TAKER",`
/// `"match_time":"1725958681","last_update":"1725958682","owner":"3e2c…","transaction_hash":"0xa667…",`
/// `"maker_orders":[{"order_id":"0xa39a…","matched_amount":"5","price":"0.52","asset_id":"2174…","owner":"ce16…"}]}`
///
/// The same without `event_type` over REST. Side, size, price and token are the taker's.
public struct PolymarketUserTrade: Hashable, Sendable {
  /// How far a trade has come: matched → mined → confirmed, or failed after all.
  public enum Status: String, Hashable, Sendable {
    case matched = "MATCHED"
    case mined = "MINED"
    case confirmed = "CONFIRMED"
    case retrying = "RETRYING"
    case failed = "FAILED"

    /// Whether nothing will change any more.
    public var isFinal: Bool { self == .confirmed || self == .failed }
  }

  /// One resting order that was met.
  public struct Maker: Hashable, Sendable {
    /// The order's hash.
    public var orderID: String
    /// The token, which may be the other outcome.
    public var token: String
    /// How many shares.
    public var size: Quantity
    /// At which price of that token.
    public var price: Price
    /// Which way it went; nil where the venue does not say.
    public var side: Side?
    /// The API key that it belongs to.
    public var owner: String
  }

  /// A fill of one of our own orders.
  public struct Fill: Hashable, Sendable {
    /// The order's hash.
    public var orderID: String
    /// The token.
    public var token: String
    /// Which way it went.
    public var side: Side
    /// At which price of that token.
    public var price: Price
    /// How many shares.
    public var size: Quantity
  }

  /// The venue's id; it comes again with each status.
  public var id: String
  /// How far it has come.
  public var status: Status
  /// The condition id.
  public var marketID: String
  /// The taker's token.
  public var token: String
  /// The taker's side.
  public var side: Side
  /// The taker's price.
  public var price: Price
  /// The taker's size.
  public var size: Quantity
  /// The taker's order.
  public var takerOrderID: String
  /// Whether we were the taker; nil where the venue does not say.
  public var isTaker: Bool?
  /// The resting orders that it met.
  public var makers: [Maker]
  /// The API key that the message is for.
  public var owner: String
  /// When it was matched.
  public var matchedAt: Timestamp?
  /// When it took its last step.
  public var updatedAt: Timestamp?
  /// The transaction that settles it; empty where there is none yet.
  public var transactionHash: String

  /// What of it is ours: the taker's order, or those of the makers that bear our key.
  ///
  /// A maker's side is the taker's turned round where both are of one token, and the same where they are not.
  public var fills: [Fill] {
    guard isTaker == false else {
      return [Fill(orderID: takerOrderID, token: token, side: side, price: price, size: size)]
    }
    return makers.filter { $0.owner == owner }.map { maker in
      Fill(
        orderID: maker.orderID, token: maker.token,
        side: maker.side ?? (maker.token == token ? side.opposite : side), price: maker.price, size: maker.size)
    }
  }
}

/// What Polymarket says in free text, by its meaning: its errors have no codes.
public enum PolymarketRefusal: String, Hashable, Sendable, CaseIterable {
  /// A fill-or-kill or fill-and-kill order found too little: an ordinary outcome.
  case killed
  /// The account lacks the money or the approval.
  case balance
  /// The price is off the grid.
  case tick
  /// The order is too small.
  case minimumSize
  /// This very order was sent before.
  case duplicate
  /// The end is in the past, or too near.
  case expiration
  /// A post-only order would have matched.
  case crosses
  /// More orders than one request may hold.
  case tooMany
  /// It was signed for another version of the exchange.
  case version
  /// The key is wrong, or another's.
  case unauthorised
  /// The order or market is not known.
  case notFound
  /// The venue takes no orders from here.
  case restricted
  /// The venue takes no orders now: restart, cancel-only, post-only.
  case paused
  /// The venue did not get to it in time.
  case timedOut
  /// Too many requests.
  case rateLimit
  /// Malformed.
  case malformed

  /// What the texts contain, most telling first; in lower case.
  private static let marks: [(String, PolymarketRefusal)] = [
    ("fully filled or killed", .killed), ("be fully filled", .killed), ("no orders found to match", .killed),
    ("not enough balance", .balance), ("minimum tick size", .tick), ("lower than the minimum", .minimumSize),
    ("duplicated", .duplicate), ("invalid expiration", .expiration), ("order crosses book", .crosses),
    ("too many orders", .tooMany), ("order_version_mismatch", .version), ("has to be the", .unauthorised),
    ("invalid api key", .unauthorised), ("unauthorized", .unauthorised), ("l1 request headers", .unauthorised),
    ("geoblocked", .restricted), ("restricted jurisdiction", .restricted), ("post_only_mode", .paused),
    ("post-only mode", .paused), ("cancel-only", .paused), ("trading disabled", .paused),
    ("trading is disabled", .paused), ("restarting", .paused), ("order timed out", .timedOut),
    ("too many requests", .rateLimit), ("rate limit", .rateLimit), ("no orderbook exists", .notFound),
    ("not found", .notFound), ("invalid order payload", .malformed),
  ]

  /// The meaning of a text, which may have more before and after it; nil where it is none that we know.
  public init?(_ text: String) {
    let bytes = Array(text.lowercased().utf8.prefix(2000))
    for (mark, meaning) in Self.marks where Self.contains(bytes, Array(mark.utf8)) {
      self = meaning
      return
    }
    return nil
  }

  private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
    guard text.count >= part.count else { return false }
    return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
  }
}
