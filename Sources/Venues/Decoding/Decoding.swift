public import Market
internal import Web

/// Reads payloads of the venues and says what we understood: the parsers that the processes use, by name.
///
/// One value reads one file; some kinds (a recorded stream) remember what came before.
public struct Decoding {
  /// What one message gave.
  public enum Line: Sendable {
    /// What we understood.
    case message(DecodedMessage)
    /// Why it was refused.
    case failure(VenueError)

    /// The line for people.
    public var text: String {
      switch self {
      case .message(let message): message.text
      case .failure(let error): "error: \(error)"
      }
    }

    /// The line as JSON.
    public var json: String {
      switch self {
      case .message(let message): message.json
      case .failure(let error): error.json
      }
    }
  }

  /// How one kind is read.
  struct Kind: Sendable {
    /// Its name.
    let name: String
    /// Other names: the beginnings of names that recordings bear.
    let aliases: [String]
    /// Whether a file may hold several messages in one array or object.
    let isStream: Bool
    /// Reads one message; the reader is told what is in it, and throws what spoils all of it.
    let read: @Sendable (Wire, inout State, (Line) -> Void) throws(VenueError) -> Void

    init(
      _ name: String, aliases: [String] = [], isStream: Bool = false,
      read: @escaping @Sendable (Wire, inout State, (Line) -> Void) throws(VenueError) -> Void
    ) {
      self.name = name
      self.aliases = aliases
      self.isStream = isStream
      self.read = read
    }
  }

  /// What is remembered from message to message.
  struct State {
    /// The books of a recorded Kalshi stream.
    var kalshi: KalshiBooks?
    /// The time that counts as now, where a payload brings none: candles are closed by it.
    var now: Timestamp
    /// The formats of crypto streams, which remember what a delta changes.
    var spot: (any SpotStreamFormat)?
  }

  /// Which venue's payloads.
  public let venue: Venue
  /// Which kind they are; nil where that is found out for each.
  public let kind: String?
  private let chosen: Kind?
  private var state: State

  /// A reader.
  /// - Parameters:
  ///   - venue: whose payloads.
  ///   - name: one of `kinds(of:)`, `auto`, or the name of a file such as `rest_klines`.
  ///   - now: the time that counts where a payload brings none.
  /// - Throws: `VenueError` of the cause `impossible` that names the kinds that there are.
  public init(venue: Venue, kind name: String, now: Timestamp) throws(VenueError) {
    self.venue = venue
    state = State(now: now)
    guard name != "auto" else {
      chosen = nil
      kind = nil
      return
    }
    guard let found = Self.find(name, venue) else {
      throw VenueError(
        venue: venue, kind: quotedExcerpt(name),
        problem: "there is no such kind; there are " + Self.kinds(of: venue).joined(separator: ", "),
        cause: .impossible)
    }
    chosen = found
    kind = found.name
  }

  /// The kinds of a venue's payloads that can be read, `auto` last.
  public static func kinds(of venue: Venue) -> [String] { registry(venue).map(\.name) + ["auto"] }

  static func registry(_ venue: Venue) -> [Kind] {
    switch venue {
    case .polymarket: polymarketKinds
    case .kalshi: kalshiKinds
    default: spotKinds(venue)
    }
  }

  /// A kind by its name, or by a name that begins with one of its aliases, without what says where it is from.
  private static func find(_ name: String, _ venue: Venue) -> Kind? {
    let kinds = registry(venue)
    var text = name.split(separator: "/").last.map { $0.lowercased() } ?? ""
    for ending in [".ndjson", ".json"] where text.hasSuffix(ending) { text.removeLast(ending.utf8.count) }
    text = String(text.map { $0 == "-" ? "_" : $0 })
    if let exact = kinds.first(where: { $0.name == text || $0.aliases.contains(text) }) { return exact }
    let candidates = kinds.flatMap { kind in ([kind.name] + kind.aliases).map { (alias: $0, kind: kind) } }
      .sorted { $0.alias.utf8.count > $1.alias.utf8.count }
    if let begun = candidates.first(where: { text.hasPrefix($0.alias) }) { return begun.kind }
    for prefix in ["rest_", "http_get_", "http_", "gamma_", "get_"] where text.hasPrefix(prefix) {
      let rest = text.dropFirst(prefix.utf8.count)
      if let begun = candidates.first(where: { rest.hasPrefix($0.alias) }) { return begun.kind }
    }
    return text.hasPrefix("ws_") ? kinds.first(where: \.isStream) : nil
  }

  // MARK: - Reading

  /// Reads a file: one JSON document, an array or an object of messages, or one message on each line.
  /// - Parameters:
  ///   - bytes: all of it.
  ///   - body: gets a line for each message, in order.
  public mutating func read(_ bytes: [UInt8], _ body: (Line) -> Void) {
    do {
      return read(Wire(try JSONDocument(bytes).root), isWhole: true, body)
    } catch {
      let lines = bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).filter { $0.contains { $0 > 0x20 } }
      // A document that is broken is one error, not one for each of its lines.
      guard lines.count > 1, lines.prefix(3).contains(where: { (try? JSONDocument(Array($0))) != nil }) else {
        return unreadable(bytes, error, body)
      }
      for line in lines {
        do { read(Wire(try JSONDocument(Array(line)).root), isWhole: false, body) } catch {
          unreadable(Array(line), error, body)
        }
      }
    }
  }

  /// What is to be told when all messages were read: the book that a recorded stream folds to.
  public func end(_ body: (DecodedMessage) -> Void) {
    guard let books = state.kalshi else { return }
    for message in Self.folded(books) { body(message) }
  }

  private func unreadable(_ bytes: [UInt8], _ error: JSONError, _ body: (Line) -> Void) {
    // Polymarket's streams also say things in plain words.
    if venue == .polymarket, chosen?.isStream ?? true, let first = bytes.first(where: { $0 > 0x20 }),
      first != 0x7B, first != 0x5B, bytes.count < 200
    {
      let text = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
      return body(.message(DecodedMessage(venue, "note", [.init("text", .text(text))])))
    }
    body(
      .failure(
        VenueError(venue: venue, kind: kind ?? "payload", problem: "the message is no JSON that we take: \(error)")))
  }

  private mutating func read(_ wire: Wire, isWhole: Bool, _ body: (Line) -> Void) {
    let inner = Self.unwrapped(wire)
    let recorded = wire.json.kind == .object && wire.json["recv_ms"] != nil ? Self.find("tape", venue) : nil
    let venue = venue
    guard let kind = chosen ?? recorded ?? Self.detect(inner, venue) else {
      return spread(inner, isWhole: isWhole, body) {
        body(.failure(VenueError(venue: venue, kind: "payload", problem: "it is of no kind that we know")))
      }
    }
    if kind.isStream {
      if inner.json.kind == .array { return each(inner.json.elements.map { $0 }, body) }
      if isWhole, Self.isCollection(inner, venue) { return each(inner.json.members.map(\.value), body) }
    }
    let read = kind.read
    do { try read(inner, &state, body) } catch { body(.failure(error)) }
  }

  /// Reads what may be a collection of messages of which each is found out alone.
  private mutating func spread(_ wire: Wire, isWhole: Bool, _ body: (Line) -> Void, otherwise: () -> Void) {
    if isWhole, wire.json.kind == .array, wire.json.count > 0 { return each(wire.json.elements.map { $0 }, body) }
    if isWhole, Self.isCollection(wire, venue) { return each(wire.json.members.map(\.value), body) }
    otherwise()
  }

  private mutating func each(_ values: [JSONValue], _ body: (Line) -> Void) {
    for value in values { read(Wire(value), isWhole: false, body) }
  }

  /// The message inside `{"recv_ms":…,"event":{…}}`, as recordings have it.
  private static func unwrapped(_ wire: Wire) -> Wire {
    guard wire.json.kind == .object, wire.json["recv_ms"] != nil, let event = wire.json["event"] else { return wire }
    return Wire(event)
  }

  /// Whether an object's members are messages by themselves, as in a collection of examples.
  private static func isCollection(_ wire: Wire, _ venue: Venue) -> Bool {
    guard wire.json.kind == .object, wire.json.count > 0 else { return false }
    return wire.json.members.allSatisfy { member in
      member.value.kind == .object && (detect(Wire(member.value), venue)?.isStream ?? false)
    }
  }

  /// The kind of a payload by its members; nil where it has none that we know.
  private static func detect(_ wire: Wire, _ venue: Venue) -> Kind? {
    let name: String?
    switch venue {
    case .polymarket: name = detectPolymarket(wire)
    case .kalshi: name = detectKalshi(wire)
    default: name = detectSpot(wire, venue)
    }
    return name.flatMap { name in registry(venue).first { $0.name == name } }
  }

  // MARK: - Helpers of the kinds

  /// A kind that is one document with one meaning.
  static func document(
    _ venue: Venue, _ name: String, aliases: [String] = [],
    _ read: @escaping @Sendable (Wire, State) throws(WireProblem) -> [DecodedField]
  ) -> Kind {
    Kind(name, aliases: aliases) { (wire, state, body) throws(VenueError) in
      do throws(WireProblem) { body(.message(DecodedMessage(venue, name, try read(wire, state)))) } catch {
        throw error.error(venue, name)
      }
    }
  }
}

extension JSONValue {
  /// The value as compact JSON; numbers keep the text that they were written with.
  func write(_ writer: inout JSONWriter) {
    switch kind {
    case .null: writer.null()
    case .bool: writer.value(bool == true)
    case .number: writer.value(number: numberText ?? "0")
    case .string: writer.value(string ?? "")
    case .array: writer.array { writer in for element in elements { element.write(&writer) } }
    case .object:
      writer.object { writer in
        for (key, value) in members {
          writer.key(key)
          value.write(&writer)
        }
      }
    }
  }
}
