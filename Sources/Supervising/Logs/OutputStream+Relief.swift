internal import CLinux
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

extension OutputStream {
  /// What the pipe of a stream that says much holds, in bytes.
  static let capacityMax = 1 << 20

  /// Makes the pipe large, where the system allows it.
  func enlarge() {
    guard capacity.load(ordering: .relaxed) < Self.capacityMax else { return }
    _ = bh_set_pipe_size(pipe.descriptor, Int32(Self.capacityMax))
    // Tried once: whoever may not have a large one will not later.
    capacity.store(Self.capacityMax, ordering: .relaxed)
  }

  /// Drops what is in the pipe where it is more than half full; from the pump's thread, or while that one is stuck.
  /// - Parameter buffer: where it passes through.
  /// - Returns: how many bytes were dropped.
  func relieve(through buffer: UnsafeMutableRawBufferPointer) -> Int {
    var left: Int32 = 0
    guard bh_bytes_waiting(pipe.descriptor, &left) == 0, Int(left) > Int(bh_pipe_size(pipe.descriptor)) / 2 else {
      return 0
    }
    var dropped = 0
    while dropped < Int(left) {
      let count = read(pipe.descriptor, buffer.baseAddress, min(buffer.count, Int(left) - dropped))
      guard count > 0 else { break }
      dropped += count
    }
    droppedBytes.add(dropped, ordering: .relaxed)
    return dropped
  }
}
