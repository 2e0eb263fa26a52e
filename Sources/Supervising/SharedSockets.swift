internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// The listening sockets of `[fcgi-program:x]`; each is made with the first process that needs it, and stays.
final class SharedSockets {
  private var descriptors: [SharedSocketSpecification: Int32] = [:]

  /// The descriptor of a socket; it belongs to this object.
  /// - Throws: `SystemError` where the socket cannot be made.
  func descriptor(_ specification: SharedSocketSpecification) throws(SystemError) -> Int32 {
    if let known = descriptors[specification] { return known }
    let made: Int32
    switch specification.address {
    case .unix(let path, let mode, let owner): made = try Self.unixSocket(path, mode: UInt32(mode), owner: owner)
    case .tcp(let host, let port): made = try Self.tcpSocket(host, port)
    }
    guard listen(made, Int32(clamping: specification.backlog ?? Int(SOMAXCONN))) == 0 else {
      let error = SystemError.last("listen")
      close(made)
      throw error
    }
    descriptors[specification] = made
    return made
  }

  /// Whether a descriptor for it is there already.
  func has(_ specification: SharedSocketSpecification) -> Bool { descriptors[specification] != nil }

  /// Takes over a descriptor that somebody else has made.
  func adopt(_ descriptor: Int32, as specification: SharedSocketSpecification) {
    descriptors.updateValue(descriptor, forKey: specification).map { _ = close($0) }
  }

  /// Closes those that nobody needs any more.
  func keep(_ isNeeded: (SharedSocketSpecification) -> Bool) {
    for specification in Array(descriptors.keys) where !isNeeded(specification) { remove(specification) }
  }

  private func remove(_ specification: SharedSocketSpecification) {
    guard let descriptor = descriptors.removeValue(forKey: specification) else { return }
    close(descriptor)
    if case .unix(let path, _, _) = specification.address { unlink(path) }
  }

  /// Closes all, and removes their files.
  func closeAll() { keep { _ in false } }

  /// The corresponding C functions are `socket`, `bind`, `chown` and `chmod`.
  private static func unixSocket(
    _ path: String, mode: UInt32, owner: SharedSocketSpecification.Owner?
  ) throws(SystemError) -> Int32 {
    guard let (target, length) = Readiness.socketAddress(path) else {
      throw SystemError("bind \(path)", code: ENAMETOOLONG)
    }
    var address = target
    let made = try systemCall("socket") {
      socket(AF_UNIX, bh_socket_stream_flags() & ~Int32(SOCK_NONBLOCK.rawValue), 0)
    }
    unlink(path)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(made, $0, length) }
    }
    if result == 0, owner.map({ chown(path, $0.uid, $0.gid ?? .max) == 0 }) ?? true, chmod(path, mode) == 0 {
      return made
    }
    let error = SystemError.last("bind \(path)")
    close(made)
    throw error
  }

  /// The corresponding C functions are `getaddrinfo`, `socket` and `bind`.
  private static func tcpSocket(_ host: String, _ port: UInt16) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0, let first = found else {
      throw SystemError("find the address of \(host)", code: EADDRNOTAVAIL)
    }
    defer { freeaddrinfo(first) }
    let flags = bh_socket_stream_flags() & ~Int32(SOCK_NONBLOCK.rawValue)
    let made = try systemCall("socket") { socket(AF_INET, flags, 0) }
    var yes: Int32 = 1
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard bind(made, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
      let error = SystemError.last("bind \(host):\(port)")
      close(made)
      throw error
    }
    return made
  }
}
