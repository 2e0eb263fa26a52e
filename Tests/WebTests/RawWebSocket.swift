import Glibc
import Web

/// A WebSocket client that may do wrong: its frames are made and read by hand, on a blocking socket.
final class RawWebSocket {
  struct Frame: Equatable {
    var opcode: UInt8
    var final: Bool
    var payload: [UInt8]

    init(opcode: UInt8, final: Bool, _ text: String) {
      self.init(opcode: opcode, final: final, payload: Array(text.utf8))
    }

    init(opcode: UInt8, final: Bool, payload: [UInt8]) {
      self.opcode = opcode
      self.final = final
      self.payload = payload
    }

    var closeCode: Int? {
      opcode == 0x8 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
    }
  }

  private let descriptor: Int32
  private var buffer: [UInt8] = []

  init(_ port: UInt16, early: [UInt8] = []) throws {
    descriptor = try connectTCP(port)
    let request =
      "GET /raw HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    write(Array(request.utf8) + early)
    var header: [UInt8] = []
    while !header.suffix(4).elementsEqual([0x0D, 0x0A, 0x0D, 0x0A]), let byte = take(1)?.first { header.append(byte) }
    let text = String(decoding: header, as: UTF8.self)
    // The example of RFC 6455, section 1.3.
    precondition(text.hasPrefix("HTTP/1.1 101") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), text)
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  func send(opcode: UInt8, final: Bool = true, _ text: String) {
    send(opcode: opcode, final: final, bytes: Array(text.utf8))
  }

  func send(opcode: UInt8, final: Bool = true, bytes: [UInt8]) {
    write(Self.encode(opcode: opcode, final: final, bytes: bytes))
  }

  static func encode(opcode: UInt8, final: Bool, bytes: [UInt8]) -> [UInt8] {
    encode(first: (final ? 0x80 : 0) | opcode, bytes: bytes, masked: true)
  }

  static func encode(first: UInt8, bytes: [UInt8], masked: Bool) -> [UInt8] {
    let mask: UInt8 = masked ? 0x80 : 0
    var frame = [first]
    if bytes.count < 126 {
      frame.append(mask | UInt8(bytes.count))
    } else if bytes.count < 65_536 {
      frame += [mask | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]
    } else {
      frame.append(mask | 127)
      for shift in stride(from: 56, through: 0, by: -8) { frame.append(UInt8(bytes.count >> shift & 0xFF)) }
    }
    guard masked else { return frame + bytes }
    let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    frame += key
    frame += bytes.enumerated().map { $0.element ^ key[$0.offset & 3] }
    return frame
  }

  /// The next frame; nil at the end of the connection, or after five seconds.
  func read() -> Frame? {
    guard let head = take(2), head[1] & 0x80 == 0 else { return nil }
    var count = Int(head[1])
    if count == 126 {
      guard let length = take(2) else { return nil }
      count = Int(length[0]) << 8 | Int(length[1])
    } else if count == 127 {
      guard let length = take(8) else { return nil }
      count = length.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let payload = take(count) else { return nil }
    return Frame(opcode: head[0] & 0x0F, final: head[0] & 0x80 != 0, payload: payload)
  }

  private func take(_ count: Int) -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while buffer.count < count {
      let received = recv(descriptor, &chunk, chunk.count, 0)
      guard received > 0 else { return nil }
      buffer += chunk[..<received]
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }
}
