/// All pools, and the events that they hear: a pure state machine.
package struct EventHub: Sendable {
  /// What is to be done, and for which pool.
  package struct Action: Hashable, Sendable {
    package let pool: String
    package let action: EventPool.Action
  }

  package private(set) var pools: [EventPool] = []
  /// When ticks are due.
  package var clock = TickClock()
  private var nextSerial = 0

  package init() {}

  /// Whether there is nobody to tell.
  package var isEmpty: Bool { pools.isEmpty }

  /// The pool of a group.
  package subscript(_ name: String) -> EventPool? { pools.first { $0.name == name } }

  /// Takes a pool in; it hears what happens from now on.
  package mutating func add(_ pool: EventPool, now: Int64) {
    guard self[pool.name] == nil else { return }
    pools.append(pool)
    setPeriods(now)
  }

  /// Forgets a pool, and what waits in it.
  package mutating func remove(_ name: String, now: Int64) {
    pools.removeAll { $0.name == name }
    setPeriods(now)
  }

  private mutating func setPeriods(_ now: Int64) {
    let periods: [(Int64, EventKind)] = [(5, .tick5), (60, .tick60), (3600, .tick3600)]
    clock.set(periods: periods.filter { isHeard($0.1) }.map(\.0), now: now)
  }

  /// Whether some pool hears events of this kind.
  package func isHeard(_ kind: EventKind) -> Bool { pools.contains { $0.hears(kind) } }

  /// Hands an event to all pools that hear it.
  package mutating func take(_ event: SupervisorEvent) -> [Action] {
    guard isHeard(event.kind) else { return [] }
    let serial = nextSerial
    nextSerial = nextSerial == .max ? 0 : nextSerial + 1
    return pools.indices.filter { pools[$0].hears(event.kind) }.flatMap { index in
      let actions = pools[index].take(event, serial: serial)
      return named(actions, index)
    }
  }

  /// Changes one pool.
  package mutating func change(_ name: String, _ body: (inout EventPool) -> [EventPool.Action]) -> [Action] {
    guard let index = pools.firstIndex(where: { $0.name == name }) else { return [] }
    let actions = body(&pools[index])
    return named(actions, index)
  }

  private func named(_ actions: [EventPool.Action], _ index: Int) -> [Action] {
    actions.map { Action(pool: pools[index].name, action: $0) }
  }
}
