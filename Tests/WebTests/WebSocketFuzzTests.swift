import Foundation
import TestSupport
import Testing
import Web

/// Spoilt frames through the WebSocket reader: whatever comes, it takes messages or closes, and never hangs.
@Suite struct WebSocketFuzzTests {
  static let count = ProcessInfo.processInfo.environment["BULKHEAD_FUZZ"].flatMap { Int($0) } ?? 20_000

  /// Frames as a server sends them: whole and in parts, control frames between them, all three lengths of length.
  private static func samples() -> [[UInt8]] {
    func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
      switch payload.count {
      case ..<126: [first, UInt8(payload.count)] + payload
      case ..<65_536: [first, 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)] + payload
      default:
        [first, 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> ((7 - $0) * 8)) } + payload
      }
    }
    let json = Array(#"{"type":"trade","sid":2,"seq":1,"msg":{"price":"0.54","text":"ä€😀"}}"#.utf8)
    let long = [UInt8](repeating: 0x61, count: 70_000)
    return [
      frame(0x81, json), frame(0x81, json) + frame(0x89, Array("heartbeat".utf8)) + frame(0x81, json),
      frame(0x01, Array(json.prefix(20))) + frame(0x89, []) + frame(0x00, Array(json[20..<40]))
        + frame(0x80, Array(json.dropFirst(40))), frame(0x82, [0, 1, 2, 255]),
      frame(0x81, Array(long.prefix(300))), frame(0x81, long), frame(0x88, [0x03, 0xE8] + Array("bye".utf8)),
      frame(0x8A, Array("x".utf8)) + frame(0x81, []),
    ]
  }

  @Test(arguments: [WebSocketPeer.Role.client, .server])
  func `spoilt frames are taken or refused, and no message is longer than its limit`(_ role: WebSocketPeer.Role) throws
  {
    let samples = Self.samples()
    var mutator = Mutator(seed: role == .client ? 21 : 22)
    var messages = 0
    var refusals = 0
    for _ in 0..<Self.count {
      let bytes = mutator.mutate(samples[mutator.below(samples.count)])
      var pair: [Int32] = [-1, -1]
      try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
      defer { close(pair[1]) }
      let peer = WebSocketPeer(
        role: role, adopting: pair[0], early: bytes, limits: WebSocketLimits(messageBytesMax: 60_000))
      do {
        // More often than there can be frames: each call must come to an end.
        for _ in 0..<4 where !peer.isClosed {
          try peer.receive { message in
            messages += 1
            #expect(message.bytes.count <= 60_000)
            if message.kind == .text { #expect(String(validating: message.bytes, as: UTF8.self) != nil) }
          }
        }
      } catch {
        refusals += 1
      }
      peer.disconnect()
    }
    #expect(messages > 0 || role == .server)
    #expect(refusals > 0)
  }
}
