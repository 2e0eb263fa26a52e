internal import Bus
internal import Daemon
internal import Market

/// How this shard follows the supervisor's plans.
extension PolymarketIngestingService {
  /// One line for people.
  var statusText: String { "\(shards.title)\(books.ownedCount) markets" }

  /// Takes what a new plan gives to this shard, and drops what it takes away.
  func follow(_ plan: ShardPlan) {
    // Before the first listing there is nothing to move: it is taken by the plan that holds then.
    guard isReady else { return }
    let taken = takeOwn()
    // Another shard may know markets that are younger than this one's last listing.
    if plan.phase == .take { nextListingAt = min(nextListingAt, SystemClock.monotonicNanoseconds) }
    let dropped = plan.phase == .take ? [] : places { shards.term(ofKey: $0.shardKey) == nil }
    drop(dropped)
    guard taken > 0 || !dropped.isEmpty else { return }
    Log.info(
      "shard plan",
      [
        "phase": plan.phase.name, "shard": "\(shards.shard)", "from": "\(plan.previousCount)", "to": "\(plan.count)",
        "taken": "\(taken)", "dropped": "\(dropped.count)", "markets": "\(books.ownedCount)",
      ])
  }

  /// Whether a market that the catalogue lists is this shard's.
  ///
  /// A market that is new while others take goes to its new owner at once: nobody who is to drop it takes it before.
  func isOwn(_ market: PredictionMarket, term: UInt64?, isKnown: Bool) -> Bool {
    guard let term else { return false }
    return term >= shards.plan.generation || isKnown || !isReady
  }

  private func takeOwn() -> Int {
    var places: [Int] = []
    var added: [BookIndex] = []
    var others: [PredictionMarket] = []
    for market in foreign {
      guard let term = shards.term(ofKey: market.shardKey) else {
        others.append(market)
        continue
      }
      // What is still here from before was never dropped.
      guard books.ownedPlace(of: market.id) == nil else { continue }
      let (place, _) = books.adopt(market, term: term, batch)
      places.append(place)
      if !market.isClosed { added += books.entries[place].books }
    }
    foreign = others
    guard !places.isEmpty else { return 0 }
    takenCount += UInt64(places.count)
    unsettled.formUnion(added)
    publishMarkets(places)
    publishBatch()
    watch(added)
    keepConnections(SystemClock.monotonicNanoseconds)
    return places.count
  }

  private func places(where isChosen: (PredictionMarket) -> Bool) -> [Int] {
    books.entries.indices.filter { books.entries[$0].isOwned && isChosen(books.entries[$0].market) }
  }

  /// Stops watching and publishing markets that other shards have.
  func drop(_ places: [Int]) {
    guard !places.isEmpty else { return }
    var gone: [BookIndex] = []
    for place in places {
      books.drop(place, batch)
      gone += books.entries[place].books
      foreign.append(books.entries[place].market)
    }
    droppedCount += UInt64(places.count)
    unsettled.subtract(gone)
    publishBatch()
    unwatch(gone)
  }

  /// Tells the supervisor as soon as this shard has all that the plan gives it, and nothing else.
  func confirmPlan(_ now: Int64) {
    guard isReady, shards.wantsConfirmation(now) else { return }
    guard shards.plan.phase != .take || catalogueAt >= shards.planAt else { return }
    let time = SystemClock.now
    unsettled = unsettled.filter { book in
      let state = books.cache.header(book).state
      guard state != .live, state != .closed else { return false }
      // The venue tells nothing more of a market that has ended.
      return books.entries[books.entryOfBook[book]].market.endsAt.map { $0 > time } ?? true
    }
    guard unsettled.isEmpty, shards.confirm(now, status: statusText), shards.plan.generation > 0 else { return }
    Log.info(
      "shard plan is done",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)/\(shards.plan.count)",
        "markets": "\(books.ownedCount)", "ms": "\(shards.lastHandOverNanoseconds / 1_000_000)",
      ])
  }
}
