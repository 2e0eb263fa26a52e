internal import CWSlay

/// What a data message holds.
public enum WebSocketOpcode: UInt8, Sendable {
  /// UTF-8; the sender answers for it.
  case text = 0x1
  /// Bytes.
  case binary = 0x2
}

extension WebSocketPeer {
  /// Sends a text message: as much as the socket takes now, the rest by `flush`.
  /// - Throws: `WebSocketError`: `backlog` where too much waits already (nothing is queued then), `closed` after a
  ///   close, `disconnected`.
  public func send(text: String) throws(WebSocketError) {
    var text = text
    try text.withUTF8 { bytes in
      Result { () throws(WebSocketError) in try send(bytes: UnsafeRawBufferPointer(bytes), opcode: .text) }
    }.get()
  }

  /// Sends a message: as much as the socket takes now, the rest by `flush`.
  /// - Throws: `WebSocketError`, as `send(text:)`.
  public func send(bytes: [UInt8], opcode: WebSocketOpcode = .binary) throws(WebSocketError) {
    try bytes.withUnsafeBytes { bytes in
      Result { () throws(WebSocketError) in try send(bytes: bytes, opcode: opcode) }
    }.get()
  }

  /// Sends a message: as much as the socket takes now, the rest by `flush`.
  /// - Throws: `WebSocketError`, as `send(text:)`.
  public func send(bytes: UnsafeRawBufferPointer, opcode: WebSocketOpcode = .binary) throws(WebSocketError) {
    try checkRoom(for: bytes.count)
    encode(bytes, opcode: opcode.rawValue)
    try flush()
  }

  /// Sends a ping.
  /// - Parameter payload: at most 125 bytes; the pong brings it back.
  /// - Throws: `WebSocketError`, as `send(text:)`.
  public func ping(_ payload: [UInt8] = []) throws(WebSocketError) {
    precondition(payload.count <= MessageAssembly.controlBytesMax)
    try checkRoom(for: payload.count)
    payload.withUnsafeBytes { encode($0, opcode: 0x9) }
    try flush()
  }

  /// Sends bytes that are whole frames already, made by `appendServerFrame`: one message to many peers.
  ///
  /// For the server's end only. Nothing is copied where the socket takes all of it.
  /// - Throws: `WebSocketError`, as `send(text:)`.
  public func send(preframed frames: UnsafeRawBufferPointer) throws(WebSocketError) {
    precondition(role == .server, "a client masks each frame anew")
    try checkRoom(for: frames.count)
    var rest = frames
    if output.count == 0 {
      while !rest.isEmpty {
        let taken = try write(rest)
        if taken == 0 { break }
        rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
      }
    }
    output.append(rest)
    if rest.count < frames.count { return }
    try flush()
  }

  /// Sends bytes that are whole frames already.
  /// - Throws: `WebSocketError`, as `send(text:)`.
  public func send(preframed frames: [UInt8]) throws(WebSocketError) {
    try frames.withUnsafeBytes { bytes in
      Result { () throws(WebSocketError) in try send(preframed: bytes) }
    }.get()
  }

  /// Appends one unmasked frame that is a whole message.
  /// - Parameters:
  ///   - payload: the message.
  ///   - opcode: what it holds.
  ///   - frames: where to append.
  public static func appendServerFrame(
    _ payload: UnsafeRawBufferPointer, opcode: WebSocketOpcode = .text, to frames: inout [UInt8]
  ) {
    frames.append(0x80 | opcode.rawValue)
    switch payload.count {
    case ...125:
      frames.append(UInt8(payload.count))
    case ...0xFFFF:
      frames += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
      frames.append(127)
      for shift in stride(from: 56, through: 0, by: -8) { frames.append(UInt8(payload.count >> shift & 0xFF)) }
    }
    frames.append(contentsOf: payload)
  }

  /// Appends one unmasked text frame that is a whole message.
  public static func appendServerFrame(text: String, to frames: inout [UInt8]) {
    var text = text
    text.withUTF8 { appendServerFrame(UnsafeRawBufferPointer($0), opcode: .text, to: &frames) }
  }

  /// Writes what waits, as far as the socket takes it; ends the connection where both ends have closed.
  /// - Throws: `WebSocketError.Code.disconnected` where the connection broke; the peer is closed then.
  public func flush() throws(WebSocketError) {
    guard !isClosed else { throw error(.closed, "flush") }
    while output.count > 0 {
      let taken = try write(output.bytes)
      if taken == 0 { return }
      output.removeFirst(taken)
    }
    if closeSent, closeReceived { disconnect() }
  }

  /// Begins to close: the other end answers, which `receive` sees, and then `isClosed` is true.
  ///
  /// An end that does not answer in time is left with `disconnect`.
  /// - Parameters:
  ///   - code: why, by RFC 6455 section 7.4.
  ///   - reason: for people; cut to 123 bytes.
  public func close(code: UInt16 = WebSocketCloseCode.normal, reason: String = "") {
    guard !isClosed, !closeSent else { return }
    closeSent = true
    var length = 0
    let cut = reason.unicodeScalars.prefix { scalar in
      length += UTF8.width(scalar)
      return length <= 123
    }
    let bytes = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(String(cut).utf8)
    bytes.withUnsafeBytes { encode($0, opcode: 0x8) }
    // A broken connection is closed already, which is what was asked for.
    _ = try? flush()
  }

  func encode(_ payload: UnsafeRawBufferPointer, opcode: UInt8) {
    var frame = wslay_frame_iocb()
    frame.fin = 1
    frame.opcode = opcode
    frame.mask = role == .client ? 1 : 0
    frame.payload_length = UInt64(payload.count)
    var sent = 0
    repeat {
      frame.data = payload.baseAddress.map { $0.assumingMemoryBound(to: UInt8.self) + sent }
      frame.data_length = payload.count - sent
      let count = wslay_frame_send(frames, &frame)
      // Our callback takes everything, so nothing can be left over.
      precondition(count >= 0, "wslay refuses a frame of ours")
      sent += count
    } while sent < payload.count
  }

  private func checkRoom(for bytes: Int) throws(WebSocketError) {
    guard !isClosed, !closeSent else { throw error(.closed, "send") }
    guard output.count == 0 || output.count + bytes <= limits.queuedBytesMax else { throw error(.backlog, "send") }
  }

  /// - Returns: how many bytes the socket took; 0 where it takes none now.
  private func write(_ bytes: UnsafeRawBufferPointer) throws(WebSocketError) -> Int {
    switch transport.send(bytes) {
    case .bytes(let count): return count
    case .wouldBlock: return 0
    case .end:
      disconnect()
      throw error(.disconnected, "send")
    case .failed(let code):
      disconnect()
      throw error(.disconnected, "send", code)
    }
  }
}
