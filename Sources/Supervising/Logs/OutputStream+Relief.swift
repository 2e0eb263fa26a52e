internal import CLinux
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// The pipe of a stream: the pump and, where that one is stuck, its guard take bytes out of it.
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

  /// Looks at what is in the pipe; it stays there until it is taken.
  /// - Returns: how many bytes the mirror shows.
  func show(in mirror: Mirror, _ countMax: Int) -> Int {
    gate.withLock { dropped in
      dropped = 0
      return mirror.show(pipe.descriptor, countMax)
    }
  }

  /// Takes the first bytes of those that were shown out of the pipe, but for what was dropped meanwhile: that has been
  /// written and was not lost.
  func take(_ count: Int, through mirror: Mirror) {
    gate.withLock { dropped in
      let spared = min(count, dropped)
      dropped = 0
      if spared > 0 { droppedBytes.subtract(spared, ordering: .relaxed) }
      mirror.take(count - spared, outOf: pipe.descriptor)
    }
  }

  /// Drops what is in the pipe where it is more than half full; from the pump's thread, or while that one is stuck.
  /// - Parameter buffer: where it passes through.
  /// - Returns: how many bytes were dropped.
  func relieve(through buffer: UnsafeMutableRawBufferPointer) -> Int {
    gate.withLock { sinceShown in
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
      sinceShown += dropped
      droppedBytes.add(dropped, ordering: .relaxed)
      return dropped
    }
  }
}
