internal import CLinux

#if canImport(Glibc)
  internal import Glibc
#endif

/// How much memory a process holds that it does not need.
public enum Footprint {
  /// Keeps the heap from growing around holes: two arenas, and large blocks mapped one by one, so that each goes back
  /// to the system when it is freed.
  ///
  /// Call it before the first thread is started.
  ///
  /// The corresponding C function is `mallopt`.
  static func keepSmall() {
    bh_heap_options(2, 256 << 10, 1 << 20)
  }

  /// Gives back what was needed once: free pages of the heap, and pages of programs and libraries.
  ///
  /// Takes a few milliseconds. The corresponding C function is `malloc_trim`.
  public static func shrink() {
    bh_heap_trim()
    release()
  }

  /// Lets go of the pages of programs and libraries that only the start needed.
  ///
  /// They are clean copies of files: one that is wanted again comes from the page cache. What was written to (relocated
  /// tables among it) has become anonymous memory, and is left alone. The corresponding C function is `madvise` with `MADV_DONTNEED`.
  public static func release() {
    guard let bytes = try? readFile("/proc/self/smaps", sizeMax: 8 << 20) else { return }
    var range: (start: UInt, end: UInt)?
    var clean: [(start: UInt, end: UInt)] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      if let mapping = mapping(line) {
        range = mapping.isReleasable ? (mapping.start, mapping.end) : nil
      } else if line.hasPrefix("Anonymous:") {
        if !line.hasSuffix(" 0 kB") { range = nil }
      } else if line.hasPrefix("VmFlags:"), let found = range {
        // The last line of a mapping: nothing in it was written to.
        clean.append(found)
        range = nil
      }
    }
    // All at once at the end: reading needs pages itself.
    for found in clean {
      _ = madvise(UnsafeMutableRawPointer(bitPattern: found.start), Int(found.end - found.start), MADV_DONTNEED)
    }
  }

  /// Reads a line such as `7f00-7f10 r-xp 00000000 fe:00 123 /usr/lib/libx.so`.
  private static func mapping(_ line: Substring) -> (start: UInt, end: UInt, isReleasable: Bool)? {
    let fields = line.split(separator: " ", omittingEmptySubsequences: true)
    guard fields.count >= 5 else { return nil }
    let bounds = fields[0].split(separator: "-")
    guard bounds.count == 2, let start = UInt(bounds[0], radix: 16), let end = UInt(bounds[1], radix: 16) else {
      return nil
    }
    let isFile = fields.count >= 6 && fields[5].hasPrefix("/")
    return (start, end, isFile && !fields[1].contains("w") && fields[1].hasSuffix("p"))
  }
}
