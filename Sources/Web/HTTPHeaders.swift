/// Header fields in the order in which they stand; names are compared without regard to case.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral, Sequence {
  private var fields: [(name: String, value: String)] = []

  /// No fields.
  public init() {}

  /// Fields, in the order written.
  public init(dictionaryLiteral elements: (String, String)...) {
    fields = elements.map { (name: $0.0, value: $0.1) }
  }

  /// The first value by that name; setting replaces all of that name, and nil removes them.
  public subscript(name: String) -> String? {
    get { fields.first { Self.same($0.name, name) }?.value }
    set {
      fields.removeAll { Self.same($0.name, name) }
      if let newValue { fields.append((name: name, value: newValue)) }
    }
  }

  /// All values by that name, in order.
  public func values(_ name: String) -> [String] {
    fields.filter { Self.same($0.name, name) }.map(\.value)
  }

  /// Adds a field and keeps others of its name.
  public mutating func append(_ name: String, _ value: String) { fields.append((name: name, value: value)) }

  /// How many fields there are.
  public var count: Int { fields.count }

  /// Walks the fields, in order.
  public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> { fields.makeIterator() }

  /// Whether one of the comma-separated tokens in the fields of that name is `token`.
  public func contains(_ name: String, token: String) -> Bool {
    values(name).contains { value in
      value.split(separator: ",").contains { Self.same(Self.trimmed($0), token) }
    }
  }

  /// Whether every field can stand in a message: a name that is a token, and a value without line breaks.
  var isWellFormed: Bool {
    fields.allSatisfy { field in
      !field.name.isEmpty
        && field.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
        && field.value.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x09 }
    }
  }

  static func same(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
    left.utf8.count == right.utf8.count
      && zip(left.utf8, right.utf8).allSatisfy { lowered($0) == lowered($1) }
  }

  static func trimmed(_ text: some StringProtocol) -> String {
    let isBlank = { (character: Character) in character == " " || character == "\t" || character.isNewline }
    let start = text.drop(while: isBlank)
    guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
    return String(start[...last])
  }

  private static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }
}
