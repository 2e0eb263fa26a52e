#if canImport(Glibc)
  internal import Glibc
#endif
internal import Market
internal import Synchronization

/// Structured log lines on standard error, one line for each event, for people or as JSON.
///
/// The supervisor captures and rotates them. A line is written by one `write(2)`, so lines of several threads do not
/// mix. Never pass a key, a token or a signature.
public enum Log {
  /// How much a line matters.
  public enum Level: Int, Comparable, Sendable {
    case debug, info, warning, error

    /// Orders by weight.
    public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

    var name: String {
      switch self {
      case .debug: "DEBUG"
      case .info: "INFO"
      case .warning: "WARN"
      case .error: "ERROR"
      }
    }
  }

  private struct Configuration {
    var level = Level.info
    var json = false
    var process = ""
    var sink: (@Sendable (UnsafeRawBufferPointer) -> Void)?
  }

  private static let configuration = Mutex(Configuration())

  /// Sets what is written, and how; once, at the start of the process.
  /// - Parameters:
  ///   - level: lines below it are dropped.
  ///   - json: whether lines are JSON objects.
  ///   - process: the name that stands in each line.
  public static func configure(level: Level, json: Bool, process: String) {
    configuration.withLock { $0 = Configuration(level: level, json: json, process: process, sink: $0.sink) }
  }

  /// Hands lines to somebody else, who writes them, instead of standard error.
  /// - Parameter sink: is called with each line, its line feed included, by the thread that has something to say; nil:
  ///   standard error again.
  public static func redirect(to sink: (@Sendable (UnsafeRawBufferPointer) -> Void)?) {
    configuration.withLock { $0.sink = sink }
  }

  /// Sets what is written; lines below it are dropped.
  public static func setLevel(_ level: Level) { configuration.withLock { $0.level = level } }

  /// For developers.
  public static func debug(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
    write(.debug, event, fields)
  }
  /// What happens in the ordinary course.
  public static func info(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
    write(.info, event, fields)
  }
  /// What went wrong and was mended.
  public static func warning(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
    write(.warning, event, fields)
  }
  /// What went wrong and needs a person, or ends the process.
  public static func error(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
    write(.error, event, fields)
  }

  private static func write(_ level: Level, _ event: String, _ fields: KeyValuePairs<String, String>) {
    let settings = configuration.withLock { $0 }
    guard level >= settings.level else { return }
    var line = settings.json ? jsonLine(level, event, fields, settings) : humanLine(level, event, fields, settings)
    line += "\n"
    line.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      if let sink = settings.sink { return sink(rest) }
      while let base = rest.baseAddress, rest.count > 0 {
        let written = Glibc.write(2, base, rest.count)
        if written < 0 {
          if errno == EINTR { continue }
          return
        }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
      }
    }
  }

  private static func humanLine(
    _ level: Level, _ event: String, _ fields: KeyValuePairs<String, String>, _ settings: Configuration
  ) -> String {
    var line = "\(SystemClock.now) \(level.name) "
    if !settings.process.isEmpty { line += settings.process + ": " }
    line += event
    for (key, value) in fields {
      let plain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D }
      line += " \(key)=" + (plain ? value : jsonQuoted(value))
    }
    return line.utf8.contains(0x0A) ? String(line.map { $0.isNewline ? " " : $0 }) : line
  }

  private static func jsonLine(
    _ level: Level, _ event: String, _ fields: KeyValuePairs<String, String>, _ settings: Configuration
  ) -> String {
    var line = "{\"time\":\"\(SystemClock.now)\",\"level\":\"\(level.name)\""
    line += ",\"process\":\(jsonQuoted(settings.process)),\"event\":\(jsonQuoted(event))"
    for (key, value) in fields { line += ",\(jsonQuoted(key)):\(jsonQuoted(value))" }
    return line + "}"
  }
}

/// A text as a JSON string, quotes included.
public func jsonQuoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case _ where scalar.value < 0x20:
      let hex = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
