internal import CLinux
internal import Market

/// An array in memory of its own that only grows: an element is read and changed in place, without checks of who else
/// looks at the array.
struct FlatArray<Element>: ~Copyable {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private var capacity = 64
  private let filler: Element

  /// Nothing; new elements are `filler`.
  init(filler: Element) {
    self.filler = filler
    base = FlatMemory.allocate(capacity, of: Element.self)
  }

  deinit {
    base.deinitialize(count: count)
    FlatMemory.deallocate(base)
  }

  /// Makes room for so many elements.
  mutating func grow(to wanted: Int) {
    guard wanted > count else { return }
    if wanted > capacity {
      let larger = max(capacity * 2, wanted)
      let memory = FlatMemory.allocate(larger, of: Element.self)
      memory.moveInitialize(from: base, count: count)
      FlatMemory.deallocate(base)
      base = memory
      capacity = larger
    }
    (base + count).initialize(repeating: filler, count: wanted - count)
    count = wanted
  }

  /// Begins to bring an element that will be looked at soon; the caller knows that it is there.
  @inline(__always) func prefetch(_ place: Int) { bh_prefetch(base + place) }

  /// An element; the caller knows that it is there.
  subscript(_ place: Int) -> Element {
    @inline(__always) get { base[place] }
    @inline(__always) nonmutating _modify { yield &base[place] }
  }
}
