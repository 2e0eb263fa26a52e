internal import Bus
internal import Daemon
internal import Resilience
internal import Venues
internal import Web

/// How this shard follows the supervisor's plans, and spreads its symbols over connections.
extension SpotIngestingService {
  /// One line for people.
  var statusText: String { "\(shards.title)\(watched.count) symbols" }

  /// Before the first plan is known there is nothing to move.
  func follow(_ plan: ShardPlan) { if isPlanFollowed { followPlan() } }

  /// Takes the symbols that the plan gives to this shard, and drops those that it takes away.
  func followPlan() {
    let wanted = options.symbols.filter { shards.term(ofKey: $0) != nil }
    let taken = wanted.filter { !watched.contains($0) }
    let dropped = shards.plan.phase == .take ? [] : watched.subtracting(wanted).sorted()
    take(taken)
    drop(dropped)
    health.taken += UInt64(taken.count)
    health.dropped += UInt64(dropped.count)
    sayReady()
    guard !taken.isEmpty || !dropped.isEmpty else { return }
    logPlan(taken: taken.joined(separator: ","), dropped: dropped.joined(separator: ","))
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
      if connections[index].symbols.isEmpty { retire(index) } else { unsubscribe(part, on: index) }
    }
  }

  /// Tells the supervisor as soon as this shard has all that the plan gives it, and nothing else.
  func confirmPlan(_ now: Int64) {
    if isReady, unsettled.isEmpty, shards.wantsConfirmation(now) { confirm(now) }
  }
}
