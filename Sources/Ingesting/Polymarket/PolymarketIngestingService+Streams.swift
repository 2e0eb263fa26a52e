internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

extension PolymarketIngestingService {
  // MARK: - Subscriptions

  /// Spreads the markets' books over connections, those with room first.
  func watch(_ places: [Int]) {
    let added = places.flatMap { markets.entries[$0].books }
    var rest = added[...]
    for index in connections.indices where connections[index].books.count < options.assetsPerConnection {
      guard !rest.isEmpty else { break }
      let room = options.assetsPerConnection - connections[index].books.count
      let part = Array(rest.prefix(room))
      rest = rest.dropFirst(room)
      connections[index].books += part
      assign(part, to: index)
      if connections[index].stream.state == .open { subscribe(index, part, isFirst: false) }
    }
    while !rest.isEmpty {
      let part = Array(rest.prefix(options.assetsPerConnection))
      rest = rest.dropFirst(options.assetsPerConnection)
      connections.append(PolymarketConnection(books: part))
      assign(part, to: connections.count - 1)
    }
  }

  private func assign(_ some: [BookIndex], to connection: Int) {
    let watch = StreamWatch(connection: connection, since: SystemClock.monotonicNanoseconds)
    for book in some {
      while watches.count <= book { watches.append(.none) }
      watches[book] = watch
    }
  }

  func books(on index: Int) -> [BookIndex] { connections[index].books }

  func connection(of book: BookIndex) -> Int? { book < watches.count ? watches[book].connection : nil }

  /// Stops watching the books of markets that have closed, or are another shard's; a stream without books is closed.
  func unwatch(_ places: [Int]) {
    var byConnection: [Int: [BookIndex]] = [:]
    for book in places.flatMap({ markets.entries[$0].books }) {
      guard let index = connection(of: book) else { continue }
      byConnection[index, default: []].append(book)
      watches[book] = .none
    }
    for (index, some) in byConnection {
      let all = Set(some)
      connections[index].books.removeAll { all.contains($0) }
      guard connections[index].stream.state == .open else { continue }
      guard !connections[index].books.isEmpty else {
        retire(index)
        continue
      }
      send(index, ["{\"assets_ids\":[\(tokenList(some))],\"operation\":\"unsubscribe\"}"])
    }
  }

  private func tokenList(_ some: [BookIndex]) -> String {
    some.map { "\"\(markets.token(of: $0))\"" }.joined(separator: ",")
  }

  private func subscribe(_ index: Int, _ some: [BookIndex], isFirst: Bool) {
    guard !some.isEmpty else { return }
    let list = tokenList(some)
    send(
      index,
      [
        isFirst
          ? "{\"assets_ids\":[\(list)],\"type\":\"market\",\"initial_dump\":true,\"custom_feature_enabled\":true}"
          : "{\"assets_ids\":[\(list)],\"operation\":\"subscribe\",\"custom_feature_enabled\":true}"
      ])
  }

  // MARK: - Streams

  func handshake(_ index: Int) throws(VenueError) -> (url: String, headers: HTTPHeaders) {
    (try streamEndpoint.resolve(venue), [:])
  }

  func opened(_ index: Int, _ now: Int64) {
    connections[index].nextPingAt = now + options.pingNanoseconds
    // Any stream tells of new markets; what opened while there was none is known by the catalogue alone.
    if connections.indices.allSatisfy({ $0 == index || connections[$0].stream.state != .open }) {
      markets.metadataChanged = true
    }
    // What was polled meanwhile is not to be trusted beside changes: the stream brings all books anew.
    if connections[index].stream.lostAt > 0 { markets.streamLost(connections[index].books, desk.batch) }
    publishBatch()
    connections[index].stream.lostAt = 0
    subscribe(index, connections[index].books, isFirst: true)
  }

  /// The books of a stream that is gone are not to be trusted.
  func closed(_ index: Int) {
    markets.streamLost(connections[index].books, desk.batch)
    missTrades(of: index)
    publishBatch()
  }

  func keep(_ index: Int, _ now: Int64) {
    guard now >= connections[index].nextPingAt else { return }
    connections[index].nextPingAt = now + options.pingNanoseconds
    send(index, ["PING"])
  }

  /// Takes what has arrived on one connection; all of it goes out as one message.
  func drain(_ index: Int) {
    guard let peer = connections[index].stream.peer else { return }
    var isReadable = true
    do {
      try peer.receive { message in
        guard message.kind == .text else { return }
        if message.bytes.count > 4 { connections[index].stream.heard(SystemClock.monotonicNanoseconds) }
        if !markets.take(message.bytes, receivedAt: SystemClock.now, desk.batch) { isReadable = false }
        if desk.batch.byteCount > 1 << 20 { publishBatch() }
      }
      if peer.wantsWrite { try peer.flush() }
      watchWriting(index)
    } catch {
      publishBatch()
      return lose(index, "\(error)")
    }
    if peer.isClosed { return lose(index, "closed by the venue") }
    // What a frame that was not understood would have changed is not known: all books here want a snapshot.
    if !isReadable { markets.distrust(connections[index].books, desk.batch) }
    publishBatch()
    if markets.hasSizelessTrades { backfillSizes(SystemClock.monotonicNanoseconds) }
  }
}
