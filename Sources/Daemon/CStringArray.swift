#if canImport(Glibc)
  internal import Glibc
#endif

/// C strings, ended by a null pointer, for as long as it lives: arguments and environments as the kernel takes them.
public final class CStringArray {
  /// The strings; the last pointer is null.
  public let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  /// Copies strings; what follows a NUL in one is lost.
  ///
  /// The corresponding C function is `strdup`.
  public init(_ strings: [String]) {
    count = strings.count
    pointer = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
    (pointer + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { free(pointer[index]) }
    pointer.deallocate()
  }
}
