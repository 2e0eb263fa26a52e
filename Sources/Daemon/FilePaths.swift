internal import CLinux
#if canImport(Glibc)
  internal import Glibc
#endif

/// Paths as text, without touching what they name.
public enum FilePaths {
  /// The absolute form of a path; `.` and `..` are resolved as text.
  /// - Parameters:
  ///   - path: a path; `~` is not expanded.
  ///   - base: what a relative path starts from; the working directory by default.
  /// - Returns: the path from the root.
  public static func absolute(_ path: String, relativeTo base: String? = nil) -> String {
    let full = path.hasPrefix("/") ? path : (base ?? workingDirectory) + "/" + path
    var parts: [Substring] = []
    for part in full.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  /// The directory that holds what an absolute path names.
  public static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The directory that the process works in.
  ///
  /// The corresponding C function is `getcwd`.
  public static var workingDirectory: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
      guard let base = buffer.baseAddress, getcwd(base, buffer.count) != nil else { return "/" }
      return String(cString: base)
    }
  }

  /// The files that match a pattern, sorted.
  ///
  /// The corresponding C function is `glob`.
  public static func matching(pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { index in paths[index].map { String(cString: $0) } }
  }

  /// Makes a directory and those above it.
  /// - Parameters:
  ///   - path: absolute.
  ///   - mode: the permissions of those that are made.
  /// - Throws: `SystemError`. The corresponding C function is `mkdir`.
  public static func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
    var made = ""
    for part in path.split(separator: "/") {
      made += "/" + part
      if mkdir(made, mode) != 0, errno != EEXIST { throw SystemError.last("mkdir \(made)") }
    }
    var status = stat()
    try systemCall("stat \(path)") { stat(path, &status) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemError("mkdir \(path)", code: ENOTDIR) }
  }
}

/// Reads a whole file.
/// - Parameters:
///   - path: the file.
///   - sizeMax: a longer one is refused (`EFBIG`).
/// - Returns: its bytes.
/// - Throws: `SystemError`.
public func readFile(_ path: String, sizeMax: Int) throws(SystemError) -> [UInt8] {
  let descriptor = try systemCall("open \(path)") { bh_open(path, O_RDONLY | O_CLOEXEC, 0) }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  // Files of /proc come a page at a time.
  let problem = withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { buffer -> SystemError? in
    while bytes.count <= sizeMax {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return SystemError.last("read \(path)") }
      if count == 0 { return nil }
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return SystemError("read \(path)", code: EFBIG)
  }
  if let problem { throw problem }
  return bytes
}

/// Writes a whole file so that readers see the old one or the new one, never a part.
/// - Parameters:
///   - bytes: what the file shall hold.
///   - path: the file; its directory must be there.
///   - mode: its permissions.
///   - isDurable: whether the new file also outlives a loss of power once this has returned (`fsync`).
/// - Throws: `SystemError`. The corresponding C function is `rename`.
public func writeFileAtomically(
  _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, isDurable: Bool = false
) throws(SystemError) {
  let temporary = "\(path).\(getpid()).new"
  let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
  let descriptor = try systemCall("open \(temporary)") { bh_open(temporary, flags, mode) }
  var written = 0
  while written < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written) }
    if count < 0 {
      if errno == EINTR { continue }
      let error = SystemError.last("write \(temporary)")
      close(descriptor)
      unlink(temporary)
      throw error
    }
    written += count
  }
  // Before the name: a file that has its name and not its bytes is the one thing that nobody may see.
  if isDurable, fsync(descriptor) != 0 {
    let error = SystemError.last("fsync \(temporary)")
    close(descriptor)
    unlink(temporary)
    throw error
  }
  close(descriptor)
  guard rename(temporary, path) == 0 else {
    let error = SystemError.last("rename \(path)")
    unlink(temporary)
    throw error
  }
  guard isDurable else { return }
  let directory = FilePaths.directory(of: path)
  let folder = try systemCall("open \(directory)") { bh_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
  defer { close(folder) }
  try systemCall("fsync \(directory)") { fsync(folder) }
}
