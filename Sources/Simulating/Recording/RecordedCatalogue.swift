internal import Daemon
internal import Market
internal import Web

/// Recorded lists of Gamma, which become the markets of a world.
///
/// What was recorded lies in the past: end dates move by the age of their list, so that what had a month to go has one.
/// Books follow from best bid and best ask until a recorded book takes their place.
struct RecordedCatalogue {
  /// Markets that could not be taken: other than two outcomes, or members that are missing.
  private(set) var skipped = 0

  /// One list with the moment at which it was fetched.
  private struct List {
    var markets: [(market: JSONValue, event: JSONValue?)] = []
    var fetchedAt: Timestamp
    /// Whether it holds all markets of its events.
    var isWhole: Bool
  }

  /// Reads all lists below a directory into a world; of a market in several lists the newest counts.
  mutating func load(from directory: String, into world: inout World) throws(SystemError) {
    var lists: [List] = []
    for pattern in ["/pm_negrisk/*.json*", "/pm_markets/gamma_*.json*"] {
      for path in FilePaths.matching(pattern: directory + pattern).sorted() {
        guard let document = try? JSONDocument(try PackedFile.read(path)), let list = list(document.root) else {
          Log.warning("recorded list cannot be read", ["file": path])
          continue
        }
        lists.append(list)
      }
    }
    lists.sort { ($0.isWhole ? 1 : 0, $0.fetchedAt) > ($1.isWhole ? 1 : 0, $1.fetchedAt) }
    var whole: Set<Int> = []
    for list in lists {
      for (market, event) in list.markets {
        guard let slot = take(market, event, list, &world, whole: whole) else { continue }
        if list.isWhole { whole.insert(world.markets[slot].event) }
      }
    }
    openIncompleteEvents(&world, whole: whole)
  }

  /// A list of markets, a list of events, one event, or an event under `data`.
  private func list(_ root: JSONValue) -> List? {
    if let data = root["data"] {
      let time = root["meta"]?["fetch_time_iso"]?.string.flatMap { try? Timestamp(rfc3339: $0) }
      guard var list = list(data) else { return nil }
      if let time { list.fetchedAt = time }
      return list
    }
    let rows = root.kind == .array ? Array(root.elements) : [root]
    var list = List(fetchedAt: Timestamp(nanoseconds: 0), isWhole: false)
    for row in rows {
      if let nested = row["markets"] {
        list.isWhole = true
        for market in nested.elements { list.markets.append((market, row)) }
      } else if row["conditionId"] != nil {
        list.markets.append((row, row["events"]?[0]))
      }
      if let time = row["updatedAt"]?.string.flatMap({ try? Timestamp(rfc3339: $0) }) {
        list.fetchedAt = max(list.fetchedAt, time)
      }
    }
    return list.markets.isEmpty ? nil : list
  }

  private mutating func take(
    _ value: JSONValue, _ event: JSONValue?, _ list: List, _ world: inout World, whole: Set<Int>
  ) -> Int? {
    guard let id = value["id"]?.integer, let condition = value["conditionId"]?.string, !condition.isEmpty,
      let outcomes = texts(value["outcomes"]), outcomes.count == 2, world.marketOfID[id] == nil,
      world.marketOfCondition[condition] == nil
    else {
      if value["id"]?.integer.map({ world.marketOfID[$0] == nil }) ?? true { skipped += 1 }
      return nil
    }
    let tokens = texts(value["clobTokenIds"]) ?? []
    // Some old markets were closed without a result: both outcomes pay 0.
    let paysNothing = value["closed"]?.bool == true && texts(value["outcomePrices"]) == ["0", "0"]
    guard !paysNothing, tokens.isEmpty || (tokens.count == 2 && tokens.allSatisfy { world.tokenOfID[$0] == nil }) else {
      skipped += 1
      return nil
    }
    let shift = world.now.nanoseconds(since: list.fetchedAt)
    func time(_ name: String) -> Timestamp? {
      value[name]?.string.flatMap { try? Timestamp(rfc3339: $0) }?.advanced(byNanoseconds: shift)
    }
    let year: Int64 = 365 * 86_400
    let endsAt = time("endDate") ?? world.now.advanced(bySeconds: year)
    let startsAt = time("startDate") ?? world.now.advanced(bySeconds: -year)
    let slot = self.event(event, marketID: id, value, startsAt: startsAt, endsAt: endsAt, &world)
    var market = SimulatedMarket(
      id: id, event: slot, conditionID: condition, questionID: value["questionID"]?.string ?? "",
      slug: value["slug"]?.string ?? "", question: value["question"]?.string ?? "", tokens: tokens,
      tick: price(value["orderPriceMinTickSize"]) ?? WorldBuilder.coarseTick, fees: fees(value), startsAt: startsAt,
      endsAt: endsAt, resolvesAt: endsAt)
    market.outcomes = outcomes
    market.groupItemTitle = value["groupItemTitle"]?.string ?? ""
    market.isActive = value["active"]?.bool ?? true
    market.isOther = value["negRiskOther"]?.bool ?? false
    market.isPlaceholder = tokens.isEmpty || !market.isActive || market.isOther
    market.volumeDay = money(value["volume24hr"])
    market.volumeTotal = money(value["volumeNum"])
    market.lastTrade = price(value["lastTradePrice"])
    if let size = value["orderMinSize"]?.decimalText.flatMap({ try? Quantity($0) }) { market.minimumSize = size }
    setState(&market, value, closedAt: time("closedTime"), now: world.now)
    let index = world.add(market)
    world.events[slot].markets.append(index)
    layBooks(index, value, &world)
    return index
  }

  private func setState(_ market: inout SimulatedMarket, _ value: JSONValue, closedAt: Timestamp?, now: Timestamp) {
    if value["closed"]?.bool == true {
      let first = (texts(value["outcomePrices"])?.first).flatMap { try? Decimal.parse(text: $0) } ?? 0
      market.state = .resolved(winner: first * 2 >= fixedPointScale ? 0 : 1)
      market.closedAt = closedAt ?? market.endsAt
    } else if value["acceptingOrders"]?.bool == false {
      market.state = .ended
    }
  }

  private mutating func event(
    _ value: JSONValue?, marketID: Int64, _ market: JSONValue, startsAt: Timestamp, endsAt: Timestamp,
    _ world: inout World
  ) -> Int {
    let id = value?["id"]?.integer ?? marketID + 5_000_000_000
    if let known = world.eventOfID[id] { return known }
    let title = value?["title"]?.string ?? market["question"]?.string ?? ""
    var event = SimulatedEvent(
      id: id, slug: value?["slug"]?.string ?? Phrases.slug(title), title: title,
      category: value?["category"]?.string ?? "Recorded", markets: [], startsAt: startsAt, endsAt: endsAt)
    event.isNegRisk = value?["negRisk"]?.bool ?? market["negRisk"]?.bool ?? false
    event.isAugmented = value?["negRiskAugmented"]?.bool ?? false
    event.negRiskMarketID = value?["negRiskMarketID"]?.string ?? market["negRiskMarketID"]?.string ?? ""
    return world.add(event)
  }

  /// Three levels a side from the recorded best prices, with the recorded liquidity between them.
  private func layBooks(_ slot: Int, _ value: JSONValue, _ world: inout World) {
    let market = world.markets[slot]
    guard market.isTradable, !market.isPlaceholder else { return }
    let liquidity = money(value["liquidityNum"])
    let share = max(20, min(5000, liquidity.raw / fixedPointScale / 12))
    var ladder = Ladder()
    for (side, name) in [(BookSide.bid, "bestBid"), (.ask, "bestAsk")] {
      guard let best = price(value[name]), best.raw > 0, best.raw < fixedPointScale else { continue }
      for depth in 0..<3 {
        let step = Int64(depth) * market.tick.raw
        let price = Price(raw: side == .bid ? best.raw - step : best.raw + step)
        guard price.raw > 0, price.raw < fixedPointScale else { break }
        ladder.set(side, price, Quantity(raw: share * Int64(depth + 1) * fixedPointScale))
      }
    }
    guard ladder.shownBid < ladder.shownAsk else { return }
    world.engine.place(token: slot * 2, ladder)
    world.engine.place(token: slot * 2 + 1, MatchingEngine.mirror(ladder))
  }

  /// An event of which only some outcomes were recorded is one whose set of outcomes is open.
  private func openIncompleteEvents(_ world: inout World, whole: Set<Int>) {
    for index in world.events.indices where world.events[index].isNegRisk && !whole.contains(index) {
      let sum = world.events[index].markets.reduce(Int64(0)) { sum, slot in
        sum + (world.markets[slot].isTradable ? world.middle(of: slot).raw : 0)
      }
      if sum < fixedPointScale * 97 / 100 { world.events[index].isAugmented = true }
    }
  }

  // MARK: Members

  /// A text that contains a JSON list of texts.
  private func texts(_ value: JSONValue?) -> [String]? {
    guard let text = value?.string, let document = try? JSONDocument(text) else { return nil }
    return document.root.elements.compactMap(\.string)
  }

  private func price(_ value: JSONValue?) -> Price? {
    value?.decimalText.flatMap { try? Decimal.parse(text: $0) }.map { Price(raw: $0) }
  }

  private func money(_ value: JSONValue?) -> Money {
    Money(raw: value?.decimalText.flatMap { try? Decimal.parse(text: $0) } ?? 0)
  }

  private func fees(_ value: JSONValue) -> FeeKind {
    guard value["feesEnabled"]?.bool == true, let schedule = value["feeSchedule"], let rate = price(schedule["rate"])
    else { return .none }
    return FeeKind(
      name: value["feeType"]?.string ?? "recorded", rate: rate, rebateRate: price(schedule["rebateRate"]) ?? .zero)
  }
}

extension Decimal {
  /// Reads a number; digits beyond the eighth decimal are dropped.
  static func parse(text: String) throws(DecimalError) -> Int64 {
    var text = text
    return try text.withUTF8 { bytes in
      Result { () throws(DecimalError) in try Decimal.parse(UnsafeRawBufferPointer(bytes), truncating: true) }
    }.get()
  }
}
