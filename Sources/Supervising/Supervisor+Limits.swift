internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What processes may use, and what becomes of those that use more.
extension Supervisor {
  /// The control group of a process that is about to be spawned, where it is to have one.
  /// - Throws: `SystemError` where it must have one and none can be had.
  func controlGroup(_ process: ProcessID, _ specification: ProcessSpecification) throws(SystemError) -> ControlGroup? {
    let limits = specification.limits
    guard limits.controlGroup != .off, limits.memoryMax > 0 || limits.controlGroup == .on else { return nil }
    if let known = rowStates[process]?.controlGroup { return known }
    do throws(SystemError) {
      let group = try ControlGroup(
        runDirectory: configuration.runDirectory, name: specification.key, memoryMax: limits.memoryMax)
      rowStates[process]?.controlGroup = group
      return group
    } catch {
      if limits.controlGroup == .on { throw error }
      Log.warning(
        "memory is limited for each process by itself, because there is no control group to be had",
        ["name": specification.fullName, "error": "\(error)"])
      return nil
    }
  }

  /// Tells where the kernel has ended a process because there was no memory left for it.
  func tellOutOfMemory(_ process: ProcessID, _ exit: ProcessExit, wasKilledByUs: Bool) {
    rowStates[process]?.endNote = ""
    let hasGroup = rowStates[process]?.controlGroup != nil
    let isGroups = rowStates[process]?.controlGroup?.takeKills() ?? false
    guard exit == .signal(SIGKILL) || isGroups, !wasKilledByUs, let specification = table[process]?.specification else {
      return
    }
    let before = machineKills
    machineKills = ControlGroup.killsOfMachine()
    let note: String
    if isGroups {
      note = "ended by the kernel: more memory than memory_max, \(specification.limits.memoryMax) bytes"
    } else if !hasGroup, let before, let now = machineKills, now > before {
      note = "ended by the kernel: the machine was out of memory"
    } else {
      return
    }
    rowStates[process]?.endNote = note
    alert(note, about: specification.fullName)
    publish(process)
  }

  /// Raises the limits of this process to what the configuration needs, as supervisord does.
  /// - Throws: an error where that is not allowed.
  static func raiseLimits(_ daemon: DaemonSpecification) throws {
    let wanted = [
      (RLIMIT_NOFILE, daemon.descriptorsMin, "minfds", "open files"),
      (__RLIMIT_NPROC, daemon.processesMin, "minprocs", "processes"),
    ]
    for (resource, minimum, key, what) in wanted {
      var limit = rlimit()
      let kind = __rlimit_resource_t(resource.rawValue)
      guard getrlimit(kind, &limit) == 0, limit.rlim_cur < rlim_t(minimum) else { continue }
      limit.rlim_cur = rlim_t(minimum)
      if limit.rlim_max < limit.rlim_cur { limit.rlim_max = limit.rlim_cur }
      guard setrlimit(kind, &limit) == 0 else {
        throw LimitTooLow(key: key, minimum: minimum, what: what)
      }
    }
  }
}

/// This process may not have as much as the configuration says that it needs.
struct LimitTooLow: ExitStatusError, CustomStringConvertible {
  let key: String
  let minimum: Int
  let what: String

  var exitStatus: ExitStatus { .failed }
  var description: String { "\(key) wants \(minimum) \(what), and this process may not have so many" }
}
