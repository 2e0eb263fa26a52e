import ManualTime
import Resilience
import Synchronization
import Testing

private struct Failure: Error, Equatable {}

@Suite struct RequestGateTests {
  private func gate(_ clock: ManualClock, failuresMax: Int = 3) -> RequestGate<ManualClock> {
    let breaker = CircuitBreaker(CircuitBreaker.Policy(failuresMax: failuresMax, pauseNanoseconds: 10_000_000_000))
    return RequestGate(name: "kraken", breaker: breaker, clock: clock) { @Sendable in
      let (seconds, attoseconds) = clock.now.offset.components
      return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
  }

  private func ask(
    _ gate: RequestGate<ManualClock>, _ result: Result<Int, Failure> = .success(1), verdict: GateVerdict = .failed
  ) async throws -> Int {
    try await gate.pass(limitNanoseconds: 1_000_000_000, verdict: { _ in verdict }) { try result.get() }
  }

  @Test func `failures open the breaker, which sends nothing until its pause is over`() async throws {
    let clock = ManualClock()
    let gate = gate(clock)
    try await clock.run { [self] in
      for _ in 0..<3 { await #expect(throws: Failure()) { try await ask(gate, .failure(Failure())) } }
      await #expect(throws: BreakerOpen(name: "kraken")) { try await ask(gate) }
      #expect(gate.breaker.state == .open && gate.counts.sent == 3 && gate.counts.refused == 1)
      try await clock.sleep(until: clock.now.advanced(by: .seconds(10)), tolerance: nil)
      let value = try await ask(gate)
      #expect(value == 1)
    }
    #expect(gate.breaker.state == .closed)
  }

  @Test func `a request that takes too long is cancelled and counts as the venue's failure`() async throws {
    let clock = ManualClock()
    let gate = gate(clock, failuresMax: 1)
    await #expect(throws: AttemptTimedOut.self) {
      try await clock.run {
        try await gate.pass(limitNanoseconds: 1_000_000_000, verdict: { _ in .answered }) {
          try await clock.sleep(until: clock.now.advanced(by: .seconds(3600)), tolerance: nil)
        }
      }
    }
    #expect(clock.now.offset == .seconds(1))
    #expect(gate.breaker.state == .open)
  }

  @Test func `what the caller no longer wants says nothing about the venue`() async throws {
    let clock = ManualClock()
    let gate = gate(clock, failuresMax: 1)
    let started = Mutex(false)
    let task = Task {
      try await gate.pass(limitNanoseconds: 1_000_000_000, verdict: { _ in .failed }) {
        started.withLock { $0 = true }
        try await clock.sleep(until: clock.now.advanced(by: .seconds(3600)), tolerance: nil)
      }
    }
    while !started.withLock({ $0 }) { await Task.yield() }
    task.cancel()
    await #expect(throws: (any Error).self) { try await task.value }
    #expect(gate.breaker.state == .closed && gate.counts.failed == 0)
  }

  @Test func `a probe that was never sent leaves the next one its place`() async throws {
    let clock = ManualClock()
    let gate = gate(clock, failuresMax: 1)
    try await clock.run { [self] in
      await #expect(throws: Failure()) { try await ask(gate, .failure(Failure())) }
      try await clock.sleep(until: clock.now.advanced(by: .seconds(10)), tolerance: nil)
      await #expect(throws: Failure()) { try await ask(gate, .failure(Failure()), verdict: .notSent) }
      #expect(gate.breaker.state == .open && gate.counts.sent == 1 && gate.counts.refused == 1)
      let value = try await ask(gate)
      #expect(value == 1)
    }
    #expect(gate.breaker.state == .closed)
  }
}
