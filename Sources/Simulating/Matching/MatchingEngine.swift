package import Market

/// Books, the orders that rest in them, and who owns what: price, then time.
///
/// Tokens are numbers: market m has the tokens 2m (first outcome) and 2m + 1. Both show one mirrored book: a bid for
/// one at p is an ask for the other at 1 − p. Most of what rests belongs to an anonymous market maker and has no
/// identity; orders of clients stand behind the part of it that was there before them.
package struct MatchingEngine: Sendable {
  /// The book of each token.
  package private(set) var ladders: [Ladder]
  /// Whether the two books of a market mirror each other just now.
  package private(set) var isMirrored: [Bool]
  /// Cash and shares of every account.
  package private(set) var accounts: Accounts
  private var resting: [Int: [RestingOrder]] = [:]
  private var sequence: UInt64 = 0

  /// An engine for a number of markets, all books empty.
  package init(markets: Int, accounts: Accounts = Accounts()) {
    ladders = Array(repeating: Ladder(), count: markets * 2)
    isMirrored = Array(repeating: true, count: markets)
    self.accounts = accounts
  }

  /// Makes room for one more market.
  package mutating func addMarket() {
    ladders.append(Ladder())
    ladders.append(Ladder())
    isMirrored.append(true)
  }

  /// The other token of the same market.
  @inline(__always)
  package static func complement(_ token: Int) -> Int { token ^ 1 }

  // MARK: The market maker

  /// Sets what the market maker has at a price; orders of clients there stay.
  ///
  /// The price must not cross the other side of the book.
  package mutating func setMaker(
    token: Int, _ side: BookSide, _ price: Price, _ quantity: Quantity, changes: inout [LevelChange]
  ) {
    let own = clampedOwn(token, side, price, maker: quantity)
    let total = quantity + own
    if ladders[token].quantity(side, at: price) != total { show(token, side, price, total, &changes) }
  }

  /// Replaces the maker's book of one token alone and breaks the mirror, until `restore` mends it.
  package mutating func breakMirror(
    token: Int, to ladder: Ladder, changes: inout [LevelChange]
  ) {
    isMirrored[token / 2] = false
    transform(token, to: ladder, &changes)
  }

  /// Brings both tokens back to one mirrored book, without the levels that orders of clients now cross.
  package mutating func restore(market: Int, to ladder: Ladder, changes: inout [LevelChange]) {
    isMirrored[market] = true
    var target = ladder
    let orders = resting[market] ?? []
    for order in orders {
      let (side, price) = order.place(on: market * 2)
      for level in target.levels(side.opposite) where side == .bid ? level.price <= price : level.price >= price {
        target.set(side.opposite, level.price, .zero)
      }
      target.set(side, price, target.quantity(side, at: price) + order.remaining)
    }
    transform(market * 2, to: target, &changes)
    transform(market * 2 + 1, to: MatchingEngine.mirror(target), &changes)
  }

  /// The same book, seen from the other token.
  package static func mirror(_ ladder: Ladder) -> Ladder {
    func flipped(_ levels: [Level]) -> [Level] {
      levels.map { Level(price: $0.price.complement, quantity: $0.quantity) }
    }
    return Ladder(bids: flipped(ladder.asks), asks: flipped(ladder.bids))
  }

  /// Empties both books of a market; its orders are gone.
  /// - Returns: the ids of the orders that rested.
  @discardableResult
  package mutating func clear(market: Int) -> [String] {
    ladders[market * 2].removeAll()
    ladders[market * 2 + 1].removeAll()
    isMirrored[market] = true
    return (resting.removeValue(forKey: market) ?? []).map(\.id)
  }

  /// Replaces one token's book without a word to anyone: recorded books.
  package mutating func place(token: Int, _ ladder: Ladder) { ladders[token] = ladder }

  /// Sets one level of one token alone: recorded changes, which name both tokens.
  package mutating func setOne(token: Int, _ side: BookSide, _ price: Price, _ quantity: Quantity) {
    ladders[token].set(side, price, quantity)
  }

  // MARK: Orders

  /// Whether orders of clients rest in the market.
  package func hasOrders(market: Int) -> Bool { resting[market] != nil }

  /// How much of an order can be filled now at its limit or better.
  package func available(token: Int, _ side: Side, limit: Price) -> Quantity {
    var sum = Quantity.zero
    let book: BookSide = side == .buy ? .ask : .bid
    for level in ladders[token].levels(book).reversed() {
      guard side == .buy ? level.price <= limit : level.price >= limit else { break }
      sum += level.quantity
    }
    return sum
  }

  /// Fills an order from the book, best price first, and at one price in the order of arrival.
  /// - Parameters:
  ///   - order: what is wanted; a nil account is the market maker's own.
  ///   - changes: receives every level that changed.
  /// - Returns: the fills; what is left is not put into the book.
  package mutating func take(_ order: IncomingOrder, changes: inout [LevelChange]) -> [EngineFill] {
    var left = order.quantity
    var fills: [EngineFill] = []
    let book: BookSide = order.side == .buy ? .ask : .bid
    while left.raw > 0, let best = ladders[order.token].levels(book).last {
      guard order.side == .buy ? best.price <= order.limit : best.price >= order.limit else { break }
      let part = min(left, best.quantity)
      for (maker, quantity) in consume(order.token, book, best.price, part) {
        fills.append(settle(order, maker, price: best.price, quantity: quantity))
      }
      show(order.token, book, best.price, best.quantity - part, &changes)
      left = left - part
    }
    return fills
  }

  /// Puts an order into the book, behind all that is there at its price.
  ///
  /// It must not cross the book: `take` comes first.
  package mutating func rest(_ order: IncomingOrder, id: String, account: String, changes: inout [LevelChange]) {
    let side: BookSide = order.side == .buy ? .bid : .ask
    let total = ladders[order.token].quantity(side, at: order.limit)
    let own = orders(order.token, side, order.limit).reduce(Quantity.zero) { $0 + $1.remaining }
    sequence += 1
    let entry = RestingOrder(
      id: id, account: account, token: order.token, side: order.side, price: order.limit, remaining: order.quantity,
      ahead: total - own, sequence: sequence)
    resting[order.token / 2, default: []].append(entry)
    show(order.token, side, order.limit, total + order.quantity, &changes)
  }

  /// Takes an order out of the book.
  /// - Returns: what was left of it, nil where no such order rests.
  package mutating func cancel(id: String, market: Int, changes: inout [LevelChange]) -> Quantity? {
    guard var orders = resting[market], let index = orders.firstIndex(where: { $0.id == id }) else { return nil }
    let order = orders.remove(at: index)
    resting[market] = orders.isEmpty ? nil : orders
    let side: BookSide = order.side == .buy ? .bid : .ask
    let total = ladders[order.token].quantity(side, at: order.price)
    show(order.token, side, order.price, max(.zero, total - order.remaining), &changes)
    return order.remaining
  }

  // MARK: Inside

  /// Writes a total into the book, and into the mirrored one.
  private mutating func show(
    _ token: Int, _ side: BookSide, _ price: Price, _ total: Quantity, _ changes: inout [LevelChange]
  ) {
    ladders[token].set(side, price, total)
    changes.append(change(token, side, price, total))
    guard isMirrored[token / 2] else { return }
    let other = MatchingEngine.complement(token)
    ladders[other].set(side.opposite, price.complement, total)
    changes.append(change(other, side.opposite, price.complement, total))
  }

  private func change(_ token: Int, _ side: BookSide, _ price: Price, _ total: Quantity) -> LevelChange {
    LevelChange(
      token: token, side: side, price: price, quantity: total, bestBid: ladders[token].shownBid,
      bestAsk: ladders[token].shownAsk)
  }

  /// Changes one token's book into another, level by level: what goes first, then what comes, so that it never crosses.
  private mutating func transform(_ token: Int, to target: Ladder, _ changes: inout [LevelChange]) {
    let before = ladders[token]
    for side in [BookSide.bid, .ask] {
      for level in before.levels(side) where target.quantity(side, at: level.price).raw == 0 {
        ladders[token].set(side, level.price, .zero)
        changes.append(change(token, side, level.price, .zero))
      }
    }
    for side in [BookSide.bid, .ask] {
      for level in target.levels(side) where before.quantity(side, at: level.price) != level.quantity {
        ladders[token].set(side, level.price, level.quantity)
        changes.append(change(token, side, level.price, level.quantity))
      }
    }
  }

  /// The clients' orders at a level, in order of arrival.
  private func orders(_ token: Int, _ side: BookSide, _ price: Price) -> [RestingOrder] {
    guard let orders = resting[token / 2] else { return [] }
    return orders.filter { order in
      guard order.token == token || isMirrored[token / 2] else { return false }
      return order.place(on: token) == (side, price)
    }
  }

  /// What clients have at a level, after no order claims to have more of the maker's quantity ahead than there is.
  private mutating func clampedOwn(_ token: Int, _ side: BookSide, _ price: Price, maker: Quantity) -> Quantity {
    guard var orders = resting[token / 2] else { return .zero }
    var own = Quantity.zero
    for index in orders.indices where orders[index].place(on: token) == (side, price) {
      orders[index].ahead = min(orders[index].ahead, maker)
      own += orders[index].remaining
    }
    resting[token / 2] = orders
    return own
  }

  /// Takes a quantity out of the orders at a level: the maker's part ahead of each order, then the order, then the rest.
  private mutating func consume(
    _ token: Int, _ side: BookSide, _ price: Price, _ quantity: Quantity
  ) -> [(maker: RestingOrder?, quantity: Quantity)] {
    guard resting[token / 2] != nil else { return [(nil, quantity)] }
    var result: [(maker: RestingOrder?, quantity: Quantity)] = []
    var left = quantity
    var anonymous = Quantity.zero
    for order in orders(token, side, price) where left.raw > 0 {
      let before = min(left, max(.zero, order.ahead - anonymous))
      anonymous += before
      left = left - before
      if before.raw > 0 { result.append((nil, before)) }
      let part = min(left, order.remaining)
      left = left - part
      if part.raw > 0 { result.append((order, part)) }
    }
    if left.raw > 0 {
      anonymous += left
      result.append((nil, left))
    }
    writeBack(token, side, price, anonymous: anonymous, taken: result)
    return result
  }

  private mutating func writeBack(
    _ token: Int, _ side: BookSide, _ price: Price, anonymous: Quantity,
    taken: [(maker: RestingOrder?, quantity: Quantity)]
  ) {
    guard var orders = resting[token / 2] else { return }
    for index in orders.indices where orders[index].place(on: token) == (side, price) {
      orders[index].ahead = max(.zero, orders[index].ahead - anonymous)
      let id = orders[index].id
      for (maker, quantity) in taken where maker?.id == id {
        orders[index].remaining = orders[index].remaining - quantity
      }
    }
    orders.removeAll { $0.remaining.raw <= 0 }
    resting[token / 2] = orders.isEmpty ? nil : orders
  }

  private mutating func settle(
    _ order: IncomingOrder, _ maker: RestingOrder?, price: Price, quantity: Quantity
  ) -> EngineFill {
    let fee = order.account == nil ? .zero : order.fees.takerFee(price: price, quantity: quantity)
    let makerToken = maker?.token ?? order.token
    accounts.settle(
      taker: order.account, maker: maker?.account, token: order.token, makerToken: makerToken, side: order.side,
      price: price, quantity: quantity, fee: fee)
    return EngineFill(
      makerOrder: maker?.id, makerAccount: maker?.account, makerToken: makerToken, price: price, quantity: quantity,
      fee: fee)
  }
}

/// An order as it reaches the engine.
package struct IncomingOrder: Sendable {
  /// Who; nil for the market maker.
  package var account: String?
  package var token: Int
  package var side: Side
  package var limit: Price
  package var quantity: Quantity
  package var fees: FeeSchedule

  package init(
    account: String?, token: Int, side: Side, limit: Price, quantity: Quantity, fees: FeeSchedule = .none
  ) {
    self.account = account
    self.token = token
    self.side = side
    self.limit = limit
    self.quantity = quantity
    self.fees = fees
  }
}

/// What one incoming order got from one resting one, or from the market maker.
package struct EngineFill: Hashable, Sendable {
  /// The resting order; nil for the market maker's.
  package var makerOrder: String?
  package var makerAccount: String?
  /// Which token the maker traded: the other one where shares were made or merged.
  package var makerToken: Int
  /// In terms of the taker's token.
  package var price: Price
  package var quantity: Quantity
  package var fee: Money
}

/// A client's order in the book.
struct RestingOrder: Hashable, Sendable {
  let id: String
  let account: String
  let token: Int
  let side: Side
  let price: Price
  var remaining: Quantity
  /// How much of the maker's quantity at the same price was there first.
  var ahead: Quantity
  let sequence: UInt64

  /// Where it stands in the book of one of the two tokens.
  func place(on token: Int) -> (BookSide, Price) {
    let own: BookSide = side == .buy ? .bid : .ask
    return token == self.token ? (own, price) : (own.opposite, price.complement)
  }
}
