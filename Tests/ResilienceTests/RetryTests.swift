import ManualTime
import Resilience
import Synchronization
import Testing

private struct Failure: Error, Equatable { let number: Int }

@Suite struct RetryTests {
  @Test func `the pauses of the profiles are those that are promised`() {
    #expect(RetryProfile.patient.pause(after: 1, random: 7) == 2_000_000_000)
    #expect(RetryProfile.patient.pause(after: 2, random: 7) == 4_000_000_000)
    #expect(RetryProfile.patient.pause(after: 3, random: 7) == nil, "no delay after the last attempt")
    for random: UInt64 in [0, 1, 50_000_000, 100_000_000, .max] {
      let first = RetryProfile.fast.pause(after: 1, random: random) ?? 0
      let second = RetryProfile.fast.pause(after: 2, random: random) ?? 0
      #expect((100_000_000...200_000_000).contains(first))
      #expect((200_000_000...300_000_000).contains(second))
    }
    var long = RetryProfile.fast
    long.attemptsMax = 100
    for attempt in 5..<100 {
      #expect((1_000_000_000...1_100_000_000).contains(long.pause(after: attempt, random: 3) ?? 0))
    }
  }

  @Test func `an attempt that fails is made again after its pause`() async throws {
    let clock = ManualClock()
    let count = Mutex(0)
    let value = try await clock.run {
      try await retrying(.patient, subject: "BTC", clock: clock, verdict: { _ in .retry }) {
        let number = count.withLock { count in
          count += 1
          return count
        }
        if number < 3 { throw Failure(number: number) }
        return number
      }
    }
    #expect(value == 3)
    #expect(clock.now.offset == .seconds(6))
  }

  @Test func `the last error is told, and no time passes after it`() async {
    let clock = ManualClock()
    let count = Mutex(0)
    await #expect(throws: Failure(number: 3)) {
      try await clock.run {
        try await retrying(.patient, subject: "BTC", clock: clock, verdict: { _ in .retry }) { () async throws -> Int in
          throw Failure(
            number: count.withLock { count in
              count += 1
              return count
            })
        }
      }
    }
    #expect(clock.now.offset == .seconds(6))
  }

  @Test func `what was asked for wrongly is not asked again`() async {
    let clock = ManualClock()
    await #expect(throws: Failure(number: 404)) {
      try await clock.run {
        try await retrying(.patient, subject: "BTC", clock: clock, verdict: { _ in .giveUp }) {
          () async throws -> Int in
          throw Failure(number: 404)
        }
      }
    }
    #expect(clock.now.offset == .zero)
  }

  @Test func `a venue that says how long to wait is obeyed`() async throws {
    let clock = ManualClock()
    let count = Mutex(0)
    _ = try await clock.run {
      try await retrying(.fast, subject: "BTC", clock: clock, verdict: { _ in .wait(nanoseconds: 17_000_000_000) }) {
        let number = count.withLock { count in
          count += 1
          return count
        }
        if number == 1 { throw Failure(number: 429) }
        return number
      }
    }
    #expect(clock.now.offset == .seconds(17))
  }

  @Test func `an attempt that hangs is cancelled at its limit`() async {
    let clock = ManualClock()
    let cancelled = Mutex(0)
    await #expect(throws: AttemptTimedOut.self) {
      try await clock.run {
        try await retrying(.patient, subject: "BTC", clock: clock, verdict: { _ in .giveUp }) {
          () async throws -> Int in
          do {
            try await clock.sleep(for: .seconds(3600))
          } catch {
            cancelled.withLock { $0 += 1 }
            throw error
          }
          return 1
        }
      }
    }
    #expect(cancelled.withLock { $0 } == 3)
    #expect(clock.now.offset == .seconds(3 * 30 + 6))
  }

  @Test func `a caller that is cancelled cancels the attempt and gets no further one`() async throws {
    let clock = ManualClock()
    let attempts = Mutex(0)
    let task = Task {
      try await retrying(.patient, subject: "BTC", clock: clock, verdict: { _ in .retry }) { () async throws -> Int in
        attempts.withLock { $0 += 1 }
        try await clock.sleep(for: .seconds(3600))
        return 1
      }
    }
    while clock.sleeperCount < 2 { await Task.yield() }
    task.cancel()
    await #expect(throws: (any Error).self) { try await task.value }
    #expect(attempts.withLock { $0 } == 1)
    #expect(clock.sleeperCount == 0)
  }
}

@Suite struct RaceTests {
  private func source(_ name: String, after seconds: Int64, _ clock: ManualClock, _ value: Int?) -> Source<Int> {
    Source(name) {
      try await clock.sleep(for: .seconds(seconds))
      guard let value else { throw Failure(number: Int(seconds)) }
      return value
    }
  }

  @Test func `the primary's answer is taken, and nobody else is asked`() async throws {
    let clock = ManualClock()
    let asked = Mutex(0)
    let spy = Source<Int>("spy") {
      asked.withLock { $0 += 1 }
      return 9
    }
    let outcome = try await clock.run {
      try await firstValid(primary: source("a", after: 1, clock, 1), fallbacks: [spy], problem: { _ in nil })
    }
    #expect(outcome.value == 1)
    #expect(outcome.source == "a")
    #expect(asked.withLock { $0 } == 0)
  }

  @Test func `an invalid answer that comes first does not win, and does not end the race`() async throws {
    let clock = ManualClock()
    let outcome = try await clock.run {
      try await firstValid(
        primary: source("a", after: 1, clock, nil),
        fallbacks: [
          source("early", after: 1, clock, 0), source("good", after: 5, clock, 2), source("late", after: 50, clock, 3),
        ], problem: { $0 == 0 ? "empty" : nil })
    }
    #expect(outcome.value == 2)
    #expect(outcome.source == "good")
    #expect(outcome.failures.map(\.source) == ["a", "early"])
    #expect(outcome.failures.last?.reason == "empty")
    #expect(clock.now.offset == .seconds(6), "the late one is cancelled")
    #expect(clock.sleeperCount == 0)
  }

  @Test func `when all fail, all are named`() async {
    let clock = ManualClock()
    await #expect(throws: AllSourcesFailed.self) {
      try await clock.run {
        try await firstValid(
          primary: source("a", after: 1, clock, nil), fallbacks: [source("b", after: 2, clock, nil)],
          problem: { (_: Int) in nil })
      }
    }
  }
}
