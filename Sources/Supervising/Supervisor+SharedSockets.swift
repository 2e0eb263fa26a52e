internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// The sockets of `[fcgi-program:x]`.
extension Supervisor {
  /// The socket that a process gets as its standard input.
  ///
  /// Where another supervisor made it, and one of the processes that have it lives, it is taken from that one, so that
  /// all go on with the same.
  func sharedSocket(_ specification: SharedSocketSpecification) throws(SystemError) -> Int32 {
    if !sharedSockets.has(specification), let found = inheritedSocket(specification) {
      sharedSockets.adopt(found, as: specification)
    }
    return try sharedSockets.descriptor(specification)
  }

  private func inheritedSocket(_ specification: SharedSocketSpecification) -> Int32? {
    for process in table.order where table[process]?.specification.kind == .fastCGI(specification) {
      guard let child = rowStates[process]?.child else { continue }
      let descriptor = bh_pidfd_getfd(child.pidDescriptor, 0)
      guard descriptor >= 0 else { continue }
      var listens: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      if getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens == 1 { return descriptor }
      close(descriptor)
    }
    return nil
  }

  /// Closes the sockets of groups that are gone.
  func closeUnneededSockets() {
    sharedSockets.keep { specification in
      table.order.contains { table[$0]?.specification.kind == .fastCGI(specification) }
    }
  }
}
