import Executing
import Foundation
import Market

/// Markets and books that a test writes by hand.
final class TestBooks: MarketBooks {
  private var cache = BookCache()
  private var all: [PredictionMarket] = []
  private var places: [InstrumentID: BookIndex] = [:]

  func market(_ id: String, venue: Venue) -> PredictionMarket? { all.first { $0.id == id && $0.venue == venue } }

  func markets(ofEvent id: String, venue: Venue) -> [PredictionMarket] { all.filter { $0.eventID == id } }

  func book(_ instrument: InstrumentID) -> BookIndex? { places[instrument] }

  func header(_ book: BookIndex) -> BookHeader { cache.header(book) }

  func levels(_ side: BookSide, of book: BookIndex) -> UnsafeBufferPointer<Level> { cache.side(side, of: book) }

  /// Adds a market of YES and NO, with tokens `ID-yes` and `ID-no`.
  @discardableResult func add(
    _ id: String, event: String = "", fees: FeeSchedule = .none, _ change: (inout PredictionMarket) -> Void = { _ in }
  ) -> PredictionMarket {
    var market = PredictionMarket(
      venue: .polymarket, id: id, eventID: event.isEmpty ? "event-\(id)" : event, question: "\(id)?",
      outcomes: [Outcome(token: "\(id)-yes", name: "Yes"), Outcome(token: "\(id)-no", name: "No")],
      tick: price("0.01"))
    market.fees = fees
    change(&market)
    all.removeAll { $0.id == id }
    all.append(market)
    for outcome in market.outcomes where places[instrument(outcome.token)] == nil {
      places[instrument(outcome.token)] = cache.add(tick: market.tick)
    }
    return market
  }

  /// Replaces a book; levels as `price x quantity`, best first.
  func set(_ token: String, bids: [(String, String)] = [], asks: [(String, String)] = [], at time: Timestamp = start) {
    guard let book = places[instrument(token)] else { return }
    let bids = bids.reversed().map { Level(price: price($0.0), quantity: quantity($0.1)) }
    let asks = asks.reversed().map { Level(price: price($0.0), quantity: quantity($0.1)) }
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: time, receivedAt: time)
      }
    }
  }

  func markStale(_ token: String) {
    if let book = places[instrument(token)] { cache.markStale(book) }
  }
}

let start = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

func price(_ text: String) -> Price { (try? Price(text)) ?? .zero }
func quantity(_ text: String) -> Quantity { (try? Quantity(text)) ?? .zero }
func money(_ text: String) -> Money { (try? Money(text)) ?? .zero }
func instrument(_ token: String) -> InstrumentID { InstrumentID(venue: .polymarket, symbol: token) }

/// The moment `milliseconds` after the start, by both clocks.
func moment(_ milliseconds: Int64) -> Moment {
  Moment(time: start.advanced(byNanoseconds: milliseconds * 1_000_000), monotonicNanoseconds: milliseconds * 1_000_000)
}

/// A leg on the token `MARKET-yes` or `MARKET-no`.
func leg(_ side: Side, _ token: String, limit: String, _ size: String, notional: String, fee: String = "0") -> Leg {
  Leg(
    instrument: instrument(token), marketID: String(token.prefix { $0 != "-" }), side: side, limit: price(limit),
    quantity: quantity(size), notional: money(notional), fee: money(fee))
}

func opportunity(
  _ legs: [Leg], id: UInt64 = 1, kind: OpportunityKind = .binaryBuy, payout: String, cost: String,
  at time: Timestamp = start
) -> Opportunity {
  Opportunity(
    id: id, state: .opened, kind: kind, eventID: "event", legs: legs, payout: money(payout),
    cost: money(cost), foundAt: time, updatedAt: time, venueTime: time)
}

/// The options with which every find is executed, whatever its strategy.
var everyStrategy: ExecutorOptions {
  var options = ExecutorOptions()
  options.strategies = Strategy.allCases
  return options
}

/// YES 100 at 0.40 and NO 60 at 0.55, 100 at 0.58: the sets of the scanner's documentation, without fees.
func binaryBooks(fees: FeeSchedule = .none) -> TestBooks {
  let books = TestBooks()
  books.add("m", fees: fees)
  books.set("m-yes", bids: [("0.39", "500")], asks: [("0.40", "100")])
  books.set("m-no", bids: [("0.50", "500")], asks: [("0.55", "60"), ("0.58", "100")])
  return books
}

/// Buys 100 sets of `binaryBooks` for 96.20.
func binaryBuy(_ id: UInt64 = 1, at time: Timestamp = start) -> Opportunity {
  opportunity(
    [
      leg(.buy, "m-yes", limit: "0.40", "100", notional: "40"),
      leg(.buy, "m-no", limit: "0.58", "100", notional: "56.2"),
    ], id: id, payout: "100", cost: "96.2", at: time)
}

/// Bids for 40 YES at 0.56 and 40 NO at 0.47, without fees.
func saleBooks() -> TestBooks {
  let books = TestBooks()
  books.add("m")
  books.set("m-yes", bids: [("0.56", "40")])
  books.set("m-no", bids: [("0.47", "40")])
  return books
}

/// Sells 40 sets to `saleBooks` for 41.20.
func binarySell(cost: String = "40") -> Opportunity {
  opportunity(
    [
      leg(.sell, "m-yes", limit: "0.56", "40", notional: "22.4"),
      leg(.sell, "m-no", limit: "0.47", "40", notional: "18.8"),
    ], kind: .binarySell, payout: "41.2", cost: cost)
}

func order(
  _ token: String, _ side: Side, limit: String, _ size: String, id: String = "o", timeInForce: TimeInForce = .fak
) -> Order {
  Order(
    id: id, opportunityID: 1, strategy: .binary, instrument: instrument(token),
    marketID: String(token.prefix { $0 != "-" }), side: side, limit: price(limit), quantity: quantity(size),
    timeInForce: timeInForce, isUnwind: false, createdAt: start)
}

/// Keeps what was journalled in memory.
final class MemoryJournal: OrderJournal {
  private(set) var orders: [Order] = []
  func record(orders: [Order]) throws { self.orders += orders }
}
