internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A spawned process: its pid, and a descriptor that stands for it.
final class Child {
  let pid: Int32
  /// Readable when the process has ended.
  let pidDescriptor: Int32
  /// When it began, where another supervisor spawned it; nil for a child of ours.
  let strangerSince: UInt64?

  private init(pid: Int32, pidDescriptor: Int32, strangerSince: UInt64? = nil) {
    self.pid = pid
    self.pidDescriptor = pidDescriptor
    self.strangerSince = strangerSince
  }

  deinit { close(pidDescriptor) }

  /// Spawns a process in a group of its own.
  /// - Throws: `SystemError` that names the step which failed.
  static func spawn(
    _ order: SpawnOrder, streams: ProcessStreams.Descriptors, group: ControlGroup?, isUrgent: Bool
  ) throws(SystemError) -> Child {
    let pid = try order.spawn(streams: streams, group: group, isUrgent: isUrgent)
    let pidDescriptor = bh_pidfd_open(pid)
    guard pidDescriptor >= 0 else {
      let failure = SystemError.last("pidfd_open")
      kill(-pid, SIGKILL)
      waitpid(pid, nil, 0)
      throw failure
    }
    return Child(pid: pid, pidDescriptor: pidDescriptor)
  }

  /// Takes over a process that another supervisor, or an earlier image of this one, spawned.
  /// - Returns: nil where it is gone.
  static func adopt(_ facts: ProcessFacts) -> Child? {
    let descriptor = bh_pidfd_open(facts.pid)
    guard descriptor >= 0 else { return nil }
    // Only now the number is held.
    guard let present = ProcessFacts(pid: facts.pid), present.startTicks == facts.startTicks else {
      close(descriptor)
      return nil
    }
    return Child(
      pid: facts.pid, pidDescriptor: descriptor, strangerSince: present.parent == getpid() ? nil : facts.startTicks)
  }

  /// How it ended; nil where it has not.
  func exit() -> ProcessExit? {
    var status: Int32 = 0
    guard let strangerSince else {
      return bh_peek_exit(pid, &status) == pid ? ProcessExit(waitStatus: status) : nil
    }
    var item = pollfd(fd: pidDescriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&item, 1, 0) > 0 else { return nil }
    // Told once it is reaped; until then its entry says so. In between it may be reaped.
    if bh_pidfd_exit(pidDescriptor, &status) == 0 { return ProcessExit(waitStatus: status) }
    if let facts = ProcessFacts(pid: pid), facts.startTicks == strangerSince, facts.isZombie {
      return ProcessExit(waitStatus: facts.exitStatus)
    }
    return bh_pidfd_exit(pidDescriptor, &status) == 0 ? ProcessExit(waitStatus: status) : .unseen
  }

  /// Sends a signal; one that finds nobody is no failure.
  func signal(_ number: Int32, group: Bool) throws(SystemError) {
    let result: Int32
    if !group {
      result = bh_pidfd_send_signal(pidDescriptor, number)
    } else {
      // A stranger's number may be another's by now; older kernels know groups by number alone.
      let sent = strangerSince == nil ? -1 : bh_pidfd_signal_group(pidDescriptor, number)
      result = sent != 0 && (strangerSince == nil || errno == EINVAL) ? kill(-pid, number) : sent
    }
    if result != 0, errno != ESRCH { throw SystemError.last("signal \(number) to \(pid)") }
  }
}
