internal import Bus
internal import Daemon
internal import Resilience
internal import Venues
internal import Web

/// How this shard follows the supervisor's plans, and spreads its symbols over connections.
extension SpotIngestingService {
  /// One line for people.
  var statusText: String { "\(shards.title)\(watched.count) symbols" }

  /// Takes the symbols that the plan gives to this shard, and drops those that it takes away.
  func followPlan() {
    gate.setBudget(VenueBudgets.budget(venue).part(of: 2 * shards.plan.count))
    pacer.share(among: shards.plan.count)
    let wanted = options.symbols.filter { shards.term(ofKey: $0) != nil }
    let taken = wanted.filter { !watched.contains($0) }
    let dropped = shards.plan.phase == .take ? [] : watched.subtracting(wanted).sorted()
    take(taken)
    drop(dropped)
    health.taken += UInt64(taken.count)
    health.dropped += UInt64(dropped.count)
    sayReady()
    guard !taken.isEmpty || !dropped.isEmpty else { return }
    Log.info(
      "shard plan",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)", "from": "\(shards.plan.previousCount)",
        "to": "\(shards.plan.count)", "taken": taken.joined(separator: ","), "dropped": dropped.joined(separator: ","),
      ])
  }

  /// Watches symbols on connections that have room, then on new ones: on one of each of the venue's streams.
  private func take(_ symbols: [String]) {
    watched.formUnion(symbols)
    unsettled.formUnion(symbols)
    for symbol in symbols { board.watch(symbol) }
    let now = SystemClock.monotonicNanoseconds
    for (part, format) in formats.enumerated() {
      var rest = symbols[...]
      for index in connections.indices where connections[index].part == part && !rest.isEmpty {
        let some = Array(rest.prefix(format.symbolsPerConnectionMax - connections[index].symbols.count))
        guard !some.isEmpty else { continue }
        rest = rest.dropFirst(some.count)
        connections[index].symbols += some
        if connections[index].stream.state == .open { subscribe(some, on: index, now) }
      }
      while !rest.isEmpty {
        let some = Array(rest.prefix(format.symbolsPerConnectionMax))
        rest = rest.dropFirst(some.count)
        connections.append(
          Connection(
            part: part, format: format, symbols: some,
            watch: FreezeWatch(afterNanoseconds: options.frozenNanoseconds)))
      }
    }
  }

  private func drop(_ symbols: [String]) {
    watched.subtract(symbols)
    unsettled.subtract(symbols)
    for symbol in symbols {
      board.unwatch(symbol)
      history[symbol] = nil
      polling[symbol] = nil
    }
    for index in connections.indices {
      let part = connections[index].symbols.filter { symbols.contains($0) }
      guard !part.isEmpty else { continue }
      connections[index].symbols.removeAll { symbols.contains($0) }
      for symbol in part { connections[index].watch.forget(symbol) }
      guard connections[index].stream.state == .open else { continue }
      if !connections[index].symbols.isEmpty {
        unsubscribe(part, on: index)
      } else if close(index) {
        connections[index].stream.state = .idle
        connections[index].unanswered = 0
        connections[index].downSince = 0
      }
    }
  }

  /// Tells the supervisor as soon as this shard has all that the plan gives it, and nothing else.
  func confirmPlan(_ now: Int64) {
    guard isReady, unsettled.isEmpty, shards.wantsConfirmation(now) else { return }
    guard shards.confirm(now, status: statusText), shards.plan.generation > 0 else { return }
    Log.info(
      "shard plan is done",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)/\(shards.plan.count)",
        "symbols": "\(watched.count)", "ms": "\(shards.lastHandOverNanoseconds / 1_000_000)",
      ])
  }
}
