internal import CWSlay
internal import Daemon
internal import Glibc

/// Limits of a WebSocket.
public struct WebSocketLimits: Sendable {
  /// The longest message that is accepted; a longer one closes with 1009.
  public var messageBytesMax: Int
  /// The most bytes that wait for the socket to take them; what would exceed it is not sent.
  public var queuedBytesMax: Int

  /// Limits; the defaults suit a market data stream.
  public init(messageBytesMax: Int = 16 << 20, queuedBytesMax: Int = 16 << 20) {
    self.messageBytesMax = messageBytesMax
    self.queuedBytesMax = queuedBytesMax
  }
}

/// One end of a WebSocket (RFC 6455), for a poll loop.
///
/// Poll `descriptor` for reading, and for writing while `wantsWrite`; then call `receive` and `flush`. Call `receive`
/// once before the first poll: bytes may be here already.
///
/// open → closing (either end has sent its close) → closed; or open → closed where the connection breaks.
///
/// `@unchecked Sendable` because a peer is made on one thread and handed to the one whose poll loop owns it from then
/// on. It has no lock: that there is one owner at a time is what makes it sound.
public final class WebSocketPeer: @unchecked Sendable {
  /// Which end this is.
  public enum Role: Sendable {
    /// Masks what it sends, and takes no masked frames.
    case client
    /// Takes masked frames only.
    case server
  }

  /// Which end this is.
  public let role: Role
  /// The limits.
  public let limits: WebSocketLimits
  /// When bytes last arrived, by the monotonic clock.
  public internal(set) var lastReceivedMonotonicNanoseconds: Int64
  /// Whether the connection is gone, and its descriptor with it.
  public private(set) var isClosed = false

  let transport: WebSocketTransport
  // Sound: made in `init`, freed in `deinit`, never given away.
  let frames: wslay_frame_context_ptr
  var output = ByteQueue(capacity: 4096)
  var input = InputWindow()
  let readBuffer: UnsafeMutableRawBufferPointer
  var assembly = MessageAssembly()
  var early: [UInt8]
  var isReceiving = false
  /// Whether more may be waiting than `receive` took in one call.
  var mayHaveMore = false
  var closeSent = false
  var closeReceived = false

  static let readBufferBytes = 256 << 10

  init(
    role: Role, transport: WebSocketTransport, early: [UInt8] = [], limits: WebSocketLimits = WebSocketLimits()
  ) {
    self.role = role
    self.transport = transport
    self.limits = limits
    self.early = early
    lastReceivedMonotonicNanoseconds = SystemClock.monotonicNanoseconds
    // A server has many peers, and each sends little.
    let bytes = role == .client ? Self.readBufferBytes : 16 << 10
    readBuffer = .allocate(byteCount: bytes, alignment: 64)
    var callbacks = wslay_frame_callbacks(
      send_callback: Self.onSend, recv_callback: Self.onReceive, genmask_callback: Self.onMask)
    var context: wslay_frame_context_ptr?
    let holder = UnsafeMutablePointer<Unmanaged<WebSocketPeer>?>.allocate(capacity: 1)
    holder.initialize(to: nil)
    self.holder = holder
    guard wslay_frame_context_init(&context, &callbacks, holder) == 0, let context else {
      preconditionFailure("no memory for a WebSocket")
    }
    frames = context
    holder.pointee = Unmanaged.passUnretained(self)
  }

  /// A peer on a connected socket, whose descriptor it takes over, with bytes that have come already.
  package convenience init(
    role: Role, adopting descriptor: Int32, early: [UInt8] = [], limits: WebSocketLimits = WebSocketLimits()
  ) {
    self.init(role: role, transport: .socket(descriptor), early: early, limits: limits)
  }

  /// What the frame callbacks get: this peer, which is not yet there when the context is made.
  private let holder: UnsafeMutablePointer<Unmanaged<WebSocketPeer>?>

  deinit {
    disconnect()
    wslay_frame_context_free(frames)
    holder.deallocate()
    readBuffer.deallocate()
  }

  /// What to poll; −1 once closed.
  public var descriptor: Int32 { isClosed ? -1 : transport.descriptor }

  /// Whether bytes wait that the socket did not take: poll for writing too, and call `flush`.
  public var wantsWrite: Bool { !isClosed && output.count > 0 }

  /// How many bytes wait.
  public var queuedBytes: Int { isClosed ? 0 : output.count }

  /// Whether `receive` has something to do without a poll.
  public var hasBufferedInput: Bool { !isClosed && (!early.isEmpty || mayHaveMore) }

  /// Ends the connection at once, without a close.
  public func disconnect() {
    guard !isClosed else { return }
    isClosed = true
    transport.close()
  }

  func error(_ code: WebSocketError.Code, _ operation: String, _ underlying: Int32 = 0) -> WebSocketError {
    WebSocketError(code, operation: operation, underlyingCode: underlying)
  }

  // MARK: What wslay calls

  private static let onSend: wslay_frame_send_callback = { bytes, count, _, holder in
    guard let peer = peer(holder) else { return -1 }
    peer.output.append(UnsafeRawBufferPointer(start: bytes, count: count))
    return count
  }

  private static let onReceive: wslay_frame_recv_callback = { room, count, _, holder in
    guard let peer = peer(holder), let room else { return -1 }
    let taken = peer.input.take(count, into: room)
    return taken == 0 ? -1 : taken
  }

  private static let onMask: wslay_frame_genmask_callback = { room, count, _ in
    var generator = SystemRandomNumberGenerator()
    for index in 0..<count { room?[index] = UInt8.random(in: 0...255, using: &generator) }
    return 0
  }

  private static func peer(_ holder: UnsafeMutableRawPointer?) -> WebSocketPeer? {
    holder?.assumingMemoryBound(to: Unmanaged<WebSocketPeer>?.self).pointee?.takeUnretainedValue()
  }
}

/// The bytes of one read that the frame reader has not taken yet.
struct InputWindow {
  private var next: UnsafeRawPointer?
  private var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func set(_ bytes: UnsafeRawBufferPointer) {
    next = bytes.baseAddress
    count = bytes.count
  }

  mutating func take(_ most: Int, into room: UnsafeMutableRawPointer) -> Int {
    let taken = min(most, count)
    guard taken > 0, let source = next else { return 0 }
    memcpy(room, source, taken)
    next = source + taken
    count -= taken
    return taken
  }
}
