internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

/// The life of a stream: connect with growing pauses, subscribe, and replace it when it is lost or silent.
extension IngestingService {
  /// Starts attempts that are due, gives open streams what they want, and replaces what has been silent for too long.
  func keepConnections(_ now: Int64) {
    var starting = connections.count { $0.stream.state == .connecting }
    for index in connections.indices {
      let stream = connections[index].stream
      switch stream.state {
      case .idle:
        guard now >= max(stream.dueAt, loop.streamsHeldUntil), !connections[index].isUnused, starting < attemptsMax
        else { continue }
        starting += 1
        connect(index)
      case .connecting: continue
      case .open:
        guard let peer = stream.peer else { continue }
        if peer.isClosed {
          lose(index, "closed by the venue")
        } else if now - peer.lastReceivedMonotonicNanoseconds > silenceNanoseconds {
          lose(index, "silent for \(silenceNanoseconds / 1_000_000_000) s", as: "silent")
        } else {
          // Not by the first message: a venue that talks nonsense is not to be asked again and again without a pause.
          if now - stream.openedAt > 10_000_000_000 { connections[index].stream.failures = 0 }
          keep(index, now)
        }
      }
    }
  }

  func connect(_ index: Int) {
    connections[index].stream.state = .connecting
    connections[index].stream.attempt += 1
    let attempt = connections[index].stream.attempt
    do throws(VenueError) {
      let (url, headers) = try handshake(index)
      let mailbox = self.mailbox
      WebSocketClient.start(url: url, headers: headers) { mailbox.post(Self.connected(index, attempt, $0)) }
    } catch {
      failed(index, "\(error)", as: "other")
    }
  }

  /// - Parameters:
  ///   - index: the stream.
  ///   - problem: for people.
  ///   - name: its counter.
  ///   - retryAfterSeconds: how long the venue asks us to wait.
  private func failed(_ index: Int, _ problem: String, as name: String, retryAfterSeconds: Int? = nil) {
    let now = SystemClock.monotonicNanoseconds
    loop.streamFailures[name, default: 0] += 1
    if connections[index].stream.lostAt == 0 { connections[index].stream.lostAt = now }
    connections[index].stream.state = .idle
    connections[index].stream.failures += 1
    let failures = connections[index].stream.failures
    connections[index].stream.dueAt =
      now + StreamConnection.backoffNanoseconds(failures: failures, random: loop.random.next())
    // What one stream is told holds for all: the venue counts connections, not which of them asks.
    if let retryAfterSeconds {
      loop.streamsHeldUntil = max(
        loop.streamsHeldUntil, now + Int64(min(retryAfterSeconds, 7 * 86_400)) * 1_000_000_000)
    }
    guard failures == 1 || failures % 10 == 0 else { return }
    Log.warning(
      "stream cannot be opened",
      ["venue": venue.rawValue, "connection": "\(index)", "failures": "\(failures)", "problem": problem])
  }

  /// Takes the outcome of an attempt; that of an older one than the present is thrown away.
  func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) {
    guard connections[index].stream.attempt == attempt, connections[index].stream.state == .connecting else { return }
    switch result {
    case .failure(let error):
      failed(
        index, "\(error)", as: StreamConnection.name(of: error), retryAfterSeconds: error.retryAfterSeconds)
    case .success(let peer):
      let now = SystemClock.monotonicNanoseconds
      connections[index].stream.peer = peer
      connections[index].stream.state = .open
      connections[index].stream.openedAt = now
      connections[index].stream.pace.opened(now)
      connections[index].stream.openCount += 1
      connections[index].stream.pollDueAt = 0
      loop.pollSetChanged = true
      // All that it watches was dropped meanwhile.
      guard !connections[index].isUnused else { return retire(index) }
      Log.info(
        connections[index].stream.openCount > 1 ? "stream is back" : "stream is open",
        ["venue": venue.rawValue, "connection": "\(index)"])
      opened(index, now)
      drainOnce(index)
    }
  }

  /// Hangs up without a word.
  /// - Returns: whether it was open.
  @discardableResult func close(_ index: Int) -> Bool {
    guard connections[index].stream.state == .open else { return false }
    connections[index].stream.peer?.disconnect()
    forgetPeer(index)
    closed(index)
    return true
  }

  private func forgetPeer(_ index: Int) {
    connections[index].stream.peer = nil
    connections[index].stream.place = -1
    connections[index].stream.state = .idle
    loop.pollSetChanged = true
  }

  /// Closes a stream that is lost, to open it anew after a pause: closing comes first, so that no socket leaks.
  func lose(_ index: Int, _ problem: String, as name: String = "lost") {
    guard connections[index].stream.state == .open else { return }
    Log.warning("stream lost", ["venue": venue.rawValue, "connection": "\(index)", "problem": problem])
    close(index)
    failed(index, problem, as: name)
  }

  /// Closes a stream that watches nothing any more.
  func retire(_ index: Int) {
    guard connections[index].stream.state == .open else { return }
    connections[index].stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "")
    forgetPeer(index)
    connections[index].stream.dueAt = 0
    connections[index].stream.lostAt = 0
    closed(index)
  }

  func send(_ index: Int, _ texts: [String]) {
    guard let peer = connections[index].stream.peer else { return }
    do throws(WebSocketError) {
      for text in texts { try peer.send(text: text) }
      watchWriting(index)
    } catch {
      lose(index, "\(error)")
    }
  }

  /// Waits for room only while something waits for it: a socket has room nearly always, and the loop would spin.
  func watchWriting(_ index: Int) {
    let stream = connections[index].stream
    guard let peer = stream.peer, stream.place >= 0, !loop.pollSetChanged else { return }
    loop.poller.setWritable(peer.wantsWrite, at: stream.place)
  }
}
