internal import CSimdJSON

/// One value of a `JSONDocument`, which it keeps alive.
public struct JSONValue: Sendable {
  /// What a value is.
  public enum Kind: String, Hashable, Sendable {
    case null, bool, number, string, array, object
  }

  let document: JSONDocument
  let index: Int

  private var node: bh_json_node { document.node(index) }

  /// What the value is.
  public var kind: Kind {
    switch Int(node.kind) {
    case BH_JSON_NULL: .null
    case BH_JSON_TRUE, BH_JSON_FALSE: .bool
    case BH_JSON_NUMBER: .number
    case BH_JSON_STRING: .string
    case BH_JSON_ARRAY: .array
    default: .object
    }
  }

  /// Whether the value is `null`.
  public var isNull: Bool { kind == .null }

  /// `true` or `false`; nil where the value is neither.
  public var bool: Bool? {
    switch Int(node.kind) {
    case BH_JSON_TRUE: true
    case BH_JSON_FALSE: false
    default: nil
    }
  }

  /// The text of a string, unescaped; nil where the value is no string.
  public var string: String? { kind == .string ? valueText : nil }

  /// A number exactly as it was written; nil where the value is no number.
  public var numberText: String? { kind == .number ? valueText : nil }

  /// The text of a number, or of a string that is not empty: venues write decimals either way.
  ///
  /// Nothing checks that a string's text is a number: the type that reads it does.
  public var decimalText: String? {
    let node = node
    guard node.kind == BH_JSON_NUMBER || node.kind == BH_JSON_STRING, node.value_length > 0 else { return nil }
    return valueText
  }

  /// An integer that is written as a number or as a string of digits, without fraction and exponent.
  public var integer: Int64? { decimalText.flatMap { Int64($0) } }

  /// Calls `body` with the bytes of a number as written, or of a string unescaped; with nil for any other value.
  ///
  /// The bytes are valid during the call.
  public func withText<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer?) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let node = node
    guard node.kind == BH_JSON_NUMBER || node.kind == BH_JSON_STRING else { return try body(nil) }
    defer { withExtendedLifetime(document) {} }
    return try body(document.slice(node.value_offset, node.value_length))
  }

  /// How many elements or members the value has; 0 where it is neither array nor object.
  public var count: Int {
    let node = node
    return node.kind == BH_JSON_ARRAY || node.kind == BH_JSON_OBJECT ? Int(node.value_length) : 0
  }

  /// The member by that name, the first where several bear it; nil where there is none, or the value is no object.
  ///
  /// Linear in the number of members.
  public subscript(key: String) -> JSONValue? {
    guard kind == .object else { return nil }
    var key = key
    return key.withUTF8 { wanted in
      let wanted = UnsafeRawBufferPointer(wanted)
      let end = Int(node.next)
      var child = index + 1
      while child < end {
        let node = document.node(child)
        if Int(node.key_length) == wanted.count,
          document.slice(node.key_offset, node.key_length).elementsEqual(wanted)
        {
          return JSONValue(document: document, index: child)
        }
        child = Int(node.next)
      }
      return nil
    }
  }

  /// The element at that place; nil beyond the end, or where the value is no array.
  ///
  /// Linear in `position`: walk `elements` rather than counting.
  public subscript(position: Int) -> JSONValue? {
    guard kind == .array, position >= 0, position < count else { return nil }
    var child = index + 1
    for _ in 0..<position { child = Int(document.node(child).next) }
    return JSONValue(document: document, index: child)
  }

  /// The elements of an array, in order; none where the value is no array.
  public var elements: Elements {
    kind == .array
      ? Elements(document: document, position: index + 1, end: Int(node.next))
      : Elements(document: document, position: 0, end: 0)
  }

  /// The members of an object, in order and with repeated names; none where the value is no object.
  public var members: Members {
    kind == .object
      ? Members(children: Elements(document: document, position: index + 1, end: Int(node.next)))
      : Members(children: Elements(document: document, position: 0, end: 0))
  }

  /// Walks an array.
  public struct Elements: Sequence, IteratorProtocol {
    let document: JSONDocument
    var position: Int
    let end: Int

    /// The next element; nil at the end.
    public mutating func next() -> JSONValue? {
      guard position < end else { return nil }
      defer { position = Int(document.node(position).next) }
      return JSONValue(document: document, index: position)
    }
  }

  /// Walks an object.
  public struct Members: Sequence, IteratorProtocol {
    var children: Elements

    /// The next member; nil at the end.
    public mutating func next() -> (key: String, value: JSONValue)? {
      guard let child = children.next() else { return nil }
      let node = child.node
      return (String(decoding: child.document.slice(node.key_offset, node.key_length), as: UTF8.self), child)
    }
  }

  private var valueText: String {
    let node = node
    return String(decoding: document.slice(node.value_offset, node.value_length), as: UTF8.self)
  }
}
