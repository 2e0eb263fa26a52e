import Daemon
import Foundation
import Glibc
import Testing

@Suite struct ReadinessTests {
  private func listener(_ name: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    let abstract = bytes[0] == UInt8(ascii: "@")
    if abstract { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(2 + bytes.count + (abstract ? 0 : 1))
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0)
    return descriptor
  }

  private func receive(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 1024)
    let count = recv(descriptor, &bytes, bytes.count, Int32(truncatingIfNeeded: MSG_DONTWAIT))
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  @Test func `readiness reaches a socket by path and by abstract name`() throws {
    for name in ["/tmp/readiness-\(UUID().uuidString)", "@readiness-\(UUID().uuidString)"] {
      let descriptor = try listener(name)
      defer {
        close(descriptor)
        unlink(name)
      }
      #expect(Readiness(environment: ["NOTIFY_SOCKET": name]).ready(status: "two\nlines"))
      #expect(receive(descriptor) == "READY=1\nSTATUS=two lines")
    }
  }

  @Test func `readiness is said again with each sign of life`() throws {
    let name = "@readiness-\(UUID().uuidString)"
    let descriptor = try listener(name)
    defer { close(descriptor) }
    let readiness = Readiness(environment: ["NOTIFY_SOCKET": name])
    readiness.watchdog()
    #expect(receive(descriptor) == "WATCHDOG=1")
    readiness.ready(status: "")
    _ = receive(descriptor)
    readiness.watchdog()
    #expect(receive(descriptor) == "READY=1\nWATCHDOG=1")
  }

  @Test func `nothing is sent where nobody listens`() {
    #expect(!Readiness(environment: [:]).ready(status: ""))
    #expect(!Readiness(environment: ["NOTIFY_SOCKET": "/nonexistent/socket"]).watchdog())
    #expect(!Readiness(environment: ["NOTIFY_SOCKET": String(repeating: "x", count: 200)]).stopping())
  }
}

@Suite struct FileTests {
  @Test(arguments: [
    ("a/b", "/base/a/b"), ("/x/../y/./z", "/y/z"), ("../up", "/up"), ("/", "/"), ("/../..", "/"),
  ])
  func `paths are made absolute as text`(path: String, expected: String) {
    #expect(FilePaths.absolute(path, relativeTo: "/base") == expected)
  }

  @Test func `a file is written as a whole and read back`() throws {
    let directory = "/tmp/files-\(UUID().uuidString)/a/b"
    try FilePaths.makeDirectories(directory)
    try FilePaths.makeDirectories(directory)
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    try writeFileAtomically(bytes, to: directory + "/f")
    #expect(try readFile(directory + "/f", sizeMax: 1 << 20) == bytes)
    #expect(FilePaths.matching(pattern: directory + "/*") == [directory + "/f"])
    #expect(throws: SystemError.self) { try readFile(directory + "/f", sizeMax: 1000) }
    #expect(throws: SystemError.self) { try FilePaths.makeDirectories(directory + "/f") }
  }
}

@Suite struct SignalTests {
  @Test(arguments: [("TERM", 15), ("sigterm", 15), ("9", 9), ("USR1", 10)] as [(String, Int32)])
  func `signals are known by name and number`(text: String, expected: Int32) {
    #expect(SignalNames.number(text) == expected)
  }

  @Test func `an unknown signal is none`() {
    #expect(SignalNames.number("BLUE") == nil)
    #expect(SignalNames.number("0") == nil)
    #expect(SignalNames.name(15) == "SIGTERM")
  }
}
