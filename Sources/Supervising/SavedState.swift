internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a supervisor leaves for the next one, in case it dies without an orderly end.
///
/// A text file of lines, the parts of which are separated by tabs; the last line says `end`. A pid counts only together
/// with the boot and the time at which its process began.
package struct SavedState: Equatable {
  /// One process of the table.
  package struct Process: Equatable {
    package var group = ""
    package var name = ""
    package var state = ProcessState.stopped
    /// 0 where it does not live.
    package var pid: Int32 = 0
    package var startTicks: UInt64 = 0
    package var restarts = 0
    /// Nanoseconds since 1970; 0 where it was never started.
    package var startedAt: Int64 = 0
    package var endedAt: Int64 = 0
    package var isReady = false
    /// What tells one specification from another, as far as the process was started by it.
    package var fingerprint = ""
    /// How it was to be stopped, for when the configuration does not know it any more.
    package var stopSignal: Int32 = 15
    package var stopWaitNanoseconds: Int64 = 10_000_000_000
    package var stopsGroup = false
    /// The status of `waitpid` of its last end; nil where there was none or it is not known.
    package var exitStatus: Int32?
    package var spawnError = ""

    package init() {}

    /// `group:name`, also where both are the same.
    package var key: String { "\(group):\(name)" }
  }

  /// Another process, known for certain.
  package struct Identity: Equatable {
    package var pid: Int32
    package var startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
      self.pid = pid
      self.startTicks = startTicks
    }
  }

  package var bootID = ""
  /// Whether the supervisor was on its way out.
  package var isShuttingDown = false
  package var standby: Identity?
  /// How many processes of a program there are where that is not what the configuration says.
  package var scales: [String: Int] = [:]
  package var processes: [Process] = []

  package init() {}

  private static let head = "bulkhead supervisor 1"

  /// The file's content.
  package var text: String {
    var lines = [Self.head, "boot\t\(bootID)", "shutdown\t\(isShuttingDown ? 1 : 0)"]
    if let standby { lines.append("standby\t\(standby.pid)\t\(standby.startTicks)") }
    for (program, count) in scales.sorted(by: { $0.key < $1.key }) { lines.append("scale\t\(program)\t\(count)") }
    for process in processes {
      let exit = process.exitStatus.map(String.init) ?? "-"
      let error = process.spawnError.map { $0.isNewline || $0 == "\t" ? " " : $0 }
      lines.append(
        "process\t\(process.group)\t\(process.name)\t\(process.state.rawValue)\t\(process.pid)\t\(process.startTicks)"
          + "\t\(process.restarts)\t\(process.startedAt)\t\(process.endedAt)\t\(process.isReady ? 1 : 0)"
          + "\t\(process.fingerprint)\t\(process.stopSignal)\t\(process.stopWaitNanoseconds)"
          + "\t\(process.stopsGroup ? 1 : 0)\t\(exit)\t" + String(error))
    }
    return lines.joined(separator: "\n") + "\nend\n"
  }

  /// Reads a file's content; nil where it is not whole or not of this kind.
  package init?(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 3, lines[0] == Self.head, lines.suffix(2) == ["end", ""] else { return nil }
    for line in lines.dropFirst().dropLast(2) {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      switch (parts[0], parts.count) {
      case ("boot", 2): bootID = parts[1]
      case ("shutdown", 2): isShuttingDown = parts[1] == "1"
      case ("standby", 3):
        guard let pid = Int32(parts[1]), let ticks = UInt64(parts[2]) else { return nil }
        standby = Identity(pid: pid, startTicks: ticks)
      case ("scale", 3):
        guard let count = Int(parts[2]) else { return nil }
        scales[parts[1]] = count
      case ("process", 16):
        guard let process = Process(parts) else { return nil }
        processes.append(process)
      default: return nil
      }
    }
  }
}

extension SavedState.Process {
  fileprivate init?(_ parts: [String]) {
    guard let state = Int(parts[3]).flatMap(ProcessState.init), let pid = Int32(parts[4]),
      let startTicks = UInt64(parts[5]), let restarts = Int(parts[6]), let startedAt = Int64(parts[7]),
      let endedAt = Int64(parts[8]), let stopSignal = Int32(parts[11]), let stopWait = Int64(parts[12])
    else { return nil }
    group = parts[1]
    name = parts[2]
    self.state = state
    self.pid = pid
    self.startTicks = startTicks
    self.restarts = restarts
    self.startedAt = startedAt
    self.endedAt = endedAt
    isReady = parts[9] == "1"
    fingerprint = parts[10]
    self.stopSignal = stopSignal
    stopWaitNanoseconds = stopWait
    stopsGroup = parts[13] == "1"
    exitStatus = Int32(parts[14])
    spawnError = parts[15]
  }
}

/// The file of the run directory that holds the saved state, and is not there after an orderly end.
struct StateFile {
  let path: String
  /// What the file holds, so that nothing is written that stands there already.
  private var written = ""
  private var hasComplained = false

  init(runDirectory: String) { path = runDirectory + "/supervisor.state" }

  /// Reads the file; nil where there is none, or none that can be believed.
  func read() -> SavedState? {
    guard let bytes = try? readFile(path, sizeMax: 64 << 20) else { return nil }
    guard let state = SavedState(text: String(decoding: bytes, as: UTF8.self)) else {
      Log.warning("saved state is not understood, processes are looked for", ["path": path])
      return SavedState()
    }
    guard state.bootID == ProcessFacts.bootID else { return nil }
    return state
  }

  mutating func write(_ state: SavedState) {
    let text = state.text
    guard text != written else { return }
    do throws(SystemError) {
      try writeFileAtomically(Array(text.utf8), to: path, mode: 0o600)
      written = text
      hasComplained = false
    } catch {
      if !hasComplained { Log.error("state is not saved", ["error": "\(error)"]) }
      hasComplained = true
    }
  }

  mutating func remove() {
    unlink(path)
    written = ""
  }
}
