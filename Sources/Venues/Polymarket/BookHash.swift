internal import CBotan

/// The texts of a book that its hash covers, exactly as received: `"0.930"` stays `0.930`.
///
/// A view: the memory behind it belongs to the message.
public struct BookHashText {
  /// The condition id.
  public var market: UnsafeRawBufferPointer
  /// The token id.
  public var asset: UnsafeRawBufferPointer
  /// The venue's time, in milliseconds.
  public var timestamp: UnsafeRawBufferPointer
  /// The bids as a compact JSON array of `{"price":"…","size":"…"}`, in the order received.
  public var bids: UnsafeRawBufferPointer
  /// The asks, likewise.
  public var asks: UnsafeRawBufferPointer
  /// What only the long form covers; nil where the message lacks one of them.
  public var extra: Extra?

  /// The members that the form of 2026 has beyond that of 2024.
  public struct Extra {
    /// `min_order_size`.
    public var minimumSize: UnsafeRawBufferPointer
    /// `tick_size`.
    public var tickSize: UnsafeRawBufferPointer
    /// `neg_risk`.
    public var isNegRisk: Bool
    /// `last_trade_price`, perhaps empty.
    public var lastTradePrice: UnsafeRawBufferPointer

    /// The members by their texts.
    public init(
      minimumSize: UnsafeRawBufferPointer, tickSize: UnsafeRawBufferPointer, isNegRisk: Bool,
      lastTradePrice: UnsafeRawBufferPointer
    ) {
      self.minimumSize = minimumSize
      self.tickSize = tickSize
      self.isNegRisk = isNegRisk
      self.lastTradePrice = lastTradePrice
    }
  }

  /// A book by its texts.
  public init(
    market: UnsafeRawBufferPointer, asset: UnsafeRawBufferPointer, timestamp: UnsafeRawBufferPointer,
    bids: UnsafeRawBufferPointer, asks: UnsafeRawBufferPointer, extra: Extra?
  ) {
    self.market = market
    self.asset = asset
    self.timestamp = timestamp
    self.bids = bids
    self.asks = asks
    self.extra = extra
  }
}

/// Checks the `hash` of Polymarket's books.
///
/// It is the SHA-1, in lower-case hexadecimal, of the compact JSON text of the book with `hash` set to `""`. Source:
/// the venue's own clients (`clob-client-v2` 1.1.0), recomputed on captures of 2024 and 2026. Belongs to one thread;
/// its buffers are reused.
public struct BookHash: ~Copyable {
  /// Which members the hash covers.
  public enum Form: Sendable {
    /// 2026: `market, asset_id, timestamp, hash, bids, asks, min_order_size, tick_size, neg_risk, last_trade_price`.
    case long
    /// 2024: `market, asset_id, hash, bids, asks`.
    case short
  }

  private let handle: botan_hash_t
  private var buffer: [UInt8] = []

  /// A checker.
  ///
  /// The corresponding C function is `botan_hash_init`; traps where the library has no SHA-1.
  public init() {
    var handle: botan_hash_t?
    let status = botan_hash_init(&handle, "SHA-1", 0)
    guard status == 0, let handle else { preconditionFailure("botan_hash_init(SHA-1): \(status)") }
    self.handle = handle
  }

  deinit { botan_hash_destroy(handle) }

  /// Which form of the hash the book bears, or nil where it bears neither: the book is not what the venue hashed.
  public mutating func form(of book: BookHashText, claimed hash: UnsafeRawBufferPointer) -> Form? {
    guard hash.count == 40 else { return nil }
    if book.extra != nil, digestEquals(hash, of: book, form: .long) { return .long }
    return digestEquals(hash, of: book, form: .short) ? .short : nil
  }

  private mutating func digestEquals(_ hash: UnsafeRawBufferPointer, of book: BookHashText, form: Form) -> Bool {
    buffer.removeAll(keepingCapacity: true)
    append("{\"market\":\"", book.market)
    append("\",\"asset_id\":\"", book.asset)
    if form == .long { append("\",\"timestamp\":\"", book.timestamp) }
    append("\",\"hash\":\"\",\"bids\":", book.bids)
    append(",\"asks\":", book.asks)
    if form == .long, let extra = book.extra {
      append(",\"min_order_size\":\"", extra.minimumSize)
      append("\",\"tick_size\":\"", extra.tickSize)
      append("\",\"neg_risk\":")
      append(extra.isNegRisk ? "true" : "false")
      append(",\"last_trade_price\":\"", extra.lastTradePrice)
      append("\"")
    }
    append("}")
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digest in
      let updated = botan_hash_update(handle, buffer, buffer.count)
      // `botan_hash_final` also makes the handle ready for the next message.
      let finished = botan_hash_final(handle, digest.baseAddress)
      precondition(updated == 0 && finished == 0, "botan_hash: \(updated), \(finished)")
      for place in 0..<20 {
        guard hash[place * 2] == BookHash.digit(digest[place] >> 4),
          hash[place * 2 + 1] == BookHash.digit(digest[place] & 15)
        else { return false }
      }
      return true
    }
  }

  /// A lower-case hexadecimal digit.
  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  private mutating func append(_ text: StaticString) {
    buffer.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func append(_ text: StaticString, _ value: UnsafeRawBufferPointer) {
    append(text)
    buffer.append(contentsOf: value)
  }
}
