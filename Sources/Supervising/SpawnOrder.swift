internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What all children of a supervisor begin with, in the form in which the kernel takes it.
final class SpawnSurroundings {
  fileprivate let names: [String]
  fileprivate let variables: CStringArray
  fileprivate let umask: Int
  fileprivate let ignoredSignals: UInt64

  /// - Parameters:
  ///   - environment: what children inherit.
  ///   - umask: that of children which have none of their own.
  init(environment: [String: String], umask: Int) {
    let pairs = environment.sorted { $0.key < $1.key }
    names = pairs.map(\.key)
    variables = CStringArray(pairs.map { "\($0.key)=\($0.value)" })
    self.umask = umask
    ignoredSignals = bh_ignored_signals()
  }
}

/// What a process is spawned with, made once for all its incarnations: a process that died is down until the next runs.
final class SpawnOrder {
  /// Holds in the environment of each child whose it is, so that it is found also where nobody wrote its pid down.
  static let markVariable = "BULKHEAD_CHILD"

  let specification: ProcessSpecification
  /// Whether it has limits of its own.
  let isLimited: Bool
  private let surroundings: SpawnSurroundings
  private let executable: String
  private let path: CStringArray
  private let arguments: CStringArray
  private let ownVariables: CStringArray
  private let variables: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  /// - Parameters:
  ///   - specification: what the process is.
  ///   - executable: the program, found already.
  ///   - surroundings: what all children have.
  ///   - mark: what stands in `markVariable`.
  init(_ specification: ProcessSpecification, executable: String, surroundings: SpawnSurroundings, mark: String) {
    self.specification = specification
    isLimited = !specification.limits.isEmpty
    self.surroundings = surroundings
    self.executable = executable
    path = CStringArray([executable, specification.directory ?? ""])
    arguments = CStringArray(specification.arguments)
    var own = specification.environment
    if let user = specification.user, own["HOME"] == nil {
      own["HOME"] = user.home
      own["USER"] = user.name
      own["LOGNAME"] = user.name
    }
    own[Self.markVariable] = mark
    ownVariables = CStringArray(own.map { "\($0.key)=\($0.value)" })
    let inherited = surroundings.names.indices.filter { own[surroundings.names[$0]] == nil }
    variables = .allocate(capacity: inherited.count + own.count + 1)
    for (place, index) in inherited.enumerated() {
      (variables + place).initialize(to: surroundings.variables.pointer[index])
    }
    (variables + inherited.count).initialize(from: ownVariables.pointer, count: own.count + 1)
  }

  deinit { variables.deallocate() }

  /// Spawns the process in a group of its own.
  /// - Parameters:
  ///   - streams: its standard descriptors.
  ///   - group: the control group that it is to be in.
  ///   - isUrgent: whether it runs before anything else is done here.
  /// - Returns: its pid.
  /// - Throws: `SystemError` that names the step which failed.
  func spawn(
    streams: ProcessStreams.Descriptors, group: ControlGroup?, isUrgent: Bool
  ) throws(SystemError) -> Int32 {
    let groups = specification.user?.groups ?? []
    return try groups.withUnsafeBufferPointer { groups throws(SystemError) in
      var order = bh_spawn_order()
      order.path = UnsafePointer(path.pointer[0])
      order.argv = UnsafePointer(arguments.pointer)
      order.envp = UnsafePointer(variables)
      order.directory = specification.directory == nil ? nil : UnsafePointer(path.pointer[1])
      order.stdin_fd = streams.input
      order.stdout_fd = streams.output
      order.stderr_fd = streams.errorOutput
      order.umask = Int32(specification.umask ?? surroundings.umask)
      order.ignored_signals = surroundings.ignoredSignals
      order.yields = isUrgent ? 1 : 0
      if let user = specification.user, user.uid != geteuid() {
        order.changes_user = 1
        order.uid = user.uid
        order.gid = user.gid
        order.groups = groups.baseAddress
        order.groups_count = groups.count
      }
      var step: UnsafePointer<CChar>?
      let pid = isLimited ? try spawnLimited(&order, &step, group) : bh_spawn(&order, &step)
      if pid < 0 {
        let code = errno
        let name = step.map { String(cString: $0) } ?? "spawn"
        throw SystemError("\(name) \(name == "chdir" ? specification.directory ?? "" : executable)", code: code)
      }
      return pid
    }
  }

  private func spawnLimited(
    _ order: inout bh_spawn_order, _ step: inout UnsafePointer<CChar>?, _ group: ControlGroup?
  ) throws(SystemError) -> Int32 {
    let limits = specification.limits
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
