import Foundation
import Glibc

/// A TCP connection on which bytes are sent and read as they are.
final class RawConnection {
  let descriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var hasEnded = false

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafeBytes(of: address) { bytes in
      connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard connected == 0 else { throw DeadlinePassed() }
  }

  deinit { close(descriptor) }

  /// Sends all, or as much as the other side still takes.
  @discardableResult
  func send(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  /// Reads until the condition holds or the other side has ended.
  func read(seconds: Double = 20, until isDone: (RawConnection) -> Bool) throws {
    let limit = Date().addingTimeInterval(seconds)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while !isDone(self), !hasEnded {
      var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&item, 1, Int32(max(0, limit.timeIntervalSinceNow * 1000))) > 0 else { throw DeadlinePassed() }
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 { received += buffer[..<count] } else { hasEnded = true }
    }
  }

  func readToEnd(seconds: Double = 20) throws { try read(seconds: seconds) { _ in false } }
}
