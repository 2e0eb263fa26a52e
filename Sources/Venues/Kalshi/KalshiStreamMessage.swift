public import Market

/// One message of Kalshi's WebSocket.
public struct KalshiStreamMessage: Hashable, Sendable {
  /// Which subscription it belongs to; nil for errors and for what we send ourselves.
  public var sid: Int64?
  /// Its number within the subscription; nil where the kind has none (`ticker`, `fill`, `user_order`, …).
  public var seq: Int64?
  /// Which request it answers.
  public var id: Int64?
  /// What it says.
  public var body: Body

  /// What a message says.
  public enum Body: Hashable, Sendable {
    /// The whole book of a market.
    case snapshot(KalshiSnapshot)
    /// One level has changed.
    case delta(KalshiDelta)
    /// Somebody traded.
    case trade(KalshiTrade)
    /// The best prices and totals of a market.
    case ticker(KalshiTicker)
    /// A market was created, opened, closed, settled or changed.
    case lifecycle(KalshiLifecycle)
    /// An event has fees of its own from here on, or no longer.
    case fees(KalshiFeeUpdate)
    /// An order of ours was filled.
    case fill(KalshiFill)
    /// An order of ours has changed.
    case order(KalshiOrder)
    /// What we hold in a market has changed.
    case position(KalshiPosition)
    /// A channel is subscribed, under this sid.
    case subscribed(channel: String, sid: Int64)
    /// A request was taken: the subscription's markets, or all subscriptions.
    case accepted(markets: [String], subscriptions: [KalshiSubscription])
    /// The subscription has ended.
    case unsubscribed
    /// A request was refused, or a subscription has failed.
    case refused(KalshiRefusal)
    /// A request of ours, as it stands in recordings.
    case command(name: String, channels: [String], markets: [String])
    /// A kind that is not read here.
    case ignored(type: String)
  }
}

/// One subscription.
public struct KalshiSubscription: Hashable, Sendable {
  /// Such as `orderbook_delta`.
  public var channel: String
  /// Its number on this connection.
  public var sid: Int64
}

/// Why the venue refuses.
///
/// `{"id":123,"type":"error","msg":{"code":7,"msg":"Unknown subscription ID"}}`.
public struct KalshiRefusal: Hashable, Sendable {
  /// 1 to 28; 9 authentication, 26 too many markets, 27 too many commands.
  public var code: Int64
  /// The venue's words.
  public var text: String

  /// Whether the subscription is over and wants to be made anew: 10 channel error, 25 we were too slow.
  public var endsSubscription: Bool { code == 10 || code == 25 }
}

/// The whole book of a market.
///
/// `{"type":"orderbook_snapshot","sid":2,"seq":2,"msg":{"market_ticker":"FED-23DEC-T3.00","market_id":"9b0f…",`
/// `"yes_dollars_fp":[["0.0800","300.00"]],"no_dollars_fp":[["0.5400","20.00"]]}}`; a side that is absent is empty, and
/// a market that closes sends one without either.
public struct KalshiSnapshot: Hashable, Sendable {
  /// Which market.
  public var ticker: String
  /// Its bids.
  public var levels: KalshiLevels
}

/// A change of one level.
///
/// `{"type":"orderbook_delta","sid":1,"seq":9169927,"msg":{"market_ticker":"KXGOLD15M-26AUG101900-00",`
/// `"price_dollars":"0.4600","delta_fp":"-9.12","side":"no","ts":"2026-08-10T22:45:38.602314Z","ts_ms":1786401938602}}`
public struct KalshiDelta: Hashable, Sendable {
  /// Which market.
  public var ticker: String
  /// Whose bids.
  public var outcome: KalshiOutcome
  /// The level, in prices of that outcome.
  public var price: Price
  /// By how much it changes, with a sign: never the new size.
  public var change: Quantity
  /// The venue's time; nil where the message has none.
  public var time: Timestamp?
  /// Our own id of the order that it comes from, where it is ours.
  public var clientOrderID: String?
}

/// A trade.
///
/// `{"type":"trade","sid":2,"seq":625369,"msg":{"trade_id":"ba26…","market_ticker":"KXGOLD15M-26AUG101900-00",`
/// `"yes_price_dollars":"0.5400","no_price_dollars":"0.4600","count_fp":"9.12","taker_side":"yes",`
/// `"taker_outcome_side":"yes","taker_book_side":"bid","ts":1786401938,"ts_ms":1786401938602}}`
///
/// The same over REST, with `ticker` and `created_time`. Each trade also comes as a delta of the maker's side.
public struct KalshiTrade: Hashable, Sendable {
  /// The venue's id.
  public var id: String
  /// Which market.
  public var ticker: String
  /// What YES cost.
  public var yesPrice: Price
  /// How many contracts.
  public var count: Quantity
  /// Which outcome the taker bought (buying NO is selling YES).
  public var takerOutcome: KalshiOutcome
  /// Whether it was agreed outside of the book, so that its price says nothing.
  public var isBlock: Bool
  /// The venue's time.
  public var time: Timestamp

  /// As a trade of YES, as every venue's trades are told.
  public var common: Trade {
    Trade(
      instrument: KalshiOutcome.yes.instrument(ofMarket: ticker), price: yesPrice, quantity: count,
      takerSide: takerOutcome == .yes ? .buy : .sell, time: time)
  }
}

/// The best prices and totals of a market.
///
/// `{"type":"ticker","sid":11,"msg":{"market_ticker":"FED-23DEC-T3.00","price_dollars":"0.4800",`
/// `"yes_bid_dollars":"0.4500","yes_ask_dollars":"0.5300","yes_bid_size_fp":"300.00","yes_ask_size_fp":"150.00",`
/// `"volume_fp":"33896.00","open_interest_fp":"20422.00","dollar_volume":16948,"ts":1669149841,"ts_ms":1669149841000}}`
public struct KalshiTicker: Hashable, Sendable {
  /// Which market.
  public var ticker: String
  /// The last price of YES; nil where it was never traded.
  public var lastPrice: Price?
  /// The best bid for YES; nil where there is none.
  public var yesBid: Level?
  /// The best offer of YES; nil where there is none.
  public var yesAsk: Level?
  /// What was traded in all its life, in contracts.
  public var volume: Quantity?
  /// Contracts that are held.
  public var openInterest: Quantity?
  /// The venue's time.
  public var time: Timestamp?
}

/// What became of a market.
///
/// `{"type":"market_lifecycle_v2","sid":13,"seq":4,"msg":{"market_ticker":"INXD-23SEP14-B4487",`
/// `"event_type":"price_level_structure_updated","price_level_structure":"deci_cent","price_ranges":[…]}}`
public struct KalshiLifecycle: Hashable, Sendable {
  /// Which market.
  public var ticker: String
  /// `created`, `activated`, `deactivated`, `close_date_updated`, `determined`, `settled`,
  /// `price_level_structure_updated`, `metadata_updated`, or a later word.
  public var event: String
  /// The new grid of prices, where it has changed.
  public var grid: PriceGrid?
  /// `yes`, `no` or `scalar`, where the market was determined.
  public var result: String?
  /// When it closes now, where that has changed.
  public var closesAt: Timestamp?
}

/// The fees of one event.
///
/// `{"type":"event_fee_update","sid":5,"seq":10,"msg":{"event_ticker":"KXBTCD-26MAY2018","fee_type_override":null,`
/// `"fee_multiplier_override":null}}`: null means that the series' own fees hold again.
public struct KalshiFeeUpdate: Hashable, Sendable {
  /// Which event.
  public var eventTicker: String
  /// Its fees; nil for those of its series.
  public var fees: KalshiFees?
}

/// A fill of one of our orders.
///
/// `{"type":"fill","sid":13,"msg":{"trade_id":"d91b…","order_id":"ee58…","client_order_id":"my-order-1",`
/// `"market_ticker":"HIGHNY-22DEC23-B53.5","is_taker":true,"side":"yes","yes_price_dollars":"0.7500",`
/// `"count_fp":"278.00","fee_cost":"0.010000","action":"buy","ts_ms":1671899397000,"post_position_fp":"500.00",`
/// `"outcome_side":"yes","book_side":"bid"}}`; over REST with `ticker`, `fill_id` and `created_time`.
public struct KalshiFill: Hashable, Sendable {
  /// The venue's id of the trade.
  public var tradeID: String
  /// The venue's id of the order.
  public var orderID: String
  /// Our id of the order.
  public var clientOrderID: String?
  /// Which market.
  public var ticker: String
  /// Which outcome we bought (buying NO is selling YES).
  public var outcome: KalshiOutcome
  /// What YES cost, also where NO was bought.
  public var yesPrice: Price
  /// How many contracts.
  public var count: Quantity
  /// What the venue took.
  public var fee: Money?
  /// Whether we took liquidity.
  public var isTaker: Bool
  /// What we hold afterwards: above zero YES, below zero NO.
  public var positionAfter: Quantity?
  /// The venue's time.
  public var time: Timestamp?
}

/// One of our orders.
///
/// `{"type":"user_order","sid":22,"msg":{"order_id":"ee58…","ticker":"FED-23DEC-T3.00","status":"resting",`
/// `"outcome_side":"yes","book_side":"bid","yes_price_dollars":"0.3500","fill_count_fp":"0.00",`
/// `"remaining_count_fp":"10.00","initial_count_fp":"10.00","taker_fees_dollars":"0.000000",…}}`; over REST the same.
public struct KalshiOrder: Hashable, Sendable {
  /// Where an order is in its life.
  public enum Status: String, Hashable, Sendable {
    case pending, resting
    /// Over with something left; an order of this state may have been filled in part.
    case canceled
    case executed
  }

  /// The venue's id.
  public var id: String
  /// Our id.
  public var clientOrderID: String?
  /// Which market.
  public var ticker: String
  /// Where it is in its life.
  public var status: Status
  /// Which outcome it buys (buying NO is selling YES).
  public var outcome: KalshiOutcome
  /// The limit in prices of YES.
  public var yesPrice: Price
  /// How many contracts it was for.
  public var initialCount: Quantity
  /// How many were filled.
  public var filledCount: Quantity
  /// How many are still wanted.
  public var remainingCount: Quantity
  /// What was paid for those that were filled; nil where the message does not say.
  public var cost: Money?
  /// What the venue took.
  public var fees: Money
  /// Why it changed, such as `Trade` or `ExpiryCancel`.
  public var updateReason: String?
  /// When it was made.
  public var createdAt: Timestamp?
}

/// What we hold in a market.
///
/// `{"type":"market_position","sid":14,"msg":{"market_ticker":"FED-23DEC-T3.00","position_fp":"100.00",`
/// `"position_cost_dollars":"50.0000","realized_pnl_dollars":"10.0000","fees_paid_dollars":"1.0000"}}`; over REST with
/// `ticker` and `market_exposure_dollars`.
public struct KalshiPosition: Hashable, Sendable {
  /// Which market.
  public var ticker: String
  /// Above zero YES, below zero NO: the two net against each other.
  public var position: Quantity
  /// What the position cost.
  public var cost: Money
  /// What was earned on what was closed.
  public var realised: Money
  /// Fees paid so far.
  public var fees: Money

  /// As every venue's positions are told; nil where nothing is held.
  public var common: VenuePosition? {
    guard position.raw != 0, position.raw > .min else { return nil }
    let held = Quantity(raw: abs(position.raw))
    let average = Int128(abs(cost.raw)) * Int128(fixedPointScale) / Int128(held.raw)
    return VenuePosition(
      instrument: (position.raw > 0 ? KalshiOutcome.yes : .no).instrument(ofMarket: ticker), marketID: ticker,
      quantity: held, averagePrice: Price(raw: Int64(clamping: average)))
  }
}
