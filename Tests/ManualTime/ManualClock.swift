internal import Resilience
internal import Synchronization

/// A clock that stands still until it is told to go on.
public final class ManualClock: Clock, Sendable {
  /// A moment, by the time since the clock was made.
  public struct Instant: InstantProtocol {
    /// The time since the clock was made.
    public var offset: Duration
    /// A moment by the time since the clock was made.
    public init(offset: Duration) { self.offset = offset }
    /// A later moment.
    public func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    /// How long it is until another moment.
    public func duration(to other: Instant) -> Duration { other.offset - offset }
    /// Earlier before later.
    public static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  private struct State {
    var now = Instant(offset: .zero)
    var next = 0
    var sleepers: [Int: (until: Instant, wake: CheckedContinuation<Void, any Error>)] = [:]
    var cancelled: Set<Int> = []
  }

  private let state = Mutex(State())
  private let jobs = JobQueue()

  /// A clock at its beginning.
  public init() {}

  /// The present moment.
  public var now: Instant { state.withLock { $0.now } }
  /// A nanosecond.
  public var minimumResolution: Duration { .nanoseconds(1) }
  /// How many tasks sleep.
  public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

  /// Sleeps until somebody moves the clock beyond the deadline.
  public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
        let outcome: Result<Void, any Error>? = state.withLock { state in
          if state.cancelled.contains(number) { return .failure(CancellationError()) }
          if state.now >= deadline { return .success(()) }
          state.sleepers[number] = (deadline, wake)
          return nil
        }
        if let outcome { wake.resume(with: outcome) }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        state.cancelled.insert(number)
        return state.sleepers.removeValue(forKey: number)
      }
      sleeper?.wake.resume(throwing: CancellationError())
    }
  }

  /// Goes to the moment at which the next sleeper wakes.
  /// - Returns: how far that was; nil where nobody sleeps.
  @discardableResult
  public func advanceToNext() -> Duration? {
    let found = state.withLock { state -> (Duration, [CheckedContinuation<Void, any Error>])? in
      guard let until = state.sleepers.values.map(\.until).min() else { return nil }
      let step = state.now.duration(to: until)
      state.now = until
      let due = state.sleepers.filter { $0.value.until <= until }
      for number in due.keys { state.sleepers[number] = nil }
      return (step, due.values.map(\.wake))
    }
    guard let (step, wakes) = found else { return nil }
    for wake in wakes { wake.resume() }
    return step
  }

  /// Lets all sleepers wake in turn until a task has ended, and what it left behind has come to rest.
  ///
  /// Time passes only when no job of the task, or of those that it started, can run: nothing depends on how busy the
  /// machine is.
  /// - Parameter body: the task.
  /// - Returns: what it returned.
  /// - Throws: what it threw; `NobodyWakes` where it waits for something that is not this clock.
  public func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let isDone = Flag()
    let task = TaskPlace.$executor.withValue(jobs) {
      Task(executorPreference: jobs) {
        defer { isDone.raise() }
        return try await body()
      }
    }
    while true {
      jobs.drain()
      if isDone.isRaised { return try await task.value }
      if advanceToNext() == nil {
        task.cancel()
        throw NobodyWakes()
      }
    }
  }
}

private final class Flag: Sendable {
  private let state = Mutex(false)
  var isRaised: Bool { state.withLock { $0 } }
  func raise() { state.withLock { $0 = true } }
}

/// A task waits, nobody sleeps, and nothing can run.
public struct NobodyWakes: Error {}

/// Runs jobs one after the other, on the thread of whoever drains it.
private final class JobQueue: TaskExecutor {
  private let jobs = Mutex<[UnownedJob]>([])

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
  }

  /// Returns when there is nothing left to run.
  func drain() {
    while true {
      let batch = jobs.withLock { jobs in
        defer { jobs = [] }
        return jobs
      }
      if batch.isEmpty { return }
      for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }
}
