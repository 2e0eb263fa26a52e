import Foundation
import Glibc
import Testing
import Web

/// Followed logs, as any HTTP client gets them.
@Suite struct LogTailTests {
  /// One reader of `/logtail/…`.
  final class Reader {
    private let descriptor: Int32
    private var bytes: [UInt8] = []

    init(_ running: RunningSupervisor, _ path: String, socket: String = "/var/run/supervisor.sock") throws {
      descriptor = try connectUnix(running.directory + socket)
      let request = Array("GET \(path) HTTP/1.0\r\nHost: x\r\n\r\n".utf8)
      guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        throw Timeout(description: "short write")
      }
    }

    deinit { close(descriptor) }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var body: String { text.range(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? "" }

    /// Reads until the condition holds; false where the other side has ended before.
    @discardableResult
    func read(until isDone: (Reader) -> Bool) throws -> Bool {
      let limit = Date().addingTimeInterval(60)
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while !isDone(self) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, Int32(max(0, limit.timeIntervalSinceNow * 1000))) > 0 else {
          throw Timeout(description: "still: \(text.suffix(300))")
        }
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count <= 0 { return false }
        bytes += buffer[..<count]
      }
      return true
    }
  }

  private static let configuration = """
    [supervisord]
    logfile=DIR/main.log
    [program:a]
    command=/bin/cat
    startsecs=0
    stdout_logfile=DIR/a.log
    stdout_logfile_maxbytes=10000
    stdout_logfile_backups=2
    """

  private func running(_ text: String = configuration) throws -> RunningSupervisor {
    let running = try RunningSupervisor(text)
    try running.line("name=a", "to=RUNNING")
    return running
  }

  private func say(_ running: RunningSupervisor, _ text: String) throws {
    _ = try running.value("supervisor.sendProcessStdin", "a", .string(text))
  }

  @Test func `a log is followed through rotation, and nothing is lost or told twice`() throws {
    let running = try running()
    try say(running, "start\n")
    let readers = try (0..<3).map { _ in try Reader(running, "/logtail/a") }
    for reader in readers { try reader.read { $0.body.hasSuffix("start\n") } }
    var expected = "start\n"
    for round in 0..<40 {
      let line = "\(round) " + String(repeating: "x", count: 900) + "\n"
      expected += line
      try say(running, line)
      // Each line is seen before the next: two rotations at once would leave a file that has no name any more.
      for reader in readers { try reader.read { $0.body.count >= expected.count } }
    }
    for reader in readers { #expect(reader.body == expected) }
    #expect(FileManager.default.fileExists(atPath: running.directory + "/a.log.2"))
  }

  @Test func `truncation is told, and the log is followed on`() throws {
    let running = try running()
    try say(running, "one\n")
    let reader = try Reader(running, "/logtail/a/stdout")
    try reader.read { $0.body == "one\n" }
    _ = try running.value("supervisor.clearProcessLogs", "a")
    try reader.read { $0.body.contains("==> File truncated <==\n") }
    try say(running, "two\n")
    try reader.read { $0.body == "one\n==> File truncated <==\ntwo\n" }
  }

  @Test func `a log that is taken away and comes again is followed on`() throws {
    let running = try running()
    let path = running.directory + "/made.log"
    let other = try RunningSupervisor(
      "[program:a]\ncommand=/bin/cat\nstartsecs=0\nstdout_logfile=\(path)\n", directory: running.directory + "/other")
    try other.line("name=a", "to=RUNNING")
    try "first\n".write(toFile: path, atomically: false, encoding: .utf8)
    let reader = try Reader(other, "/logtail/a")
    try reader.read { $0.body.hasSuffix("first\n") }
    rename(path, path + ".old")
    try "second\n".write(toFile: path, atomically: false, encoding: .utf8)
    try reader.read { $0.body.hasSuffix("second\n") }
    unlink(path)
    try "third\n".write(toFile: path, atomically: true, encoding: .utf8)
    try reader.read { $0.body.hasSuffix("third\n") }
  }

  @Test func `it begins near the end, with a whole character, and pieces do not tear characters`() throws {
    let running = try running(Self.configuration.replacingOccurrences(of: "maxbytes=10000", with: "maxbytes=0"))
    try say(running, String(repeating: "ä", count: 3000) + "\n")
    try running.waitUntil { running.file("a.log").count == 3001 }
    let reader = try Reader(running, "/logtail/a")
    try reader.read { $0.body.hasSuffix("ä\n") }
    #expect(reader.body.count <= 513 && reader.body.count > 500)
    #expect(reader.body.allSatisfy { $0 == "ä" || $0 == "\n" })
  }

  @Test func `what is not there cannot be followed`() throws {
    let running = try running()
    for path in [
      "/logtail/nope", "/logtail/a/nonsense", "/logtail", "/logtail/", "/logtail/a:b", "/nothing", "/logtail/a/../../x",
    ] {
      let reader = try Reader(running, path)
      #expect(try !reader.read { _ in false })
      #expect(reader.text.hasPrefix("HTTP/1.1 404") || reader.text.hasPrefix("HTTP/1.0 404"), "\(path) \(reader.text)")
    }
    let stderr = try Reader(running, "/logtail/a:a/stderr")
    try stderr.read { $0.text.contains("200 OK") }
    let main = try Reader(running, "/mainlogtail")
    try main.read { $0.body.contains("to=RUNNING") }
  }

  @Test func `readers that are gone are dropped, and those that do not read hold nobody up`() throws {
    let running = try running(Self.configuration.replacingOccurrences(of: "maxbytes=10000", with: "maxbytes=0"))
    func openFiles() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(running.pid)/fd").count
    }
    let before = try openFiles()
    for _ in 0..<50 { try Reader(running, "/logtail/a").read { $0.text.contains("\r\n\r\n") } }
    try running.waitUntil(seconds: 60) { try openFiles() <= before + 10 }
    // These never read, though there is a lot to read.
    let deaf = try (0..<20).map { _ in try Reader(running, "/logtail/a") }
    let keen = try Reader(running, "/logtail/a")
    let line = String(repeating: "y", count: 60_000) + "\n"
    var sent = 0
    for _ in 0..<40 {
      try say(running, line)
      sent += line.utf8.count
      try keen.read { $0.body.utf8.count >= sent }
    }
    #expect(keen.body.utf8.count == sent)
    #expect(try running.value("supervisor.getState")["statename"]?.string == "RUNNING")
    withExtendedLifetime(deaf) {}
  }
}

/// Connects to a socket file.
func connectUnix(_ path: String) throws -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
  let connected = withUnsafeBytes(of: address) { bytes in
    connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
  }
  guard connected == 0 else {
    close(descriptor)
    throw Timeout(description: "cannot connect to \(path): \(errno)")
  }
  return descriptor
}
