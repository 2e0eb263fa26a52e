internal import CZeroMQ
internal import Daemon
public import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// A topic that a subscriber has heard, with where it stands in it.
public struct StreamHandle: Hashable, Sendable {
  /// The stream's place: counted from 0 in the order in which topics were first heard.
  public let index: Int
}

/// What a subscriber is told.
public enum BusEvent {
  /// A message, live or of a snapshot; the body is valid during the call only.
  case message(stream: StreamHandle, isSnapshot: Bool, sentAt: Timestamp, body: MessagePackReader)
  /// Messages of this stream are missing: its state is not to be trusted until a snapshot has come.
  case gap(stream: StreamHandle, missed: UInt64)
  /// The publisher of this stream has started anew: all that it said before is void.
  case restarted(stream: StreamHandle)
  /// The whole state of a publisher has been sent.
  case snapshotEnd(publisher: String)
}

/// The one socket on which a process listens: a SUB, connected to each publisher that it wants.
///
/// It subscribes to kinds of topics, and to `snapshot/NAME/NONCE/`, which asks every publisher for its state, at the
/// first connection and after each reconnection. A gap asks again under a new nonce. Not thread-safe.
public final class Subscriber {
  private struct Stream {
    var topic: String
    var topicBytes: [UInt8]
    var epoch: UInt64 = 0
    var next: UInt64 = 0
    var lastHeardNanoseconds: Int64 = 0
  }

  /// The name under which snapshots are asked for.
  public let name: String
  let socket: BusSocket
  private var message = zmq_msg_t()
  private var streams: [Stream] = []
  private var lastHit = 0
  private var endpoints: Set<String> = []
  private var nonce: UInt64
  private var snapshotPrefix: [UInt8] = []
  private let wantsSnapshot: Bool
  private var owesSnapshotRequest = false
  /// How many parts of the present snapshot have come, by the publisher's epoch.
  private var snapshotParts: [UInt64: UInt64] = [:]
  private var lastPartNanoseconds: Int64 = 0
  private var lastRequestNanoseconds: Int64 = 0
  /// How many messages were received.
  public private(set) var receivedCount: UInt64 = 0
  /// How many messages were missing.
  public private(set) var missedCount: UInt64 = 0
  /// How many messages were no messages of ours.
  public private(set) var malformedCount: UInt64 = 0

  /// Subscribes to kinds of topics; connect to publishers next.
  ///
  /// - Parameters:
  ///   - name: the process's name.
  ///   - topics: prefixes of topics, such as `book/`.
  ///   - wantsSnapshot: whether the current state is asked for on joining.
  ///   - highWaterMark: how many messages may wait here before some are lost.
  ///   - reconnectMilliseconds: how soon a lost publisher is tried again.
  /// - Throws: `BusError`.
  public init(
    name: String, topics: [String], wantsSnapshot: Bool = true, highWaterMark: Int = 100_000,
    reconnectMilliseconds: Int = 10
  ) throws(BusError) {
    self.name = name
    self.wantsSnapshot = wantsSnapshot
    nonce = UInt64(SystemClock.now.nanoseconds)
    socket = try BusSocket(type: ZMQ_SUB)
    zmq_msg_init(&message)
    try socket.set(ZMQ_RCVHWM, Int32(clamping: highWaterMark))
    try socket.set(ZMQ_RECONNECT_IVL, Int32(clamping: reconnectMilliseconds))
    try socket.set(ZMQ_RECONNECT_IVL_MAX, 500)
    try socket.set(ZMQ_LINGER, 0)
    for topic in topics { try socket.set(ZMQ_SUBSCRIBE, topic) }
    if wantsSnapshot { try subscribeSnapshot() }
  }

  deinit { zmq_msg_close(&message) }

  /// Asks for the state that a gap made doubtful; not more often than twice a second, so that a subscriber that is
  /// too slow for the market is not buried by the snapshots that it asks for.
  private func requestOwedSnapshot() {
    let now = SystemClock.monotonicNanoseconds
    // A snapshot that has begun and goes no further has lost its end.
    if !snapshotParts.isEmpty, now - lastPartNanoseconds > 2_000_000_000 { owesSnapshotRequest = true }
    guard owesSnapshotRequest, now - lastRequestNanoseconds > 500_000_000 else { return }
    owesSnapshotRequest = false
    lastRequestNanoseconds = now
    requestSnapshot()
  }

  private func subscribeSnapshot() throws(BusError) {
    let prefix = "\(Topic.snapshot)\(name)/\(String(nonce, radix: 36))/"
    snapshotPrefix = Array(prefix.utf8)
    try socket.set(ZMQ_SUBSCRIBE, prefix)
  }

  /// Asks every publisher for its state again.
  public func requestSnapshot() {
    guard wantsSnapshot else { return }
    let old = String(decoding: snapshotPrefix, as: UTF8.self)
    nonce += 1
    snapshotParts.removeAll()
    try? socket.set(ZMQ_UNSUBSCRIBE, old)
    try? subscribeSnapshot()
  }

  /// Connects to a publisher; one that is not there yet is tried until it is.
  public func connect(_ endpoint: String) throws(BusError) {
    guard endpoints.insert(endpoint).inserted else { return }
    try socket.connect(endpoint)
  }

  /// Leaves a publisher.
  public func disconnect(_ endpoint: String) {
    guard endpoints.remove(endpoint) != nil else { return }
    socket.disconnect(endpoint)
  }

  /// The topic of a stream.
  public func topic(of stream: StreamHandle) -> String { streams[stream.index].topic }

  /// The epoch of the publisher that a stream was last heard from.
  public func epoch(of stream: StreamHandle) -> UInt64 { streams[stream.index].epoch }

  /// Says that what is known is doubtful although no gap was seen: the state is asked for again soon.
  public func doubtState() { owesSnapshotRequest = wantsSnapshot }

  /// When a stream was last heard, in monotonic nanoseconds.
  public func lastHeard(_ stream: StreamHandle) -> Int64 { streams[stream.index].lastHeardNanoseconds }

  /// Receives what is there, at most `limit` messages; never blocks.
  ///
  /// - Parameters:
  ///   - limit: how many messages at the most, so that a flood does not starve the loop.
  ///   - handler: is told each event in order.
  /// - Returns: how many messages there were; fewer than `limit` when the socket is drained.
  @discardableResult public func receive(limit: Int = 1024, _ handler: (BusEvent) -> Void) -> Int {
    var count = 0
    while count < limit {
      if zmq_msg_recv(&message, socket.handle, ZMQ_DONTWAIT) < 0 {
        if zmq_errno() == EINTR { continue }
        socket.mayHaveInput = false
        break
      }
      count += 1
      receivedCount += 1
      let frame = UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))
      dispatch(frame, handler)
    }
    requestOwedSnapshot()
    return count
  }

  private func dispatch(_ frame: UnsafeRawBufferPointer, _ handler: (BusEvent) -> Void) {
    guard let base = frame.baseAddress, let zero = memchr(base, 0, min(frame.count, 512)) else {
      malformedCount += 1
      return
    }
    let length = UnsafeRawPointer(zero) - base
    let isSnapshot = length >= snapshotPrefix.count && wantsSnapshot && hasSnapshotPrefix(base)
    // The rest of a snapshot that was asked for under an older nonce.
    if !isSnapshot, topicStarts(with: "snapshot/", base, length) { return }
    let skip = isSnapshot ? snapshotPrefix.count : 0
    let topic = UnsafeRawBufferPointer(rebasing: frame[skip..<length])
    var reader = MessagePackReader(UnsafeRawBufferPointer(rebasing: frame[(length + 1)...]))
    guard (try? reader.array()) == 4, let epoch = try? reader.unsigned(), let sequence = try? reader.unsigned(),
      let sentAt = try? reader.unsigned()
    else {
      malformedCount += 1
      return
    }
    if isSnapshot {
      guard !topic.starts(with: "end/".utf8) else {
        let publisher = String(decoding: topic.dropFirst(4), as: UTF8.self)
        return endSnapshot(publisher, epoch: epoch, parts: sequence, handler)
      }
      snapshotParts[epoch, default: 0] += 1
      lastPartNanoseconds = SystemClock.monotonicNanoseconds
    }
    let index = streamIndex(topic)
    follow(index, epoch: epoch, sequence: sequence, isSnapshot: isSnapshot, handler)
    handler(
      .message(
        stream: StreamHandle(index: index), isSnapshot: isSnapshot,
        sentAt: Timestamp(nanoseconds: Int64(truncatingIfNeeded: sentAt)), body: reader))
  }

  /// A snapshot's end says how many parts it had: parts that were lost at the high-water mark leave no other trace.
  private func endSnapshot(_ publisher: String, epoch: UInt64, parts: UInt64, _ handler: (BusEvent) -> Void) {
    let received = snapshotParts.removeValue(forKey: epoch) ?? 0
    guard received == parts else {
      missedCount += parts > received ? parts - received : 0
      owesSnapshotRequest = true
      return
    }
    handler(.snapshotEnd(publisher: publisher))
  }

  private func hasSnapshotPrefix(_ base: UnsafeRawPointer) -> Bool {
    snapshotPrefix.withUnsafeBytes { memcmp(base, $0.baseAddress!, $0.count) == 0 }
  }

  private func topicStarts(with prefix: StaticString, _ base: UnsafeRawPointer, _ length: Int) -> Bool {
    length >= prefix.utf8CodeUnitCount && memcmp(base, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
  }

  private func follow(
    _ index: Int, epoch: UInt64, sequence: UInt64, isSnapshot: Bool, _ handler: (BusEvent) -> Void
  ) {
    streams[index].lastHeardNanoseconds = SystemClock.monotonicNanoseconds
    let stream = StreamHandle(index: index)
    if streams[index].epoch != epoch {
      let isFirst = streams[index].epoch == 0
      streams[index].epoch = epoch
      streams[index].next = sequence + 1
      if !isFirst { handler(.restarted(stream: stream)) }
      return
    }
    guard !isSnapshot else {
      if streams[index].next <= sequence { streams[index].next = sequence + 1 }
      return
    }
    let expected = streams[index].next
    streams[index].next = sequence + 1
    guard sequence > expected, expected > 0 else { return }
    missedCount += sequence - expected
    handler(.gap(stream: stream, missed: sequence - expected))
    owesSnapshotRequest = true
  }

  private func streamIndex(_ topic: UnsafeRawBufferPointer) -> Int {
    if lastHit < streams.count, matches(lastHit, topic) { return lastHit }
    for index in streams.indices where matches(index, topic) {
      lastHit = index
      return index
    }
    streams.append(Stream(topic: String(decoding: topic, as: UTF8.self), topicBytes: Array(topic)))
    lastHit = streams.count - 1
    return lastHit
  }

  private func matches(_ index: Int, _ topic: UnsafeRawBufferPointer) -> Bool {
    guard streams[index].topicBytes.count == topic.count, let base = topic.baseAddress else { return false }
    return streams[index].topicBytes.withUnsafeBytes { memcmp($0.baseAddress!, base, topic.count) == 0 }
  }
}
