internal import Daemon
internal import Market
internal import Web

/// A recording that is played as the venue.
///
/// waiting (until its tokens are watched) → playing → done: the books stay as they are.
/// Times are shifted so that the recording starts when it begins to play; at another speed they are stretched with it,
/// and at full speed they are those of the sending, so that no frame is from the future.
struct Playback {
  private let tape: RecordedTape
  private let tokens: Set<Int>
  private let speed: Price
  private(set) var position = 0
  private var startedAt: Timestamp?
  private var firstWatchedAt: Timestamp?
  private var changes: [LevelChange] = []
  /// At full speed, so many rows at a time.
  private static let burst = 2000
  /// How long the start waits for the rest of the tokens once the first is watched.
  private static let patienceNanoseconds: Int64 = 5_000_000_000

  /// Reads the recording of the world's options and lists its markets.
  init(into world: inout World) throws(SystemError) {
    let directory = world.options.load
    guard !FilePaths.matching(pattern: directory + "/*").isEmpty else {
      throw SystemError("read recorded data in \(directory)", code: 2)
    }
    var catalogue = RecordedCatalogue()
    try catalogue.load(from: directory, into: &world)
    var tape = RecordedTape()
    try tape.load(from: directory, into: &world)
    self.tape = tape
    tokens = tape.tokens
    speed = world.options.speed
    for token in tokens { world.engine.place(token: token, Ladder()) }
    Log.info(
      "recording is loaded",
      [
        "directory": directory, "markets": "\(world.listing.count)", "rows": "\(tape.rows.count)",
        "tokens": "\(tokens.count)", "markets_skipped": "\(catalogue.skipped)", "rows_rejected": "\(tape.rejected)",
      ])
  }

  /// How many rows there are.
  var count: Int { tape.rows.count }
  /// Whether every row was played.
  var isDone: Bool { position == tape.rows.count }
  /// Whether there is something to play without waiting.
  var isEager: Bool { speed.raw == 0 && startedAt != nil && !isDone }

  /// Plays what is due.
  /// - Parameters:
  ///   - world: whose books change.
  ///   - isHeld: whether subscribers have too much to take just now.
  mutating func advance(_ world: inout World, isHeld: Bool) {
    guard !isDone, begins(world), let startedAt else { return }
    let elapsed = world.now.nanoseconds(since: startedAt)
    if speed.raw == 0 {
      guard !isHeld else { return }
      let now = world.now
      play(until: min(tape.rows.count, position + Playback.burst), &world) { _ in now }
      return
    }
    let due = Int64(Int128(elapsed) * Int128(speed.raw) / Int128(fixedPointScale) / 1_000_000)
    var end = position
    while end < tape.rows.count, tape.rows[end].due <= due { end += 1 }
    let speed = speed
    play(until: end, &world) { stamp in
      startedAt.advanced(byNanoseconds: Int64(Int128(stamp) * 1_000_000 * Int128(fixedPointScale) / Int128(speed.raw)))
    }
  }

  /// Whether it plays: from when all its tokens are watched, or some time after the first was.
  private mutating func begins(_ world: World) -> Bool {
    guard startedAt == nil else { return true }
    if firstWatchedAt == nil, tokens.contains(where: { world.outbox.isWatched(token: $0) }) {
      firstWatchedAt = world.now
    }
    guard let firstWatchedAt else { return false }
    let hasWaited = world.now.nanoseconds(since: firstWatchedAt) >= Playback.patienceNanoseconds
    guard hasWaited || tokens.allSatisfy({ world.outbox.isWatched(token: $0) }) else { return false }
    startedAt = world.now
    return true
  }

  /// Two rows that are one change, seen from both tokens of a market, go out as one frame.
  private mutating func play(until end: Int, _ world: inout World, time: (Int64) -> Timestamp) {
    while position < end {
      let row = tape.rows[position]
      let slot = row.token / 2
      let moment = time(row.stamp)
      position += 1
      switch row.content {
      case .book(let index):
        world.engine.place(token: row.token, tape.books[index])
        world.tellBook(slot, row.token & 1, at: moment)
      case .trade(let side, let price, let quantity):
        world.reportTrade(slot, outcome: row.token & 1, side, price, quantity, at: moment)
      case .change:
        apply(row, &world)
        if position < tape.rows.count, mirrors(row, tape.rows[position]) {
          apply(tape.rows[position], &world)
          position += 1
        }
        world.outbox.priceChange(world.markets[slot], slot: slot, changes, at: moment)
        changes.removeAll(keepingCapacity: true)
      }
    }
  }

  private func mirrors(_ row: TapeRow, _ next: TapeRow) -> Bool {
    guard case .change(let side, let price, let quantity, _, _) = row.content,
      case .change(let otherSide, let otherPrice, let otherQuantity, _, _) = next.content
    else { return false }
    return next.token == MatchingEngine.complement(row.token) && next.stamp == row.stamp && side != otherSide
      && quantity == otherQuantity && price == otherPrice.complement
  }

  /// Sets a level, and takes away levels better than the best that the venue stated: their end was not recorded.
  private mutating func apply(_ row: TapeRow, _ world: inout World) {
    guard case .change(let side, let price, let quantity, let bestBid, let bestAsk) = row.content else { return }
    var set: [(side: BookSide, price: Price, quantity: Quantity)] = [(side, price, quantity)]
    world.engine.setOne(token: row.token, side, price, quantity)
    while let best = world.engine.ladders[row.token].bestBid, best > bestBid {
      world.engine.setOne(token: row.token, .bid, best, .zero)
      set.append((.bid, best, .zero))
    }
    while let best = world.engine.ladders[row.token].bestAsk, best < bestAsk {
      world.engine.setOne(token: row.token, .ask, best, .zero)
      set.append((.ask, best, .zero))
    }
    // The best prices of the book as it is played: what was there before the recording began is in nobody's book.
    let ladder = world.engine.ladders[row.token]
    changes += set.map {
      LevelChange(
        token: row.token, side: $0.side, price: $0.price, quantity: $0.quantity, bestBid: ladder.shownBid,
        bestAsk: ladder.shownAsk)
    }
  }

  /// How far it has come, as JSON.
  func status(_ world: World) -> HTTPServerResponse {
    var writer = ByteWriter()
    writer.raw("{\"loaded\":true,\"directory\":")
    writer.quoted(world.options.load)
    writer.raw(",\"rows\":")
    writer.integer(count)
    writer.raw(",\"played\":")
    writer.integer(position)
    writer.raw(",\"rejected\":")
    writer.integer(tape.rejected)
    writer.raw(",\"tokens\":")
    writer.integer(tokens.count)
    writer.raw(",\"started\":")
    writer.boolean(startedAt != nil)
    writer.raw(",\"done\":")
    writer.boolean(isDone)
    writer.raw(",\"speed\":\"")
    writer.decimal(speed)
    writer.raw("\"}")
    return .json(writer)
  }
}
