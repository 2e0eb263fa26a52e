internal import Daemon
internal import Synchronization

/// What the supervisor itself has to say, on its way to its file and to standard error: the pump writes it, so that no
/// disk and no reader holds the main loop.
final class OwnLog: Sendable {
  /// The most that waits, in bytes; lines beyond it are dropped and counted.
  static let waitingMax = 1 << 20

  private struct State {
    var waiting: [UInt8] = []
    var droppedLines = 0
    var wake: (@Sendable () -> Void)?
    var systemLog: SystemLog?
  }

  /// Where it goes.
  let output: OutputSpecification
  /// Whether it goes to standard error, too.
  let usesStandardError: Bool
  private let state = Mutex(State())

  init(output: OutputSpecification, usesStandardError: Bool) {
    self.output = output
    self.usesStandardError = usesStandardError
    if output.usesSyslog { state.withLock { $0.systemLog = SystemLog(name: "supervisor") } }
  }

  /// - Parameter wake: is called when something waits after nothing did.
  func start(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

  /// Adds a line, its line feed included; from any thread.
  func append(_ line: UnsafeRawBufferPointer) {
    let wake: (@Sendable () -> Void)? = state.withLock { state in
      guard state.waiting.count + line.count <= Self.waitingMax else {
        state.droppedLines += 1
        return nil
      }
      let isFirst = state.waiting.isEmpty
      state.waiting += line
      return isFirst ? state.wake : nil
    }
    wake?()
  }

  /// Takes everything that waits.
  func take() -> (bytes: [UInt8], droppedLines: Int) {
    var (bytes, droppedLines, systemLog) = state.withLock { state in
      defer {
        state.waiting = []
        state.droppedLines = 0
      }
      return (state.waiting, state.droppedLines, state.systemLog)
    }
    // Lines are whole, so that nothing is left in it.
    bytes.withUnsafeBytes { systemLog?.write($0) }
    return (bytes, droppedLines)
  }
}
