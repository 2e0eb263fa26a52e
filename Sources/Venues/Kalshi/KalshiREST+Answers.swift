internal import Market

// What the answers of Kalshi's REST interface look like.
extension KalshiREST {
  typealias Fees = (String) -> KalshiFees

  /// `{"cursor":"CgwI…","markets":[{…}]}`; the last page has an empty cursor, or none.
  static func parseMarkets(_ wire: Wire, fees: Fees) throws(WireProblem) -> KalshiMarketListing {
    var page = KalshiMarketListing()
    for (index, row) in try wire.array("markets").enumerated() {
      do throws(WireProblem) {
        page.markets.append(try KalshiMarketParser.market(row, fees: fees(series(of: row))))
      } catch {
        page.rejected.append(
          error.inside("markets[\(index)]\(KalshiMarketParser.label(row))").error(.kalshi, "markets"))
      }
    }
    return page
  }

  /// `{"market":{…}}`.
  static func parseMarket(_ wire: Wire, fees: Fees) throws(WireProblem) -> KalshiMarket {
    let market = try wire.object("market")
    do { return try KalshiMarketParser.market(market, fees: fees(series(of: market))) } catch {
      throw error.inside("market")
    }
  }

  /// `{"cursor":"CgYI…","events":[{"event_ticker":"KXELONMARS-99","series_ticker":"KXELONMARS",`
  /// `"mutually_exclusive":false,"markets":[{…}],…}]}`.
  static func parseEvents(_ wire: Wire, fees: Fees) throws(WireProblem) -> KalshiEventListing {
    var page = KalshiEventListing()
    for (index, row) in try wire.array("events").enumerated() {
      do throws(WireProblem) {
        let (event, rejected) = try KalshiMarketParser.event(row, fees: fees)
        page.events.append(event)
        page.rejected += rejected.map { $0.inside("events[\(index)]").error(.kalshi, "events") }
      } catch {
        page.rejected.append(error.inside("events[\(index)]").error(.kalshi, "events"))
      }
    }
    return page
  }

  /// `{"event":{…},"markets":[…]}`, or with the markets inside the event.
  static func parseEvent(
    _ wire: Wire, fees: Fees
  ) throws(WireProblem) -> (event: KalshiEvent, rejected: [WireProblem]) {
    let beside = try wire.optionalArray("markets")
    let inner = try wire.object("event")
    do { return try KalshiMarketParser.event(inner, beside: beside, fees: fees) } catch { throw error.inside("event") }
  }

  /// `{"series":{"ticker":"KXBTCD","fee_type":"quadratic","fee_multiplier":1,…}}`.
  static func parseSeries(_ wire: Wire) throws(WireProblem) -> KalshiSeries {
    let series = try wire.object("series")
    do { return try KalshiMarketParser.series(series) } catch { throw error.inside("series") }
  }

  /// `{"series":[{…}],"cursor":""}`.
  static func parseSeriesPage(_ wire: Wire) throws(WireProblem) -> [KalshiSeries] {
    try rows(wire, "series", KalshiMarketParser.series)
  }

  /// `{"orderbook_fp":{"no_dollars":[["0.4100","1.00"],…],"yes_dollars":[]},"ticker":"KXBTCD-…"}`.
  static func parseOrderbook(_ wire: Wire) throws(WireProblem) -> (ticker: String?, levels: KalshiLevels) {
    let book = try wire.object("orderbook_fp")
    do throws(WireProblem) {
      return (try wire.optionalText("ticker"), try KalshiLevels.parse(book, yes: "yes_dollars", no: "no_dollars"))
    } catch {
      throw error.inside("orderbook_fp")
    }
  }

  /// `{"orderbooks":[{"ticker":"KXBTCD-…","orderbook_fp":{…}}]}`.
  static func parseOrderbooks(_ wire: Wire) throws(WireProblem) -> KalshiLevelListing {
    var listing = KalshiLevelListing()
    for (index, row) in try wire.array("orderbooks").enumerated() {
      do throws(WireProblem) {
        let ticker = try row.text("ticker")
        listing.levels[ticker] = try parseOrderbook(row).levels
      } catch {
        let name = try? row.optionalText("ticker")
        listing.rejected.append((name, error.inside("orderbooks[\(index)]").error(.kalshi, "orderbooks")))
      }
    }
    return listing
  }

  /// `{"cursor":"…","trades":[{"trade_id":"c174…","ticker":"KXETH15M-26JUL250200-00","count_fp":"12.61",`
  /// `"yes_price_dollars":"0.3800","no_price_dollars":"0.6200","taker_outcome_side":"yes","is_block_trade":false,`
  /// `"created_time":"2026-07-25T05:51:39.54467Z"}]}`, newest first.
  static func parseTrades(_ wire: Wire) throws(WireProblem) -> [KalshiTrade] {
    try rows(wire, "trades") { row throws(WireProblem) in
      guard let time = try row.kalshiTime("created_time") else {
        throw WireProblem("created_time", "expected a time, found nothing")
      }
      return try KalshiStreamParser.trade(row, ticker: try row.text("ticker"), time: time)
    }
  }

  /// Reads every row of an array; one that is bad spoils the answer.
  static func rows<Row>(
    _ wire: Wire, _ name: String, _ read: (Wire) throws(WireProblem) -> Row
  ) throws(WireProblem) -> [Row] {
    var result: [Row] = []
    for (index, row) in try wire.array(name).enumerated() {
      do { result.append(try read(row)) } catch { throw error.inside("\(name)[\(index)]") }
    }
    return result
  }

  /// The series of a market's event: what stands before the first dash.
  private static func series(of market: Wire) -> String {
    let event = (try? market.optionalText("event_ticker")) ?? ""
    return event.firstIndex(of: "-").map { String(event[..<$0]) } ?? event
  }
}
