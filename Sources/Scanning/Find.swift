public import Market

/// One leg of a find: which book is swept.
public struct FindLeg: Hashable, Sendable {
  /// The market's place in the feed.
  public var market: Int
  /// Which outcome of it.
  public var outcome: Int
  /// The book.
  public var book: BookIndex
}

/// Where a find belongs: at most one opportunity is open in each place.
public struct FindPlace: Hashable, Sendable {
  /// Which scanner's.
  public var strategy: Strategy
  /// A market's, an event's, a pair's or a book's number, by strategy.
  public var number: Int

  /// A place of a scanner.
  public init(_ strategy: Strategy, _ number: Int) {
    self.strategy = strategy
    self.number = number
  }
}

/// A profitable set of known legs: what is left of a find when its place is known.
struct PricedSet: Equatable {
  var kind: OpportunityKind
  var quote: SetQuote
  var setValue: Money

  /// No set at all.
  static let none = PricedSet(
    kind: .binaryBuy, quote: SetQuote(quantity: .zero, notional: .zero, fees: .zero), setValue: .zero)
}

/// A profitable set, before it has an identity over time.
public struct Find: Hashable, Sendable {
  /// What is traded.
  public var kind: OpportunityKind
  /// The size and its price.
  public var quote: SetQuote
  /// What the sets pay (or cost, for sales); what is expected, where that is not certain.
  public var setValue: Money
  /// The legs.
  public var legs: [FindLeg]
  /// How likely the payout is; 1 where it is certain.
  public var probability = 1.0
  /// Which price outside of the books it rests on.
  public var markSource = ""
  /// The trade price that gave rise to it.
  public var triggerPrice: Price?

  init(_ set: PricedSet, legs: [FindLeg]) {
    kind = set.kind
    quote = set.quote
    setValue = set.setValue
    self.legs = legs
  }

  /// It without its place.
  var set: PricedSet { PricedSet(kind: kind, quote: quote, setValue: setValue) }

  /// What remains when everything is paid.
  public var profit: Money {
    kind.isSell ? quote.notional - quote.fees - setValue : setValue - quote.notional - quote.fees
  }

  /// What is paid for it, fees included.
  public var cost: Money { (kind.isSell ? setValue : quote.notional) + quote.fees }

  /// What comes back.
  public var payout: Money { kind.isSell ? quote.notional : setValue }
}
