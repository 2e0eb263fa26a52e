import Foundation
import Glibc
import Testing
import Web

/// What keys of the configuration do to real processes.
@Suite(.serialized) struct KeyEffectTests {
  private static let isRoot = geteuid() == 0

  /// A program that says something at its start and then waits.
  private func program(_ name: String, says command: String, _ keys: String = "") -> String {
    "[program:\(name)]\ncommand=/bin/sh -c '\(command); echo end; exec sleep 1000'\nstartsecs=0\n"
      + "stdout_logfile=DIR/\(name).out\n\(keys)\n"
  }

  private func said(_ name: String, _ supervisor: RunningSupervisor) throws -> [String] {
    try until(60) { supervisor.file("\(name).out").hasSuffix("end\n") }
    return supervisor.file("\(name).out").components(separatedBy: "\n").dropLast(2).map(\.self)
  }

  @Test func `a process works in its directory, with its umask`() throws {
    let supervisor = try RunningSupervisor(program("a", says: "pwd; umask", "directory=/usr\numask=027"))
    #expect(try said("a", supervisor) == ["/usr", "0027"])
  }

  @Test(.enabled(if: isRoot, "only root can become another user"))
  func `a process runs as its user, with the groups of that user`() throws {
    let supervisor = try RunningSupervisor(program("a", says: "id -un; id -gn; id -Gn; echo $HOME", "user=nobody"))
    #expect(try said("a", supervisor) == ["nobody", "nogroup", "nogroup", "/nonexistent"])
  }

  @Test func `numbers of processes begin where the configuration says`() throws {
    let supervisor = try RunningSupervisor(
      program("a", says: ":", "numprocs=3\nnumprocs_start=5\nprocess_name=%(program_name)s_%(process_num)02d"))
    for name in ["a_05", "a_06", "a_07"] { _ = try supervisor.spawned("a:" + name) }
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    #expect(all.compactMap { $0["name"]?.string } == ["a_05", "a_06", "a_07"])
  }

  @Test func `logs without a name of their own are in childlogdir`() throws {
    let supervisor = try RunningSupervisor(
      "[supervisord]\nidentifier=keys\nchildlogdir=DIR/logs\n"
        + "[program:a]\ncommand=/bin/sh -c 'echo here; exec sleep 1000'\nstartsecs=0\nstdout_logfile=AUTO\n")
    let pid = try supervisor.spawned("a")
    let info = try supervisor.value("supervisor.getProcessInfo", "a")
    let path = try #require(info["stdout_logfile"]?.string)
    #expect(path.hasPrefix(supervisor.directory + "/logs/a-stdout"))
    try until(60) { (try? String(contentsOfFile: path, encoding: .utf8)) == "here\n" }
    #expect(pid > 0)
  }

  /// Says which of the two got the signal that is to stop them.
  private func family(_ keys: String, childIgnores: Bool = false) -> String {
    let trap = childIgnores ? "trap \"\" TERM" : "trap \"echo child; exit 0\" TERM"
    return "[program:a]\ncommand=/bin/sh -c '(\(trap); echo up; while :; do sleep 0.01; done) & "
      + "trap \"echo parent; exit 0\" TERM; while :; do sleep 0.01; done'\nstartsecs=0\nstopwaitsecs=30\n"
      + "stdout_logfile=DIR/a.out\n\(keys)\n"
  }

  @Test func `stopasgroup sends the stop signal to the whole group`() throws {
    let supervisor = try RunningSupervisor(family("stopasgroup=true"))
    let pid = try supervisor.spawned("a")
    try until(60) { supervisor.file("a.out").contains("up") }
    #expect(try supervisor.value("supervisor.stopProcess", "a").boolean == true)
    try until(60) { supervisor.file("a.out").contains("parent") }
    // Killed with the group where it was slower than its parent.
    try until(60) { kill(-pid, 0) != 0 }
  }

  @Test func `without stopasgroup the parent alone is told, and with killasgroup what it leaves is killed`() throws {
    let supervisor = try RunningSupervisor(family("killasgroup=true"))
    let pid = try supervisor.spawned("a")
    try until(60) { supervisor.file("a.out").contains("up") }
    #expect(try supervisor.value("supervisor.stopProcess", "a").boolean == true)
    try until(60) { kill(-pid, 0) != 0 }
    #expect(supervisor.file("a.out") == "up\nparent\n")
  }

  @Test func `minfds raises what the supervisor and its processes may open`() throws {
    let folder = "/tmp/keys-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let program = folder + "/few"
    try "#!/bin/sh\nulimit -Sn 300\nexec \(RunningSupervisor.program) \"$@\"\n"
      .write(toFile: program, atomically: true, encoding: .utf8)
    chmod(program, 0o755)
    let text = self.program("a", says: "ulimit -n")
    let few = try RunningSupervisor("[supervisord]\nminfds=200\n" + text, program: program)
    #expect(try said("a", few) == ["300"])
    let more = try RunningSupervisor("[supervisord]\nminfds=400\n" + text, program: program)
    #expect(try said("a", more) == ["400"])
  }

  @Test(.enabled(if: isRoot, "only root can give a socket away"))
  func `a shared socket has its mode, its owner and its backlog`() throws {
    let supervisor = try RunningSupervisor(
      "[fcgi-program:f]\ncommand=/bin/sleep 1000\nstartsecs=0\nsocket=unix://DIR/f.sock\nsocket_mode=0640\n"
        + "socket_owner=nobody:nogroup\nsocket_backlog=2\n")
    _ = try supervisor.spawned("f")
    let path = supervisor.directory + "/f.sock"
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o640)
    #expect((status.st_uid, status.st_gid) == (65534, 65534))
    // Nobody accepts: as many as wait, and one more, get in.
    var connected: [Int32] = []
    defer { for descriptor in connected { close(descriptor) } }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    while connected.count < 10 {
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      guard result == 0 else {
        #expect(errno == EAGAIN)
        close(descriptor)
        break
      }
      connected.append(descriptor)
    }
    #expect(connected.count == 3)
  }
}
