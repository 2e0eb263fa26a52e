internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// The streams of one process, for all its incarnations; belongs to the main loop.
///
/// Their pipes are `RUN/fifo/GROUP:NAME.stdin`, `.stdout` and `.stderr`. A channel that goes nowhere has none.
final class ProcessStreams {
  /// What a process begins with: descriptors 0, 1 and 2.
  struct Descriptors {
    var input: Int32
    let output: Int32
    let errorOutput: Int32
    private let owned: [Int32]

    init(input: Int32, output: Int32, errorOutput: Int32, owned: [Int32] = []) {
      self.input = input
      self.output = output
      self.errorOutput = errorOutput
      self.owned = owned
    }

    /// Closes them; the process has its own.
    func closeAll() { for descriptor in owned { close(descriptor) } }
  }

  private let specification: ProcessSpecification
  private let pump: OutputPump
  private let input: InputChannel
  private(set) var output: OutputStream?
  private(set) var errorOutput: OutputStream?
  private let capturesOutput: Bool
  private var hasLogs = false

  /// The directory of the pipes of a run directory.
  static func directory(runDirectory: String) -> String { runDirectory + "/fifo" }

  /// Whether an earlier supervisor has left pipes of a process: it was killed, and the process may live.
  static func arePresent(_ specification: ProcessSpecification, runDirectory: String) -> Bool {
    access(base(specification, runDirectory) + ".stdin", F_OK) == 0
  }

  /// Makes or finds the pipes; from now on what is in them goes to the logs.
  ///
  /// Where there is no pipe to be had, that is told, and the output is thrown away.
  init(_ specification: ProcessSpecification, runDirectory: String, pump: OutputPump) {
    self.specification = specification
    self.pump = pump
    capturesOutput = specification.output.captureMax > 0 || specification.errorOutput.captureMax > 0
    let base = Self.base(specification, runDirectory)
    input = InputChannel(path: base + ".stdin")
    output = open(.output, base: base)
    if !specification.redirectsErrors { errorOutput = open(.errorOutput, base: base) }
  }

  /// Opens the three descriptors for a process that is about to be spawned.
  /// - Parameter null: what stands for a channel that goes nowhere.
  /// - Returns: the descriptors, which the caller closes.
  /// - Throws: `SystemError`.
  func open(null: Int32) throws(SystemError) -> Descriptors {
    var owned: [Int32] = []
    do throws(SystemError) {
      var input = null
      do throws(SystemError) {
        input = try self.input.openForProcess(owner: specification.user)
        owned.append(input)
      } catch {
        Log.warning("a process has no standard input", ["name": specification.fullName, "error": "\(error)"])
      }
      let output = try self.output?.pipe.openForProcess() ?? null
      if output != null { owned.append(output) }
      if specification.redirectsErrors {
        return Descriptors(input: input, output: output, errorOutput: output, owned: owned)
      }
      let errorOutput = try self.errorOutput?.pipe.openForProcess() ?? null
      if errorOutput != null { owned.append(errorOutput) }
      return Descriptors(input: input, output: output, errorOutput: errorOutput, owned: owned)
    } catch {
      for descriptor in owned { close(descriptor) }
      throw error
    }
  }

  /// Tells that the process runs: its logs are there from now on, even where it says nothing.
  func processStarted() {
    guard !hasLogs else { return }
    hasLogs = true
    pump.prepare(streams)
  }

  /// Tells that the process has ended: what waited for its standard input is forgotten.
  func processEnded() {
    input.clear()
    guard capturesOutput else { return }
    pump.restart(streams.filter { $0.specification.captureMax > 0 })
  }

  /// Sends bytes to standard input, without waiting for the process to read them.
  /// - Throws: `InputFailure`; nothing has been sent then.
  func send(_ bytes: [UInt8]) throws(InputFailure) {
    if let descriptor = try input.send(bytes) { pump.watch(input, descriptor) }
  }

  /// Hands what a channel says to the main loop from now on, beside its log.
  /// - Parameters:
  ///   - channel: which one; one that goes nowhere says nothing.
  ///   - handler: is called on the main loop.
  func tap(_ channel: OutputChannel, _ handler: @escaping (TapItem) -> Void) {
    let stream = channel == .output ? output : errorOutput
    stream?.handler = handler
    stream?.isTapped.store(true, ordering: .relaxed)
  }

  /// Bytes of all channels that were lost, because a log could not be written or was too slow.
  var droppedBytes: Int { streams.reduce(0) { $0 + $1.droppedBytes.load(ordering: .relaxed) } }

  /// Writes what is in the pipes to the logs before it returns, or gives up.
  /// - Parameter limitMilliseconds: how long it waits at most.
  func drain(limitMilliseconds: Int32) { pump.drain(streams, limitMilliseconds: limitMilliseconds) }

  /// Empties the logs.
  /// - Throws: `SystemError` where a file cannot be emptied.
  func clearLogs() throws(SystemError) { try pump.clear(streams.compactMap(\.specification.file)) }

  /// Gives the streams up: the process is not supervised any more.
  func remove() {
    pump.remove(streams)
    for stream in streams { stream.pipe.unlink() }
    input.clear()
    input.unlink()
  }

  private static func base(_ specification: ProcessSpecification, _ runDirectory: String) -> String {
    directory(runDirectory: runDirectory) + "/\(specification.group):\(specification.name)"
  }

  private var streams: [OutputStream] { [output, errorOutput].compactMap(\.self) }

  private func open(_ channel: OutputChannel, base: String) -> OutputStream? {
    let output = channel == .output ? specification.output : specification.errorOutput
    let isListener = channel == .output && specification.kind == .eventListener
    guard output.goesSomewhere || isListener else { return nil }
    do throws(SystemError) {
      let pipe = try StreamPipe(path: "\(base).\(channel.rawValue)", owner: specification.user)
      let stream = OutputStream(
        process: specification.fullName, name: specification.name, channel: channel, specification: output, pipe: pipe)
      pump.add(stream)
      return stream
    } catch {
      Log.error("process output is lost", ["name": specification.fullName, "error": "\(error)"])
      return nil
    }
  }
}
