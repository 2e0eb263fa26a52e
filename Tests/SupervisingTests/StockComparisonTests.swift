import Daemon
import Foundation
import Supervising
import Testing

/// Configuration files through the stock supervisord's reader and through ours.
@Suite struct StockComparisonTests {
  @Test func `what supervisord takes is taken and means the same, what it refuses is refused`() throws {
    if let absence = StockReader.absence {
      print("not compared with supervisord: \(absence)")
      return
    }
    let root = "/tmp/corpus-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    var paths: [String] = []
    for (index, item) in StockCorpus.all.enumerated() {
      let directory = "\(root)/\(index)"
      let text = item.text.contains("[supervisord]") ? item.text : "[supervisord]\n" + item.text
      for (name, text) in item.files.merging(["supervisord.conf": text], uniquingKeysWith: { $1 }) {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(
          atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      }
      paths.append("\(directory)/supervisord.conf")
    }
    let stock = try StockReader.read(paths, environment: StockCorpus.environment)
    for (path, item) in zip(paths, StockCorpus.all) {
      let expected = try #require(stock[path])
      let (configuration, errors) = SupervisorConfiguration.read(path: path, environment: StockCorpus.environment)
      let problem = expected["error"] as? String
      switch item.expectation {
      case .same:
        #expect(problem == nil, "supervisord refuses “\(item.name)”")
        #expect(errors == [], "“\(item.name)”")
        guard problem == nil, let configuration else { continue }
        compare(expected, configuration, item.name)
      case .refused:
        #expect(problem != nil, "supervisord takes “\(item.name)”")
        #expect(!errors.isEmpty, "“\(item.name)” is taken; supervisord says: \(problem ?? "")")
      case .oursRefuses:
        #expect(problem == nil, "supervisord refuses “\(item.name)”, too: \(problem ?? "")")
        #expect(!errors.isEmpty, "“\(item.name)” is taken")
      }
      for error in errors { #expect(error.line > 0, "“\(item.name)”: \(error)") }
    }
  }

  private func compare(_ stock: [String: Any], _ ours: SupervisorConfiguration, _ name: String) {
    let general = stock["general"] as? NSDictionary
    #expect(general == Self.general(ours) as NSDictionary, "[supervisord] of “\(name)”")
    let expected = stock["groups"] as? [[String: Any]] ?? []
    #expect(expected.map { $0["name"] as? String } == ours.groups.map(\.name), "groups of “\(name)”")
    for (left, right) in zip(expected, ours.groups) {
      #expect(left["priority"] as? Int == right.priority, "priority of “\(name)”")
      #expect(left["pool"] as? NSArray == Self.pool(right.kind) as NSArray?, "pool of “\(name)”")
      #expect(left["socket"] as? NSArray == Self.socket(right.kind) as NSArray?, "socket of “\(name)”")
      let processes = (left["processes"] as? [[String: Any]] ?? []).sorted { Self.name($0) < Self.name($1) }
      let found = right.processes.sorted { $0.name < $1.name }
      #expect(processes.map(Self.name) == found.map(\.name), "processes of “\(name)”")
      for (left, right) in zip(processes, found) {
        let right = Self.process(right)
        for key in Set(left.keys).union(right.keys).sorted() {
          let (one, other) = (left[key] as? NSObject ?? NSNull(), right[key] as? NSObject ?? NSNull())
          #expect(one == other, "\(key) of “\(name)”")
        }
      }
    }
  }

  private static func name(_ process: [String: Any]) -> String { process["name"] as? String ?? "" }

  private static func general(_ ours: SupervisorConfiguration) -> [String: Any] {
    [
      "identifier": ours.identifier, "umask": ours.umask, "minfds": ours.daemon.descriptorsMin,
      "minprocs": ours.daemon.processesMin, "logfile_maxbytes": ours.daemon.logFileMax,
      "logfile_backups": ours.daemon.logFileBackups, "nocleanup": ours.daemon.keepsOldLogs,
      "strip_ansi": ours.daemon.stripsEscapes, "silent": ours.daemon.isSilent,
      "nodaemon": ours.daemon.staysInForeground ?? false, "directory": ours.daemon.directory ?? NSNull(),
    ]
  }

  private static func pool(_ kind: GroupSpecification.Kind) -> [Any]? {
    guard case .eventListeners(let pool) = kind else { return nil }
    return [pool.bufferMax, pool.events.map(\.rawValue).sorted()]
  }

  private static func socket(_ kind: GroupSpecification.Kind) -> [Any]? {
    guard case .fastCGI(let socket) = kind else { return nil }
    switch socket.address {
    case .unix(let path, let mode, let owner):
      let owner = owner.map { [Int($0.uid), $0.gid.map(Int.init) ?? -1] as Any } ?? NSNull()
      return ["unix://" + path, mode, owner, socket.backlog ?? NSNull()]
    case .tcp(let host, let port):
      return ["tcp://\(host):\(port)", NSNull(), NSNull(), socket.backlog ?? NSNull()]
    }
  }

  private static func process(_ process: ProcessSpecification) -> [String: Any] {
    let policy = process.policy
    let own = process.environment.filter { key, _ in
      !key.hasPrefix("SUPERVISOR_") && !key.hasPrefix("BULKHEAD_") && key != "NOTIFY_SOCKET"
    }
    let url = process.environment["SUPERVISOR_SERVER_URL"] ?? ""
    let isOwnURL = url.hasPrefix("unix:") && url.hasSuffix("supervisor.sock")
    func output(_ output: OutputSpecification, _ stream: String) -> [Any] {
      let isAutomatic = output.file?.hasSuffix("-\(stream).log") == true
      return [
        isAutomatic ? "AUTO" : output.file ?? "NONE", output.sizeMax, output.backups, output.captureMax,
        output.emitsEvents, output.usesSyslog,
      ]
    }
    let restart =
      switch policy.restart {
      case .always: "always"
      case .unexpected: "unexpected"
      case .never: "never"
      }
    return [
      "name": process.name, "words": process.arguments, "priority": process.sortKey.priority,
      "autostart": process.startsAutomatically, "autorestart": restart,
      "startsecs": Int(policy.startNanoseconds / 1_000_000_000), "startretries": policy.startRetries,
      "uid": process.user.map { Int($0.uid) } ?? NSNull(), "umask": process.umask ?? NSNull(),
      "directory": process.directory ?? NSNull(), "stopsignal": Int(policy.stopSignal),
      "stopwaitsecs": Int(policy.stopWaitNanoseconds / 1_000_000_000), "stopasgroup": policy.stopsGroup,
      "killasgroup": policy.killsGroup, "exitcodes": policy.exitCodes.sorted(),
      "redirect_stderr": process.redirectsErrors, "environment": own,
      "serverurl": isOwnURL ? NSNull() : url, "stdout": output(process.output, "stdout"),
      "stderr": output(process.errorOutput, "stderr"),
    ]
  }
}
