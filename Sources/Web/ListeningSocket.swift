internal import CLinux
internal import Daemon
internal import Glibc

/// Where a server listens.
public enum ListenAddress: Sendable {
  /// A TCP address; port 0 lets the system choose. The host is a name or an address, such as `127.0.0.1`.
  case tcp(host: String, port: UInt16)
  /// A unix socket at that path, with that mode; a socket that was left behind there is replaced.
  case unix(path: String, mode: UInt32)
}

/// Makes sockets that listen.
enum ListeningSocket {
  /// Opens a socket that listens, does not block, and is closed in child processes.
  /// - Throws: `SystemError`.
  static func open(_ address: ListenAddress, backlog: Int32) throws(SystemError) -> Int32 {
    switch address {
    case .tcp(let host, let port): try openTCP(host: host, port: port, backlog: backlog)
    case .unix(let path, let mode): try openUnix(path: path, mode: mode, backlog: backlog)
    }
  }

  /// The port that a TCP socket is bound to; 0 for a unix socket.
  static func port(of descriptor: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      let address = UnsafeMutableRawPointer(storage)
      guard getsockname(descriptor, address.assumingMemoryBound(to: sockaddr.self), &length) == 0 else { return 0 }
      switch Int32(storage.pointee.ss_family) {
      case AF_INET: return UInt16(bigEndian: address.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port)
      case AF_INET6: return UInt16(bigEndian: address.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_port)
      default: return 0
      }
    }
  }

  private static func make(_ family: Int32) throws(SystemError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return try systemCall("socket") { socket(family, type, 0) }
  }

  private static func openTCP(host: String, port: UInt16, backlog: Int32) throws(SystemError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0, let first = list else {
      throw SystemError("getaddrinfo \(host)", code: code == EAI_SYSTEM ? errno : EADDRNOTAVAIL)
    }
    defer { freeaddrinfo(list) }
    let descriptor = try make(first.pointee.ai_family)
    do throws(SystemError) {
      var on: Int32 = 1
      try systemCall("setsockopt") {
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
      }
      try systemCall("bind \(host):\(port)") { bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) }
      try systemCall("listen") { listen(descriptor, backlog) }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func openUnix(path: String, mode: UInt32, backlog: Int32) throws(SystemError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
      guard bytes.count < place.count, !bytes.contains(0) else { return false }
      place.copyBytes(from: bytes)
      return true
    }
    guard fits else { throw SystemError("bind \(path)", code: ENAMETOOLONG) }
    try removeLeftover(path, address)
    let descriptor = try make(AF_UNIX)
    do throws(SystemError) {
      // Nobody may connect between bind and chmod: before listen, nobody can.
      try systemCall("bind \(path)") { withAddress(address) { bind(descriptor, $0, $1) } }
      try systemCall("chmod \(path)") { chmod(path, mode) }
      try systemCall("listen") { listen(descriptor, backlog) }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Removes a socket on which nobody listens any more, and nothing else.
  private static func removeLeftover(_ path: String, _ address: sockaddr_un) throws(SystemError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("bind \(path)", code: EADDRINUSE) }
    let probe = try make(AF_UNIX)
    defer { close(probe) }
    let answer = withAddress(address) { connect(probe, $0, $1) }
    guard answer != 0, errno == ECONNREFUSED || errno == ENOENT else {
      throw SystemError("bind \(path)", code: EADDRINUSE)
    }
    unlink(path)
  }

  private static func withAddress<Result>(
    _ address: sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafeBytes(of: address) { bytes in
      body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
  }
}
