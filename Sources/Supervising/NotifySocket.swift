internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where children say how they are: the server side of `sd_notify(3)`.
final class NotifySocket {
  /// One message, and who sent it according to the kernel.
  struct Message {
    let sender: Int32
    let isReady: Bool
    let isAlive: Bool
    let status: String?
    /// What it says of plans.
    let shard: ShardWord?
  }

  let descriptor: Int32
  private let path: String
  private var buffer = [UInt8](repeating: 0, count: 8192)

  /// Binds the socket; a file that a dead supervisor left is replaced.
  /// - Parameters:
  ///   - path: where it is bound.
  ///   - inherited: the socket itself, where somebody kept it open, with what was said meanwhile.
  /// - Throws: `SystemError`.
  init(path: String, inherited: Int32?) throws(SystemError) {
    self.path = path
    if let inherited, Self.isBound(inherited, to: path) {
      descriptor = inherited
      _ = bh_fcntl(inherited, F_SETFD, FD_CLOEXEC)
      return
    }
    guard let (target, length) = Readiness.socketAddress(path) else {
      throw SystemError("bind \(path)", code: ENAMETOOLONG)
    }
    var address = target
    descriptor = try systemCall("socket") { socket(AF_UNIX, bh_socket_datagram_flags(), 0) }
    unlink(path)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    // Children of other users speak here too; who speaks is told by the kernel, not by the permissions.
    guard result == 0, chmod(path, 0o666) == 0, bh_set_passcred(descriptor) == 0 else {
      let error = SystemError.last("bind \(path)")
      close(descriptor)
      throw error
    }
  }

  deinit {
    close(descriptor)
    unlink(path)
  }

  /// Whether a descriptor is the socket that is found under a path.
  private static func isBound(_ descriptor: Int32, to path: String) -> Bool {
    var address = sockaddr_un()
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    let name = withUnsafeBytes(of: &address.sun_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return result == 0 && name == path && access(path, F_OK) == 0
  }

  /// Takes one message; nil where none is waiting.
  func receive() -> Message? {
    var sender: Int32 = 0
    let count = bh_receive_with_pid(descriptor, &buffer, buffer.count, &sender)
    guard count >= 0 else { return nil }
    let text = String(decoding: buffer[..<count], as: UTF8.self)
    let lines = text.split(separator: "\n")
    return Message(
      sender: sender, isReady: lines.contains("READY=1"), isAlive: lines.contains("WATCHDOG=1"),
      status: lines.last { $0.hasPrefix("STATUS=") }.map { String($0.dropFirst(7)) }, shard: ShardWord(lines))
  }
}
