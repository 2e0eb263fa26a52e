import CBotan
import Foundation
import Market
import TestSupport
import Testing
import Venues
import Web

@Suite struct KalshiSignerTests {
  private struct Vectors: Decodable {
    struct Case: Decodable {
      var timestampMs: Int64
      var method: String
      var url: String
      var message: String
      var signatureBase64: String
    }
    struct Bad: Decodable {
      var why: String
      var message: String
      var signatureBase64: String
    }
    var privateKeyPkcs8Pem: String
    var privateKeyPkcs1Pem: String
    var publicKeyPem: String
    var verify: [Case]
    var mustNotVerify: [Bad]
  }

  private static func vectors() throws -> Vectors? {
    guard let path = Shared.path("venues/vectors/kalshi_signing.json") else { return nil }
    return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: URL(filePath: path)))
  }

  /// Whether the library takes a signature for that of the public key's owner.
  private static func verifies(_ signature: String, of message: String, key pem: String) -> Bool {
    var key: botan_pubkey_t?
    var operation: botan_pk_op_verify_t?
    defer {
      botan_pk_op_verify_destroy(operation)
      botan_pubkey_destroy(key)
    }
    // The length that the library wants of a PEM text includes its end.
    let text = Array(pem.utf8) + [0]
    guard botan_pubkey_load(&key, text, text.count) == 0,
      botan_pk_op_verify_create(&operation, key, "EMSA4(SHA-256,MGF1,32)", 0) == 0,
      let bytes = Data(base64Encoded: signature)
    else { return false }
    let input = Array(message.utf8)
    guard botan_pk_op_verify_update(operation, input, input.count) == 0 else { return false }
    return botan_pk_op_verify_finish(operation, Array(bytes), bytes.count) == 0
  }

  @Test func `what is signed is what the vectors say, and verifies`() throws {
    guard let vectors = try Self.vectors() else { return }
    let signers = [
      try KalshiSigner(keyID: "a", pem: vectors.privateKeyPkcs8Pem),
      try KalshiSigner(keyID: "a", pem: vectors.privateKeyPkcs1Pem),
    ]
    for vector in vectors.verify {
      let time = try Timestamp(milliseconds: vector.timestampMs)
      #expect(KalshiSigner.message(method: vector.method, url: vector.url, time: time) == vector.message)
      #expect(Self.verifies(vector.signatureBase64, of: vector.message, key: vectors.publicKeyPem))
      for signer in signers {
        let headers = try signer.headers(method: vector.method, url: vector.url, time: time)
        #expect(headers["KALSHI-ACCESS-TIMESTAMP"] == "\(vector.timestampMs)")
        let signature = try #require(headers["KALSHI-ACCESS-SIGNATURE"])
        #expect(Self.verifies(signature, of: vector.message, key: vectors.publicKeyPem))
      }
    }
    for vector in vectors.mustNotVerify {
      #expect(!Self.verifies(vector.signatureBase64, of: vector.message, key: vectors.publicKeyPem), "\(vector.why)")
    }
  }

  @Test func `what stands before the venue's path is not signed`() throws {
    let time = Timestamp(nanoseconds: 5_000_000)
    for url in ["http://127.0.0.1:80/kalshi/trade-api/v2/markets?limit=5", "https://h/trade-api/v2/markets"] {
      #expect(KalshiSigner.message(method: "get", url: url, time: time) == "5GET/trade-api/v2/markets")
    }
    #expect(KalshiSigner.message(method: "GET", url: "https://h/other?x=1", time: time) == "5GET/other")
    #expect(KalshiSigner.message(method: "GET", url: "https://h", time: time) == "5GET/")
  }

  @Test func `what is no key is refused, without a word of it`() throws {
    let secret = "MIIEvQIBADANBgkqhkiG9w0"
    for pem in [
      "", "x", "-----BEGIN PRIVATE KEY-----\n\(secret)\n-----END PRIVATE KEY-----",
      "-----BEGIN RSA PRIVATE KEY-----\n\(secret)=\n-----END RSA PRIVATE KEY-----",
      "-----BEGIN PRIVATE KEY-----\n\(secret)",
    ] {
      do {
        _ = try KalshiSigner(keyID: "a", pem: pem)
        Issue.record("taken: \(pem)")
      } catch {
        #expect(!"\(error)".contains(secret) && error.cause == .impossible && !error.isRetriable)
      }
    }
    #expect(throws: VenueError.self) { try KalshiSigner(keyID: "a", keyFile: "/nowhere/key.pem") }
  }

  @Test func `a signer prints its id alone`() throws {
    guard let vectors = try Self.vectors() else { return }
    let signer = try KalshiSigner(keyID: "the-id", pem: vectors.privateKeyPkcs8Pem)
    #expect("\(signer)" == "KalshiSigner(the-id)")
  }

  @Test func `requests are signed over the path alone`() async throws {
    guard let vectors = try Self.vectors() else { return }
    let signer = try KalshiSigner(keyID: "the-id", pem: vectors.privateKeyPkcs8Pem)
    let venue = CannedVenue("{\"cursor\":\"\",\"market_positions\":[]}")
    let rest = venue.kalshi(signer: signer, clock: { Timestamp(nanoseconds: 1_703_123_456_789_000_000) })
    #expect(try await rest.positions().isEmpty)
    let headers = try #require(venue.requests.first?.headers)
    #expect(headers["KALSHI-ACCESS-KEY"] == "the-id")
    #expect(
      Self.verifies(
        headers["KALSHI-ACCESS-SIGNATURE"] ?? "", of: "1703123456789GET/trade-api/v2/portfolio/positions",
        key: vectors.publicKeyPem))
  }
}
