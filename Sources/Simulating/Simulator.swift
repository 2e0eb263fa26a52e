package import Market
package import Web

/// The simulated venues without a socket: requests in, answers out; text of clients in, frames out.
///
/// One thread drives it. The time is passed in, and goes forward only.
package final class Simulator {
  /// What a WebSocket is for.
  package enum Channel: Hashable, Sendable {
    /// Polymarket's `/ws/market`.
    case polymarketMarket
    /// Polymarket's `/ws/user`.
    case polymarketUser
    /// Kalshi's `/trade-api/ws/v2`.
    case kalshi
    /// A crypto exchange's stream, by its place among `Simulator.wires`.
    ///
    /// At Binance the path or the query may name streams, and `/stream` wraps what it tells.
    case spot(Int, isCombined: Bool = false, streams: [String] = [])
  }

  /// What is done with a client after it spoke.
  package enum Reaction: Sendable {
    /// A text frame for it alone.
    case reply([UInt8])
    /// Text frames for it alone, in order.
    case replies([[UInt8]])
    /// Nothing is said.
    case nothing
    /// It broke a rule.
    case close(code: UInt16, reason: String)
  }

  package var world: World
  private var desk = OrderDesk()
  private var channels = MarketChannels()
  private var feeds: [StreamDesk] = Simulator.wires.map { StreamDesk($0) }
  private var users = UserChannels()
  private var userNews: [(session: Int, text: [UInt8])] = []
  private var kalshi: KalshiExchange
  private let kalshiGate: KalshiGate
  private var closings: [(session: Int, reason: String)] = []
  private var kinds: [Int: Channel] = [:]
  private var sessionCount = 0
  private let hasher = BookHasher()
  private var playback: Playback?

  /// How the exchanges' streams are spoken, each at its own path.
  private static let wires: [any StreamWire] = [
    BinanceWire(), CoinbaseWire(), KrakenWire(), OKXWire(isBusiness: false), OKXWire(isBusiness: true), BybitWire(),
  ]

  /// Set while a subscriber has too much to take: a recording at full speed waits for it.
  package var isHeld = false

  /// Builds the world of the options as it is at a moment.
  /// - Throws: `SystemError` where recorded data cannot be read.
  package init(options: SimulatorOptions, now: Timestamp) throws {
    world = World(options: options, now: now)
    kalshi = KalshiExchange(world)
    kalshiGate = KalshiGate(pem: options.kalshiPublicKey)
    if world.isRecorded { playback = try Playback(into: &world) }
  }

  /// Whether there is something to play without waiting.
  package var wantsToRun: Bool { playback?.isEager ?? false }

  /// How many rows of the recording were played, of how many; nil where none is played.
  package var progress: (played: Int, rows: Int)? { playback.map { ($0.position, $0.count) } }

  /// Counts up when a market comes or goes that both Polymarket and Kalshi list.
  package var pairsVersion: Int { kalshi.markets.listVersion }

  /// Which markets of Polymarket and Kalshi are the same, as a file of approved pairs.
  package func pairs(at time: Timestamp) -> [UInt8] { kalshi.markets.pairs(world, at: time) }

  /// The market at Kalshi that asks what a market of the world asks; nil where there is none, or it is not open.
  package func twin(of market: Int) -> KalshiQuote? {
    guard let twin = kalshi.markets.twins[market], twin.state == .open else { return nil }
    return KalshiQuote(
      ticker: twin.ticker, yesBid: twin.ladder.best(isYes: true) ?? 0, noBid: twin.ladder.best(isYes: false) ?? 0)
  }

  /// What one complete set, or one share, of a plant earns at this moment.
  package func plantedProfit(_ plant: Plant) -> Money {
    plant.kind.strategy == .crossPlatform ? kalshi.profit(plant, world) : world.plantedProfit(plant)
  }

  /// How many WebSockets are open.
  package var sessions: Int { kinds.count }

  // MARK: Requests

  /// Answers a request at a moment.
  package func answer(_ request: HTTPServerRequest, at now: Timestamp) -> HTTPServerResponse {
    advance(to: now)
    var path = PathParts(request.path)
    switch (path.next(), path.next()) {
    case ("polymarket", "gamma"): return GammaRoutes(world: world).answer(request, path.rest)
    case ("polymarket", "data"): return DataRoutes(world: world).answer(request, path.rest)
    case ("polymarket", "clob"):
      if path.rest == ["recording"] { return playback?.status(world) ?? .json("{\"loaded\":false}") }
      if let answer = desk.answer(request, path.rest, &world) { return answer }
      return ClobRoutes(world: world, hasher: hasher).answer(request, path.rest)
        ?? .clobError("not found", status: 404)
    case ("binance", "api"):
      guard path.next() == "v3" else { return .text("", status: 404) }
      return BinanceRoutes(desk: spot(.binance)).answer(request, path.rest)
    case ("binance", "fapi"), ("binance", "dapi"), ("binance", "eapi"):
      return path.rest.last == "exchangeInfo" ? BinanceRoutes.emptyExchangeInfo(world.now) : .text("", status: 404)
    case ("coinbase", let first?):
      return CoinbaseRoutes(desk: spot(.coinbase)).answer(request, [first] + path.rest)
    case ("kraken", "0"):
      guard path.next() == "public" else { return KrakenRoutes.refusal("EGeneral:Unknown method") }
      return KrakenRoutes(desk: spot(.kraken)).answer(request, path.rest)
    case ("okx", "api"):
      guard path.next() == "v5" else { return OKXRoutes.refusal("50404", "Not Found", status: 404) }
      return OKXRoutes(desk: spot(.okx)).answer(request, path.rest)
    case ("bybit", "v5"): return BybitRoutes(desk: spot(.bybit)).answer(request, path.rest)
    case ("kalshi", "trade-api"):
      guard path.next() == "v2" else { return .text("404 page not found\n", status: 404) }
      if path.rest.first == "portfolio" {
        return kalshiGate.refusal(request, at: world.now) ?? KalshiRoutes.account(path.rest)
      }
      return kalshi.answer(request, path.rest, world)
    case ("coingecko", "api"):
      guard path.next() == "v3" else { return .text("", status: 404) }
      return CoinGeckoRoutes(desk: spot(.coingecko)).answer(request, path.rest)
    case (nil, nil):
      let names = Venue.allCases.map { "/" + $0.rawValue }
      return .text("Bulkhead simulator: \(names.joined(separator: ", "))\n")
    default: return .text("not found\n", status: 404)
    }
  }

  private func spot(_ venue: Venue) -> SpotDesk { SpotDesk(venue: venue, history: world.spot, now: world.now) }

  // MARK: WebSockets

  /// Why a request for a WebSocket is refused; nil where it is not.
  package func refusal(_ request: HTTPServerRequest, _ channel: Channel, at now: Timestamp) -> HTTPServerResponse? {
    channel == .kalshi ? kalshiGate.refusal(request, at: now) : nil
  }

  /// What a request for a WebSocket is for; nil where there is none at its path.
  package func channel(of request: HTTPServerRequest) -> Channel? {
    let parts = PathParts(request.path).rest
    switch parts {
    case ["polymarket", "ws", "market"]: return .polymarketMarket
    case ["polymarket", "ws", "user"]: return .polymarketUser
    case ["kalshi", "trade-api", "ws", "v2"]: return .kalshi
    case ["binance", "stream"]:
      let names = request.query("streams")?.split(separator: "/").map(String.init) ?? []
      return .spot(0, isCombined: true, streams: names)
    case ["coinbase", "feed"]: return .spot(1)
    case ["kraken", "v2"]: return .spot(2)
    case ["okx", "ws", "v5", "public"]: return .spot(3)
    case ["okx", "ws", "v5", "business"]: return .spot(4)
    case ["bybit", "v5", "public", "spot"]: return .spot(5)
    default:
      guard parts.count >= 2, parts[0] == "binance", parts[1] == "ws" else { return nil }
      return .spot(0, streams: Array(parts.dropFirst(2)))
    }
  }

  /// Begins a session.
  /// - Returns: its number, never used before, and what it is told at once.
  package func open(_ channel: Channel) -> (session: Int, Reaction) {
    sessionCount += 1
    kinds[sessionCount] = channel
    switch channel {
    case .polymarketMarket:
      channels.open(sessionCount)
      return (sessionCount, .nothing)
    case .polymarketUser:
      users.open(sessionCount)
      desk.isWatched = true
      return (sessionCount, .nothing)
    case .kalshi:
      kalshi.open(sessionCount)
      return (sessionCount, .nothing)
    case .spot(let feed, let isCombined, let names):
      let replies = feeds[feed].open(
        sessionCount, isCombined: isCombined, topics: names.compactMap(BinanceWire.topic), world.spot, world.now)
      return (sessionCount, Simulator.reaction(replies))
    }
  }

  /// Ends a session.
  package func close(_ session: Int) {
    switch kinds.removeValue(forKey: session) {
    case .polymarketMarket: channels.close(session, &world)
    case .polymarketUser: users.close(session)
    case .kalshi: kalshi.close(session)
    case .spot(let feed, _, _): feeds[feed].close(session)
    case nil: break
    }
  }

  /// Takes a text of a client.
  ///
  /// Send what is in the outbox first, so that a book never comes before older changes.
  package func receive(_ text: UnsafeRawBufferPointer, from session: Int) -> Reaction {
    switch kinds[session] {
    case .polymarketMarket:
      return channels.receive(text, from: session, &world).map(Reaction.reply) ?? .nothing
    case .polymarketUser: return users.receive(text, from: session)
    case .kalshi:
      let replies = kalshi.receive(text, from: session, world)
      return replies.isEmpty ? .nothing : .replies(replies)
    case .spot(let feed, _, _):
      return Simulator.reaction(feeds[feed].receive(text, from: session, world.spot, world.now))
    case nil: return .nothing
    }
  }

  private static func reaction(_ replies: [StreamReply]) -> Reaction {
    var texts: [[UInt8]] = []
    for reply in replies {
      switch reply {
      case .text(let text): texts.append(text)
      case .close(let code, let reason): return .close(code: code, reason: reason)
      }
    }
    return texts.isEmpty ? .nothing : .replies(texts)
  }

  /// Whose stream a session is.
  package func venue(of session: Int) -> Venue? {
    switch kinds[session] {
    case .polymarketMarket, .polymarketUser: .polymarket
    case .kalshi: .kalshi
    case .spot(let feed, _, _): feeds[feed].wire.venue
    case nil: nil
    }
  }

  // MARK: Time

  /// Lets time pass.
  package func advance(to now: Timestamp) {
    world.advance(to: now)
    playback?.advance(&world, isHeld: isHeld)
    desk.settle(&world)
    kalshi.advance(&world)
    tellUsers()
  }

  private func tellUsers() {
    guard !users.isEmpty || desk.isWatched else { return }
    users.advance(&desk, world) { userNews.append(($0, $1)) }
  }

  /// Hands out everything that must be sent, in order, and forgets it.
  /// - Parameter deliver: gets a session, a text frame, and whether it is a mere sign of life; the bytes are valid during
  ///   the call.
  /// - Returns: the beginnings and ends of planted arbitrages, whose frames were delivered.
  package func drain(_ deliver: (Int, UnsafeRawBufferPointer, _ isLifeSign: Bool) -> Void) -> [PlantNotice] {
    for feed in feeds.indices {
      feeds[feed].advance(
        to: world.now, world.spot,
        deliver: { session, bytes, isLifeSign in bytes.withUnsafeBytes { deliver(session, $0, isLifeSign) } },
        end: { closings.append(($0, $1)) })
    }
    tellUsers()
    for news in userNews { news.text.withUnsafeBytes { deliver(news.session, $0, false) } }
    userNews.removeAll()
    // What has moved since, by an order.
    kalshi.follow(world)
    kalshi.drain { session, bytes in bytes.withUnsafeBytes { deliver(session, $0, false) } }
    let notices = world.outbox.plantNotices
    if !world.outbox.frames.isEmpty {
      world.outbox.writer.bytes.withUnsafeBytes { bytes in
        for frame in world.outbox.frames {
          let part = UnsafeRawBufferPointer(rebasing: bytes[frame.bytes])
          channels.route(frame) { deliver($0, part, false) }
        }
      }
    }
    for market in world.outbox.retired { channels.forget(market: market, &world) }
    world.outbox.removeAll()
    return notices
  }

  /// Hands out sessions that broke a rule by saying nothing, and forgets them.
  package func takeClosings() -> [(session: Int, reason: String)] {
    defer { closings.removeAll() }
    return closings
  }
}
