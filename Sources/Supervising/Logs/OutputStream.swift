internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// What one process says on one channel, on its way from its pipe to its log.
///
/// Sound as `Sendable`: `pipe`, `specification` and the names never change, counters are atomic, `gate` is locked,
/// `handler` belongs to the main loop, and everything else to the pump's thread.
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
  /// How much was dropped out of the pipe since the pump looked into it, in bytes; held by whoever takes out of it.
  let gate = Mutex<Int>(0)
  /// What the main loop does with it.
  var handler: ((TapItem) -> Void)?

  /// Where it goes; nil while it goes to no file.
  var file: LogFile?
  /// What is done to it on its way.
  var filter: OutputFilter
  /// The number that stands for it in the pump's epoll.
  var number: UInt64 = 0
  /// Whether it is not read, because its log takes nothing at present.
  var isWaiting = false
  private let name: String

  init(
    process: String, name: String, channel: OutputChannel, specification: OutputSpecification, pipe: StreamPipe
  ) {
    self.process = process
    self.channel = channel
    self.specification = specification
    self.pipe = pipe
    self.name = name
    filter = OutputFilter(specification, name: name)
  }

  /// Whether its log gets what it says as it is, and nobody else gets it.
  var isPlain: Bool { filter.isPlain && !isTapped.load(ordering: .relaxed) }

  /// Begins anew with what is done to it.
  /// - Parameter isAtLineStart: whether its next byte begins a line in the log.
  func resetFilter(isAtLineStart: Bool) {
    filter = OutputFilter(specification, name: name, isAtLineStart: isAtLineStart)
  }
}
