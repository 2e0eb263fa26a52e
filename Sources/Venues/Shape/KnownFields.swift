internal import Market

/// The members that a venue's answers had when the parsers were written, by kind: others are new.
///
/// Not all of them are read, and none has to be there: what has to be is what the parsers ask for.
enum KnownFields {
  /// The names, at any depth; nil for kinds whose members are no fixed names, such as those of Kraken, which bear the
  /// names of pairs.
  static func of(_ venue: Venue, _ kind: String) -> Set<String>? {
    texts["\(venue.rawValue) \(kind)"].map { Set($0.split(whereSeparator: \.isWhitespace).map(String.init)) }
  }

  /// Members that are read and may be missing in a row, but not in a whole answer: where one bears another name, markets
  /// would become placeholders, or cost nothing, without a word.
  static func expected(_ venue: Venue, _ kind: String) -> [String] {
    switch (venue, kind) {
    case (.polymarket, "events"):
      [
        "conditionId", "clobTokenIds", "outcomes", "question", "orderPriceMinTickSize", "orderMinSize", "active",
        "closed", "acceptingOrders", "negRisk", "endDate", "feesEnabled",
      ]
    case (.kalshi, "events"):
      ["event_ticker", "series_ticker", "mutually_exclusive", "markets", "price_ranges", "close_time", "rules_primary"]
    default: []
    }
  }

  private static let texts: [String: String] = [
    "polymarket events": """
    acceptingOrders acceptingOrdersTimestamp active approved archived assetAddress automaticallyActive
    automaticallyResolved bestAsk bestBid clearBookOnStart clobRewards clobTokenIds closed closedTime comboStatus
    commentCount competitive conditionId context_description context_requires_regen context_updated_at createdAt
    creationDate cumulativeMarkets customLiveness cyom deploying deployingTimestamp description enableNegRisk
    enableOrderBook endDate endDateIso estimateValue eventMetadata eventStartTime events exponent featured
    feeSchedule feeType feesEnabled forceHide forceShow funded gmpChartMode groupItemThreshold groupItemTitle
    hasReviewedDates holdingRewardsEnabled icon id image isCarousel label lastTradePrice liquidity liquidityAmm
    liquidityClob liquidityNum makerBaseFee makerRebatesFeeShareBps manualActivation marketMakerAddress markets
    negRisk negRiskAugmented negRiskOther negRiskRequestID new next_cursor oneDayPriceChange oneHourPriceChange
    oneMonthPriceChange oneWeekPriceChange oneYearPriceChange openInterest orderMinSize orderPriceMinTickSize
    outcomePrices outcomes pagerDutyNotificationEnabled pendingDeployment publishedAt question questionID rate
    ready rebateRate requiresTranslation resolutionSource resolvedBy restricted rewardsAmount rewardsDailyRate
    rewardsMaxSpread rewardsMinSize rfqEnabled seriesColor showAllOutcomes showGmpOutcome showGmpSeries
    showMarketImages slug spread startDate startDateIso submitted_by tags takerBaseFee takerOnly ticker title
    umaBond umaEndDate umaResolutionStatus umaResolutionStatuses umaReward updatedAt updatedBy volume volume1mo
    volume1moAmm volume1moClob volume1wk volume1wkAmm volume1wkClob volume1yr volume1yrAmm volume1yrClob
    volume24hr volume24hrAmm volume24hrClob volumeAmm volumeClob volumeNum
    """,
    "polymarket book": """
    asks asset_id bids hash last_trade_price market min_order_size neg_risk price size tick_size timestamp
    """,
    "polymarket books": """
    asks asset_id bids hash last_trade_price market min_order_size neg_risk price size tick_size timestamp
    """,
    "polymarket trades": """
    asset bio conditionId eventSlug icon name outcome outcomeIndex price profileImage profileImageOptimized
    proxyWallet pseudonym side size slug timestamp title transactionHash
    """,
    "kalshi events": """
    available_on_brokers cadence can_close_early category close_time collateral_return_type created_time cursor
    custom_strike early_close_condition end event event_ticker events exchange_index expected_expiration_time
    expiration_time expiration_value floor_strike last_price_dollars last_updated_ts latest_expiration_time
    liquidity_dollars market_type markets milestones mutually_exclusive name no_ask_dollars no_bid_dollars
    no_sub_title notional_value_dollars occurrence_datetime open_interest_fp open_time previous_price_dollars
    previous_yes_ask_dollars previous_yes_bid_dollars price_level_structure price_ranges product_metadata result
    round_digits rules_primary rules_secondary series_ticker settlement_sources settlement_timer_seconds
    settlement_ts settlement_value_dollars start status step strike_date strike_period strike_type sub_title
    subtitle ticker title updated_time url volume_24h_fp volume_fp yes_ask_dollars yes_ask_size_fp yes_bid_dollars
    yes_bid_size_fp yes_sub_title
    """,
    "kalshi orderbooks": """
    no_dollars orderbook_fp orderbooks ticker yes_dollars
    """,
    "kalshi trades": """
    count_fp created_time cursor is_block_trade no_price_dollars taker_book_side taker_outcome_side taker_side
    ticker trade_id trades yes_price_dollars
    """,
    "kalshi exchange_status": """
    exchange_active exchange_estimated_resume_time intra_exchange_transfers_active trading_active
    """,
    "binance ticker": """
    askPrice askQty bidPrice bidQty symbol
    """,
    "binance trades": """
    id isBestMatch isBuyerMaker price qty quoteQty time
    """,
    "coinbase ticker": """
    ask bid price rfq_volume size time trade_id volume
    """,
    "coinbase trades": """
    price side size time trade_id
    """,
    "okx candles": """
    code data msg
    """,
    "okx trades": """
    code data instId msg px side source sz tradeId ts
    """,
    "okx ticker": """
    askPx askSz bidPx bidSz code data high24h instId instType last lastSz low24h msg open24h sodUtc0 sodUtc8 ts
    vol24h volCcy24h
    """,
    "bybit candles": """
    category list result retCode retExtInfo retMsg symbol time
    """,
    "bybit ticker": """
    ask1Price ask1Size bid1Price bid1Size category highPrice24h lastPrice list lowPrice24h prevPrice24h
    price24hPcnt result retCode retExtInfo retMsg symbol time turnover24h usdIndexPrice volume24h
    """,
    "bybit trades": """
    category execId isBlockTrade isRPITrade list price result retCode retExtInfo retMsg seq side size symbol time
    """,
  ]
}
