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

  /// The books of YES: those of NO are their mirrors.
  func books(on index: Int) -> [BookIndex] { connections[index].markets.compactMap { markets.entries[$0].books.first } }

  func connection(of book: BookIndex) -> Int? {
    let place = markets.entryOfBook[book]
    guard place < connectionOfMarket.count, connectionOfMarket[place] >= 0 else { return nil }
    return connectionOfMarket[place]
  }

  private func tickers(_ places: [Int]) -> [String] { places.map { markets.entries[$0].market.id } }

  // MARK: - Streams

  func handshake(_ index: Int) throws(VenueError) -> (url: String, headers: HTTPHeaders) {
    let url = try streamEndpoint.resolve(venue)
    return (url, try KalshiSigner.headers(signer, at: streamEndpoint, url: url, time: SystemClock.now))
  }

  func opened(_ index: Int, _ now: Int64) {
    // What was polled meanwhile is not to be trusted beside changes: the stream brings all books anew.
    distrust(index)
    connections[index].stream.lostAt = 0
    let isFirst = !connections.indices.contains { $0 < index && connections[$0].stream.state == .open }
    // It is the one that tells of new markets; what opened before it was there is known by the catalogue alone.
    if isFirst { markets.metadataChanged = true }
    send(
      index,
      connections[index].subscribe(
        tickers(connections[index].markets), perRequest: options.marketsPerRequest, withLifecycle: isFirst))
  }

  /// The books of a stream that is gone are not to be trusted.
  func closed(_ index: Int) {
    distrust(index)
    missTrades(of: index)
  }

  private func distrust(_ index: Int) {
    for ticker in tickers(connections[index].markets) { markets.distrust(ticker, desk.batch) }
    connections[index].reset()
    publishBatch()
  }

  /// Asks for what is missing; the venue pings every ten seconds by itself.
  func keep(_ index: Int, _ now: Int64) {
    resynchronise(index, now)
    askMissing(index, now)
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
  private func askMissing(_ index: Int, _ now: Int64) {
    guard now - max(connections[index].stream.openedAt, connections[index].repairedAt) > 10_000_000_000 else { return }
    connections[index].repairedAt = now
    let missing = connections[index].markets.filter { place in
      let entry = markets.entries[place]
      return !connections[index].fold.wanted.contains(entry.market.id)
        && entry.books.contains { [.empty, .stale].contains(markets.state(of: $0)) }
    }
    guard !missing.isEmpty, connections[index].subscriptions["orderbook_delta"]?.sid != nil else { return }
    markets.metadataChanged = true
    send(index, connections[index].add(tickers(Array(missing.prefix(50))), perRequest: 1))
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
        connections[index].stream.heard(SystemClock.monotonicNanoseconds)
        do throws(VenueError) {
          let read = try KalshiStreamParser.parse(message.bytes)
          markets.take(read, &fold, receivedAt: SystemClock.now, desk.batch)
          problem = answer(read.body, index, &texts)
        } catch {
          markets.refuse(error)
          // What it would have changed is not known, and the next number will show a gap; of books, all want a snapshot.
          if error.kind.hasPrefix("orderbook") || error.kind == "stream" { problem = "\(error)" }
        }
        if desk.batch.byteCount > 1 << 20 { publishBatch() }
      }
      connections[index].fold = fold
      if peer.wantsWrite { try peer.flush() }
      watchWriting(index)
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
