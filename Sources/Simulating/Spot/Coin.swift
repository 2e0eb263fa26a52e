internal import Market

/// A coin whose price the simulated exchanges quote.
package enum Coin: Int, CaseIterable, Sendable {
  case btc, eth, sol, xrp, doge, ada, avax, link

  /// Those that up/down markets are about.
  package static let upDown: [Coin] = [.btc, .eth, .sol]

  /// `BTC`.
  package var symbol: String { facts.symbol }
  /// `Bitcoin`.
  package var name: String { facts.name }
  /// CoinGecko's name, such as `avalanche-2`.
  package var geckoID: String { facts.geckoID }
  /// The grid of its prices, in units of 10⁻⁸ dollars.
  package var tick: Int64 { facts.tick }
  /// The level that the price moves around, in ticks.
  var baseTicks: Int64 { facts.baseTicks }
  /// What trades in an ordinary minute, in units of 10⁻⁸ coins for each of the minute's 240 trades.
  var tradeUnits: UInt64 { facts.tradeUnits }
  /// How many coins there are.
  var supply: Int64 { facts.supply }
  /// How many digits stand behind the point of its prices.
  var priceDecimals: Int { facts.decimals }

  private struct Facts {
    let symbol: String
    let name: String
    let geckoID: String
    let decimals: Int
    let baseTicks: Int64
    let tradeUnits: UInt64
    let supply: Int64
    let tick: Int64

    init(
      _ symbol: String, _ name: String, _ geckoID: String, decimals: Int, baseTicks: Int64, tradeUnits: UInt64,
      supply: Int64
    ) {
      self.symbol = symbol
      self.name = name
      self.geckoID = geckoID
      self.decimals = decimals
      self.baseTicks = baseTicks
      self.tradeUnits = tradeUnits
      self.supply = supply
      tick = (decimals..<fixedPointDecimals).reduce(1) { product, _ in product * 10 }
    }
  }

  private var facts: Facts { Coin.table[rawValue] }

  /// In the order of the cases.
  private static let table = [
    Facts(
      "BTC", "Bitcoin", "bitcoin", decimals: 2, baseTicks: 6_432_100, tradeUnits: 3_000_000, supply: 19_950_000),
    Facts(
      "ETH", "Ethereum", "ethereum", decimals: 2, baseTicks: 312_450, tradeUnits: 45_000_000, supply: 120_700_000),
    Facts(
      "SOL", "Solana", "solana", decimals: 2, baseTicks: 14_870, tradeUnits: 900_000_000, supply: 553_000_000),
    Facts(
      "XRP", "XRP", "ripple", decimals: 4, baseTicks: 21_345, tradeUnits: 60_000_000_000, supply: 60_300_000_000),
    Facts(
      "DOGE", "Dogecoin", "dogecoin", decimals: 5, baseTicks: 19_876, tradeUnits: 600_000_000_000,
      supply: 151_800_000_000),
    Facts(
      "ADA", "Cardano", "cardano", decimals: 5, baseTicks: 73_210, tradeUnits: 180_000_000_000,
      supply: 36_500_000_000),
    Facts(
      "AVAX", "Avalanche", "avalanche-2", decimals: 3, baseTicks: 27_310, tradeUnits: 5_000_000_000,
      supply: 427_000_000),
    Facts(
      "LINK", "Chainlink", "chainlink", decimals: 3, baseTicks: 17_452, tradeUnits: 8_000_000_000,
      supply: 697_000_000),
  ]
}
