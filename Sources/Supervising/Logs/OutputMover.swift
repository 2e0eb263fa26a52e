internal import CLinux
internal import Daemon
internal import Market
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Moves chunks from the pipes of streams to their logs, so that a supervisor may be killed at any moment.
///
/// A chunk is shown in a mirror of the pipe, written to the log from there, and only then taken out of the pipe, which the
/// processes that write to it keep alive: nobody else need live on, no standby either. The mark tells the next supervisor
/// what was under way; from the size of the log it knows how much of that was written, and writes the rest.
///
/// What that holds for:
/// - A log that is a regular file gets each byte once, also where it is rotated meanwhile, with times before its lines,
///   without escape sequences, and shared by several streams. Where the kill hits between taking and clearing the mark
///   (microseconds), what was written is compared with what is in the pipe: only a process that says exactly the same
///   hundreds of kilobytes over again could lose them.
/// - A regular file that others write to as well, or that others rename or empty in the very moment, may get a chunk twice.
/// - A pipe, a terminal or a socket gets everything at least once: a chunk that was written and not yet taken comes
///   twice. What has gone into a line that it did not take whole is lost with the supervisor, and with times or
///   captures all that waited for it, `LogFile.waitingMax` at most.
/// - The system's log and event listeners may be told of a chunk twice. A communication that was under way is not
///   reported, and its end is taken for output.
/// - A stream whose pipe could have no name ends with the supervisor.
final class OutputMover {
  /// A line that is longer is cut where several streams share a log, in bytes; what a process writes at once is whole
  /// in its pipe up to here.
  private static let lineMax = 4096

  let buffer: PumpBuffer
  /// Where the pump is.
  let mark: PumpMark
  private let mirror: Mirror
  private let taps: Taps

  init(runDirectory: String, taps: Taps) throws(SystemError) {
    buffer = try PumpBuffer()
    mirror = try Mirror()
    mark = PumpMark(runDirectory: runDirectory)
    self.taps = taps
  }

  /// Makes room for streams that say much.
  func enlarge() { mirror.enlarge() }

  /// Moves one chunk of what is in the pipe of a stream.
  /// - Returns: how many bytes; 0 where there are none, or the log takes none.
  func move(_ stream: OutputStream) -> Int {
    let count = stream.show(in: mirror, buffer.bytes.count)
    guard count > 0 else { return 0 }
    guard stream.isPlain, let file = stream.file, let offset = file.end(with: count) else {
      return copy(stream, count)
    }
    mark.begin(PumpMark.Entry(pipe: stream.pipe.identity, count: count, outputCount: count))
    mark.aim(file.identity, offset: offset, done: 0)
    let written = file.write(count, from: mirror)
    if written < count {
      let left = mirror.read(into: buffer.bytes, count - written)
      write(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<left]), to: stream, done: written)
    }
    stream.take(count, through: mirror)
    return count
  }

  /// Moves a chunk that must be looked at; a line that its end cuts stays in the pipe, where its rest is already.
  private func copy(_ stream: OutputStream, _ shown: Int) -> Int {
    var count = mirror.read(into: buffer.bytes, shown)
    buffer.used(count)
    var all: Int32 = 0
    if bh_bytes_waiting(stream.pipe.descriptor, &all) == 0, Int(all) > count { count = wholeLines(count) }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    var entry = PumpMark.Entry(pipe: stream.pipe.identity, count: count, outputCount: count)
    if stream.isPlain {
      mark.begin(entry)
      count -= write(bytes, to: stream, mayLeave: true)
    } else {
      let now = SystemClock.now
      entry.time = now.nanoseconds
      entry.isAtLineStart = stream.filter.isAtLineStart ? 1 : 0
      let output = pass(bytes, through: stream, now)
      entry.outputCount = output.count
      mark.begin(entry)
      output.withUnsafeBytes { _ = write($0, to: stream) }
    }
    stream.take(count, through: mirror)
    return count
  }

  /// How much of a buffer ends with a line; all of it where the last line is long.
  private func wholeLines(_ count: Int) -> Int {
    buffer.bytes[max(0, count - Self.lineMax)..<count].lastIndex(of: 0x0A).map { $0 + 1 } ?? count
  }

  private func pass(_ bytes: UnsafeRawBufferPointer, through stream: OutputStream, _ now: Timestamp) -> [UInt8] {
    stream.filter.pass(bytes, now: now) { [taps] item in
      if stream.isTapped.load(ordering: .relaxed) { taps.post(stream, item) }
    }
  }

  /// - Returns: how much was left, because the log does not take it at present; only where it `mayLeave` something.
  @discardableResult
  private func write(
    _ bytes: UnsafeRawBufferPointer, to stream: OutputStream, done: Int = 0, mayLeave: Bool = false
  ) -> Int {
    guard let file = stream.file else { return 0 }
    let outcome = file.write(bytes, mark: mark, done: done, mayLeave: mayLeave)
    if outcome.lost > 0 { stream.droppedBytes.add(outcome.lost, ordering: .relaxed) }
    return outcome.left
  }

  /// Tells that a new process speaks: what the old one left unfinished is over.
  func restart(_ stream: OutputStream) {
    let rest = stream.filter.finish(now: SystemClock.now) { [taps] item in
      if stream.isTapped.load(ordering: .relaxed) { taps.post(stream, item) }
    }
    // It is in no pipe any more, so that there is nothing to mark.
    let lost = rest.withUnsafeBytes { stream.file?.write($0).lost ?? 0 }
    stream.droppedBytes.add(lost, ordering: .relaxed)
  }

  // MARK: - After another supervisor

  /// Goes on with a stream where the supervisor before was killed.
  func inherit(_ stream: OutputStream) {
    if stream.specification.stampsLines { stream.resetFilter(isAtLineStart: stream.file?.endsWithLine ?? true) }
    guard let entry = mark.inherited, entry.pipe == stream.pipe.identity, let file = stream.file else { return }
    if entry.count > 64 << 10 {
      stream.enlarge()
      mirror.enlarge()
    }
    let shown = stream.show(in: mirror, min(entry.count, buffer.bytes.count))
    let count = mirror.read(into: buffer.bytes, shown)
    buffer.used(count)
    guard count == entry.count else { return }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    let now = Timestamp(nanoseconds: entry.time)
    let filter = stream.filter
    stream.resetFilter(isAtLineStart: entry.isAtLineStart == 1)
    var trial = stream.filter
    let output = trial.pass(bytes, now: now, tell: nil)
    // What stands in the log must be the beginning of it; else it is out of the pipe already.
    guard output.count == entry.outputCount, let written = file.written(after: entry),
      output.dropFirst(entry.done).starts(with: written)
    else {
      stream.filter = filter
      return
    }
    let done = entry.done + written.count
    if !stream.isPlain { _ = pass(bytes, through: stream, now) }
    mark.begin(entry)
    output.withUnsafeBytes { _ = write(UnsafeRawBufferPointer(rebasing: $0[done...]), to: stream, done: done) }
    stream.take(count, through: mirror)
    mark.clear()
  }
}
