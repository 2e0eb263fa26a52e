import ManualTime
import Resilience
import Synchronization
import Testing

private struct Failure: Error, Equatable { var waitSeconds: Int64 = 0 }

@Suite struct RequestGateTests {
  private func gate(_ clock: ManualClock, perSecond: Int64 = 10, failuresMax: Int = 3) -> RequestGate<ManualClock> {
    let breaker = CircuitBreaker(CircuitBreaker.Policy(failuresMax: failuresMax, pauseNanoseconds: 10_000_000_000))
    return RequestGate(
      name: "kraken", budget: .init(units: perSecond, perSeconds: 1), breaker: breaker, clock: clock
    ) { @Sendable in
      let (seconds, attoseconds) = clock.now.offset.components
      return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
  }

  private func ask(
    _ gate: RequestGate<ManualClock>, bucket: String = "", _ result: Result<Int, Failure> = .success(1)
  ) async throws -> Int {
    try await gate.pass(
      bucket: bucket, limitNanoseconds: 1_000_000_000,
      verdict: { error in
        GateVerdict(isVenueFault: true, waitNanoseconds: ((error as? Failure)?.waitSeconds ?? 0) * 1_000_000_000)
      }
    ) { try result.get() }
  }

  @Test func `requests wait for their turn, each bucket for its own`() async throws {
    let clock = ManualClock()
    let gate = gate(clock, perSecond: 2)
    try await clock.run { [self] in
      for _ in 0..<4 { _ = try await ask(gate) }
      for _ in 0..<2 { _ = try await ask(gate, bucket: "other") }
    }
    #expect(clock.now.offset == .seconds(1))
    #expect(gate.counts.sent == 6)
  }

  @Test func `failures open the breaker, which sends nothing until its pause is over`() async throws {
    let clock = ManualClock()
    let gate = gate(clock)
    try await clock.run { [self] in
      for _ in 0..<3 { await #expect(throws: Failure()) { try await ask(gate, .failure(Failure())) } }
      await #expect(throws: GateClosed.breakerOpen(name: "kraken")) { try await ask(gate) }
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
        try await gate.pass(limitNanoseconds: 1_000_000_000, verdict: { _ in GateVerdict(isVenueFault: false) }) {
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
      try await gate.pass(limitNanoseconds: 1_000_000_000, verdict: { _ in GateVerdict(isVenueFault: true) }) {
        started.withLock { $0 = true }
        try await clock.sleep(until: clock.now.advanced(by: .seconds(3600)), tolerance: nil)
      }
    }
    while !started.withLock({ $0 }) { await Task.yield() }
    task.cancel()
    await #expect(throws: (any Error).self) { try await task.value }
    #expect(gate.breaker.state == .closed && gate.counts.failed == 0)
  }

  @Test func `a venue that asks for a pause gets it, and a long one is not waited for`() async throws {
    let clock = ManualClock()
    let gate = gate(clock)
    try await clock.run { [self] in
      await #expect(throws: Failure(waitSeconds: 5)) { try await ask(gate, .failure(Failure(waitSeconds: 5))) }
      let value = try await ask(gate, bucket: "other")
      #expect(value == 1, "all buckets wait")
      #expect(clock.now.offset == .seconds(5))
      await #expect(throws: Failure(waitSeconds: 600)) { try await ask(gate, .failure(Failure(waitSeconds: 600))) }
      await #expect(throws: GateClosed.blocked(name: "kraken", nanoseconds: 600_000_000_000)) { try await ask(gate) }
    }
  }
}
