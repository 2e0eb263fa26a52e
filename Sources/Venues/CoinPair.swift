public import Daemon
public import Market

/// Two currencies that are exchanged for each other, whatever a venue calls the pair: `BTC/USD`.
public struct CoinPair: Hashable, Sendable, CustomStringConvertible {
  /// What is bought, such as `BTC`.
  public let base: String
  /// What it is paid with, such as `USD`.
  public let quote: String

  /// A pair by its currencies; nil where one is no name of 2 to 10 capital letters and digits.
  public init?(base: String, quote: String) {
    for name in [base, quote] {
      guard (2...10).contains(name.utf8.count),
        name.utf8.allSatisfy({ (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) })
      else { return nil }
    }
    self.base = base
    self.quote = quote
  }

  /// A pair by its name, `BTC/USD`; nil where the text is none.
  public init?(_ name: some StringProtocol) {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    self.init(base: String(parts[0]), quote: String(parts[1]))
  }

  /// `BTC/USD`.
  public var description: String { "\(base)/\(quote)" }

  /// What a venue calls the pair, over REST and on its streams alike; nil where it has none.
  ///
  /// Binance, OKX and Bybit have no dollars: there `USD` means `USDT`, which stands for them.
  public func symbol(at venue: Venue) -> String? {
    let tethered = quote == "USD" ? "USDT" : quote
    return switch venue {
    case .binance, .bybit: base + tethered
    case .okx: "\(base)-\(tethered)"
    case .coinbase: "\(base)-\(quote)"
    case .kraken: "\(base)/\(quote)"
    case .coingecko: quote == "USD" ? CoinPair.coinGeckoIDs[base] : nil
    case .polymarket, .kalshi: nil
    }
  }

  /// CoinGecko's ids: its symbols are ambiguous.
  private static let coinGeckoIDs = [
    "BTC": "bitcoin", "ETH": "ethereum", "SOL": "solana", "XRP": "ripple", "DOGE": "dogecoin", "BNB": "binancecoin",
    "ADA": "cardano", "AVAX": "avalanche-2", "LINK": "chainlink", "LTC": "litecoin", "DOT": "polkadot", "TRX": "tron",
    "BCH": "bitcoin-cash", "XLM": "stellar", "SUI": "sui", "HYPE": "hyperliquid", "SHIB": "shiba-inu",
    "UNI": "uniswap", "NEAR": "near", "PEPE": "pepe", "AAVE": "aave", "ETC": "ethereum-classic", "ATOM": "cosmos",
  ]
}

/// What the venues call pairs: by rule, and by the exceptions that the settings name.
public struct PairNames: Sendable {
  private let exceptions: [Venue: [CoinPair: String]]

  /// Names by rule but for these.
  public init(exceptions: [Venue: [CoinPair: String]] = [:]) { self.exceptions = exceptions }

  /// What a venue calls the pair; nil where it has none.
  public func symbol(_ pair: CoinPair, at venue: Venue) -> String? {
    guard let name = exceptions[venue]?[pair] else { return pair.symbol(at: venue) }
    return name == "-" ? nil : name
  }
}

extension PairNames {
  /// Names with the exceptions of the settings' `pair_names`.
  /// - Throws: `ConfigurationError` where an exception is not of the form `BTC/USD=NAME`.
  public init(settings: Settings) throws(ConfigurationError) {
    var exceptions: [Venue: [CoinPair: String]] = [:]
    for venue in [Venue.binance, .coinbase, .kraken, .okx, .bybit, .coingecko] {
      for text in settings.list(venue.rawValue, "pair_names") {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let pair = CoinPair(parts[0]) else {
          throw ConfigurationError(
            file: "settings", section: venue.rawValue, key: "pair_names",
            problem: "expected texts such as BTC/USD=NAME, found \(quotedExcerpt(text))")
        }
        exceptions[venue, default: [:]][pair] = String(parts[1])
      }
    }
    self.init(exceptions: exceptions)
  }
}
