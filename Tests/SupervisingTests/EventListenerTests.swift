import Foundation
import Glibc
import Testing
import Web

/// Event listeners of the built supervisor, in the shell and with supervisord's own childutils.
@Suite(.serialized) struct EventListenerTests {
  /// A listener that writes each header and payload as one line, and answers OK.
  private static let shellListener = """
    #!/bin/sh
    while :; do
      printf 'READY\\n'
      read -r head || exit 0
      length=${head##*len:}
      body=$(dd bs=1 count="$length" 2>/dev/null | tr '\\n' '~')
      printf '%s|%s\\n' "$head" "$body" >> "$1"
      case "$body" in *hang*) [ -e "$1.hung" ] || { : > "$1.hung"; sleep 1000; } ;; esac
      case "$body" in *refuse*) [ -e "$1.refused" ] || { : > "$1.refused"; printf 'RESULT 4\\nFAIL'; continue; } ;; esac
      printf 'RESULT 2\\nOK'
    done
    """

  private func directory() throws -> String {
    let directory = "/tmp/listening-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Self.shellListener.write(toFile: directory + "/listen", atomically: true, encoding: .utf8)
    chmod(directory + "/listen", 0o755)
    return directory
  }

  private func lines(_ path: String) -> [String] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  @Test func `a listener in the shell hears what happens, once and in order`() throws {
    let supervisor = try RunningSupervisor(
      """
      [supervisord]
      identifier = here
      [eventlistener:ear]
      command = /bin/sh DIR/listen DIR/heard
      events = PROCESS_STATE, REMOTE_COMMUNICATION, SUPERVISOR_STATE_CHANGE, PROCESS_GROUP
      buffer_size = 100
      startsecs = 0
      stdout_logfile = NONE
      [program:work]
      command = /bin/sleep 1000
      autostart = false
      startsecs = 0
      """, directory: directory())
    let heard = supervisor.directory + "/heard"
    _ = try supervisor.spawned("ear")
    _ = try supervisor.value("supervisor.sendRemoteCommEvent", "kind", "first\nsecond")
    _ = try supervisor.value("supervisor.startProcess", "work")
    _ = try supervisor.value("supervisor.stopProcess", "work")
    try supervisor.waitUntil(seconds: 60) { lines(heard).contains { $0.contains("STATE_STOPPED") } }
    let found = lines(heard).map { $0.replacing(/pid:[0-9]+/, with: "pid:N") }
    let bodies = found.map { line in
      let parts = line.split(separator: " ").map(String.init)
      return line.replacing(/^.*eventname:/, with: "").replacing(/len:[0-9]+/, with: "") + parts[0]
    }
    #expect(
      bodies == [
        "PROCESS_GROUP_ADDED |groupname:ear~ver:3.0", "PROCESS_GROUP_ADDED |groupname:work~ver:3.0",
        "SUPERVISOR_STATE_CHANGE_RUNNING |ver:3.0",
        "PROCESS_STATE_STARTING |processname:ear groupname:ear from_state:STOPPED tries:0ver:3.0",
        "PROCESS_STATE_RUNNING |processname:ear groupname:ear from_state:STARTING pid:Nver:3.0",
        "REMOTE_COMMUNICATION |type:kind~first~secondver:3.0",
        "PROCESS_STATE_STARTING |processname:work groupname:work from_state:STOPPED tries:0ver:3.0",
        "PROCESS_STATE_RUNNING |processname:work groupname:work from_state:STARTING pid:Nver:3.0",
        "PROCESS_STATE_STOPPING |processname:work groupname:work from_state:RUNNING pid:Nver:3.0",
        "PROCESS_STATE_STOPPED |processname:work groupname:work from_state:STOPPING pid:Nver:3.0",
      ])
    for (number, line) in found.enumerated() {
      #expect(line.hasPrefix("ver:3.0 server:here serial:\(number) pool:ear poolserial:\(number) eventname:"))
    }
  }

  @Test func `an event that is refused, or whose listener dies, comes again`() throws {
    let supervisor = try RunningSupervisor(
      """
      [eventlistener:ear]
      command = /bin/sh DIR/listen DIR/heard
      events = REMOTE_COMMUNICATION
      startsecs = 0
      stopasgroup = true
      [program:other]
      command = /bin/sleep 1000
      """, directory: directory())
    let heard = supervisor.directory + "/heard"
    _ = try supervisor.spawned("ear")
    _ = try supervisor.value("supervisor.sendRemoteCommEvent", "a", "refuse")
    _ = try supervisor.value("supervisor.sendRemoteCommEvent", "b", "hang")
    _ = try supervisor.value("supervisor.sendRemoteCommEvent", "c", "last")
    try supervisor.waitUntil(seconds: 60) { FileManager.default.fileExists(atPath: heard + ".hung") }
    // It never answers, and disturbs nobody.
    #expect(try supervisor.value("supervisor.getProcessInfo", "other")["statename"]?.string != nil)
    let pid = try supervisor.value("supervisor.getProcessInfo", "ear")["pid"]?.integer ?? 0
    #expect(lines(heard).count == 3)
    kill(-Int32(pid), SIGKILL)
    try supervisor.waitUntil(seconds: 60) { lines(heard).contains { $0.contains("last") } }
    let serials = lines(heard).map { $0.replacing(/^.*poolserial:([0-9]+).*$/) { "\($0.1)" } }
    #expect(serials == ["0", "0", "1", "1", "2"])
  }

  @Test func `what a process says is told where it is asked for`() throws {
    let supervisor = try RunningSupervisor(
      """
      [eventlistener:ear]
      command = /bin/sh DIR/listen DIR/heard
      events = PROCESS_LOG, PROCESS_COMMUNICATION
      startsecs = 0
      buffer_size = 50
      [program:talk]
      command = /bin/sh -c "echo out; echo err >&2; printf '<!--XSUPERVISOR:BEGIN-->told<!--XSUPERVISOR:END-->'; exec sleep 1000"
      stdout_logfile = NONE
      stdout_events_enabled = true
      stdout_capture_maxbytes = 1MB
      stderr_events_enabled = true
      """, directory: directory())
    let heard = supervisor.directory + "/heard"
    _ = try supervisor.spawned("ear")
    try supervisor.waitUntil(seconds: 60) { lines(heard).count >= 3 }
    let found = lines(heard).map { line in
      line.replacing(/^.*eventname:/, with: "").replacing(/pid:[0-9]+/, with: "pid:N").replacing(/len:[0-9]+/, with: "")
    }
    #expect(
      found.sorted() == [
        "PROCESS_COMMUNICATION_STDOUT |processname:talk groupname:talk pid:N~told",
        "PROCESS_LOG_STDERR |processname:talk groupname:talk pid:N channel:stderr~err~",
        "PROCESS_LOG_STDOUT |processname:talk groupname:talk pid:N channel:stdout~out~",
      ])
  }

  // MARK: - Beside the stock

  private static let childutilsListener = """
    import json, sys
    from supervisor import childutils
    out = open(sys.argv[1], 'a', 1)
    while True:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        out.write(json.dumps([headers, payload]) + '\\n')
        childutils.listener.ok(sys.stdout)
    """

  private static let driver = """
    import sys, time, json, xmlrpc.client
    from supervisor.xmlrpc import SupervisorTransport
    def proxy():
        transport = SupervisorTransport(None, None, 'unix://' + sys.argv[1])
        return xmlrpc.client.ServerProxy('http://127.0.0.1', transport=transport).supervisor
    heard = sys.argv[2]
    def wait(text):
        limit = time.time() + 60
        while time.time() < limit:
            try:
                if any(text in l for l in open(heard)): return
            except IOError:
                pass
            time.sleep(0.05)
        raise SystemExit('nothing heard of ' + text)
    limit = time.time() + 30
    while True:
        try:
            s = proxy()
            s.getPID()
            break
        except Exception:
            if time.time() > limit: raise
            time.sleep(0.05)
    wait('processname:ear groupname:ear from_state:STARTING')
    s.startProcess('work')
    s.sendRemoteCommEvent('kind', 'dåta')
    s.stopProcess('work')
    wait('STATE_STOPPED')
    for name in ('good', 'bad', 'failing'):
        try:
            s.startProcess(name)
        except xmlrpc.client.Fault:
            pass
    wait('STATE_FATAL')
    wait('groupname:bad from_state:RUNNING')
    wait('groupname:good from_state:RUNNING')
    """

  private static let scenario = """
    [supervisord]
    nodaemon = true
    identifier = same
    logfile = DIR/own.log
    pidfile = DIR/own.pid
    childlogdir = DIR
    [unix_http_server]
    file = DIR/var/run/supervisor.sock
    [rpcinterface:supervisor]
    supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
    [eventlistener:ear]
    command = /usr/bin/python3 DIR/listen.py DIR/heard
    events = PROCESS_STATE, PROCESS_LOG, REMOTE_COMMUNICATION, PROCESS_GROUP, SUPERVISOR_STATE_CHANGE_RUNNING
    buffer_size = 100
    [program:work]
    command = /bin/sh -c 'echo hällo; exec sleep 1000'
    autostart = false
    stdout_events_enabled = true
    [program:good]
    command = /bin/sh -c 'sleep 1.5; exit 0'
    autostart = false
    [program:bad]
    command = /bin/sh -c 'sleep 1.5; exit 3'
    autostart = false
    autorestart = false
    [program:failing]
    command = /bin/sh -c 'exit 3'
    autostart = false
    startsecs = 10
    startretries = 1
    """

  /// What the listener heard: for each process, and for what is of none, the events in their order.
  private func heard(_ directory: String, run: (String) throws -> [String]) throws -> [String: [String]] {
    try Self.childutilsListener.write(toFile: directory + "/listen.py", atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(atPath: directory + "/var/run", withIntermediateDirectories: true)
    var result: [String: [String]] = [:]
    for line in try run(directory) {
      let pair = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any])
      let headers = try #require(pair.first as? [String: String])
      let payload = (pair.last as? String ?? "").replacing(/pid:[0-9]+/, with: "pid:N")
      let name = payload.firstMatch(of: /^processname:([a-z]+)/).map { String($0.1) } ?? ""
      let plain = headers.filter { !["serial", "poolserial", "len"].contains($0.key) }
      #expect(headers["serial"] == headers["poolserial"])
      let kinds = plain.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " ")
      result[name, default: []].append(kinds + " " + payload)
    }
    return result
  }

  @Test func `a listener hears the same from the stock supervisord and from ours`() throws {
    if let absence = StockReader.absence {
      print("not compared with supervisord: \(absence)")
      return
    }
    guard FileManager.default.isExecutableFile(atPath: StockSupervisor.program) else {
      print("not compared with supervisord: there is no \(StockSupervisor.program)")
      return
    }
    func drive(_ directory: String) -> String {
      let (status, text) = StockReader.run(
        ["-c", Self.driver, directory + "/var/run/supervisor.sock", directory + "/heard"], environment: [:])
      return status == 0 ? "" : text
    }
    let stockDirectory = try directory()
    defer { try? FileManager.default.removeItem(atPath: stockDirectory) }
    let stock = try heard(stockDirectory) { directory in
      let path = directory + "/supervisord.conf"
      try Self.scenario.replacingOccurrences(of: "DIR", with: directory)
        .write(toFile: path, atomically: true, encoding: .utf8)
      let supervisord = try StockSupervisor(path: path)
      let problem = drive(directory)
      supervisord.end()
      #expect(problem == "")
      return lines(directory + "/heard")
    }
    let own = try heard(try directory()) { directory in
      let supervisor = try RunningSupervisor(Self.scenario, directory: directory)
      let problem = drive(supervisor.directory)
      #expect(problem == "")
      return lines(supervisor.directory + "/heard")
    }
    #expect(Set(stock.keys) == Set(own.keys))
    for (name, events) in stock {
      // Of its own end a listener may hear or not.
      let ours = own[name] ?? []
      if name == "ear" {
        #expect(Array(events.prefix(2)) == Array(ours.prefix(2)))
      } else {
        #expect(events == ours, "\(name)")
      }
    }
  }
}
