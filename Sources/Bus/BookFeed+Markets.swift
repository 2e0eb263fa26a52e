internal import Market

extension BookFeed {
  func applyMarkets(_ reader: inout MessagePackReader, _ source: Int, _ onMarket: (Int) -> Void) -> Bool {
    do {
      for _ in 0..<(try reader.array()) {
        let message = try MarketMessage(&reader)
        onMarket(adopt(message, source))
      }
      return true
    } catch {
      malformed(error, "market")
      return false
    }
  }

  /// Takes a market that did not come over the bus, as replays and tests have them.
  ///
  /// - Returns: its place in `markets`.
  package func adopt(_ message: MarketMessage) -> Int { adopt(message, sourceNumber("")) }

  private func adopt(_ message: MarketMessage, _ source: Int) -> Int {
    let market = message.market
    let key = "\(market.venue.rawValue)/\(market.id)"
    guard let place = marketIndex[key] else {
      let place = markets.count
      markets.append(market)
      marketBooks.append([])
      marketIndex[key] = place
      adoptBooks(message, place, source)
      return place
    }
    // What an old owner says of the market is older than what is known.
    if adoptBooks(message, place, source) { markets[place] = market }
    return place
  }

  /// Binds the handles, and settles to whom the books belong.
  ///
  /// - Returns: whether what the message says of the market counts.
  @discardableResult private func adoptBooks(_ message: MarketMessage, _ place: Int, _ source: Int) -> Bool {
    let market = message.market
    var counts = message.books.isEmpty
    let line = lineNumber(message.program)
    for (outcome, handle) in message.books.enumerated() {
      if marketBooks[place].count <= outcome {
        let book = cache.add(tick: market.tick)
        marketBooks[place].append(book)
        owners.append(BookOwner(market: place, outcome: outcome))
        bookSource.append(Int32(source))
        bookTerm.append(message.term)
        bookLine.append(line)
        if outcome < market.outcomes.count {
          bookIndex[market.instrument(ofOutcome: outcome)] = book
        }
      }
      let book = marketBooks[place][outcome]
      bind(handle, to: book, source, term: message.term)
      guard bookLine[book] == line else {
        if !market.isClosed { accompany(book, by: source) }
        // Both say the same, one of them a little later: the owner's word counts while there is one.
        if companions[book]?.owner.isWhole == false { counts = true }
        continue
      }
      switch standing(of: source, to: book, term: message.term, isClosed: market.isClosed) {
      case .owner:
        own(book, source, term: message.term)
        setTickOfAll(market.tick, of: book)
        if market.isClosed {
          cache.close(book)
          if !companions.isEmpty { companions[book]?.doubtAll() }
        } else if cache.header(book).state == .closed {
          cache.reset(book)
        }
        counts = true
      case .claimant:
        if claims[book]?.source != Int32(source) { removeClaim(of: book) }
        claims[book] = Claim(source: Int32(source), term: message.term, shadow: claims[book]?.shadow ?? -1)
        counts = true
      case .none: break
      }
    }
    return counts
  }

  private func bind(_ handle: UInt32, to book: BookIndex, _ source: Int, term: UInt64) {
    guard handle < 1 << 24 else { return }
    while sources[source].handles.count <= Int(handle) {
      sources[source].handles.append(-1)
      sources[source].terms.append(0)
    }
    sources[source].handles[Int(handle)] = Int32(book)
    sources[source].terms[Int(handle)] = term
  }
}
