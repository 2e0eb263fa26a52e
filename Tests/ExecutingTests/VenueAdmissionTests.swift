import Bus
import Executing
import Market
import Testing

@Suite struct VenueAdmissionTests {
  private let second: Int64 = 1_000_000_000

  private func word(_ state: VenueState, _ publisher: String = "a", _ venue: Venue = .polymarket) -> VenueStatusMessage
  {
    VenueStatusMessage(
      venue: venue, publisher: publisher, state: state, reason: state == .open ? "" : "why", since: start, time: start)
  }

  @Test func `a venue of which nothing was heard takes no orders`() {
    let admission = VenueAdmission(silenceMaxNanoseconds: 5 * second)
    #expect(Set(admission.closed(0).keys) == Set(Venue.allCases))
  }

  @Test func `silence beyond the limit closes a venue, and its next word opens it again`() {
    var admission = VenueAdmission(silenceMaxNanoseconds: 5 * second)
    admission.take(word(.open), now: 0)
    #expect(admission.closed(5 * second)[.polymarket] == nil)
    #expect(admission.closed(5 * second + 1)[.polymarket]?.state == .unreachable)
    #expect(admission.closed(5 * second)[.kalshi] != nil)
    admission.take(word(.open), now: 6 * second)
    #expect(admission.closed(6 * second)[.polymarket] == nil)
  }

  @Test func `of several ingestors the venue's own word holds, and one that sees it open is enough otherwise`() {
    var admission = VenueAdmission(silenceMaxNanoseconds: 5 * second)
    admission.take(word(.open, "a"), now: 0)
    #expect(admission.take(word(.restarting, "b"), now: 0) == true)
    #expect(admission.take(word(.restarting, "b"), now: 1) == false)
    #expect(admission.closed(0)[.polymarket]?.state == .restarting)
    #expect(admission.closed(0)[.polymarket]?.reason.contains("why") == true)
    // It hears the venue no more, and starts anew: the other one still does.
    admission.take(word(.unreachable, "b"), now: 1)
    #expect(admission.closed(1)[.polymarket] == nil)
    admission.take(word(.unreachable, "a"), now: 1)
    #expect(admission.closed(1)[.polymarket]?.state == .unreachable)
    // What one has heard of the venue is not believed for longer than it lives.
    admission.take(word(.restarting, "b"), now: 2)
    admission.take(word(.open, "a"), now: 9 * second)
    #expect(admission.closed(9 * second)[.polymarket] == nil)
    admission.forget(publisher: "a")
    #expect(admission.closed(9 * second)[.polymarket]?.reason.contains("b has said nothing") == true)
    admission.forget(publisher: "b")
    #expect(admission.closed(9 * second)[.polymarket]?.reason.contains("ever") == true)
  }

  @Test func `orders for a closed venue are refused by its state, one leg is enough`() {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    for state in VenueState.allCases where !state.takesOrders {
      desk.closedVenues = [.polymarket: ClosedVenue(state, "why")]
      #expect(throws: Rejection.venueNotOpen(.polymarket, ClosedVenue(state, "why"))) {
        try desk.approve(binaryBuy(), books, now: start).get()
      }
    }
    #expect(desk.counters["rejected_venue_restarting"] == 1 && desk.counters["rejected_venue_post_only"] == 1)
    desk.closedVenues = [.kalshi: ClosedVenue(.paused, "why")]
    #expect(throws: Never.self) { try desk.approve(binaryBuy(), books, now: start).get() }
  }

  @Test func `a find that the scanner holds back is not executed, and counted by the reason`() {
    let desk = ExecutionDesk(options: ExecutorOptions())
    for reason in HoldReason.allCases {
      var held = binaryBuy()
      held.hold = reason
      #expect(throws: Rejection.held(reason)) { try desk.approve(held, binaryBooks(), now: start).get() }
    }
    #expect(desk.counters["rejected_held_venueUnavailable"] == 1)
  }

  @Test func `an unwind waits while its venue takes none, uses up no attempt, and goes on when it is open`() throws {
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    let approved = try desk.approve(binaryBuy(), books, now: start).get()
    for durable in try DurableOrders.record([OrderBatch(approved)], in: MemoryJournal()) {
      _ = desk.accept(durable, now: moment(0))
    }
    books.set("m-no", asks: [("0.55", "60")])
    desk.closedVenues = [.polymarket: ClosedVenue(.restarting, "425")]
    var output = desk.work(books, now: moment(40))
    #expect(output.unwinds.isEmpty && desk.inFlightCount == 1)
    for turn in 1...10 { #expect(desk.work(books, now: moment(40 + Int64(turn) * 250)).unwinds.isEmpty) }
    #expect(desk.counters["unwinds_held"] == 1)
    desk.closedVenues = [:]
    output = desk.work(books, now: moment(3000))
    #expect(output.unwinds.first?.orders.map(\.id) == ["bh-0000000000000001-u0.1"])
    // Of a venue that is only not heard of nothing is known: the sale is tried.
    #expect(ClosedVenue(.unreachable, "").state.takesUnwinds)
  }

  @Test func `a spike is executed only where the book is near the trade that triggered it`() {
    var spike = binaryBuy()
    spike.kind = .spike
    let context = CheckContext(options: everyStrategy, portfolio: Portfolio(cash: Money(dollars: 10_000)))
    func rejection(_ trigger: Price?, _ books: TestBooks = binaryBooks()) -> Rejection? {
      spike.triggerPrice = trigger
      do throws(Rejection) {
        _ = try SafetyChecks.approve(spike, context, books, now: start)
        return nil
      } catch { return error }
    }
    #expect(rejection(nil)?.name == "malformed")
    // The best bid of m-yes is 0.39.
    #expect(rejection(price("0.49")) == nil)
    #expect(rejection(price("0.4901"))?.name == "book_price_off")
    #expect(rejection(price("0.4901"))?.description.contains("0.39") == true)
    let books = binaryBooks()
    books.set("m-yes", asks: [("0.40", "100")])
    #expect(rejection(price("0.39"), books)?.name == "book_price_off")
  }
}
