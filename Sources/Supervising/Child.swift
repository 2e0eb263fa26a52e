internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A spawned process: its pid, and a descriptor that stands for it.
final class Child {
  /// Holds in the environment of each child whose it is, so that it is found also where nobody wrote its pid down.
  static let markVariable = "BULKHEAD_CHILD"

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
    _ specification: ProcessSpecification, environment: [String: String], mark: String, umask: Int,
    streams: ProcessStreams.Descriptors, group: ControlGroup?
  ) throws(SystemError) -> Child {
    let pid = try start(
      specification, environment: environment, mark: mark, umask: umask, streams: streams, group: group)
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

  private static func start(
    _ specification: ProcessSpecification, environment: [String: String], mark: String, umask: Int,
    streams: ProcessStreams.Descriptors, group: ControlGroup?
  ) throws(SystemError) -> Int32 {
    var variables = environment.merging(specification.environment) { $1 }
    if let user = specification.user, specification.environment["HOME"] == nil {
      variables["HOME"] = user.home
      variables["USER"] = user.name
      variables["LOGNAME"] = user.name
    }
    variables[markVariable] = mark
    let arguments = CStringArray(specification.arguments)
    let pairs = CStringArray(variables.map { "\($0.key)=\($0.value)" })
    let path = CStringArray([specification.executable, specification.directory ?? ""])
    let groups = specification.user?.groups ?? []
    return try groups.withUnsafeBufferPointer { groups throws(SystemError) in
      var order = bh_spawn_order()
      order.path = UnsafePointer(path.pointer[0])
      order.argv = UnsafePointer(arguments.pointer)
      order.envp = UnsafePointer(pairs.pointer)
      order.directory = specification.directory == nil ? nil : UnsafePointer(path.pointer[1])
      order.stdin_fd = streams.input
      order.stdout_fd = streams.output
      order.stderr_fd = streams.errorOutput
      order.umask = Int32(specification.umask ?? umask)
      if let user = specification.user, user.uid != geteuid() {
        order.changes_user = 1
        order.uid = user.uid
        order.gid = user.gid
        order.groups = groups.baseAddress
        order.groups_count = groups.count
      }
      var step: UnsafePointer<CChar>?
      let pid =
        specification.limits.isEmpty
        ? bh_spawn(&order, &step) : try spawn(&order, &step, specification.limits, group)
      if pid < 0 {
        let code = errno
        let name = step.map { String(cString: $0) } ?? "spawn"
        throw SystemError(
          "\(name) \(name == "chdir" ? specification.directory ?? "" : specification.executable)", code: code)
      }
      return pid
    }
  }
}

extension Child {
  /// Spawns with limits.
  private static func spawn(
    _ order: inout bh_spawn_order, _ step: inout UnsafePointer<CChar>?, _ limits: ResourceLimits, _ group: ControlGroup?
  ) throws(SystemError) -> Int32 {
    let members = try group?.openMembers() ?? -1
    defer { if members >= 0 { close(members) } }
    let wordBits = UInt.bitWidth
    var mask = [UInt](repeating: 0, count: (limits.cpus.last ?? 0) / wordBits + 1)
    for cpu in limits.cpus { mask[cpu / wordBits] |= 1 << UInt(cpu % wordBits) }
    return mask.withUnsafeBufferPointer { words in
      var limit = bh_limits()
      limit.open_files_max = UInt64(limits.openFilesMax)
      // Where a group keeps the limit, a process may have address space that it does not use.
      limit.data_max = group == nil ? UInt64(limits.memoryMax) : 0
      limit.changes_nice = limits.nice == 0 ? 0 : 1
      limit.nice = Int32(limits.nice)
      limit.cpus = limits.cpus.isEmpty ? nil : words.baseAddress
      limit.cpus_bytes = words.count * MemoryLayout<UInt>.size
      limit.cgroup_fd = members
      return withUnsafePointer(to: limit) { pointer in
        order.limits = pointer
        defer { order.limits = nil }
        return bh_spawn(&order, &step)
      }
    }
  }
}

/// C strings, ended by a null pointer, for as long as it lives.
final class CStringArray {
  let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointer = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
    (pointer + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { free(pointer[index]) }
    pointer.deallocate()
  }
}
