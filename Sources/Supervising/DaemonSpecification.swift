internal import Daemon

/// What `[supervisord]` says of the supervisor's own process and log.
public struct DaemonSpecification: Hashable, Sendable {
  /// Whether it stays in the foreground; nil where the file says nothing.
  public let staysInForeground: Bool?
  /// Whether it writes nothing to its standard output, however it runs.
  public let isSilent: Bool
  /// Its own log; nil where the file names none, `syslog` where it goes there.
  public let logFile: String?
  /// The log is rotated before it would grow beyond this many bytes; 0: never.
  public let logFileMax: Int
  /// How many rotated logs are kept.
  public let logFileBackups: Int
  /// `critical`, `error`, `warn`, `info`, `debug`, `trace` or `blather`; nil where the file says nothing.
  public let logLevel: String?
  /// How many descriptors it must be able to have.
  public let descriptorsMin: Int
  /// How many processes it must be able to have.
  public let processesMin: Int
  /// Whether AUTO logs of earlier runs stay.
  public let keepsOldLogs: Bool
  /// Whether escape sequences of terminals are taken out of the children's logs.
  public let stripsEscapes: Bool
  /// Where AUTO logs are.
  public let childLogDirectory: String
  /// Where it works when it is a daemon; nil: where it was started.
  public let directory: String?

  init(_ reader: inout SectionReader, runDirectory: String, surroundings: Surroundings) {
    staysInForeground = reader.has("nodaemon") ? reader.boolean("nodaemon") : nil
    isSilent = reader.boolean("silent")
    let log = reader.optionalText("logfile")
    logFile = log == "syslog" ? log : log.map { FilePaths.absolute(SystemLookup.atHome($0)) }
    logFileMax = reader.integer("logfile_maxbytes")
    logFileBackups = reader.integer("logfile_backups")
    logLevel = reader.has("loglevel") ? reader.text("loglevel") : nil
    descriptorsMin = reader.integer("minfds")
    processesMin = reader.integer("minprocs")
    keepsOldLogs = reader.boolean("nocleanup")
    stripsEscapes = reader.boolean("strip_ansi")
    childLogDirectory = reader.path("childlogdir") ?? runDirectory + "/logs"
    directory = reader.path("directory")
    if let directory, !surroundings.isDirectory(directory) {
      reader.fail("directory", "expected a directory that is there, found \(jsonQuoted(directory))")
    }
  }

  /// Where its own log goes.
  func ownLog(runDirectory: String) -> OutputSpecification {
    let isFile = logFile != "syslog" && logFile?.hasSuffix("/NONE") != true
    let file = isFile ? logFile ?? runDirectory + "/logs/supervisor.log" : nil
    var output = OutputSpecification(file: file, sizeMax: logFileMax, backups: logFileBackups)
    output.usesSyslog = logFile == "syslog"
    return output
  }

  /// What its own log tells; nil: what the settings say.
  var level: Log.Level? {
    switch logLevel {
    case nil: nil
    case "critical", "error": .error
    case "warn": .warning
    case "info": .info
    default: .debug
    }
  }

  /// Where relative paths of children's logs start.
  var workingDirectory: String {
    staysInForeground == true ? FilePaths.workingDirectory : directory ?? FilePaths.workingDirectory
  }
}
