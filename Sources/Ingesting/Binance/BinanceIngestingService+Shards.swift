internal import Bus
internal import Daemon
internal import Web

/// How this shard follows the supervisor's plans, and spreads its symbols over connections.
extension BinanceIngestingService {
  /// One line for people.
  var statusText: String { "\(shards.title)\(watched.count) symbols" }

  /// Takes the symbols that the plan gives to this shard, and drops those that it takes away.
  func followPlan() {
    let wanted = options.symbols.filter { shards.term(ofKey: $0) != nil }
    let taken = wanted.filter { !watched.contains($0) }
    let dropped = shards.plan.phase == .take ? [] : watched.subtracting(wanted).sorted()
    take(taken)
    drop(dropped)
    takenCount += UInt64(taken.count)
    droppedCount += UInt64(dropped.count)
    sayReady()
    guard !taken.isEmpty || !dropped.isEmpty else { return }
    Log.info(
      "shard plan",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)", "from": "\(shards.plan.previousCount)",
        "to": "\(shards.plan.count)", "taken": taken.joined(separator: ","), "dropped": dropped.joined(separator: ","),
      ])
  }

  /// Watches symbols on connections that have room, then on new ones.
  private func take(_ symbols: [String]) {
    watched.formUnion(symbols)
    unsettled.formUnion(symbols)
    for symbol in symbols { stream.watch(symbol) }
    var rest = symbols[...]
    for index in connections.indices where !rest.isEmpty {
      let part = Array(rest.prefix(BinanceStream.symbolsPerConnectionMax - connections[index].symbols.count))
      guard !part.isEmpty else { continue }
      rest = rest.dropFirst(part.count)
      connections[index].symbols += part
      if connections[index].stream.state == .open { request("SUBSCRIBE", part, on: index) }
    }
    for part in BinanceStream.connections(of: Array(rest)) { connections.append(Connection(symbols: part)) }
  }

  private func drop(_ symbols: [String]) {
    watched.subtract(symbols)
    unsettled.subtract(symbols)
    for symbol in symbols {
      stream.unwatch(symbol)
      history[symbol] = nil
    }
    for index in connections.indices {
      let part = connections[index].symbols.filter { symbols.contains($0) }
      guard !part.isEmpty else { continue }
      connections[index].symbols.removeAll { symbols.contains($0) }
      guard connections[index].stream.state == .open else { continue }
      if !connections[index].symbols.isEmpty {
        request("UNSUBSCRIBE", part, on: index)
      } else if close(index) {
        connections[index].stream.state = .idle
        connections[index].unanswered = 0
      }
    }
  }

  /// Changes what an open connection watches; the candles follow its answer.
  private func request(_ method: String, _ symbols: [String], on index: Int) {
    guard let peer = connections[index].stream.peer else { return }
    requestCount += 1
    let names = BinanceStream.streamNames(symbols).map { "\"\($0)\"" }.joined(separator: ",")
    do throws(WebSocketError) {
      try peer.send(text: "{\"method\":\"\(method)\",\"params\":[\(names)],\"id\":\(requestCount)}")
      connections[index].unanswered += 1
    } catch {
      lose(index, "\(error)")
    }
  }

  /// Asks a connection that has just been opened for what came or went while it was.
  ///
  /// - Returns: whether it is still needed.
  func catchUp(_ index: Int) -> Bool {
    let (symbols, asked) = (connections[index].symbols, connections[index].asked)
    guard !symbols.isEmpty else {
      if close(index) { connections[index].stream.state = .idle }
      return false
    }
    for symbol in symbols where asked.contains(symbol) { history[symbol, default: History()].isWanted = true }
    let late = symbols.filter { !asked.contains($0) }
    if !late.isEmpty { request("SUBSCRIBE", late, on: index) }
    let gone = asked.filter { !symbols.contains($0) }
    if !gone.isEmpty { request("UNSUBSCRIBE", gone, on: index) }
    return connections[index].stream.state == .open
  }

  /// Takes the venue's answers to requests: what was subscribed is watched from here on.
  func answered(_ count: Int, on index: Int) {
    guard count > 0, connections[index].unanswered > 0 else { return }
    connections[index].unanswered = max(0, connections[index].unanswered - count)
    guard connections[index].unanswered == 0 else { return }
    for symbol in connections[index].symbols where unsettled.contains(symbol) {
      history[symbol, default: History()].isWanted = true
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
