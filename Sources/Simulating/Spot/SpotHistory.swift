package import Market

/// Candles of any length, added up from minutes; whole hours are kept once computed.
///
/// Shared by all that reads prices, on one thread: it holds nothing but what can be computed again.
package final class SpotHistory {
  package let prices: SpotPrices
  private var hours: [Int64: SpotCandle] = [:]

  package init(prices: SpotPrices) { self.prices = prices }

  /// The candle of an exchange that begins at a minute, as far as it is known at `now`.
  /// - Parameters:
  ///   - venue: whose offset is added.
  ///   - coin: the coin.
  ///   - start: the first minute since 1970.
  ///   - minutes: the length.
  ///   - now: what lies later is not known.
  /// - Returns: the candle; nil before the exchange opened and in the future.
  package func candle(
    _ venue: Venue, _ coin: Coin, start: Int64, minutes: Int64, now: Timestamp
  ) -> SpotCandle? {
    let current = now.milliseconds / 60_000
    guard start >= SpotPrices.firstMinute, start <= current else { return nil }
    var result: SpotCandle?
    var minute = start
    let end = min(start + minutes, current)
    while minute < end {
      let part: SpotCandle
      if minute % 60 == 0, minute + 60 <= end {
        part = hour(coin, minute / 60)
        minute += 60
      } else {
        part = prices.minute(coin, minute)
        minute += 1
      }
      if result == nil { result = part } else { result?.extend(by: part) }
    }
    if start + minutes > current {
      let part = prices.openMinute(coin, milliseconds: now.milliseconds)
      if result == nil { result = part } else { result?.extend(by: part) }
    }
    guard var candle = result else { return nil }
    let offset = SpotPrices.offset(venue, coin)
    candle.open += offset
    candle.high += offset
    candle.low += offset
    candle.close += offset
    return candle
  }

  private func hour(_ coin: Coin, _ hour: Int64) -> SpotCandle {
    let key = hour * 3 + Int64(coin.rawValue)
    if let known = hours[key] { return known }
    var result = prices.minute(coin, hour * 60)
    for minute in 1..<60 { result.extend(by: prices.minute(coin, hour * 60 + Int64(minute))) }
    hours[key] = result
    return result
  }
}
