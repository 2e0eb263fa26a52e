package import Market

/// Candles of any length, added up from minutes; whole hours are kept once computed.
///
/// Shared by all that reads prices, on one thread: it holds nothing but what can be computed again.
package final class SpotHistory {
  package let prices: SpotPrices
  private var hours: [Int64: SpotCandle] = [:]
  private var days: [Coin: (minute: Int64, candle: SpotCandle)] = [:]

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
    var result = whole(coin, from: start, to: min(start + minutes, current))
    if start + minutes > current {
      let part = prices.openMinute(coin, milliseconds: now.milliseconds)
      if result == nil { result = part } else { result?.extend(by: part) }
    }
    return result?.moved(by: SpotPrices.offset(venue, coin))
  }

  /// The candle of an exchange that begins at a second, as far as it is known at `now`.
  ///
  /// What began before the exchange opened begins with it.
  package func candle(_ venue: Venue, _ coin: Coin, start: Int64, bar: SpotBar, now: Timestamp) -> SpotCandle? {
    let end = bar.start(start, plus: 1)
    guard start <= now.seconds, end > SpotPrices.firstMinute * 60 else { return nil }
    guard end - start >= 60 else {
      guard start >= SpotPrices.firstMinute * 60 else { return nil }
      return prices.second(coin, start, milliseconds: now.milliseconds).moved(by: SpotPrices.offset(venue, coin))
    }
    let first = max(start / 60, SpotPrices.firstMinute)
    return candle(venue, coin, start: first, minutes: end / 60 - first, now: now)
  }

  /// The last 24 hours in whole minutes, with the minute that is open.
  package func day(_ venue: Venue, _ coin: Coin, now: Timestamp) -> SpotCandle {
    let minute = SpotPrices.floorDivide(now.milliseconds, 60_000)
    var result = prices.openMinute(coin, milliseconds: now.milliseconds)
    if days[coin]?.minute != minute, let past = whole(coin, from: minute - 1439, to: minute) {
      days[coin] = (minute, past)
    }
    if var past = days[coin]?.candle {
      past.extend(by: result)
      result = past
    }
    return result.moved(by: SpotPrices.offset(venue, coin))
  }

  private func whole(_ coin: Coin, from start: Int64, to end: Int64) -> SpotCandle? {
    var result: SpotCandle?
    var minute = start
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
    return result
  }

  private func hour(_ coin: Coin, _ hour: Int64) -> SpotCandle {
    let key = hour * 8 + Int64(coin.rawValue)
    if let known = hours[key] { return known }
    let result = prices.hour(coin, hour)
    hours[key] = result
    return result
  }
}

extension SpotCandle {
  /// The same at another level.
  func moved(by offset: Int64) -> SpotCandle {
    SpotCandle(
      open: open + offset, high: high + offset, low: low + offset, close: close + offset, volume: volume,
      trades: trades)
  }

  /// What was traded, in units of 10⁻⁸ dollars: the volume at the middle of open and close.
  var quoteVolume: Int128 { volume * Int128(open + close) / 200_000_000 }

  /// The mean price.
  var mean: Int64 { (open + high + low + close) / 4 }
}
