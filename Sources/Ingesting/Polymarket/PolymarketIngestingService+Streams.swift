internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

extension PolymarketIngestingService {
  // MARK: - Subscriptions

  /// Spreads books over connections, those with room first.
  func watch(_ newBooks: [BookIndex]) {
    var rest = newBooks[...]
    for index in connections.indices where connections[index].books.count < options.assetsPerConnection {
      guard !rest.isEmpty else { break }
      let room = options.assetsPerConnection - connections[index].books.count
      let part = Array(rest.prefix(room))
      rest = rest.dropFirst(room)
      connections[index].books += part
      assign(part, to: index)
      if connections[index].state == .open { subscribe(index, part, isFirst: false) }
    }
    while !rest.isEmpty {
      let part = Array(rest.prefix(options.assetsPerConnection))
      rest = rest.dropFirst(options.assetsPerConnection)
      var connection = StreamConnection()
      connection.books = part
      connections.append(connection)
      assign(part, to: connections.count - 1)
    }
  }

  private func assign(_ some: [BookIndex], to connection: Int) {
    let now = SystemClock.monotonicNanoseconds
    for book in some {
      while connectionOfBook.count <= book {
        connectionOfBook.append(-1)
        askedAt.append(Int64.min / 2)
        watchedAt.append(0)
      }
      connectionOfBook[book] = connection
      watchedAt[book] = now
    }
  }

  /// Stops watching books whose market has closed, or is another shard's; a stream without books is closed.
  func unwatch(_ gone: [BookIndex]) {
    var byConnection: [Int: [BookIndex]] = [:]
    for book in gone where book < connectionOfBook.count && connectionOfBook[book] >= 0 {
      byConnection[connectionOfBook[book], default: []].append(book)
      connectionOfBook[book] = -1
    }
    for (index, some) in byConnection {
      let all = Set(some)
      connections[index].books.removeAll { all.contains($0) }
      guard connections[index].state == .open else { continue }
      guard !connections[index].books.isEmpty else {
        retire(index)
        continue
      }
      sendText(index, "{\"assets_ids\":[\(tokenList(some))],\"operation\":\"unsubscribe\"}")
    }
  }

  private func retire(_ index: Int) {
    connections[index].peer?.close(code: WebSocketCloseCode.goingAway, reason: "")
    connections[index].peer = nil
    connections[index].place = -1
    connections[index].state = .idle
    connections[index].dueAt = 0
    pollSetChanged = true
  }

  private func tokenList(_ some: [BookIndex]) -> String {
    some.map { "\"\(books.tokens[$0])\"" }.joined(separator: ",")
  }

  private func subscribe(_ index: Int, _ some: [BookIndex], isFirst: Bool) {
    guard !some.isEmpty else { return }
    let list = tokenList(some)
    sendText(
      index,
      isFirst
        ? "{\"assets_ids\":[\(list)],\"type\":\"market\",\"initial_dump\":true,\"custom_feature_enabled\":true}"
        : "{\"assets_ids\":[\(list)],\"operation\":\"subscribe\",\"custom_feature_enabled\":true}")
  }

  private func sendText(_ index: Int, _ text: String) {
    guard let peer = connections[index].peer else { return }
    do {
      try peer.send(text: text)
      watchWriting(index)
    } catch {
      lose(index, "\(error)")
    }
  }

  /// Waits for room only while something waits for it: a socket has room nearly always, and the loop would spin.
  private func watchWriting(_ index: Int) {
    guard let peer = connections[index].peer, connections[index].place >= 0, !pollSetChanged else { return }
    poller.setWritable(peer.wantsWrite, at: connections[index].place)
  }

  // MARK: - Connections

  /// Starts attempts that are due, says PING, and replaces what has been silent for too long.
  func keepConnections(_ now: Int64) {
    var starting = connections.filter { $0.state == .connecting }.count
    for index in connections.indices {
      switch connections[index].state {
      case .idle:
        guard now >= connections[index].dueAt, !connections[index].books.isEmpty, starting < 8 else { continue }
        starting += 1
        connect(index)
      case .connecting: continue
      case .open:
        guard let peer = connections[index].peer else { continue }
        if peer.isClosed {
          lose(index, "closed by the venue")
        } else if now - peer.lastReceivedMonotonicNanoseconds > options.silenceNanoseconds {
          lose(index, "silent for \(options.silenceNanoseconds / 1_000_000_000) s")
        } else if now >= connections[index].nextPingAt {
          connections[index].nextPingAt = now + options.pingNanoseconds
          sendText(index, "PING")
        }
      }
    }
  }

  private func connect(_ index: Int) {
    connections[index].state = .connecting
    connections[index].attempt += 1
    let attempt = connections[index].attempt
    do {
      let url = try streamEndpoint.resolve(.polymarket)
      let mailbox = self.mailbox
      WebSocketClient.start(url: url) { mailbox.post(.connected(connection: index, attempt: attempt, $0)) }
    } catch {
      failed(index, "\(error)")
    }
  }

  private func failed(_ index: Int, _ problem: String) {
    connections[index].state = .idle
    connections[index].failures += 1
    if connections[index].lostAt == 0 { connections[index].lostAt = SystemClock.monotonicNanoseconds }
    let wait = StreamConnection.backoffNanoseconds(
      failures: connections[index].failures, random: random.next())
    connections[index].dueAt = SystemClock.monotonicNanoseconds + wait
    if connections[index].failures == 1 || connections[index].failures % 10 == 0 {
      Log.warning(
        "stream cannot be opened",
        [
          "venue": "polymarket", "connection": "\(index)", "failures": "\(connections[index].failures)",
          "problem": problem,
        ])
    }
  }

  func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) {
    guard connections[index].attempt == attempt, connections[index].state == .connecting else { return }
    switch result {
    case .failure(let error): failed(index, "\(error)")
    case .success(let peer):
      let now = SystemClock.monotonicNanoseconds
      connections[index].peer = peer
      connections[index].state = .open
      connections[index].openedAt = now
      connections[index].nextPingAt = now + options.pingNanoseconds
      connections[index].openCount += 1
      pollSetChanged = true
      // All its books were dropped meanwhile.
      guard !connections[index].books.isEmpty else { return retire(index) }
      // What was polled meanwhile is not to be trusted beside changes: the stream brings all books anew.
      if connections[index].lostAt > 0 {
        books.streamLost(connections[index].books, batch)
        publishBatch()
      }
      connections[index].lostAt = 0
      connections[index].pollDueAt = 0
      if connections[index].openCount > 1 {
        Log.info("stream is back", ["venue": "polymarket", "connection": "\(index)"])
      }
      subscribe(index, connections[index].books, isFirst: true)
      drain(index)
    }
  }

  /// Closes first, then opens anew: no socket leaks.
  ///
  /// Its books are not to be trusted until then.
  func lose(_ index: Int, _ problem: String) {
    guard connections[index].state == .open else { return }
    connections[index].peer?.disconnect()
    connections[index].peer = nil
    connections[index].place = -1
    pollSetChanged = true
    Log.warning("stream lost", ["venue": "polymarket", "connection": "\(index)", "problem": problem])
    books.streamLost(connections[index].books, batch)
    publishBatch()
    failed(index, problem)
  }

  /// Takes what has arrived on one connection; all of it goes out as one message.
  func drain(_ index: Int) {
    guard let peer = connections[index].peer else { return }
    var isReadable = true
    do {
      try peer.receive { message in
        guard message.kind == .text else { return }
        if message.bytes.count > 4 { connections[index].dataAt = SystemClock.monotonicNanoseconds }
        if !books.take(message.bytes, receivedAt: SystemClock.now, batch) { isReadable = false }
        if batch.byteCount > 1 << 20 { publishBatch() }
      }
      if peer.wantsWrite { try peer.flush() }
      watchWriting(index)
      connections[index].failures = 0
    } catch {
      publishBatch()
      return lose(index, "\(error)")
    }
    if peer.isClosed { return lose(index, "closed by the venue") }
    // What a frame that was not understood would have changed is not known: all books here want a snapshot.
    if !isReadable { books.distrust(connections[index].books, batch) }
    publishBatch()
  }
}
