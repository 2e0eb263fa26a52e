internal import Glibc

/// Puts the fragments of one message together, and those of a control frame that may stand between them.
///
/// A pure value: what it refuses, it says by the code to close with.
struct MessageAssembly: ~Copyable {
  /// A frame's first bytes, as far as they matter.
  struct Head {
    var opcode: UInt8
    var isFinal: Bool
    var isMasked: Bool
    var reservedBits: UInt8
    var payloadBytes: UInt64
  }

  /// What the end of a frame completes.
  enum Completion {
    case nothing
    case data(opcode: UInt8)
    case control(opcode: UInt8)
  }

  static let paddingBytes = 64
  static let controlBytesMax = 125

  private var message: UnsafeMutableRawPointer
  private var messageCapacity = 16 << 10
  private var messageCount = 0
  private var messageOpcode: UInt8 = 0
  private let control: UnsafeMutableRawPointer
  private var controlCount = 0
  /// The frame that is being read.
  private var head: Head?
  private var frameBytesLeft: UInt64 = 0

  init() {
    message = .allocate(byteCount: messageCapacity, alignment: 64)
    control = .allocate(byteCount: Self.controlBytesMax + Self.paddingBytes, alignment: 64)
    memset(message, 0, messageCapacity)
    memset(control, 0, Self.controlBytesMax + Self.paddingBytes)
  }

  deinit {
    message.deallocate()
    control.deallocate()
  }

  var isInFrame: Bool { head != nil }

  /// The message that was completed last.
  var messageBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: message, count: messageCount) }
  /// The control frame that was completed last.
  var controlBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: control, count: controlCount) }

  /// Starts a frame.
  /// - Returns: the code to close with where the frame is not allowed here; else nil.
  mutating func begin(_ head: Head, fromServer: Bool, messageBytesMax: Int) -> UInt16? {
    guard head.reservedBits == 0, head.isMasked != fromServer else { return WebSocketCloseCode.protocolError }
    switch head.opcode {
    case 0x1, 0x2:
      guard messageOpcode == 0 else { return WebSocketCloseCode.protocolError }
      messageOpcode = head.opcode
      messageCount = 0
    case 0x0:
      guard messageOpcode != 0 else { return WebSocketCloseCode.protocolError }
    case 0x8, 0x9, 0xA:
      guard head.isFinal, head.payloadBytes <= UInt64(Self.controlBytesMax) else {
        return WebSocketCloseCode.protocolError
      }
      controlCount = 0
    default:
      return WebSocketCloseCode.protocolError
    }
    if head.opcode < 0x8 {
      guard head.payloadBytes <= UInt64(max(messageBytesMax - messageCount, 0)) else {
        return WebSocketCloseCode.tooLarge
      }
      reserve(messageCount + Int(head.payloadBytes), messageBytesMax: messageBytesMax)
    }
    self.head = head
    frameBytesLeft = head.payloadBytes
    return nil
  }

  /// Memory follows what has arrived, not what a peer announces: at most the double of it, or a megabyte.
  private mutating func reserve(_ bytes: Int, messageBytesMax: Int) {
    let wanted = min(bytes, max(2 * messageCount, 1 << 20)) + Self.paddingBytes
    if wanted > messageCapacity { grow(to: wanted) }
  }

  private mutating func grow(to wanted: Int) {
    let capacity = max(wanted, messageCapacity * 2)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    memcpy(larger, message, messageCount)
    memset(larger + messageCount, 0, capacity - messageCount)
    message.deallocate()
    message = larger
    messageCapacity = capacity
  }

  /// Takes a part of the frame's payload.
  mutating func append(_ bytes: UnsafeRawBufferPointer) -> Completion {
    guard let head else { preconditionFailure("payload outside of a frame") }
    precondition(UInt64(bytes.count) <= frameBytesLeft)
    if let source = bytes.baseAddress, !bytes.isEmpty {
      if head.opcode >= 0x8 {
        memcpy(control + controlCount, source, bytes.count)
        controlCount += bytes.count
      } else {
        if messageCount + bytes.count + Self.paddingBytes > messageCapacity {
          grow(to: messageCount + bytes.count + Self.paddingBytes)
        }
        memcpy(message + messageCount, source, bytes.count)
        messageCount += bytes.count
      }
    }
    frameBytesLeft -= UInt64(bytes.count)
    guard frameBytesLeft == 0 else { return .nothing }
    self.head = nil
    if head.opcode >= 0x8 { return .control(opcode: head.opcode) }
    guard head.isFinal else { return .nothing }
    defer { messageOpcode = 0 }
    return .data(opcode: messageOpcode)
  }
}
