internal import CZeroMQ
internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// A topic that a publisher has registered.
public struct TopicHandle: Hashable, Sendable {
  let index: Int
}

/// A subscriber that has just joined, or lost something, and wants the current state.
public struct SnapshotRequest: Hashable, Sendable {
  /// Under which prefix it listens: `snapshot/SUBSCRIBER/NONCE/`.
  public let prefix: String
}

/// The one socket on which a process speaks: an XPUB, bound to `ipc://RUN/bus/NAME`.
///
/// A message is one frame: the topic, a zero byte, then a MessagePack array of epoch, sequence, time of sending (ns
/// since 1970) and body. The epoch is the publisher's start (ns since 1970); the sequence counts the messages of one
/// topic from 1, so that a subscriber of a few topics sees every gap in them. A subscriber that is too slow loses
/// messages at the high-water mark and never slows the publisher. Not thread-safe: it belongs to one poll loop.
public final class Publisher {
  /// The name that the process has on the bus.
  public let name: String
  /// When this publisher began, in nanoseconds since 1970.
  public let epoch: UInt64

  let socket: BusSocket
  private let writer = MessagePackWriter(capacity: 64 * 1024)
  private var heads: [[UInt8]] = []
  private var sequences: [UInt64] = []
  private var topicNames: [String] = []
  /// How many parts of a snapshot were sent, by who asked.
  private var snapshotParts: [SnapshotRequest: UInt64] = [:]
  private var receiveBuffer = [UInt8](repeating: 0, count: 1024)
  /// How many messages were sent.
  public private(set) var sentCount: UInt64 = 0
  /// How many snapshots were asked for.
  public private(set) var snapshotRequestCount: UInt64 = 0

  /// Binds the endpoint; a socket file that a dead process left is replaced.
  ///
  /// - Parameters:
  ///   - name: the process's name, unique in its group.
  ///   - runDirectory: the group's run directory; its `bus` folder is made where it is missing.
  ///   - highWaterMark: how many messages wait for a slow subscriber before it loses some.
  /// - Throws: `BusError` where the endpoint cannot be bound.
  public init(name: String, runDirectory: String, highWaterMark: Int = 100_000) throws(BusError) {
    self.name = name
    epoch = UInt64(SystemClock.now.nanoseconds)
    mkdir(runDirectory, 0o700)
    mkdir(runDirectory + "/bus", 0o700)
    socket = try BusSocket(type: ZMQ_XPUB)
    try socket.set(ZMQ_SNDHWM, Int32(clamping: highWaterMark))
    try socket.set(ZMQ_LINGER, 200)
    try socket.bind(BusEndpoint.ipc(name: name, runDirectory: runDirectory))
  }

  /// Registers a topic, once; messages of it are counted from 1.
  public func topic(_ name: String) -> TopicHandle {
    if let known = topicNames.firstIndex(of: name) { return TopicHandle(index: known) }
    topicNames.append(name)
    heads.append(Array(name.utf8) + [0])
    sequences.append(0)
    return TopicHandle(index: topicNames.count - 1)
  }

  /// The sequence of the last message of a topic; 0 before the first.
  public func sequence(of topic: TopicHandle) -> UInt64 { sequences[topic.index] }

  /// Sends one message.
  ///
  /// - Parameters:
  ///   - topic: a topic that was registered here.
  ///   - body: writes exactly one MessagePack value.
  public func publish(_ topic: TopicHandle, _ body: (MessagePackWriter) -> Void) {
    sequences[topic.index] += 1
    begin(prefix: nil, topic)
    body(writer)
    send()
  }

  /// Sends a part of the current state to one subscriber, under its own topic.
  ///
  /// - Parameters:
  ///   - request: who asked.
  ///   - topic: the topic whose state it is; the message carries that topic's present sequence.
  ///   - body: writes exactly one MessagePack value, of the same shape as a live message.
  public func publishSnapshot(_ request: SnapshotRequest, _ topic: TopicHandle, _ body: (MessagePackWriter) -> Void) {
    begin(prefix: request.prefix, topic)
    body(writer)
    send()
    snapshotParts[request, default: 0] += 1
  }

  /// Tells a subscriber that it has the whole state of this publisher, and in the place of the sequence in how many
  /// parts it came.
  public func endSnapshot(_ request: SnapshotRequest) {
    writer.truncate(to: 0)
    var text = request.prefix + "end/" + name
    text.withUTF8 { writer.raw(UnsafeRawBufferPointer($0)) }
    writeHeader(sequence: snapshotParts.removeValue(forKey: request) ?? 0)
    writer.null()
    send()
  }

  private func begin(prefix: String?, _ topic: TopicHandle) {
    writer.truncate(to: 0)
    if var prefix { prefix.withUTF8 { writer.raw(UnsafeRawBufferPointer($0)) } }
    heads[topic.index].withUnsafeBytes { head in
      writer.raw(UnsafeRawBufferPointer(rebasing: head.dropLast()))
    }
    writeHeader(sequence: sequences[topic.index])
  }

  private func writeHeader(sequence: UInt64) {
    withUnsafeBytes(of: UInt8(0)) { writer.raw($0) }
    writer.array(4)
    writer.fixed(epoch)
    writer.fixed(sequence)
    writer.fixed(UInt64(SystemClock.now.nanoseconds))
  }

  private func send() {
    sentCount += 1
    socket.send(writer.written)
  }

  /// Becomes readable when subscriptions may have come, for a poll loop of one's own.
  ///
  /// It stays silent about what has been there before: ask `hasSubscriptions` before each wait. The source is zmq_getsockopt(3),
  /// `ZMQ_FD`.
  public var descriptor: Int32 { socket.descriptor }

  /// Whether `processSubscriptions` has something to process.
  public var hasSubscriptions: Bool {
    socket.mayHaveInput = true
    return socket.hasInput(SystemClock.monotonicNanoseconds)
  }

  /// Reads what subscribers asked for since the last call; never blocks.
  ///
  /// - Parameter handler: answers one request for a snapshot, now or in parts later.
  public func processSubscriptions(_ handler: (SnapshotRequest) -> Void) {
    while let length = socket.receive(into: &receiveBuffer) {
      guard length > 1, receiveBuffer[0] == 1 else { continue }
      let text = String(decoding: receiveBuffer[1..<min(length, receiveBuffer.count)], as: UTF8.self)
      guard text.hasPrefix(Topic.snapshot), text.hasSuffix("/"), length <= receiveBuffer.count else { continue }
      snapshotParts[SnapshotRequest(prefix: text)] = nil
      snapshotRequestCount += 1
      handler(SnapshotRequest(prefix: text))
    }
  }
}
