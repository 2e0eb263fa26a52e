internal import CSimdJSON

/// Why bytes are no JSON document that we take.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Code: String, Hashable, Sendable {
    /// Not JSON by RFC 8259.
    case malformed
    /// Nested deeper than `JSONLimits.depthMax`.
    case tooDeep
    /// Longer than `JSONLimits.bytesMax`, or more values than `JSONLimits.valuesMax`.
    case tooLarge
    /// Not UTF-8.
    case notUTF8
    /// The machine has no memory for it.
    case outOfMemory
  }

  /// What is wrong.
  public let code: Code

  /// An error by its code.
  public init(_ code: Code) { self.code = code }

  /// Such as `JSON: malformed`.
  public var description: String { "JSON: \(code.rawValue)" }
}

/// How large a document may be.
public struct JSONLimits: Sendable {
  /// The longest document, in bytes.
  public var bytesMax: Int
  /// The deepest nesting of arrays and objects; at most 512.
  public var depthMax: Int
  /// The most values in one document.
  public var valuesMax: Int

  /// Limits; the defaults suit a page of a venue's listing.
  public init(bytesMax: Int = 64 << 20, depthMax: Int = 128, valuesMax: Int = 4_000_000) {
    self.bytesMax = bytesMax
    self.depthMax = depthMax
    self.valuesMax = valuesMax
  }
}

/// A JSON document, read once and whole: for the cold path, where clarity counts more than microseconds.
///
/// Numbers keep the text that they were written with; none passes through a floating-point type.
///
/// Sound to share: nothing changes after `init`, and the C memory is released when the last value is gone.
public final class JSONDocument: @unchecked Sendable {
  private var tree: bh_json_tree

  /// Reads a document.
  /// - Parameters:
  ///   - bytes: UTF-8 text.
  ///   - limits: how large it may be.
  /// - Throws: `JSONError`.
  ///
  /// Linear in the length. The parser is simdjson's On-Demand API.
  public init(_ bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    tree = try Self.read(bytes, limits: limits)
  }

  /// Reads a document.
  /// - Throws: `JSONError`.
  public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    tree = try bytes.withUnsafeBytes { bytes in
      Result { () throws(JSONError) in try Self.read(bytes, limits: limits) }
    }.get()
  }

  /// Reads a document.
  /// - Throws: `JSONError`.
  public convenience init(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(Array(text.utf8), limits: limits)
  }

  private static func read(_ bytes: UnsafeRawBufferPointer, limits: JSONLimits) throws(JSONError) -> bh_json_tree {
    var tree = bh_json_tree()
    guard bytes.count <= limits.bytesMax else { throw JSONError(.tooLarge) }
    guard let base = bytes.baseAddress else { throw JSONError(.malformed) }
    let depthMax = min(max(limits.depthMax, 1), 512)
    let code = bh_json_tree_read(
      base.assumingMemoryBound(to: CChar.self), bytes.count, depthMax, max(limits.valuesMax, 1), &tree)
    switch Int(code) {
    case BH_JSON_OK: return tree
    case BH_JSON_TOO_DEEP: throw JSONError(.tooDeep)
    case BH_JSON_TOO_LARGE: throw JSONError(.tooLarge)
    case BH_JSON_NOT_UTF8: throw JSONError(.notUTF8)
    case BH_JSON_NO_MEMORY: throw JSONError(.outOfMemory)
    default: throw JSONError(.malformed)
    }
  }

  deinit { bh_json_tree_free(&tree) }

  /// The outermost value.
  public var root: JSONValue { JSONValue(document: self, index: 0) }

  func node(_ index: Int) -> bh_json_node {
    precondition(index < tree.node_count)
    return tree.nodes[index]
  }

  func slice(_ offset: UInt32, _ length: UInt32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(tree.text) + Int(offset), count: Int(length))
  }
}
