/// An exchange or price source.
public enum Venue: String, CaseIterable, Sendable, Codable {
  case polymarket, kalshi, binance, coinbase, kraken, okx, bybit, coingecko

  /// A number for the wire: stable, one for each venue.
  public var code: UInt8 {
    switch self {
    case .polymarket: 0
    case .kalshi: 1
    case .binance: 2
    case .coinbase: 3
    case .kraken: 4
    case .okx: 5
    case .bybit: 6
    case .coingecko: 7
    }
  }

  /// Made once: `allCases` makes a new array at each use.
  private static let byCode = allCases

  /// The venue of a wire number, or nil where there is none.
  public init?(code: UInt8) {
    guard Int(code) < Venue.byCode.count else { return nil }
    self = Venue.byCode[Int(code)]
  }
}

/// What can be traded at one venue: a token, a contract, a pair.
public struct InstrumentID: Hashable, Sendable, Codable, CustomStringConvertible {
  /// Where it is traded.
  public let venue: Venue
  /// The venue's own name for it: a token id, a ticker, a pair.
  public let symbol: String

  /// An instrument by its venue and the venue's name for it.
  public init(venue: Venue, symbol: String) {
    self.venue = venue
    self.symbol = symbol
  }

  /// `venue/symbol`, as it stands in topics.
  public var description: String { "\(venue.rawValue)/\(symbol)" }
}

/// Which way an order goes, or which way a taker went.
@frozen public enum Side: UInt8, Sendable, Codable {
  case buy = 0
  case sell = 1

  /// The other side.
  @inlinable public var opposite: Side { self == .buy ? .sell : .buy }
}

/// One side of an order book.
@frozen public enum BookSide: UInt8, Sendable {
  case bid = 0
  case ask = 1
}

/// All that rests at one price.
@frozen public struct Level: Hashable, Sendable {
  /// The price of the level.
  public var price: Price
  /// The total quantity there; never zero in a book.
  public var quantity: Quantity
  /// A level of a price and a quantity.
  @inlinable public init(price: Price, quantity: Quantity) {
    self.price = price
    self.quantity = quantity
  }
}
