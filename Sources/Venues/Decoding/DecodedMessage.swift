public import Market
internal import Web

/// One value of a decoded message.
public indirect enum DecodedValue: Hashable, Sendable {
  /// Nothing: the venue did not say.
  case none
  /// A text.
  case text(String)
  /// An exact decimal number.
  case decimal(String)
  /// A whole number.
  case integer(Int64)
  /// A truth value.
  case flag(Bool)
  /// A moment.
  case time(Timestamp)
  /// A level of a book.
  case level(Level)
  /// Several of them.
  case list([DecodedValue])
  /// Values with names.
  case object([DecodedField])

  static func decimal(_ value: some FixedPoint) -> DecodedValue { .decimal(value.description) }
  static func decimal(_ value: (some FixedPoint)?) -> DecodedValue { value.map { .decimal($0.description) } ?? .none }
  static func text(_ value: String?) -> DecodedValue { value.map { .text($0) } ?? .none }
  static func time(_ value: Timestamp?) -> DecodedValue { value.map { .time($0) } ?? .none }
  static func integer(_ value: Int64?) -> DecodedValue { value.map { .integer($0) } ?? .none }
  static func flag(_ value: Bool?) -> DecodedValue { value.map { .flag($0) } ?? .none }
  static func level(_ value: Level?) -> DecodedValue { value.map { .level($0) } ?? .none }
  static func texts(_ values: some Sequence<String>) -> DecodedValue { .list(values.map { .text($0) }) }
}

/// A value with its name.
public struct DecodedField: Hashable, Sendable {
  /// The name, in lower case with underscores.
  public var name: String
  /// The value.
  public var value: DecodedValue

  /// A field by its parts.
  public init(_ name: String, _ value: DecodedValue) {
    self.name = name
    self.value = value
  }
}

/// What we understood of one message.
public struct DecodedMessage: Hashable, Sendable {
  /// Whose message it is.
  public var venue: Venue
  /// What kind it is, by the venue's own word where it has one.
  public var kind: String
  /// What it says, in order.
  public var fields: [DecodedField]

  /// A message by its parts.
  public init(_ venue: Venue, _ kind: String, _ fields: [DecodedField]) {
    self.venue = venue
    self.kind = kind
    self.fields = fields
  }

  /// One line for people: `trade instrument=… price=0.54 …`, without what the venue did not say.
  public var text: String {
    fields.filter { $0.value != .none }.reduce(into: kind) { $0 += " \($1.name)=\(Self.text($1.value))" }
  }

  /// One line of JSON: an object; decimal numbers are strings, and times stand there as text and in milliseconds.
  public var json: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("venue", venue.rawValue)
      writer.field("kind", kind)
      Self.write(fields, &writer)
    }
    return writer.text
  }

  /// How many elements of a list people are shown.
  private static let shownMax = 12

  private static func text(_ value: DecodedValue) -> String {
    switch value {
    case .none: return "-"
    case .text(let text): return text.isEmpty || text.contains(" ") ? quotedExcerpt(text, charactersMax: 120) : text
    case .decimal(let text): return text
    case .integer(let number): return "\(number)"
    case .flag(let flag): return flag ? "true" : "false"
    case .time(let time): return time.exactDescription
    case .level(let level): return "\(level.quantity)@\(level.price)"
    case .list(let values):
      let shown = values.prefix(shownMax).map(text).joined(separator: ", ")
      return "[\(shown)\(values.count > shownMax ? ", … \(values.count - shownMax) more" : "")]"
    case .object(let fields):
      return "{"
        + fields.filter { $0.value != .none }.map { "\($0.name)=\(text($0.value))" }.joined(separator: " ") + "}"
    }
  }

  private static func write(_ fields: [DecodedField], _ writer: inout JSONWriter) {
    for field in fields {
      writer.key(field.name)
      write(field.value, &writer)
      if case .time(let time) = field.value { writer.field(field.name + "_ms", time.milliseconds) }
    }
  }

  private static func write(_ value: DecodedValue, _ writer: inout JSONWriter) {
    switch value {
    case .none: writer.null()
    case .text(let text), .decimal(let text): writer.value(text)
    case .integer(let number): writer.value(number)
    case .flag(let flag): writer.value(flag)
    case .time(let time): writer.value(time.exactDescription)
    case .level(let level):
      writer.array { writer in
        writer.value(level.price.description)
        writer.value(level.quantity.description)
      }
    case .list(let values): writer.array { writer in for value in values { write(value, &writer) } }
    case .object(let fields): writer.object { writer in write(fields, &writer) }
    }
  }
}

extension Timestamp {
  /// RFC 3339 in UTC with as many decimals as there are, at least three.
  var exactDescription: String {
    var text = description
    var rest = nanoseconds % 1_000_000
    guard rest > 0 else { return text }
    text.removeLast()
    var digits = ""
    while digits.utf8.count < 6 {
      digits = String(rest % 10) + digits
      rest /= 10
    }
    while digits.hasSuffix("0") { digits.removeLast() }
    return text + digits + "Z"
  }
}

extension VenueError {
  /// One line of JSON: `{"error":…,"venue":…,"kind":…,"field":…,"problem":…}`.
  public var json: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("error", description)
      writer.field("venue", venue.rawValue)
      writer.field("kind", kind)
      writer.field("field", field)
      writer.field("problem", problem)
    }
    return writer.text
  }
}

// MARK: - What all venues have

extension DecodedMessage {
  static func fields(_ trade: Trade) -> [DecodedField] {
    [
      .init("instrument", .text(trade.instrument.symbol)), .init("price", .decimal(trade.price)),
      .init("quantity", .decimal(trade.quantity)),
      .init("taker_side", .text(trade.takerSide == .buy ? "buy" : "sell")), .init("time", .time(trade.time)),
    ]
  }

  static func fields(_ candle: Candle) -> [DecodedField] {
    [
      .init("start", .time(candle.start)), .init("period_s", .integer(candle.periodSeconds)),
      .init("open", .decimal(candle.open)), .init("high", .decimal(candle.high)), .init("low", .decimal(candle.low)),
      .init("close", .decimal(candle.close)), .init("volume", .decimal(candle.volume.description)),
      .init("closed", .flag(candle.isClosed)),
    ]
  }

  static func fields(_ ticker: Ticker, hasTime: Bool = true) -> [DecodedField] {
    [
      .init("instrument", .text(ticker.instrument.symbol)), .init("bid", quote(ticker.bid)),
      .init("ask", quote(ticker.ask)), .init("mid", .decimal(ticker.mid)),
      .init("time", hasTime ? .time(ticker.time) : .none),
    ]
  }

  /// A level, or its price alone where the venue does not say how much there is.
  private static func quote(_ level: Level) -> DecodedValue {
    level.quantity.raw == 0 ? .list([.decimal(level.price), .none]) : .level(level)
  }

  /// A book, best level first on both sides.
  static func fields(_ book: BookSnapshot) -> [DecodedField] {
    [
      .init("instrument", .text(book.instrument.symbol)), .init("market", .text(book.marketID)),
      .init("best_bid", .level(book.bids.last)), .init("best_ask", .level(book.asks.last)),
      .init("bids", .list(book.bids.reversed().map { .level($0) })),
      .init("asks", .list(book.asks.reversed().map { .level($0) })), .init("tick", .decimal(book.tick)),
      .init("time", book.venueTime.nanoseconds > 0 ? .time(book.venueTime) : .none),
    ]
  }

  static func fields(_ market: PredictionMarket) -> [DecodedField] {
    [
      .init("market", .text(market.id)), .init("event", .text(market.eventID)),
      .init("question", .text(market.question)),
      .init(
        "outcomes",
        .list(
          market.outcomes.map { .object([.init("name", .text($0.name)), .init("instrument", .text($0.token))]) })),
      .init("tick", .decimal(market.tick)), .init("minimum_quantity", .decimal(market.minimumQuantity)),
      .init("fee_rate", .decimal(market.fees.rate)), .init("fee_exponent", .integer(Int64(market.fees.exponent))),
      .init("fee_taker_only", .flag(market.fees.takerOnly)), .init("ends", .time(market.endsAt)),
      .init("neg_risk", .flag(market.isNegRisk)), .init("augmented", .flag(market.isAugmented)),
      .init("placeholder", .flag(market.isPlaceholder)), .init("accepting_orders", .flag(market.isAcceptingOrders)),
      .init("closed", .flag(market.isClosed)),
      .init(
        "winner", .text(market.winner.flatMap { market.outcomes.indices.contains($0) ? market.outcomes[$0].name : nil })
      ),
      .init("payouts", market.payouts.map { .list($0.map { .decimal($0) }) } ?? .none),
      .init(
        "up_down",
        market.upDown.map {
          .object([
            .init("coin", .text($0.coin)), .init("opens", .time($0.opensAt)), .init("closes", .time($0.closesAt)),
          ])
        } ?? .none),
    ]
  }

  static func fields(_ position: VenuePosition) -> [DecodedField] {
    [
      .init("instrument", .text(position.instrument.symbol)), .init("market", .text(position.marketID)),
      .init("quantity", .decimal(position.quantity)), .init("average_price", .decimal(position.averagePrice)),
    ]
  }

  /// Rows under one name, with their number before them.
  static func rows<Row>(_ name: String, _ rows: [Row], _ fields: (Row) -> [DecodedField]) -> [DecodedField] {
    [.init("count", .integer(Int64(rows.count))), .init(name, .list(rows.map { .object(fields($0)) }))]
  }
}
