internal import CSimdJSON
public import Market

/// One level of a book as a stream's message changes it; laid out as the C parser writes it.
@frozen public struct StreamLevelChange {
  /// The number that the token was bound to; −1 for a token that was not.
  public var book: Int32
  /// 0 bid, 1 ask.
  public var side: UInt8
  /// The level's price.
  public var price: Price
  /// The new total at that price; zero removes the level.
  public var quantity: Quantity
  /// The book's best bid in 10⁻⁸ when all changes of that moment are applied: 0 where there is none, −1 where the venue
  /// does not say.
  public var bestBid: Int32
  /// The book's best ask, likewise: 0 or 1 whole where there is none.
  public var bestAsk: Int32
}

/// Why a message of a stream was refused: closed, so that each has its counter.
public enum StreamFault: Int32, Sendable, CaseIterable {
  case badJSON = 1
  case missing = 2
  case notANumber = 3
  case negative = 4
  case tooLarge = 5
  case tooPrecise = 6
  case outOfRange = 7
  case unsorted = 8
  case crossed = 9
  case offGrid = 10
  case badValue = 11

  /// For people.
  public var explanation: String {
    switch self {
    case .badJSON: "is not JSON"
    case .missing: "is missing"
    case .notANumber: "is not a decimal number"
    case .negative: "is negative"
    case .tooLarge: "is too large"
    case .tooPrecise: "has more than eight decimals"
    case .outOfRange: "is not between 0 and 1"
    case .unsorted: "is not sorted"
    case .crossed: "cross the asks"
    case .offGrid: "is off the tick grid"
    case .badValue: "is none of the documented values"
    }
  }
}

/// One message of Polymarket's market channel.
///
/// Slices and levels are valid during the callback only.
public enum PolymarketStreamEvent {
  /// A whole book, worst level first on both sides.
  ///
  /// ```json
  /// {"event_type":"book","asset_id":"4833…","market":"0xdd22…","timestamp":"1728799418260","hash":"655a…",
  ///  "bids":[{"price":"0.001","size":"9000023.58"}],"asks":[{"price":"0.999","size":"10500100"}]}
  /// ```
  case book(
    book: Int32, venueTime: Timestamp, bids: UnsafeBufferPointer<Level>, asks: UnsafeBufferPointer<Level>,
    tick: Price?, text: BookHashText, claimedHash: UnsafeRawBufferPointer)
  /// Levels that changed, of one or both tokens of a market.
  ///
  /// ```json
  /// {"event_type":"price_change","market":"0x5f65…","timestamp":"1757908892351","price_changes":[
  ///  {"asset_id":"7132…","price":"0.5","size":"200","side":"BUY","hash":"56…","best_bid":"0.5","best_ask":"1"}]}
  /// ```
  case changes(venueTime: Timestamp, UnsafeBufferPointer<StreamLevelChange>)
  /// A trade; the quantity is nil where the message has none.
  ///
  /// ```json
  /// {"event_type":"last_trade_price","asset_id":"2174…","market":"0xdd22…","price":"0.491","side":"SELL",
  ///  "size":"85.36","fee_rate_bps":"0","timestamp":"1724564136087"}
  /// ```
  case trade(book: Int32, venueTime: Timestamp, price: Price, quantity: Quantity?, takerSide: Side)
  /// The grid of prices has changed: deltas are dropped until the next book.
  case tick(book: Int32, Price)
  /// The venue lists a market, or has resolved one: the metadata want a refresh.
  case metadataChanged
  /// A kind that is not read here.
  case ignored
  /// A message that was refused, with the condition id of its market, empty where that could not be read either.
  case refused(StreamFault, field: String, market: String)
}

/// Reads frames of Polymarket's market channel: one call into C for each frame, no allocation in the steady state.
///
/// Tokens are bound to the caller's numbers for books. Belongs to one poll loop.
public final class PolymarketStreamParser {
  private let parser: OpaquePointer

  /// A parser that knows no token.
  public init() {
    precondition(MemoryLayout<bh_level>.size == MemoryLayout<Level>.size)
    precondition(MemoryLayout<bh_pm_change>.size == MemoryLayout<StreamLevelChange>.size)
    precondition(MemoryLayout<bh_pm_change>.stride == MemoryLayout<StreamLevelChange>.stride)
    guard let parser = bh_pm_new() else { preconditionFailure("no memory for a parser") }
    self.parser = parser
  }

  deinit { bh_pm_free(parser) }

  /// Binds a token to a book's number and to the grid of its prices; again to change either.
  public func bind(token: String, book: Int32, tick: Price) {
    var token = token
    token.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { bh_pm_bind(parser, $0.baseAddress, $0.count, book, tick.raw) }
    }
  }

  /// Forgets a token.
  public func unbind(token: String) {
    var token = token
    token.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { bh_pm_unbind(parser, $0.baseAddress, $0.count) }
    }
  }

  /// Says where what is known of the books lies, by their numbers: what a message changes is brought from memory while the
  /// message is read.
  ///
  /// - Parameters:
  ///   - memory: of the book 0; it must stay until the next call.
  ///   - stride: bytes from one book to the next.
  package func expect(books memory: UnsafeRawPointer, stride: Int) { bh_pm_books(parser, memory, stride) }

  /// Reads one frame: an object, or an array of them; any other text is a note of the venue and is ignored.
  ///
  /// - Parameters:
  ///   - frame: the frame's text; 64 bytes behind its end must be readable.
  ///   - handler: is told each message in order.
  public func parse(_ frame: UnsafeRawBufferPointer, _ handler: (PolymarketStreamEvent) -> Void) {
    guard let base = frame.baseAddress, let first = frame.first(where: { $0 > 0x20 }) else { return }
    guard first == 0x7B || first == 0x5B else { return handler(.ignored) }
    let text = base.assumingMemoryBound(to: CChar.self)
    guard bh_pm_parse(parser, text, frame.count) == BH_PM_OK else {
      return handler(.refused(.badJSON, field: "frame", market: ""))
    }
    let count = bh_pm_event_count(parser)
    guard let events = bh_pm_events(parser) else { return }
    for index in 0..<count { handler(view(events + index)) }
  }

  private func view(_ pointer: UnsafePointer<bh_pm_event>) -> PolymarketStreamEvent {
    let event = pointer.pointee
    if event.error != BH_PM_OK {
      let field = event.field.map { String(cString: $0) } ?? "message"
      let place = event.field_index >= 0 ? "\(field)[\(event.field_index)]" : field
      return .refused(StreamFault(rawValue: event.error) ?? .badValue, field: place, market: text(event.market))
    }
    switch Int(event.kind) {
    case Int(BH_PM_PRICE_CHANGE):
      return .changes(venueTime: time(event), changes(event))
    case Int(BH_PM_BOOK):
      return .book(
        book: event.book, venueTime: time(event), bids: levels(event.bids_from, event.bids_count),
        asks: levels(event.asks_from, event.asks_count), tick: event.tick > 0 ? Price(raw: event.tick) : nil,
        text: hashText(event), claimedHash: bytes(event.hash))
    case Int(BH_PM_LAST_TRADE):
      return .trade(
        book: event.book, venueTime: time(event), price: Price(raw: event.price),
        quantity: event.quantity > 0 ? Quantity(raw: event.quantity) : nil,
        takerSide: event.taker_sells != 0 ? .sell : .buy)
    case Int(BH_PM_TICK_SIZE): return .tick(book: event.book, Price(raw: event.tick))
    case Int(BH_PM_NEW_MARKET), Int(BH_PM_MARKET_RESOLVED): return .metadataChanged
    default: return .ignored
    }
  }

  private func bytes(_ slice: bh_slice) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: slice.bytes, count: slice.bytes == nil ? 0 : slice.count)
  }

  private func hashText(_ event: bh_pm_event) -> BookHashText {
    var extra: BookHashText.Extra?
    if event.min_order_size.bytes != nil, event.tick_size.bytes != nil, event.neg_risk.bytes != nil {
      extra = BookHashText.Extra(
        minimumSize: bytes(event.min_order_size), tickSize: bytes(event.tick_size),
        isNegRisk: bytes(event.neg_risk).elementsEqual("true".utf8), lastTradePrice: bytes(event.last_trade_price))
    }
    return BookHashText(
      market: bytes(event.market), asset: bytes(event.asset), timestamp: bytes(event.timestamp),
      bids: bytes(event.bids_text), asks: bytes(event.asks_text), extra: extra)
  }

  private func text(_ slice: bh_slice) -> String {
    guard let bytes = slice.bytes else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: slice.count), as: UTF8.self)
  }

  private func time(_ event: bh_pm_event) -> Timestamp {
    (try? Timestamp(milliseconds: max(0, event.timestamp_ms))) ?? Timestamp(nanoseconds: 0)
  }

  private func levels(_ from: UInt32, _ count: UInt32) -> UnsafeBufferPointer<Level> {
    guard count > 0, let base = bh_pm_levels(parser) else { return UnsafeBufferPointer(start: nil, count: 0) }
    let levels = UnsafeRawPointer(base + Int(from)).assumingMemoryBound(to: Level.self)
    return UnsafeBufferPointer(start: levels, count: Int(count))
  }

  private func changes(_ event: bh_pm_event) -> UnsafeBufferPointer<StreamLevelChange> {
    guard event.changes_count > 0, let base = bh_pm_changes(parser) else {
      return UnsafeBufferPointer(start: nil, count: 0)
    }
    let changes = UnsafeRawPointer(base + Int(event.changes_from)).assumingMemoryBound(to: StreamLevelChange.self)
    return UnsafeBufferPointer(start: changes, count: Int(event.changes_count))
  }
}
