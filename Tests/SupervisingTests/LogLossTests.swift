import Foundation
import Glibc
import Testing

/// Nothing that processes say is lost or doubled where the supervisor is killed while they flood it.
@Suite(.serialized) struct LogLossTests {
  private static let copies = 4
  private static let lines = 300_000

  /// Programs that say the numbers of lines as fast as they can when `DIR/go` is there, and the files that they go to.
  private static let kinds: [(name: String, more: String, extra: String)] = [
    ("plain", "stdout_logfile_maxbytes=0", ""),
    ("rotated", "stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=30", ""),
    ("stamped", "stdout_logfile_maxbytes=0", "log_timestamps=true"),
    ("both", "stdout_logfile_maxbytes=3MB\nstdout_logfile_backups=30", "log_timestamps=true"),
    ("told", "stdout_logfile_maxbytes=2MB\nstdout_logfile_backups=30\nstdout_events_enabled=true", ""),
  ]

  private func configuration(_ more: String) -> String {
    Self.kinds.reduce(more) { text, kind in
      text + "[program:\(kind.name)]\nprocess_name=%(program_name)s%(process_num)d\nnumprocs=\(Self.copies)\n"
        + "command=/bin/sh -c 'while ! test -e DIR/go; do sleep 0.02; done; seq -f \"%%.0f of this flood\" \(Self.lines); "
        + "echo x > DIR/done.%(program_name)s%(process_num)d; exec sleep 1000'\nstartsecs=0\n"
        + "stdout_logfile=DIR/%(program_name)s%(process_num)d.log\nstderr_logfile=NONE\n\(kind.more)\n"
        + "[bulkhead:program:\(kind.name)]\n\(kind.extra)\n"
    }
  }

  private var names: [String] {
    Self.kinds.flatMap { kind in (0..<Self.copies).map { "\(kind.name)\($0)" } }
  }

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private func size(_ directory: String) -> Int {
    names.reduce(0) { sum, name in
      var status = stat()
      return sum + (stat("\(directory)/\(name).log", &status) == 0 ? Int(status.st_size) : 0)
    }
  }

  /// Waits until logs grow, and then a moment more.
  private func waitForFlood(_ directory: String) throws {
    let before = size(directory)
    try until(60) { size(directory) != before || hasEnded(directory) }
    usleep(UInt32.random(in: 0...20_000))
  }

  private func hasEnded(_ directory: String) -> Bool { names.allSatisfy { exists("\(directory)/done.\($0)") } }

  /// Whether a disk was so slow that output was dropped on purpose, which is told.
  private func wasStuck(_ directory: String) -> Bool {
    let log = (try? String(contentsOfFile: directory + "/var/run/logs/supervisor.log", encoding: .utf8)) ?? ""
    guard log.contains("output is dropped") else { return false }
    print("not decided: the disk stood still for longer than the pump waits")
    return true
  }

  /// The lines of a process in all its files, the oldest first, without their times.
  private func check(_ directory: String, _ name: String) {
    let rotated = (1...30).reversed().map { "\(directory)/\(name).log.\($0)" }
    var expected = 1
    var wrong = 0
    for path in rotated + ["\(directory)/\(name).log"] {
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      #expect(data.last == 0x0A, "\(path)")
      for line in data.split(separator: 0x0A) {
        var text = line[...]
        let time = text.prefix(25)
        if time.count == 25, time[time.startIndex + 10] == UInt8(ascii: "T") { text = text.dropFirst(25) }
        let number = text.prefix { $0 != 0x20 }.reduce(0) { $0 &* 10 &+ (Int($1) - 48) }
        if number != expected || text.dropFirst(text.prefix { $0 != 0x20 }.count) != Data(" of this flood".utf8) {
          wrong += 1
          if wrong < 4 { Issue.record("\(path): \(String(decoding: line, as: UTF8.self)) instead of \(expected)") }
        }
        expected = number + 1
      }
    }
    #expect(expected == Self.lines + 1, "\(name)")
  }

  @Test func `of a flood of twenty processes nothing is lost where their supervisor is killed again and again`()
    async throws
  {
    try await onThread { try killAgainAndAgain() }
  }

  private func killAgainAndAgain() throws {
    let supervisor = try RunningSupervisor(configuration(""))
    try until(60) { supervisor.copies().count == names.count }
    let directory = supervisor.directory
    _ = FileManager.default.createFile(atPath: directory + "/go", contents: nil)
    var kills = 0
    var killed: Set<Int32> = []
    while !hasEnded(directory), kills < 12 {
      var pid: Int32 = 0
      try until(60) {
        pid = supervisor.currentPid ?? 0
        return hasEnded(directory) || (pid > 0 && !killed.contains(pid) && supervisor.standbyOf(pid) != nil)
      }
      try waitForFlood(directory)
      guard !hasEnded(directory), pid > 0, !killed.contains(pid) else { break }
      killed.insert(pid)
      if pid == supervisor.pid { supervisor.killHard() } else { kill(pid, SIGKILL) }
      kills += 1
    }
    #expect(kills >= 1)
    try until(180) { hasEnded(directory) }
    var pid: Int32 = 0
    // The pid file names the dead one until the next has taken its place.
    try until(60) {
      pid = supervisor.currentPid ?? 0
      return pid > 0 && !killed.contains(pid)
    }
    kill(pid, SIGTERM)
    try until(60) { !isAlive(pid) }
    guard !wasStuck(directory) else { return }
    for name in names { check(directory, name) }
    #expect(!exists(directory + "/var/run/pump.mark"))
  }

  @Test func `nor where nobody stands by, and the next supervisor is started by hand`() async throws {
    try await onThread { try killAndStartByHand() }
  }

  private func killAndStartByHand() throws {
    let alone = configuration("[bulkhead:supervisor]\nstandby=false\n")
    var supervisors = [try RunningSupervisor(alone)]
    let directory = supervisors[0].directory
    try until(60) { supervisors[0].copies().count == names.count }
    _ = FileManager.default.createFile(atPath: directory + "/go", contents: nil)
    while !hasEnded(directory), supervisors.count < 8, let last = supervisors.last {
      try waitForFlood(directory)
      last.killHard(both: true)
      supervisors.append(try RunningSupervisor(alone, directory: directory))
    }
    #expect(supervisors.count >= 2)
    let last = try #require(supervisors.last)
    try until(180) { hasEnded(directory) }
    kill(last.pid, SIGTERM)
    #expect(try last.end() == 0)
    guard !wasStuck(directory) else { return }
    for name in names { check(directory, name) }
  }
}
