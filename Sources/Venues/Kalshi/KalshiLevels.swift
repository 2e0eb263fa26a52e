public import Market
internal import Web

/// One of the two outcomes of a Kalshi market.
public enum KalshiOutcome: String, Hashable, Sendable, CaseIterable {
  case yes, no

  /// The other one.
  public var opposite: KalshiOutcome { self == .yes ? .no : .yes }

  /// The name of an outcome's book: the venue has one book for each market, we have one for each outcome.
  public func token(ofMarket ticker: String) -> String { "\(ticker):\(rawValue)" }

  /// The outcome's instrument.
  public func instrument(ofMarket ticker: String) -> InstrumentID {
    InstrumentID(venue: .kalshi, symbol: token(ofMarket: ticker))
  }

  /// Takes a token apart; nil where it is none of ours.
  public static func parse(token: String) -> (ticker: String, outcome: KalshiOutcome)? {
    guard let colon = token.lastIndex(of: ":"), colon > token.startIndex,
      let outcome = KalshiOutcome(rawValue: String(token[token.index(after: colon)...]))
    else { return nil }
    return (String(token[..<colon]), outcome)
  }
}

/// All bids of a market: those for YES and those for NO, worst first.
///
/// There are no asks at the venue. A bid for NO at q is an offer of YES at 1 − q, so each outcome's asks are the other's
/// bids, turned round.
public struct KalshiLevels: Hashable, Sendable {
  /// Bids for YES, prices rising.
  public var yes: [Level]
  /// Bids for NO, in NO prices, rising.
  public var no: [Level]

  /// Bids by outcome, prices rising.
  public init(yes: [Level] = [], no: [Level] = []) {
    self.yes = yes
    self.no = no
  }

  /// The bids for an outcome, prices rising.
  public func bids(_ outcome: KalshiOutcome) -> [Level] { outcome == .yes ? yes : no }

  /// The asks of an outcome, prices falling: the other outcome's bids at 1 − p.
  public func asks(_ outcome: KalshiOutcome) -> [Level] {
    bids(outcome.opposite).map { Level(price: $0.price.complement, quantity: $0.quantity) }
  }

  /// Whether somebody would pay 1 or more for a pair: the venue's engine matches such orders at once, so this is a sign
  /// that something was missed.
  public var isCrossed: Bool {
    guard let yes = yes.last, let no = no.last else { return false }
    return yes.price.raw + no.price.raw >= fixedPointScale
  }

  /// One outcome's book.
  public func book(
    of ticker: String, _ outcome: KalshiOutcome, venueTime: Timestamp, tick: Price? = nil
  ) -> BookSnapshot {
    BookSnapshot(
      instrument: outcome.instrument(ofMarket: ticker), marketID: ticker, bids: bids(outcome), asks: asks(outcome),
      venueTime: venueTime, tick: tick)
  }
}

extension KalshiLevels {
  /// The most levels of one side: a grid of 0.0001 has 9,999.
  static let levelsPerSideMax = BookCache.levelsPerSideMax

  /// Reads both sides of a book from its members.
  ///
  /// `"yes_dollars":[["0.0800","300.00"],["0.2200","333.00"]],"no_dollars":[]`: prices rise, the best is last; they are
  /// sorted anyway. Over the stream an empty side is a member that is absent.
  static func parse(_ wire: Wire, yes yesName: String, no noName: String) throws(WireProblem) -> KalshiLevels {
    let levels = KalshiLevels(yes: try side(wire, yesName), no: try side(wire, noName))
    if levels.isCrossed, let yes = levels.yes.last, let no = levels.no.last {
      throw WireProblem(yesName, "the book is crossed: best YES bid \(yes.price), best NO bid \(no.price)")
    }
    return levels
  }

  private static func side(_ wire: Wire, _ name: String) throws(WireProblem) -> [Level] {
    let rows = try wire.optionalArray(name) ?? []
    guard rows.count <= levelsPerSideMax else {
      throw WireProblem(name, "expected at most \(levelsPerSideMax) levels, found \(rows.count)")
    }
    var levels: [Level] = []
    levels.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      do throws(WireProblem) {
        let level = try self.level(row)
        if level.quantity.raw > 0 { levels.append(level) }
      } catch {
        throw error.inside("\(name)[\(index)]")
      }
    }
    levels.sort { $0.price < $1.price }
    for (left, right) in zip(levels, levels.dropFirst()) where left.price == right.price {
      throw WireProblem(name, "the price \(left.price) stands there twice")
    }
    return levels
  }

  /// `["0.4100","1.00"]`.
  private static func level(_ row: Wire) throws(WireProblem) -> Level {
    let fields = try row.elements
    guard fields.count >= 2 else { throw WireProblem("", "expected a price and a size, found \(fields.count) values") }
    let price = try fields.price(0)
    guard price.raw > 0, price < .one else {
      throw WireProblem("[0]", "expected a price between 0 and 1, found \(price)")
    }
    let quantity = Quantity(raw: try fields.price(1).raw)
    guard quantity.raw >= 0 else { throw WireProblem("[1]", "expected no negative number, found \(quantity)") }
    return Level(price: price, quantity: quantity)
  }
}

extension Wire {
  /// A member that is a dollar price from 0 to 1.
  func dollars(_ name: String) throws(WireProblem) -> Price {
    let price = try price(name)
    guard price.raw >= 0, price <= .one else {
      throw WireProblem(name, "expected a price from 0 to 1, found \(price)")
    }
    return price
  }

  /// The same, or nil where it is missing, null or empty.
  func optionalDollars(_ name: String) throws(WireProblem) -> Price? {
    try optionalPrice(name) == nil ? nil : try dollars(name)
  }

  /// A member that is a price strictly between 0 and 1: one at which somebody can trade.
  func tradablePrice(_ name: String) throws(WireProblem) -> Price {
    let price = try price(name)
    guard price.raw > 0, price < .one else {
      throw WireProblem(name, "expected a price between 0 and 1, found \(price)")
    }
    return price
  }

  /// A member that is an amount of money, with a sign.
  func money(_ name: String) throws(WireProblem) -> Money { Money(raw: try price(name).raw) }

  /// The same, or nil where it is missing, null or empty.
  func optionalMoney(_ name: String) throws(WireProblem) -> Money? {
    try optionalPrice(name).map { Money(raw: $0.raw) }
  }

  /// A member that is a number of contracts, not negative.
  func count(_ name: String) throws(WireProblem) -> Quantity {
    let quantity = try quantity(name)
    guard quantity.raw >= 0 else { throw WireProblem(name, "expected no negative number, found \(quantity)") }
    return quantity
  }

  /// The same, or nil where it is missing, null or empty.
  func optionalCount(_ name: String) throws(WireProblem) -> Quantity? {
    guard let member = try optional(name), member.json.string != "" else { return nil }
    return try count(name)
  }

  /// A member that is an outcome: `yes` or `no`.
  func outcome(_ name: String) throws(WireProblem) -> KalshiOutcome {
    let text = try text(name)
    guard let outcome = KalshiOutcome(rawValue: text) else {
      throw WireProblem(name, "expected yes or no, found \(quotedExcerpt(text))")
    }
    return outcome
  }

  /// A member that is an RFC 3339 time; nil where it is missing, null, empty, or the year 1, which means "none".
  func kalshiTime(_ name: String) throws(WireProblem) -> Timestamp? {
    guard let text = try optionalText(name), !text.isEmpty, !text.hasPrefix("0001-01-01") else { return nil }
    return try optionalTime(name)
  }

  /// The time of a stream's message: `ts_ms` in milliseconds, else `ts`, RFC 3339 as text and seconds as a number.
  func streamTime() throws(WireProblem) -> Timestamp? {
    if try optional("ts_ms") != nil { return try milliseconds("ts_ms") }
    guard let member = try optional("ts") else { return nil }
    return member.json.kind == .number ? try seconds("ts") : try kalshiTime("ts")
  }

  /// A member that is a whole number, or nil.
  func optionalInteger(_ name: String) throws(WireProblem) -> Int64? {
    guard let member = try optional(name) else { return nil }
    guard let value = member.json.integer else {
      throw WireProblem(name, "expected a whole number, found \(member.shown)")
    }
    return value
  }

  /// A member that is a whole number.
  func integer(_ name: String) throws(WireProblem) -> Int64 {
    guard let value = try optionalInteger(name) else {
      throw WireProblem(name, "expected a whole number, found nothing")
    }
    return value
  }

  /// A member that is an object.
  func object(_ name: String) throws(WireProblem) -> Wire {
    guard let member = try optionalObject(name) else { throw WireProblem(name, "expected an object, found nothing") }
    return member
  }

  /// The value as an error shows it.
  private var shown: String { json.decimalText.map { quotedExcerpt($0) } ?? json.kind.rawValue }
}
