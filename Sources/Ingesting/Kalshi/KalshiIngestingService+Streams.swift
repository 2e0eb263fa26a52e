internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

extension KalshiIngestingService {
  // MARK: - Subscriptions

  /// Spreads markets over connections, those with room first.
  func watch(_ places: [Int]) {
    var rest = places[...]
    while connectionOfMarket.count < markets.entries.count { connectionOfMarket.append(-1) }
    for index in connections.indices where connections[index].markets.count < options.marketsPerConnection {
      guard !rest.isEmpty else { break }
      let part = Array(rest.prefix(options.marketsPerConnection - connections[index].markets.count))
      rest = rest.dropFirst(part.count)
      connections[index].markets += part
      for place in part { connectionOfMarket[place] = index }
      if connections[index].stream.state == .open {
        send(index, connections[index].add(tickers(part), perRequest: options.marketsPerRequest))
      }
    }
    while !rest.isEmpty {
      let part = Array(rest.prefix(options.marketsPerConnection))
      rest = rest.dropFirst(part.count)
      var connection = KalshiConnection()
      connection.markets = part
      connections.append(connection)
      for place in part { connectionOfMarket[place] = connections.count - 1 }
    }
  }

  /// Stops watching markets that have closed, or are another shard's; a stream without markets is closed.
  func unwatch(_ places: [Int]) {
    var byConnection: [Int: [Int]] = [:]
    for place in places where place < connectionOfMarket.count && connectionOfMarket[place] >= 0 {
      byConnection[connectionOfMarket[place], default: []].append(place)
      connectionOfMarket[place] = -1
    }
    for (index, some) in byConnection {
      let all = Set(some)
      connections[index].markets.removeAll { all.contains($0) }
      guard connections[index].stream.state == .open else { continue }
      if connections[index].markets.isEmpty {
        retire(index)
      } else {
        send(index, connections[index].remove(tickers(some), perRequest: options.marketsPerRequest))
      }
    }
  }

  private func tickers(_ places: [Int]) -> [String] { places.map { markets.entries[$0].market.id } }

  private func retire(_ index: Int) {
    connections[index].stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "")
    connections[index].stream.peer = nil
    connections[index].stream.place = -1
    connections[index].stream.state = .idle
    connections[index].stream.dueAt = 0
    connections[index].reset()
    pollSetChanged = true
  }

  private func send(_ index: Int, _ texts: [String]) {
    guard let peer = connections[index].stream.peer else { return }
    do {
      for text in texts { try peer.send(text: text) }
      watchWriting(index)
    } catch {
      lose(index, "\(error)")
    }
  }

  /// Waits for room only while something waits for it: a socket has room nearly always, and the loop would spin.
  private func watchWriting(_ index: Int) {
    let stream = connections[index].stream
    guard let peer = stream.peer, stream.place >= 0, !pollSetChanged else { return }
    poller.setWritable(peer.wantsWrite, at: stream.place)
  }

  // MARK: - Connections

  /// Starts attempts that are due, asks for snapshots that are wanted, and replaces what has been silent for too long.
  ///
  /// The venue sends a ping every ten seconds, also where nothing happens: a connection without any frame is dead.
  func keepConnections(_ now: Int64) {
    var starting = connections.count { $0.stream.state == .connecting }
    for index in connections.indices {
      switch connections[index].stream.state {
      case .idle:
        guard now >= connections[index].stream.dueAt, !connections[index].markets.isEmpty, starting < 4 else {
          continue
        }
        starting += 1
        connect(index)
      case .connecting: continue
      case .open:
        guard let peer = connections[index].stream.peer else { continue }
        if peer.isClosed {
          lose(index, "closed by the venue")
        } else if now - peer.lastReceivedMonotonicNanoseconds > options.silenceNanoseconds {
          lose(index, "silent for \(options.silenceNanoseconds / 1_000_000_000) s")
        } else {
          resynchronise(index, now)
          repair(index, now)
        }
      }
    }
  }

  /// Asks for the books that are stale; where that does not help, by another connection.
  private func resynchronise(_ index: Int, _ now: Int64) {
    guard !connections[index].fold.wanted.isEmpty else {
      connections[index].asks = 0
      return
    }
    guard now - connections[index].askedAt > 2_000_000_000 else { return }
    guard connections[index].asks < 3 else { return lose(index, "asked three times for snapshots in vain") }
    let texts = connections[index].snapshots(perRequest: options.marketsPerRequest)
    guard !texts.isEmpty else { return }
    connections[index].askedAt = now
    connections[index].asks += 1
    resynchronisations += 1
    send(index, texts)
  }

  /// Asks again for markets of which no book has come, each by itself: the venue refuses a request as a whole where it
  /// does not know one of its markets.
  private func repair(_ index: Int, _ now: Int64) {
    guard now - max(connections[index].stream.openedAt, connections[index].repairedAt) > 10_000_000_000 else { return }
    connections[index].repairedAt = now
    let missing = connections[index].markets.filter { place in
      markets.entries[place].books.contains { markets.cache.header($0).state == .empty }
    }
    guard !missing.isEmpty, connections[index].subscriptions["orderbook_delta"]?.sid != nil else { return }
    markets.metadataChanged = true
    send(index, connections[index].add(tickers(Array(missing.prefix(50))), perRequest: 1))
  }

  private func connect(_ index: Int) {
    connections[index].stream.state = .connecting
    connections[index].stream.attempt += 1
    let attempt = connections[index].stream.attempt
    do throws(VenueError) {
      let url = try streamEndpoint.resolve(.kalshi)
      var headers = try signer?.headers(method: "GET", url: url, time: SystemClock.now) ?? [:]
      // The simulator wants to see a signature, too, and takes any.
      if signer == nil, streamEndpoint.isSimulated { headers = KalshiSigner.standIn(time: SystemClock.now) }
      let mailbox = self.mailbox
      WebSocketClient.start(url: url, headers: headers) {
        mailbox.post(.connected(connection: index, attempt: attempt, $0))
      }
    } catch {
      failed(index, "\(error)")
    }
  }

  private func failed(_ index: Int, _ problem: String) {
    connections[index].stream.state = .idle
    connections[index].stream.failures += 1
    let failures = connections[index].stream.failures
    let wait = StreamConnection.backoffNanoseconds(failures: failures, random: random.next())
    connections[index].stream.dueAt = SystemClock.monotonicNanoseconds + wait
    guard failures == 1 || failures % 10 == 0 else { return }
    Log.warning(
      "stream cannot be opened",
      ["venue": "kalshi", "connection": "\(index)", "failures": "\(failures)", "problem": problem])
  }

  func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) {
    guard connections[index].stream.attempt == attempt, connections[index].stream.state == .connecting else { return }
    switch result {
    case .failure(let error): failed(index, "\(error)")
    case .success(let peer):
      connections[index].stream.peer = peer
      connections[index].stream.state = .open
      connections[index].stream.openedAt = SystemClock.monotonicNanoseconds
      connections[index].stream.openCount += 1
      connections[index].reset()
      pollSetChanged = true
      // All its markets were dropped meanwhile.
      guard !connections[index].markets.isEmpty else { return retire(index) }
      if connections[index].stream.openCount > 1 {
        Log.info("stream is back", ["venue": "kalshi", "connection": "\(index)"])
      }
      let isFirst = !connections.indices.contains { $0 < index && connections[$0].stream.state == .open }
      send(
        index,
        connections[index].subscribe(
          tickers(connections[index].markets), perRequest: options.marketsPerRequest, withLifecycle: isFirst))
      drain(index)
    }
  }

  /// Closes first, then opens anew: no socket leaks.
  ///
  /// Its books are not to be trusted until then.
  private func lose(_ index: Int, _ problem: String) {
    guard connections[index].stream.state == .open else { return }
    connections[index].stream.peer?.disconnect()
    connections[index].stream.peer = nil
    connections[index].stream.place = -1
    pollSetChanged = true
    Log.warning("stream lost", ["venue": "kalshi", "connection": "\(index)", "problem": problem])
    for ticker in tickers(connections[index].markets) { markets.distrust(ticker, batch) }
    connections[index].reset()
    publishBatch()
    failed(index, problem)
  }

  /// Takes what has arrived on one connection; all of it goes out as one message.
  func drain(_ index: Int) {
    guard let peer = connections[index].stream.peer else { return }
    var problem: String?
    var texts: [String] = []
    var fold = connections[index].fold
    connections[index].fold = KalshiBooks()
    do {
      try peer.receive { message in
        guard message.kind == .text, problem == nil else { return }
        do throws(VenueError) {
          let read = try KalshiStreamParser.parse(message.bytes)
          markets.take(read, &fold, receivedAt: SystemClock.now, batch)
          problem = answer(read.body, index, &texts)
        } catch {
          markets.refuse(error)
          // What it would have changed is not known, and the next number will show a gap; of books, all want a snapshot.
          if error.kind.hasPrefix("orderbook") || error.kind == "stream" { problem = "\(error)" }
        }
        if batch.byteCount > 1 << 20 { publishBatch() }
      }
      connections[index].fold = fold
      if peer.wantsWrite { try peer.flush() }
      watchWriting(index)
      connections[index].stream.failures = 0
    } catch {
      connections[index].fold = fold
      publishBatch()
      return lose(index, "\(error)")
    }
    publishBatch()
    if let problem { return lose(index, problem) }
    if peer.isClosed { return lose(index, "closed by the venue") }
    if !texts.isEmpty { send(index, texts) }
  }

  /// What an answer of the venue calls for.
  /// - Parameters:
  ///   - body: the message.
  ///   - index: the connection.
  ///   - texts: gets the requests to send.
  /// - Returns: why the connection is to be replaced, or nil.
  private func answer(_ body: KalshiStreamMessage.Body, _ index: Int, _ texts: inout [String]) -> String? {
    switch body {
    case .subscribed(let channel, let sid):
      texts += connections[index].subscribed(channel: channel, sid: sid, perRequest: options.marketsPerRequest)
      return nil
    case .refused(let refusal):
      Log.warning(
        "request refused",
        ["venue": "kalshi", "connection": "\(index)", "code": "\(refusal.code)", "problem": refusal.text])
      // The channel has failed, we were too slow, or nothing was subscribed: anew on another connection.
      let isSubscribed = connections[index].subscriptions["orderbook_delta"]?.sid != nil
      if !isSubscribed { markets.metadataChanged = true }
      return refusal.endsSubscription || !isSubscribed ? "error \(refusal.code): \(refusal.text)" : nil
    default: return nil
    }
  }
}
