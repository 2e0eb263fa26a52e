import Foundation

/// What the stock supervisord makes of configuration files: it is asked through its own Python modules.
enum StockReader {
  /// Why it cannot be asked; nil where it can.
  static let absence: String? = {
    guard FileManager.default.isExecutableFile(atPath: python) else { return "there is no \(python)" }
    let (status, text) = run(["-c", "import supervisor.options"], environment: [:])
    return status == 0 ? nil : "the package supervisor is missing: \(text.suffix(200))"
  }()

  static let python = "/usr/bin/python3"

  /// Reads files, each by its path.
  /// - Returns: by path, either `error` or what it means.
  static func read(_ paths: [String], environment: [String: String]) throws -> [String: [String: Any]] {
    let script = "/tmp/stock-\(UUID().uuidString).py"
    try program.write(toFile: script, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: script) }
    let (status, text) = run([script] + paths, environment: environment)
    guard status == 0, let line = text.split(separator: "\n").last(where: { $0.hasPrefix("{") }),
      let result = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: [String: Any]]
    else { throw Timeout(description: "the stock reader failed: \(text)") }
    return result
  }

  static func run(_ arguments: [String], environment: [String: String]) -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-W", "ignore"] + arguments
    process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own }
    process.currentDirectoryURL = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    guard (try? process.run()) != nil else { return (-1, "cannot run \(python)") }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  private static let program = #"""
    import io, json, os, shlex, sys
    from supervisor import options, datatypes, events
    from supervisor.options import ServerOptions

    def log(value):
        if value is None or value == '':
            return 'NONE'
        if value is datatypes.Automatic:
            return 'AUTO'
        return os.path.abspath(value)

    def words(command):
        try:
            return shlex.split(command)
        except ValueError:
            return None

    def restart(value):
        return {datatypes.RestartUnconditionally: 'always', datatypes.RestartWhenExitUnexpected: 'unexpected'}.get(value, 'never')

    def process(c):
        return dict(
            name=c.name, words=words(c.command), priority=c.priority, autostart=c.autostart,
            autorestart=restart(c.autorestart), startsecs=c.startsecs, startretries=c.startretries,
            uid=c.uid, umask=c.umask, directory=c.directory, stopsignal=int(c.stopsignal),
            stopwaitsecs=c.stopwaitsecs, stopasgroup=c.stopasgroup, killasgroup=c.killasgroup,
            exitcodes=sorted(set(c.exitcodes)), redirect_stderr=c.redirect_stderr, environment=c.environment,
            serverurl=c.serverurl,
            stdout=[log(c.stdout_logfile), c.stdout_logfile_maxbytes, c.stdout_logfile_backups,
                    c.stdout_capture_maxbytes, c.stdout_events_enabled, c.stdout_syslog],
            stderr=[log(c.stderr_logfile), c.stderr_logfile_maxbytes, c.stderr_logfile_backups,
                    c.stderr_capture_maxbytes, c.stderr_events_enabled, c.stderr_syslog])

    def group(g):
        result = dict(name=g.name, priority=g.priority, processes=[process(c) for c in g.process_configs])
        if isinstance(g, options.EventListenerPoolConfig):
            result['pool'] = [g.buffer_size, sorted(events.getEventNameByType(e) for e in g.pool_events)]
        if isinstance(g, options.FastCGIGroupConfig):
            s = g.socket_config
            result['socket'] = [s.url, getattr(s, 'mode', None), list(s.owner) if getattr(s, 'owner', None) else None, s.backlog]
        return result

    result = {}
    for path in sys.argv[1:]:
        o = ServerOptions()
        o.stderr = io.StringIO()
        try:
            o.realize(['-c', path], doc='', progname='supervisord')
            result[path] = dict(
                groups=[group(g) for g in o.process_group_configs],
                general=dict(identifier=o.identifier, umask=o.umask, minfds=o.minfds, minprocs=o.minprocs,
                             logfile_maxbytes=o.logfile_maxbytes, logfile_backups=o.logfile_backups,
                             nocleanup=bool(o.nocleanup), strip_ansi=bool(o.strip_ansi), silent=bool(o.silent),
                             nodaemon=bool(o.nodaemon), directory=o.directory))
        except SystemExit:
            result[path] = dict(error=o.stderr.getvalue())
        except Exception as e:
            result[path] = dict(error=repr(e))
    print(json.dumps(result))
    """#
}
