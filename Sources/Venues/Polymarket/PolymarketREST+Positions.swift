public import Market

/// Shares that a wallet holds, as the venue knows them.
public struct VenuePosition: Hashable, Sendable {
  /// What is held.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// How many shares.
  public var quantity: Quantity
  /// What a share cost on average; digits beyond the eighth decimal are dropped.
  public var averagePrice: Price

  /// A position by its parts.
  public init(instrument: InstrumentID, marketID: String, quantity: Quantity, averagePrice: Price) {
    self.instrument = instrument
    self.marketID = marketID
    self.quantity = quantity
    self.averagePrice = averagePrice
  }
}

extension PolymarketREST {
  /// How many positions one page has, and at which offset the venue gives no more.
  private static let positionsPage = 500
  private static let positionsOffsetMax = 10_000

  /// All positions of a wallet, however small, paged to the end.
  ///
  /// - Parameter user: the wallet's address, `0x` and 40 hexadecimal digits.
  /// - Returns: the positions, in the venue's order.
  /// - Throws: `VenueError`.
  public func positions(user: String) async throws(VenueError) -> [VenuePosition] {
    var positions: [VenuePosition] = []
    var offset = 0
    while offset <= PolymarketREST.positionsOffsetMax {
      let page = try await data.get(
        "positions", "/positions",
        query: [
          ("user", user), ("sizeThreshold", "0"), ("limit", "\(PolymarketREST.positionsPage)"), ("offset", "\(offset)"),
        ], PolymarketREST.parsePositions)
      positions += page
      guard page.count == PolymarketREST.positionsPage else { return positions }
      offset += PolymarketREST.positionsPage
    }
    return positions
  }

  /// Reads the rows of `/positions`.
  ///
  /// `[{"proxyWallet":"0x…","asset":"2174…","conditionId":"0xdd22…","size":5.4,"avgPrice":0.48,"outcome":"Yes",…}]`
  static func parsePositions(_ wire: Wire) throws(WireProblem) -> [VenuePosition] {
    var positions: [VenuePosition] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        positions.append(
          VenuePosition(
            instrument: InstrumentID(venue: .polymarket, symbol: try row.text("asset")),
            marketID: try row.text("conditionId"), quantity: Quantity(raw: try row.truncatedDecimal("size")),
            averagePrice: Price(raw: try row.truncatedDecimal("avgPrice"))))
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return positions
  }
}
