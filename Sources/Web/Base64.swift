internal import CBotan

/// Base64 of RFC 4648, section 4.
public enum Base64 {
  /// The text of bytes, padded and without line breaks.
  ///
  /// The corresponding C function is `botan_base64_encode`.
  public static func encode(_ bytes: [UInt8]) -> String {
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    var count = text.count
    let code = text.withUnsafeMutableBytes { room in
      botan_base64_encode(bytes, bytes.count, room.baseAddress?.assumingMemoryBound(to: CChar.self), &count)
    }
    precondition(code == 0, "base64 fails")
    return String(decoding: text[..<count].prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The bytes of a text, blanks skipped; nil where it is no base64.
  ///
  /// The corresponding C function is `botan_base64_decode`.
  public static func decode(_ text: String) -> [UInt8]? {
    let compact = text.utf8.filter { $0 != 0x20 && !($0 >= 0x09 && $0 <= 0x0D) }
    if compact.isEmpty { return [] }
    let padding = compact.reversed().prefix { $0 == 0x3D }.count
    guard compact.count % 4 == 0, padding <= 2, !compact.dropLast(padding).contains(0x3D) else { return nil }
    var bytes = [UInt8](repeating: 0, count: compact.count / 4 * 3)
    var count = bytes.count
    let code = compact.withUnsafeBytes { compact in
      botan_base64_decode(
        compact.baseAddress?.assumingMemoryBound(to: CChar.self), compact.count, &bytes, &count)
    }
    guard code == 0, count <= bytes.count else { return nil }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// The text of bytes in the URL-safe alphabet of section 5, padded.
  public static func encodeURLSafe(_ bytes: [UInt8]) -> String {
    String(encode(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
  }

  /// The bytes of a text in the URL-safe alphabet of section 5; nil where it is no such text.
  public static func decode(urlSafe text: String) -> [UInt8]? {
    guard !text.utf8.contains(where: { $0 == 0x2B || $0 == 0x2F }) else { return nil }
    return decode(String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }))
  }
}
