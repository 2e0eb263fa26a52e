internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where output passes through; its memory is given back when it is not needed.
final class PumpBuffer {
  let bytes: UnsafeMutableRawBufferPointer
  /// Whether it holds memory that can be given back.
  private(set) var isUsed = false

  init() throws(SystemError) {
    let size = 256 << 10
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw SystemError.last("mmap") }
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: size)
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }

  func used(_ count: Int) { isUsed = isUsed || count > 16 << 10 }

  /// Gives the memory back.
  func release() {
    guard isUsed else { return }
    madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED)
    isUsed = false
  }
}
