internal import Market

extension Candle {
  /// Checks what must hold in every candle; the numbers are the places of the fields in the venue's row.
  /// - Throws: `WireProblem` naming the place.
  func check(open openPlace: Int, high highPlace: Int, low lowPlace: Int, close closePlace: Int, volume: Int)
    throws(WireProblem)
  {
    guard low.raw > 0 else { throw WireProblem("[\(lowPlace)]", "expected a low above 0, found \(low)") }
    guard high >= low else { throw WireProblem("[\(highPlace)]", "expected a high of \(low) at least, found \(high)") }
    for (value, place) in [(open, openPlace), (close, closePlace)] where value < low || value > high {
      throw WireProblem("[\(place)]", "expected a price between \(low) and \(high), found \(value)")
    }
    guard self.volume.raw >= 0 else {
      throw WireProblem("[\(volume)]", "expected no negative number, found \(self.volume)")
    }
  }
}

extension Ticker {
  /// Checks that the prices are above zero and not crossed.
  func check(bidField: String) throws(WireProblem) {
    guard bid.price.raw > 0, bid.price <= ask.price else {
      throw WireProblem(bidField, "expected a bid above 0 and not above the ask \(ask.price), found \(bid.price)")
    }
    guard bid.quantity.raw >= 0, ask.quantity.raw >= 0 else {
      throw WireProblem(bidField, "expected no negative quantity, found \(min(bid.quantity, ask.quantity))")
    }
  }
}

extension Trade {
  /// Checks that price and quantity are above zero.
  func check(price priceField: String, quantity quantityField: String) throws(WireProblem) {
    guard price.raw > 0 else { throw WireProblem(priceField, "expected a price above 0, found \(price)") }
    if let quantity, quantity.raw <= 0 {
      throw WireProblem(quantityField, "expected a quantity above 0, found \(quantity)")
    }
  }
}
