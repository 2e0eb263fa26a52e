package import Bus

/// How one program comes to another number of processes: a pure state machine.
///
/// - `done` → `taking` by a request for a sharded program, → `leaving` by one for any other.
/// - `taking` (new processes start; everybody takes what will be his) → `overlapping` when all who stay have confirmed, or
///   the limit has passed.
/// - `overlapping` (both publish; whoever listens hears the new owners) → `dropping` after a moment; → `taking` when one
///   dies that has taken.
/// - `dropping` (old owners drop) → `leaving` when all have confirmed, or the limit has passed.
/// - `leaving` (those that are too many end) → `done` when they are gone; a request that came meanwhile begins.
public struct ScalePlan: Hashable, Sendable {
  /// How far it is.
  public enum Stage: Hashable, Sendable {
    case done, taking, overlapping, dropping, leaving
  }

  /// What the shell does.
  public enum Action: Hashable, Sendable {
    /// The plan has changed: it is published.
    case publish
    /// Processes of these indices are made and started.
    case start(Range<Int>)
    /// Processes from this index on are stopped, and taken out of the table when they have ended.
    case stop(from: Int)
    /// It goes on although these have not confirmed.
    case overdue(Stage, missing: [Int])
  }

  /// What the shell knows of the program's processes.
  public struct View: Hashable, Sendable {
    /// The indices of all that are in the table.
    public var present: Set<Int>
    /// The indices of those that live, or will without being told to.
    public var up: Set<Int>

    /// A view by its parts.
    public init(present: Set<Int>, up: Set<Int>) {
      self.present = present
      self.up = up
    }
  }

  /// The program.
  public let program: String
  /// How long processes may take to confirm, in nanoseconds.
  public let limitNanoseconds: Int64
  /// How long two owners publish before the old one drops, in nanoseconds.
  public let overlapNanoseconds: Int64
  /// Grows with each change.
  public private(set) var generation: UInt64
  /// How many there were before.
  public private(set) var previousCount: Int
  /// How many there are to be.
  public private(set) var count: Int
  /// How far it is.
  public private(set) var stage = Stage.done
  /// Whether its processes take part in hand-overs.
  public private(set) var isSharded = false
  /// How many there are to be after this; nil where nobody asked.
  public private(set) var next: Int?
  /// Who has confirmed the present stage.
  public private(set) var confirmed: Set<Int> = []
  /// When `passTime` is due, in monotonic nanoseconds; nil where nothing is waited for.
  public private(set) var deadline: Int64?

  /// A plan at rest.
  /// - Parameters:
  ///   - program: the program's name.
  ///   - count: how many processes it has.
  ///   - generation: of the plan; above that of every plan before.
  ///   - limitNanoseconds: how long processes may take to confirm.
  ///   - overlapNanoseconds: how long two owners publish. The longest pause of a subscriber that connects again is half
  ///     a second.
  public init(
    program: String, count: Int, generation: UInt64, limitNanoseconds: Int64,
    overlapNanoseconds: Int64 = 1_000_000_000
  ) {
    self.program = program
    self.count = count
    previousCount = count
    self.generation = generation
    self.limitNanoseconds = limitNanoseconds
    self.overlapNanoseconds = overlapNanoseconds
  }

  /// The plan as it is published.
  package var message: ShardPlan {
    let phase: ShardPlan.Phase =
      switch stage {
      case .taking, .overlapping: .take
      case .dropping, .leaving: .drop
      case .done: .done
      }
    return ShardPlan(
      program: program, generation: generation, previousCount: previousCount, count: count, phase: phase)
  }

  /// Whether it is at rest and nothing else is asked for.
  public var isAtRest: Bool { stage == .done && next == nil }

  // MARK: - Events

  /// Asks for another number; while a hand-over is under way it is done after that.
  /// - Parameters:
  ///   - count: how many there are to be, at least 1.
  ///   - generation: of the new plan; a greater one is taken where it is not above the present one.
  ///   - view: the processes.
  ///   - now: monotonic nanoseconds.
  /// - Returns: what is to be done, in this order.
  public mutating func request(_ count: Int, generation: UInt64, _ view: View, now: Int64) -> [Action] {
    guard stage == .done else {
      next = count == self.count ? nil : count
      return []
    }
    guard count != self.count else { return [] }
    previousCount = self.count
    self.count = count
    begin(generation)
    var actions: [Action] = []
    if isSharded {
      stage = .taking
      deadline = now + limitNanoseconds
      actions.append(.publish)
      if count > previousCount { actions.append(.start(previousCount..<count)) }
    } else {
      if count > previousCount { actions.append(.start(previousCount..<count)) }
      actions += leave()
    }
    return actions + advance(view, now: now)
  }

  /// A process has said that it takes part in hand-overs.
  /// - Returns: what is to be done: the first one makes the plan known.
  public mutating func declared() -> [Action] {
    guard !isSharded else { return [] }
    isSharded = true
    return [.publish]
  }

  /// Processes were found that follow a plan of a supervisor before this one: whatever was under way is done again, to
  /// the present count.
  public mutating func resume(above generation: UInt64, _ view: View, now: Int64) -> [Action] {
    guard generation > self.generation || stage == .done else { return [] }
    begin(max(generation, self.generation) + 1)
    stage = .taking
    previousCount = count
    deadline = now + limitNanoseconds
    return [.publish] + advance(view, now: now)
  }

  private mutating func begin(_ generation: UInt64) {
    self.generation = max(generation, self.generation + 1)
    confirmed = []
    deadline = nil
  }

  /// A process has confirmed a plan.
  /// - Parameters:
  ///   - shard: its index.
  ///   - generation: of the plan that it means; another one's word is old.
  ///   - phase: which phase of it.
  ///   - view: the processes.
  ///   - now: monotonic nanoseconds.
  /// - Returns: what is to be done, in this order.
  package mutating func confirm(
    _ shard: Int, generation: UInt64, phase: ShardPlan.Phase, _ view: View, now: Int64
  ) -> [Action] {
    guard generation == self.generation, phase == message.phase, stage != .done else { return [] }
    confirmed.insert(shard)
    return advance(view, now: now)
  }

  /// A process has died: what it had taken is to be taken again.
  public mutating func lost(_ shard: Int, _ view: View, now: Int64) -> [Action] {
    confirmed.remove(shard)
    if stage == .overlapping, shard < count {
      stage = .taking
      deadline = now + limitNanoseconds
    }
    return advance(view, now: now)
  }

  /// The deadline has come.
  public mutating func passTime(_ view: View, now: Int64) -> [Action] {
    guard let due = deadline, due <= now else { return [] }
    switch stage {
    case .taking, .dropping:
      let missing = missing(view)
      let late = Action.overdue(stage, missing: missing.sorted())
      confirmed.formUnion(missing)
      return [late] + advance(view, now: now)
    case .overlapping: return drop(now) + advance(view, now: now)
    case .done, .leaving:
      deadline = nil
      return []
    }
  }

  /// Goes on where nothing is missing any more.
  public mutating func advance(_ view: View, now: Int64) -> [Action] {
    switch stage {
    case .taking:
      guard missing(view).isEmpty else { return [] }
      stage = .overlapping
      deadline = now + overlapNanoseconds
      return []
    case .dropping:
      guard missing(view).isEmpty else { return [] }
      return leave() + advance(view, now: now)
    case .leaving:
      guard !view.present.contains(where: { $0 >= count }) else { return [] }
      stage = .done
      deadline = nil
      var actions = [Action.publish]
      if let next {
        self.next = nil
        actions += request(next, generation: generation + 1, view, now: now)
      }
      return actions
    case .done, .overlapping: return []
    }
  }

  // MARK: - Steps

  /// Who keeps the present stage from its end: those that stay must take, all must drop, those that leave must go.
  public func missing(_ view: View) -> Set<Int> {
    switch stage {
    case .taking: view.up.filter { $0 < count && !confirmed.contains($0) }
    case .dropping: view.up.subtracting(confirmed)
    case .leaving: view.present.filter { $0 >= count }
    case .done, .overlapping: []
    }
  }

  private mutating func drop(_ now: Int64) -> [Action] {
    stage = .dropping
    confirmed = []
    deadline = now + limitNanoseconds
    return [.publish]
  }

  private mutating func leave() -> [Action] {
    stage = .leaving
    deadline = nil
    return count < previousCount ? [.stop(from: count)] : []
  }
}
