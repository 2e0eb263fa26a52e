internal import Market

// Orders and trades as the CLOB writes them.

extension ByteWriter {
  /// The answer to `POST /order`.
  mutating func orderAnswer(_ answer: OrderAnswer) {
    raw("{\"errorMsg\":\"\",\"orderID\":")
    plain(answer.id)
    let given = answer.isSell ? answer.shares.raw : answer.paid.raw
    let received = answer.isSell ? answer.paid.raw : answer.shares.raw
    raw(",\"takingAmount\":\"")
    if answer.shares.raw > 0 { decimal(raw: received / 100 * 100) }
    raw("\",\"makingAmount\":\"")
    if answer.shares.raw > 0 { decimal(raw: given / 100 * 100) }
    raw("\",\"status\":")
    plain(answer.status)
    if !answer.trades.isEmpty {
      raw(",\"transactionsHashes\":")
      list(answer.trades.map(\.hash))
      raw(",\"tradeIDs\":")
      list(answer.trades.map(\.id))
    }
    raw(",\"success\":true}")
  }

  /// An entry of the answer to `POST /orders` that was refused: it says success all the same.
  mutating func orderRefusal(_ refusal: OrderRefusal) {
    raw("{\"success\":true,\"errorMsg\":")
    quoted(refusal.text)
    raw(",\"orderID\":\"\",\"takingAmount\":\"\",\"makingAmount\":\"\",\"status\":\"\"}")
  }

  /// An order of `/data/order` and `/data/orders`.
  mutating func order(_ record: OrderRecord, _ world: World) {
    let ticket = record.ticket
    let market = world.markets[ticket.token / 2]
    raw("{\"id\":")
    plain(ticket.id)
    raw(",\"status\":")
    quoted(record.status)
    raw(",\"owner\":")
    quoted(ticket.owner)
    raw(",\"maker_address\":")
    quoted(ticket.maker)
    raw(",\"market\":")
    plain(market.conditionID)
    raw(",\"asset_id\":")
    plain(market.tokens.isEmpty ? "" : market.tokens[ticket.token & 1])
    if ticket.side == .buy { raw(",\"side\":\"BUY\"") } else { raw(",\"side\":\"SELL\"") }
    raw(",\"original_size\":")
    quotedDecimal(ticket.size)
    raw(",\"size_matched\":")
    quotedDecimal(record.matched)
    raw(",\"price\":")
    quotedDecimal(ticket.price)
    raw(",\"outcome\":")
    quoted(market.outcomes[ticket.token & 1])
    raw(",\"expiration\":\"")
    integer(ticket.expiration)
    raw("\",\"order_type\":")
    plain(ticket.kind.rawValue)
    raw(",\"associate_trades\":")
    list(record.trades)
    raw(",\"created_at\":")
    integer(record.createdAt.seconds)
    byte(0x7D)
  }

  /// A trade of `/data/trades`, as one who took part sees it.
  mutating func trade(_ trade: TradeRecord, asMaker: Bool, now: Timestamp) {
    let age = now.nanoseconds(since: trade.time)
    raw("{\"id\":")
    plain(trade.id)
    raw(",\"taker_order_id\":")
    plain(trade.takerOrder)
    raw(",\"market\":")
    plain(trade.conditionID)
    raw(",\"asset_id\":")
    plain(trade.token)
    if trade.side == .buy { raw(",\"side\":\"BUY\",\"size\":") } else { raw(",\"side\":\"SELL\",\"size\":") }
    quotedDecimal(trade.size)
    raw(",\"fee_rate_bps\":\"0\",\"price\":")
    quotedDecimal(trade.price)
    raw(",\"status\":")
    plain(age < 1_500_000_000 ? "MATCHED" : age < 4_000_000_000 ? "MINED" : "CONFIRMED")
    raw(",\"match_time\":\"")
    integer(trade.time.seconds)
    raw("\",\"last_update\":\"")
    integer(min(now.seconds, trade.time.seconds + 4))
    raw("\",\"outcome\":")
    quoted(trade.outcome)
    raw(",\"bucket_index\":0,\"owner\":")
    quoted(asMaker ? trade.maker.owner : trade.taker.owner)
    raw(",\"maker_address\":")
    quoted(asMaker ? trade.maker.address : trade.taker.address)
    raw(",\"transaction_hash\":")
    plain(trade.hash)
    raw(",\"maker_orders\":[{\"order_id\":")
    plain(trade.maker.order)
    raw(",\"owner\":")
    quoted(trade.maker.owner)
    raw(",\"maker_address\":")
    quoted(trade.maker.address)
    raw(",\"matched_amount\":")
    quotedDecimal(trade.size)
    raw(",\"price\":")
    quotedDecimal(trade.makerPrice)
    raw(",\"fee_rate_bps\":\"0\",\"asset_id\":")
    plain(trade.makerToken)
    raw(",\"outcome\":")
    quoted(trade.makerOutcome)
    if asMaker { raw("}],\"trader_side\":\"MAKER\"}") } else { raw("}],\"trader_side\":\"TAKER\"}") }
  }

  /// An order as the user channel tells it; numbers that REST writes bare are texts here.
  mutating func userOrder(_ record: OrderRecord, type: StaticString, _ world: World) {
    let ticket = record.ticket
    let market = world.markets[ticket.token / 2]
    raw("{\"event_type\":\"order\",\"type\":\"")
    raw(type)
    raw("\",\"id\":")
    plain(ticket.id)
    raw(",\"market\":")
    plain(market.conditionID)
    raw(",\"asset_id\":")
    plain(market.tokens.isEmpty ? "" : market.tokens[ticket.token & 1])
    if ticket.side == .buy { raw(",\"side\":\"BUY\"") } else { raw(",\"side\":\"SELL\"") }
    raw(",\"price\":")
    quotedDecimal(ticket.price)
    raw(",\"original_size\":")
    quotedDecimal(ticket.size)
    raw(",\"size_matched\":")
    quotedDecimal(record.matched)
    raw(",\"outcome\":")
    quoted(market.outcomes[ticket.token & 1])
    raw(",\"order_type\":")
    plain(ticket.kind.rawValue)
    raw(",\"status\":")
    quoted(record.status)
    raw(",\"created_at\":\"")
    integer(record.createdAt.seconds)
    raw("\",\"expiration\":\"")
    integer(ticket.expiration)
    raw("\",\"associate_trades\":")
    if record.trades.isEmpty { raw("null") } else { list(record.trades) }
    raw(",\"owner\":")
    quoted(ticket.owner)
    raw(",\"order_owner\":")
    quoted(ticket.owner)
    raw(",\"maker_address\":")
    quoted(ticket.maker)
    raw(",\"timestamp\":\"")
    integer(world.now.milliseconds)
    raw("\"}")
  }

  /// A trade as the user channel tells it to one who took part; its status follows from its age.
  mutating func userTrade(_ trade: TradeRecord, asMaker: Bool, now: Timestamp) {
    raw("{\"event_type\":\"trade\",\"type\":\"TRADE\",\"timestamp\":\"")
    integer(now.milliseconds)
    raw("\",\"trade_owner\":")
    quoted(asMaker ? trade.maker.owner : trade.taker.owner)
    byte(0x2C)
    var rest = ByteWriter(capacity: 768)
    rest.trade(trade, asMaker: asMaker, now: now)
    append(rest.bytes.dropFirst())
  }
}
