internal import Market

extension Candle {
  /// The members of a candle by the venue's names for them.
  struct Members {
    var open = "open"
    var high = "high"
    var low = "low"
    var close = "close"
    var volume = "volume"
  }

  /// A candle of an object, checked.
  /// - Throws: `WireProblem` that names the member.
  init(
    _ wire: Wire, start: Timestamp, period: CandlePeriod, isClosed: Bool, members: Members = Members()
  ) throws(WireProblem) {
    self.init(
      start: start, periodSeconds: period.end(ofCandleAt: start).seconds - start.seconds,
      open: try wire.price(members.open), high: try wire.price(members.high), low: try wire.price(members.low),
      close: try wire.price(members.close), volume: try wire.volume(members.volume), isClosed: isClosed)
    try check(members)
  }

  /// Checks what must hold in every candle; the numbers are the places of the fields in the venue's row.
  /// - Throws: `WireProblem` naming the place.
  func check(open openPlace: Int, high highPlace: Int, low lowPlace: Int, close closePlace: Int, volume: Int)
    throws(WireProblem)
  {
    try check(
      Members(
        open: "[\(openPlace)]", high: "[\(highPlace)]", low: "[\(lowPlace)]", close: "[\(closePlace)]",
        volume: "[\(volume)]"))
  }

  private func check(_ members: Members) throws(WireProblem) {
    guard volume.raw >= 0 else {
      throw WireProblem(members.volume, "expected no negative number, found \(volume)")
    }
    guard low.raw > 0 else { throw WireProblem(members.low, "expected a low above 0, found \(low)") }
    guard high >= low else { throw WireProblem(members.high, "expected a high of \(low) at least, found \(high)") }
    for (value, member) in [(open, members.open), (close, members.close)] where value < low || value > high {
      throw WireProblem(member, "expected a price between \(low) and \(high), found \(value)")
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
