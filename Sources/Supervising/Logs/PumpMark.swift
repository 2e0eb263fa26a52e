internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where the pump is, in a file that outlives it: what it has begun to write is still in its pipe, and the next pump must
/// know how much of it stands in the log.
///
/// It is written before a log is, and cleared when the bytes have been taken out of the pipe. It is one system call each
/// time rather than a mapping: with a full disk that one could end the supervisor.
final class PumpMark {
  /// A chunk of a stream on its way to its log.
  struct Entry {
    /// 0 where nothing is under way.
    var isSet: UInt64 = 0
    /// The pipe in which it still is.
    var pipe = FileIdentity()
    /// How much of the pipe it is, in bytes.
    var count = 0
    /// What becomes of it in the log, in bytes.
    var outputCount = 0
    /// The time before its lines, where they have one; nanoseconds since 1970.
    var time: Int64 = 0
    /// Whether it begins a line; 0 or 1.
    var isAtLineStart: UInt64 = 1
    /// The log.
    var file = FileIdentity()
    /// How large the log was before, in bytes.
    var offset = 0
    /// How much of the output went to the log before this one, which was rotated meanwhile; in bytes.
    var done = 0
  }

  /// What the pump before has left unfinished.
  let inherited: Entry?
  private let path: String
  private let descriptor: Int32
  private var entry = Entry()

  /// - Parameter runDirectory: where it lies, as `pump.mark`. Where it cannot be, the pump does without.
  init(runDirectory: String) {
    path = runDirectory + "/pump.mark"
    let opened = bh_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    descriptor = opened
    if opened < 0 {
      Log.warning("what is being written is not marked", ["error": "\(SystemError.last("open \(path)"))"])
    }
    var found = Entry()
    let size = MemoryLayout<Entry>.size
    let count = withUnsafeMutableBytes(of: &found) { pread(opened, $0.baseAddress, size, 0) }
    inherited = count == size && found.isSet == 1 ? found : nil
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Notes what is on its way from now on; the file learns of it with `aim`.
  func begin(_ next: Entry) { entry = next }

  /// Says to which place of which log it goes next.
  /// - Parameters:
  ///   - file: the log.
  ///   - offset: its size.
  ///   - done: how much has been written elsewhere.
  func aim(_ file: FileIdentity, offset: Int, done: Int) {
    entry.file = file
    entry.offset = offset
    entry.done = done
    entry.isSet = 1
    save()
  }

  /// The bytes are out of their pipe.
  func clear() {
    guard entry.isSet != 0 else { return }
    entry.isSet = 0
    save()
  }

  /// What was inherited has been dealt with.
  func reset() {
    entry = Entry()
    save()
  }

  func unlink() { if descriptor >= 0 { _ = Glibc.unlink(path) } }

  private func save() {
    // At once or not at all: it is smaller than a page.
    withUnsafeBytes(of: &entry) { _ = pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }
}
