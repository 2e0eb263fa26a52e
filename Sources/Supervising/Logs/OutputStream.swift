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
  /// Whether what it says is handed to the main loop.
  let isTapped = Atomic<Bool>(false)
  /// What the main loop does with it.
  var handler: ((TapItem) -> Void)?

  /// Where it goes; nil while it goes to no file.
  var file: LogFile?
  /// The number that stands for it in the pump's epoll.
  var number: UInt64 = 0
  /// Whether its pipe has been made large.
  var isLarge = false
  /// Whether it is not read, because its log takes nothing at present.
  var isWaiting = false

  init(process: String, channel: OutputChannel, specification: OutputSpecification, pipe: StreamPipe) {
    self.process = process
    self.channel = channel
    self.specification = specification
    self.pipe = pipe
  }

  /// Takes what the process has said, hands it on, and writes it.
  func deliver(_ bytes: UnsafeRawBufferPointer, to taps: Taps) {
    if isTapped.load(ordering: .relaxed) { taps.post(self, .log([UInt8](bytes))) }
    guard let file else { return }
    let lost = file.write(bytes)
    if lost > 0 { droppedBytes.add(lost, ordering: .relaxed) }
  }
}
