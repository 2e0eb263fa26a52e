internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// What one process says on one channel, on its way from its pipe to its log.
///
/// Sound as `Sendable`: `pipe`, `specification` and the names never change, counters are atomic, `handler` belongs to
/// the main loop, and everything else to the pump's thread.
final class OutputStream: @unchecked Sendable {
  /// The process, as `group:name`.
  let process: String
  let channel: OutputChannel
  let specification: OutputSpecification
  let pipe: StreamPipe
  /// Bytes that went nowhere, because the log could not be written or was too slow.
  let droppedBytes = Atomic<Int>(0)
  /// How much the pipe holds, in bytes.
  let capacity = Atomic<Int>(64 << 10)
  /// Whether what it says is handed to the main loop.
  let isTapped = Atomic<Bool>(false)
  /// What the main loop does with it.
  var handler: ((TapItem) -> Void)?

  /// Where it goes; nil while it goes to no file.
  var file: LogFile?
  /// The number that stands for it in the pump's epoll.
  var number: UInt64 = 0
  /// Whether it is not read, because its log takes nothing at present.
  var isWaiting = false
  /// The beginning of a line whose rest is in the pipe.
  var held: [UInt8] = []
  private var scanner: CaptureScanner?
  private var escapes: EscapeFilter?
  private var stamps: LineStamps?
  private var systemLog: SystemLog?
  private let isPlain: Bool

  init(
    process: String, name: String, channel: OutputChannel, specification: OutputSpecification, pipe: StreamPipe
  ) {
    self.process = process
    self.channel = channel
    self.specification = specification
    self.pipe = pipe
    if specification.captureMax > 0 { scanner = CaptureScanner(sizeMax: specification.captureMax) }
    if specification.stripsEscapes { escapes = EscapeFilter() }
    if specification.stampsLines { stamps = LineStamps() }
    if specification.usesSyslog { systemLog = SystemLog(name: name) }
    isPlain = scanner == nil && escapes == nil && stamps == nil && systemLog == nil
  }

  /// Takes what the process has said, hands it on, and writes it.
  func deliver(_ bytes: UnsafeRawBufferPointer, to taps: Taps) {
    guard let pieces = scanner?.scan(bytes) else { return log(bytes, taps) }
    for piece in pieces {
      switch piece {
      case .log(let part): part.withUnsafeBytes { log($0, taps) }
      case .communication(let part):
        if isTapped.load(ordering: .relaxed) { taps.post(self, .communication(part)) }
      }
    }
  }

  /// Tells that a new process speaks: what the old one left unfinished is over.
  func restart(_ taps: Taps) {
    if let rest = scanner?.finish(), !rest.isEmpty { rest.withUnsafeBytes { log($0, taps) } }
  }

  private func log(_ bytes: UnsafeRawBufferPointer, _ taps: Taps) {
    if isPlain, !isTapped.load(ordering: .relaxed) { return write(bytes) }
    guard let stripped = escapes?.filter(bytes) else { return logText(bytes, taps) }
    stripped.withUnsafeBytes { logText($0, taps) }
  }

  private func logText(_ bytes: UnsafeRawBufferPointer, _ taps: Taps) {
    guard !bytes.isEmpty else { return }
    if isTapped.load(ordering: .relaxed) { taps.post(self, .log([UInt8](bytes))) }
    systemLog?.write(bytes)
    guard let stamped = stamps?.stamp(bytes, now: SystemClock.now) else { return write(bytes) }
    stamped.withUnsafeBytes { write($0) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    guard let file else { return }
    let lost = file.write(bytes)
    if lost > 0 { droppedBytes.add(lost, ordering: .relaxed) }
  }
}
