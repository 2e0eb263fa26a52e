internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What a process writes, in a file that is rotated.
///
/// Beside `x.log` there are `x.log.1`, the one before, and so on. A file never grows beyond its limit, and is cut between lines where a line ends within the limit. When the disk is
/// full or the directory gone, output is dropped and counted, and the file is opened again with the next output.
final class LogFile {
  let specification: OutputSpecification
  private(set) var droppedBytes = 0
  private var descriptor: Int32 = -1
  private var size = 0
  private var hasComplained = false

  init(_ specification: OutputSpecification) { self.specification = specification }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Makes the file, so that it is there before the first output.
  func prepare() {
    guard let path = specification.file else { return }
    do throws(SystemError) { try open(path) } catch { drop(0, error) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    guard let path = specification.file else { return }
    var rest = bytes
    while !rest.isEmpty {
      do throws(SystemError) {
        try open(path)
        let room = specification.sizeMax > 0 ? specification.sizeMax - size : rest.count
        let count = fitting(rest, room: room)
        if count == 0 {
          try rotate(path)
          continue
        }
        let written = Glibc.write(descriptor, rest.baseAddress, count)
        if written < 0 {
          if errno == EINTR { continue }
          throw SystemError.last("write \(path)")
        }
        size += written
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        hasComplained = false
      } catch {
        drop(rest.count, error)
        return
      }
    }
  }

  /// How much of the output goes into this file: all, or up to the end of a line, or nothing.
  private func fitting(_ bytes: UnsafeRawBufferPointer, room: Int) -> Int {
    if bytes.count <= room { return bytes.count }
    guard room > 0 else { return 0 }
    let lineEnd = bytes[..<room].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    // A line that is longer than a whole file is cut.
    return lineEnd > 0 || size > 0 ? lineEnd : room
  }

  private func open(_ path: String) throws(SystemError) {
    guard descriptor < 0 else { return }
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
    descriptor = try systemCall("open \(path)") { bh_open(path, flags, 0o644) }
    var status = stat()
    size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  private func rotate(_ path: String) throws(SystemError) {
    close(descriptor)
    descriptor = -1
    if specification.backups > 0 {
      for number in stride(from: specification.backups - 1, to: 0, by: -1) {
        rename("\(path).\(number)", "\(path).\(number + 1)")
      }
      guard rename(path, path + ".1") == 0 || errno == ENOENT else { throw SystemError.last("rename \(path)") }
    } else if truncate(path, 0) != 0, errno != ENOENT {
      throw SystemError.last("truncate \(path)")
    }
    try open(path)
  }

  private func drop(_ count: Int, _ error: SystemError) {
    droppedBytes += count
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    if !hasComplained { Log.error("process output is lost", ["error": "\(error)"]) }
    hasComplained = true
  }
}
