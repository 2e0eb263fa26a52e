/// A pair at Kraken, which has three names: `XBTUSD` is asked for, `XXBTZUSD` answers, the stream says `BTC/USD`.
struct KrakenPair: Hashable {
  let coin: Coin
  let isTether: Bool

  static let all = Coin.allCases.flatMap {
    [KrakenPair(coin: $0, isTether: false), KrakenPair(coin: $0, isTether: true)]
  }

  private static let old: [Coin: String] = [.btc: "XXBT", .eth: "XETH", .xrp: "XXRP", .doge: "XXDG"]

  /// The coin as requests name it: `XBT`.
  private var short: String {
    switch coin {
    case .btc: "XBT"
    case .doge: "XDG"
    default: coin.symbol
    }
  }

  private var quote: String { isTether ? "USDT" : "USD" }

  /// The asset's own name: `XXBT`.
  var base: String { KrakenPair.old[coin] ?? coin.symbol }
  /// The asset that is paid with.
  var quoteAsset: String { isTether ? "USDT" : "ZUSD" }

  /// `XBTUSD`.
  var alternative: String { short + quote }

  /// The key of an answer: `XXBTZUSD`, `XDGUSD`, `XBTUSDT`, `SOLUSD`.
  var canonical: String {
    guard !isTether, coin != .doge, let old = KrakenPair.old[coin] else { return alternative }
    return old + "ZUSD"
  }

  /// `XBT/USD`.
  var slashed: String { short + "/" + quote }
  /// The stream's name: `BTC/USD`.
  var streamed: String { coin.symbol + "/" + quote }

  private static let byName: [String: KrakenPair] = {
    var result: [String: KrakenPair] = [:]
    for pair in all { for name in [pair.alternative, pair.canonical, pair.slashed] { result[name] = pair } }
    return result
  }()

  static let byStream = Dictionary(uniqueKeysWithValues: all.map { ($0.streamed, $0) })

  /// A pair by a name that requests may use.
  static func named(_ name: String) -> KrakenPair? { byName[name.uppercased()] }
}
