import Bus
import Ingesting
import Market
import TestSupport
import Testing
import Venues

/// Books of two markets, and the frames that a stream would bring.
private final class Desk {
  let books: PolymarketBooks
  let batch = BookBatch()
  var now = Timestamp(nanoseconds: 1_784_852_721_000_000_000)

  init(verifiesHash: Bool = false) {
    books = PolymarketBooks(verifiesHash: verifiesHash, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
  }

  static func market(_ id: String, tick: String = "0.01") throws -> PredictionMarket {
    PredictionMarket(
      venue: .polymarket, id: id, eventID: "e", question: id,
      outcomes: [Outcome(token: id + "1", name: "Yes"), Outcome(token: id + "2", name: "No")], tick: try Price(tick))
  }

  @discardableResult func adopt(_ id: String) throws -> (place: Int, change: MarketChange) {
    books.adopt(try Desk.market(id), batch)
  }

  @discardableResult func take(_ frame: String) -> Bool {
    let bytes = Array(frame.utf8) + [UInt8](repeating: 0, count: 64)
    return bytes.withUnsafeBytes {
      books.take(UnsafeRawBufferPointer(rebasing: $0.dropLast(64)), receivedAt: now, batch)
    }
  }

  /// Milliseconds of the desk's time, as the venue writes them.
  func stamp(_ secondsAgo: Int64 = 0) -> String { "\(now.milliseconds - secondsAgo * 1000)" }

  func bookFrame(
    _ market: String, _ outcome: Int, bid: String = "0.40", ask: String = "0.42", extra: String = "", hash: String = ""
  ) -> String {
    """
    [{"event_type":"book","market":"\(market)","asset_id":"\(market)\(outcome)","timestamp":"\(stamp())",\
    "hash":"\(hash)","bids":[{"price":"\(bid)","size":"10"}],"asks":[{"price":"\(ask)","size":"5"}]\(extra)}]
    """
  }

  func changeFrame(_ market: String, _ changes: [(Int, String, String, String)], secondsAgo: Int64 = 0) -> String {
    let list = changes.map {
      "{\"asset_id\":\"\(market)\($0.0)\",\"price\":\"\($0.1)\",\"size\":\"\($0.2)\",\"side\":\"\($0.3)\"}"
    }
    return """
      {"event_type":"price_change","market":"\(market)","timestamp":"\(stamp(secondsAgo))",\
      "price_changes":[\(list.joined(separator: ","))]}
      """
  }

  /// A change that says the best prices, as all do since 2025.
  func toldFrame(
    _ market: String, _ price: String, _ size: String, best: (bid: String, ask: String), secondsAgo: Int64 = 0
  ) -> String {
    """
    {"market":"\(market)","price_changes":[{"asset_id":"\(market)1","price":"\(price)","size":"\(size)","side":"BUY",\
    "hash":"\(String(repeating: "a", count: 40))","best_bid":"\(best.bid)","best_ask":"\(best.ask)"}],\
    "timestamp":"\(stamp(secondsAgo))","event_type":"price_change"}
    """
  }

  func snapshot(_ market: String, _ outcome: Int, secondsAgo: Int64 = 0, bid: String = "0.30") throws -> BookSnapshot {
    BookSnapshot(
      instrument: InstrumentID(venue: .polymarket, symbol: "\(market)\(outcome)"), marketID: market,
      bids: [Level(price: try Price(bid), quantity: try Quantity("1"))], asks: [],
      venueTime: now.advanced(bySeconds: -secondsAgo), tick: nil)
  }

  func state(_ book: BookIndex) -> BookState { books.cache.header(book).state }
  func bestBid(_ book: BookIndex) -> Price { Price(raw: books.cache.touch(book).bid) }
}

struct PolymarketBooksTests {
  /// A desk with two markets, whose books 0 to 3 are live.
  private func liveDesk() throws -> Desk {
    let desk = Desk()
    for id in ["7", "8"] {
      #expect(try desk.adopt(id).change == .added)
      for outcome in 1...2 { #expect(desk.take(desk.bookFrame(id, outcome))) }
    }
    #expect((0..<4).allSatisfy { desk.state($0) == .live })
    return desk
  }

  @Test func `a snapshot makes a book live and a change moves it`() throws {
    let desk = try liveDesk()
    #expect(
      desk.take(desk.changeFrame("7", [(1, "0.41", "3", "BUY"), (1, "0.40", "0", "BUY"), (2, "0.41", "1", "BUY")])))
    #expect(try desk.bestBid(0) == Price("0.41"))
    #expect(desk.books.cache.header(0).bidCount == 1)
    #expect(try desk.bestBid(1) == Price("0.41"))
    #expect(desk.books.counters.changes == 3 && desk.books.counters.snapshots == 4)
    #expect(desk.books.wanted.isEmpty)
  }

  @Test func `a change before the snapshot is dropped and counted`() throws {
    let desk = Desk()
    try desk.adopt("7")
    #expect(desk.take(desk.changeFrame("7", [(1, "0.41", "3", "BUY"), (1, "0.40", "3", "BUY")])))
    #expect(desk.state(0) == .empty && desk.books.counters.droppedChanges == 2)
    #expect(desk.batch.itemCount == 0)
  }

  @Test func `messages of tokens that are not known are counted and change nothing`() throws {
    let desk = try liveDesk()
    let items = desk.batch.itemCount
    desk.take(desk.bookFrame("9", 1))
    desk.take(desk.changeFrame("9", [(1, "0.41", "3", "BUY")]))
    #expect(desk.books.counters.unknownTokens == 2)
    #expect(desk.batch.itemCount == items)
  }

  @Test func `a book without its hash is stale and wanted`() throws {
    let desk = Desk(verifiesHash: true)
    try desk.adopt("7")
    let hash = String(repeating: "0", count: 40)
    #expect(desk.take(desk.bookFrame("7", 1, hash: hash)))
    #expect(desk.state(0) == .empty)
    #expect(desk.books.counters.hashMismatches == 1 && desk.books.wanted == [0])
  }

  @Test func `a new tick makes both books stale until their next books`() throws {
    let desk = try liveDesk()
    desk.take(
      #"{"event_type":"tick_size_change","asset_id":"71","market":"7","old_tick_size":"0.01","#
        + #""new_tick_size":"0.001","timestamp":"1"}"#)
    #expect(desk.state(0) == .stale && desk.state(1) == .stale && desk.state(2) == .live)
    #expect(desk.books.wanted == [0, 1])
    #expect(try desk.books.market(0).tick == Price("0.001"))
    desk.take(desk.changeFrame("7", [(1, "0.405", "3", "BUY")]))
    #expect(desk.state(0) == .stale)
    desk.take(desk.bookFrame("7", 1, bid: "0.405"))
    #expect(desk.state(0) == .live && desk.books.wanted == [1])
    desk.take(desk.changeFrame("7", [(1, "0.406", "3", "BUY")]))
    #expect(try desk.bestBid(0) == Price("0.406"))
    // The catalogue still says the old tick: the stream knows better.
    #expect(try desk.adopt("7").change == .same)
    #expect(desk.state(0) == .live)
  }

  @Test func `a new tick that is told for each token in turn is told on once`() throws {
    let desk = try liveDesk()
    func tickFrame(_ token: String) -> String {
      #"{"event_type":"tick_size_change","asset_id":"\#(token)","market":"7","old_tick_size":"0.01","#
        + #""new_tick_size":"0.001","timestamp":"1"}"#
    }
    let items = desk.batch.itemCount
    desk.take(tickFrame("71"))
    desk.take(desk.bookFrame("7", 1, bid: "0.405"))
    #expect(desk.batch.itemCount == items + 3)
    desk.take(tickFrame("72"))
    #expect(desk.batch.itemCount == items + 3)
    #expect(desk.state(0) == .live && desk.books.wanted == [1])
  }

  @Test func `a book that says a new tick of its own moves the other book as well`() throws {
    let desk = try liveDesk()
    desk.take(desk.bookFrame("7", 1, bid: "0.405", extra: #","tick_size":"0.001""#))
    #expect(desk.state(0) == .live && desk.state(1) == .stale)
  }

  @Test func `a message that is refused makes its market's books stale, and no others`() throws {
    let desk = try liveDesk()
    #expect(desk.take(desk.changeFrame("7", [(1, "0.405", "3", "BUY")])))
    #expect(desk.state(0) == .stale && desk.state(1) == .stale && desk.state(2) == .live && desk.state(3) == .live)
    #expect(desk.books.wanted == [0, 1])
    #expect(desk.books.counters.refused.count == 1)
    #expect(desk.take(desk.changeFrame("8", [(1, "0.40", "-3", "BUY")])))
    #expect(desk.state(2) == .stale)
    #expect(desk.books.counters.refused.values.reduce(0, +) == 2)
  }

  @Test(arguments: ["{", "[1]", "{\"a\":1}}", "[{\"event_type\":\"book\"", "{\"event_type\":\"price_change\",}"])
  func `a frame that is no JSON is told to the caller`(frame: String) throws {
    let desk = try liveDesk()
    #expect(!desk.take(frame))
    #expect((0..<4).allSatisfy { desk.state($0) == .live })
    desk.books.distrust([0, 1, 2, 3], desk.batch)
    #expect((0..<4).allSatisfy { desk.state($0) == .stale })
    #expect(desk.books.wanted == [0, 1, 2, 3])
  }

  @Test func `notes of the venue are no frames`() throws {
    let desk = try liveDesk()
    #expect(desk.take("PONG") && desk.take("") && desk.take("INVALID OPERATION"))
    #expect((0..<4).allSatisfy { desk.state($0) == .live })
  }

  @Test func `a change that crosses a book makes it stale`() throws {
    let desk = try liveDesk()
    desk.take(desk.changeFrame("7", [(1, "0.42", "3", "BUY")]))
    #expect(desk.state(0) == .stale && desk.state(1) == .live)
    #expect(desk.books.counters.crossedByChange == 1 && desk.books.wanted == [0])
  }

  @Test func `a message may cross a book on its way`() throws {
    let desk = try liveDesk()
    desk.take(
      desk.changeFrame(
        "7", [(1, "0.42", "3", "BUY"), (2, "0.40", "1", "BUY"), (1, "0.42", "0", "SELL"), (1, "0.43", "1", "SELL")]))
    #expect(try desk.state(0) == .live && desk.bestBid(0) == Price("0.42"))
    #expect(desk.books.counters.crossedByChange == 0)
  }

  @Test func `a book whose best price is not what the venue says of it is stale and wanted`() throws {
    let desk = try liveDesk()
    desk.now = desk.now.advanced(bySeconds: 1)
    // What happens at one moment comes in parts, and each part tells how it ends.
    desk.take(desk.toldFrame("7", "0.41", "3", best: ("0.39", "0.42")))
    desk.take(desk.toldFrame("7", "0.41", "0", best: ("0.39", "0.42")))
    desk.take(desk.toldFrame("7", "0.40", "0", best: ("0.39", "0.42")))
    desk.take(desk.toldFrame("7", "0.39", "7", best: ("0.39", "0.42")))
    desk.now = desk.now.advanced(bySeconds: 1)
    desk.take(desk.toldFrame("7", "0.38", "7", best: ("0.40", "0.42")))
    #expect(desk.state(0) == .live && desk.books.counters.bestMismatches == 0)
    // A bid of 0.40 was never told.
    desk.now = desk.now.advanced(bySeconds: 1)
    desk.take(desk.toldFrame("7", "0.38", "8", best: ("0.40", "0.42")))
    #expect(desk.state(0) == .stale && desk.books.wanted == [0])
    #expect(desk.books.counters.bestMismatches == 1 && desk.books.counters.droppedChanges == 1)
    // A book from before the change that was dropped would be another wrong one.
    desk.books.take(try desk.snapshot("7", 1, secondsAgo: 1), receivedAt: desk.now, desk.batch)
    #expect(desk.state(0) == .stale)
    desk.books.take(try desk.snapshot("7", 1), receivedAt: desk.now, desk.batch)
    #expect(desk.state(0) == .live)
  }

  @Test(arguments: [("0.43", "0.42"), ("0.41", "0.44"), ("0.41", "1"), ("0", "0.42"), ("0.41", "0")])
  func `what the last change said of the best prices is looked at when nothing follows`(bid: String, ask: String)
    throws
  {
    let desk = try liveDesk()
    desk.now = desk.now.advanced(bySeconds: 1)
    desk.take(desk.toldFrame("7", "0.41", "3", best: (bid, ask)))
    desk.books.checkBestPrices([0, 1], quietSince: desk.now, desk.batch)
    #expect(desk.state(0) == .live, "the rest of that moment may be on its way")
    desk.books.checkBestPrices([0, 1], quietSince: desk.now.advanced(bySeconds: 1), desk.batch)
    #expect(desk.state(0) == .stale && desk.state(1) == .live && desk.books.wanted == [0])
  }

  @Test func `best prices of sides without levels are 0 and 1, or not told`() throws {
    let desk = try liveDesk()
    for (size, best) in [("0", ("0", "0.42")), ("3", ("0.40", "0.42")), ("3", ("", ""))] {
      desk.now = desk.now.advanced(bySeconds: 1)
      desk.take(desk.toldFrame("7", "0.40", size, best: best))
    }
    desk.books.take(try desk.snapshot("8", 1), receivedAt: desk.now, desk.batch)
    desk.take(desk.bookFrame("8", 1))
    desk.books.correct(try desk.snapshot("8", 1), receivedAt: desk.now, desk.batch)
    for ask in ["1", "0", "1.0"] {
      desk.now = desk.now.advanced(bySeconds: 1)
      desk.take(desk.toldFrame("8", "0.29", "1", best: ("0.30", ask)))
    }
    desk.books.checkBestPrices([0, 2], quietSince: desk.now.advanced(bySeconds: 1), desk.batch)
    #expect(desk.state(0) == .live && desk.state(2) == .live && desk.books.counters.bestMismatches == 0)
    desk.take(desk.toldFrame("8", "0.29", "1", best: ("1.01", "1")))
    #expect(desk.books.counters.refused == ["price_changes.best_bid is not between 0 and 1": 1])
  }

  @Test func `changes that REST's book has already are passed over, and a stream that goes back is not trusted`() throws
  {
    let desk = try liveDesk()
    desk.now = desk.now.advanced(bySeconds: 5)
    desk.books.correct(try desk.snapshot("7", 1), receivedAt: desk.now, desk.batch)
    desk.take(desk.changeFrame("7", [(1, "0.35", "1", "BUY")], secondsAgo: 1))
    #expect(try desk.bestBid(0) == Price("0.30") && desk.books.counters.oldChanges == 1)
    desk.take(desk.changeFrame("7", [(1, "0.31", "1", "BUY")]))
    #expect(try desk.bestBid(0) == Price("0.31") && desk.state(0) == .live)
    desk.take(desk.changeFrame("7", [(1, "0.32", "1", "BUY")], secondsAgo: 1))
    #expect(desk.state(0) == .stale && desk.books.wanted == [0] && desk.books.counters.reordered == 1)
    #expect(try desk.bestBid(0) == Price("0.31"))
  }

  @Test func `a busy book that has lost a change is found by REST, and right again at once`() throws {
    let desk = try liveDesk()
    desk.books.sample.ask([0], in: desk.books.cache)
    desk.now = desk.now.advanced(bySeconds: 1)
    // REST has the book of here, with a bid of 0.35 that the stream has not told.
    var truth = try desk.snapshot("7", 1, bid: "0.40")
    truth.bids.insert(Level(price: try Price("0.35"), quantity: .one), at: 0)
    truth.asks = [Level(price: try Price("0.42"), quantity: try Quantity("5"))]
    truth.bids[1].quantity = try Quantity("10")
    desk.now = desk.now.advanced(bySeconds: 1)
    desk.take(desk.toldFrame("7", "0.41", "3", best: ("0.41", "0.42")))
    let due = desk.books.sample.compare(truth, 0, in: desk.books.cache, now: 0)
    #expect(due.verdict == .different)
    desk.books.correct(due.snapshot, receivedAt: desk.now, desk.batch)
    #expect(desk.state(0) == .live && desk.books.cache.header(0).bidCount == 3)
    #expect(try desk.bestBid(0) == Price("0.41"))
  }

  @Test func `a trade counts by its own time`() throws {
    let desk = try liveDesk()
    func trade(_ secondsAgo: Int64, _ extra: String) -> String {
      #"{"event_type":"last_trade_price","asset_id":"71","market":"7","price":"0.41","side":"SELL"\#(extra),"#
        + #""timestamp":"\#(desk.stamp(secondsAgo))"}"#
    }
    desk.take(trade(301, #","size":"5""#))
    desk.take(trade(60 * 86_400, #","size":"5""#))
    #expect(desk.books.takeTrades().isEmpty && desk.books.counters.oldTrades == 2)
    desk.take(trade(300, #","size":"5""#))
    desk.take(trade(0, ""))
    let trades = desk.books.takeTrades()
    #expect(trades.map(\.quantity) == [try Quantity("5")])
    #expect(desk.books.hasSizelessTrades)
    let sizeless = desk.books.takeSizelessTrades()
    #expect(sizeless.map(\.trade.quantity) == [nil] && !desk.books.hasSizelessTrades)
    #expect(sizeless.map { desk.books.token(of: $0.book) } == ["71"])
    #expect(trades.allSatisfy { $0.instrument.symbol == "71" && $0.takerSide == .sell })
    #expect(desk.books.counters.trades == 2 && desk.books.counters.tradesWithoutSize == 1)
    #expect(desk.books.takeTrades().isEmpty)
  }

  @Test func `the catalogue's changes are told once`() throws {
    let desk = Desk()
    var market = try Desk.market("7")
    #expect(desk.books.adopt(market, desk.batch) == (0, .added))
    #expect(desk.books.adopt(market, desk.batch) == (0, .same))
    market.question = "another"
    #expect(desk.books.adopt(market, desk.batch) == (0, .changed))
    #expect(desk.books.adopt(market, desk.batch) == (0, .same))
    market.tick = try Price("0.001")
    desk.take(desk.bookFrame("7", 1))
    #expect(desk.books.adopt(market, desk.batch) == (0, .changed))
    #expect(desk.state(0) == .stale)
    market.isClosed = true
    #expect(desk.books.adopt(market, desk.batch) == (0, .closed))
    #expect(desk.state(0) == .closed && desk.state(1) == .closed && desk.books.wanted.isEmpty)
    desk.take(desk.bookFrame("7", 1))
    desk.take(desk.changeFrame("7", [(1, "0.41", "3", "BUY")]))
    #expect(desk.state(0) == .closed && desk.books.counters.unknownTokens == 2)
  }

  @Test func `a placeholder that gets its tokens gets its books`() throws {
    let desk = Desk()
    var bare = try Desk.market("7")
    bare.outcomes = []
    bare.isPlaceholder = true
    #expect(desk.books.adopt(bare, desk.batch).change == .added)
    #expect(desk.books.entries[0].books.isEmpty)
    #expect(try desk.adopt("7").change == .added)
    #expect(desk.books.entries[0].books == 0..<2)
    desk.take(desk.bookFrame("7", 2))
    #expect(desk.state(1) == .live)
  }

  @Test func `two listings without a market close it, and one that names it again opens it`() throws {
    let desk = try liveDesk()
    #expect(desk.books.sweepMissing(listed: ["8"], desk.batch).isEmpty)
    try desk.adopt("7")
    #expect(desk.books.sweepMissing(listed: ["8"], desk.batch).isEmpty, "it was there in between")
    #expect(desk.books.sweepMissing(listed: ["8"], desk.batch) == [0])
    #expect(desk.books.sweepMissing(listed: ["8"], desk.batch).isEmpty)
    #expect(desk.state(0) == .closed && desk.state(2) == .live && desk.books.market(0).isClosed)
    #expect(try desk.adopt("7").change == .added)
    #expect(desk.state(0) == .empty && !desk.books.market(0).isClosed)
    desk.take(desk.bookFrame("7", 1))
    #expect(desk.state(0) == .live)
    // The venue's own word is final.
    var ended = try Desk.market("8")
    ended.isClosed = true
    #expect(desk.books.adopt(ended, desk.batch).change == .closed)
    #expect(try desk.adopt("8").change == .same)
    #expect(desk.state(2) == .closed)
  }

  @Test func `a snapshot that is older than a dropped change is refused and wanted again`() throws {
    let desk = try liveDesk()
    desk.books.distrust([0], desk.batch)
    #expect(desk.books.takeWanted(limit: 10) == [0])
    desk.take(desk.changeFrame("7", [(1, "0.35", "3", "BUY")], secondsAgo: 5))
    // An even older message must not make the newer one forgotten.
    desk.take(desk.changeFrame("7", [(1, "0.36", "3", "BUY")], secondsAgo: 9))
    desk.books.take(try desk.snapshot("7", 1, secondsAgo: 6), receivedAt: desk.now, desk.batch)
    #expect(desk.state(0) == .stale)
    #expect(desk.books.counters.oldSnapshots == 1 && desk.books.wanted == [0])
    desk.books.take(try desk.snapshot("7", 1, secondsAgo: 5), receivedAt: desk.now, desk.batch)
    #expect(try desk.state(0) == .live && desk.bestBid(0) == Price("0.30") && desk.books.wanted.isEmpty)
    // A live book is the stream's.
    desk.books.take(try desk.snapshot("7", 1, bid: "0.2"), receivedAt: desk.now, desk.batch)
    #expect(try desk.bestBid(0) == Price("0.30"))
  }

  @Test func `books whose stream is gone are stale, and no snapshot is asked for`() throws {
    let desk = try liveDesk()
    desk.books.distrust([1], desk.batch)
    desk.books.streamLost([0, 1], desk.batch)
    #expect(desk.state(0) == .stale && desk.state(1) == .stale && desk.state(2) == .live)
    #expect(desk.books.wanted.isEmpty)
    desk.books.wantMissing([0, 1, 2])
    #expect(desk.books.wanted == [0, 1])
    #expect(Set(desk.books.takeWanted(limit: 1)).isSubset(of: [0, 1]) && desk.books.wanted.count == 1)
  }

  @Test func `mutated frames never crash, and never leave a crossed or unsorted book live`() throws {
    let desk = try liveDesk()
    var random = SeededRandom(seed: 14)
    for _ in 0..<50_000 {
      var frame = Array(
        (Bool.random(using: &random)
          ? desk.changeFrame("7", [(1, "0.41", "3", "BUY"), (2, "0.44", "2", "SELL")])
          : desk.bookFrame("7", Int.random(in: 1...2, using: &random))).utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let place = Int.random(in: 0..<frame.count, using: &random)
        if Bool.random(using: &random) {
          frame[place] = UInt8.random(in: 0x20...0x7E, using: &random)
        } else {
          frame.remove(at: place)
        }
      }
      desk.take(String(decoding: frame, as: UTF8.self))
      for book in 0...1 where desk.state(book) == .live {
        let touch = desk.books.cache.touch(book)
        #expect(touch.bid < touch.ask)
        let bids = desk.books.cache.side(.bid, of: book).map(\.price)
        #expect(zip(bids, bids.dropFirst()).allSatisfy { $0 < $1 })
      }
    }
    #expect(desk.books.counters.refused.count > 5)
  }
}
