internal import Market

/// Reads Gamma's events and markets into `PredictionMarket`.
///
/// A market, shortened:
///
/// `{"id":"3048031","conditionId":"0x74bc…","question":"Bitcoin Up or Down - …","slug":"btc-updown-5m-1784852400",
///   "outcomes":"[\"Up\", \"Down\"]","outcomePrices":"[\"1\", \"0\"]","clobTokenIds":"[\"9134…\", \"7663…\"]",
///   "orderPriceMinTickSize":0.001,"orderMinSize":5,"endDate":"2026-07-24T00:25:00Z","active":true,"closed":true,
///   "acceptingOrders":false,"negRisk":false,"negRiskOther":false,"feesEnabled":true,
///   "feeSchedule":{"rate":0.07,"exponent":1,"takerOnly":true,"rebateRate":0.2},
///   "umaResolutionStatus":"resolved","eventStartTime":"2026-07-24T00:20:00Z"}`
///
/// Members that are missing are normal: a placeholder has no tokens or is not active, a closed market has no tick.
enum PolymarketGamma {
  /// What a market needs to know of the event around it.
  struct Event {
    /// The event's id.
    var id: String
    /// Whether its set of outcomes is open.
    var isAugmented: Bool
    /// When it starts, where it says so.
    var startsAt: Timestamp?
  }

  /// Reads an event with its markets.
  ///
  /// One bad market leaves the others, but then the set of outcomes that we know is not complete: the others are
  /// marked as augmented, so that nobody buys "every" outcome of a set with a hole.
  /// - Returns: the good markets, and the problem of each bad one.
  /// - Throws: `WireProblem` where the event itself cannot be read.
  static func parseEvent(
    _ wire: Wire
  ) throws(WireProblem) -> (markets: [PredictionMarket], terms: [MarketTerms], rejected: [WireProblem]) {
    let event = try self.event(wire)
    var markets: [PredictionMarket] = []
    var terms: [MarketTerms] = []
    var rejected: [WireProblem] = []
    var sets: Set<String> = []
    for (index, row) in try (wire.optionalArray("markets") ?? []).enumerated() {
      do throws(WireProblem) {
        var market = try parseMarket(row, event: event)
        terms.append(try self.terms(row, of: market))
        market.termsDigest = terms.last?.digest ?? 0
        if market.isNegRisk { sets.insert(try row.optionalText("negRiskMarketID") ?? "") }
        markets.append(market)
      } catch {
        rejected.append(error.inside("markets[\(index)]\(label(row))"))
      }
    }
    if !rejected.isEmpty || sets.count > 1 {
      for index in markets.indices { markets[index].isAugmented = true }
    }
    return (markets, terms, rejected)
  }

  /// Reads what says how a market is decided: `description`, `resolutionSource`, `groupItemTitle`.
  private static func terms(_ wire: Wire, of market: PredictionMarket) throws(WireProblem) -> MarketTerms {
    MarketTerms(
      venue: .polymarket, id: market.id, eventID: market.eventID, title: market.question,
      subtitle: try wire.optionalText("groupItemTitle") ?? "", rules: try wire.optionalText("description") ?? "",
      source: try wire.optionalText("resolutionSource") ?? "", closesAt: market.endsAt,
      outcomes: market.outcomes.map(\.name)
    ).sealed()
  }

  /// Reads a market that stands alone, with its event nested in it.
  static func parseMarket(_ wire: Wire) throws(WireProblem) -> PredictionMarket {
    guard let outer = try wire.optionalArray("events")?.first else {
      let id = try wire.optionalText("conditionId") ?? ""
      return try withTerms(wire, try parseMarket(wire, event: Event(id: id, isAugmented: false, startsAt: nil)))
    }
    let event: Event
    do { event = try self.event(outer) } catch { throw error.inside("events[0]") }
    return try withTerms(wire, try parseMarket(wire, event: event))
  }

  private static func withTerms(_ wire: Wire, _ market: PredictionMarket) throws(WireProblem) -> PredictionMarket {
    var market = market
    market.termsDigest = try terms(wire, of: market).digest
    return market
  }

  /// What names a market in an error: its id, where it has one.
  static func label(_ wire: Wire) -> String {
    guard let id = try? wire.optionalText("id") else { return "" }
    return "(id \(id.prefix(20)))"
  }

  private static func event(_ wire: Wire) throws(WireProblem) -> Event {
    let enabled = try wire.optionalBoolean("enableNegRisk") ?? false
    let augmented = try wire.optionalBoolean("negRiskAugmented") ?? false
    return Event(
      id: try wire.text("id"), isAugmented: enabled && augmented, startsAt: try wire.optionalTime("startTime"))
  }

  private static func parseMarket(_ wire: Wire, event: Event) throws(WireProblem) -> PredictionMarket {
    let conditionID = try wire.optionalText("conditionId") ?? ""
    let outcomes = try self.outcomes(wire)
    let isClosed = try wire.optionalBoolean("closed") ?? false
    let isOther = try wire.optionalBoolean("negRiskOther") ?? false
    let isActive = try wire.optionalBoolean("active") ?? true
    let isPlaceholder = isOther || !isActive || outcomes.isEmpty || conditionID.isEmpty
    let isLive = !isClosed && !isPlaceholder
    // A placeholder has no condition yet; its Gamma id names it, and cannot be taken for a condition.
    let id = conditionID.isEmpty ? "gamma:" + (try wire.text("id")) : conditionID
    var market = PredictionMarket(
      venue: .polymarket, id: id, eventID: event.id, question: try wire.optionalText("question") ?? "",
      outcomes: outcomes, tick: try tick(wire, isNeeded: isLive))
    market.minimumQuantity = try wire.optionalQuantity("orderMinSize") ?? .zero
    if market.minimumQuantity.raw < 0 {
      throw WireProblem("orderMinSize", "expected no negative number, found \(market.minimumQuantity)")
    }
    market.fees = try fees(wire, isNeeded: isLive)
    market.endsAt = try wire.optionalTime("endDate")
    market.isNegRisk = try wire.optionalBoolean("negRisk") ?? false
    market.isAugmented = event.isAugmented
    market.isPlaceholder = isPlaceholder
    let takesOrders = try wire.optionalBoolean("acceptingOrders") ?? false
    let hasBook = try wire.optionalBoolean("enableOrderBook") ?? true
    let isArchived = try wire.optionalBoolean("archived") ?? false
    market.isAcceptingOrders = takesOrders && hasBook && !isArchived
    market.isClosed = isClosed
    if let payouts = try payouts(wire, count: outcomes.count) {
      market.payouts = payouts
      market.winner = payouts.firstIndex(of: .one)
    }
    // A market is not refused for a volume that cannot be read: it ranks by it, and nothing more.
    market.dayVolume = Money(raw: max(0, (try? wire.truncatedDecimal("volume24hr")) ?? 0))
    market.upDown = try upDown(wire, outcomes: outcomes, event: event, closesAt: market.endsAt)
    return market
  }

  /// Outcomes and tokens, index-aligned; empty where the tokens are missing.
  private static func outcomes(_ wire: Wire) throws(WireProblem) -> [Outcome] {
    let names = try wire.optionalTextList("outcomes") ?? []
    let tokens = try wire.optionalTextList("clobTokenIds") ?? []
    guard !tokens.isEmpty else { return [] }
    guard !names.isEmpty else { throw WireProblem("outcomes", "expected a list of names, found none") }
    guard names.count == tokens.count else {
      throw WireProblem("clobTokenIds", "expected \(names.count) tokens, one for each outcome, found \(tokens.count)")
    }
    for (index, token) in tokens.enumerated() {
      guard (1...78).contains(token.utf8.count), token.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        throw WireProblem("clobTokenIds[\(index)]", "expected a decimal token id, found \(quotedExcerpt(token))")
      }
    }
    guard Set(tokens).count == tokens.count else {
      throw WireProblem("clobTokenIds", "the same token stands there twice")
    }
    return zip(tokens, names).map { Outcome(token: $0, name: $1) }
  }

  private static func tick(_ wire: Wire, isNeeded: Bool) throws(WireProblem) -> Price {
    guard let tick = try wire.optionalPrice("orderPriceMinTickSize") else {
      if isNeeded { throw WireProblem("orderPriceMinTickSize", "expected a decimal number, found nothing") }
      return .zero
    }
    guard tick.raw > 0, tick < .one, fixedPointScale % tick.raw == 0 else {
      throw WireProblem("orderPriceMinTickSize", "expected a grid that divides 1, found \(tick)")
    }
    return tick
  }

  /// The schedule; none where fees are off.
  ///
  /// Fees that are on without a schedule are unknown, which is no reason to take them for zero.
  private static func fees(_ wire: Wire, isNeeded: Bool) throws(WireProblem) -> FeeSchedule {
    guard try wire.optionalBoolean("feesEnabled") ?? false else { return .none }
    guard let schedule = try wire.optionalObject("feeSchedule") else {
      guard isNeeded, try wire.optionalText("feeType") != nil else { return .none }
      throw WireProblem("feeSchedule", "fees are enabled, but there is no schedule")
    }
    do throws(WireProblem) {
      let rate = try schedule.price("rate")
      guard rate.raw >= 0, rate <= .one else {
        throw WireProblem("rate", "expected a rate between 0 and 1, found \(rate)")
      }
      let exponent = try schedule.optionalPrice("exponent") ?? .one
      guard (1...8).contains(exponent.raw / fixedPointScale), exponent.raw % fixedPointScale == 0 else {
        throw WireProblem("exponent", "expected a whole number from 1 to 8, found \(exponent)")
      }
      return FeeSchedule(
        rate: rate, exponent: Int(exponent.raw / fixedPointScale),
        takerOnly: try schedule.optionalBoolean("takerOnly") ?? true)
    } catch {
      throw error.inside("feeSchedule")
    }
  }

  /// What each outcome pays, once UMA has resolved; nil before, and for old markets that show `["0","0"]`.
  private static func payouts(_ wire: Wire, count: Int) throws(WireProblem) -> [Price]? {
    guard try wire.optionalBoolean("closed") ?? false, try wire.optionalText("umaResolutionStatus") == "resolved",
      let texts = try wire.optionalTextList("outcomePrices")
    else { return nil }
    guard texts.count == count || count == 0 else {
      throw WireProblem("outcomePrices", "expected \(count) prices, one for each outcome, found \(texts.count)")
    }
    var payouts: [Price] = []
    for (index, text) in texts.enumerated() {
      payouts.append(try Wire.price(text, field: "outcomePrices[\(index)]"))
    }
    guard payouts.contains(where: { $0.raw != 0 }) else { return nil }
    let sum = payouts.reduce(into: Int128(0)) { $0 += Int128($1.raw) }
    guard sum == Int128(fixedPointScale), payouts.allSatisfy({ $0.raw >= 0 }) else {
      throw WireProblem(
        "outcomePrices", "expected payouts that add up to 1, found \(quotedExcerpt(texts.joined(separator: ", ")))")
    }
    return payouts
  }
}

extension PolymarketGamma {
  /// Names under which coins stand in slugs and questions.
  private static let coins: [(name: String, coin: String)] = [
    ("bitcoin", "BTC"), ("ethereum", "ETH"), ("solana", "SOL"), ("ripple", "XRP"), ("dogecoin", "DOGE"),
    ("hyperliquid", "HYPE"),
  ]

  /// Terms of a crypto up/down market: outcomes Up and Down, a window, and a coin that the slug or the question names.
  private static func upDown(
    _ wire: Wire, outcomes: [Outcome], event: Event, closesAt: Timestamp?
  ) throws(WireProblem) -> UpDownTerms? {
    guard outcomes.count == 2, outcomes[0].name == "Up", outcomes[1].name == "Down" else { return nil }
    guard let opensAt = try wire.optionalTime("eventStartTime") ?? event.startsAt, let closesAt, opensAt < closesAt,
      let coin = coin(
        slug: try wire.optionalText("slug") ?? "", question: try wire.optionalText("question") ?? "")
    else { return nil }
    return UpDownTerms(coin: coin, opensAt: opensAt, closesAt: closesAt)
  }

  /// The coin of `btc-updown-5m-1784852400`, `bitcoin-up-or-down-july-23-8pm-et` or `Bitcoin Up or Down - …`.
  static func coin(slug: String, question: String) -> String? {
    let slugHead = slug.range(before: "-updown-") ?? slug.range(before: "-up-or-down")
    guard let head = slugHead ?? question.range(before: " Up or Down"), !head.isEmpty else { return nil }
    let name = head.lowercased()
    if let known = coins.first(where: { $0.name == name }) { return known.coin }
    // A ticker is short and plain; anything else is no coin that we know.
    guard name.utf8.count <= 6, name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) })
    else { return nil }
    return name.uppercased()
  }
}

extension String {
  /// What stands before the first occurrence of `mark`; nil where it does not occur.
  fileprivate func range(before mark: String) -> String? {
    let text = Array(utf8)
    let wanted = Array(mark.utf8)
    guard text.count >= wanted.count else { return nil }
    for start in 0...(text.count - wanted.count) where text[start..<(start + wanted.count)].elementsEqual(wanted) {
      return String(decoding: text[..<start], as: UTF8.self)
    }
    return nil
  }
}
