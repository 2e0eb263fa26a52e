internal import Market

/// What the venue knows of an order.
struct OrderRecord: Sendable {
  let ticket: OrderTicket
  let createdAt: Timestamp
  var matched = Quantity.zero
  /// `LIVE`, `MATCHED`, `CANCELED` or one of its longer forms.
  var status: String
  var trades: [String] = []

  var isLive: Bool { status == "LIVE" }
}

/// A trade, as those who took part see it.
struct TradeRecord: Sendable {
  let id: String
  let market: Int
  let conditionID: String
  let token: String
  let outcome: String
  let side: Side
  let price: Price
  let size: Quantity
  let time: Timestamp
  let takerOrder: String
  let taker: (owner: String, address: String)
  let maker: (order: String, owner: String, address: String)
  let makerToken: String
  let makerOutcome: String
  let makerPrice: Price
  let hash: String
}

/// What the owner of an order is told over the user channel.
enum UserEvent: Sendable {
  /// `PLACEMENT`, `UPDATE` or `CANCELLATION`.
  case order(id: String, type: StaticString)
  case trade(TradeRecord)
}

/// The clients' orders: taken, matched, kept and cancelled.
package struct OrderDesk {
  private(set) var orders: [String: OrderRecord] = [:]
  /// Ids in order of arrival.
  private(set) var sequence: [String] = []
  private(set) var trades: [TradeRecord] = []
  private var live: Set<String> = []
  private var count: UInt64 = 0
  /// What has happened since it was last told, where somebody listens.
  private(set) var events: [UserEvent] = []
  /// Whether somebody listens.
  var isWatched = false

  package init() {}

  private mutating func note(_ event: UserEvent) { if isWatched { events.append(event) } }

  /// Hands out what has happened, and forgets it.
  mutating func takeEvents() -> [UserEvent] {
    defer { events.removeAll() }
    return events
  }

  /// Matches an order and keeps what may rest.
  /// - Returns: the answer's members: status, what was given and what was received, the trades.
  mutating func submit(_ ticket: OrderTicket, _ world: inout World) throws(OrderRefusal) -> OrderAnswer {
    guard orders[ticket.id] == nil else { throw OrderRefusal("order \(ticket.id) is invalid. Duplicated.") }
    let market = world.markets[ticket.token / 2]
    try checkBalance(ticket, market, world)
    let held = world.engine.available(token: ticket.token, ticket.side, limit: ticket.price)
    if ticket.postOnly, held.raw > 0 { throw OrderRefusal("invalid post-only order: order crosses book") }
    if ticket.kind == .fok, held < ticket.size {
      throw kill(ticket, "order couldn't be fully filled. FOK orders are fully filled or killed.", world.now)
    }
    if ticket.kind == .fak, held.raw == 0 {
      throw kill(
        ticket,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        world.now)
    }
    orders[ticket.id] = OrderRecord(ticket: ticket, createdAt: world.now, status: "LIVE")
    sequence.append(ticket.id)
    return match(ticket, market, &world)
  }

  private mutating func match(_ ticket: OrderTicket, _ market: SimulatedMarket, _ world: inout World) -> OrderAnswer {
    var incoming = IncomingOrder(
      account: ticket.maker, token: ticket.token, side: ticket.side, limit: ticket.price, quantity: ticket.size,
      fees: market.fees.schedule)
    let slot = ticket.token / 2
    let fills = world.engine.take(incoming, changes: &world.changes)
    let filled = fills.reduce(Quantity.zero) { $0 + $1.quantity }
    let left = ticket.size - filled
    if ticket.kind.rests, left.raw > 0 {
      incoming.quantity = left
      world.engine.rest(incoming, id: ticket.id, account: ticket.maker, changes: &world.changes)
      live.insert(ticket.id)
    }
    world.tell(slot)
    world.report(slot, outcome: ticket.token & 1, ticket.side, fills)
    var answer = OrderAnswer(id: ticket.id, status: "matched")
    for fill in fills {
      let trade = record(fill, taker: ticket, slot: slot, outcome: ticket.token & 1, ticket.side, world)
      answer.trades.append(trade)
      answer.paid += Money(fill.price, times: fill.quantity, rounding: .down)
      orders[ticket.id]?.trades.append(trade.id)
    }
    orders[ticket.id]?.matched = filled
    orders[ticket.id]?.status = ticket.kind.rests && left.raw > 0 ? "LIVE" : "MATCHED"
    answer.shares = filled
    answer.isSell = ticket.side == .sell
    if ticket.kind.rests, left.raw > 0 { answer.status = "live" }
    note(.order(id: ticket.id, type: "PLACEMENT"))
    for trade in answer.trades { note(.trade(trade)) }
    world.outbox.makerFills.removeAll()
    return answer
  }

  /// Books what others took from clients' resting orders, and ends those whose time or market is over.
  package mutating func settle(_ world: inout World) {
    for (slot, outcome, side, fill) in world.outbox.makerFills {
      note(.trade(record(fill, taker: nil, slot: slot, outcome: outcome, side, world)))
    }
    world.outbox.makerFills.removeAll()
    for id in world.outbox.lapsedOrders where live.remove(id) != nil {
      orders[id]?.status = "CANCELED_MARKET_RESOLVED"
      note(.order(id: id, type: "CANCELLATION"))
    }
    world.outbox.lapsedOrders.removeAll()
    guard !live.isEmpty else { return }
    for id in live {
      guard let ticket = orders[id]?.ticket, ticket.kind == .gtd, ticket.expiration - 60 <= world.now.seconds else {
        continue
      }
      _ = cancel(id, &world)
    }
  }

  /// Cancels a live order.
  /// - Returns: nil when done, else the reason.
  mutating func cancel(_ id: String, _ world: inout World) -> String? {
    guard let order = orders[id] else { return "order not found" }
    guard live.remove(id) != nil else { return "the order is already canceled or matched" }
    let slot = order.ticket.token / 2
    _ = world.engine.cancel(id: id, market: slot, changes: &world.changes)
    world.tell(slot)
    orders[id]?.status = "CANCELED"
    note(.order(id: id, type: "CANCELLATION"))
    return nil
  }

  /// The live orders, oldest first.
  var liveOrders: [String] { live.isEmpty ? [] : sequence.filter { live.contains($0) } }

  // MARK: Inside

  private func checkBalance(
    _ ticket: OrderTicket, _ market: SimulatedMarket, _ world: World
  ) throws(OrderRefusal) {
    let isCovered: Bool
    if ticket.side == .buy {
      let fee = market.fees.schedule.takerFee(price: ticket.price, quantity: ticket.size)
      let cost = Money(ticket.price, times: ticket.size, rounding: .up) + fee
      isCovered = world.engine.accounts.cash(of: ticket.maker) >= cost
    } else {
      isCovered = world.engine.accounts.shares(of: ticket.maker, token: ticket.token) >= ticket.size
    }
    guard isCovered else { throw OrderRefusal("not enough balance / allowance") }
  }

  /// An order that could not be filled at once: the venue remembers it as cancelled.
  private mutating func kill(_ ticket: OrderTicket, _ reason: String, _ now: Timestamp) -> OrderRefusal {
    orders[ticket.id] = OrderRecord(ticket: ticket, createdAt: now, status: "CANCELED_\(reason)")
    sequence.append(ticket.id)
    note(.order(id: ticket.id, type: "CANCELLATION"))
    return OrderRefusal(reason)
  }

  private mutating func record(
    _ fill: EngineFill, taker: OrderTicket?, slot: Int, outcome: Int, _ side: Side, _ world: World
  ) -> TradeRecord {
    count += 1
    let market = world.markets[slot]
    let number = count &+ UInt64(bitPattern: world.now.nanoseconds)
    let maker = fill.makerOrder.flatMap { orders[$0]?.ticket }
    let makerOutcome = fill.makerToken & 1
    let trade = TradeRecord(
      id: OrderDesk.uuid(world.seed, number), market: slot, conditionID: market.conditionID,
      token: market.tokens[outcome], outcome: market.outcomes[outcome], side: side, price: fill.price,
      size: fill.quantity, time: world.now, takerOrder: taker?.id ?? world.seed.hex256(.order, number),
      taker: (taker?.owner ?? "", taker?.maker ?? ""),
      maker: (
        maker?.id ?? world.seed.hex256(.order, ~number), maker?.owner ?? "",
        maker?.maker ?? "0x629bc4a1e53e1d475beb7ea3d388791e96dd995a"
      ),
      makerToken: market.tokens[makerOutcome], makerOutcome: market.outcomes[makerOutcome],
      makerPrice: makerOutcome == outcome ? fill.price : fill.price.complement,
      hash: world.seed.hex256(.transaction, number))
    trades.append(trade)
    if let id = maker?.id, let size = maker?.size {
      orders[id]?.matched += fill.quantity
      orders[id]?.trades.append(trade.id)
      if let matched = orders[id]?.matched, matched >= size {
        orders[id]?.status = "MATCHED"
        live.remove(id)
      }
      note(.order(id: id, type: "UPDATE"))
    }
    return trade
  }

  private static func uuid(_ seed: Seed, _ number: UInt64) -> String {
    var writer = ByteWriter()
    let high = seed.bits(.trade, number)
    let low = seed.bits(.transaction, number)
    writer.hexadecimal(high >> 32, digits: 8)
    writer.byte(0x2D)
    writer.hexadecimal(high >> 16, digits: 4)
    writer.raw("-4")
    writer.hexadecimal(high, digits: 3)
    writer.raw("-a")
    writer.hexadecimal(low >> 48, digits: 3)
    writer.byte(0x2D)
    writer.hexadecimal(low, digits: 12)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

/// What is told of an order that was taken.
struct OrderAnswer: Sendable {
  var id: String
  /// `matched` or `live`.
  var status: String
  var isSell = false
  var paid = Money.zero
  var shares = Quantity.zero
  var trades: [TradeRecord] = []

  init(id: String, status: String) {
    self.id = id
    self.status = status
  }
}
