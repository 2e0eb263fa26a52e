public import Market

/// Reads MessagePack from memory that somebody else keeps, in the order in which it was written.
///
/// Every read checks the bounds: bytes from another process never reach beyond the message.
public struct MessagePackReader {
  @usableFromInline let bytes: UnsafeRawBufferPointer
  @usableFromInline var offset = 0

  /// A reader at the first byte.
  @inlinable public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Whether everything has been read.
  @inlinable public var isAtEnd: Bool { offset == bytes.count }

  @inlinable @inline(__always) mutating func byte() throws(MessageError) -> UInt8 {
    guard offset < bytes.count else { throw .truncated }
    offset += 1
    return bytes[offset - 1]
  }

  @inlinable @inline(__always) mutating func big<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(MessageError) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - offset >= size else { throw .truncated }
    defer { offset += size }
    return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// Reads an unsigned integer.
  @inlinable public mutating func unsigned() throws(MessageError) -> UInt64 {
    let tag = try byte()
    switch tag {
    case 0x00...0x7F: return UInt64(tag)
    case 0xCC: return UInt64(try big(UInt8.self))
    case 0xCD: return UInt64(try big(UInt16.self))
    case 0xCE: return UInt64(try big(UInt32.self))
    case 0xCF: return try big(UInt64.self)
    default: throw .mismatch(expected: "unsigned integer", found: tag)
    }
  }

  /// Reads an integer.
  @inlinable public mutating func integer() throws(MessageError) -> Int64 {
    let tag = try byte()
    switch tag {
    case 0x00...0x7F: return Int64(tag)
    case 0xE0...0xFF: return Int64(Int8(bitPattern: tag))
    case 0xCC: return Int64(try big(UInt8.self))
    case 0xCD: return Int64(try big(UInt16.self))
    case 0xCE: return Int64(try big(UInt32.self))
    case 0xCF:
      let value = try big(UInt64.self)
      guard value <= UInt64(Int64.max) else { throw .outOfRange(field: "integer") }
      return Int64(value)
    case 0xD0: return Int64(try big(Int8.self))
    case 0xD1: return Int64(try big(Int16.self))
    case 0xD2: return Int64(try big(Int32.self))
    case 0xD3: return try big(Int64.self)
    default: throw .mismatch(expected: "integer", found: tag)
    }
  }

  /// Reads an integer that must lie in `range`; `field` names it in the error.
  @inlinable public mutating func integer(
    in range: ClosedRange<Int64>, _ field: StaticString
  ) throws(MessageError) -> Int64 {
    let value = try integer()
    guard range.contains(value) else { throw .outOfRange(field: "\(field)") }
    return value
  }

  /// Reads a floating-point number of 64 bits, which must be finite.
  @inlinable public mutating func float() throws(MessageError) -> Double {
    let tag = try byte()
    guard tag == 0xCB else { throw .mismatch(expected: "float", found: tag) }
    let value = Double(bitPattern: try big(UInt64.self))
    guard value.isFinite else { throw .outOfRange(field: "float") }
    return value
  }

  /// Reads a moment in nanoseconds since 1970; none before that, so that ages can be computed without overflow.
  @inlinable public mutating func time() throws(MessageError) -> Timestamp {
    let nanoseconds = try integer()
    guard nanoseconds >= 0 else { throw .outOfRange(field: "time") }
    return Timestamp(nanoseconds: nanoseconds)
  }

  /// Reads the count of an array; the elements follow.
  @inlinable public mutating func array() throws(MessageError) -> Int {
    let tag = try byte()
    let count: Int
    switch tag {
    case 0x90...0x9F: count = Int(tag & 0x0F)
    case 0xDC: count = Int(try big(UInt16.self))
    case 0xDD: count = Int(try big(UInt32.self))
    default: throw .mismatch(expected: "array", found: tag)
    }
    guard count <= bytes.count - offset else { throw .truncated }
    return count
  }

  /// Reads the count of an array that must have at least `count` elements.
  ///
  /// A newer publisher may write more fields than we know; they are skipped by `skip(_:)`.
  @inlinable public mutating func array(atLeast count: Int) throws(MessageError) -> Int {
    let found = try array()
    guard found >= count else { throw .outOfRange(field: "array") }
    return found
  }

  /// Reads a boolean.
  @inlinable public mutating func boolean() throws(MessageError) -> Bool {
    switch try byte() {
    case 0xC2: return false
    case 0xC3: return true
    case let tag: throw .mismatch(expected: "boolean", found: tag)
    }
  }

  /// Reads a nil where there is one.
  /// - Returns: whether there was.
  @inlinable public mutating func null() throws(MessageError) -> Bool {
    guard offset < bytes.count else { throw .truncated }
    guard bytes[offset] == 0xC0 else { return false }
    offset += 1
    return true
  }

  /// Reads a text as the slice of memory that it lies in.
  @inlinable public mutating func textBytes() throws(MessageError) -> UnsafeRawBufferPointer {
    let tag = try byte()
    let count: Int
    switch tag {
    case 0xA0...0xBF: count = Int(tag & 0x1F)
    case 0xD9: count = Int(try big(UInt8.self))
    case 0xDA: count = Int(try big(UInt16.self))
    case 0xDB: count = Int(try big(UInt32.self))
    default: throw .mismatch(expected: "text", found: tag)
    }
    guard bytes.count - offset >= count else { throw .truncated }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  /// Reads a text; ill-formed UTF-8 is repaired.
  @inlinable public mutating func text() throws(MessageError) -> String {
    String(decoding: try textBytes(), as: UTF8.self)
  }

  /// Skips `count` values, whatever they are, arrays with all that they hold.
  public mutating func skip(_ count: Int) throws(MessageError) {
    var left = count
    while left > 0 {
      left -= 1
      let tag = try byte()
      let size: Int
      switch tag {
      case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: size = 0
      case 0xA0...0xBF: size = Int(tag & 0x1F)
      case 0x90...0x9F:
        left += Int(tag & 0x0F)
        size = 0
      case 0xCC, 0xD0: size = 1
      case 0xCD, 0xD1: size = 2
      case 0xCE, 0xD2, 0xCA: size = 4
      case 0xCF, 0xD3, 0xCB: size = 8
      case 0xD9: size = Int(try big(UInt8.self))
      case 0xDA: size = Int(try big(UInt16.self))
      case 0xDB: size = Int(try big(UInt32.self))
      case 0xDC:
        left += Int(try big(UInt16.self))
        size = 0
      case 0xDD:
        left += Int(try big(UInt32.self))
        size = 0
      default: throw .mismatch(expected: "a value of the bus", found: tag)
      }
      guard bytes.count - offset >= size, left <= bytes.count else { throw .truncated }
      offset += size
    }
  }
}
