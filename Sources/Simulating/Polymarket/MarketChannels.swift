internal import Market
internal import Web

/// Who listens to the market channel, and to which tokens.
struct MarketChannels {
  private struct Session {
    var tokens: Set<Int> = []
    var isCustom = false
  }

  private var sessions: [Int: Session] = [:]
  private var listeners: [[Int]] = []
  /// Beyond so many tokens a connection gets neither books nor an error.
  private static let tokensMax = 500

  /// How many connections there are.
  var count: Int { sessions.count }

  mutating func open(_ session: Int) { sessions[session] = Session() }

  mutating func close(_ session: Int, _ world: inout World) {
    guard let closed = sessions.removeValue(forKey: session) else { return }
    for token in closed.tokens { drop(session, token, &world) }
    if closed.isCustom { world.outbox.customCount -= 1 }
  }

  /// Takes what a client says; there is no acknowledgement but the books.
  /// - Returns: what is answered, as one text frame.
  mutating func receive(_ text: UnsafeRawBufferPointer, from session: Int, _ world: inout World) -> [UInt8]? {
    if text.elementsEqual("PING".utf8) { return Array("PONG".utf8) }
    guard sessions[session] != nil else { return nil }
    guard let document = try? JSONDocument(text), document.root.kind == .object else {
      return Array("INVALID OPERATION".utf8)
    }
    let root = document.root
    let names = (root["assets_ids"] ?? root["asset_ids"])?.elements.compactMap(\.decimalText) ?? []
    if root["custom_feature_enabled"]?.bool == true, sessions[session]?.isCustom == false {
      sessions[session]?.isCustom = true
      world.outbox.customCount += 1
    }
    switch (root["operation"]?.string, root["type"]?.string?.lowercased()) {
    case ("unsubscribe"?, _):
      for name in names { if let token = world.tokenOfID[name] { leave(session, token, &world) } }
      return nil
    case ("subscribe"?, _), (nil, "market"?):
      let fresh = names.compactMap { world.tokenOfID[$0] }.filter { join(session, $0, &world) }
      return fresh.isEmpty ? Array("NO NEW ASSETS".utf8) : books(fresh, world)
    default:
      return Array("INVALID OPERATION".utf8)
    }
  }

  /// The books of tokens, as an array of messages.
  private func books(_ tokens: [Int], _ world: World) -> [UInt8] {
    var writer = ByteWriter(capacity: tokens.count * 1536)
    writer.byte(0x5B)
    var isFirst = true
    for token in tokens where world.markets[token / 2].isTradable {
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      let market = world.markets[token / 2]
      writer.book(
        market, outcome: token & 1, world.engine.ladders[token], negRisk: world.events[market.event].isNegRisk,
        at: world.now, world.outbox.hasher, isMessage: true)
    }
    writer.byte(0x5D)
    return writer.bytes
  }

  private mutating func join(_ session: Int, _ token: Int, _ world: inout World) -> Bool {
    guard let count = sessions[session]?.tokens.count, count < MarketChannels.tokensMax,
      sessions[session]?.tokens.insert(token).inserted == true
    else { return false }
    while listeners.count <= token { listeners.append([]) }
    listeners[token].append(session)
    world.outbox.watch(token: token, by: 1)
    return true
  }

  private mutating func leave(_ session: Int, _ token: Int, _ world: inout World) {
    guard sessions[session]?.tokens.remove(token) != nil else { return }
    drop(session, token, &world)
  }

  private mutating func drop(_ session: Int, _ token: Int, _ world: inout World) {
    listeners[token].removeAll { $0 == session }
    world.outbox.watch(token: token, by: -1)
  }

  /// Forgets who listened to the tokens of a market that is no more: its place may be another's.
  mutating func forget(market: Int, _ world: inout World) {
    for token in [market * 2, market * 2 + 1] where token < listeners.count {
      for session in listeners[token] {
        sessions[session]?.tokens.remove(token)
        world.outbox.watch(token: token, by: -1)
      }
      listeners[token] = []
    }
  }

  /// Calls `deliver` for every connection that gets a frame.
  func route(_ frame: Frame, _ deliver: (Int) -> Void) {
    switch frame.audience {
    case .custom:
      for (session, state) in sessions where state.isCustom { deliver(session) }
    case .customWatchers:
      for session in watchers(frame.token) where sessions[session]?.isCustom == true { deliver(session) }
    case .watchers:
      let first = watchers(frame.token)
      for session in first { deliver(session) }
      guard frame.other >= 0 else { return }
      for session in watchers(frame.other) where !first.contains(session) { deliver(session) }
    }
  }

  private func watchers(_ token: Int) -> [Int] { token < listeners.count ? listeners[token] : [] }
}
