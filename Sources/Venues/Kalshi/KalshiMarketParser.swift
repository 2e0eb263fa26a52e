internal import Daemon
internal import Market
internal import Web

/// Reads Kalshi's markets, events and series.
///
/// A market, shortened:
///
/// `{"ticker":"KXBTCD-26JUL2502-T74299.99","event_ticker":"KXBTCD-26JUL2502","title":"Bitcoin price on Jul 25, 2026?",
///   "yes_sub_title":"$74,300 or above","status":"active","result":"","open_time":"2026-07-25T05:00:00Z",
///   "close_time":"2026-07-25T06:00:00Z","yes_bid_dollars":"0.0000","yes_bid_size_fp":"0.00",
///   "yes_ask_dollars":"0.0100","yes_ask_size_fp":"73469.00","no_bid_dollars":"0.9900","no_ask_dollars":"1.0000",
///   "last_price_dollars":"0.0000","volume_fp":"0.00","floor_strike":74299.99,"strike_type":"greater",
///   "price_level_structure":"linear_cent","price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0100"}]}`
///
/// An empty side shows as 0 or 1 with a size of `0.00`: that is no quote.
enum KalshiMarketParser {
  /// Reads one market.
  static func market(_ wire: Wire, fees: KalshiFees) throws(WireProblem) -> KalshiMarket {
    let ticker = try wire.text("ticker")
    guard !ticker.isEmpty else { throw WireProblem("ticker", "expected a name, found an empty text") }
    let statusText = try wire.text("status")
    guard let status = KalshiStatus(rawValue: statusText) else {
      throw WireProblem("status", "expected one of the documented words, found \(quotedExcerpt(statusText))")
    }
    let grid = try self.grid(wire)
    let outcomes = KalshiOutcome.allCases.map {
      Outcome(token: $0.token(ofMarket: ticker), name: $0 == .yes ? "Yes" : "No")
    }
    var common = PredictionMarket(
      venue: .kalshi, id: ticker, eventID: try wire.optionalText("event_ticker") ?? "", question: try question(wire),
      outcomes: outcomes, tick: grid.finestStep)
    common.minimumQuantity = Quantity(raw: fixedPointScale / 100)
    common.fees = fees.schedule(at: SystemClock.now)
    common.endsAt = try wire.kalshiTime("close_time")
    common.isAcceptingOrders = status.isOpen
    common.isClosed = status.isOver
    let opensAt = try wire.kalshiTime("open_time")
    common.upDown = upDown(eventTicker: common.eventID, opensAt: opensAt, closesAt: common.endsAt)
    let result = try wire.optionalText("result") ?? ""
    let settlement = try settlementValue(wire, result: result)
    // A result may still be disputed before it is final.
    if status == .finalized, let settlement {
      common.payouts = [settlement, settlement.complement]
      common.winner = common.payouts?.firstIndex(of: .one)
    }
    let volume24h = try wire.optionalCount("volume_24h_fp")
    common.dayVolume = Money(raw: volume24h?.raw ?? 0)
    if grid != PriceGrid(step: grid.finestStep) { common.grid = grid }
    var market = KalshiMarket(
      market: common, status: status, grid: grid, yesBid: try quote(wire, "yes_bid", "no_ask"),
      yesAsk: try quote(wire, "yes_ask", "no_bid"),
      lastPrice: try wire.optionalDollars("last_price_dollars").flatMap { $0.raw > 0 ? $0 : nil },
      volume: try wire.optionalCount("volume_fp"), volume24h: volume24h,
      openInterest: try wire.optionalCount("open_interest_fp"), strikeType: try wire.optionalText("strike_type"),
      floorStrike: try wire.optional("floor_strike")?.json.decimalText,
      capStrike: try wire.optional("cap_strike")?.json.decimalText, opensAt: opensAt,
      expectedExpirationAt: try wire.kalshiTime("expected_expiration_time"), result: result,
      settlementValue: settlement,
      rules: [try wire.optionalText("rules_primary") ?? "", try wire.optionalText("rules_secondary") ?? ""],
      subtitle: try wire.optionalText("yes_sub_title") ?? "")
    market.market.termsDigest = market.terms.digest
    return market
  }

  /// Reads an event; the markets stand inside it, or beside it.
  ///
  /// - Parameters:
  ///   - wire: the event.
  ///   - beside: the markets where they are not inside.
  ///   - fees: what a series charges.
  /// - Returns: the event, and the problem of each market that could not be read.
  /// - Throws: `WireProblem` where the event itself cannot be read.
  static func event(
    _ wire: Wire, beside: [Wire]? = nil, fees: (String) -> KalshiFees
  ) throws(WireProblem) -> (event: KalshiEvent, rejected: [WireProblem]) {
    var event = KalshiEvent(
      ticker: try wire.text("event_ticker"), seriesTicker: try wire.optionalText("series_ticker") ?? "",
      title: try wire.optionalText("title") ?? "", subtitle: try wire.optionalText("sub_title") ?? "",
      category: try wire.optionalText("category") ?? "",
      isMutuallyExclusive: try wire.optionalBoolean("mutually_exclusive") ?? false, markets: [])
    var rejected: [WireProblem] = []
    let charged = fees(event.seriesTicker)
    for (index, row) in try (wire.optionalArray("markets") ?? beside ?? []).enumerated() {
      do throws(WireProblem) {
        event.markets.append(try market(row, fees: charged))
      } catch {
        rejected.append(error.inside("markets[\(index)]\(label(row))"))
      }
    }
    return (event, rejected)
  }

  /// Reads a series.
  ///
  /// `{"ticker":"KXBTCD","title":"Bitcoin price Above/below","category":"Crypto","frequency":"hourly",
  ///   "fee_type":"quadratic","fee_multiplier":1,…}`
  static func series(_ wire: Wire) throws(WireProblem) -> KalshiSeries {
    KalshiSeries(
      ticker: try wire.text("ticker"), title: try wire.optionalText("title") ?? "",
      category: try wire.optionalText("category") ?? "", frequency: try wire.optionalText("frequency") ?? "",
      fees: KalshiFees(
        type: try wire.optionalText("fee_type") ?? KalshiFees.ordinary.type,
        multiplier: try multiplier(wire, "fee_multiplier") ?? .one))
  }

  /// A fee's multiplier, or nil where it is missing or null.
  static func multiplier(_ wire: Wire, _ name: String) throws(WireProblem) -> Price? {
    guard let multiplier = try wire.optionalPrice(name) else { return nil }
    guard multiplier.raw >= 0, multiplier.raw <= 100 * fixedPointScale else {
      throw WireProblem(name, "expected a number from 0 to 100, found \(multiplier)")
    }
    return multiplier
  }

  /// The grid of `price_ranges`; nil where the message has none.
  static func grid(of wire: Wire) throws(WireProblem) -> PriceGrid? {
    guard let rows = try wire.optionalArray("price_ranges"), !rows.isEmpty else { return nil }
    var ranges: [PriceGrid.Range] = []
    for (index, row) in rows.enumerated() {
      do throws(WireProblem) {
        ranges.append(
          PriceGrid.Range(start: try row.dollars("start"), end: try row.dollars("end"), step: try row.dollars("step")))
      } catch {
        throw error.inside("price_ranges[\(index)]")
      }
    }
    guard let grid = PriceGrid(ranges) else {
      throw WireProblem("price_ranges", "expected rising ranges between 0 and 1 whose steps fit them")
    }
    return grid
  }

  /// What names a market in an error.
  static func label(_ wire: Wire) -> String {
    guard let ticker = try? wire.optionalText("ticker") else { return "" }
    return "(\(ticker.prefix(60)))"
  }

  /// The ranges count; the word for the structure only where they are missing.
  private static func grid(_ wire: Wire) throws(WireProblem) -> PriceGrid {
    if let grid = try self.grid(of: wire) { return grid }
    switch try wire.optionalText("price_level_structure") {
    case "linear_cent": return PriceGrid(step: Price(raw: fixedPointScale / 100))
    case "deci_cent": return PriceGrid(step: Price(raw: fixedPointScale / 1000))
    default: throw WireProblem("price_ranges", "expected an array, found nothing")
    }
  }

  /// The title, with what tells the event's markets apart where the title does not.
  private static func question(_ wire: Wire) throws(WireProblem) -> String {
    let title = try wire.optionalText("title") ?? ""
    let subtitle = try wire.optionalText("yes_sub_title") ?? ""
    if subtitle.isEmpty || contains(title.lowercased(), subtitle.lowercased()) { return title }
    return title.isEmpty ? subtitle : "\(title) \(subtitle)"
  }

  private static func contains(_ text: String, _ part: String) -> Bool {
    let (text, part) = (Array(text.utf8), Array(part.utf8))
    guard text.count >= part.count else { return false }
    return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
  }

  /// The best level of a side, by the YES price, or by the NO price of the other side where that one alone is there.
  private static func quote(_ wire: Wire, _ name: String, _ mirror: String) throws(WireProblem) -> Level? {
    var price = try wire.optionalDollars(name + "_dollars")
    if price == nil { price = try wire.optionalDollars(mirror + "_dollars").map(\.complement) }
    guard let price, price.raw > 0, price < .one else { return nil }
    // A price without a size may be a quote; a size of zero says that it is none.
    guard let quantity = try wire.optionalCount(name + "_size_fp") else { return Level(price: price, quantity: .zero) }
    return quantity.raw > 0 ? Level(price: price, quantity: quantity) : nil
  }

  private static func settlementValue(_ wire: Wire, result: String) throws(WireProblem) -> Price? {
    let value = try wire.optionalDollars("settlement_value_dollars")
    switch result {
    case "yes": return value ?? .one
    case "no": return value ?? .zero
    case "", "scalar", "void": return result.isEmpty ? nil : value
    default: throw WireProblem("result", "expected yes, no, scalar or nothing, found \(quotedExcerpt(result))")
    }
  }

  /// Coins of the 15-minute markets `KXBTC15M-…`, which ask whether the price at the end is at least that at the start.
  private static let coins = ["BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE"]

  private static func upDown(eventTicker: String, opensAt: Timestamp?, closesAt: Timestamp?) -> UpDownTerms? {
    guard let opensAt, let closesAt, opensAt < closesAt,
      let coin = coins.first(where: { eventTicker.hasPrefix("KX\($0)15M-") })
    else { return nil }
    return UpDownTerms(coin: coin, opensAt: opensAt, closesAt: closesAt)
  }
}
