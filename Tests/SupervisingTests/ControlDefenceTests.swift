import Foundation
import Glibc
import TestSupport
import Testing
import Web

/// Clients that mean harm, and children that do not notice.
@Suite(.serialized) struct ControlDefenceTests {
  private static let configuration = """
    [supervisord]
    logfile=NONE
    [inet_http_server]
    port=127.0.0.1:0
    username=joe
    password=secret
    [program:heart]
    command=/bin/sh -c 'while :; do echo beat; sleep 0.05; done'
    startsecs=0
    stdout_logfile=DIR/heart.log
    [program:large]
    command=/bin/sh -c 'head -c 6000000 /dev/zero | tr "\\\\0" "<"; exec sleep 1000'
    startsecs=0
    stdout_logfile=DIR/large.log
    stdout_logfile_maxbytes=0
    """

  /// A supervisor with a child whose heart beats, and what must hold in the end.
  private final class Scene {
    let running: RunningSupervisor
    let port: UInt16
    private let heart: Int64
    private let openFiles: Int

    init() throws {
      // The test has as many connections as the supervisor.
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, 8192))
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      running = try RunningSupervisor(ControlDefenceTests.configuration)
      let line = try running.line("control interface", "http://")
      port = UInt16(line.components(separatedBy: ":").last?.trimmingCharacters(in: ["\""]) ?? "") ?? 0
      try running.line("name=large", "to=RUNNING")
      let running = running
      try running.waitUntil { running.file("large.log").utf8.count == 6_000_000 }
      heart = try running.value("supervisor.getProcessInfo", "heart")["pid"]?.integer ?? 0
      openFiles = try Self.openFiles(running.pid)
    }

    private static func openFiles(_ pid: Int32) throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    /// The heart beats on, and when it dies there is another one.
    func checkHeart() throws {
      let information = try running.value("supervisor.getProcessInfo", "heart")
      #expect(information["pid"]?.integer == heart)
      let size = running.file("heart.log").utf8.count
      try running.waitUntil(seconds: 60) { self.running.file("heart.log").utf8.count > size }
    }

    func replaceHeart() throws {
      kill(Int32(heart), SIGKILL)
      try running.waitUntil(seconds: 60) {
        let now = try self.running.value("supervisor.getProcessInfo", "heart")
        return now["pid"]?.integer != self.heart && now["statename"]?.string == "RUNNING"
      }
    }

    /// Nothing has leaked; who went away in the middle of a request is let go when its time is over.
    func checkFiles() throws {
      try running.waitUntil(seconds: 60) { try Self.openFiles(self.running.pid) <= self.openFiles + 10 }
    }

    func connectTCP() throws -> Int32 {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      _ = withUnsafeBytes(of: address) { bytes in
        connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      return descriptor
    }

    func connectUnix() -> Int32? {
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let path = Array((running.directory + "/var/run/supervisor.sock").utf8)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
      let code = withUnsafeBytes(of: address) { bytes in
        connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      if code == 0 { return descriptor }
      close(descriptor)
      return nil
    }

    /// Sends a request over TCP, and what comes back until the other side ends or nothing more can come.
    ///
    /// With `silenceMilliseconds` it goes away when nothing has come for so long.
    func exchange(_ request: [UInt8], silenceMilliseconds: Int32? = nil) throws -> String {
      let descriptor = try connectTCP()
      defer { close(descriptor) }
      var sent = 0
      var answer: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let limit = Date().addingTimeInterval(60)
      while true {
        var item = pollfd(
          fd: descriptor, events: Int16(POLLIN) | (sent < request.count ? Int16(POLLOUT) : 0), revents: 0)
        let patience = silenceMilliseconds ?? Int32(max(0, limit.timeIntervalSinceNow * 1000))
        guard poll(&item, 1, patience) > 0 else {
          if silenceMilliseconds != nil { break }
          throw Timeout(description: "no end after: \(String(decoding: answer.prefix(200), as: UTF8.self))")
        }
        if item.revents & Int16(POLLOUT) != 0 {
          let count = request.withUnsafeBytes {
            send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
          }
          sent = count < 0 ? request.count : sent + count
          if sent == request.count { shutdown(descriptor, Int32(SHUT_WR)) }
        }
        if item.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
          let count = read(descriptor, &buffer, buffer.count)
          if count <= 0 { break }
          answer += buffer[..<count]
        }
      }
      return String(decoding: answer, as: UTF8.self)
    }
  }

  private static let authorization = "Authorization: Basic " + Base64.encode(Array("joe:secret".utf8)) + "\r\n"

  private func request(_ body: [UInt8], headers: String = authorization, length: Int? = nil) -> [UInt8] {
    Array(
      "POST /RPC2 HTTP/1.1\r\nHost: x\r\n\(headers)Connection: close\r\nContent-Length: \(length ?? body.count)\r\n\r\n"
        .utf8) + body
  }

  @Test func `a thousand connections on each socket are answered or refused, and others are served`() throws {
    let scene = try Scene()
    let call = request(XMLRPC.write(XMLRPCCall("supervisor.getState")))
    var silent: [Int32] = []
    var speaking: [Int32] = []
    for number in 0..<1000 {
      let connections = [try scene.connectTCP(), scene.connectUnix()].compactMap(\.self)
      for connection in connections {
        if number % 2 == 0 {
          silent.append(connection)
        } else {
          speaking.append(connection)
          _ = send(connection, call, call.count, Int32(MSG_NOSIGNAL))
        }
      }
    }
    // In the middle of it all.
    try scene.replaceHeart()
    var answered = 0
    for connection in speaking {
      var item = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
      var buffer = [UInt8](repeating: 0, count: 4096)
      guard poll(&item, 1, 0) > 0, read(connection, &buffer, buffer.count) > 0 else { continue }
      answered += 1
    }
    #expect(answered > 100)
    for connection in silent + speaking { close(connection) }
    #expect(try scene.exchange(call).contains("RUNNING"))
    try scene.checkFiles()
  }

  @Test func `clients that never take their answers hold little and nobody up`() throws {
    let scene = try Scene()
    let call = request(XMLRPC.write(XMLRPCCall("supervisor.tailProcessStdoutLog", ["large", 0, 4_000_000])))
    var connections: [Int32] = []
    for _ in 0..<40 {
      let connection = try scene.connectTCP()
      connections.append(connection)
      var item = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
      poll(&item, 1, 20_000)
      #expect(send(connection, call, call.count, Int32(MSG_NOSIGNAL)) == call.count)
    }
    try scene.checkHeart()
    let status = try String(contentsOfFile: "/proc/\(scene.running.pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    let kibibytes = Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    #expect(kibibytes > 0 && kibibytes < 200_000)
    try scene.replaceHeart()
    for connection in connections { close(connection) }
    try scene.checkFiles()
    try scene.running.waitUntil(seconds: 60) { try scene.exchange(call).contains("&lt;&lt;") }
  }

  @Test func `a flood of wrong passwords is refused, and told in few lines`() throws {
    let scene = try Scene()
    let body = XMLRPC.write(XMLRPCCall("supervisor.getState"))
    for number in 0..<1500 {
      let word = Base64.encode(Array("joe:guess\(number)".utf8))
      let answer = try scene.exchange(request(body, headers: "Authorization: Basic \(word)\r\n"))
      #expect(answer.hasPrefix("HTTP/1.1 401"))
    }
    #expect(try scene.exchange(request(body, headers: "")).hasPrefix("HTTP/1.1 401"))
    #expect(try scene.exchange(Array("GET /logtail/heart HTTP/1.0\r\n\r\n".utf8)).contains(" 401 "))
    #expect(try scene.exchange(request(body)).contains("RUNNING"))
    try scene.checkHeart()
    _ = try scene.running.value("supervisor.shutdown")
    try scene.running.end()
    let told = scene.running.lines.filter { $0.contains("wrong password") }
    #expect(!told.isEmpty && told.count < 20)
    #expect(!scene.running.lines.contains { $0.contains("guess") })
  }

  @Test func `calls that are too large, too deep, explosive or cut short are refused`() throws {
    let scene = try Scene()
    let call = String(decoding: XMLRPC.write(XMLRPCCall("supervisor.getState")), as: UTF8.self)
    let large = [UInt8](repeating: 0x20, count: 5 << 20)
    #expect(try scene.exchange(request(large)).hasPrefix("HTTP/1.1 413"))
    let deep =
      "<methodCall><methodName>a</methodName><params><param>" + String(repeating: "<value><array><data>", count: 50_000)
    #expect(try scene.exchange(request(Array(deep.utf8))).hasPrefix("HTTP/1.1 400"))
    let bomb =
      "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'haha'><!ENTITY b '&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;'>]>"
      + "<methodCall><methodName>&c;</methodName></methodCall>"
    #expect(try scene.exchange(request(Array(bomb.utf8))).hasPrefix("HTTP/1.1 400"))
    #expect(!(try scene.exchange(request(Array(call.utf8), length: call.utf8.count + 100))).contains("RUNNING"))
    #expect(!(try scene.exchange(request(Array(call.utf8), length: 20))).contains("RUNNING"))
    #expect(
      try scene.exchange(Array("GET /RPC2 HTTP/1.1\r\nHost: x\r\n\(Self.authorization)\r\n".utf8)).contains(" 400 "))
    #expect(try scene.exchange(request(Array(call.utf8))).contains("RUNNING"))
    try scene.checkHeart()
    try scene.checkFiles()
  }

  @Test func `thousands of mutated requests change nothing`() throws {
    let scene = try Scene()
    var random = SeededRandom(seed: 3)
    // None of these stops or starts anything, whatever becomes of its arguments.
    let calls = [
      XMLRPCCall("supervisor.getProcessInfo", ["heart"]),
      XMLRPCCall("supervisor.tailProcessStdoutLog", ["heart", 0, 100]),
      XMLRPCCall("system.multicall", [[["methodName": "supervisor.getState", "params": []]]]),
      XMLRPCCall("supervisor.signalProcess", ["nobody", "CONT"]),
    ]
    for round in 0..<3000 {
      var bytes = request(XMLRPC.write(calls[round % calls.count]))
      for _ in 0...Int.random(in: 0..<5, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        default: bytes.removeSubrange(place..<min(bytes.count - 1, place + 3))
        }
      }
      _ = try scene.exchange(bytes, silenceMilliseconds: 60)
    }
    try scene.checkHeart()
    try scene.checkFiles()
  }
}
