import Daemon
import Glibc

/// What every family of figures has: how often to repeat, where to write, and the floor's programs.
final class Bench {
  /// How often each measurement is repeated; figures are medians.
  let repetitions: Int
  let floors: Floors
  /// A directory of this run alone.
  let directory: String
  /// Where our own executables are.
  let products: String
  /// What is told beside the figures.
  private(set) var remarks: [String] = []
  private let isWanted: (String) -> Bool

  init(repetitions: Int, isWanted: @escaping (String) -> Bool) throws {
    self.repetitions = repetitions
    self.isWanted = isWanted
    products = FilePaths.directory(of: Bench.executable)
    floors = try Floors(build: FilePaths.absolute(".build/limits"))
    let temporary = Environment.current["TMPDIR"] ?? "/tmp"
    directory = "\(temporary)/bulkhead-bench-\(getpid())"
    try FilePaths.makeDirectories(directory, mode: 0o700)
  }

  /// This executable's path.
  static var executable: String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether a figure was asked for.
  func wants(_ name: String) -> Bool { isWanted(name) }

  /// Whether one of these figures was asked for.
  func wants(anyOf names: [String]) -> Bool { names.contains(where: isWanted) }

  /// Says something beside the figures.
  func remark(_ text: String) { remarks.append(text) }

  /// Says on standard error what is going on.
  func progress(_ text: String) { writeLine("bench: \(text)", to: 2) }

  /// Removes what this run wrote.
  func cleanUp() { removeTree(directory) }
}

/// Removes what a path names, with all that is in it.
private func removeTree(_ path: String) {
  var status = stat()
  guard lstat(path, &status) == 0 else { return }
  if status.st_mode & S_IFMT == S_IFDIR {
    for name in directoryEntries(path) where name != "." && name != ".." { removeTree("\(path)/\(name)") }
  }
  remove(path)
}

/// The names in a directory.
func directoryEntries(_ path: String) -> [String] {
  guard let list = opendir(path) else { return [] }
  defer { closedir(list) }
  var names: [String] = []
  while let entry = readdir(list) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    names.append(name)
  }
  return names
}

/// Writes a line to a descriptor at once.
func writeLine(_ text: String, to descriptor: Int32 = 1) {
  var line = text + "\n"
  line.withUTF8 { bytes in
    var done = 0
    while done < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0, errno != EINTR { return }
      done += max(0, count)
    }
  }
}
