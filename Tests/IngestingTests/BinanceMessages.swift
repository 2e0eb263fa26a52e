import Market
import Venues

/// What one message of Binance's streams says.
enum BinanceStreamEvent: Hashable, Sendable {
  /// Somebody traded.
  case trade(Trade)
  /// The best prices.
  case ticker(Ticker)
  /// A candle, open or closed.
  case candle(symbol: String, Candle)
  /// The answer to a request of ours.
  case response
  /// The venue goes down for maintenance: connect anew at once.
  case shutdown
  /// A kind that is not read here.
  case ignored
}

/// Reads single messages of Binance's streams, by `BinanceStreamFormat`.
enum BinanceStreamParser {
  /// Reads one message.
  /// - Parameters:
  ///   - text: the message.
  ///   - receivedAt: the time of a ticker, which brings none.
  /// - Returns: what it says.
  /// - Throws: `VenueError` that names kind and field.
  static func parse(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp
  ) throws(VenueError) -> BinanceStreamEvent {
    var format = BinanceStreamFormat()
    var event = SpotStreamEvent.ignored
    try format.read(text, receivedAt: receivedAt) { event = $0 }
    switch event {
    case .trade(let trade): return .trade(trade)
    case .ticker(let ticker): return .ticker(ticker)
    case .candle(let symbol, let candle): return .candle(symbol: symbol, candle)
    case .accepted: return .response
    case .refused(let error): throw error
    case .closing: return .shutdown
    case .alive, .ignored: return .ignored
    }
  }
}
