/// Takes what stands between two marks out of a stream, wherever reads cut it.
package struct CaptureScanner {
  /// A piece of a stream, in its order.
  package enum Piece: Equatable {
    /// What belongs to the log.
    case log([UInt8])
    /// All that stood between two marks, or the last part of it.
    case communication([UInt8])
  }

  private static let begin = Array("<!--XSUPERVISOR:BEGIN-->".utf8)
  private static let end = Array("<!--XSUPERVISOR:END-->".utf8)

  private let sizeMax: Int
  private var isCapturing = false
  private var captured: [UInt8] = []
  /// The beginning of a mark, at the end of what has been read.
  private var held: [UInt8] = []

  /// - Parameter sizeMax: how much of a communication is kept, in bytes: the last part.
  package init(sizeMax: Int) { self.sizeMax = sizeMax }

  /// Takes what was read.
  /// - Returns: what is known now.
  package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> [Piece] {
    var all = held
    all += bytes
    held = []
    var pieces: [Piece] = []
    var start = 0
    while start < all.count {
      let mark = isCapturing ? Self.end : Self.begin
      let (place, isWhole) = Self.find(mark, in: all, from: start)
      take(all[start..<place], &pieces)
      guard isWhole else {
        held = Array(all[place...])
        break
      }
      start = place + mark.count
      if isCapturing {
        pieces.append(.communication(captured))
        captured = []
      }
      isCapturing.toggle()
    }
    return pieces
  }

  /// Gives up on what is held or captured, because a new process speaks.
  /// - Returns: what belongs to the log.
  package mutating func finish() -> [UInt8] {
    let rest = isCapturing ? [] : held
    isCapturing = false
    captured = []
    held = []
    return rest
  }

  private mutating func take(_ bytes: ArraySlice<UInt8>, _ pieces: inout [Piece]) {
    guard !bytes.isEmpty else { return }
    guard isCapturing else { return pieces.append(.log(Array(bytes))) }
    captured += bytes.suffix(sizeMax)
    captured.removeFirst(max(0, captured.count - sizeMax))
  }

  /// Where the mark begins, or its beginning at the very end, or the end.
  private static func find(_ mark: [UInt8], in bytes: [UInt8], from start: Int) -> (place: Int, isWhole: Bool) {
    var place = start
    while let found = bytes[place...].firstIndex(of: mark[0]) {
      let candidate = bytes[found...].prefix(mark.count)
      if mark.starts(with: candidate) { return (found, candidate.count == mark.count) }
      place = found + 1
    }
    return (bytes.count, false)
  }
}
