import Foundation
import Market
import Simulating
import Testing
import Web

extension Venue {
  /// The rows of a candle list at a path, as texts where they are texts.
  func rows(_ path: String, _ query: [(String, String)], at keys: String...) throws -> [[Any]] {
    var value = try json("GET", path, query)
    for key in keys { value = try #require((value as? [String: Any])?[key]) }
    return try #require(value as? [[Any]])
  }
}

private func number(_ value: Any) -> Double {
  (value as? NSNumber)?.doubleValue ?? Double(value as? String ?? "") ?? .nan
}

@Suite struct ExchangeTests {
  @Test func `a minute closes at nearly the same price on all five exchanges and at CoinGecko`() throws {
    let venue = try Venue()
    let start = moment.floored(toSeconds: 60).seconds - 600
    let binance = try venue.rows(
      "/binance/api/v3/klines",
      [("symbol", "DOGEUSDT"), ("interval", "1m"), ("startTime", "\(start)000"), ("limit", "1")])
    let coinbase = try venue.rows(
      "/coinbase/products/DOGE-USD/candles", [("granularity", "60"), ("start", "\(start)"), ("end", "\(start)")])
    let kraken = try venue.rows(
      "/kraken/0/public/OHLC", [("pair", "XDGUSD"), ("since", "\(start - 1)")], at: "result", "XDGUSD")
    let okx = try venue.rows(
      "/okx/api/v5/market/candles",
      [("instId", "DOGE-USDT"), ("after", "\(start + 1)000"), ("before", "\(start - 1)000")], at: "data")
    let bybit = try venue.rows(
      "/bybit/v5/market/kline",
      [
        ("category", "spot"), ("symbol", "DOGEUSDT"), ("interval", "1"), ("start", "\(start)000"),
        ("end", "\(start)000"),
      ],
      at: "result", "list")
    let closes = [
      number(binance[0][4]), number(coinbase[0][4]), number(kraken[0][4]), number(okx[0][4]), number(bybit[0][4]),
    ]
    #expect(okx.count == 1 && bybit.count == 1 && coinbase.count == 1)
    let lowest = try #require(closes.min())
    let highest = try #require(closes.max())
    #expect(lowest > 0 && (highest - lowest) / lowest < 0.0005)
    #expect(Set(closes).count >= 4, "\(closes)")
    let gecko = try venue.rows(
      "/coingecko/api/v3/coins/dogecoin/market_chart/range",
      [("vs_currency", "usd"), ("from", "\(start - 600)"), ("to", "\(start + 600)")], at: "prices")
    #expect(gecko.count >= 3 && abs(number(gecko[0][1]) - lowest) / lowest < 0.05)
  }

  @Test func `Kraken's candles are 721 rows under the canonical name, whatever since says`() throws {
    let venue = try Venue()
    let path = "/kraken/0/public/OHLC"
    let answer = try venue.object(path, [("pair", "XBTUSD"), ("interval", "1"), ("since", "1700000000")])
    #expect((answer["error"] as? [Any])?.isEmpty == true)
    let result = try #require(answer["result"] as? [String: Any])
    #expect(Set(result.keys) == ["XXBTZUSD", "last"])
    let rows = try #require(result["XXBTZUSD"] as? [[Any]])
    #expect(rows.count == 721)
    let times = rows.compactMap { $0[0] as? Int64 }
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 60 })
    #expect(result["last"] as? Int64 == times[719] && times[720] <= moment.seconds)
    #expect(rows[0][1] is String && rows[0][6] is String && rows[0][7] is NSNumber && rows[0].count == 8)
    for interval in ["5", "15", "30", "60", "240", "1440", "10080", "21600"] {
      let rows = try venue.rows(path, [("pair", "XXBTZUSD"), ("interval", interval)], at: "result", "XXBTZUSD")
      #expect(rows.count > 1, "\(interval)")
    }
    let after = try venue.rows(path, [("pair", "ADAUSDT"), ("since", "\(times[700])")], at: "result", "ADAUSDT")
    #expect(after.first?[0] as? Int64 == times[701])
    #expect(try venue.object(path, [("pair", "NOPE")])["error"] as? [String] == ["EQuery:Unknown asset pair"])
    #expect(
      try venue.object(path, [("pair", "XBTUSD"), ("interval", "2")])["error"] as? [String]
        == ["EGeneral:Invalid arguments"])
  }

  @Test func `Kraken's trades page forward by last, and its ticker has today and 24 hours`() throws {
    let venue = try Venue()
    var since = "\(moment.seconds - 600)"
    var ids: [Int64] = []
    while true {
      let answer = try venue.object(
        "/kraken/0/public/Trades", [("pair", "ETHUSD"), ("since", since), ("count", "500")])
      let result = try #require(answer["result"] as? [String: Any])
      let rows = try #require(result["XETHZUSD"] as? [[Any]])
      ids += rows.compactMap { $0[6] as? Int64 }
      since = try #require(result["last"] as? String)
      #expect(since.count == 19)
      if rows.count < 500 { break }
    }
    #expect((2398...2402).contains(ids.count) && zip(ids, ids.dropFirst()).allSatisfy { $1 == $0 + 1 })
    let ticker = try venue.object("/kraken/0/public/Ticker", [("pair", "XBTUSDT,SOLUSD")])
    let result = try #require(ticker["result"] as? [String: [String: Any]])
    #expect(Set(result.keys) == ["XBTUSDT", "SOLUSD"])
    #expect((result["XBTUSDT"]?["a"] as? [String])?.count == 3 && (result["XBTUSDT"]?["v"] as? [String])?.count == 2)
    let depth = try venue.object("/kraken/0/public/Depth", [("pair", "XBTUSD"), ("count", "7")])
    let book = try #require((depth["result"] as? [String: [String: [[Any]]]])?["XXBTZUSD"])
    #expect(book["asks"]?.count == 7 && number(book["asks"]![0][0]) > number(book["bids"]![0][0]))
    #expect(try venue.object("/kraken/0/public/SystemStatus")["error"] is [Any])
    let pairs = try #require(try venue.object("/kraken/0/public/AssetPairs")["result"] as? [String: [String: Any]])
    #expect(pairs.count == 16 && pairs["XXBTZUSD"]?["wsname"] as? String == "XBT/USD")
  }

  @Test func `OKX's long bars open by Hong Kong time unless UTC is asked for`() throws {
    let venue = try Venue()
    let path = "/okx/api/v5/market/history-candles"
    func starts(_ bar: String) throws -> [Int64] {
      try venue.rows(path, [("instId", "BTC-USDT"), ("bar", bar), ("limit", "3")], at: "data")
        .compactMap { Int64($0[0] as? String ?? "") }.map { $0 / 1000 }
    }
    #expect(try starts("1D").allSatisfy { $0 % 86_400 == 57_600 })
    #expect(try starts("1Dutc").allSatisfy { $0 % 86_400 == 0 })
    #expect(try starts("12H").allSatisfy { $0 % 43_200 == 14_400 })
    #expect(try starts("1H").allSatisfy { $0 % 3600 == 0 })
    #expect(try starts("1W").allSatisfy { ($0 + 28_800) % 604_800 == 345_600 })
    #expect(try starts("1Mutc").allSatisfy { CivilTime(Timestamp(nanoseconds: $0 * 1_000_000_000)).day == 1 })
    #expect(try starts("3M").count == 3)
    for bar in ["1m", "3m", "5m", "15m", "30m", "2H", "4H", "6H", "2D", "3D", "6Hutc", "12Hutc", "3Mutc"] {
      #expect(try starts(bar).count == 3, "\(bar)")
    }
  }

  @Test func `OKX's candles page backwards without a gap, recent ones end after 1440 bars`() throws {
    let venue = try Venue()
    var times: [Int64] = []
    var after: [(String, String)] = []
    while true {
      let rows = try venue.rows(
        "/okx/api/v5/market/candles", [("instId", "BTC-USDT"), ("bar", "1m"), ("limit", "300")] + after, at: "data")
      guard let last = rows.last else { break }
      #expect(rows.allSatisfy { $0.count == 9 && $0.allSatisfy { $0 is String } })
      times += rows.compactMap { Int64($0[0] as? String ?? "") }
      after = [("after", last[0] as? String ?? "")]
    }
    #expect(times.count == 1440 && zip(times, times.dropFirst()).allSatisfy { $0 - $1 == 60_000 })
    let newest = try venue.rows("/okx/api/v5/market/candles", [("instId", "BTC-USDT")], at: "data")
    #expect(newest.count == 100 && newest[0][8] as? String == "0" && newest[1][8] as? String == "1")
    let refused = try venue.object("/okx/api/v5/market/candles", [("instId", "X-Y")])
    #expect(refused["code"] as? String == "51001" && (refused["data"] as? [Any])?.isEmpty == true)
    #expect(
      try venue.object("/okx/api/v5/market/candles", [("instId", "BTC-USDT"), ("bar", "1h")], status: 400)["code"]
        as? String == "51000")
    let ticker = try venue.object("/okx/api/v5/market/ticker", [("instId", "BTC-USDT")])
    #expect((ticker["data"] as? [[String: Any]])?.first?["bidPx"] is String)
  }

  @Test func `Bybit's candles come newest first in its envelope, the open one first`() throws {
    let venue = try Venue()
    let path = "/bybit/v5/market/kline"
    let base = [("category", "spot"), ("symbol", "XRPUSDT")]
    let rows = try venue.rows(path, base + [("interval", "1"), ("limit", "1000")], at: "result", "list")
    let times = rows.compactMap { Int64($0[0] as? String ?? "") }
    #expect(rows.count == 1000 && zip(times, times.dropFirst()).allSatisfy { $0 - $1 == 60_000 })
    #expect(times[0] <= moment.milliseconds && times[0] > moment.milliseconds - 60_000)
    let inside = try venue.rows(
      path, base + [("interval", "1"), ("start", "\(times[5] + 30_000)"), ("end", "\(times[5] + 40_000)")],
      at: "result", "list")
    #expect(inside.count == 1 && inside[0][0] as? String == "\(times[5])")
    for interval in ["3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M"] {
      #expect(try venue.rows(path, base + [("interval", interval)], at: "result", "list").count > 2, "\(interval)")
    }
    let wrong = try venue.object(path, [("category", "spot"), ("symbol", "XXX"), ("interval", "1")])
    #expect(wrong["retCode"] as? Int == 10_001)
    #expect(try venue.object(path, [("symbol", "BTCUSDT"), ("interval", "1")])["retCode"] as? Int == 10_001)
    let trades = try venue.object("/bybit/v5/market/recent-trade", base)
    #expect(((trades["result"] as? [String: Any])?["list"] as? [Any])?.count == 60)
  }

  @Test func `Coinbase's trades page back by CB-AFTER and forward by CB-BEFORE`() throws {
    let venue = try Venue()
    let path = "/coinbase/products/LINK-USD/trades"
    let first = venue.send("GET", path, [("limit", "100")])
    let after = try #require(first.headers["CB-AFTER"])
    let before = try #require(first.headers["CB-BEFORE"])
    let older = try venue.list(path, [("limit", "100"), ("after", after)]).compactMap { $0["trade_id"] as? Int64 }
    let newest = try venue.list(path, [("limit", "100")]).compactMap { $0["trade_id"] as? Int64 }
    #expect(older.first == newest.last.map { $0 - 1 } && older.count == 100)
    #expect(try venue.list(path, [("before", before)]).isEmpty)
    venue.now = venue.now.advanced(bySeconds: 2)
    let fresh = try venue.list(path, [("before", before)]).compactMap { $0["trade_id"] as? Int64 }
    #expect(fresh.count == 8 && fresh.last == newest.first.map { $0 + 1 })
  }

  @Test func `CoinGecko's points are as dense as the span allows`() throws {
    let venue = try Venue()
    let now = moment.seconds
    func gaps(_ from: Int64, _ to: Int64) throws -> [Int64] {
      let times = try venue.rows(
        "/coingecko/api/v3/coins/bitcoin/market_chart/range",
        [("vs_currency", "usd"), ("from", "\(from)"), ("to", "\(to)")], at: "prices"
      ).compactMap { $0[0] as? Int64 }
      return zip(times, times.dropFirst()).map { ($1 - $0) / 1000 }
    }
    #expect(try gaps(now - 80_000, now - 10_000).allSatisfy { (200...400).contains($0) })
    #expect(try gaps(now - 864_000, now - 800_000).allSatisfy { (3500...3700).contains($0) })
    #expect(try gaps(now - 864_000, now - 100_000).allSatisfy { (3500...3700).contains($0) })
    #expect(try gaps(now - 864_000 * 20, now - 100_000).allSatisfy { $0 == 86_400 })
    let old = try venue.json(
      "GET", "/coingecko/api/v3/coins/bitcoin/market_chart/range",
      [("vs_currency", "usd"), ("from", "\(now - 86_400 * 400)"), ("to", "\(now)")], status: 401)
    #expect(String(describing: old).contains("10012"))
    let price = try venue.object(
      "/coingecko/api/v3/simple/price",
      [("ids", "bitcoin,nothing,avalanche-2"), ("vs_currencies", "usd"), ("include_last_updated_at", "true")])
    #expect(Set(price.keys) == ["bitcoin", "avalanche-2"])
    #expect((price["bitcoin"] as? [String: Any])?["last_updated_at"] is NSNumber)
    let missing = try venue.object("/coingecko/api/v3/coins/x/market_chart/range", status: 404)
    #expect(missing["error"] as? String == "coin not found")
  }
}
