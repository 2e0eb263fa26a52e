internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// The supervisor's own log as a file, beside standard error; rotated as those of processes are.
///
/// Whatever goes wrong with it goes wrong silently: there is nowhere left to tell it but standard error, where every
/// line stands anyway.
final class MainLog: Sendable {
  private struct State {
    var descriptor: Int32 = -1
    var size = 0
  }

  let path: String
  private let sizeMax: Int
  private let backups: Int
  private let state = Mutex(State())

  init(path: String, sizeMax: Int, backups: Int) {
    self.path = path
    self.sizeMax = sizeMax
    self.backups = backups
  }

  deinit { state.withLock { Self.close(&$0) } }

  /// Writes a line; lines of several threads do not mix.
  func write(_ line: UnsafeRawBufferPointer) {
    state.withLock { state in
      if state.descriptor >= 0, sizeMax > 0, state.size > 0, state.size + line.count > sizeMax { rotate(&state) }
      do throws(SystemError) { try open(&state) } catch { return }
      let written = Glibc.write(state.descriptor, line.baseAddress, line.count)
      if written > 0 { state.size += written } else { Self.close(&state) }
    }
  }

  /// Empties the file.
  /// - Throws: `SystemError`.
  func clear() throws(SystemError) {
    try state.withLock { state throws(SystemError) in
      Self.close(&state)
      try open(&state)
      try systemCall("truncate \(path)") { ftruncate(state.descriptor, 0) }
      state.size = 0
    }
  }

  /// The next line goes to whatever bears the name then.
  func reopen() { state.withLock { Self.close(&$0) } }

  private func open(_ state: inout State) throws(SystemError) {
    guard state.descriptor < 0 else { return }
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    state.descriptor = try systemCall("open \(path)") { bh_open(path, flags, 0o644) }
    var status = stat()
    state.size = fstat(state.descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  private func rotate(_ state: inout State) {
    if backups > 0 {
      for number in stride(from: backups - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
      rename(path, path + ".1")
      Self.close(&state)
    } else {
      ftruncate(state.descriptor, 0)
      state.size = 0
    }
  }

  private static func close(_ state: inout State) {
    if state.descriptor >= 0 { Glibc.close(state.descriptor) }
    state.descriptor = -1
  }
}
