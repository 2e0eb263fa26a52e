internal import Market
internal import Web

/// Who listens to the user channel: each hears of the orders and trades of its own key.
struct UserChannels {
  private struct Session {
    /// The key that it gave; empty before.
    var key = ""
    /// Condition ids; empty for all.
    var markets: Set<String> = []
  }

  private var sessions: [Int: Session] = [:]
  /// Trades whose later steps are still to be told, and how many were told.
  private var open: [(trade: TradeRecord, told: Int)] = []
  /// When a trade is mined, and when it is final, in nanoseconds after it was made.
  private static let steps: [Int64] = [1_500_000_000, 4_000_000_000]

  var isEmpty: Bool { sessions.isEmpty }

  mutating func open(_ session: Int) { sessions[session] = Session() }

  mutating func close(_ session: Int) {
    sessions[session] = nil
    if sessions.isEmpty { open.removeAll() }
  }

  /// Takes what a client says: who it is, or that it is still there.
  ///
  /// There is no acknowledgement.
  mutating func receive(_ text: UnsafeRawBufferPointer, from session: Int) -> Simulator.Reaction {
    if text.elementsEqual("PING".utf8) { return .reply(Array("PONG".utf8)) }
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return .reply(Array("INVALID OPERATION".utf8))
    }
    let root = document.root
    let markets = root["markets"].map { Array($0.elements).compactMap(\.string) } ?? []
    switch (root["operation"]?.string, root["type"]?.string?.lowercased()) {
    case ("subscribe"?, _): sessions[session]?.markets.formUnion(markets)
    case ("unsubscribe"?, _): sessions[session]?.markets.subtract(markets)
    case (nil, "user"?):
      guard let auth = root["auth"], let key = auth["apiKey"]?.string, !key.isEmpty,
        auth["secret"]?.string?.isEmpty == false, auth["passphrase"]?.string?.isEmpty == false
      else { return .close(code: WebSocketCloseCode.policy, reason: "authentication failed") }
      sessions[session] = Session(key: key, markets: Set(markets))
    default: return .reply(Array("INVALID OPERATION".utf8))
    }
    return .nothing
  }

  // MARK: Telling

  /// Tells what has happened at the desk, and what has become of earlier trades.
  mutating func advance(_ desk: inout OrderDesk, _ world: World, _ deliver: (Int, [UInt8]) -> Void) {
    desk.isWatched = !sessions.isEmpty
    guard !sessions.isEmpty else { return }
    for event in desk.takeEvents() {
      switch event {
      case .order(let id, let type):
        guard let record = desk.orders[id] else { continue }
        let market = world.markets[record.ticket.token / 2].conditionID
        for session in listeners(record.ticket.owner, market) {
          var writer = ByteWriter(capacity: 768)
          writer.userOrder(record, type: type, world)
          deliver(session, writer.bytes)
        }
      case .trade(let trade):
        tell(trade, world.now, deliver)
        open.append((trade, 0))
      }
    }
    guard !open.isEmpty else { return }
    for place in open.indices {
      let age = world.now.nanoseconds(since: open[place].trade.time)
      while open[place].told < UserChannels.steps.count, age >= UserChannels.steps[open[place].told] {
        open[place].told += 1
        tell(open[place].trade, world.now, deliver)
      }
    }
    open.removeAll { $0.told == UserChannels.steps.count }
  }

  private func listeners(_ owner: String, _ market: String) -> [Int] {
    guard !owner.isEmpty else { return [] }
    return sessions.filter { $1.key == owner && ($1.markets.isEmpty || $1.markets.contains(market)) }.keys.sorted()
  }

  private func tell(_ trade: TradeRecord, _ now: Timestamp, _ deliver: (Int, [UInt8]) -> Void) {
    for (owner, asMaker) in [(trade.taker.owner, false), (trade.maker.owner, true)] {
      for session in listeners(owner, trade.conditionID) {
        var writer = ByteWriter(capacity: 1024)
        writer.userTrade(trade, asMaker: asMaker, now: now)
        deliver(session, writer.bytes)
      }
    }
  }
}
