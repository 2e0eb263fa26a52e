internal import Market

/// A market as the catalogue lists it, packed on the thread that read it.
struct PackedListing: ListedMarket {
  let id: String
  /// What decides which shard has it.
  let shardKey: String
  let tick: Price
  let isClosed: Bool
  let endsAt: Timestamp?
  let outcomeCount: Int
  let dayVolume: Money
  let packed: PackedMarket

  init(_ market: PredictionMarket) {
    id = market.id
    shardKey = market.shardKey
    tick = market.tick
    isClosed = market.isClosed
    endsAt = market.endsAt
    outcomeCount = market.outcomes.count
    dayVolume = market.dayVolume
    packed = PackedMarket(market)
  }
}
