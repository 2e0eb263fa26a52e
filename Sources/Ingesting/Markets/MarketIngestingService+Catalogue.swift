internal import Bus
internal import Daemon
internal import Market
internal import Venues

/// How the catalogue is read, and how this shard follows the supervisor's plans.
extension MarketIngestingService {
  // MARK: - Requests

  func requestListing(_ now: Int64) {
    desk.isListing = true
    desk.nextListingAt = now + desk.refreshNanoseconds
    desk.listingRequestedAt = now
    markets.metadataChanged = false
    let (listing, mailbox) = (listing, mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(Self.listed(.success(try await listing())))
      } catch {
        mailbox.post(Self.listed(.failure(error)))
      }
    }
  }

  func take(listing result: Result<CatalogueListing<Markets.Listed>, VenueError>) {
    desk.isListing = false
    let now = SystemClock.monotonicNanoseconds
    switch result {
    case .failure(let error):
      desk.listingFailures += 1
      let wait = StreamConnection.backoffNanoseconds(failures: desk.listingFailures, random: loop.random.next())
      desk.nextListingAt = now + min(wait, desk.refreshNanoseconds)
      if desk.listingFailures == 1 || desk.listingFailures % 10 == 0 {
        Log.warning(
          "catalogue cannot be read",
          ["venue": venue.rawValue, "failures": "\(desk.listingFailures)", "problem": "\(error)"])
      }
    case .success(let listing):
      desk.listingFailures = 0
      desk.listings += 1
      desk.refused += UInt64(listing.rejected.count)
      for error in listing.rejected.prefix(3) { Log.warning("market left out", ["problem": "\(error)"]) }
      if shards.isSettled(now) { adopt(listing) } else { desk.held = listing }
    }
  }

  // MARK: - Adopting

  func adopt(_ listing: CatalogueListing<Markets.Listed>) {
    var changed: [Int] = []
    var added: [Int] = []
    var gone: [Int] = []
    var refiled: [Int] = []
    var ids: Set<String> = []
    desk.foreign.removeAll(keepingCapacity: true)
    for listed in listing.markets {
      guard ids.insert(listed.id).inserted else { continue }
      let owned = markets.ownedPlace(of: listed.id)
      let term = shards.term(ofKey: listed.shardKey)
      if !isOwn(term: term, isKnown: owned != nil) {
        desk.foreign.append(listed)
        // While others take, what they are to have stays here.
        guard let owned, shards.plan.phase == .take || !markets.isRefiled(owned) else {
          if let owned { refiled.append(owned) }
          continue
        }
      }
      let (place, change) = markets.adopt(listed, term: term ?? 0, desk.batch)
      switch change {
      case .same: continue
      case .added: if !listed.isClosed { added.append(place) }
      case .changed: break
      case .closed: gone.append(place)
      }
      changed.append(place)
    }
    // A listing with markets that could not be read says nothing about those that it does not name.
    if listing.rejected.isEmpty {
      let missing = markets.sweepMissing(listed: ids, desk.batch)
      changed += missing
      gone += missing
    }
    // The handles first: no book is told before its market is.
    publishMarkets(changed)
    publishBatch()
    watch(added)
    unwatch(gone)
    drop(refiled)
    desk.catalogueAt = desk.listingRequestedAt
    keepConnections(SystemClock.monotonicNanoseconds)
    shrinkLater()
    if !desk.isReady { becomeReady(with: added, pages: listing.pageCount) }
  }

  private func becomeReady(with added: [Int], pages: Int) {
    desk.unsettled.formUnion(added.flatMap { markets.entries[$0].books })
    desk.isReady = true
    // What was traded since the process before has ended.
    if let watermark = history.watermark { for index in connections.indices { history.missed[index] = watermark } }
    Log.info(
      "catalogue read",
      [
        "venue": venue.rawValue, "markets": "\(markets.ownedCount)", "books": "\(markets.bookCount)",
        "pages": "\(pages)", "connections": "\(connections.count)", "shard": "\(shards.shard)/\(shards.plan.count)",
      ])
    context.notifyReady(status: statusText)
  }

  // MARK: - Shards

  /// Whether a market that the catalogue lists is this shard's.
  ///
  /// A market that is new while others take goes to its new owner at once: nobody who is to drop it takes it before.
  private func isOwn(term: UInt64?, isKnown: Bool) -> Bool {
    guard let term else { return false }
    return term >= shards.plan.generation || isKnown || !desk.isReady
  }

  /// Takes what a new plan gives to this shard, and drops what it takes away.
  func follow(_ plan: ShardPlan) {
    // Before the first listing there is nothing to move: it is taken by the plan that holds then.
    guard desk.isReady else { return }
    let taken = takeOwn()
    // Another shard may know markets that are younger than this one's last listing.
    if plan.phase == .take { desk.nextListingAt = min(desk.nextListingAt, SystemClock.monotonicNanoseconds) }
    let dropped =
      plan.phase == .take
      ? []
      : markets.entries.indices.filter {
        markets.entries[$0].isOwned && shards.term(ofKey: markets.market($0).shardKey) == nil
      }
    drop(dropped)
    if taken > 0 || !dropped.isEmpty { logPlan(taken: "\(taken)", dropped: "\(dropped.count)") }
  }

  private func takeOwn() -> Int {
    var taken: [Int] = []
    var others: [Markets.Listed] = []
    for listed in desk.foreign {
      guard let term = shards.term(ofKey: listed.shardKey) else {
        others.append(listed)
        continue
      }
      // What is still here from before was never dropped.
      guard markets.ownedPlace(of: listed.id) == nil else { continue }
      taken.append(markets.adopt(listed, term: term, desk.batch).place)
    }
    desk.foreign = others
    guard !taken.isEmpty else { return 0 }
    desk.taken += UInt64(taken.count)
    let open = taken.filter { !markets.entries[$0].isClosed }
    desk.unsettled.formUnion(open.flatMap { markets.entries[$0].books })
    publishMarkets(taken)
    publishBatch()
    watch(open)
    keepConnections(SystemClock.monotonicNanoseconds)
    return taken.count
  }

  /// Stops watching and publishing markets that other shards have.
  private func drop(_ places: [Int]) {
    guard !places.isEmpty else { return }
    for place in places {
      desk.foreign.append(markets.listed(place))
      markets.drop(place, desk.batch)
    }
    desk.dropped += UInt64(places.count)
    desk.unsettled.subtract(places.flatMap { markets.entries[$0].books })
    publishBatch()
    unwatch(places)
  }

  /// Tells the supervisor as soon as this shard has all that the plan gives it, and nothing else.
  func confirmPlan(_ now: Int64) {
    guard desk.isReady, shards.wantsConfirmation(now) else { return }
    guard shards.plan.phase != .take || desk.catalogueAt >= shards.planAt else { return }
    let time = SystemClock.now
    desk.unsettled = desk.unsettled.filter { book in
      let state = markets.state(of: book)
      guard state != .live, state != .closed else { return false }
      // The venue tells nothing more of a market that has ended.
      return markets.entries[markets.entry(of: book)].endsAt.map { $0 > time } ?? true
    }
    if desk.unsettled.isEmpty { confirm(now) }
  }
}
