package import Market

/// Puts the time at the start of each line: `2026-11-21T18:19:26.042Z `.
package struct LineStamps {
  /// Whether the next byte begins a line.
  package private(set) var isAtStart: Bool

  /// - Parameter isAtStart: whether the first byte begins a line.
  package init(isAtStart: Bool = true) { self.isAtStart = isAtStart }

  /// Takes what was read.
  /// - Parameters:
  ///   - bytes: part of a stream.
  ///   - now: the time of all its lines.
  /// - Returns: the same with the time before each line.
  package mutating func stamp(_ bytes: UnsafeRawBufferPointer, now: Timestamp) -> [UInt8] {
    let stamp = Array("\(now) ".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 4 + 64)
    var rest = bytes[...]
    while !rest.isEmpty {
      if isAtStart { result += stamp }
      let end = rest.firstIndex(of: 0x0A)
      let line = rest[rest.startIndex..<(end.map { $0 + 1 } ?? rest.endIndex)]
      result += line
      isAtStart = end != nil
      rest = rest[line.endIndex...]
    }
    return result
  }
}
