internal import Market
internal import Web

/// Reads messages of Kalshi's WebSocket.
public enum KalshiStreamParser {
  /// Reads one message.
  /// - Throws: `VenueError` that names kind and field.
  public static func parse(_ text: UnsafeRawBufferPointer) throws(VenueError) -> KalshiStreamMessage {
    let document: JSONDocument
    do {
      document = try JSONDocument(text)
    } catch {
      throw VenueError(venue: .kalshi, kind: "stream", problem: "the message is no JSON that we take: \(error)")
    }
    return try parse(Wire(document.root))
  }

  /// Reads one message.
  /// - Throws: `VenueError` that names kind and field.
  public static func parse(_ text: String) throws(VenueError) -> KalshiStreamMessage {
    var text = text
    return try text.withUTF8 { bytes in
      Result { () throws(VenueError) in try parse(UnsafeRawBufferPointer(bytes)) }
    }.get()
  }

  static func parse(_ wire: Wire) throws(VenueError) -> KalshiStreamMessage {
    var type = "stream"
    do throws(WireProblem) {
      if let command = try wire.optionalText("cmd") {
        return KalshiStreamMessage(id: try wire.optionalInteger("id"), body: try self.command(wire, command))
      }
      type = try wire.text("type")
      let body = try self.body(wire, type)
      return KalshiStreamMessage(
        sid: try wire.optionalInteger("sid"), seq: try sequence(wire, body), id: try wire.optionalInteger("id"),
        body: body)
    } catch {
      throw error.error(.kalshi, type.isEmpty || type.utf8.count > 40 ? "stream" : type)
    }
  }

  /// What changes or replaces a book must have its place in the order of things.
  private static func sequence(_ wire: Wire, _ body: KalshiStreamMessage.Body) throws(WireProblem) -> Int64? {
    let sequence = try wire.optionalInteger("seq")
    switch body {
    case .snapshot, .delta:
      guard try wire.optionalInteger("sid") != nil else {
        throw WireProblem("sid", "expected a whole number, found nothing")
      }
      guard sequence != nil else { throw WireProblem("seq", "expected a whole number, found nothing") }
    default: break
    }
    if let sequence, sequence < 0 { throw WireProblem("seq", "expected no negative number, found \(sequence)") }
    return sequence
  }

  private static func body(_ wire: Wire, _ type: String) throws(WireProblem) -> KalshiStreamMessage.Body {
    switch type {
    case "orderbook_snapshot": .snapshot(try inner(wire, snapshot))
    case "orderbook_delta": .delta(try inner(wire, delta))
    case "trade": .trade(try inner(wire, trade))
    case "ticker": .ticker(try inner(wire, ticker))
    case "market_lifecycle_v2", "market_lifecycle": .lifecycle(try inner(wire, lifecycle))
    case "event_fee_update": .fees(try inner(wire, feeUpdate))
    case "fill": .fill(try inner(wire, fill))
    case "user_order", "order": .order(try inner(wire, order))
    case "market_position": .position(try inner(wire, position))
    case "subscribed": try inner(wire, subscribed)
    case "ok": try accepted(wire)
    case "unsubscribed": .unsubscribed
    case "error": .refused(try inner(wire, refusal))
    default: .ignored(type: String(type.prefix(60)))
    }
  }

  private static func inner<Value>(
    _ wire: Wire, _ read: (Wire) throws(WireProblem) -> Value
  ) throws(WireProblem) -> Value {
    let message = try wire.object("msg")
    do { return try read(message) } catch { throw error.inside("msg") }
  }

  // MARK: - Public channels

  private static func snapshot(_ wire: Wire) throws(WireProblem) -> KalshiSnapshot {
    KalshiSnapshot(
      ticker: try ticker(of: wire),
      levels: try KalshiLevels.parse(wire, yes: "yes_dollars_fp", no: "no_dollars_fp"))
  }

  private static func delta(_ wire: Wire) throws(WireProblem) -> KalshiDelta {
    KalshiDelta(
      ticker: try ticker(of: wire), outcome: try wire.outcome("side"), price: try wire.tradablePrice("price_dollars"),
      change: try wire.quantity("delta_fp"), time: try wire.streamTime(),
      clientOrderID: try wire.optionalText("client_order_id"))
  }

  private static func trade(_ wire: Wire) throws(WireProblem) -> KalshiTrade {
    guard let time = try wire.streamTime() else { throw WireProblem("ts_ms", "expected a time, found nothing") }
    return try trade(wire, ticker: try ticker(of: wire), time: time)
  }

  /// The members that a trade has over the stream and over REST alike.
  static func trade(_ wire: Wire, ticker: String, time: Timestamp) throws(WireProblem) -> KalshiTrade {
    let count = try wire.quantity("count_fp")
    guard count.raw > 0 else { throw WireProblem("count_fp", "expected a number above 0, found \(count)") }
    return KalshiTrade(
      id: try wire.optionalText("trade_id") ?? "", ticker: ticker, yesPrice: try yesPrice(wire), count: count,
      takerOutcome: try outcome(wire, ["taker_outcome_side", "taker_side"], book: "taker_book_side"),
      isBlock: try wire.optionalBoolean("is_block_trade") ?? false, time: time)
  }

  private static func ticker(_ wire: Wire) throws(WireProblem) -> KalshiTicker {
    func quote(_ name: String) throws(WireProblem) -> Level? {
      guard let price = try wire.optionalDollars(name + "_dollars"), price.raw > 0, price < .one else { return nil }
      let quantity = try wire.optionalCount(name + "_size_fp") ?? .zero
      return Level(price: price, quantity: quantity)
    }
    return KalshiTicker(
      ticker: try ticker(of: wire),
      lastPrice: try wire.optionalDollars("price_dollars").flatMap { $0.raw > 0 ? $0 : nil },
      yesBid: try quote("yes_bid"), yesAsk: try quote("yes_ask"), volume: try wire.optionalCount("volume_fp"),
      openInterest: try wire.optionalCount("open_interest_fp"), time: try wire.streamTime())
  }

  private static func lifecycle(_ wire: Wire) throws(WireProblem) -> KalshiLifecycle {
    var closesAt: Timestamp?
    if try wire.optional("close_ts") != nil { closesAt = try wire.seconds("close_ts") }
    return KalshiLifecycle(
      ticker: try ticker(of: wire), event: try wire.optionalText("event_type") ?? "",
      grid: try KalshiMarketParser.grid(of: wire), result: try wire.optionalText("result"), closesAt: closesAt)
  }

  private static func feeUpdate(_ wire: Wire) throws(WireProblem) -> KalshiFeeUpdate {
    let type = try wire.optionalText("fee_type_override")
    let multiplier = try KalshiMarketParser.multiplier(wire, "fee_multiplier_override")
    let fees =
      type == nil && multiplier == nil
      ? nil : KalshiFees(type: type ?? KalshiFees.ordinary.type, multiplier: multiplier ?? .one)
    return KalshiFeeUpdate(eventTicker: try wire.text("event_ticker"), fees: fees)
  }

  // MARK: - Our own

  static func fill(_ wire: Wire) throws(WireProblem) -> KalshiFill {
    let count = try wire.quantity("count_fp")
    guard count.raw > 0 else { throw WireProblem("count_fp", "expected a number above 0, found \(count)") }
    let idName = try wire.optional("trade_id") == nil ? "fill_id" : "trade_id"
    var time = try wire.kalshiTime("created_time")
    if time == nil { time = try wire.streamTime() }
    return KalshiFill(
      tradeID: try wire.text(idName), orderID: try wire.text("order_id"),
      clientOrderID: try wire.optionalText("client_order_id"), ticker: try ticker(of: wire),
      outcome: try outcome(wire, ["outcome_side", "purchased_side"], book: "book_side"), yesPrice: try yesPrice(wire),
      count: count, fee: try wire.optionalMoney("fee_cost"), isTaker: try wire.boolean("is_taker"),
      positionAfter: try wire.optionalQuantity("post_position_fp"), time: time)
  }

  static func order(_ wire: Wire) throws(WireProblem) -> KalshiOrder {
    let statusText = try wire.text("status")
    guard let status = KalshiOrder.Status(rawValue: statusText) else {
      throw WireProblem("status", "expected resting, canceled or executed, found \(quotedExcerpt(statusText))")
    }
    func sum(_ names: [String]) throws(WireProblem) -> Money? {
      var result: Money?
      for name in names {
        guard let part = try wire.optionalMoney(name) else { continue }
        let (sum, overflow) = (result?.raw ?? 0).addingReportingOverflow(part.raw)
        guard !overflow else { throw WireProblem(name, "the sum is too large") }
        result = Money(raw: sum)
      }
      return result
    }
    return KalshiOrder(
      id: try wire.text("order_id"), clientOrderID: try wire.optionalText("client_order_id"),
      ticker: try ticker(of: wire), status: status,
      outcome: try outcome(wire, ["outcome_side"], book: "book_side"), yesPrice: try yesPrice(wire),
      initialCount: try wire.count("initial_count_fp"), filledCount: try wire.count("fill_count_fp"),
      remainingCount: try wire.count("remaining_count_fp"),
      cost: try sum(["taker_fill_cost_dollars", "maker_fill_cost_dollars"]),
      fees: try sum(["taker_fees_dollars", "maker_fees_dollars"]) ?? .zero,
      updateReason: try wire.optionalText("last_update_reason"), createdAt: try wire.kalshiTime("created_time"))
  }

  static func position(_ wire: Wire) throws(WireProblem) -> KalshiPosition {
    let isREST = try wire.optional("market_exposure_dollars") != nil
    let cost = try wire.money(isREST ? "market_exposure_dollars" : "position_cost_dollars")
    return KalshiPosition(
      ticker: try ticker(of: wire), position: try wire.quantity("position_fp"), cost: cost,
      realised: try wire.optionalMoney("realized_pnl_dollars") ?? .zero,
      fees: try wire.optionalMoney("fees_paid_dollars") ?? .zero)
  }

  // MARK: - Answers

  private static func subscribed(_ wire: Wire) throws(WireProblem) -> KalshiStreamMessage.Body {
    .subscribed(channel: try wire.text("channel"), sid: try wire.integer("sid"))
  }

  /// The markets of one subscription, or a list of all subscriptions, or nothing.
  private static func accepted(_ wire: Wire) throws(WireProblem) -> KalshiStreamMessage.Body {
    guard let message = try wire.optional("msg") else { return .accepted(markets: [], subscriptions: []) }
    guard message.json.kind == .array else {
      let markets = try message.optionalTextList("market_tickers") ?? []
      return .accepted(markets: markets, subscriptions: [])
    }
    var subscriptions: [KalshiSubscription] = []
    for (index, row) in try message.elements.enumerated() {
      do throws(WireProblem) {
        subscriptions.append(KalshiSubscription(channel: try row.text("channel"), sid: try row.integer("sid")))
      } catch {
        throw error.inside("msg[\(index)]")
      }
    }
    return .accepted(markets: [], subscriptions: subscriptions)
  }

  private static func refusal(_ wire: Wire) throws(WireProblem) -> KalshiRefusal {
    KalshiRefusal(
      code: try wire.integer("code"), text: String((try wire.optionalText("msg") ?? "").prefix(200)))
  }

  private static func command(_ wire: Wire, _ name: String) throws(WireProblem) -> KalshiStreamMessage.Body {
    let parameters = try wire.optionalObject("params")
    let channels = try parameters?.optionalTextList("channels") ?? []
    let markets = try parameters?.optionalTextList("market_tickers") ?? []
    return .command(name: String(name.prefix(60)), channels: channels, markets: markets)
  }

  // MARK: - Members that several kinds have

  /// `market_ticker`, or `ticker` where the message calls it so.
  private static func ticker(of wire: Wire) throws(WireProblem) -> String {
    let hasShortName = try wire.optional("ticker") != nil
    let name = try wire.optional("market_ticker") == nil && hasShortName ? "ticker" : "market_ticker"
    let ticker = try wire.text(name)
    guard !ticker.isEmpty else { throw WireProblem(name, "expected a name, found an empty text") }
    return ticker
  }

  /// The price of YES; from that of NO where it alone is there.
  ///
  /// Where both are there, they must add up to 1.
  private static func yesPrice(_ wire: Wire) throws(WireProblem) -> Price {
    let no = try wire.optionalDollars("no_price_dollars")
    guard let yes = try wire.optionalDollars("yes_price_dollars") else {
      guard let no else { throw WireProblem("yes_price_dollars", "expected a price from 0 to 1, found nothing") }
      return no.complement
    }
    if let no, yes.complement != no {
      throw WireProblem("no_price_dollars", "expected \(yes.complement), so that both add up to 1, found \(no)")
    }
    return yes
  }

  /// The outcome that somebody bought, by the first of some members; else by the side of the YES book.
  private static func outcome(
    _ wire: Wire, _ names: [String], book: String
  ) throws(WireProblem) -> KalshiOutcome {
    for name in names where try wire.optional(name) != nil { return try wire.outcome(name) }
    switch try wire.optionalText(book) {
    case "bid": return .yes
    case "ask": return .no
    case nil:
      let name = names.first ?? book
      throw WireProblem(name, "expected yes or no, found nothing")
    case let other?: throw WireProblem(book, "expected bid or ask, found \(quotedExcerpt(other))")
    }
  }
}
