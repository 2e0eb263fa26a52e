internal import Market

/// How books pass from one publisher to another.
///
/// A book is owned (its owner's items are applied) → claimed (another publisher has announced it under a term that is
/// not lower; its items go to a copy of its own, the shadow) → owned by the claimant, as soon as the shadow is not
/// behind. A claim ends before that when its publisher withdraws, restarts or is gone, or another one claims the book.
extension BookFeed {
  struct Claim {
    let source: Int32
    let term: UInt64
    /// Its copy in `shadows`; −1 before its snapshot.
    var shadow: BookIndex
  }

  enum Standing {
    case owner, claimant, none
  }

  /// What a publisher is to a book that it announces.
  func standing(of source: Int, to book: BookIndex, term: UInt64, isClosed: Bool) -> Standing {
    if bookSource[book] == Int32(source) { return .owner }
    guard term >= bookTerm[book], term >= claims[book]?.term ?? 0 else { return .none }
    // Without a live book there is nothing that must not be interrupted; and what has ended has ended.
    return cache.header(book).state != .live || isClosed ? .owner : .claimant
  }

  /// Gives a book to a publisher, and ends claims that are not above it.
  func own(_ book: BookIndex, _ source: Int, term: UInt64) {
    if let claim = claims[book], claim.source == Int32(source) || claim.term <= term { removeClaim(of: book) }
    if bookSource[book] != Int32(source), !companions.isEmpty { companions[book]?.owner.isWhole = false }
    bookSource[book] = Int32(source)
    bookTerm[book] = term
  }

  /// What the owner has told of a book is all of it.
  func ownerIsWhole(_ book: BookIndex) {
    guard !companions.isEmpty else { return }
    companions[book]?.owner.isWhole = true
    companions[book]?.begin(at: cache.header(book).venueTime)
  }

  /// The owner tells nothing more: the claimant follows, and where there is none that has told the whole book, it is
  /// stale.
  ///
  /// A claimant that is a little behind gets it when it has caught up; until then the book stands as it is.
  func withdraw(_ book: BookIndex) {
    bookSource[book] = -1
    if !companions.isEmpty { companions[book]?.owner.isWhole = false }
    leaveIfAlone(book)
  }

  /// A book that has no owner any more, and no claimant or companion whose copy is whole, is stale.
  func leaveIfAlone(_ book: BookIndex) {
    if bookSource[book] < 0, !isAccompanied(book), claims[book]?.shadow ?? -1 < 0 { cache.markStale(book) }
  }

  /// What the owner told may be wrong: a claimant that has told the whole book gets it at once.
  func ownerIsInDoubt(_ book: BookIndex) {
    if !companions.isEmpty, companions[book] != nil { return doubtCopy(nil, of: book) }
    cache.markStale(book)
    if !claims.isEmpty { settleClaim(of: book) }
  }

  /// Gives a book to its claimant as soon as that one's copy is not behind what is known.
  func settleClaim(of book: BookIndex) {
    guard let claim = claims[book] else { return }
    guard claim.shadow >= 0, shadows.header(claim.shadow).state == .live else { return leaveIfAlone(book) }
    let known = cache.header(book)
    let shadow = shadows.header(claim.shadow)
    guard known.state != .closed else { return }
    if known.state == .live {
      guard shadow.venueTime >= known.venueTime else { return }
      // Several changes have one time: only the next one, or the same levels, show that none is missing.
      let isAhead = shadow.venueTime > known.venueTime || bookSource[book] < 0
      guard isAhead || isSame(book, claim.shadow) else { return }
    }
    cache.setTick(shadow.tick, of: book)
    _ = cache.replace(
      book, bids: shadows.side(.bid, of: claim.shadow), asks: shadows.side(.ask, of: claim.shadow),
      venueTime: shadow.venueTime, receivedAt: shadow.receivedAt)
    own(book, Int(claim.source), term: claim.term)
    ownerIsWhole(book)
    counters.handedOver += 1
  }

  private func isSame(_ book: BookIndex, _ shadow: BookIndex) -> Bool {
    cache.side(.bid, of: book).elementsEqual(shadows.side(.bid, of: shadow))
      && cache.side(.ask, of: book).elementsEqual(shadows.side(.ask, of: shadow))
  }

  func removeClaim(of book: BookIndex) {
    guard !claims.isEmpty else { return }
    releaseShadow(of: book)
    claims[book] = nil
  }

  /// A publisher's copies are void; with its word of them, where it has started anew or is gone.
  func voidClaims(of source: Int, wholly: Bool) {
    for (book, claim) in claims where claim.source == Int32(source) {
      if wholly { removeClaim(of: book) } else { releaseShadow(of: book) }
      leaveIfAlone(book)
    }
  }

  func takeShadow(tick: Price) -> BookIndex {
    guard let free = freeShadows.popLast() else { return shadows.add(tick: tick) }
    return free
  }

  func releaseShadow(of book: BookIndex) {
    guard let claim = claims[book], claim.shadow >= 0 else { return }
    shadows.reset(claim.shadow)
    freeShadows.append(claim.shadow)
    claims[book]?.shadow = -1
  }
}
