internal import CLinux

#if canImport(Glibc)
  internal import Glibc
#endif

/// What tells a file from all others, whatever it is called.
struct FileIdentity: Equatable {
  var device: UInt64 = 0
  var number: UInt64 = 0

  init() {}

  /// The file that is open, or nothing's identity where it cannot be told.
  init(of descriptor: Int32) {
    var status = stat()
    self = fstat(descriptor, &status) == 0 ? FileIdentity(status) : FileIdentity()
  }

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    number = UInt64(truncatingIfNeeded: status.st_ino)
  }
}
