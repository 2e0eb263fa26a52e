package import CLinux
internal import Synchronization
#if canImport(Glibc)
  internal import Glibc
#endif

/// Tells the supervisor how this process is: the protocol of `sd_notify(3)`, so that systemd understands it too.
///
/// A message is one datagram to the socket that `NOTIFY_SOCKET` names; without that variable nothing is sent.
public struct Readiness: Sendable {
  /// The path, or `@name` for an abstract address; empty where nobody listens.
  public let address: String
  private let memory = Memory()

  /// What was said, shared by all copies.
  private final class Memory: Sendable {
    let isReady = Atomic<Bool>(false)
  }

  /// Takes the address from the environment.
  /// - Parameter environment: where `NOTIFY_SOCKET` is looked up.
  public init(environment: [String: String]) {
    address = environment["NOTIFY_SOCKET"] ?? ""
  }

  /// Sends a message as it stands, such as `WATCHDOG=1`.
  /// - Parameter message: lines `NAME=value`, separated by newlines.
  /// - Returns: whether it was handed over; false too where nobody listens.
  @discardableResult
  public func send(_ message: String) -> Bool {
    guard !address.isEmpty, let (target, length) = Self.socketAddress(address) else { return false }
    var socketAddress = target
    let descriptor = socket(AF_UNIX, bh_socket_datagram_flags(), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var text = message
    let count = text.withUTF8 { bytes in
      withUnsafePointer(to: &socketAddress) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(descriptor, bytes.baseAddress, bytes.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL), $0, length)
        }
      }
    }
    return count == message.utf8.count
  }

  /// Says that the process does its work.
  /// - Parameter status: one line for people.
  /// - Returns: whether it was handed over.
  @discardableResult
  public func ready(status: String) -> Bool {
    memory.isReady.store(true, ordering: .relaxed)
    return send("READY=1\nSTATUS=\(Self.line(status))")
  }

  /// Says what the process is doing.
  /// - Parameter status: one line for people.
  /// - Returns: whether it was handed over.
  @discardableResult
  public func status(_ status: String) -> Bool { send("STATUS=\(Self.line(status))") }

  /// Says that the process is on its way out.
  @discardableResult
  public func stopping() -> Bool { send("STOPPING=1") }

  /// Says that the process is alive, and again that it does its work where it has said so: a supervisor that was not
  /// there then hears it now.
  @discardableResult
  public func watchdog() -> Bool {
    send(memory.isReady.load(ordering: .relaxed) ? "READY=1\nWATCHDOG=1" : "WATCHDOG=1")
  }

  private static func line(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }

  /// The address of a socket by path, or in the abstract name space where it begins with `@`.
  package static func socketAddress(_ path: String) -> (sockaddr_un, socklen_t)? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    var bytes = Array(path.utf8)
    guard bytes.count < capacity, let first = bytes.first else { return nil }
    let abstract = first == UInt8(ascii: "@")
    if abstract { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let head = MemoryLayout<sockaddr_un>.size - capacity
    return (address, socklen_t(head + bytes.count + (abstract ? 0 : 1)))
  }
}
