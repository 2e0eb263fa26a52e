import Bus
import Glibc
import Testing

/// A set is handed to the kernel once it was waited for often enough: what it says must not change by that.
@Suite("Poller") struct PollerTests {
  private final class Pipe {
    var ends: [Int32] = [-1, -1]

    init() { #expect(pipe(&ends) == 0) }

    deinit { for end in ends { close(end) } }

    func write() { #expect(Glibc.write(ends[1], "x", 1) == 1) }

    func read() {
      var byte: UInt8 = 0
      #expect(Glibc.read(ends[0], &byte, 1) == 1)
    }
  }

  @Test func `a set that stays the same says the same`() {
    let (first, second) = (Pipe(), Pipe())
    let poller = Poller()
    poller.add(descriptor: first.ends[0])
    poller.add(descriptor: second.ends[0])
    for turn in 0..<60 {
      #expect(poller.wait(timeoutMilliseconds: 0) == 0, "turn \(turn)")
      second.write()
      #expect(poller.wait(timeoutMilliseconds: 1000) == 1, "turn \(turn)")
      #expect(poller.readyPlaces == [1] && poller.isReady(1) && !poller.isReady(0), "turn \(turn)")
      // What was not read is still there.
      #expect(poller.wait(timeoutMilliseconds: 1000) == 1 && poller.isReady(1), "turn \(turn)")
      second.read()
    }
  }

  @Test func `room for writing is waited for only where it is wanted`() {
    let pipe = Pipe()
    let poller = Poller()
    poller.add(descriptor: pipe.ends[1])
    for _ in 0..<40 { #expect(poller.wait(timeoutMilliseconds: 0) == 0) }
    poller.setWritable(true, at: 0)
    for _ in 0..<40 { #expect(poller.wait(timeoutMilliseconds: 0) == 1) }
    poller.setWritable(false, at: 0)
    for _ in 0..<40 { #expect(poller.wait(timeoutMilliseconds: 0) == 0) }
  }

  @Test func `a descriptor that comes again under the same number is heard`() {
    let poller = Poller()
    var pipe = Pipe()
    for turn in 0..<5 {
      poller.removeAll()
      poller.add(descriptor: pipe.ends[0])
      for _ in 0..<40 { #expect(poller.wait(timeoutMilliseconds: 0) == 0) }
      pipe.write()
      #expect(poller.wait(timeoutMilliseconds: 1000) == 1, "turn \(turn)")
      pipe = Pipe()
    }
  }

  @Test func `a set that the kernel cannot hold is waited for all the same`() throws {
    // A plain file is always ready, and epoll refuses it: epoll_ctl(2), EPERM.
    let file = open("/proc/self/exe", O_RDONLY)
    try #require(file >= 0)
    defer { close(file) }
    let pipe = Pipe()
    let poller = Poller()
    poller.add(descriptor: pipe.ends[0])
    poller.add(descriptor: file)
    for _ in 0..<40 {
      #expect(poller.wait(timeoutMilliseconds: 1000) == 1)
      #expect(poller.readyPlaces == [1])
    }
    pipe.write()
    #expect(poller.wait(timeoutMilliseconds: 1000) == 2)
  }
}
