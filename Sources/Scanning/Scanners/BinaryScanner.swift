internal import Bus
internal import Market

/// YES and NO of one market: together they pay exactly 1 (S4).
///
/// Buy both where `ask(YES) + ask(NO) + fees < 1`; split 1 into a set and sell both where
/// `bid(YES) + bid(NO) − fees > 1`. The two books of a Polymarket market mirror each other, so this is real only while
/// the mirror is momentarily broken: both books must be live and have changed lately (S3a).
///
/// Example: YES asks 100 at 0.40, NO asks 60 at 0.55 and 100 at 0.58, no fees. 60 sets cost 0.95 each and 40 more 0.98
/// each: 100 sets for 96.20, which pay 100: profit 3.80.
enum BinaryScanner {
  /// Whether the touch of both books shows a sum below 1 or above it: the answer is nearly always no.
  @inline(__always) static func isCandidate(_ record: MarketRecord, _ touches: UnsafePointer<Touch>) -> Bool {
    guard record.yes >= 0 else { return false }
    let yes = touches[Int(record.yes)]
    let no = touches[Int(record.no)]
    return yes.ask + no.ask < fixedPointScale || yes.bid + no.bid > fixedPointScale || record.hasFind
  }

  /// Looks at one market, level by level; nothing is allocated for it.
  static func scan(_ place: Int, _ context: Scanner) -> PricedSet? {
    let record = context.index.markets[place]
    guard record.yes >= 0 else { return nil }
    let yes = context.feed.cache.headerUnchecked(Int(record.yes))
    let no = context.feed.cache.headerUnchecked(Int(record.no))
    let buys = yes.pointee.bestAsk + no.pointee.bestAsk < fixedPointScale
    let sells = yes.pointee.bestBid + no.pointee.bestBid > fixedPointScale
    guard buys || sells else { return nil }
    guard record.isOpen, context.index.endsAt[place] > context.now.nanoseconds else {
      return context.skip(.notTradable)
    }
    guard yes.pointee.state == .live, no.pointee.state == .live else { return context.skip(.bookNotLive) }
    let oldest = min(yes.pointee.receivedAt, no.pointee.receivedAt)
    guard context.now.nanoseconds(since: oldest) <= context.options.bookAgeMaxNanoseconds else {
      return context.skip(.bookTooOld)
    }
    let fees = context.index.fees[place]
    let side: BookSide = buys ? .ask : .bid
    return withUnsafeTemporaryAllocation(of: BookIndex.self, capacity: 2) { books in
      withUnsafeTemporaryAllocation(of: SetLeg.self, capacity: 2) { sides in
        for number in 0..<2 {
          let book = Int(number == 0 ? record.yes : record.no)
          books.initializeElement(at: number, to: book)
          sides.initializeElement(at: number, to: SetLeg(levels: context.feed.cache.side(side, of: book), fees: fees))
        }
        return context.price(
          buys ? .binaryBuy : .binarySell, books: UnsafeBufferPointer(books), sides: UnsafeBufferPointer(sides),
          setValue: .one)
      }
    }
  }

  /// The legs of a market's find.
  static func legs(_ place: Int, _ context: Scanner) -> [FindLeg] {
    let record = context.index.markets[place]
    return [
      FindLeg(market: place, outcome: 0, book: Int(record.yes)),
      FindLeg(market: place, outcome: 1, book: Int(record.no)),
    ]
  }
}
