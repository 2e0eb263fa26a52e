internal import Daemon
internal import Market
internal import Web

/// One thing that a recording tells.
struct TapeRow: Sendable {
  enum Content: Sendable {
    /// The new total at a price, and the best prices that the venue stated with it.
    case change(BookSide, Price, Quantity, bestBid: Price, bestAsk: Price)
    case trade(Side, Price, Quantity)
    /// A whole book: an index into the tape's.
    case book(Int)
  }

  /// Milliseconds since the recording's start; never falling.
  var due: Int64
  /// The row's own time, since the recording's start.
  var stamp: Int64
  /// The token's index in the world.
  var token: Int
  var content: Content
}

/// Recorded streams in the order in which they came, ready to be played.
///
/// Recordings of different days all start at the same moment, and keep their own order and distances.
struct RecordedTape {
  private(set) var rows: [TapeRow] = []
  private(set) var books: [Ladder] = []
  /// Rows that were no rows.
  private(set) var rejected = 0
  private var listed: Int64 = 6_000_000_000

  /// The tokens that the tape speaks of.
  var tokens: Set<Int> { Set(rows.map(\.token)) }

  /// Reads all streams below a directory; lists a market for tokens that the world does not know.
  mutating func load(from directory: String, into world: inout World) throws(SystemError) {
    for path in FilePaths.matching(pattern: directory + "/ws_books/pm_price_change_*.csv*").sorted() {
      try loadChanges(path, &world)
    }
    try loadWindows(FilePaths.matching(pattern: directory + "/ws_books/pm_updown_l2/*.json*").sorted(), &world)
    let order = rows.indices.sorted { (rows[$0].due, $0) < (rows[$1].due, $1) }
    rows = order.map { rows[$0] }
  }

  // MARK: Streams of changes

  private struct ChangeLine {
    var time: Int64
    /// The token's place among those of the file.
    var token: Int
    var isTrade: Bool
    var side: BookSide
    var price: Price
    var quantity: Quantity
    var bestBid: Price
    var bestAsk: Price

    /// Reads `1780795851472,PRICE_CHANGE,5795…,BID,0.31,198,0.35,0.39`.
    init?(_ line: UnsafeRawBufferPointer, _ tokens: inout TokenNames) {
      var cursor = FieldCursor(line: line)
      guard let time = cursor.next().flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
        let kind = cursor.next(), let token = cursor.next(), let side = cursor.next(),
        let price = cursor.next().flatMap({ try? Price(decimal: $0) }),
        let quantity = cursor.next().flatMap({ try? Quantity(decimal: $0) }),
        token.count > 0, price.raw > 0, price.raw < fixedPointScale, quantity.raw >= 0
      else { return nil }
      if kind.elementsEqual("PRICE_CHANGE".utf8) {
        isTrade = false
      } else if kind.elementsEqual("LAST_TRADE".utf8) {
        isTrade = true
      } else {
        return nil
      }
      switch side.first {
      case 0x42: self.side = .bid
      case 0x41, 0x53: self.side = .ask
      default: return nil
      }
      self.time = time
      self.price = price
      self.quantity = quantity
      self.token = tokens.index(of: String(decoding: token, as: UTF8.self))
      bestBid = cursor.next().flatMap { try? Price(decimal: $0) } ?? .zero
      bestAsk = cursor.next().flatMap { try? Price(decimal: $0) } ?? .one
    }

    /// Whether another line is the same change, seen from the other token.
    func mirrors(_ other: ChangeLine) -> Bool {
      !isTrade && !other.isTrade && token != other.token && time == other.time && side != other.side
        && quantity == other.quantity && price == other.price.complement
    }
  }

  /// The tokens of a file, in order of appearance.
  private struct TokenNames {
    var names: [String] = []
    private var places: [String: Int] = [:]

    mutating func index(of name: String) -> Int {
      if let known = places[name] { return known }
      places[name] = names.count
      names.append(name)
      return names.count - 1
    }
  }

  private struct FieldCursor {
    let line: UnsafeRawBufferPointer
    var start = 0

    init(line: UnsafeRawBufferPointer) { self.line = line }

    /// The bytes up to the next comma; nil behind the last field.
    mutating func next() -> UnsafeRawBufferPointer? {
      guard start <= line.count else { return nil }
      var end = start
      while end < line.count, line[end] != 0x2C { end += 1 }
      defer { start = end + 1 }
      return UnsafeRawBufferPointer(rebasing: line[start..<end])
    }
  }

  private mutating func loadChanges(_ path: String, _ world: inout World) throws(SystemError) {
    var names = TokenNames()
    var lines: [ChangeLine] = []
    var bad = -1  // The header is no row.
    try PackedFile.read(path).withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        var end = start
        while end < bytes.count, bytes[end] != 0x0A { end += 1 }
        let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        if let parsed = ChangeLine(line, &names) { lines.append(parsed) } else { bad += 1 }
        start = end + 1
      }
    }
    rejected += max(0, bad)
    guard let base = lines.first?.time else { return }
    listMissing(names.names, in: lines, &world)
    let tokens = names.names.map { world.tokenOfID[$0] }
    rows.reserveCapacity(rows.count + lines.count)
    var due: Int64 = 0
    for line in lines {
      due = max(due, line.time - base)
      guard let token = tokens[line.token] else { continue }
      let content: TapeRow.Content =
        line.isTrade
        ? .trade(line.side == .bid ? .buy : .sell, line.price, line.quantity)
        : .change(line.side, line.price, line.quantity, bestBid: line.bestBid, bestAsk: line.bestAsk)
      rows.append(TapeRow(due: due, stamp: line.time - base, token: token, content: content))
    }
  }

  /// Lists markets for tokens without one; two tokens whose changes mirror each other are one market's.
  private mutating func listMissing(_ names: [String], in lines: [ChangeLine], _ world: inout World) {
    var votes = [[Int]](repeating: [Int](repeating: 0, count: names.count), count: names.count)
    var isFine = [Bool](repeating: false, count: names.count)
    for (index, line) in lines.enumerated() {
      if line.price.raw % WorldBuilder.coarseTick.raw != 0 { isFine[line.token] = true }
      guard index + 1 < lines.count, line.mirrors(lines[index + 1]) else { continue }
      votes[line.token][lines[index + 1].token] += 1
      votes[lines[index + 1].token][line.token] += 1
    }
    let span = (lines.last?.time ?? 0) - (lines.first?.time ?? 0)
    for (place, name) in names.enumerated() where world.tokenOfID[name] == nil {
      let partner = votes[place].indices.filter { votes[place][$0] > 0 }.max { votes[place][$0] < votes[place][$1] }
      let other = partner.map { names[$0] } ?? world.seed.decimal256(.token, UInt64(bitPattern: listed))
      guard world.tokenOfID[other] == nil else { continue }
      list(
        [name, other], name: "Recorded market \(name.prefix(8))", outcomes: ["Yes", "No"],
        tick: isFine[place] || partner.map { isFine[$0] } ?? false ? WorldBuilder.fineTick : nil, startsAt: world.now,
        endsAt: world.now.advanced(byNanoseconds: (span + 86_400_000) * 1_000_000), subject: .ordinary, &world)
    }
  }

  @discardableResult
  private mutating func list(
    _ tokens: [String], name: String, outcomes: [String], tick: Price?, startsAt: Timestamp, endsAt: Timestamp,
    subject: MarketSubject, slug: String? = nil, _ world: inout World
  ) -> Int {
    listed += 1
    let key = UInt64(bitPattern: listed)
    let slug = slug ?? Phrases.slug(name)
    let event = world.add(
      SimulatedEvent(
        id: listed, slug: slug, title: name, category: "Recorded", markets: [], startsAt: startsAt, endsAt: endsAt))
    var market = SimulatedMarket(
      id: listed, event: event, conditionID: world.seed.hex256(.condition, key),
      questionID: world.seed.hex256(.question, key), slug: slug, question: name, tokens: tokens,
      tick: tick ?? WorldBuilder.coarseTick, fees: .none, startsAt: startsAt, endsAt: endsAt, resolvesAt: endsAt)
    market.outcomes = outcomes
    market.subject = subject
    let slot = world.add(market)
    world.events[event].markets = [slot]
    return slot
  }

  // MARK: Up/down windows

  /// What a file's name says, such as `15m_sol_orderbooks_1765450800down.json.gz`.
  private struct WindowFile {
    let minutes: Int64
    let coin: String
    let isBooks: Bool
    let start: Int64
    let outcome: Int

    init?(_ path: String) {
      guard let file = path.split(separator: "/").last, let stem = file.split(separator: ".").first else { return nil }
      let parts = stem.split(separator: "_")
      guard parts.count == 4, parts[0].hasSuffix("m"), let minutes = Int64(parts[0].dropLast()),
        parts[2] == "orderbooks" || parts[2] == "trades"
      else { return nil }
      let isDown = parts[3].hasSuffix("down")
      guard isDown || parts[3].hasSuffix("up"), let start = Int64(parts[3].dropLast(isDown ? 4 : 2)) else { return nil }
      self.minutes = minutes
      self.start = start
      coin = String(parts[1])
      isBooks = parts[2] == "orderbooks"
      outcome = isDown ? 1 : 0
    }

    var market: String { "\(coin)-updown-\(minutes)m-\(start)" }
  }

  private mutating func loadWindows(_ paths: [String], _ world: inout World) throws(SystemError) {
    var files: [(file: WindowFile, rows: [JSONValue])] = []
    for path in paths {
      guard let file = WindowFile(path) else { continue }
      guard let document = try? JSONDocument(try PackedFile.read(path)) else {
        Log.warning("recorded window cannot be read", ["file": path])
        continue
      }
      files.append((file, Array(document.root.elements)))
    }
    let bases = Dictionary(grouping: files) { $0.file.start }.mapValues { group in
      group.compactMap { $0.rows.first?["timestamp"]?.integer }.min() ?? 0
    }
    var slots: [String: Int] = [:]
    for (file, values) in files {
      let base = bases[file.start] ?? 0
      let slot: Int
      if let known = slots[file.market] {
        slot = known
      } else {
        slot = listWindow(file, base: base, &world)
        slots[file.market] = slot
      }
      append(values, token: slot * 2 + file.outcome, isBooks: file.isBooks, base: base)
    }
  }

  private mutating func listWindow(_ file: WindowFile, base: Int64, _ world: inout World) -> Int {
    let opensAt = world.now.advanced(byNanoseconds: (file.start * 1000 - base) * 1_000_000)
    let coin = Coin.allCases.first { $0.symbol.lowercased() == file.coin }
    let key = UInt64(file.start) &* 8 &+ UInt64(coin?.rawValue ?? 7)
    return list(
      [world.seed.decimal256(.token, key << 1), world.seed.decimal256(.token, key << 1 | 1)],
      name: "\(coin?.name ?? file.coin.uppercased()) Up or Down - window of \(file.minutes) minutes",
      outcomes: ["Up", "Down"], tick: nil, startsAt: opensAt, endsAt: opensAt.advanced(bySeconds: file.minutes * 60),
      subject: coin.map { .upDown($0, opensAt: opensAt) } ?? .ordinary, slug: file.market, &world)
  }

  /// Rows such as `{"price":"0.57","size":"5","side":"buy","timestamp":"1765450870482"}`, or with `bids` and `asks`.
  private mutating func append(_ values: [JSONValue], token: Int, isBooks: Bool, base: Int64) {
    var due: Int64 = 0
    for value in values {
      guard let time = value["timestamp"]?.integer else {
        rejected += 1
        continue
      }
      due = max(due, time - base)
      let content: TapeRow.Content
      if isBooks {
        guard let bids = levels(value["bids"]), let asks = levels(value["asks"]) else {
          rejected += 1
          continue
        }
        content = .book(books.count)
        books.append(Ladder(bids: bids, asks: asks))
      } else {
        guard let price = value["price"]?.decimalText.flatMap({ try? Price($0) }),
          let quantity = value["size"]?.decimalText.flatMap({ try? Quantity($0) }),
          let side = value["side"]?.string
        else {
          rejected += 1
          continue
        }
        content = .trade(side.lowercased() == "buy" ? .buy : .sell, price, quantity)
      }
      rows.append(TapeRow(due: due, stamp: time - base, token: token, content: content))
    }
  }

  private func levels(_ value: JSONValue?) -> [Level]? {
    guard let value, value.kind == .array else { return nil }
    var levels: [Level] = []
    for level in value.elements {
      guard let price = level["price"]?.decimalText.flatMap({ try? Price($0) }),
        let quantity = level["size"]?.decimalText.flatMap({ try? Quantity($0) })
      else { return nil }
      if quantity.raw > 0 { levels.append(Level(price: price, quantity: quantity)) }
    }
    return levels
  }
}
