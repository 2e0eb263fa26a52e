import Daemon
import Foundation
import Supervising
import Testing

@Suite struct ConfigurationTests {
  /// Reads a configuration from a file in a directory of its own.
  private func read(
    _ text: String, environment: [String: String] = ["PATH": "/usr/bin:/bin"]
  ) throws -> (SupervisorConfiguration?, [String]) {
    let directory = "/tmp/configuration-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try text.write(toFile: directory + "/supervisor.conf", atomically: true, encoding: .utf8)
    try "no program".write(toFile: directory + "/plain", atomically: true, encoding: .utf8)
    let (configuration, errors) = SupervisorConfiguration.read(
      path: directory + "/supervisor.conf", environment: environment)
    return (configuration, errors.map { $0.description.replacingOccurrences(of: directory + "/", with: "") })
  }

  @Test func `a program has supervisord's defaults`() throws {
    let (configuration, errors) = try read("[program:web]\ncommand=sleep 10\n")
    #expect(errors == [])
    let web = try #require(configuration?.processes.first)
    #expect(web.name == "web")
    #expect(web.fullName == "web")
    #expect(["/usr/bin/sleep", "/bin/sleep"].contains(web.executable))
    #expect(web.arguments == ["sleep", "10"])
    #expect(web.startsAutomatically)
    #expect(web.policy.startNanoseconds == 1_000_000_000)
    #expect(web.policy.startRetries == 3)
    #expect(web.policy.stopSignal == 15)
    #expect(web.output.sizeMax == 50 << 20)
    #expect(web.output.backups == 10)
    #expect(web.output.file?.hasSuffix("/var/run/logs/web-stdout.log") == true)
    #expect(web.environment["SUPERVISOR_PROCESS_NAME"] == "web")
    #expect(web.environment["BULKHEAD_CONF"]?.hasSuffix("/supervisor.conf") == true)
  }

  @Test func `names, numbers and variables are expanded`() throws {
    let text = """
      [supervisord]
      environment = ZONE="eu,1", LEVEL=2
      [program:in]
      command = /bin/echo %(program_name)s %(process_num)d %(ENV_ZONE)s %(ENV_OWN)s %(group_name)s "a b" 'c "d"' 100%%
      process_name = %(program_name)s-%(process_num)02d
      numprocs = 2
      numprocs_start = 8
      environment = OWN='x%(process_num)s'
      stdout_logfile = /tmp/%(program_name)s.%(process_num)d.log
      priority = 5
      [program:other]
      command = /bin/true
      stderr_logfile = NONE
      priority = 1
      [group:both]
      programs = in
      priority = 3
      """
    let (configuration, errors) = try read(text)
    #expect(errors == [])
    let processes = try #require(configuration?.processes)
    let ins = processes.filter { $0.group == "both" }
    #expect(ins.map(\.name) == ["in-08", "in-09"])
    #expect(ins[1].fullName == "both:in-09")
    #expect(ins[1].arguments == ["/bin/echo", "in", "9", "eu,1", "x9", "both", "a b", "c \"d\"", "100%"])
    #expect(ins[0].environment["OWN"] == "x8")
    #expect(ins[0].environment["LEVEL"] == "2")
    #expect(ins[0].output.file == "/tmp/in.8.log")
    #expect(processes.first { $0.name == "other" }?.errorOutput.file == nil)
    #expect(processes.map(\.sortKey).max()?.groupPriority == 3)
  }

  @Test func `our own settings stand in sections that supervisord passes over`() throws {
    let text = """
      [bulkhead:supervisor]
      backoff_initial_ms = 10
      restarts_max = 4
      [program:a]
      command = /bin/true
      [bulkhead:program:a]
      backoff_initial_ms = 20
      wait_ready = true
      """
    let (configuration, errors) = try read(text)
    #expect(errors == [])
    let policy = try #require(configuration?.processes.first?.policy)
    #expect(policy.backoffInitialNanoseconds == 20_000_000)
    #expect(policy.restartsMax == 4)
    #expect(policy.waitsForReady)
  }

  @Test(arguments: [
    ("[program:x]\nstartsecs=1\n", "supervisor.conf:1: [program:x] command: expected a program and its arguments"),
    ("[program:x]\ncommand=/bin/sh -c 'oops\n", ":2: [program:x] command: expected quotes and escapes that end"),
    (
      "[program:x]\ncommand=/bin/true\nstartsecs=soon\n",
      ":3: [program:x] startsecs: expected an integer from 0 to 1000000000, found \"soon\""
    ),
    (
      "[program:x]\ncommand=/bin/true\nstartsecs=%(ENV_NOPE)s\n",
      ":3: [program:x] startsecs: expected the environment variable NOPE"
    ),
    ("[program:x]\ncommand=/bin/true\nstartsec=1\n", ":3: [program:x] startsec: unknown key"),
    ("[program:x]\ncommand=/bin/true %(nope)s\n", ":2: [program:x] command: expected one of %(…)s"),
    (
      "[program:x]\ncommand=/bin/true\nnumprocs=2\n",
      ":3: [program:x] numprocs: expected a process_name with %(process_num)"
    ),
    ("[program:x y]\ncommand=/bin/true\n", ":1: [program:x y] name: expected a name without blanks"),
    (
      "[program:x]\ncommand=/bin/true\nuser=nobody-by-this-name\n", ":3: [program:x] user: expected a user of this host"
    ),
    (
      "[program:x]\ncommand=/bin/true\nstopasgroup=true\nkillasgroup=false\n",
      ":4: [program:x] killasgroup: expected true"
    ),
    ("[group:g]\nprograms=a\n", ":2: [group:g] programs: expected names of programs, found \"a\""),
    ("[bulkhead:program:y]\nwait_ready=true\n", ":1: [bulkhead:program:y] expected a section [program:y]"),
    ("[unix_http_server]\npassword=x\n", ":2: [unix_http_server] password: expected username and password together"),
    (
      "[unix_http_server]\nusername=x\npassword={SHA}12\n",
      ":3: [unix_http_server] password: expected a password, or {SHA} and 40 hexadecimal digits"
    ),
    ("[unix_http_server]\nchown=nobody-by-this-name\n", ":2: [unix_http_server] chown: expected USER or USER:GROUP"),
    ("[inet_http_server]\nport=*:9001\n", ":2: [inet_http_server] port: expected username and password beside"),
    ("[inet_http_server]\nport=10.0.0.1:9001\n", ":2: [inet_http_server] port: expected username and password"),
    ("[inet_http_server]\nport=[::]:9001\n", ":2: [inet_http_server] port: expected username and password"),
    ("[inet_http_server]\nport=x:y\n", ":2: [inet_http_server] port: expected HOST:PORT"),
    ("[inet_http_server]\nport=127.0.0.1:99999\n", ":2: [inet_http_server] port: expected HOST:PORT"),
    ("[inet_http_server]\nusername=a\npassword=b\n", ":1: [inet_http_server] port: expected HOST:PORT"),
    ("[supervisord]\nuser=nobody-by-this-name\n", ":2: [supervisord] user: expected a user of this host"),
    (
      "[program:a]\ncommand=/bin/true\nprocess_name=b\n[program:c]\ncommand=/bin/true\nprocess_name=b\n[group:g]\nprograms=a,c\n",
      "expected each process name once in its group"
    ),
    ("[scanner]\nfull_scan_s=x\n", ":2: [scanner] full_scan_s: expected an integer from 1 to 3600, found \"x\""),
  ])
  func `a mistake is named by file and line, and nothing is made`(text: String, expected: String) throws {
    let (configuration, errors) = try read(text)
    #expect(configuration == nil)
    #expect(errors.count == 1, "\(errors)")
    #expect(errors.first?.contains(expected) == true, "\(errors)")
  }

  @Test(arguments: [
    ("[zap]\na=b\n", ":4: [zap] the section is not known, and passed over"),
    ("[supervisord]\numask=022\n[supervisord]\nidentifier=x\n", ""),
    ("[supervisord]\numask=022\n[supervisord]\numask=077\n", ":7: [supervisord] umask: takes the place of the one at "),
    ("[program:y]\ncommand=/nonexistent/y\n", ":5: [program:y] command: can't find command '/nonexistent/y'"),
    ("[program:y]\ncommand=no-such-program\n", ":5: [program:y] command: can't find command 'no-such-program'"),
    ("[program:y]\ncommand=/etc\n", ":5: [program:y] command: command at '/etc' is a directory"),
    ("[program:y]\ncommand=%(here)s/plain\n", "plain' is not executable"),
    ("[rpcinterface:z]\nsupervisor.rpcinterface_factory=z:make\n", ":5: [rpcinterface:z] supervisor.rpcinterface_f"),
    ("[include]\nfiles=none/*.conf\n", ":5: [include] files: no file matches"),
  ])
  func `what may not be meant is told, and runs`(text: String, expected: String) throws {
    let (configuration, errors) = try read("\n[program:x]\ncommand=/bin/true\n" + text)
    #expect(errors == [])
    let warnings = try #require(configuration?.warnings)
    #expect(warnings.count == (expected.isEmpty ? 0 : 1), "\(warnings)")
    let found = warnings.first?.replacing(/\/tmp\/configuration-[0-9A-Fa-f-]*\//, with: "") ?? ""
    #expect(expected.isEmpty || found.contains(expected), "\(warnings)")
  }

  @Test(arguments: [
    ("9001", "http://127.0.0.1:9001"), (":9001", "http://127.0.0.1:9001"), ("127.0.0.2:9001", "http://127.0.0.2:9001"),
    ("localhost:9001", "http://localhost:9001"), ("[::1]:9001", "http://[::1]:9001"),
  ])
  func `without a host the control interface is for this one only`(port: String, url: String) throws {
    let (configuration, errors) = try read("[inet_http_server]\nport=\(port)\n")
    #expect(errors == [])
    #expect(configuration?.controlEndpoints.map(\.url).last == url)
    #expect(configuration?.controlEndpoints.last?.isOpenToOthers == false)
    #expect(configuration?.warnings == [])
  }

  @Test func `with a password other hosts may reach the control interface, and that is told`() throws {
    let (configuration, errors) = try read("[inet_http_server]\nport=*:9001\nusername=a\npassword=b\n")
    #expect(errors == [])
    #expect(configuration?.controlEndpoints.last?.url == "http://0.0.0.0:9001")
    #expect(configuration?.warnings.first?.contains("other hosts can reach port 9001") == true)
  }

  private let trio = """
    [program:a]
    command=/bin/true
    [program:b]
    command=/bin/true
    [program:c]
    command=/bin/true
    process_name=%(program_name)s-%(process_num)d
    numprocs=2
    [group:bc]
    programs=b,c

    """

  @Test func `programs depend on programs and groups`() throws {
    let (configuration, errors) = try read(
      trio + "[bulkhead:program:a]\ndepends_on = bc\n[bulkhead:program:c]\ndepends_on = b\n")
    #expect(errors == [])
    let processes = try #require(configuration?.processes)
    #expect(processes.first { $0.name == "a" }?.dependencies == ["bc:b", "bc:c-0", "bc:c-1"])
    #expect(processes.first { $0.name == "c-1" }?.dependencies == ["bc:b"])
    #expect(processes.first { $0.name == "b" }?.dependencies == [])
  }

  @Test(arguments: [
    (
      "[bulkhead:program:a]\ndepends_on = b, x\n",
      ":12: [bulkhead:program:a] depends_on: expected names of programs and groups, found \"x\", which is neither"
    ),
    ("[bulkhead:program:a]\ndepends_on = a\n", ":12: [bulkhead:program:a] depends_on: expected programs that do not"),
    ("[bulkhead:program:b]\ndepends_on = bc\n", ":12: [bulkhead:program:b] depends_on: expected programs that do not"),
    (
      "[bulkhead:program:a]\ndepends_on = b\n[bulkhead:program:b]\ndepends_on = c\n[bulkhead:program:c]\ndepends_on=b",
      ":14: [bulkhead:program:b] depends_on: expected programs that do not wait for this one, found b → c → b"
    ),
  ])
  func `unknown dependencies and cycles are mistakes`(text: String, expected: String) throws {
    let (configuration, errors) = try read(trio + text)
    #expect(configuration == nil)
    #expect(errors.count == 1, "\(errors)")
    #expect(errors.first?.contains(expected) == true, "\(errors)")
  }

  @Test func `the number of processes can be overridden`() throws {
    let path = "/tmp/configuration-\(UUID().uuidString).conf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try trio.write(toFile: path, atomically: true, encoding: .utf8)
    let processes = try #require(
      SupervisorConfiguration.read(path: path, environment: [:], counts: ["a": 3, "c": 1, "b": 0]).configuration
    ).processes
    #expect(processes.map(\.fullName).sorted() == ["a", "a:a_01", "a:a_02", "bc:c-0"])
    #expect(
      processes.sorted { $0.sortKey < $1.sortKey }.map { $0.environment["BULKHEAD_SHARD"] }
        == ["0/3", "1/3", "2/3", "0/1"])
  }

  @Test func `too many restarts can be the end`() throws {
    let (configuration, _) = try read(
      "[program:a]\ncommand=/bin/true\n[bulkhead:program:a]\nrestarts_fatal_max=5\nrestarts_fatal_window_s=7\n")
    #expect(configuration?.processes.first?.policy.fatalRestartsMax == 5)
    #expect(configuration?.processes.first?.policy.fatalRestartsWindowNanoseconds == 7_000_000_000)
  }

  @Test func `all mistakes are named`() throws {
    let (_, errors) = try read("[program:x]\ncommand=a 'b\nstartsecs=q\n[bulkhead:zap]\n[program:y]\n")
    #expect(errors.count == 4, "\(errors)")
  }

  @Test func `mutated files never crash the reader`() throws {
    let seed = Array(
      "[supervisord]\nenvironment=A=\"1\"\n[program:a]\ncommand=/bin/sh -c 'x \"y\"' %(process_num)02d\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\nstopsignal=HUP\n[group:g]\nprograms=a\n"
        .utf8)
    let bytes: [UInt8] = Array("[]=:;#%()\"'\\\n\t ,a0".utf8)
    let path = "/tmp/configuration-\(UUID().uuidString).conf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for _ in 0..<400 {
      var text = seed
      for _ in 0..<Int.random(in: 1...6) {
        let index = Int.random(in: 0..<text.count)
        switch Int.random(in: 0..<3) {
        case 0: text[index] = bytes.randomElement() ?? 0
        case 1: text.insert(bytes.randomElement() ?? 0, at: index)
        default: text.removeSubrange(index..<min(text.count, index + 4))
        }
      }
      try Data(text).write(to: URL(fileURLWithPath: path))
      _ = SupervisorConfiguration.read(path: path, environment: ["PATH": "/bin"])
    }
  }
}
