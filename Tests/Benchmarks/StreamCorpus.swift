import Daemon
import Market

/// Messages of the market channel, the same for every run: 64 books of 40 levels a side, and 256 `price_change`.
///
/// The shape is that of `limits/json/gen_corpus.py`; bids stay below the middle and asks above it, so that the changes
/// can also be applied.
struct StreamCorpus {
  /// A market with the middle of its books.
  struct Source {
    let market: PredictionMarket
    let middle: Int
    let isFine: Bool
  }

  let sources: [Source]
  let books: [PaddedMessage]
  let changes: [PaddedMessage]
  /// A first book for every token that `changes` name.
  let startingBooks: [PaddedMessage]
  /// How many levels all of `changes` touch.
  let changedLevelCount: Int

  init() {
    var random = Seeded(7)
    let text = BookText()
    var sources: [Source] = []
    var books: [PaddedMessage] = []
    var changes: [PaddedMessage] = []
    var startingBooks: [PaddedMessage] = []
    var changedLevels = 0
    for index in 0..<64 {
      let isFine = random.chance(0.5)
      let source = StreamCorpus.source(index, isFine: isFine, middle: random.integer(45..<(isFine ? 954 : 54)), &random)
      sources.append(source)
      books.append(StreamCorpus.book(source, outcome: 0, text, &random))
    }
    for index in 64..<320 {
      let source = StreamCorpus.source(index, isFine: true, middle: random.integer(60..<900), &random)
      sources.append(source)
      for outcome in 0..<2 { startingBooks.append(StreamCorpus.book(source, outcome: outcome, text, &random)) }
      let count = [2, 2, 2, 3, 4][random.integer(0..<5)]
      changedLevels += count
      changes.append(StreamCorpus.change(source, count: count, text, &random))
    }
    self.sources = sources
    self.books = books
    self.changes = changes
    self.startingBooks = startingBooks
    changedLevelCount = changedLevels
  }

  /// The messages as the floor's programs read them: a 32-bit length, then the bytes.
  func write(to directory: String) throws(SystemError) {
    for (name, messages) in [("book", books), ("price_change", changes)] {
      var bytes: [UInt8] = []
      for message in messages {
        withUnsafeBytes(of: UInt32(message.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: message.bytes)
      }
      try writeFileAtomically(bytes, to: "\(directory)/\(name).bin")
    }
  }

  private static func source(_ index: Int, isFine: Bool, middle: Int, _ random: inout Seeded) -> Source {
    var tokens: [String] = []
    for _ in 0..<2 {
      var token = "\(1 + random.integer(0..<9))"
      while token.utf8.count < 77 { token += "\(random.integer(0..<10))" }
      tokens.append(token)
    }
    let market = PredictionMarket(
      venue: .polymarket, id: "0x" + hexadecimal(64, &random), eventID: "\(index)", question: "Question \(index)?",
      outcomes: [Outcome(token: tokens[0], name: "Yes"), Outcome(token: tokens[1], name: "No")],
      tick: Price(raw: isFine ? 100_000 : 1_000_000))
    return Source(market: market, middle: middle, isFine: isFine)
  }

  private static func hexadecimal(_ count: Int, _ random: inout Seeded) -> String {
    String(decoding: (0..<count).map { _ in Array("0123456789abcdef".utf8)[random.integer(0..<16)] }, as: UTF8.self)
  }

  private static func price(_ ticks: Int, isFine: Bool) -> String {
    isFine ? fixed(Double(ticks) / 1000, 3) : fixed(Double(ticks) / 100, 2)
  }

  private static func size(_ random: inout Seeded) -> String {
    fixed(random.exponential(mean: 900) + 1, [0, 2, 2, 2, 6][random.integer(0..<5)])
  }

  private static func book(
    _ source: Source, outcome: Int, _ text: BookText, _ random: inout Seeded
  ) -> PaddedMessage {
    var bids: [(price: String, size: String)] = []
    var asks: [(price: String, size: String)] = []
    // The second outcome's book mirrors the first's.
    let middle = outcome == 0 ? source.middle : (source.isFine ? 1000 : 100) - source.middle
    for step in (0..<40).reversed() {
      bids.append((price(middle - 1 - step, isFine: source.isFine), size(&random)))
      asks.append((price(middle + 1 + step, isFine: source.isFine), size(&random)))
    }
    return PaddedMessage(
      text.message(
        market: source.market.id, asset: source.market.outcomes[outcome].token, timestamp: "1757908892351",
        bids: BookText.side(bids), asks: BookText.side(asks)))
  }

  private static func change(
    _ source: Source, count: Int, _ text: BookText, _ random: inout Seeded
  ) -> PaddedMessage {
    var parts: [String] = []
    for index in 0..<count {
      let outcome = index & 1
      let middle = outcome == 0 ? source.middle : 1000 - source.middle
      let isBid = random.chance(0.5)
      // Near the touch, but never through it.
      let distance = 2 + random.integer(0..<30)
      let size = random.chance(0.25) ? "0" : size(&random)
      parts.append(
        "{\"asset_id\":\"\(source.market.outcomes[outcome].token)\","
          + "\"price\":\"\(price(middle + (isBid ? -distance : distance), isFine: true))\",\"size\":\"\(size)\","
          + "\"side\":\"\(isBid ? "BUY" : "SELL")\",\"hash\":\"\(hexadecimal(40, &random))\","
          + "\"best_bid\":\"\(price(middle - 1, isFine: true))\",\"best_ask\":\"\(price(middle + 1, isFine: true))\"}")
    }
    return PaddedMessage(
      "{\"market\":\"\(source.market.id)\",\"price_changes\":[\(parts.joined(separator: ","))],"
        + "\"timestamp\":\"1757908892351\",\"event_type\":\"price_change\"}")
  }
}
