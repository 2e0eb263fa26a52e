internal import Market

/// What the market channel says apart from books and trades, where `custom_feature_enabled` asks for it.
enum PolymarketMarketNotice {
  /// The best prices of a token.
  ///
  /// `{"event_type":"best_bid_ask","market":"0x0005…","asset_id":"8535…","best_bid":"0.73","best_ask":"0.77",`
  /// `"spread":"0.04","timestamp":"1766789469958"}`; an empty side is 0, 1 or an empty text.
  struct BestPrices: Hashable, Sendable {
    var token: String
    var marketID: String
    var bid: Price?
    var ask: Price?
    var time: Timestamp
  }

  /// A market that is new.
  ///
  /// `{"event_type":"new_market","id":"1031769","question":"Will …?","market":"0x311d…","assets_ids":["7604…","3169…"],`
  /// `"outcomes":["Yes","No"],"event_message":{"id":"125819",…},"order_price_min_tick_size":"0.01",…}`
  struct NewMarket: Hashable, Sendable {
    var gammaID: String
    var conditionID: String
    var eventID: String
    var question: String
    var outcomes: [Outcome]
    var tick: Price?
    var time: Timestamp?
  }

  /// How a market was resolved.
  ///
  /// `{"event_type":"market_resolved","market":"0x311d…","winning_asset_id":"7604…","winning_outcome":"Yes",…}`
  struct Resolution: Hashable, Sendable {
    var conditionID: String
    var winningToken: String
    var winningOutcome: String
    var time: Timestamp?
  }

  case bestPrices(BestPrices)
  case newMarket(NewMarket)
  case resolved(Resolution)

  /// Reads a message; nil where it is of another kind.
  static func parse(_ wire: Wire) throws(WireProblem) -> PolymarketMarketNotice? {
    switch try wire.text("event_type") {
    case "best_bid_ask":
      return .bestPrices(
        BestPrices(
          token: try wire.text("asset_id"), marketID: try wire.text("market"), bid: try price(wire, "best_bid"),
          ask: try price(wire, "best_ask"), time: try wire.milliseconds("timestamp")))
    case "new_market":
      let hasTokens = try wire.optional("clob_token_ids") != nil
      let tokens = try wire.optionalTextList(hasTokens ? "clob_token_ids" : "assets_ids") ?? []
      let names = try wire.optionalTextList("outcomes") ?? []
      guard !names.isEmpty || tokens.isEmpty else {
        throw WireProblem("outcomes", "expected a list of names, found none")
      }
      guard names.count == tokens.count else {
        throw WireProblem("assets_ids", "expected \(names.count) tokens, one for each outcome, found \(tokens.count)")
      }
      let tick = try wire.optionalPrice("order_price_min_tick_size")
      if let tick, tick.raw <= 0 || tick >= .one {
        throw WireProblem("order_price_min_tick_size", "expected a number between 0 and 1, found \(tick)")
      }
      return .newMarket(
        NewMarket(
          gammaID: try wire.optionalText("id") ?? "", conditionID: try wire.text("market"),
          eventID: try wire.optionalObject("event_message")?.optionalText("id") ?? "",
          question: try wire.optionalText("question") ?? "",
          outcomes: zip(tokens, names).map { Outcome(token: $0, name: $1) },
          tick: tick, time: try time(wire)))
    case "market_resolved":
      return .resolved(
        Resolution(
          conditionID: try wire.text("market"), winningToken: try wire.text("winning_asset_id"),
          winningOutcome: try wire.optionalText("winning_outcome") ?? "", time: try time(wire)))
    default: return nil
    }
  }

  private static func price(_ wire: Wire, _ name: String) throws(WireProblem) -> Price? {
    guard let price = try wire.optionalPrice(name) else { return nil }
    guard price.raw >= 0, price <= .one else {
      throw WireProblem(name, "expected a price from 0 to 1, found \(price)")
    }
    return price.raw == 0 || price == .one ? nil : price
  }

  private static func time(_ wire: Wire) throws(WireProblem) -> Timestamp? {
    try wire.optional("timestamp") == nil ? nil : try wire.milliseconds("timestamp")
  }
}
