internal import Market

/// Reads Polymarket's order books as REST gives them.
///
/// `{"market":"0x7d0a…","asset_id":"2714…","timestamp":"1784958701198","hash":"2dd0…",
///   "bids":[{"price":"0.001","size":"10118.15"}],"asks":[{"price":"0.999","size":"216.96"},…],
///   "min_order_size":"5","tick_size":"0.001","neg_risk":true,"last_trade_price":"0.001"}`
///
/// Books of 2024 lack the last four members. Bids rise and asks fall, so the best is last; they are sorted anyway.
enum PolymarketBook {
  /// The most levels that a side may have.
  static let levelsPerSideMax = BookCache.levelsPerSideMax

  /// Reads and checks one book.
  /// - Parameters:
  ///   - wire: the book's object.
  ///   - verifiesHash: whether a `hash` that is there must be right.
  /// - Returns: the book.
  /// - Throws: `WireProblem` naming the field.
  static func parse(_ wire: Wire, verifiesHash: Bool) throws(WireProblem) -> BookSnapshot {
    let market = try wire.text("market")
    let token = try wire.text("asset_id")
    let timestampText = try wire.text("timestamp")
    let time = try wire.milliseconds("timestamp")
    let tick = try wire.optionalPrice("tick_size")
    if let tick, tick.raw <= 0 || tick > .one {
      throw WireProblem("tick_size", "expected a grid between 0 and 1, found \(tick)")
    }
    var bids = try side(wire, "bids", tick: tick)
    var asks = try side(wire, "asks", tick: tick)
    if verifiesHash { try checkHash(wire, market: market, token: token, timestamp: timestampText) }
    try sort(&bids, rising: true, name: "bids")
    try sort(&asks, rising: false, name: "asks")
    if let bid = bids.last, let ask = asks.last, bid.price >= ask.price {
      throw WireProblem("bids", "the book is crossed: best bid \(bid.price), best ask \(ask.price)")
    }
    return BookSnapshot(
      instrument: InstrumentID(venue: .polymarket, symbol: token), marketID: market, bids: bids, asks: asks,
      venueTime: time, tick: tick)
  }

  private static func side(_ wire: Wire, _ name: String, tick: Price?) throws(WireProblem) -> [Level] {
    let rows = try wire.array(name)
    guard rows.count <= levelsPerSideMax else {
      throw WireProblem(name, "expected at most \(levelsPerSideMax) levels, found \(rows.count)")
    }
    var levels: [Level] = []
    levels.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      do throws(WireProblem) {
        let level = try level(row, tick: tick)
        // A level of zero says that nothing is there.
        if level.quantity.raw > 0 { levels.append(level) }
      } catch {
        throw error.inside("\(name)[\(index)]")
      }
    }
    return levels
  }

  private static func level(_ row: Wire, tick: Price?) throws(WireProblem) -> Level {
    let price = try row.price("price")
    guard price.raw > 0, price < .one else {
      throw WireProblem("price", "expected a price between 0 and 1, found \(price)")
    }
    if let tick, !price.isOnGrid(tick) {
      throw WireProblem("price", "expected a multiple of the tick \(tick), found \(price)")
    }
    let quantity = try row.quantity("size")
    guard quantity.raw >= 0 else {
      throw WireProblem("size", "expected no negative number, found \(quantity)")
    }
    return Level(price: price, quantity: quantity)
  }

  private static func sort(_ levels: inout [Level], rising: Bool, name: String) throws(WireProblem) {
    levels.sort { rising ? $0.price < $1.price : $0.price > $1.price }
    for (worse, better) in zip(levels, levels.dropFirst()) where worse.price == better.price {
      throw WireProblem(name, "the price \(worse.price) stands there twice")
    }
  }

  private static func checkHash(
    _ wire: Wire, market: String, token: String, timestamp: String
  ) throws(WireProblem) {
    guard let hash = try wire.optionalText("hash"), !hash.isEmpty else { return }
    let bids = try compact(wire, "bids")
    let asks = try compact(wire, "asks")
    let minimum = try wire.optionalText("min_order_size")
    let tick = try wire.optionalText("tick_size")
    let isNegRisk = try wire.optionalBoolean("neg_risk")
    let last = try wire.optionalText("last_trade_price")
    // One piece of memory for all texts, so that the views into it live as long as the check.
    let parts = [market, token, timestamp, bids, asks, minimum ?? "", tick ?? "", last ?? "", hash]
    let all = Array(parts.joined().utf8)
    let form = all.withUnsafeBytes { bytes in
      var start = 0
      let views = parts.map { part in
        defer { start += part.utf8.count }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + part.utf8.count)])
      }
      var text = BookHashText(
        market: views[0], asset: views[1], timestamp: views[2], bids: views[3], asks: views[4], extra: nil)
      if minimum != nil, tick != nil, last != nil, let isNegRisk {
        text.extra = .init(
          minimumSize: views[5], tickSize: views[6], isNegRisk: isNegRisk, lastTradePrice: views[7])
      }
      var checker = BookHash()
      return checker.form(of: text, claimed: views[8])
    }
    if form == nil { throw WireProblem("hash", "the book does not bear the hash \(quotedExcerpt(hash))") }
  }

  private static func compact(_ wire: Wire, _ name: String) throws(WireProblem) -> String {
    var text = "["
    for (index, row) in try wire.array(name).enumerated() {
      if index > 0 { text += "," }
      text += "{\"price\":\"\(try row.text("price"))\",\"size\":\"\(try row.text("size"))\"}"
    }
    return text + "]"
  }
}
