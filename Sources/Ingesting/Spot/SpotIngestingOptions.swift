internal import Daemon
internal import Market

/// The section of an exchange, as far as its ingestor uses it.
struct SpotIngestingOptions {
  let symbols: [String]
  let silenceNanoseconds: Int64
  let tradeAgeMaxSeconds: Int64
  let frozenNanoseconds: Int64
  let pollNanoseconds: Int64
  /// Binance ends a connection after 24 hours: half an hour before that it is renewed; others do not mind.
  let lifetimeNanoseconds: Int64 = (24 * 3600 - 1800) * 1_000_000_000
  /// Where the venue does not say how it wants to be pinged.
  let pingNanoseconds: Int64 = 20_000_000_000

  /// - Throws: `ConfigurationError` that names the setting.
  init(venue: Venue, settings: Settings) throws(ConfigurationError) {
    let section = venue.rawValue
    let (separator, example): (UInt8?, String) =
      switch venue {
      case .coinbase: (0x2D, "BTC-USD")
      case .okx: (0x2D, "BTC-USDT")
      case .kraken: (0x2F, "BTC/USD")
      default: (nil, "BTCUSDT")
      }
    var symbols: [String] = []
    for text in settings.list(section, "symbols") {
      let symbol = text.uppercased()
      let isName = symbol.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || $0 == separator
      }
      guard !symbol.isEmpty, isName else {
        throw ConfigurationError(
          file: "[\(section)] symbols", problem: "expected a name such as \(example), found \"\(text)\"")
      }
      if !symbols.contains(symbol) { symbols.append(symbol) }
    }
    guard !symbols.isEmpty else {
      throw ConfigurationError(file: "[\(section)] symbols", problem: "expected at least one symbol, found none")
    }
    self.symbols = symbols
    func nanoseconds(_ key: String) -> Int64 { Int64(settings.integer(section, key)) * 1_000_000_000 }
    silenceNanoseconds = nanoseconds("silence_s")
    tradeAgeMaxSeconds = Int64(settings.integer(section, "trade_age_max_s"))
    frozenNanoseconds = nanoseconds("frozen_s")
    pollNanoseconds = nanoseconds("poll_s")
  }
}
