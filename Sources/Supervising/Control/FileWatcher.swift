internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Tells when files change; each watch tells once.
///
/// A file that is written to without end costs nothing while nobody waits for it. The corresponding C functions are
/// `inotify_add_watch` and `read`.
final class FileWatcher {
  /// One who waits.
  struct Watch: Hashable {
    fileprivate let number: Int
    fileprivate let descriptor: Int32
  }

  /// Becomes readable when there is something to process.
  let descriptor: Int32
  private var waiting: [Int32: [Int: () -> Void]] = [:]
  private var nextNumber = 0
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)

  init() throws(SystemError) {
    descriptor = try systemCall("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) }
  }

  deinit {
    buffer.deallocate()
    close(descriptor)
  }

  /// Waits for a file to be written to, truncated, renamed or removed.
  /// - Returns: nil where there is no such file, or it cannot be watched.
  func watch(file path: String, _ callback: @escaping () -> Void) -> Watch? {
    add(path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB, callback)
  }

  /// Waits for a file to appear in a directory.
  /// - Returns: nil where there is no such directory, or it cannot be watched.
  func watch(directory path: String, _ callback: @escaping () -> Void) -> Watch? {
    add(path, IN_CREATE | IN_MOVED_TO, callback)
  }

  private func add(_ path: String, _ events: Int32, _ callback: @escaping () -> Void) -> Watch? {
    let added = inotify_add_watch(descriptor, path, UInt32(events) | IN_ONESHOT)
    guard added >= 0 else { return nil }
    nextNumber += 1
    waiting[added, default: [:]][nextNumber] = callback
    return Watch(number: nextNumber, descriptor: added)
  }

  /// Forgets one who waits.
  func cancel(_ watch: Watch) {
    guard waiting[watch.descriptor]?.removeValue(forKey: watch.number) != nil else { return }
    guard waiting[watch.descriptor]?.isEmpty == true else { return }
    waiting[watch.descriptor] = nil
    inotify_rm_watch(descriptor, watch.descriptor)
  }

  /// Tells those whose files have changed.
  func process() {
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      guard count > 0 else { return }
      var place = 0
      while place + MemoryLayout<inotify_event>.size <= count {
        let event = buffer.loadUnaligned(fromByteOffset: place, as: inotify_event.self)
        place += MemoryLayout<inotify_event>.size + Int(event.len)
        if event.wd >= 0 { tell(event.wd) } else { Array(waiting.keys).forEach(tell) }
      }
    }
  }

  private func tell(_ descriptor: Int32) {
    guard let callbacks = waiting.removeValue(forKey: descriptor) else { return }
    for callback in callbacks.values { callback() }
  }
}
