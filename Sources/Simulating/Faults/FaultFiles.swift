internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#endif

/// Faults that a client finds before it has a connection: one file for each venue, which its endpoints follow.
///
/// `RUN/simulator.faults/VENUE` holds `SCHEME://HOST:PORT`, with a host that cannot be resolved, a port that speaks no
/// TLS, or one that refuses; endpoints of the simulator lead there instead of to `RUN/simulator.address`.
final class FaultFiles {
  private let directory: String
  private let port: UInt16
  /// Bound, but not listening: nobody else can take the port, and connections are refused.
  private var refusing: Int32 = -1

  /// Forgets what an earlier simulator has left.
  init(runDirectory: String, port: UInt16) {
    directory = runDirectory + "/simulator.faults"
    self.port = port
    for venue in Venue.allCases { unlink(path(venue)) }
  }

  deinit {
    for venue in Venue.allCases { unlink(path(venue)) }
    rmdir(directory)
    if refusing >= 0 { close(refusing) }
  }

  private func path(_ venue: Venue) -> String { directory + "/" + venue.rawValue }

  /// Makes the files those of the faults that are active.
  /// - Throws: `SystemError`.
  func update(_ board: FaultBoard) throws(SystemError) {
    for venue in Venue.allCases {
      let kinds: [FaultKind] = [.dns, .tls, .refuse]
      guard let kind = kinds.first(where: { !board.active($0, venue).isEmpty }) else {
        unlink(path(venue))
        continue
      }
      mkdir(directory, 0o755)
      try writeFileAtomically(Array((try target(kind, venue) + "\n").utf8), to: path(venue))
    }
  }

  private func target(_ kind: FaultKind, _ venue: Venue) throws(SystemError) -> String {
    switch kind {
    case .dns: return "http://\(venue.rawValue).simulator.invalid:80"
    case .tls: return "https://127.0.0.1:\(port)"
    default: return "http://127.0.0.1:\(try refusingPort())"
    }
  }

  private func refusingPort() throws(SystemError) -> UInt16 {
    if refusing < 0 {
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      let made = try systemCall("socket") { socket(AF_INET, type, 0) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      let length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(made, $0, length) }
      }
      guard result == 0 else {
        let error = SystemError.last("bind")
        close(made)
        throw error
      }
      refusing = made
    }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(refusing, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
  }
}
