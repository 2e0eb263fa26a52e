#if canImport(Glibc)
  internal import Glibc
#endif

/// The pids of this process's children, whichever thread made them; orphans that it took over and those that have ended
/// and were not reaped are among them.
///
/// The corresponding file is `/proc/PID/task/TID/children`.
public func ownChildren() -> [Int32] {
  FilePaths.matching(pattern: "/proc/self/task/*/children").flatMap { path in
    let bytes = (try? readFile(path, sizeMax: 1 << 20)) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
  }
}
