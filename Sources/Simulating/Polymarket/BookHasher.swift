internal import CBotan

/// SHA-1 of a book's text: what the venue calls its `hash`.
///
/// One Botan object that is used again and again, by one thread.
final class BookHasher {
  private let handle: botan_hash_t

  init() {
    var handle: botan_hash_t?
    let code = botan_hash_init(&handle, "SHA-1", 0)
    guard code == 0, let handle else { preconditionFailure("Botan has no SHA-1") }
    self.handle = handle
  }

  deinit { botan_hash_destroy(handle) }

  /// The digest of pieces of text, as 40 lower-case hexadecimal digits.
  ///
  /// The corresponding C functions are `botan_hash_update` and `botan_hash_final`.
  func hex(of first: some Collection<UInt8>, _ second: some Collection<UInt8>) -> [UInt8] {
    update(first)
    update(second)
    var digest = [UInt8](repeating: 0, count: 20)
    botan_hash_final(handle, &digest)
    var text: [UInt8] = []
    text.reserveCapacity(40)
    for byte in digest {
      for nibble in [byte >> 4, byte & 15] { text.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble) }
    }
    return text
  }

  private func update(_ bytes: some Collection<UInt8>) {
    let done: Void? = bytes.withContiguousStorageIfAvailable { _ = botan_hash_update(handle, $0.baseAddress, $0.count) }
    if done == nil {
      let copy = Array(bytes)
      _ = botan_hash_update(handle, copy, copy.count)
    }
  }
}

/// The `hash` member of a book, by the form that the venue uses since 2026.
package enum BookHash {
  /// The digest of the compact JSON of a book whose `hash` is the empty text.
  /// - Parameter text: members in the venue's order: market, asset_id, timestamp, hash, bids, asks, min_order_size,
  ///   tick_size, neg_risk, last_trade_price.
  /// - Returns: 40 lower-case hexadecimal digits.
  package static func digest(of text: some Collection<UInt8>) -> [UInt8] {
    BookHasher().hex(of: text, EmptyCollection<UInt8>())
  }
}
