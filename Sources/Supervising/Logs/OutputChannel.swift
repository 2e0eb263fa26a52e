/// One of the two ways by which a process speaks.
enum OutputChannel: String, Sendable {
  case output = "stdout"
  case errorOutput = "stderr"
}

/// What a stream hands to the main loop.
enum TapItem: Sendable {
  /// What goes to the log, too.
  case log([UInt8])
  /// What stood between the tokens of capture mode, and does not go to the log.
  case communication([UInt8])

  var count: Int {
    switch self {
    case .log(let bytes), .communication(let bytes): bytes.count
    }
  }
}

/// Something that a stream said, on its way to the main loop.
struct TapLetter: Sendable {
  let stream: OutputStream
  let item: TapItem
}
