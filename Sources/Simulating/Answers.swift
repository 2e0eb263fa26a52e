internal import Web

/// How the simulated venues answer.
extension HTTPServerResponse {
  /// What a writer holds, as JSON.
  static func json(_ writer: ByteWriter, status: Int = 200) -> Self {
    Self(status: status, headers: ["Content-Type": "application/json"], body: writer.bytes)
  }

  /// Polymarket's form of an error: `{"error":"text"}`.
  static func clobError(_ text: String, status: Int) -> Self {
    var writer = ByteWriter()
    writer.raw("{\"error\":")
    writer.quoted(text)
    writer.byte(0x7D)
    return .json(writer, status: status)
  }
}

extension HTTPServerRequest {
  /// A whole number of a query item; nil where it is absent or no number.
  func number(_ name: String) -> Int64? { query(name).flatMap { Int64($0) } }

  /// All values of a query item that may be repeated.
  func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

  /// A query item that is `true` or `false`.
  func flag(_ name: String) -> Bool? {
    switch query(name)?.lowercased() {
    case "true", "1": true
    case "false", "0": false
    default: nil
    }
  }
}

/// The path of a request, taken apart at its slashes.
struct PathParts {
  private var parts: ArraySlice<Substring>

  init(_ path: String) { parts = path.split(separator: "/")[...] }

  /// The first part, which is taken off.
  mutating func next() -> String? { parts.popFirst().map(String.init) }

  /// What is left.
  var rest: [String] { parts.map(String.init) }
}
