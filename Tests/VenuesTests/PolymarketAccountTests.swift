import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Venues
import Web

/// Requests to Polymarket that the key of its API signs, and what is asked of an account.
@Suite struct PolymarketAccountTests {
  private static let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

  private func signer(secret: String = "AAAA") throws -> PolymarketRequestSigner {
    try PolymarketRequestSigner(
      address: Self.address,
      credentials: PolymarketCredentials(apiKey: "key", secret: secret, passphrase: "phrase"))
  }

  @Test func `signatures are those of the venue's own client, to the byte`() throws {
    guard let path = Shared.path("venues/vectors/polymarket_signing.json"),
      let data = FileManager.default.contents(atPath: path)
    else { return }
    let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let keys = try #require(root["apiCreds"] as? [String: String])
    let credentials = PolymarketCredentials(
      apiKey: try #require(keys["api_key"]), secret: try #require(keys["api_secret"]),
      passphrase: try #require(keys["api_passphrase"]))
    let signer = try PolymarketRequestSigner(
      address: try #require(root["address"] as? String), credentials: credentials)
    let vectors = try #require(root["l2"] as? [[String: Any]])
    #expect(!vectors.isEmpty)
    for vector in vectors {
      let seconds = try #require(vector["timestamp"] as? Int64)
      let headers = try signer.headers(
        method: try #require(vector["method"] as? String), path: try #require(vector["requestPath"] as? String),
        body: vector["body"] as? String ?? "", time: Timestamp(nanoseconds: seconds * 1_000_000_000))
      for (name, value) in try #require(vector["headers"] as? [String: String]) {
        #expect(headers[name] == value, "\(name) of \(vector["hmacMessage"] ?? "")")
      }
    }
  }

  @Test func `an address or a secret that is none is named, and the secret is not shown`() throws {
    let credentials = PolymarketCredentials(apiKey: "key", secret: "no/base+64", passphrase: "phrase")
    for (address, field) in [
      ("0x12", "address"), (String(repeating: "g", count: 42), "address"), (Self.address, "secret"),
    ] {
      do {
        _ = try PolymarketRequestSigner(address: address, credentials: credentials)
        Issue.record("\(address) was taken")
      } catch {
        #expect(error.field == field && !"\(error)".contains("no/base"))
      }
    }
    #expect("\(try signer())" == "PolymarketRequestSigner(\(Self.address))")
  }

  @Test func `the balance is asked for with a signature of the path alone, and read exactly`() async throws {
    let canned = CannedVenue(#"{"balance":"1234567","allowances":{"0xE1":"1"}}"#)
    let rest = PolymarketREST(
      endpoints: PolymarketREST.Endpoints(
        gamma: Endpoint("http://g", runDirectory: ""), clob: Endpoint("http://clob.example/base", runDirectory: ""),
        data: Endpoint("http://d", runDirectory: "")), transport: canned.transport)
    let signer = try signer()
    let time = Timestamp(nanoseconds: 1_777_376_400_000_000_000)
    let balance = try await rest.balance(signer: signer, signatureType: 2) { time }
    #expect(balance.description == "1.234567")
    let request = try #require(canned.requests.first)
    #expect(
      request.url == "http://clob.example/base/balance-allowance?asset_type=COLLATERAL&signature_type=2")
    #expect(
      request.headers["POLY_SIGNATURE"]
        == (try signer.signature(method: "GET", path: "/balance-allowance", seconds: 1_777_376_400)))
    for body in [#"{"balance":"1.5"}"#, #"{"balance":"-1"}"#, #"{"balance":"9223372036854775807"}"#, "{}"] {
      do {
        _ = try await CannedVenue(body).polymarket.balance(signer: signer, signatureType: 0)
        Issue.record("\(body) was taken")
      } catch {
        #expect(error.venue == .polymarket && error.kind == "balance" && error.field == "balance")
      }
    }
  }

  @Test func `an account that lacks a setting is refused by its name`() throws {
    let directory = ScratchDirectory()
    func problem(_ venue: Venue, _ text: String) throws -> VenueError? {
      let file = directory.file("supervisor.conf")
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      let settings = try Settings.load(path: file, environment: [:])
      let transport = VenueTransport { (_) throws(HTTPError) in HTTPResponse(status: 200, headers: [:], body: []) }
      do throws(VenueError) {
        _ = try VenueAccount.configured(
          venue, settings: settings, runDirectory: directory.path, transport: transport)
        return nil
      } catch { return error }
    }
    #expect(try problem(.polymarket, "[polymarket]\n")?.field == "credentials_file")
    #expect(try problem(.polymarket, "[polymarket]\ncredentials_file = none.json\n")?.field == "file")
    try #"{"apiKey":"a","secret":"AAAA","passphrase":"c"}"#
      .write(toFile: directory.file("key.json"), atomically: true, encoding: .utf8)
    #expect(try problem(.polymarket, "[polymarket]\ncredentials_file = key.json\n")?.field == "address")
    #expect(
      try problem(.polymarket, "[polymarket]\ncredentials_file = key.json\naddress = \(Self.address)\n") == nil)
    #expect(try problem(.kalshi, "[kalshi]\nwebsocket_url = wss://example.com/ws\n")?.field == "key_id")
    #expect(try problem(.kalshi, "") == nil)
  }
}
