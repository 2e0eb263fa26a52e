import Foundation
import Glibc
import TestSupport
import Web

/// Why a test could not go on.
struct Timeout: Error, CustomStringConvertible {
  let description: String
}

/// Waits until a condition holds, where no line of a log tells of it.
func until(_ seconds: Double = 20, _ condition: () throws -> Bool) throws {
  try wait("the condition", seconds: seconds, condition)
}

/// The built `supervisor`, run on a configuration in a directory of its own, and followed by its log.
///
/// Waiting is for lines of the log, answers of the control socket or the end of a process, each with a deadline.
final class RunningSupervisor {
  let directory: String
  let pid: Int32
  private let isGuest: Bool
  private let log: Int32
  private(set) var lines: [String] = []
  private var unfinished = ""
  private var place = 0
  private var hasLogEnded = false
  private var status: Int32?

  static let program: String = {
    let test = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return (test as NSString).deletingLastPathComponent + "/supervisor"
  }()

  /// Starts one; `configuration` may name `DIR`.
  ///
  /// A guest in the directory of another writes a file of its own, and leaves what is there alone.
  init(
    _ configuration: String, directory: String? = nil, isGuest: Bool = false, foreground: Bool = true,
    program: String = RunningSupervisor.program
  ) throws {
    self.isGuest = isGuest
    self.directory = directory ?? "/tmp/supervising-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
    let path = self.directory + "/supervisor.conf"
    let text = configuration.replacingOccurrences(of: "DIR", with: self.directory)
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    var ends: [Int32] = [0, 0]
    // Whoever is spawned meanwhile must not hold the writing end: the log would have no end.
    guard pipe(&ends) == 0 else { throw Timeout(description: "no pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    posix_spawn_file_actions_addclose(&actions, ends[1])
    // A group of its own, so that a supervisor and its standby can be killed together.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    let arguments: [String] = [program, "-c", path] + (foreground ? ["-n"] : [])
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/bin:/bin"), strdup("LANG=C"), nil]
    defer { (pointers + environment).forEach { free($0) } }
    var child: Int32 = 0
    let result = posix_spawn(&child, program, &actions, &attributes, &pointers, &environment)
    close(ends[1])
    log = ends[0]
    pid = child
    guard result == 0 else { throw Timeout(description: "cannot run \(Self.program)") }
  }

  deinit {
    if status == nil {
      kill(pid, SIGTERM)
      _ = try? end(within: 15)
    }
    if !isGuest, let stand = currentPid, stand != pid, isAlive(stand) {
      kill(stand, SIGTERM)
      try? until(60) { !isAlive(stand) }
    }
    kill(-pid, SIGKILL)
    if status == nil { waitpid(pid, nil, 0) }
    for child in isGuest ? [] : copies() { kill(child, SIGKILL) }
    close(log)
    if !isGuest { try? FileManager.default.removeItem(atPath: directory) }
  }

  // MARK: - The log

  /// The next line of the log that holds all of `parts`; lines before it are passed.
  @discardableResult
  func line(_ parts: String..., within seconds: Double = 60) throws -> String {
    let limit = Date().addingTimeInterval(seconds)
    while true {
      while place < lines.count {
        place += 1
        if parts.allSatisfy(lines[place - 1].contains) { return lines[place - 1] }
      }
      guard try readLog(until: limit) else {
        throw Timeout(description: "no line with \(parts) in:\n" + lines.joined(separator: "\n"))
      }
    }
  }

  /// The pid that the next spawn of a process gets.
  func spawned(_ name: String, within seconds: Double = 60) throws -> Int32 {
    let found = try line("process spawned", "name=\(name) ", within: seconds)
    return Int32(found.components(separatedBy: "pid=").last ?? "") ?? 0
  }

  /// Goes back to the first line.
  func rewind() { place = 0 }

  private func readLog(until limit: Date) throws -> Bool {
    var item = pollfd(fd: log, events: Int16(POLLIN), revents: 0)
    let wait = Int32(max(0, limit.timeIntervalSinceNow * 1000))
    guard poll(&item, 1, wait) > 0 else { return false }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = read(log, &bytes, bytes.count)
    guard count > 0 else {
      hasLogEnded = true
      return false
    }
    unfinished += String(decoding: bytes[..<count], as: UTF8.self)
    var parts = unfinished.components(separatedBy: "\n")
    unfinished = parts.removeLast()
    lines += parts
    return true
  }

  // MARK: - The end

  /// Waits for the supervisor to end; answers its exit code, or −1 for a signal.
  @discardableResult
  func end(within seconds: Double = 60) throws -> Int32 {
    let limit = Date().addingTimeInterval(seconds)
    // Its log ends with it.
    while try readLog(until: limit) {}
    guard status != nil || hasLogEnded else { throw Timeout(description: "the supervisor does not end") }
    if status == nil {
      var value: Int32 = 0
      waitpid(pid, &value, 0)
      status = value
    }
    let value = status ?? 0
    return value & 0x7F == 0 ? (value >> 8) & 0xFF : -1
  }

  /// Kills the supervisor as nothing can be caught; its standby too where `both` says so.
  func killHard(both: Bool = false) {
    kill(both ? -pid : pid, SIGKILL)
    guard status == nil else { return }
    var value: Int32 = 0
    waitpid(pid, &value, 0)
    status = value
  }

  /// The pid of whoever supervises here now, by the pid file.
  var currentPid: Int32? {
    Int32(file("var/run/supervisor.pid").trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// The standby of a supervisor; nil where it has none.
  func standbyOf(_ parent: Int32) -> Int32? {
    let children = (try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)) ?? ""
    return children.split(separator: " ").compactMap { Int32($0) }.first { pid in
      FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
        .map { String(decoding: $0, as: UTF8.self).contains("--standby") } ?? false
    }
  }

  /// The living processes that a supervisor of this directory spawned: leaders of their groups that bear its mark.
  /// - Parameter name: only those of this process, `group:name`; nil: all.
  /// - Returns: their pids.
  func copies(of name: String? = nil) -> [Int32] {
    let mark = "BULKHEAD_CHILD=\(directory)/var/run|" + (name.map { $0 + "\0" } ?? "")
    let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
    return pids.filter { pid in
      guard getpgid(pid) == pid, isAlive(pid), let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/environ")
      else { return false }
      return ("\0" + String(decoding: bytes, as: UTF8.self)).contains("\0" + mark)
    }
  }

  // MARK: - Control

  /// A call of the control interface; nil parameters none.
  func call(_ method: String, _ parameters: XMLRPCValue...) throws -> XMLRPCResponse { try call(method, parameters) }

  /// The same, with the parameters in an array.
  func call(_ method: String, _ parameters: [XMLRPCValue]) throws -> XMLRPCResponse {
    let body = XMLRPC.write(XMLRPCCall(method, parameters))
    let head = "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array((directory + "/var/run/supervisor.sock").utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0 else { throw Timeout(description: "no control socket") }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let request = Array(head.utf8) + body
    guard write(descriptor, request, request.count) == request.count else { throw Timeout(description: "short write") }
    var answer: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &bytes, bytes.count)
      if count <= 0 { break }
      answer += bytes[..<count]
    }
    let text = String(decoding: answer, as: UTF8.self)
    guard let start = text.range(of: "\r\n\r\n") else { throw Timeout(description: "no answer to \(method): \(text)") }
    return try XMLRPC.readResponse(Array(text[start.upperBound...].utf8))
  }

  /// The value that a call answers.
  func value(_ method: String, _ parameters: XMLRPCValue...) throws -> XMLRPCValue {
    let response =
      switch parameters.count {
      case 0: try call(method)
      case 1: try call(method, parameters[0])
      case 2: try call(method, parameters[0], parameters[1])
      default: try call(method, parameters[0], parameters[1], parameters[2])
      }
    guard case .value(let value) = response else { throw Timeout(description: "\(method): \(response)") }
    return value
  }

  /// Tries a condition again and again; between two tries the supervisor's loop goes round once.
  func waitUntil(seconds: Double = 10, _ condition: () throws -> Bool) throws {
    let limit = Date().addingTimeInterval(seconds)
    while try !condition() {
      if Date() > limit { throw Timeout(description: "the condition does not come about") }
      _ = try call("supervisor.getPID")
    }
  }

  /// The contents of a file in the directory.
  func file(_ name: String) -> String {
    (try? String(contentsOfFile: directory + "/" + name, encoding: .utf8)) ?? ""
  }
}

/// Any other program, which does not outlive the test.
final class RunningCommand {
  let pid: Int32
  private var status: Int32?

  init(_ program: String, _ arguments: [String]) throws {
    var pointers: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var child: Int32 = 0
    guard posix_spawn(&child, program, nil, &attributes, &pointers, nil) == 0 else {
      throw Timeout(description: "cannot run \(program)")
    }
    pid = child
  }

  deinit {
    guard status == nil else { return }
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
  }

  /// Waits for its end; answers its exit code, or −1 for a signal.
  func end(within seconds: Double = 60) throws -> Int32 {
    let limit = Date().addingTimeInterval(seconds)
    var value: Int32 = 0
    while waitpid(pid, &value, WNOHANG) == 0 {
      guard Date() < limit else { throw Timeout(description: "\(pid) does not end") }
      usleep(2000)
    }
    status = value
    return value & 0x7F == 0 ? (value >> 8) & 0xFF : -1
  }
}

/// Whether a process is there and has not ended.
func isAlive(_ pid: Int32) -> Bool {
  guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
  let state = stat.components(separatedBy: ") ").last?.first
  return state != "Z" && state != "X"
}

/// Whether a process is there, dead ones that nobody has reaped among them.
func isPresent(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }
