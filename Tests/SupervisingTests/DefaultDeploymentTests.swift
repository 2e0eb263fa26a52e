import Foundation
import Glibc
import TestSupport
import Testing

/// The repository's own `supervisor.conf` under the stock supervisord.
@Suite struct DefaultDeploymentTests {
  @Test func `the stock supervisord runs our supervisor.conf`() throws {
    if let absence = StockReader.absence {
      print("not run by supervisord: \(absence)")
      return
    }
    let directory = "/tmp/deployment-\(UUID().uuidString.prefix(13))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(atPath: directory + "/var/run/logs", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: directory + "/bin", withIntermediateDirectories: true)
    let text = try String(contentsOf: Places.package.appending(path: "supervisor.conf"), encoding: .utf8)
    try text.write(toFile: directory + "/supervisor.conf", atomically: true, encoding: .utf8)
    let programs = text.split(separator: "\n").filter { $0.hasPrefix("[program:") }.map {
      String($0.dropFirst("[program:".count).dropLast())
    }
    let names = Set(text.matches(of: /ENV_BULKHEAD_BIN\)s\/([a-z]+)/).map { String($0.1) })
    for name in names {
      let path = directory + "/bin/" + name
      try "#!/bin/sh\nexec sleep 1000\n".write(toFile: path, atomically: true, encoding: .utf8)
      chmod(path, 0o755)
    }
    let supervisord = try StockSupervisor(
      path: directory + "/supervisor.conf", environment: ["BULKHEAD_BIN": directory + "/bin"])
    let log = directory + "/var/run/supervisord.log"
    var pids: [String: Int32] = [:]
    let limit = Date().addingTimeInterval(40)
    while pids.count < programs.count, Date() < limit {
      let lines = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      for found in lines.matches(of: /spawned: '([^']+)' with pid ([0-9]+)/) {
        pids[String(found.1)] = Int32(found.2)
      }
      usleep(50_000)
    }
    #expect(Set(pids.keys) == Set(programs))
    supervisord.end()
    for (name, pid) in pids { #expect(kill(pid, 0) != 0, "\(name) lives on") }
  }
}
