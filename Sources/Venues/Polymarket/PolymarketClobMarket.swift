internal import Market
internal import Web

/// Reads a market as the CLOB tells it.
///
/// `{"condition_id":"0xdd22…","question":"Will … win?","tokens":[{"token_id":"2174…","outcome":"Yes","price":0.4865,`
/// `"winner":false},…],"minimum_order_size":5,"minimum_tick_size":0.001,"end_date_iso":"2024-11-05T00:00:00Z",`
/// `"active":true,"closed":false,"accepting_orders":true,"enable_order_book":true,"neg_risk":true,…}`
///
/// It says neither the fees nor the event.
enum PolymarketClobMarket {
  static func parse(_ wire: Wire) throws(WireProblem) -> PredictionMarket {
    var outcomes: [Outcome] = []
    var winner: Int?
    for (index, row) in try wire.array("tokens").enumerated() {
      do throws(WireProblem) {
        let token = try row.text("token_id")
        // A market that is only listed has tokens without ids.
        if !token.isEmpty { outcomes.append(Outcome(token: token, name: try row.text("outcome"))) }
        if try row.optionalBoolean("winner") ?? false { winner = index }
      } catch {
        throw error.inside("tokens[\(index)]")
      }
    }
    let tick = try wire.price("minimum_tick_size")
    guard tick.raw > 0, tick < .one, fixedPointScale % tick.raw == 0 else {
      throw WireProblem("minimum_tick_size", "expected a grid that divides 1, found \(tick)")
    }
    var market = PredictionMarket(
      venue: .polymarket, id: try wire.text("condition_id"), eventID: "",
      question: try wire.optionalText("question") ?? "", outcomes: outcomes, tick: tick)
    market.minimumQuantity = try wire.optionalQuantity("minimum_order_size") ?? .zero
    guard market.minimumQuantity.raw >= 0 else {
      throw WireProblem("minimum_order_size", "expected no negative number, found \(market.minimumQuantity)")
    }
    market.endsAt = try wire.optionalTime("end_date_iso")
    market.isNegRisk = try wire.optionalBoolean("neg_risk") ?? false
    market.isClosed = try wire.optionalBoolean("closed") ?? false
    let isActive = try wire.optionalBoolean("active") ?? true
    let hasBook = try wire.optionalBoolean("enable_order_book") ?? true
    let isArchived = try wire.optionalBoolean("archived") ?? false
    market.isPlaceholder = outcomes.count != 2 || !isActive
    market.isAcceptingOrders = try wire.optionalBoolean("accepting_orders") ?? false && hasBook && !isArchived
    if market.isClosed, let winner, outcomes.indices.contains(winner) {
      market.winner = winner
      market.payouts = outcomes.indices.map { $0 == winner ? .one : .zero }
    }
    return market
  }
}
