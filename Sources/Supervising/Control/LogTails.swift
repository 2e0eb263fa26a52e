internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// Logs that are followed: `/mainlogtail`, `/logtail/NAME` and `/logtail/GROUP:NAME/stderr`.
final class LogTails {
  private unowned let supervisor: Supervisor
  private var watcher: FileWatcher?

  init(supervisor: Supervisor) { self.supervisor = supervisor }

  func reply(path: String) -> HTTPServerReply {
    guard let file = logFile(path), let reader = LogFileReader(file) else {
      return .response(.text("no such log\n", status: 404))
    }
    do throws(SystemError) {
      return .stream(stream(LogTail(file, reader, try openWatcher())))
    } catch {
      return .response(.text("logs cannot be followed: \(error)\n", status: 503))
    }
  }

  private func logFile(_ path: String) -> String? {
    if path.hasPrefix("/mainlogtail") { return supervisor.mainLog }
    var parts = path.drop { $0 == "/" }.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard let name = parts.popFirst() else { return nil }
    let channel = parts.first ?? "stdout"
    let names = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    for process in supervisor.table.order {
      guard let specification = supervisor.table[process]?.specification, specification.group == names.first ?? "",
        specification.name == names.last ?? ""
      else { continue }
      switch channel {
      case "stdout": return specification.output.file
      case "stderr": return specification.redirectsErrors ? nil : specification.errorOutput.file
      default: return nil
      }
    }
    return nil
  }

  private func openWatcher() throws(SystemError) -> FileWatcher {
    if let watcher { return watcher }
    let opened = try FileWatcher()
    try supervisor.watch(opened.descriptor) { opened.process() }
    watcher = opened
    return opened
  }

  private func stream(_ tail: LogTail) -> HTTPStream {
    let headers: HTTPHeaders = [
      "Content-Type": "text/plain;charset=utf-8", "Last-Modified": Self.date(tail.modifiedAt),
      "X-Accel-Buffering": "no",
    ]
    let stream = HTTPStream(headers: headers, onEnd: { tail.end() }) { tail.next($0) }
    tail.onChange = { [weak stream] in stream?.resume() }
    return stream
  }

  private static func date(_ seconds: Int) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress,
        strftime(base, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0
      else { return "" }
      return String(cString: base)
    }
  }
}

/// One reader of a log that goes on: through rotation and truncation, from near the end.
final class LogTail {
  /// How far before the end it begins, in bytes.
  private static let headMax = 1024
  private static let truncated = Array("==> File truncated <==\n".utf8)

  let modifiedAt: Int
  /// Is called when there may be something new.
  var onChange: () -> Void = {}
  private let path: String
  private let watcher: FileWatcher
  private var file: LogFileReader
  private var offset: Int
  private var isFirst: Bool
  private var watches: [FileWatcher.Watch] = []

  init(_ path: String, _ file: LogFileReader, _ watcher: FileWatcher) {
    self.path = path
    self.file = file
    self.watcher = watcher
    modifiedAt = file.modifiedAt
    let size = file.size
    offset = max(0, size - Self.headMax)
    isFirst = offset > 0
  }

  func end() {
    onChange = {}
    stopWatching()
  }

  /// What was written since the last time.
  func next(_ buffer: UnsafeMutableRawBufferPointer) -> HTTPStream.Piece {
    stopWatching()
    for _ in 0..<8 {
      if let piece = piece(buffer) { return piece }
      // What is written between looking and watching is found by looking again.
      let isFileWatched = watch()
      if let piece = piece(buffer) {
        stopWatching()
        return piece
      }
      // A file that came just before its directory was watched is watched by nobody: what is written to it goes untold.
      guard !isFileWatched, access(path, F_OK) == 0 else { return .waits }
      stopWatching()
    }
    watch()
    return .waits
  }

  private func piece(_ buffer: UnsafeMutableRawBufferPointer) -> HTTPStream.Piece? {
    for _ in 0..<8 {
      let count = file.read(buffer, at: offset)
      if count > 0 {
        if let whole = wholeCharacters(UnsafeRawBufferPointer(rebasing: buffer[..<count])), whole > 0 {
          offset += whole
          return .bytes(whole)
        }
      } else if file.size < offset {
        offset = 0
        buffer.copyBytes(from: Self.truncated.prefix(buffer.count))
        return .bytes(min(buffer.count, Self.truncated.count))
      }
      // The log was rotated: what is left of the old file has been read.
      guard let present = LogFileReader.Identity(path: path), present != file.identity,
        let newer = LogFileReader(path)
      else { return nil }
      file = newer
      offset = 0
    }
    return nil
  }

  /// How much of a piece ends with a whole character, so that each piece is UTF-8 where the log is.
  private func wholeCharacters(_ bytes: UnsafeRawBufferPointer) -> Int? {
    if isFirst {
      isFirst = false
      let torn = bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count
      if torn > 0, torn < bytes.count {
        offset += torn
        return nil
      }
    }
    for back in 1...min(3, bytes.count) {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > back ? bytes.count - back : bytes.count
    }
    return bytes.count
  }

  /// - Returns: whether the file itself is watched, rather than the directory in which it is to appear.
  @discardableResult
  private func watch() -> Bool {
    let callback = { [weak self] () -> Void in self?.onChange() }
    if let watch = watcher.watch(file: path, callback) {
      watches.append(watch)
      return true
    }
    if let watch = watcher.watch(directory: FilePaths.directory(of: path), callback) { watches.append(watch) }
    return false
  }

  private func stopWatching() {
    for watch in watches { watcher.cancel(watch) }
    watches = []
  }
}
