import Foundation
import Glibc
import Testing
import Web

/// What the stock supervisor and ours are both run on; `DIR` is the directory of each.
enum Stock {
  static let supervisor = "/usr/bin/supervisord"
  static let client = "/usr/bin/supervisorctl"

  /// Whether both are installed; a test that is left out says why.
  static let isInstalled: Bool = {
    let isThere = [supervisor, client].allSatisfy(FileManager.default.isExecutableFile(atPath:))
    if !isThere { print("left out: the package \"supervisor\" is not installed") }
    return isThere
  }()

  static let general = """
    [supervisord]
    identifier=testing
    nodaemon=true
    silent=true
    logfile=DIR/main.log
    pidfile=DIR/stock.pid
    childlogdir=DIR
    [unix_http_server]
    file=DIR/var/run/supervisor.sock
    [rpcinterface:supervisor]
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
    [supervisorctl]
    serverurl=unix://DIR/var/run/supervisor.sock

    """

  static let programs = """
    [program:a]
    command=/bin/sh -c 'echo one; echo two; echo three >&2; exec cat'
    startsecs=0
    priority=5
    directory=/tmp
    stdout_logfile=DIR/a.log
    stderr_logfile=DIR/a.err
    [program:pair]
    command=/bin/sleep 1000
    process_name=%(program_name)s_%(process_num)d
    numprocs=2
    autostart=false
    startsecs=0
    exitcodes=0,2
    stopsignal=INT
    stdout_logfile=NONE
    redirect_stderr=true
    [program:quick]
    command=/bin/sh -c 'exit 3'
    autostart=false
    startretries=0
    startsecs=5
    stdout_logfile=NONE
    stderr_logfile=NONE
    [program:once]
    command=/bin/sh -c 'sleep 0.2; exit 4'
    autostart=false
    autorestart=false
    startsecs=0
    stdout_logfile=DIR/once.log
    stderr_logfile=NONE
    [program:slow]
    command=/bin/sleep 1000
    autostart=false
    startsecs=1
    stdout_logfile=NONE
    stderr_logfile=NONE
    [program:gone]
    command=DIR/bin/sleep 1000
    autostart=false
    stdout_logfile=NONE
    stderr_logfile=NONE
    [program:x]
    command=/bin/sleep 1001
    startsecs=0
    stdout_logfile=NONE
    stderr_logfile=NONE
    [program:y]
    command=/bin/sleep 1002
    startsecs=0
    priority=3
    stdout_logfile=NONE
    stderr_logfile=NONE
    [group:gg]
    programs=x,y
    priority=3

    """

  /// Runs one of the two in a directory of its own, until what starts by itself is up.
  static func run(isStock: Bool, _ configuration: String = general + programs) throws -> RunningSupervisor {
    let directory = "/tmp/supervising-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: directory + "/var/run", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: directory + "/bin", withDestinationPath: "/bin")
    let running = try RunningSupervisor(
      configuration, directory: directory, program: isStock ? supervisor : RunningSupervisor.program)
    let limit = Date().addingTimeInterval(60)
    while true {
      if let all = try? running.value("supervisor.getAllProcessInfo").array,
        all.allSatisfy({ $0["statename"]?.string != "STARTING" }), all.contains(where: { $0["pid"]?.integer != 0 })
      {
        return running
      }
      guard Date() < limit else { throw Timeout(description: "does not come up: \(running.lines)") }
      usleep(20_000)
    }
  }

  /// A text without what differs from run to run.
  static func plain(_ text: String, _ directory: String) -> String {
    var text = text.replacingOccurrences(of: directory, with: "DIR")
    for (pattern, replacement) in [
      ("pid [0-9]+, uptime [0-9:]+", "pid N, uptime T"), ("[A-Z][a-z]{2} [0-9]{2} [0-9]{2}:[0-9]{2} [AP]M", "DATE"),
      ("(?i)exited too quickly.*", "exited too quickly"),
    ] {
      text = text.replacingOccurrences(of: pattern, with: replacement, options: .regularExpression)
    }
    return text
  }
}

/// Does on a thread of its own what blocks: the few threads of the tests are for all of them.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
