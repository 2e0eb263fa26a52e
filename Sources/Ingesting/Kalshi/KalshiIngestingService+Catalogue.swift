internal import Bus
internal import Daemon
internal import Market
internal import Venues

extension KalshiIngestingService {
  // MARK: - Requests

  func requestListing(_ now: Int64) {
    isListing = true
    nextListingAt = now + options.refreshNanoseconds
    listingRequestedAt = now
    markets.metadataChanged = false
    let (rest, mailbox) = (rest, mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(.listing(.success(try await rest.events(status: "open"))))
      } catch {
        mailbox.post(.listing(.failure(error)))
      }
    }
  }

  /// Asks what the series charge, at the start and every hour.
  func requestSeries(_ now: Int64) {
    nextSeriesAt = now + 3_600_000_000_000
    let (rest, mailbox) = (rest, mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(.series(.success(try await rest.allSeries())))
      } catch {
        mailbox.post(.series(.failure(error)))
      }
    }
  }

  func take(series result: Result<[KalshiSeries]?, VenueError>) {
    switch result {
    case .success(let series):
      fees.take(series ?? [])
      // The markets that are here were read with the ordinary fees.
      if isReady, series?.isEmpty == false { markets.metadataChanged = true }
    case .failure(let error):
      nextSeriesAt = SystemClock.monotonicNanoseconds + 60_000_000_000
      Log.warning("fees cannot be read", ["venue": "kalshi", "problem": "\(error)"])
    }
  }

  func take(listing result: Result<KalshiEventListing, VenueError>) {
    isListing = false
    switch result {
    case .failure(let error):
      listingFailures += 1
      let wait = StreamConnection.backoffNanoseconds(failures: listingFailures, random: random.next())
      nextListingAt = SystemClock.monotonicNanoseconds + min(wait, options.refreshNanoseconds)
      if listingFailures == 1 || listingFailures % 10 == 0 {
        Log.warning(
          "catalogue cannot be read",
          ["venue": "kalshi", "failures": "\(listingFailures)", "problem": "\(error)"])
      }
    case .success(let listing):
      listingFailures = 0
      listings += 1
      refusedMarkets += UInt64(listing.rejected.count)
      for error in listing.rejected.prefix(3) { Log.warning("market left out", ["problem": "\(error)"]) }
      if shards.isSettled(SystemClock.monotonicNanoseconds) { adopt(listing) } else { heldListing = listing }
    }
  }

  // MARK: - Adopting

  func adopt(_ listing: KalshiEventListing) {
    var changed: [Int] = []
    var added: [Int] = []
    var gone: [Int] = []
    var refiled: [Int] = []
    var tickers: Set<String> = []
    foreign.removeAll(keepingCapacity: true)
    for market in listing.events.flatMap(\.markets) where tickers.insert(market.market.id).inserted {
      let owned = markets.place(of: market.market.id)
      let term = shards.term(ofKey: market.market.shardKey)
      if !isOwn(term: term, isKnown: owned != nil) {
        foreign.append(market)
        // While others take, what they are to have stays here.
        guard let owned, shards.plan.phase == .take || !markets.isRefiled(owned) else {
          if let owned { refiled.append(owned) }
          continue
        }
      }
      let (place, change) = markets.adopt(market, term: term ?? 0, batch)
      switch change {
      case .same: continue
      case .added: if !market.market.isClosed { added.append(place) }
      case .changed: break
      case .closed: gone.append(place)
      }
      changed.append(place)
    }
    // A listing with markets that could not be read says nothing about those that it does not name.
    if listing.rejected.isEmpty {
      let missing = markets.sweepMissing(listed: tickers, batch)
      changed += missing
      gone += missing
    }
    // The handles first: no book is told before its market is.
    publishMarkets(changed)
    publishBatch()
    watch(added)
    unwatch(gone)
    drop(refiled)
    catalogueAt = listingRequestedAt
    keepConnections(SystemClock.monotonicNanoseconds)
    guard !isReady else { return }
    unsettled.formUnion(added.flatMap { markets.entries[$0].books })
    isReady = true
    Log.info(
      "catalogue read",
      [
        "venue": "kalshi", "markets": "\(markets.ownedCount)", "pages": "\(listing.pageCount)",
        "connections": "\(connections.count)", "shard": "\(shards.shard)/\(shards.plan.count)",
      ])
    context.notifyReady(status: statusText)
  }

  // MARK: - Shards

  /// One line for people.
  var statusText: String { "\(shards.title)\(markets.ownedCount) markets" }

  /// Whether a market that the catalogue lists is this shard's.
  ///
  /// A market that is new while others take goes to its new owner at once: nobody who is to drop it takes it before.
  private func isOwn(term: UInt64?, isKnown: Bool) -> Bool {
    guard let term else { return false }
    return term >= shards.plan.generation || isKnown || !isReady
  }

  /// Takes what a new plan gives to this shard, and drops what it takes away.
  func follow(_ plan: ShardPlan) {
    // Before the first listing there is nothing to move: it is taken by the plan that holds then.
    guard isReady else { return }
    let taken = takeOwn()
    // Another shard may know markets that are younger than this one's last listing.
    if plan.phase == .take { nextListingAt = min(nextListingAt, SystemClock.monotonicNanoseconds) }
    let dropped =
      plan.phase == .take
      ? []
      : markets.entries.indices.filter {
        markets.entries[$0].isOwned && shards.term(ofKey: markets.entries[$0].market.shardKey) == nil
      }
    drop(dropped)
    guard taken > 0 || !dropped.isEmpty else { return }
    Log.info(
      "shard plan",
      [
        "phase": plan.phase.name, "shard": "\(shards.shard)", "from": "\(plan.previousCount)", "to": "\(plan.count)",
        "taken": "\(taken)", "dropped": "\(dropped.count)", "markets": "\(markets.ownedCount)",
      ])
  }

  private func takeOwn() -> Int {
    var taken: [Int] = []
    var others: [KalshiMarket] = []
    for market in foreign {
      guard let term = shards.term(ofKey: market.market.shardKey) else {
        others.append(market)
        continue
      }
      // What is still here from before was never dropped.
      guard markets.place(of: market.market.id) == nil else { continue }
      taken.append(markets.adopt(market, term: term, batch).place)
    }
    foreign = others
    guard !taken.isEmpty else { return 0 }
    takenCount += UInt64(taken.count)
    let open = taken.filter { !markets.entries[$0].market.isClosed }
    unsettled.formUnion(open.flatMap { markets.entries[$0].books })
    publishMarkets(taken)
    publishBatch()
    watch(open)
    keepConnections(SystemClock.monotonicNanoseconds)
    return taken.count
  }

  /// Stops watching and publishing markets that other shards have.
  ///
  /// What they were is learnt again from the next listing, before a plan can give them back.
  func drop(_ places: [Int]) {
    guard !places.isEmpty else { return }
    for place in places {
      let entry = markets.entries[place]
      foreign.append(KalshiMarket(market: entry.market, grid: entry.grid))
      markets.drop(place, batch)
    }
    droppedCount += UInt64(places.count)
    unsettled.subtract(places.flatMap { markets.entries[$0].books })
    publishBatch()
    unwatch(places)
  }

  /// Tells the supervisor as soon as this shard has all that the plan gives it, and nothing else.
  func confirmPlan(_ now: Int64) {
    guard isReady, shards.wantsConfirmation(now) else { return }
    guard shards.plan.phase != .take || catalogueAt >= shards.planAt else { return }
    let time = SystemClock.now
    unsettled = unsettled.filter { book in
      let state = markets.cache.header(book).state
      guard state != .live, state != .closed else { return false }
      // The venue tells nothing more of a market that has ended.
      return markets.entries[markets.entryOfBook[book]].market.endsAt.map { $0 > time } ?? true
    }
    guard unsettled.isEmpty, shards.confirm(now, status: statusText), shards.plan.generation > 0 else { return }
    Log.info(
      "shard plan is done",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)/\(shards.plan.count)",
        "markets": "\(markets.ownedCount)", "ms": "\(shards.lastHandOverNanoseconds / 1_000_000)",
      ])
  }
}
