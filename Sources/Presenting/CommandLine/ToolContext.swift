package import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a command of the tool has to work with.
package struct ToolContext: Sendable {
  /// How it was called.
  package let invocation: Invocation
  /// The settings of the group.
  package let settings: Settings
  /// The variables of the tool's own environment.
  package let environment: [String: String]

  package init(_ invocation: Invocation, settings: Settings, environment: [String: String]) {
    self.invocation = invocation
    self.settings = settings
    self.environment = environment
  }

  /// Where sockets, logs and other passing things are.
  package var runDirectory: String { settings.path("bulkhead", "run_dir") }
  /// Where journal and ledger are.
  package var dataDirectory: String { settings.path("bulkhead", "data_dir") }
  /// Whether JSON is wanted.
  var wantsJSON: Bool { invocation.has("--json") }
  /// The supervisor of the group.
  var supervisor: SupervisorClient { SupervisorClient(runDirectory: runDirectory) }
  /// A name for the bus that no other process has.
  var busName: String { "bulkhead-\(getpid())" }

  /// At most how many rows are wanted.
  func limit() throws(ToolError) -> Int { try invocation.integer("--limit", in: 1...1_000_000) ?? 20 }

  /// A report in the form that is wanted.
  func print(_ report: Report, empty: String) -> String { wantsJSON ? report.json : report.table(empty: empty) }
}

extension Command.Option {
  /// The option of every command that answers a question.
  static let json = Command.Option(["--json"], "prints JSON")
  static let limit = Command.Option(["--limit", "-n"], value: "N", "at most so many rows; 20 otherwise")
}

/// Writes to standard output; a reader that has gone away is no error.
func writeOut(_ text: String) {
  var text = text
  text.withUTF8 { bytes in
    var rest = UnsafeRawBufferPointer(bytes)
    while let base = rest.baseAddress, rest.count > 0 {
      let count = write(1, base, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        return
      }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
  }
}

/// Whether somebody listens on a unix socket: a file alone may be left over.
///
/// The corresponding C function is `connect`.
func isListening(_ path: String) -> Bool {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  let bytes = Array(path.utf8)
  guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
    }
  }
}
