/// A value of XML-RPC (http://xmlrpc.com/spec.md), with the usual extensions `i8` and `nil`.
public indirect enum XMLRPCValue: Hashable, Sendable {
  case integer(Int64)
  case boolean(Bool)
  case string(String)
  case double(Double)
  case base64([UInt8])
  /// Its text, such as `19980717T14:08:55`.
  case dateTime(String)
  case array([XMLRPCValue])
  /// Members, in order.
  case structure([Member])
  case null

  /// A member of a structure.
  public struct Member: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Its value.
    public var value: XMLRPCValue

    /// A member by its parts.
    public init(_ name: String, _ value: XMLRPCValue) {
      self.name = name
      self.value = value
    }
  }

  /// The member by that name, the first where several bear it; nil where there is none, or this is no structure.
  public subscript(name: String) -> XMLRPCValue? {
    guard case .structure(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The integer; nil where this is none.
  public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  /// The truth value; nil where this is none.
  public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
  /// The text; nil where this is no string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The elements; nil where this is no array.
  public var array: [XMLRPCValue]? { if case .array(let value) = self { value } else { nil } }
}

extension XMLRPCValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  /// An array.
  public init(arrayLiteral elements: XMLRPCValue...) { self = .array(elements) }
  /// A structure.
  public init(dictionaryLiteral elements: (String, XMLRPCValue)...) {
    self = .structure(elements.map { Member($0.0, $0.1) })
  }
}

/// A call of a method.
public struct XMLRPCCall: Hashable, Sendable {
  /// Such as `supervisor.getState`.
  public var method: String
  /// The parameters, in order.
  public var parameters: [XMLRPCValue]

  /// A call by its parts.
  public init(_ method: String, _ parameters: [XMLRPCValue] = []) {
    self.method = method
    self.parameters = parameters
  }
}

/// What a call came to.
public enum XMLRPCResponse: Hashable, Sendable {
  case value(XMLRPCValue)
  case fault(code: Int64, text: String)
}

/// Why bytes are no XML-RPC that we take.
public struct XMLRPCError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Code: String, Hashable, Sendable {
    /// Not well-formed XML, or not in UTF-8, UTF-16, ISO-8859-1 or ASCII.
    case notXML
    /// XML, but no call or response.
    case malformed
    /// It declares a document type: entities are how small documents grow without end.
    case documentType
    /// Longer or deeper than the limits.
    case tooLarge
  }

  /// What is wrong.
  public let code: Code
  /// Where.
  public let detail: String

  /// An error by its parts.
  public init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// Such as `XML-RPC: malformed (value)`.
  public var description: String { "XML-RPC: \(code.rawValue) (\(detail))" }
}
