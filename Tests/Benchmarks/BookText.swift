import CBotan

/// Writes books as Polymarket sends them, with the hash that the venue would put there.
struct BookText {
  private let hash: botan_hash_t

  init() {
    var handle: botan_hash_t?
    let status = botan_hash_init(&handle, "SHA-1", 0)
    guard status == 0, let handle else { preconditionFailure("botan_hash_init(SHA-1): \(status)") }
    hash = handle
  }

  /// The 40 lower-case hexadecimal digits of a text's SHA-1.
  func digest(_ text: String) -> String {
    var bytes = [UInt8](repeating: 0, count: 20)
    var text = text
    let updated = text.withUTF8 { botan_hash_update(hash, $0.baseAddress, $0.count) }
    let finished = botan_hash_final(hash, &bytes)
    precondition(updated == 0 && finished == 0, "botan_hash: \(updated), \(finished)")
    var digits: [UInt8] = []
    for byte in bytes {
      for half in [byte >> 4, byte & 15] { digits.append(half < 10 ? 0x30 + half : 0x57 + half) }
    }
    return String(decoding: digits, as: UTF8.self)
  }

  /// A side: a list of price and size texts.
  static func side(_ levels: [(price: String, size: String)]) -> String {
    "[" + levels.map { "{\"price\":\"\($0.price)\",\"size\":\"\($0.size)\"}" }.joined(separator: ",") + "]"
  }

  /// A book as the stream of 2024 has it; `bids` and `asks` are made by `side`.
  func message(market: String, asset: String, timestamp: String, bids: String, asks: String) -> String {
    let digest = digest(
      "{\"market\":\"\(market)\",\"asset_id\":\"\(asset)\",\"hash\":\"\",\"bids\":\(bids),\"asks\":\(asks)}")
    return "{\"market\":\"\(market)\",\"asset_id\":\"\(asset)\",\"timestamp\":\"\(timestamp)\",\"hash\":\"\(digest)\","
      + "\"bids\":\(bids),\"asks\":\(asks),\"event_type\":\"book\"}"
  }
}

/// Bytes of a message with the slack behind them that simdjson may read.
struct PaddedMessage {
  let memory: UnsafeMutableRawPointer
  let count: Int

  init(_ text: String) {
    let bytes = Array(text.utf8)
    count = bytes.count
    memory = .allocate(byteCount: count + 64, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: count + 64)
    bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: count) }
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }
}
