/// Drops the escape sequences with which programs colour their output, wherever reads cut them.
package struct EscapeFilter {
  private enum State {
    /// Ordinary text. Leaves at ESC.
    case text
    /// After ESC. Leaves at once: at `[` and `]` into a sequence, else to the text.
    case escape
    /// After ESC and `[`. Leaves at its last byte, 0x40 to 0x7E.
    case control
    /// After ESC and `]`. Leaves at BEL, or at ESC and what follows.
    case command
  }

  private var state = State.text

  /// Before the first byte of a stream.
  package init() {}

  /// Takes what was read.
  /// - Returns: the same without escape sequences.
  package mutating func filter(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for byte in bytes {
      switch (state, byte) {
      case (.text, 0x1B), (.command, 0x1B): state = .escape
      case (.text, _): result.append(byte)
      case (.escape, UInt8(ascii: "[")): state = .control
      case (.escape, UInt8(ascii: "]")): state = .command
      case (.escape, 0x1B): break
      case (.escape, 0x20...0x2F): break
      case (.escape, 0x30...0x7E): state = .text
      // No sequence after all.
      case (.escape, _):
        state = .text
        result.append(byte)
      case (.control, 0x20...0x3F): break
      case (.control, 0x40...0x7E): state = .text
      case (.control, 0x1B): state = .escape
      case (.control, _):
        state = .text
        result.append(byte)
      case (.command, 0x07), (.command, 0x0A): state = .text
      case (.command, _): break
      }
    }
    return result
  }
}
