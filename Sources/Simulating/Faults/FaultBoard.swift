package import Market
internal import Web

/// The faults that are set, and what they do to each request and frame; a value without I/O.
///
/// While no fault is active, asking costs one comparison.
package struct FaultBoard: Sendable {
  /// Active and past ones, oldest first.
  package private(set) var faults: [Fault] = []
  private var active: [Int] = []
  private var count = 0
  private var random: SeededRandom
  /// How many frames each session still loses of a gap.
  private var losing: [Int: Int64] = [:]
  private static let pastMax = 200

  package init(seed: UInt64) { random = SeededRandom(seed ^ 0xFA17) }

  /// Whether nothing is active.
  package var isQuiet: Bool { active.isEmpty }

  // MARK: Setting

  /// Takes a fault such as `{"venue":"kraken","kind":"status","value":503,"for_s":30,"share_percent":50}`.
  package mutating func add(_ body: [UInt8], at now: Timestamp) throws(FaultRefusal) -> Fault {
    guard let document = try? JSONDocument(body), document.root.kind == .object else {
      throw FaultRefusal(text: "expected an object")
    }
    let root = document.root
    for (name, _) in root.members where !FaultBoard.names.contains(name) {
      throw FaultRefusal(text: "there is no member \(name)")
    }
    let name = root["venue"]?.string ?? ""
    let venue = Venue(rawValue: name)
    guard venue != nil || name == "all" else { throw FaultRefusal(text: "there is no venue \(name)") }
    let word = root["kind"]?.string ?? ""
    guard let kind = FaultKind(rawValue: word) else {
      let kinds = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw FaultRefusal(text: "there is no kind \(word); there are \(kinds)")
    }
    func number(_ name: String, _ range: ClosedRange<Int64>, _ otherwise: Int64) throws(FaultRefusal) -> Int64 {
      guard let value = root[name], !value.isNull else { return otherwise }
      guard let number = value.integer, range.contains(number) else {
        throw FaultRefusal(text: "\(name): expected a number from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    if kind.valueDefault == nil, let value = root["value"], !value.isNull {
      throw FaultRefusal(text: "\(kind.rawValue) takes no value")
    }
    let value = try number("value", kind.valueRange, kind.valueDefault ?? 0)
    let seconds = try number("for_s", 1...31_536_000, 0)
    let share = try number("share_percent", 1...100, Int64(kind.shareDefault))
    let path = root["path"]?.string ?? ""
    let symbol = root["symbol"]?.string?.lowercased() ?? ""
    if kind.isOfEndpoint, share < 100 || !path.isEmpty || !symbol.isEmpty {
      throw FaultRefusal(text: "\(kind.rawValue) strikes a whole venue: no share, path or symbol")
    }
    count += 1
    let fault = Fault(
      id: count, venue: venue, kind: kind, value: value, share: Int(share), path: path, symbol: symbol,
      startedAt: now, endsAt: seconds > 0 ? now.advanced(bySeconds: seconds) : nil)
    let past = faults.indices.filter { !faults[$0].isActive }
    if past.count >= FaultBoard.pastMax, let first = past.first { faults.remove(at: first) }
    faults.append(fault)
    refresh()
    return fault
  }

  private static let names: Set<String> = ["venue", "kind", "value", "for_s", "share_percent", "path", "symbol"]

  /// Ends faults: of a venue, by an id, or all.
  /// - Returns: those that were active.
  package mutating func clear(venue: Venue? = nil, id: Int? = nil) -> [Fault] {
    end { fault in (venue == nil || fault.venue == venue) && (id == nil || fault.id == id) }
  }

  /// Ends faults whose time is over.
  /// - Returns: those.
  package mutating func expire(at now: Timestamp) -> [Fault] {
    active.isEmpty ? [] : end { fault in fault.endsAt.map { $0 <= now } ?? false }
  }

  private mutating func end(where isMeant: (Fault) -> Bool) -> [Fault] {
    var ended: [Fault] = []
    for index in active where isMeant(faults[index]) {
      faults[index].isActive = false
      ended.append(faults[index])
    }
    if !ended.isEmpty { refresh() }
    return ended
  }

  /// Counts open streams that a fault struck, and lets one that strikes only once be over.
  package mutating func strike(_ id: Int, streams: Int, isOver: Bool) {
    guard let index = faults.firstIndex(where: { $0.id == id }) else { return }
    faults[index].streams += Int64(streams)
    if isOver {
      faults[index].isActive = false
      refresh()
    }
  }

  private mutating func refresh() {
    active = faults.indices.filter { faults[$0].isActive }
    if !active.contains(where: { faults[$0].kind == .gap }) { losing.removeAll() }
  }

  /// Whether one of a hundred strikes.
  package mutating func strikes(share: Int) -> Bool { share >= 100 || random.below(100) < share }

  /// Whether frames of a venue need a look.
  package func isQuiet(_ venue: Venue) -> Bool { active.isEmpty || !active.contains { faults[$0].concerns(venue) } }

  /// The active faults of a kind that concern a venue and a target.
  package func active(_ kind: FaultKind, _ venue: Venue) -> [Fault] {
    active.map { faults[$0] }.filter { $0.kind == kind && $0.concerns(venue) }
  }

  // MARK: Striking

  /// What becomes of a request.
  /// - Parameters:
  ///   - venue: whose it is.
  ///   - target: path and query, as they came.
  ///   - isHandshake: whether it asks for a WebSocket.
  /// - Returns: what to do with it.
  package mutating func request(_ venue: Venue, target: String, isHandshake: Bool) -> RequestFate {
    var fate = RequestFate()
    for index in active where faults[index].concerns(venue) && faults[index].concerns(target: target) {
      let fault = faults[index]
      switch fault.kind {
      case .latency, .timeout, .halfOpen, .status, .rateLimit, .ownLimit, .ban: break
      case .pause:
        if !FaultAnswers.isOfTrading(target) { continue }
      case .truncate, .wrongTypes, .missingSizes:
        if isHandshake { continue }
      case .staleTrades:
        if isHandshake || !target.lowercased().contains("trade") { continue }
      default: continue
      }
      guard strikes(share: fault.share) else { continue }
      faults[index].requests += 1
      if isHandshake { faults[index].handshakes += 1 }
      switch fault.kind {
      case .latency: fate.delayMilliseconds += fault.value
      case .timeout, .halfOpen: fate.isSilent = true
      case .truncate, .wrongTypes, .staleTrades, .missingSizes: fate.changes.append(FaultBoard.change(fault))
      default:
        if fate.kind == nil {
          fate.kind = fault.kind
          fate.value = fault.value
        }
      }
    }
    return fate
  }

  private static func change(_ fault: Fault) -> FaultChange {
    switch fault.kind {
    case .wrongTypes: .wrongTypes
    case .missingSizes: .missingSizes
    case .staleTrades: .staleTrades(days: fault.value)
    default: .truncate
    }
  }

  /// What becomes of a frame that tells something; signs of life are struck by latency alone.
  /// - Parameters:
  ///   - venue: whose stream it is.
  ///   - session: which connection.
  ///   - target: the path of its handshake.
  ///   - text: the frame.
  ///   - isLifeSign: whether it is a heartbeat.
  /// - Returns: what to do with it.
  package mutating func frame(
    _ venue: Venue, session: Int, target: String, _ text: UnsafeRawBufferPointer, isLifeSign: Bool
  ) -> FrameFate {
    var fate = FrameFate()
    if let left = losing[session], !isLifeSign {
      losing[session] = left > 1 ? left - 1 : nil
      fate.copies = 0
      return fate
    }
    for index in active where faults[index].concerns(venue) && faults[index].strikesFrames {
      let fault = faults[index]
      if isLifeSign, fault.kind != .latency { continue }
      if !fault.path.isEmpty, !target.contains(fault.path) { continue }
      if !fault.symbol.isEmpty, !text.contains(fault.symbol, ignoringCase: true) { continue }
      if fault.kind == .staleTrades, !FaultRewriter.isTrade(text) { continue }
      guard strikes(share: fault.share) else { continue }
      faults[index].frames += 1
      switch fault.kind {
      case .latency: fate.delayMilliseconds += fault.value
      case .drop, .freeze: fate.copies = 0
      case .gap:
        fate.copies = 0
        if fault.value > 1 { losing[session] = fault.value - 1 }
      case .duplicate: if fate.copies == 1 { fate.copies = 2 }
      case .reorder: fate.waitsFor = max(fate.waitsFor, fault.value)
      default: fate.changes.append(FaultBoard.change(fault))
      }
    }
    return fate
  }

  /// Forgets a connection that is gone.
  package mutating func forget(session: Int) { losing[session] = nil }
}

extension Fault {
  fileprivate var strikesFrames: Bool {
    switch kind {
    case .latency, .drop, .duplicate, .reorder, .gap, .freeze: true
    default: kind.isOfContent
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether bytes stand somewhere in it; `ignoringCase` takes them to be lower case, and of ASCII only.
  func contains(_ text: String, ignoringCase: Bool = false) -> Bool {
    let wanted = Array(text.utf8)
    guard let first = wanted.first, count >= wanted.count else { return wanted.isEmpty }
    func same(_ byte: UInt8, _ wanted: UInt8) -> Bool {
      byte == wanted || (ignoringCase && (0x41...0x5A).contains(byte) && byte | 0x20 == wanted)
    }
    for start in 0...(count - wanted.count) where same(self[start], first) {
      if wanted.indices.allSatisfy({ same(self[start + $0], wanted[$0]) }) { return true }
    }
    return false
  }
}
