internal import Bus
package import Daemon
internal import Market

/// Which part of its venue an ingestor watches: what it was started with, then what the supervisor publishes.
///
/// A new plan is worked off by the service: it takes what is its own now, drops what is not when the plan says so, and
/// says `confirm` when both are done.
final class ShardFollower {
  /// This shard's index.
  let shard: Int
  /// The present plan.
  private(set) var plan: ShardPlan
  /// Listens to the supervisor.
  let subscriber: Subscriber
  /// When the present plan came, or the process began where that was later, in monotonic nanoseconds.
  private(set) var planAt: Int64
  private let readiness: Readiness
  private let supervisedUntil: Int64
  private var isSupervisorHeard = false
  private var isConfirmed = false
  private var confirmedAt: Int64 = 0
  /// How long the last plan took, in nanoseconds.
  private(set) var lastHandOverNanoseconds: Int64 = 0

  /// Connects to the supervisor, and tells it that this process takes part in hand-overs.
  ///
  /// - Parameters:
  ///   - context: the process.
  ///   - environment: where the supervisor says which shard this is.
  /// - Throws: `ConfigurationError` where that is no shard, `BusError` where the bus cannot be used.
  init(context: WorkerContext, environment: [String: String] = Environment.current) throws {
    let position = try ShardPosition(arguments: context.arguments, environment: environment)
    shard = position.index
    let program = environment["BULKHEAD_PROGRAM"] ?? environment["SUPERVISOR_GROUP_NAME"] ?? context.name
    plan = ShardPlan(
      program: program, generation: 0, previousCount: position.count, count: position.count, phase: .done)
    let now = SystemClock.monotonicNanoseconds
    planAt = now
    readiness = context.readiness
    // Somebody else's supervisor publishes no plans.
    supervisedUntil = readiness.address.isEmpty || environment["BULKHEAD_SHARD"] == nil ? now : now + 2_000_000_000
    subscriber = try Subscriber(
      name: context.name, topics: [Topic.shards + program],
      reconnectMilliseconds: context.settings.integer("bus", "reconnect_ms"))
    try subscriber.connect(BusEndpoint.ipc(name: "supervisor", runDirectory: context.runDirectory))
    declare()
  }

  /// Whether the plan is known as well as it will be before the work begins: the supervisor was heard, or is not there.
  func isSettled(_ now: Int64) -> Bool { isSupervisorHeard || now >= supervisedUntil }

  /// Takes what the supervisor has said; never blocks.
  ///
  /// - Returns: whether there is a new plan.
  func receive() -> Bool {
    var isNew = false
    subscriber.receive { event in
      switch event {
      case .message(let stream, _, _, var body):
        guard subscriber.topic(of: stream) == Topic.shards + plan.program, let next = try? ShardPlan(&body) else {
          return
        }
        if take(next) { isNew = true }
        isSupervisorHeard = true
      case .snapshotEnd:
        isSupervisorHeard = true
        // Another supervisor may have taken over: it learns from this what the one before has planned.
        declare()
      case .gap, .restarted: break
      }
    }
    return isNew
  }

  private func declare() { readiness.send("X_BULKHEAD_SHARDED=\(plan.generation)") }

  private func take(_ next: ShardPlan) -> Bool {
    guard next.program == plan.program, next != plan else { return false }
    // The plan that a new process is told first is older than the process.
    if next.generation != plan.generation, isSupervisorHeard { planAt = SystemClock.monotonicNanoseconds }
    plan = next
    isConfirmed = false
    return true
  }

  /// Under which term this shard publishes what belongs to a key; nil where another one does.
  func term(ofKey key: String) -> UInt64? { plan.term(of: Rendezvous.hash(key), shard: shard) }

  /// Whether the present plan waits for this shard's word.
  func wantsConfirmation(_ now: Int64) -> Bool {
    // A datagram may be lost: it is said again until the plan goes on.
    !isConfirmed || (plan.phase != .done && now - confirmedAt > 1_000_000_000)
  }

  /// Says that this shard has what the plan gives it, and nothing that the plan takes from it.
  ///
  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  ///   - status: for people.
  /// - Returns: whether this is the first time.
  func confirm(_ now: Int64, status: String) -> Bool {
    let isFirst = !isConfirmed
    isConfirmed = true
    confirmedAt = now
    lastHandOverNanoseconds = now - planAt
    readiness.send(
      "X_BULKHEAD_SHARDED=\(plan.generation)\nX_BULKHEAD_SHARD=\(plan.generation):\(plan.phase.name)\nSTATUS=\(status)")
    return isFirst
  }

  /// `shard 1 of 4: `, or nothing where there is only one.
  var title: String { plan.count > 1 || shard > 0 ? "shard \(shard) of \(plan.count): " : "" }
}

/// Which shard a process is, of how many: `--shard i/n` on the command line, or `BULKHEAD_SHARD`.
package struct ShardPosition: Hashable, Sendable {
  /// Counted from 0.
  package let index: Int
  /// How many there are.
  package let count: Int

  /// Finds it; the command line comes first, and without either there is one shard.
  ///
  /// - Parameters:
  ///   - arguments: the command line without the program.
  ///   - environment: the variables.
  /// - Throws: `ConfigurationError` where it is not `i/n` with i from 0 and below n.
  package init(arguments: [String], environment: [String: String]) throws(ConfigurationError) {
    var text = environment["BULKHEAD_SHARD"] ?? "0/1"
    var source = "BULKHEAD_SHARD"
    if let option = arguments.firstIndex(of: "--shard") {
      source = "--shard"
      text = option + 1 < arguments.count ? arguments[option + 1] : ""
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count >= 1, count <= 100_000,
      (0..<count).contains(index)
    else {
      throw ConfigurationError(file: source, problem: "expected i/n with i from 0 and below n, found \"\(text)\"")
    }
    self.index = index
    self.count = count
  }

  /// The arguments without the option.
  package static func others(_ arguments: [String]) -> [String] {
    guard let option = arguments.firstIndex(of: "--shard") else { return arguments }
    return Array(arguments[..<option] + arguments[(option + 1)...].dropFirst())
  }
}
