internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Standard output: lines that stay, and on a terminal a block that is redrawn in place.
final class Screen {
  /// Whether somebody watches.
  let isTerminal = isatty(1) != 0
  private var drawnLines = 0
  private var nextLineAt: Int64 = 0

  /// Prints a line that stays.
  func say(_ line: String) {
    release()
    writeOut(line + "\n")
  }

  /// Prints a line unless one was printed lately; on a terminal it replaces the one before.
  func show(line: String, everySeconds seconds: Int64) {
    if isTerminal { return redraw([line]) }
    let now = SystemClock.monotonicNanoseconds
    guard now >= nextLineAt else { return }
    nextLineAt = now + seconds * 1_000_000_000 - 500_000_000
    writeOut(line + "\n")
  }

  /// Draws a block in the place of the one before.
  func redraw(_ lines: [String]) {
    // Up to its first line, then clear to the end of the screen.
    let back = drawnLines > 0 ? "\u{1B}[\(drawnLines)A\r\u{1B}[J" : ""
    writeOut(back + lines.joined(separator: "\n") + "\n")
    drawnLines = lines.count
  }

  /// Leaves the block where it is; what follows stands below.
  func release() { drawnLines = 0 }
}
