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
  /// Looks at one market; the touch decides in most cases, without a look at the levels.
  static func scan(_ place: Int, _ context: Scanner) -> Find? {
    let record = context.index.markets[place]
    guard record.yes >= 0 else { return nil }
    let yes = context.feed.cache.headerUnchecked(Int(record.yes)).pointee
    let no = context.feed.cache.headerUnchecked(Int(record.no)).pointee
    let buys = yes.bestAsk + no.bestAsk < fixedPointScale
    let sells = yes.bestBid + no.bestBid > fixedPointScale
    guard buys || sells else { return nil }
    guard record.isOpen, record.endsAt > context.now.nanoseconds else { return context.skip(.notTradable) }
    guard yes.state == .live, no.state == .live else { return context.skip(.bookNotLive) }
    let oldest = min(yes.receivedAt, no.receivedAt)
    guard context.now.nanoseconds(since: oldest) <= context.options.bookAgeMaxNanoseconds else {
      return context.skip(.bookTooOld)
    }
    let fees = context.feed.markets[place].fees
    let legs = [
      FindLeg(market: place, outcome: 0, book: Int(record.yes)),
      FindLeg(market: place, outcome: 1, book: Int(record.no)),
    ]
    let side: BookSide = buys ? .ask : .bid
    let sides = legs.map { SetLeg(levels: context.feed.cache.side(side, of: $0.book), fees: fees) }
    return context.find(buys ? .binaryBuy : .binarySell, place: place, legs: legs, sides: sides, setValue: .one)
  }
}
