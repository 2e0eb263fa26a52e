internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A pipe of the pump's own, in which it sees what is in the pipe of a stream: the same pages, which are not copied.
///
/// A log is written from here, so that the process that speaks meanwhile is not held up by the lock of its pipe.
final class Mirror {
  /// The reading end.
  let descriptor: Int32
  private let writing: Int32
  private let null: Int32
  private var isLarge = false

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    try systemCall("pipe2") { bh_pipe_for_reading(&ends) }
    descriptor = ends[0]
    writing = ends[1]
    null = try systemCall("open /dev/null") { bh_open("/dev/null", O_WRONLY | O_CLOEXEC, 0) }
  }

  deinit {
    for end in [descriptor, writing, null] { close(end) }
  }

  /// Makes room for a whole chunk, where the system allows it.
  func enlarge() {
    guard !isLarge else { return }
    isLarge = true
    _ = bh_set_pipe_size(writing, Int32(OutputStream.capacityMax))
  }

  /// Shows what is in a pipe, as far as there is room.
  /// - Returns: how many bytes.
  func show(_ pipe: Int32, _ countMax: Int) -> Int { max(0, bh_tee(pipe, writing, countMax)) }

  /// Reads what is shown.
  /// - Returns: how many bytes.
  func read(into bytes: UnsafeMutableRawBufferPointer, _ count: Int) -> Int {
    max(0, Glibc.read(descriptor, bytes.baseAddress, min(count, bytes.count)))
  }

  /// Takes bytes out of a pipe, which happens at once or not at all, and throws them away.
  func take(_ count: Int, outOf pipe: Int32) {
    // Few are copied sooner than moved.
    if count <= 1024 {
      return withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) {
        _ = Glibc.read(pipe, $0.baseAddress, count)
      }
    }
    var left = count
    while left > 0 {
      let moved = bh_splice(pipe, writing, left)
      guard moved > 0 else { return }
      left -= moved
      drop(moved)
    }
  }

  /// Throws away what is shown.
  func drop(_ count: Int) {
    var left = count
    while left > 0 {
      let moved = bh_splice(descriptor, null, left)
      guard moved > 0 else { return }
      left -= moved
    }
  }
}
