internal import Glibc

/// Bytes on their way out: appended at the back, taken from the front, in memory that is used again.
struct ByteQueue: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  private var head = 0
  private var tail = 0

  init(capacity: Int) {
    self.capacity = capacity
    base = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit { base.deallocate() }

  var count: Int { tail - head }

  /// What waits; valid until the next change.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + head, count: count) }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    if tail + bytes.count > capacity { makeRoom(bytes.count) }
    memcpy(base + tail, source, bytes.count)
    tail += bytes.count
  }

  mutating func removeFirst(_ count: Int) {
    precondition(count <= self.count)
    head += count
    if head == tail {
      head = 0
      tail = 0
    }
  }

  private mutating func makeRoom(_ more: Int) {
    let used = count
    if used + more <= capacity / 2 {
      memmove(base, base + head, used)
    } else {
      capacity = max(capacity * 2, used + more)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
      memcpy(larger, base + head, used)
      base.deallocate()
      base = larger
    }
    head = 0
    tail = used
  }
}
