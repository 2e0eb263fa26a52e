internal import Market
internal import Web

/// Who listens to Kalshi's stream, by the venue's numbered subscriptions, each of which counts its messages.
struct KalshiChannels {
  struct Subscription {
    let sid: Int
    let channel: String
    /// Empty for all markets, where the channel allows it.
    var slots: Set<Int>
    var isYesPriced: Bool
    var seq: Int64 = 0
  }

  private struct Session {
    var subscriptions: [Subscription] = []
    var count = 0
  }

  private var sessions: [Int: Session] = [:]
  /// Who watches the books, tickers or trades of a market.
  private(set) var watched: [Int: Int] = [:]

  private static let channels: Set<String> = [
    "orderbook_delta", "ticker", "trade", "fill", "user_orders", "market_positions", "market_lifecycle_v2",
  ]

  var isEmpty: Bool { sessions.isEmpty }

  mutating func open(_ session: Int) { sessions[session] = Session() }

  mutating func close(_ session: Int) {
    sessions[session] = nil
    recount()
  }

  /// Books move where somebody watches; those who watch all markets watch none in particular.
  private mutating func recount() {
    watched = [:]
    for session in sessions.values {
      for subscription in session.subscriptions { for slot in subscription.slots { watched[slot, default: 0] += 1 } }
    }
  }

  // MARK: Commands

  /// Takes a command.
  /// - Returns: the answers, in order.
  mutating func receive(
    _ text: UnsafeRawBufferPointer, from session: Int, _ markets: inout KalshiMarkets, _ world: World
  ) -> [[UInt8]] {
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return [error(nil, 1, "Unable to process message")]
    }
    let id = document.root["id"]?.integer
    guard
      let params = document.root["params"]
        ?? (document.root["cmd"]?.string == "list_subscriptions" ? document.root : nil)
    else { return [error(id, 2, "Params required")] }
    switch document.root["cmd"]?.string {
    case "subscribe": return subscribe(id, params, session, &markets, world)
    case "unsubscribe": return unsubscribe(id, params, session)
    case "update_subscription": return update(id, params, session, &markets, world)
    case "list_subscriptions":
      let list = sessions[session]?.subscriptions.map { "{\"channel\":\"\($0.channel)\",\"sid\":\($0.sid)}" } ?? []
      return [Array("{\"id\":\(id ?? 0),\"type\":\"ok\",\"msg\":[\(list.joined(separator: ","))]}".utf8)]
    default: return [error(id, 5, "Unknown command")]
    }
  }

  private func error(_ id: Int64?, _ code: Int, _ text: String) -> [UInt8] {
    Array("{\(id.map { "\"id\":\($0)," } ?? "")\"type\":\"error\",\"msg\":{\"code\":\(code),\"msg\":\"\(text)\"}}".utf8)
  }

  /// The markets that a command names; nil where one of them is unknown.
  private func slots(_ params: JSONValue, _ markets: KalshiMarkets) -> Set<Int>? {
    var names = params["market_tickers"].map { Array($0.elements).compactMap(\.string) } ?? []
    if let name = params["market_ticker"]?.string { names.append(name) }
    var result: Set<Int> = []
    for name in names {
      guard let slot = markets.slotOfTicker[name] else { return nil }
      result.insert(slot)
    }
    return result
  }

  private mutating func subscribe(
    _ id: Int64?, _ params: JSONValue, _ session: Int, _ markets: inout KalshiMarkets, _ world: World
  ) -> [[UInt8]] {
    let channels = params["channels"].map { Array($0.elements).compactMap(\.string) } ?? []
    guard !channels.isEmpty else { return [error(id, 3, "Channels required")] }
    for channel in channels where !KalshiChannels.channels.contains(channel) {
      return [error(id, 8, "Unknown channel name")]
    }
    guard let slots = slots(params, markets) else { return [error(id, 16, "Market not found")] }
    if channels.contains("orderbook_delta"), slots.isEmpty { return [error(id, 14, "Market Ticker required")] }
    var answers: [[UInt8]] = []
    for channel in channels {
      sessions[session]?.count += 1
      let sid = sessions[session]?.count ?? 0
      sessions[session]?.subscriptions.append(
        Subscription(
          sid: sid, channel: channel, slots: channel == "market_lifecycle_v2" ? [] : slots,
          isYesPriced: params["use_yes_price"]?.bool == true))
      answers.append(
        Array("{\"id\":\(id ?? 0),\"type\":\"subscribed\",\"msg\":{\"channel\":\"\(channel)\",\"sid\":\(sid)}}".utf8))
    }
    for slot in slots where watched[slot] == nil { markets.wake(slot, world) }
    recount()
    for channel in channels {
      let place = (sessions[session]?.subscriptions.lastIndex { $0.channel == channel }) ?? 0
      if channel == "orderbook_delta" { answers += snapshots(session, place, slots, markets) }
      if channel == "ticker", params["send_initial_snapshot"]?.bool == true {
        for slot in slots.sorted() {
          guard let twin = markets.twins[slot], let sid = sessions[session]?.subscriptions[place].sid else { continue }
          answers.append(KalshiChannels.ticker(twin, world.now, sid: sid).bytes)
        }
      }
    }
    return answers
  }

  private mutating func snapshots(
    _ session: Int, _ place: Int, _ slots: Set<Int>, _ markets: KalshiMarkets
  ) -> [[UInt8]] {
    var result: [[UInt8]] = []
    for slot in slots.sorted() {
      guard let twin = markets.twins[slot] else { continue }
      result.append(snapshot(session, place, twin))
    }
    return result
  }

  /// A whole book under the next number of a subscription; empty sides are absent.
  private mutating func snapshot(_ session: Int, _ place: Int, _ twin: KalshiMarkets.Twin) -> [UInt8] {
    var writer = ByteWriter(capacity: 2048)
    let isYesPriced = sessions[session]?.subscriptions[place].isYesPriced ?? false
    head("orderbook_snapshot", session, place, &writer)
    writer.raw("\"market_ticker\":")
    writer.plain(twin.ticker)
    writer.raw(",\"market_id\":")
    writer.plain(twin.marketID)
    let yes = twin.ladder.levels(isYes: true)
    if !yes.isEmpty {
      writer.raw(",\"yes_dollars_fp\":")
      writer.kalshiLevels(yes)
    }
    let no = twin.ladder.levels(isYes: false)
    if !no.isEmpty {
      writer.raw(",\"no_dollars_fp\":")
      writer.kalshiLevels(isYesPriced ? no.map { (100 - $0.price, $0.size) } : no)
    }
    writer.raw("}}")
    return writer.bytes
  }

  /// Begins a message under the next number: `{"type":"…","sid":1,"seq":2,"msg":{`.
  private mutating func head(_ type: StaticString, _ session: Int, _ place: Int, _ writer: inout ByteWriter) {
    guard let sid = sessions[session]?.subscriptions[place].sid else { return }
    sessions[session]?.subscriptions[place].seq += 1
    writer.raw("{\"type\":\"")
    writer.raw(type)
    writer.raw("\",\"sid\":")
    writer.integer(sid)
    writer.raw(",\"seq\":")
    writer.integer(sessions[session]?.subscriptions[place].seq ?? 0)
    writer.raw(",\"msg\":{")
  }

  private mutating func unsubscribe(_ id: Int64?, _ params: JSONValue, _ session: Int) -> [[UInt8]] {
    let sids = params["sids"].map { Array($0.elements).compactMap(\.integer) } ?? []
    guard !sids.isEmpty else { return [error(id, 4, "Subscription IDs required")] }
    var answers: [[UInt8]] = []
    for sid in sids {
      guard let place = sessions[session]?.subscriptions.firstIndex(where: { $0.sid == Int(sid) }),
        let subscription = sessions[session]?.subscriptions.remove(at: place)
      else {
        answers.append(error(id, 7, "Unknown subscription ID"))
        continue
      }
      answers.append(
        Array("{\"id\":\(id ?? 0),\"sid\":\(sid),\"seq\":\(subscription.seq + 1),\"type\":\"unsubscribed\"}".utf8))
    }
    recount()
    return answers
  }

  private mutating func update(
    _ id: Int64?, _ params: JSONValue, _ session: Int, _ markets: inout KalshiMarkets, _ world: World
  ) -> [[UInt8]] {
    let sids =
      params["sids"].map { Array($0.elements).compactMap(\.integer) } ?? params["sid"]?.integer.map { [$0] } ?? []
    guard sids.count == 1 else { return [error(id, 12, "Exactly one subscription ID is required")] }
    guard let place = sessions[session]?.subscriptions.firstIndex(where: { $0.sid == Int(sids[0]) }) else {
      return [error(id, 7, "Unknown subscription ID")]
    }
    guard let slots = slots(params, markets) else { return [error(id, 16, "Market not found")] }
    let old = sessions[session]?.subscriptions[place].slots ?? []
    let fresh: Set<Int>
    switch params["action"]?.string {
    case "add_markets":
      sessions[session]?.subscriptions[place].slots.formUnion(slots)
      fresh = slots.subtracting(old)
    case "delete_markets":
      sessions[session]?.subscriptions[place].slots.subtract(slots)
      fresh = []
    case "get_snapshot": fresh = slots.intersection(old)
    default: return [error(id, 13, "Invalid action")]
    }
    // A book that others watch changes only by changes that they are told.
    for slot in fresh where watched[slot] == nil { markets.wake(slot, world) }
    recount()
    var answers: [[UInt8]] = []
    if params["action"]?.string != "get_snapshot" {
      sessions[session]?.subscriptions[place].seq += 1
      let names = (sessions[session]?.subscriptions[place].slots ?? []).compactMap { markets.twins[$0]?.ticker }
        .sorted()
      answers.append(
        Array(
          ("{\"id\":\(id ?? 0),\"sid\":\(sids[0]),\"seq\":\(sessions[session]?.subscriptions[place].seq ?? 0),\"type\":\"ok\","
            + "\"msg\":{\"market_tickers\":[\(names.map { "\"\($0)\"" }.joined(separator: ","))]}}").utf8))
    }
    if sessions[session]?.subscriptions[place].channel == "orderbook_delta" {
      answers += snapshots(session, place, fresh, markets)
    }
    return answers
  }

  // MARK: Telling

  private func listeners(_ channel: String, _ slot: Int) -> [(session: Int, place: Int)] {
    var result: [(Int, Int)] = []
    for (number, session) in sessions {
      for (place, subscription) in session.subscriptions.enumerated()
      where subscription.channel == channel && (subscription.slots.isEmpty || subscription.slots.contains(slot)) {
        result.append((number, place))
      }
    }
    return result
  }

  mutating func tell(
    _ change: KalshiChange, _ twin: KalshiMarkets.Twin, _ now: Timestamp, _ deliver: (Int, [UInt8]) -> Void
  ) {
    for (session, place) in listeners("orderbook_delta", twin.slot) {
      let isYesPriced = !change.isYes && sessions[session]?.subscriptions[place].isYesPriced == true
      var writer = ByteWriter(capacity: 320)
      head("orderbook_delta", session, place, &writer)
      writer.raw("\"market_ticker\":")
      writer.plain(twin.ticker)
      writer.raw(",\"market_id\":")
      writer.plain(twin.marketID)
      writer.raw(",\"price_dollars\":")
      writer.dollars(isYesPriced ? 100 - change.price : change.price)
      writer.raw(",\"delta_fp\":")
      writer.contracts(change.delta)
      writer.raw(change.isYes ? ",\"side\":\"yes\",\"ts\":" : ",\"side\":\"no\",\"ts\":")
      writer.kalshiTime(now)
      writer.raw(",\"ts_ms\":")
      writer.integer(now.milliseconds)
      writer.raw("}}")
      deliver(session, writer.bytes)
    }
  }

  mutating func tell(
    _ trade: KalshiTrade, _ twin: KalshiMarkets.Twin, _ seed: Seed, _ deliver: (Int, [UInt8]) -> Void
  ) {
    for (session, place) in listeners("trade", twin.slot) {
      var writer = ByteWriter(capacity: 384)
      head("trade", session, place, &writer)
      writer.raw("\"market_ticker\":")
      writer.plain(twin.ticker)
      writer.byte(0x2C)
      writer.kalshiTrade(trade, seed)
      writer.raw(",\"ts\":")
      writer.integer(trade.nanoseconds / 1_000_000_000)
      writer.raw(",\"ts_ms\":")
      writer.integer(trade.nanoseconds / 1_000_000)
      writer.raw("}}")
      deliver(session, writer.bytes)
    }
  }

  /// Tickers carry no number.
  func tellTicker(_ twin: KalshiMarkets.Twin, _ now: Timestamp, _ deliver: (Int, [UInt8]) -> Void) {
    for (session, place) in listeners("ticker", twin.slot) {
      guard let sid = sessions[session]?.subscriptions[place].sid else { continue }
      deliver(session, KalshiChannels.ticker(twin, now, sid: sid).bytes)
    }
  }

  private static func ticker(_ twin: KalshiMarkets.Twin, _ now: Timestamp, sid: Int) -> ByteWriter {
    var writer = ByteWriter(capacity: 640)
    writer.raw("{\"type\":\"ticker\",\"sid\":")
    writer.integer(sid)
    writer.raw(",\"msg\":{\"market_ticker\":")
    writer.plain(twin.ticker)
    writer.raw(",\"market_id\":")
    writer.plain(twin.marketID)
    writer.raw(",\"price_dollars\":")
    writer.dollars(twin.lastPrice)
    writer.kalshiQuotes(twin.ladder)
    writer.raw(",\"volume_fp\":")
    writer.contracts(twin.volume)
    writer.raw(",\"open_interest_fp\":")
    writer.contracts(twin.volume / 3)
    writer.raw(",\"dollar_volume\":")
    writer.integer(twin.volume / 200)
    writer.raw(",\"dollar_open_interest\":")
    writer.integer(twin.volume / 600)
    writer.raw(",\"last_trade_size_fp\":\"1.00\",\"ts\":")
    writer.integer(now.seconds)
    writer.raw(",\"ts_ms\":")
    writer.integer(now.milliseconds)
    writer.raw(",\"time\":")
    writer.kalshiTime(now)
    writer.raw("}}")
    return writer
  }

  /// Tells what became of a market; who watches the book of one that has ended gets it empty, twice.
  mutating func tellLifecycle(
    _ kind: StaticString, _ twin: KalshiMarkets.Twin, _ world: World, _ deliver: (Int, [UInt8]) -> Void
  ) {
    let market = world.markets[twin.slot]
    for (session, place) in listeners("market_lifecycle_v2", twin.slot) {
      var writer = ByteWriter(capacity: 384)
      head("market_lifecycle_v2", session, place, &writer)
      writer.raw("\"event_type\":\"")
      writer.raw(kind)
      writer.raw("\",\"market_ticker\":")
      writer.plain(twin.ticker)
      writer.raw(",\"open_ts\":")
      writer.integer(market.startsAt.seconds)
      writer.raw(",\"close_ts\":")
      writer.integer(market.endsAt.seconds)
      if case .resolved(let winner) = twin.state {
        writer.raw(winner == 0 ? ",\"result\":\"yes\"" : ",\"result\":\"no\"")
        writer.raw(",\"settled_ts\":")
        writer.integer(world.now.seconds)
      }
      writer.raw("}}")
      deliver(session, writer.bytes)
    }
  }

  mutating func tellEmpty(_ twin: KalshiMarkets.Twin, _ deliver: (Int, [UInt8]) -> Void) {
    for (session, place) in listeners("orderbook_delta", twin.slot) {
      for _ in 0..<2 { deliver(session, snapshot(session, place, twin)) }
    }
  }

  /// Forgets a market that is no more.
  mutating func forget(_ slot: Int) {
    guard watched[slot] != nil else { return }
    for number in sessions.keys {
      for place in sessions[number]?.subscriptions.indices ?? 0..<0 {
        sessions[number]?.subscriptions[place].slots.remove(slot)
      }
    }
    recount()
  }
}
