internal import Daemon
internal import Market
internal import Resilience
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// The state of a venue's limits, in memory that all processes of one run directory share.
///
/// Venues count by address, so whoever asks from this machine spends from the same buckets: shards old and new, the
/// collector of candles, the settler. Each bucket is one number that is exchanged atomically: no process ever waits for
/// another, and one that is killed or stopped in the middle leaves nothing locked. The state outlives a restart, so a
/// process that starts again and again has no burst each time.
///
/// `@unchecked Sendable`: all access to the memory is atomic.
final class SharedBuckets: @unchecked Sendable {
  private static let slotCount = 1023
  private static let probesMax = 32
  private static let bytes = 16 * (slotCount + 1)

  private let memory: UnsafeMutableRawPointer
  private let isMapped: Bool

  /// Buckets of this process alone.
  init() {
    memory = .allocate(byteCount: Self.bytes, alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes)
    isMapped = false
  }

  /// Buckets in a file that others open, too; it is made where it is missing.
  /// - Throws: `SystemError`. The corresponding C functions are `open`, `posix_fallocate` and `mmap`.
  init(path: String) throws(SystemError) {
    let descriptor = try systemCall("open \(path)") { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    defer { close(descriptor) }
    // The blocks are there before anybody writes: a full disk is an error here rather than a signal later.
    let code = posix_fallocate(descriptor, 0, off_t(Self.bytes))
    guard code == 0 else { throw SystemError("posix_fallocate \(path)", code: code) }
    guard let mapped = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED
    else { throw SystemError.last("mmap \(path)") }
    memory = mapped
    isMapped = true
  }

  deinit { if isMapped { munmap(memory, Self.bytes) } else { memory.deallocate() } }

  /// Until when the venue wants nothing, in nanoseconds since 1970.
  var blockedUntil: Int64 { word(0).pointee.load(ordering: .relaxed) }

  /// Nothing is sent until then; a later moment that is known already holds.
  func block(until moment: Int64, now: Int64, durationMax: Int64) {
    var known = blockedUntil
    // What is farther away than anybody may ask for is no moment: memory that somebody else wrote, or a clock put back.
    while known < moment || known > now + durationMax {
      let (done, found) = word(0).pointee.compareExchange(expected: known, desired: moment, ordering: .relaxed)
      if done { return }
      known = found
    }
  }

  /// Takes what a request costs from a bucket.
  /// - Parameters:
  ///   - cost: its units.
  ///   - bucket: the bucket's hash.
  ///   - limiter: its limit.
  ///   - now: monotonic nanoseconds, the same clock in all processes.
  ///   - waitMaxNanoseconds: who would have to wait longer takes nothing.
  /// - Returns: how long the request waits in nanoseconds, and whether it took its turn.
  func take(
    _ cost: Int64, bucket: UInt64, limiter: RateLimiter, now: Int64, waitMaxNanoseconds: Int64
  ) -> (waitNanoseconds: Int64, isTaken: Bool) {
    let state = word(slot(of: bucket) * 2 + 1)
    var known = state.pointee.load(ordering: .relaxed)
    while true {
      // Nobody can owe more than the longest wait: such a number is of a clock before a reboot.
      let isSound = known <= now + limiter.fillNanoseconds + Self.waitEverNanoseconds
      let turn = limiter.take(cost, fullAt: isSound ? known : now, now: now)
      guard turn.waitNanoseconds <= waitMaxNanoseconds else { return (turn.waitNanoseconds, false) }
      let (done, found) = state.pointee.compareExchange(expected: known, desired: turn.fullAt, ordering: .relaxed)
      if done { return (turn.waitNanoseconds, true) }
      known = found
    }
  }

  // MARK: - Words of other meaning

  /// A word that is kept by its hash; 0 where it was never set, or there is no room for it.
  func value(of bucket: UInt64) -> Int64 {
    guard let slot = ownSlot(of: bucket) else { return 0 }
    return word(slot * 2 + 1).pointee.load(ordering: .relaxed)
  }

  /// Changes such a word; where others change it meanwhile, again.
  ///
  /// Nothing is kept where there is no room.
  func change(_ bucket: UInt64, _ body: (Int64) -> Int64) {
    guard let slot = ownSlot(of: bucket) else {
      _ = body(0)
      return
    }
    let state = word(slot * 2 + 1)
    var known = state.pointee.load(ordering: .relaxed)
    while true {
      let next = body(known)
      guard next != known else { return }
      let (done, found) = state.pointee.compareExchange(expected: known, desired: next, ordering: .relaxed)
      if done { return }
      known = found
    }
  }

  /// No request waits for its turn for longer, whoever sends it.
  static let waitEverNanoseconds: Int64 = 60_000_000_000

  /// Where a bucket's number is: its own place, or where there is no room the one of another, which only makes it
  /// stricter.
  private func slot(of bucket: UInt64) -> Int {
    // The place behind those that were looked at.
    ownSlot(of: bucket) ?? (Int(bucket % UInt64(Self.slotCount)) + Self.probesMax) % Self.slotCount + 1
  }

  /// A bucket's own place; nil where all that it may have are taken.
  private func ownSlot(of bucket: UInt64) -> Int? {
    let key = Int64(bitPattern: bucket | 1)
    var slot = Int(bucket % UInt64(Self.slotCount)) + 1
    for _ in 0..<Self.probesMax {
      let (done, found) = word(slot * 2).pointee.compareExchange(expected: 0, desired: key, ordering: .relaxed)
      if done || found == key { return slot }
      slot = slot % Self.slotCount + 1
    }
    return nil
  }

  /// One of the memory's words.
  ///
  /// `Atomic<Int64>` has the size and the alignment of an `Int64`, and zero is a zero.
  private func word(_ index: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
    (memory + 8 * index).assumingMemoryBound(to: Atomic<Int64>.self)
  }
}
