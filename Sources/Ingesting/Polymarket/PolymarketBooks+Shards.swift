package import Bus
internal import Market
internal import Venues

/// Markets that pass from one shard to another.
extension PolymarketBooks {
  /// The place of a market that this shard has, or nil.
  package func ownedPlace(of id: String) -> Int? {
    guard let place = place(of: id), entries[place].isOwned else { return nil }
    return place
  }

  /// Takes a market that this shard has had before; its books want a snapshot.
  func takeBack(_ place: Int, _ listed: PackedListing, _ term: UInt64) -> (place: Int, change: MarketChange) {
    entries[place].isOwned = true
    entries[place].term = term
    ownedCount += 1
    if entries[place].books.isEmpty {
      list(listed, at: place)
      entries[place].tick = listed.tick
      addBooks(of: place)
      return (place, .added)
    }
    let result = reopen(place, listed)
    guard listed.isClosed else { return result }
    for book in entries[place].books {
      parser.unbind(token: token(of: book))
      cache.close(book)
    }
    return result
  }

  /// Drops a market that another shard has: its books are withdrawn.
  package func drop(_ place: Int, _ batch: BookBatch) {
    guard entries[place].isOwned else { return }
    entries[place].isOwned = false
    ownedCount -= 1
    for book in entries[place].books {
      parser.unbind(token: token(of: book))
      cache.reset(book)
      wanted.remove(book)
      droppedAt[book] = nil
      batch.withdrawn(book: UInt32(book))
    }
  }

  /// Notes that the venue has filed a market of this shard so that another one is to have it.
  ///
  /// - Returns: whether two listings running have said so: by then the other one has it, too.
  package func isRefiled(_ place: Int) -> Bool {
    entries[place].foreignListings += 1
    return entries[place].foreignListings >= 2
  }
}
