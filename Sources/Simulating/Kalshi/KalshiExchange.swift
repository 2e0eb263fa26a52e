internal import CBotan
internal import Market
internal import Web

/// Kalshi in the simulated world: its markets, its connections, and the passing of time.
struct KalshiExchange {
  var markets: KalshiMarkets
  private(set) var channels = KalshiChannels()
  /// The books before something was planted in them, by the plant.
  var before: [UInt64: KalshiLadder] = [:]
  /// Messages that go out, in order.
  private var outbox: [(session: Int, text: [UInt8])] = []
  private var debt: Int64 = 0
  private var lastSecond: Int64 = 0
  private var lastTime: Int64
  private var watched: [Int] = []

  init(_ world: World) {
    markets = KalshiMarkets(world)
    lastTime = world.now.nanoseconds
    lastSecond = world.now.seconds
  }

  // MARK: Connections

  mutating func open(_ session: Int) { channels.open(session) }

  mutating func close(_ session: Int) {
    channels.close(session)
    rewatch()
  }

  mutating func receive(_ text: UnsafeRawBufferPointer, from session: Int, _ world: World) -> [[UInt8]] {
    look(world)
    defer { rewatch() }
    return channels.receive(text, from: session, &markets, world)
  }

  mutating func answer(_ request: HTTPServerRequest, _ path: [String], _ world: World) -> HTTPServerResponse {
    look(world)
    // What nobody watches has stood still since it was last asked for.
    for slot in markets.twins.keys.sorted() where channels.watched[slot] == nil && !isPlanted(slot, world) {
      markets.wake(slot, world)
    }
    return KalshiRoutes(markets: markets, world: world).answer(request, path)
  }

  // MARK: Time

  /// Looks once a second which markets there are.
  private mutating func look(_ world: World) {
    guard world.now.seconds > lastSecond else { return }
    lastSecond = world.now.seconds
    let before = markets.twins
    let news = markets.refreshList(world)
    for (slot, twin) in before where markets.twins[slot]?.id != twin.id { channels.forget(slot) }
    for (slot, kind) in news {
      guard let twin = markets.twins[slot] else { continue }
      if twin.state != .open, twin.ladder.best(isYes: true) != nil || twin.ladder.best(isYes: false) != nil {
        markets.empty(slot)
        if let empty = markets.twins[slot] { channels.tellEmpty(empty) { outbox.append(($0, $1)) } }
      }
      channels.tellLifecycle(kind, twin, world) { outbox.append(($0, $1)) }
    }
    rewatch()
  }

  private mutating func rewatch() { watched = channels.watched.keys.sorted() }

  /// Moves the books that are watched, each about twice a second, and at most as many as Polymarket's in all.
  mutating func advance(_ world: inout World) {
    follow(world)
    endPlants(&world)
    defer { beginPlant(&world) }
    guard !channels.isEmpty else {
      lastTime = world.now.nanoseconds
      return
    }
    look(world)
    let elapsed = min(max(0, world.now.nanoseconds - lastTime), 50_000_000)
    lastTime = world.now.nanoseconds
    guard !watched.isEmpty else { return }
    debt += elapsed * Int64(min(world.options.updatesPerSecond, max(4, watched.count * 2)))
    while debt >= 1_000_000_000 {
      debt -= 1_000_000_000
      step(watched[markets.below(watched.count)], world)
    }
  }

  private mutating func step(_ slot: Int, _ world: World) {
    guard !isPlanted(slot, world) else { return }
    change(slot, world) { markets, tell in markets.step(slot, world, tell) }
  }

  /// Lets no bid come near to a price at Polymarket that has moved.
  ///
  /// What it says goes out before Polymarket's own change.
  mutating func follow(_ world: World) {
    for slot in world.outbox.moved where markets.twins[slot] != nil && !isPlanted(slot, world) {
      change(slot, world) { markets, tell in
        markets.follow(slot, world, tell)
        return nil
      }
    }
  }

  /// Changes a book, and tells what became of it.
  mutating func change(
    _ slot: Int, _ world: World, _ body: (inout KalshiMarkets, (KalshiChange) -> Void) -> KalshiTrade?
  ) {
    guard let before = markets.twins[slot], before.state == .open else { return }
    var changes: [KalshiChange] = []
    let trade = body(&markets) { changes.append($0) }
    guard let twin = markets.twins[slot], !changes.isEmpty else { return }
    for change in changes { channels.tell(change, twin, world.now) { outbox.append(($0, $1)) } }
    if let trade { channels.tell(trade, twin, markets.seed) { outbox.append(($0, $1)) } }
    if trade != nil || before.ladder.best(isYes: true) != twin.ladder.best(isYes: true)
      || before.ladder.ask != twin.ladder.ask
    {
      channels.tellTicker(twin, world.now) { outbox.append(($0, $1)) }
    }
  }

  /// Hands out what must be sent, and forgets it.
  mutating func drain(_ deliver: (Int, [UInt8]) -> Void) {
    guard !outbox.isEmpty else { return }
    for message in outbox { deliver(message.session, message.text) }
    outbox.removeAll(keepingCapacity: true)
  }
}

/// Who may come in: a request has the three headers of a signature, which must be right where a key is known.
struct KalshiGate {
  private let key: [UInt8]?

  /// A gate by a public key in PEM; empty where signatures are not checked.
  init(pem: String) {
    let lines = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }
    let text = lines.joined().filter { !$0.isWhitespace }
    key = text.isEmpty ? nil : Web.Base64.decode(text)
  }

  /// The refusal of a request; nil where it may come in.
  func refusal(_ request: HTTPServerRequest, at now: Timestamp) -> HTTPServerResponse? {
    guard let id = request.headers["KALSHI-ACCESS-KEY"], !id.isEmpty,
      let text = request.headers["KALSHI-ACCESS-SIGNATURE"], let signature = Web.Base64.decode(text),
      !signature.isEmpty, let stamp = request.headers["KALSHI-ACCESS-TIMESTAMP"], let time = Int64(stamp)
    else { return KalshiRoutes.refusal("authentication_error", "token authentication failure", 401) }
    guard abs(time - now.milliseconds) < 60_000 else {
      return KalshiRoutes.refusal("authentication_error", "header_timestamp_expired", 401)
    }
    guard let key else { return nil }
    let path = request.path.hasPrefix("/kalshi") ? String(request.path.dropFirst(7)) : request.path
    let message = Array("\(stamp)\(request.method)\(path)".utf8)
    return KalshiGate.verifies(message, signature, key)
      ? nil : KalshiRoutes.refusal("authentication_error", "INCORRECT_API_KEY_SIGNATURE", 401)
  }

  /// RSA-PSS, SHA-256, MGF1-SHA-256, a salt of 32 bytes.
  private static func verifies(_ message: [UInt8], _ signature: [UInt8], _ key: [UInt8]) -> Bool {
    var handle: botan_pubkey_t?
    guard botan_pubkey_load(&handle, key, key.count) == 0, let handle else { return false }
    defer { botan_pubkey_destroy(handle) }
    var operation: botan_pk_op_verify_t?
    guard botan_pk_op_verify_create(&operation, handle, "EMSA4(SHA-256,MGF1,32)", 0) == 0, let operation else {
      return false
    }
    defer { botan_pk_op_verify_destroy(operation) }
    return botan_pk_op_verify_update(operation, message, message.count) == 0
      && botan_pk_op_verify_finish(operation, signature, signature.count) == 0
  }
}
