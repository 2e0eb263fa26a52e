internal import Daemon
internal import Market
internal import Venues

extension Command {
  static let decode = Command(
    "decode", operands: "VENUE KIND FILE", count: 2...3, options: [.json],
    "Prints what is understood of a venue's payloads, one line for each message; KIND may be auto, FILE may be -"
  ) { _ in "" }
}

extension BulkheadTool {
  /// The longest file that is read, in bytes.
  private static let fileSizeMax = 1 << 30

  /// Reads a file of payloads and prints a line for each message; what is refused is a line, too.
  ///
  /// - Parameter invocation: the venue, the kind and the file; without the file, and with `-` for it, standard input.
  /// - Returns: `refused` where a message was.
  /// - Throws: `ToolError` where there is no such venue, kind or file.
  static func decode(_ invocation: Invocation) throws -> ExitStatus {
    let operands = invocation.operands
    guard let venue = Venue(rawValue: operands[0].lowercased()) else {
      let known = Venue.allCases.map(\.rawValue).joined(separator: ", ")
      throw ToolError.usage("there is no venue \(operands[0]); there are \(known)")
    }
    let decoding: Decoding
    do {
      decoding = try Decoding(venue: venue, kind: operands[1], now: SystemClock.now)
    } catch {
      throw ToolError.usage("\(error)")
    }
    let name = operands.count > 2 ? operands[2] : "-"
    let bytes: [UInt8]
    do {
      bytes = try readFile(name == "-" ? "/dev/stdin" : name, sizeMax: fileSizeMax)
    } catch {
      throw ToolError(.failed, "\(error)")
    }
    return print(decoding, bytes, asJSON: invocation.has("--json"))
  }

  private static func print(_ reader: Decoding, _ bytes: [UInt8], asJSON: Bool) -> ExitStatus {
    var decoding = reader
    var status = ExitStatus.done
    var pending = ""
    decoding.read(bytes) { line in
      if case .failure = line { status = .refused }
      pending += (asJSON ? line.json : line.text) + "\n"
      if pending.utf8.count > 1 << 16 {
        writeOut(pending)
        pending = ""
      }
    }
    if asJSON { decoding.end { pending += $0.json + "\n" } }
    writeOut(pending)
    return status
  }
}
