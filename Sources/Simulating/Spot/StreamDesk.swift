internal import Market
internal import Web

/// The connections of one exchange's stream: who listens to what, and what time brings them.
///
/// A desk without connections costs one comparison for each turn.
struct StreamDesk {
  let wire: any StreamWire
  private var sessions: [Int: StreamSession] = [:]
  private var listeners: [StreamTopic: [Int]] = [:]
  private var lastTrade: Int64 = 0

  init(_ wire: any StreamWire) { self.wire = wire }

  var count: Int { sessions.count }

  private func desk(_ history: SpotHistory, _ now: Timestamp) -> SpotDesk {
    SpotDesk(venue: wire.venue, history: history, now: now)
  }

  /// A connection begins, subscribed to what its address names already; what it is told at once.
  mutating func open(
    _ session: Int, isCombined: Bool, topics: [StreamTopic], _ history: SpotHistory, _ now: Timestamp
  ) -> [StreamReply] {
    var state = StreamSession(number: session, openedAt: now, heardAt: now, toldAt: now)
    state.isCombined = isCombined
    sessions[session] = state
    if sessions.count == 1 { lastTrade = desk(history, now).newestTrade }
    change(session, to: Set(topics))
    return wire.greeting(state, desk(history, now))
  }

  mutating func close(_ session: Int) {
    change(session, to: [])
    sessions[session] = nil
  }

  mutating func receive(
    _ text: UnsafeRawBufferPointer, from session: Int, _ history: SpotHistory, _ now: Timestamp
  ) -> [StreamReply] {
    guard var state = sessions[session] else { return [] }
    state.heardAt = now
    state.requests = state.second == now.seconds ? state.requests + 1 : 1
    state.second = now.seconds
    if let most = wire.rules.requestsPerSecondMax, state.requests > most {
      sessions[session] = state
      return [.close(code: WebSocketCloseCode.policy, reason: "Too many requests")]
    }
    let before = state.topics
    let replies = wire.hear(text, &state, desk(history, now))
    let after = state.topics
    state.topics = before
    if !replies.isEmpty { state.toldAt = now }
    sessions[session] = state
    if after != before { change(session, to: after) }
    return replies
  }

  private mutating func change(_ session: Int, to topics: Set<StreamTopic>) {
    guard let before = sessions[session]?.topics else { return }
    for topic in before.subtracting(topics) {
      listeners[topic]?.removeAll { $0 == session }
      if listeners[topic]?.isEmpty == true { listeners[topic] = nil }
    }
    for topic in topics.subtracting(before) { listeners[topic, default: []].append(session) }
    sessions[session]?.topics = topics
  }

  /// Says what has happened since the last call, and ends connections that break a rule by being silent.
  ///
  /// `deliver` gets a connection, a text, and whether it is a mere sign of life; `end` a connection that is to be closed,
  /// and why.
  mutating func advance(
    to now: Timestamp, _ history: SpotHistory, deliver: (Int, [UInt8], _ isLifeSign: Bool) -> Void,
    end: (Int, String) -> Void
  ) {
    guard !sessions.isEmpty else { return }
    let newest = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    if newest - lastTrade > 40 { lastTrade = newest - 1 }
    guard newest > lastTrade else { return }
    defer { lastTrade = newest }
    for trade in (lastTrade + 1)...newest where !listeners.isEmpty {
      let time = Timestamp(nanoseconds: trade * SpotPrices.tradeMilliseconds * 1_000_000)
      let desk = desk(history, time)
      for (topic, numbers) in listeners {
        wire.write(topic, desk) { payload in tell(payload, topic, numbers, now, deliver) }
      }
    }
    for state in Array(sessions.values) { keepRules(state, now, deliver, end) }
  }

  private mutating func tell(
    _ payload: ByteWriter, _ topic: StreamTopic, _ numbers: [Int], _ now: Timestamp,
    _ deliver: (Int, [UInt8], Bool) -> Void
  ) {
    let isLifeSign = topic.kind == .heartbeat
    for number in numbers {
      guard let index = sessions.index(forKey: number) else { continue }
      sessions.values[index].toldAt = now
      let isCombined = sessions.values[index].isCombined
      deliver(number, isCombined ? wire.wrap(payload, topic).bytes : payload.bytes, isLifeSign)
    }
  }

  private mutating func keepRules(
    _ state: StreamSession, _ now: Timestamp, _ deliver: (Int, [UInt8], Bool) -> Void, _ end: (Int, String) -> Void
  ) {
    let rules = wire.rules
    if let heartbeat = rules.heartbeat, now.nanoseconds(since: state.toldAt) >= 1_000_000_000 {
      sessions[state.number]?.toldAt = now
      var writer = ByteWriter()
      writer.raw(heartbeat)
      deliver(state.number, writer.bytes, true)
    }
    if let limit = rules.subscribeWithinSeconds, state.topics.isEmpty, state.heardAt == state.openedAt,
      now.nanoseconds(since: state.openedAt) > limit * 1_000_000_000
    {
      end(state.number, "no subscription")
    } else if let limit = rules.silenceSecondsMax,
      now.nanoseconds(since: max(state.heardAt, state.toldAt)) > limit * 1_000_000_000
    {
      end(state.number, "silence")
    }
  }
}
