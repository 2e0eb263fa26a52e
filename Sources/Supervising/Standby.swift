internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A process that does nothing but wait for the supervisor's death, to become the next one.
///
/// It sleeps on a descriptor of the supervisor, and holds the socket of readiness open, so that what children say
/// meanwhile is kept.
final class Standby {
  let pid: Int32
  let startTicks: UInt64
  /// Readable when it has ended.
  let descriptor: Int32

  private init?(pid: Int32) {
    let opened = bh_pidfd_open(pid)
    guard opened >= 0 else { return nil }
    guard let facts = ProcessFacts(pid: pid) else {
      close(opened)
      return nil
    }
    self.pid = pid
    startTicks = facts.startTicks
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// Starts one.
  /// - Parameters:
  ///   - launch: how the supervisor itself was started.
  ///   - environment: that of the supervisor.
  ///   - notify: the socket of readiness.
  /// - Returns: the process, which waits.
  /// - Throws: `SystemError`.
  static func start(_ launch: Launch, environment: [String: String], notify: Int32) throws(SystemError) -> Standby {
    let watched = try systemCall("pidfd_open") { bh_pidfd_open(getpid()) }
    defer { close(watched) }
    let arguments = CStringArray(
      [launch.executable, "--standby", "\(launch.standIn ?? 0)", "--notify", "4"] + launch.arguments)
    let variables = CStringArray(environment.map { "\($0.key)=\($0.value)" })
    let pid = try withExtendedLifetime((arguments, variables)) { () throws(SystemError) in
      try systemCall("start \(launch.executable)") {
        bh_spawn_standby(launch.executable, arguments.pointer, variables.pointer, watched, notify)
      }
    }
    guard let standby = Standby(pid: pid) else { throw SystemError.last("pidfd_open") }
    return standby
  }

  /// Takes over the standby of the image before; nil where it is not there any more.
  static func adopt(_ identity: SavedState.Identity) -> Standby? {
    guard let standby = Standby(pid: identity.pid), standby.startTicks == identity.startTicks,
      let facts = ProcessFacts(pid: identity.pid), facts.parent == getpid(), !facts.isZombie
    else { return nil }
    return standby
  }

  /// Ends it, and waits until it is gone.
  func end() {
    _ = bh_pidfd_send_signal(descriptor, SIGKILL)
    waitpid(pid, nil, 0)
  }
}

extension Supervisor {
  private static let pauseMinNanoseconds: Int64 = 1_000_000_000
  private static let pauseMaxNanoseconds: Int64 = 60_000_000_000

  /// Sees to it that there is a standby, unless none is wanted, or it would die with us.
  func startStandby() {
    // The first process of a namespace takes all others with it.
    guard configuration.hasStandby, standby == nil, getpid() != 1, !table.isShuttingDown else { return }
    do throws(SystemError) {
      let started = try Standby.start(launch, environment: environment, notify: notifySocket.descriptor)
      try watch(started)
    } catch {
      Log.error("standby cannot be started", ["error": "\(error)"])
      startStandbyLater()
    }
  }

  func watch(_ started: Standby) throws(SystemError) {
    standby = started
    standbySince = SystemClock.monotonicNanoseconds
    standbyToken = try loop.add(started.descriptor) { [unowned self] in standbyEnded() }
    isStateChanged = true
  }

  /// Nobody but a person ends it; a new one follows, later each time where that happens again and again.
  private func standbyEnded() {
    guard let ended = standby else { return }
    forgetStandby()
    waitpid(ended.pid, nil, WNOHANG)
    guard !table.isShuttingDown else { return }
    Log.warning("standby has ended", ["pid": "\(ended.pid)"])
    if SystemClock.monotonicNanoseconds - standbySince > Self.pauseMaxNanoseconds { standbyPause = 0 }
    startStandbyLater()
  }

  private func startStandbyLater() {
    standbyPause = min(max(standbyPause * 2, Self.pauseMinNanoseconds), Self.pauseMaxNanoseconds)
    alarms.set("standby", at: SystemClock.monotonicNanoseconds + standbyPause) { [unowned self] in startStandby() }
  }

  private func forgetStandby() {
    if let standbyToken { loop.remove(standbyToken) }
    standbyToken = nil
    standby = nil
    isStateChanged = true
  }

  /// From now on nobody takes over.
  func endStandby() {
    alarms.set("standby", at: nil) {}
    guard let ended = standby else { return }
    forgetStandby()
    ended.end()
  }
}
