internal import Market

/// What is done to a stream before it is written: marks of communications, escape sequences, times, the system's log.
///
/// A copy of it can be tried without any effect on the stream.
struct OutputFilter {
  private var scanner: CaptureScanner?
  private var escapes: EscapeFilter?
  private var stamps: LineStamps?
  private var systemLog: SystemLog?
  /// Whether the log gets what the process says as it is.
  let isPlain: Bool

  /// - Parameters:
  ///   - specification: what is wanted.
  ///   - name: what the system's log calls the process.
  ///   - isAtLineStart: whether its next byte begins a line in the log.
  init(_ specification: OutputSpecification, name: String, isAtLineStart: Bool = true) {
    if specification.captureMax > 0 { scanner = CaptureScanner(sizeMax: specification.captureMax) }
    if specification.stripsEscapes { escapes = EscapeFilter() }
    if specification.stampsLines { stamps = LineStamps(isAtStart: isAtLineStart) }
    if specification.usesSyslog { systemLog = SystemLog(name: name) }
    isPlain = scanner == nil && escapes == nil && stamps == nil && systemLog == nil
  }

  /// Whether the next byte begins a line in the log.
  var isAtLineStart: Bool { stamps?.isAtStart ?? true }

  /// Takes what a process has said.
  /// - Parameters:
  ///   - bytes: the next of them.
  ///   - now: the time of all of them.
  ///   - tell: hears of each piece; nil: nobody does, the system's log neither.
  /// - Returns: what the log gets.
  mutating func pass(
    _ bytes: UnsafeRawBufferPointer, now: Timestamp, tell: ((TapItem) -> Void)?
  ) -> [UInt8] {
    guard let pieces = scanner?.scan(bytes) else { return text(bytes, now, tell) }
    var output: [UInt8] = []
    for piece in pieces {
      switch piece {
      case .log(let part): output += part.withUnsafeBytes { text($0, now, tell) }
      case .communication(let part): tell?(.communication(part))
      }
    }
    return output
  }

  /// Gives up on what is held, because a new process speaks.
  /// - Returns: what the log gets.
  mutating func finish(now: Timestamp, tell: ((TapItem) -> Void)?) -> [UInt8] {
    guard let rest = scanner?.finish(), !rest.isEmpty else { return [] }
    return rest.withUnsafeBytes { text($0, now, tell) }
  }

  private mutating func text(
    _ bytes: UnsafeRawBufferPointer, _ now: Timestamp, _ tell: ((TapItem) -> Void)?
  ) -> [UInt8] {
    guard let stripped = escapes?.filter(bytes) else { return stamped(bytes, now, tell) }
    return stripped.withUnsafeBytes { stamped($0, now, tell) }
  }

  private mutating func stamped(
    _ bytes: UnsafeRawBufferPointer, _ now: Timestamp, _ tell: ((TapItem) -> Void)?
  ) -> [UInt8] {
    guard !bytes.isEmpty else { return [] }
    if let tell {
      tell(.log([UInt8](bytes)))
      systemLog?.write(bytes)
    }
    return stamps?.stamp(bytes, now: now) ?? [UInt8](bytes)
  }
}
