internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

extension SpotIngestingService {
  // MARK: - Connections

  func handshake(_ index: Int) throws(VenueError) -> (url: String, headers: HTTPHeaders) {
    (try streamEndpoint.resolve(venue) + connections[index].format.path, [:])
  }

  func opened(_ index: Int, _ now: Int64) {
    // Not all connections at the same moment.
    let spread = Int64(loop.random.next() % UInt64(options.lifetimeNanoseconds / 24 + 1))
    connections[index].closesAt = now + options.lifetimeNanoseconds - spread
    connections[index].nextPingAt = now + pingInterval(index)
    connections[index].format.reset()
    board.streamBegins(connections[index].symbols)
    connections[index].requests = []
    connections[index].unanswered = 0
    connections[index].nextRequestAt = now
    subscribe(connections[index].symbols, on: index, now)
    sendDue(index, now)
    sayReady()
  }

  func closed(_ index: Int) { connections[index].unanswered = 0 }

  func keep(_ index: Int, _ now: Int64) {
    if now >= connections[index].closesAt { renew(index, "its lifetime ends") } else { sendDue(index, now) }
  }

  /// Asks for symbols on an open connection; their candles follow when the venue has answered.
  func subscribe(_ symbols: [String], on index: Int, _ now: Int64) {
    let requests = connections[index].format.subscriptions(symbols, firstID: requestCount + 1)
    requestCount += requests.count
    connections[index].requests += requests
    connections[index].unanswered += connections[index].format.answers(toSubscribing: symbols.count)
    for symbol in symbols { connections[index].watch.heard(symbol, at: now) }
    if connections[index].unanswered == 0 { wantHistory(index) }
  }

  /// Ends subscriptions of an open connection.
  func unsubscribe(_ symbols: [String], on index: Int) {
    let requests = connections[index].format.unsubscriptions(symbols, firstID: requestCount + 1)
    requestCount += requests.count
    connections[index].requests += requests
    connections[index].unanswered += connections[index].format.answers(toSubscribing: symbols.count)
  }

  private func pingInterval(_ index: Int) -> Int64 {
    connections[index].format.ping.map { Int64($0.everySeconds) * 1_000_000_000 } ?? options.pingNanoseconds
  }

  /// Sends requests at the venue's pace, and says that we are there.
  func sendDue(_ index: Int, _ now: Int64) {
    guard let peer = connections[index].stream.peer else { return }
    do throws(WebSocketError) {
      while !connections[index].requests.isEmpty, now >= connections[index].nextRequestAt {
        try peer.send(text: connections[index].requests.removeFirst())
        let pause = Int64(connections[index].format.requestPauseMilliseconds) * 1_000_000
        connections[index].nextRequestAt = now + pause
        if pause > 0 { break }
      }
      if now >= connections[index].nextPingAt {
        connections[index].nextPingAt = now + pingInterval(index)
        if let ping = connections[index].format.ping { try peer.send(text: ping.text) } else { try peer.ping() }
      }
      watchWriting(index)
    } catch {
      lose(index, "\(error)")
    }
  }

  func sayReady() {
    guard !isReady, connections.allSatisfy({ $0.stream.openCount > 0 || $0.symbols.isEmpty }) else { return }
    isReady = true
    context.notifyReady(status: statusText)
  }

  /// Replaces a connection that is about to end, or that has frozen: at once, and nothing has failed.
  func renew(_ index: Int, _ reason: String) {
    // One that says so as soon as it is open is not asked again without a pause.
    let age = SystemClock.monotonicNanoseconds - connections[index].stream.openedAt
    guard age > 5_000_000_000 else { return lose(index, reason) }
    guard close(index) else { return }
    health.plannedReconnections += 1
    Log.info("stream is renewed", ["venue": venue.rawValue, "connection": "\(index)", "reason": reason])
    connect(index)
  }

  /// Takes what has arrived on one connection, and publishes it.
  func drain(_ index: Int) {
    guard let peer = connections[index].stream.peer else { return }
    var problem: String?
    var answers = 0
    var isClosing = false
    // The first of a venue's streams does; a second one has the candles.
    let tellsPrices = connections[index].part == 0
    do throws(WebSocketError) {
      var hasData = false
      try peer.receive { message in
        guard message.kind == .text else { return }
        hasData = true
        let receivedAt = SystemClock.now
        let now = SystemClock.monotonicNanoseconds
        board.countFrame()
        do throws(VenueError) {
          try connections[index].format.read(message.bytes, receivedAt: receivedAt) { event in
            // Prices are what a stream is there for: one that tells trades and no prices any more is frozen, too.
            var isData = !tellsPrices
            switch event {
            case .accepted, .refused: answers += 1
            case .closing: isClosing = true
            case .ticker: isData = true
            default: break
            }
            if let symbol = board.take(event, receivedAt: receivedAt), isData { heard.append(symbol) }
          }
        } catch {
          board.refuse(error)
        }
        for symbol in heard { connections[index].watch.heard(symbol, at: now) }
        heard.removeAll(keepingCapacity: true)
      }
      if peer.wantsWrite { try peer.flush() }
      if hasData {
        connections[index].stream.lostAt = 0
      }
    } catch {
      problem = "\(error)"
    }
    publishChanges()
    answered(answers, on: index)
    if problem == nil, peer.isClosed { problem = "closed by the venue" }
    if isClosing { return renew(index, "the venue closes the connection") }
    if let problem { return lose(index, problem) }
    watchWriting(index)
  }

  /// Takes the venue's answers to requests: what was subscribed is watched from here on.
  private func answered(_ count: Int, on index: Int) {
    guard count > 0, connections[index].unanswered > 0 else { return }
    connections[index].unanswered = max(0, connections[index].unanswered - count)
    if connections[index].unanswered == 0 { wantHistory(index) }
  }

  /// What happened before is asked for once the stream tells what happens now.
  private func wantHistory(_ index: Int) {
    for symbol in connections[index].symbols { history[symbol, default: History()].isWanted = true }
    requestHistory(SystemClock.monotonicNanoseconds)
  }

  // MARK: - Frozen or quiet

  /// Looks at symbols that have been without data for long: another connection, or REST, says whether there is any.
  func watchForFrozen(_ now: Int64) {
    for index in connections.indices where connections[index].stream.state == .open {
      for symbol in connections[index].symbols {
        let sibling = connections.indices.compactMap { other in
          other != index && connections[other].stream.state == .open ? connections[other].watch.dataAt(symbol) : nil
        }.max()
        switch connections[index].watch.doubt(symbol, siblingAt: sibling, now: now) {
        case .none: continue
        case .frozen: return replace(index, symbol, "another stream of the venue moves")
        case .ask: compare(symbol, index)
        }
      }
    }
  }

  private func compare(_ symbol: String, _ index: Int) {
    guard let source = venues.tickers(venue) else { return }
    let (gate, venue, mailbox) = (self.gate, self.venue, self.mailbox)
    Task {
      let result = await throughGate(gate, venue) {
        try await source.ticker(symbol: symbol, now: SystemClock.now)
      }
      mailbox.post(.compared(connection: index, symbol: symbol, result))
    }
  }

  func take(compared result: Result<Ticker, VenueError>, _ symbol: String, _ index: Int) {
    let now = SystemClock.monotonicNanoseconds
    guard case .success(let ticker) = result, connections[index].stream.state == .open,
      let last = connections[index].watch.dataAt(symbol), now - last > options.frozenNanoseconds
    else { return }
    switch FreezeWatch.verdict(rest: ticker, stream: board.ticker(symbol)) {
    case .quiet: health.quiet += 1
    case .frozen: replace(index, symbol, "REST moves")
    }
  }

  /// A connection on which nothing comes is replaced; where only one symbol is silent, it alone is subscribed anew.
  private func replace(_ index: Int, _ symbol: String, _ evidence: String) {
    let now = SystemClock.monotonicNanoseconds
    health.frozen += 1
    Log.warning(
      "stream is frozen",
      ["venue": venue.rawValue, "connection": "\(index)", "symbol": symbol, "evidence": evidence])
    if let newest = connections[index].watch.newestDataAt, now - newest < options.frozenNanoseconds / 2 {
      unsubscribe([symbol], on: index)
      subscribe([symbol], on: index, now)
    } else {
      renew(index, "frozen: it answers, and \(evidence)")
    }
  }
}
