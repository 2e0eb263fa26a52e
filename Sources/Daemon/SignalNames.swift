#if canImport(Glibc)
  internal import Glibc
#endif

/// Signals by their names.
public enum SignalNames {
  private static let all: [(name: String, number: Int32)] = [
    ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP), ("ABRT", SIGABRT),
    ("BUS", SIGBUS), ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1), ("SEGV", SIGSEGV), ("USR2", SIGUSR2),
    ("PIPE", SIGPIPE), ("ALRM", SIGALRM), ("TERM", SIGTERM), ("STKFLT", 16), ("CHLD", SIGCHLD), ("CONT", SIGCONT),
    ("STOP", SIGSTOP), ("TSTP", SIGTSTP), ("TTIN", SIGTTIN), ("TTOU", SIGTTOU), ("URG", SIGURG), ("XCPU", SIGXCPU),
    ("XFSZ", SIGXFSZ), ("VTALRM", SIGVTALRM), ("PROF", SIGPROF), ("WINCH", SIGWINCH), ("IO", SIGIO), ("PWR", SIGPWR),
    ("SYS", SIGSYS), ("RTMIN", 34), ("RTMAX", 64),
  ]
  private static let otherNames: [String: Int32] = ["CLD": SIGCHLD, "POLL": SIGIO, "IOT": SIGABRT]

  /// The number of a signal.
  /// - Parameter text: `TERM`, `SIGTERM`, `term` or `15`.
  /// - Returns: nil where no signal has this name or number.
  public static func number(_ text: String) -> Int32? {
    if let number = Int32(text) { return all.contains { $0.number == number } ? number : nil }
    var name = text.uppercased()
    if name.hasPrefix("SIG") { name.removeFirst(3) }
    return all.first { $0.name == name }?.number ?? otherNames[name]
  }

  /// The name of a signal, such as `SIGTERM`; its number where it has none.
  public static func name(_ number: Int32) -> String {
    all.first { $0.number == number }.map { "SIG" + $0.name } ?? "signal \(number)"
  }
}
