#if canImport(Glibc)
  internal import Glibc
#endif

/// Writes MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) into memory that it keeps.
///
/// Only the types that the bus uses: integers, floating-point numbers, text, booleans, nil and arrays. A class, so that a publisher's buffer
/// is one place in memory; not thread-safe.
public final class MessagePackWriter {
  @usableFromInline var bytes: UnsafeMutableRawPointer
  @usableFromInline var capacity: Int
  /// How many bytes are written.
  public private(set) final var count: Int {
    @inlinable get { length }
    set { length = newValue }
  }
  @usableFromInline var length = 0

  /// A writer with room for `capacity` bytes before it grows.
  public init(capacity: Int = 4096) {
    self.capacity = max(capacity, 64)
    bytes = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { bytes.deallocate() }

  /// What is written so far; valid until the next write.
  @inlinable public var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: length) }

  /// Forgets all that stands behind the first `count` bytes.
  @inlinable public func truncate(to count: Int) {
    precondition(count <= length)
    length = count
  }

  @usableFromInline func grow(by extra: Int) {
    let larger = max(capacity * 2, length + extra)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    memory.copyMemory(from: bytes, byteCount: length)
    bytes.deallocate()
    bytes = memory
    capacity = larger
  }

  @inlinable @inline(__always) func reserve(_ extra: Int) {
    if length + extra > capacity { grow(by: extra) }
  }

  /// Appends bytes as they are.
  @inlinable public func raw(_ source: UnsafeRawBufferPointer) {
    reserve(source.count)
    if let base = source.baseAddress { (bytes + length).copyMemory(from: base, byteCount: source.count) }
    length += source.count
  }

  @inlinable @inline(__always) func byte(_ value: UInt8) {
    bytes.storeBytes(of: value, toByteOffset: length, as: UInt8.self)
    length += 1
  }

  @inlinable @inline(__always) func big<Value: FixedWidthInteger>(_ tag: UInt8, _ value: Value) {
    byte(tag)
    bytes.storeBytes(of: value.bigEndian, toByteOffset: length, as: Value.self)
    length += MemoryLayout<Value>.size
  }

  /// Writes an unsigned integer in its shortest form.
  @inlinable public func unsigned(_ value: UInt64) {
    reserve(9)
    if value < 128 {
      byte(UInt8(truncatingIfNeeded: value))
    } else if value <= 0xFF {
      big(0xCC, UInt8(truncatingIfNeeded: value))
    } else if value <= 0xFFFF {
      big(0xCD, UInt16(truncatingIfNeeded: value))
    } else if value <= 0xFFFF_FFFF {
      big(0xCE, UInt32(truncatingIfNeeded: value))
    } else {
      big(0xCF, value)
    }
  }

  /// Writes an integer in its shortest form.
  @inlinable public func integer(_ value: Int64) {
    if value >= 0 { return unsigned(UInt64(bitPattern: value)) }
    reserve(9)
    if value >= -32 {
      byte(UInt8(bitPattern: Int8(truncatingIfNeeded: value)))
    } else if value >= Int64(Int8.min) {
      big(0xD0, Int8(truncatingIfNeeded: value))
    } else if value >= Int64(Int16.min) {
      big(0xD1, Int16(truncatingIfNeeded: value))
    } else if value >= Int64(Int32.min) {
      big(0xD2, Int32(truncatingIfNeeded: value))
    } else {
      big(0xD3, value)
    }
  }

  /// Writes an unsigned integer in nine bytes, whatever its size, so that it can be put right later.
  @inlinable public func fixed(_ value: UInt64) {
    reserve(9)
    big(0xCF, value)
  }

  /// Begins an array of `count` elements.
  @inlinable public func array(_ count: Int) {
    reserve(5)
    if count < 16 {
      byte(0x90 | UInt8(truncatingIfNeeded: count))
    } else if count <= 0xFFFF {
      big(0xDC, UInt16(truncatingIfNeeded: count))
    } else {
      big(0xDD, UInt32(truncatingIfNeeded: count))
    }
  }

  /// Begins an array whose count is not known yet.
  /// - Returns: where `patchArray` writes it.
  @inlinable public func openArray() -> Int {
    reserve(5)
    big(0xDD, UInt32(0))
    return length - 5
  }

  /// Writes the count of the array that `openArray` began at `offset`.
  @inlinable public func patchArray(_ count: Int, at offset: Int) {
    precondition(offset + 5 <= length)
    bytes.storeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian, toByteOffset: offset + 1, as: UInt32.self)
  }

  /// Writes a boolean.
  @inlinable public func boolean(_ value: Bool) {
    reserve(1)
    byte(value ? 0xC3 : 0xC2)
  }

  /// Writes a floating-point number of 64 bits: scores and probabilities, never money.
  @inlinable public func float(_ value: Double) {
    reserve(9)
    big(0xCB, value.bitPattern)
  }

  /// Writes nil.
  @inlinable public func null() {
    reserve(1)
    byte(0xC0)
  }

  /// Writes a text.
  @inlinable public func text(_ value: String) {
    var copy = value
    copy.withUTF8 { text(UnsafeRawBufferPointer($0)) }
  }

  /// Writes a text from its UTF-8 bytes.
  @inlinable public func text(_ utf8: UnsafeRawBufferPointer) {
    reserve(5 + utf8.count)
    if utf8.count < 32 {
      byte(0xA0 | UInt8(truncatingIfNeeded: utf8.count))
    } else if utf8.count <= 0xFF {
      big(0xD9, UInt8(truncatingIfNeeded: utf8.count))
    } else if utf8.count <= 0xFFFF {
      big(0xDA, UInt16(truncatingIfNeeded: utf8.count))
    } else {
      big(0xDB, UInt32(truncatingIfNeeded: utf8.count))
    }
    raw(utf8)
  }
}
