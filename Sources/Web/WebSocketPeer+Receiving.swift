internal import CSimdJSON
internal import CWSlay
internal import Daemon
internal import Glibc

extension WebSocketPeer {
  /// So many reads in one call at most: other sockets have their turn too.
  private static let readsMax = 64

  /// Takes what has arrived and calls `body` for each message, in order.
  ///
  /// Pings are answered by themselves, and so is a close. `body` may send and close, but not receive. No memory is
  /// allocated for a message, once the buffers have grown to the longest.
  /// - Throws: `WebSocketError` where the connection broke or the peer broke the protocol; the peer is closed then.
  ///   After an orderly close, `receive` returns and `isClosed` is true.
  public func receive(_ body: (WebSocketMessage) -> Void) throws(WebSocketError) {
    guard !isClosed else { throw error(.closed, "receive") }
    precondition(!isReceiving, "receive within receive")
    isReceiving = true
    defer { isReceiving = false }
    mayHaveMore = false
    if !early.isEmpty {
      let bytes = early
      early = []
      try bytes.withUnsafeBytes { bytes in
        Result { () throws(WebSocketError) in try take(bytes, body) }
      }.get()
    }
    for _ in 0..<Self.readsMax {
      guard !isClosed else { return }
      switch transport.receive(readBuffer) {
      case .bytes(let count):
        lastReceivedMonotonicNanoseconds = SystemClock.monotonicNanoseconds
        try take(UnsafeRawBufferPointer(rebasing: readBuffer[..<count]), body)
        if count < readBuffer.count, transport.shortReadMeansDrained { return }
      case .wouldBlock:
        return
      case .end:
        disconnect()
        // The other end may hang up without an answer to our close.
        if closeSent { return }
        throw error(.disconnected, "receive")
      case .failed(let code):
        disconnect()
        throw error(.disconnected, "receive", code)
      }
    }
    mayHaveMore = true
  }

  private func take(
    _ bytes: UnsafeRawBufferPointer, _ body: (WebSocketMessage) -> Void
  ) throws(WebSocketError) {
    input.set(bytes)
    var frame = wslay_frame_iocb()
    while !isClosed, !closeReceived {
      let count = wslay_frame_recv(frames, &frame)
      if count < 0 {
        if count == WSLAY_ERR_WANT_READ.rawValue, input.isEmpty { return }
        throw refuse(WebSocketCloseCode.protocolError)
      }
      if !assembly.isInFrame {
        let head = MessageAssembly.Head(
          opcode: frame.opcode, isFinal: frame.fin != 0, isMasked: frame.mask != 0, reservedBits: frame.rsv,
          payloadBytes: frame.payload_length)
        let refusal = assembly.begin(
          head, fromServer: role == .client, messageBytesMax: limits.messageBytesMax)
        if let refusal { throw refuse(refusal) }
      }
      switch assembly.append(UnsafeRawBufferPointer(start: frame.data, count: count)) {
      case .nothing: break
      case .data(let opcode): try deliver(opcode, body)
      case .control(let opcode): try control(opcode, body)
      }
    }
  }

  private func deliver(_ opcode: UInt8, _ body: (WebSocketMessage) -> Void) throws(WebSocketError) {
    let bytes = assembly.messageBytes
    if opcode == 0x1 {
      guard Self.isUTF8(bytes) else { throw refuse(WebSocketCloseCode.invalidText) }
      body(WebSocketMessage(kind: .text, bytes: bytes, closeCode: 0))
    } else {
      body(WebSocketMessage(kind: .binary, bytes: bytes, closeCode: 0))
    }
  }

  private func control(_ opcode: UInt8, _ body: (WebSocketMessage) -> Void) throws(WebSocketError) {
    let bytes = assembly.controlBytes
    switch opcode {
    case 0x9:
      if !closeSent {
        // A peer that pings and does not read must not fill our memory.
        guard output.count <= limits.queuedBytesMax else {
          disconnect()
          throw error(.backlog, "pong")
        }
        encode(bytes, opcode: 0xA)
        try flush()
      }
      body(WebSocketMessage(kind: .ping, bytes: bytes, closeCode: 0))
    case 0xA:
      body(WebSocketMessage(kind: .pong, bytes: bytes, closeCode: 0))
    default:
      try takeClose(bytes, body)
    }
  }

  private func takeClose(
    _ bytes: UnsafeRawBufferPointer, _ body: (WebSocketMessage) -> Void
  ) throws(WebSocketError) {
    var code: UInt16 = 1005
    var reason = UnsafeRawBufferPointer(start: bytes.baseAddress, count: 0)
    if !bytes.isEmpty {
      guard bytes.count >= 2 else { throw refuse(WebSocketCloseCode.protocolError) }
      code = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
      reason = UnsafeRawBufferPointer(rebasing: bytes[2...])
      guard Self.isCloseCode(code) else { throw refuse(WebSocketCloseCode.protocolError) }
      guard Self.isUTF8(reason) else { throw refuse(WebSocketCloseCode.invalidText) }
    }
    closeReceived = true
    if !closeSent {
      closeSent = true
      encode(UnsafeRawBufferPointer(rebasing: bytes.prefix(2)), opcode: 0x8)
    }
    body(WebSocketMessage(kind: .close, bytes: reason, closeCode: code))
    if !isClosed { try flush() }
  }

  /// Says why and hangs up.
  private func refuse(_ code: UInt16) -> WebSocketError {
    if !isClosed {
      if !closeSent {
        closeSent = true
        let bytes = [UInt8(code >> 8), UInt8(code & 0xFF)]
        bytes.withUnsafeBytes { encode($0, opcode: 0x8) }
      }
      _ = try? flush()
    }
    if !isClosed {
      // Unread bytes would make the system reset the connection, and the other end would not see our reason.
      shutdown(transport.descriptor, Int32(SHUT_WR))
      for _ in 0..<16 { guard case .bytes = transport.receive(readBuffer) else { break } }
      disconnect()
    }
    return error(.protocol, "receive", Int32(code))
  }

  private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bh_utf8_is_valid(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) != 0
  }

  private static func isCloseCode(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
