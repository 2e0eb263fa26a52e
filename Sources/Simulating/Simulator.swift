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
    /// Binance's `/ws` and `/stream`, with the streams that the path or the query names.
    case binance(isCombined: Bool, streams: [String])
  }

  /// What is done with a client after it spoke.
  package enum Reaction: Sendable {
    /// A text frame for it alone.
    case reply([UInt8])
    /// Nothing is said.
    case nothing
    /// It broke a rule.
    case close(code: UInt16, reason: String)
  }

  package var world: World
  private var desk = OrderDesk()
  private var channels = MarketChannels()
  private var streams = BinanceStreams()
  private var kinds: [Int: Channel] = [:]
  private var sessionCount = 0
  private let hasher = BookHasher()
  private var playback: Playback?

  /// Set while a subscriber has too much to take: a recording at full speed waits for it.
  package var isHeld = false

  /// Builds the world of the options as it is at a moment.
  /// - Throws: `SystemError` where recorded data cannot be read.
  package init(options: SimulatorOptions, now: Timestamp) throws {
    world = World(options: options, now: now)
    if world.isRecorded { playback = try Playback(into: &world) }
  }

  /// Whether there is something to play without waiting.
  package var wantsToRun: Bool { playback?.isEager ?? false }

  /// How many rows of the recording were played, of how many; nil where none is played.
  package var progress: (played: Int, rows: Int)? { playback.map { ($0.position, $0.count) } }

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
      return BinanceRoutes(now: world.now, history: world.spot).answer(request, path.rest)
    case ("coinbase", let first?):
      return CoinbaseRoutes(now: world.now, history: world.spot).answer(request, [first] + path.rest)
    case (nil, nil): return .text("Bulkhead simulator: /polymarket, /binance, /coinbase\n")
    default: return .text("not found\n", status: 404)
    }
  }

  // MARK: WebSockets

  /// What a request for a WebSocket is for; nil where there is none at its path.
  package func channel(of request: HTTPServerRequest) -> Channel? {
    let parts = PathParts(request.path).rest
    switch parts {
    case ["polymarket", "ws", "market"]: return .polymarketMarket
    case ["binance", "stream"]:
      let names = request.query("streams")?.split(separator: "/").map(String.init) ?? []
      return .binance(isCombined: true, streams: names)
    default:
      guard parts.count >= 2, parts[0] == "binance", parts[1] == "ws" else { return nil }
      return .binance(isCombined: false, streams: Array(parts.dropFirst(2)))
    }
  }

  /// Begins a session.
  /// - Returns: its number, never used before.
  package func open(_ channel: Channel) -> Int {
    sessionCount += 1
    kinds[sessionCount] = channel
    switch channel {
    case .polymarketMarket: channels.open(sessionCount)
    case .binance(let isCombined, let names): streams.open(sessionCount, isCombined: isCombined, streams: names)
    }
    return sessionCount
  }

  /// Ends a session.
  package func close(_ session: Int) {
    switch kinds.removeValue(forKey: session) {
    case .polymarketMarket: channels.close(session, &world)
    case .binance: streams.close(session)
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
    case .binance:
      guard let answer = streams.receive(text, from: session, now: world.now) else {
        return .close(code: WebSocketCloseCode.policy, reason: "Too many requests")
      }
      return answer.isEmpty ? .nothing : .reply(answer)
    case nil: return .nothing
    }
  }

  // MARK: Time

  /// Lets time pass.
  package func advance(to now: Timestamp) {
    world.advance(to: now)
    playback?.advance(&world, isHeld: isHeld)
    desk.settle(&world)
  }

  /// Hands out everything that must be sent, in order, and forgets it.
  /// - Parameter deliver: gets a session and a text frame; the bytes are valid during the call.
  /// - Returns: the beginnings and ends of planted arbitrages, whose frames were delivered.
  package func drain(_ deliver: (Int, UnsafeRawBufferPointer) -> Void) -> [PlantNotice] {
    streams.advance(to: world.now, world.spot) { session, bytes in bytes.withUnsafeBytes { deliver(session, $0) } }
    let notices = world.outbox.plantNotices
    if !world.outbox.frames.isEmpty {
      world.outbox.writer.bytes.withUnsafeBytes { bytes in
        for frame in world.outbox.frames {
          let part = UnsafeRawBufferPointer(rebasing: bytes[frame.bytes])
          channels.route(frame) { deliver($0, part) }
        }
      }
    }
    for market in world.outbox.retired { channels.forget(market: market, &world) }
    world.outbox.removeAll()
    return notices
  }
}
