import Foundation
import Market
import Synchronization
import TestSupport
import Venues
import Web

/// Files of captured payloads, outside of the project: `BULKHEAD_SHARED` names the folder.
enum Shared {
  static func path(_ relative: String) -> String? {
    guard let root = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] else {
      print("skipped \(relative): BULKHEAD_SHARED is not set")
      return nil
    }
    let path = root + "/" + relative
    guard FileManager.default.isReadableFile(atPath: path) else {
      print("skipped \(relative): not there")
      return nil
    }
    return path
  }

  /// A fixture's bytes, or nil (and a printed reason) where it is absent.
  static func fixture(_ name: String) -> [UInt8]? {
    path("venues/fixtures/" + name).flatMap { FileManager.default.contents(atPath: $0) }.map { Array($0) }
  }

  /// The names of a venue's fixtures that a pattern accepts, sorted; none (and a printed reason) where there are none.
  static func fixtures(in venue: String, named accepts: (String) -> Bool) -> [String] {
    guard let folder = path("venues/fixtures/" + venue) else { return [] }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter(accepts).sorted()
    if names.isEmpty { print("skipped: nothing of that name in \(folder)") }
    return names
  }

  /// What `gzip -dc` makes of a file.
  static func unzipped(_ relative: String) throws -> [UInt8]? {
    guard let path = path(relative) else { return nil }
    return try gunzip(URL(filePath: path)).map { Array($0) }
  }
}

/// A venue that answers from memory, and notes what it was asked.
final class CannedVenue: Sendable {
  private let answer: @Sendable (HTTPRequest) throws(HTTPError) -> HTTPResponse
  private let asked = Mutex<[HTTPRequest]>([])

  init(_ answer: @escaping @Sendable (HTTPRequest) throws(HTTPError) -> HTTPResponse) { self.answer = answer }

  /// Answers every request with these bytes.
  convenience init(body: [UInt8], status: Int = 200, headers: HTTPHeaders = [:]) {
    self.init { (_) throws(HTTPError) in HTTPResponse(status: status, headers: headers, body: body) }
  }

  convenience init(_ text: String, status: Int = 200, headers: HTTPHeaders = [:]) {
    self.init(body: Array(text.utf8), status: status, headers: headers)
  }

  var requests: [HTTPRequest] { asked.withLock { $0 } }

  var transport: VenueTransport {
    VenueTransport { (request) async throws(HTTPError) in
      self.asked.withLock { $0.append(request) }
      return try self.answer(request)
    }
  }

  static var endpoints: PolymarketREST.Endpoints {
    let endpoint = { Endpoint("http://venue" + $0, runDirectory: "/nowhere") }
    return .init(gamma: endpoint("/gamma"), clob: endpoint("/clob"), data: endpoint("/data"))
  }

  var polymarket: PolymarketREST { PolymarketREST(endpoints: Self.endpoints, transport: transport) }

  var binance: BinanceREST {
    BinanceREST(endpoint: Endpoint("http://venue", runDirectory: "/nowhere"), transport: transport)
  }

  private var endpoint: Endpoint { Endpoint("http://venue", runDirectory: "/nowhere") }
  var kraken: KrakenREST { KrakenREST(endpoint: endpoint, transport: transport) }
  var okx: OKXREST { OKXREST(endpoint: endpoint, transport: transport) }
  var bybit: BybitREST { BybitREST(endpoint: endpoint, transport: transport) }
  var coingecko: CoinGeckoREST { CoinGeckoREST(endpoint: endpoint, transport: transport) }

  var coinbase: CoinbaseREST {
    CoinbaseREST(endpoint: Endpoint("http://venue/", runDirectory: "/nowhere"), transport: transport)
  }
}

extension HTTPRequest {
  /// The values of a query member.
  func query(_ name: String) -> [String] {
    (URLComponents(string: url)?.queryItems ?? []).filter { $0.name == name }.compactMap(\.value)
  }

  var path: String { URLComponents(string: url)?.path ?? "" }
}

func response(_ text: String, status: Int = 200) -> HTTPResponse {
  HTTPResponse(status: status, body: Array(text.utf8))
}

func price(_ text: String) -> Price { (try? Price(text)) ?? .zero }
func quantity(_ text: String) -> Quantity { (try? Quantity(text)) ?? .zero }
func time(_ text: String) -> Timestamp { (try? Timestamp(rfc3339: text)) ?? Timestamp(nanoseconds: 0) }

/// The error of a request that must fail.
func failure<Value>(_ body: () async throws(VenueError) -> Value) async -> VenueError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error
  }
}
