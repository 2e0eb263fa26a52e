internal import CLinux
internal import Glibc

/// Memory for arrays that are as large as the number of markets: looked up at random, it is found in fewer steps where
/// its pages are large.
package enum FlatMemory {
  private static var hugePage: Int { 2 << 20 }

  /// Memory for so many elements, none of them initialised; it is given back by `deallocate`.
  ///
  /// From 2 MB on its pages are of 2 MB where the system has them, unless `isSmall`: then only what is used is resident.
  /// Traps where there is no memory.
  package static func allocate<Element>(
    _ capacity: Int, of type: Element.Type, isSmall: Bool = false
  ) -> UnsafeMutablePointer<Element> {
    let bytes = capacity * MemoryLayout<Element>.stride
    let isLarge = bytes >= hugePage && !isSmall
    var memory: UnsafeMutableRawPointer?
    let code = posix_memalign(&memory, isLarge ? hugePage : 64, bytes)
    guard code == 0, let memory else { preconditionFailure("no memory for \(bytes) bytes") }
    if isLarge { _ = bh_huge_pages(memory, bytes) }
    return memory.bindMemory(to: Element.self, capacity: capacity)
  }

  /// Gives memory back.
  package static func deallocate(_ memory: UnsafeMutablePointer<some Any>) { free(memory) }
}
