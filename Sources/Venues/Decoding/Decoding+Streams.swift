internal import Market

extension Decoding {
  /// How a crypto venue's stream is spoken.
  static func streamFormat(_ venue: Venue) throws(VenueError) -> any SpotStreamFormat {
    switch venue {
    case .binance: return BinanceStreamFormat()
    case .coinbase: return CoinbaseStreamFormat()
    case .kraken: return KrakenStreamFormat()
    case .okx: return OKXStreamFormat(.tickersAndTrades)
    case .bybit: return BybitStreamFormat()
    case .polymarket, .kalshi, .coingecko:
      throw VenueError(
        venue: venue, kind: "stream", problem: "the venue has no stream of this form", cause: .impossible)
    }
  }
}
