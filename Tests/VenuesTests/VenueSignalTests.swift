import Market
import Testing
import Venues

@Suite struct VenueSignalTests {
  private let second: Int64 = 1_000_000_000

  private func error(
    _ cause: VenueError.Cause, _ problem: String = "", kind: String = "time", _ venue: Venue = .polymarket
  ) -> VenueError { VenueError(venue: venue, kind: kind, problem: problem, cause: cause) }

  @Test func `425 means that the venue restarts, until the same question is answered`() {
    var board = VenueSignalBoard()
    board.failed(error(.status(425), "HTTP 425: Too Early", kind: "books"), now: 0)
    #expect(board.word(now: 0)?.state == .restarting)
    board.answered("time")
    #expect(board.word(now: second)?.state == .restarting)
    board.answered("books")
    #expect(board.word(now: second) == nil)
    // A word that nobody repeats is over in time.
    board.failed(error(.status(425), kind: "books"), now: 0)
    #expect(board.word(now: VenueSignalBoard.wordNanoseconds) != nil)
    #expect(board.word(now: VenueSignalBoard.wordNanoseconds + 1) == nil)
  }

  @Test(arguments: [
    (503, "HTTP 503: \"post_only_mode\"", VenueState.postOnly),
    (503, "HTTP 503: \"Trading is currently cancel-only\"", .paused),
    (503, "HTTP 503: \"trading disabled\"", .paused),
    (503, "HTTP 503: code exchange_paused", .paused),
  ])
  func `a refusal is read by its words`(status: Int, text: String, state: VenueState) {
    #expect(VenueSignalBoard.word(of: error(.status(status), text))?.state == state)
    #expect(VenueSignalBoard.word(of: error(.status(400), text)) == nil)
  }

  @Test func `no answer twice in a row is a venue that cannot be reached; a refusal is an answer`() {
    var board = VenueSignalBoard()
    board.failed(error(.unreachable, "timeout"), now: 0)
    #expect(board.word(now: 0) == nil)
    board.failed(error(.status(503), "HTTP 503: later"), now: 0)
    #expect(board.word(now: 0)?.state == .unreachable)
    board.failed(error(.status(404)), now: 0)
    #expect(board.word(now: 0) == nil)
    for cause in [VenueError.Cause.heldBack, .cancelled, .impossible] {
      for _ in 0..<5 { board.failed(error(cause), now: 0) }
    }
    #expect(board.word(now: 0) == nil)
  }
}
