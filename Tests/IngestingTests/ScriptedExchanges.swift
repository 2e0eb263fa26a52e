import Daemon
import Foundation
import Market
import Synchronization
import Web

/// Five exchanges and CoinGecko on one socket, each with its own payloads under its own name, and with what ails it.
final class ScriptedExchanges: Sendable {
  enum Ailment: Sendable {
    /// Answers with 503.
    case dead
    /// Breaks off in the middle of its JSON.
    case truncated
    /// Answers in perfect form with a thousandth of the price.
    case nonsense
  }

  private let ailments = Mutex<[String: Ailment]>([:])
  private let counts = Mutex<[String: Int]>([:])

  func set(_ venue: String, _ ailment: Ailment?) { ailments.withLock { $0[venue] = ailment } }
  func setAll(_ ailment: Ailment?) {
    for venue in ["binance", "coinbase", "kraken", "okx", "bybit", "coingecko"] { set(venue, ailment) }
  }
  /// How many requests an exchange has had.
  func count(_ venue: String) -> Int { counts.withLock { $0[venue, default: 0] } }

  /// Counts something by hand.
  func mark(_ name: String) { counts.withLock { $0[name, default: 0] += 1 } }

  func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let parts = request.path.split(separator: "/").map(String.init)
    guard let venue = parts.first else { return .text("no venue", status: 404) }
    counts.withLock { $0[venue, default: 0] += 1 }
    let ailment = ailments.withLock { $0[venue] }
    if ailment == .dead { return .text("down", status: 503) }
    let price = ailment == .nonsense ? "0.1" : "100"
    guard let text = body(venue, parts, request, price) else { return .text("{}", status: 404) }
    return .json(ailment == .truncated ? String(text.prefix(text.count / 2)) : text)
  }

  /// The starts of the candles that are asked for, oldest first, in seconds; the last one is still open.
  private func starts(_ from: Int64, _ to: Int64, _ period: Int64) -> [Int64] {
    let now = SystemClock.now.seconds
    let first = (from + period - 1) / period * period
    return Array(stride(from: max(first, now - 2000 * period), to: min(to, now), by: Int64.Stride(period)))
  }

  private func body(_ venue: String, _ parts: [String], _ request: HTTPServerRequest, _ price: String) -> String? {
    func number(_ name: String) -> Int64 { request.query(name).flatMap { Int64($0) } ?? 0 }
    let now = SystemClock.now.seconds
    switch venue {
    case "binance":
      let period: Int64 = request.query("interval") == "5m" ? 300 : 60
      let rows = starts(number("startTime") / 1000, number("endTime") / 1000 + 1, period).map {
        "[\($0)000,\"\(price)\",\"\(price)\",\"\(price)\",\"\(price)\",\"2\",\(($0 + period) * 1000 - 1),\"0\",1,\"0\",\"0\",\"0\"]"
      }
      return "[\(rows.joined(separator: ","))]"
    case "coinbase":
      let period = number("granularity")
      let rows = starts(number("start"), number("end") + 1, period).reversed().map {
        "[\($0),\(price),\(price),\(price),\(price),2]"
      }
      return "[\(rows.joined(separator: ","))]"
    case "kraken":
      let period = number("interval") * 60
      let rows = starts(now - 720 * period, now, period).map {
        "[\($0),\"\(price)\",\"\(price)\",\"\(price)\",\"\(price)\",\"\(price)\",\"2\",3]"
      }
      return #"{"error":[],"result":{"XXBTZUSD":[\#(rows.joined(separator: ","))],"last":\#(now)}}"#
    case "okx":
      let period: Int64 = request.query("bar") == "5m" ? 300 : 60
      let after = request.query("after").flatMap { Int64($0) } ?? .max
      let before = number("before")
      let rows = starts(before / 1000 + 1, min(after / 1000, now), period).reversed().prefix(300).map {
        "[\"\($0)000\",\"\(price)\",\"\(price)\",\"\(price)\",\"\(price)\",\"2\",\"2\",\"2\",\"\($0 + period <= now ? 1 : 0)\"]"
      }
      return #"{"code":"0","msg":"","data":[\#(rows.joined(separator: ","))]}"#
    case "bybit":
      let period = number("interval") * 60
      let rows = starts(number("start") / 1000, number("end") / 1000 + 1, period).reversed().map {
        "[\"\($0)000\",\"\(price)\",\"\(price)\",\"\(price)\",\"\(price)\",\"2\",\"2\"]"
      }
      let result =
        #"{"category":"spot","symbol":"\#(request.query("symbol") ?? "")","list":[\#(rows.joined(separator: ","))]}"#
      return #"{"retCode":0,"retMsg":"OK","result":\#(result),"retExtInfo":{},"time":\#(now)000}"#
    case "coingecko":
      let id = request.query("ids") ?? ""
      return #"{"\#(id)":{"usd":\#(price),"last_updated_at":\#(now)}}"#
    default: return nil
    }
  }
}

/// A venue that takes connections and never says a word.
final class SilentListener {
  private let descriptor: Int32
  let port: UInt16

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = descriptor
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && listen(socket, 128) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard descriptor >= 0, isBound else { throw SystemError.last("listen") }
    port = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }
}
