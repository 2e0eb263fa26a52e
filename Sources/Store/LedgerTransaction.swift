public import Market

/// One account of the ledger: a name, and the one commodity that it counts.
///
/// What comes into an account is positive there, what leaves it is negative; so income stands as a negative number, as
/// in any ledger whose transactions sum to zero.
public struct LedgerAccount: Hashable, Sendable, CustomStringConvertible {
  /// The name, such as `assets/cash`.
  public let name: String
  /// `USD`, or an instrument's `venue/symbol`.
  public let commodity: String

  /// The commodity of all money.
  public static let dollars = "USD"

  /// An account by its name and commodity.
  public init(name: String, commodity: String) {
    self.name = name
    self.commodity = commodity
  }

  /// The account's name.
  public var description: String { name }

  /// The money that we have.
  public static let cash = LedgerAccount(name: "assets/cash", commodity: dollars)
  /// What was paid in: negative.
  public static let deposits = LedgerAccount(name: "equity/deposits", commodity: dollars)
  /// What rounding against us has cost.
  public static let rounding = LedgerAccount(name: "expenses/rounding", commodity: dollars)

  /// What the shares of a position have cost; negative for a short one.
  public static func cost(_ key: PositionKey) -> LedgerAccount {
    LedgerAccount(name: "assets/cost/\(key)", commodity: dollars)
  }
  /// The shares of a position; negative for a short one.
  public static func shares(_ key: PositionKey) -> LedgerAccount {
    LedgerAccount(name: "assets/shares/\(key)", commodity: key.instrument.description)
  }
  /// Where shares come from and go to.
  public static func market(_ instrument: InstrumentID) -> LedgerAccount {
    LedgerAccount(name: "market/\(instrument)", commodity: instrument.description)
  }
  /// The fees that a strategy paid to a venue.
  public static func fees(_ strategy: Strategy, _ venue: Venue) -> LedgerAccount {
    LedgerAccount(name: "expenses/fees/\(strategy.rawValue)/\(venue.rawValue)", commodity: dollars)
  }
  /// What a strategy realised at a venue, before fees: gains are negative.
  public static func realised(_ strategy: Strategy, _ venue: Venue) -> LedgerAccount {
    LedgerAccount(name: "income/realised/\(strategy.rawValue)/\(venue.rawValue)", commodity: dollars)
  }
}

/// What one transaction does to one account.
public struct LedgerEntry: Hashable, Sendable {
  /// The account.
  public var account: LedgerAccount
  /// What comes into it, in units of 10⁻⁸ of its commodity.
  public var amount: Int64

  /// An entry by account and amount.
  public init(_ account: LedgerAccount, _ amount: Int64) {
    self.account = account
    self.amount = amount
  }
}

/// Why a transaction was made.
public enum LedgerTransactionKind: String, Sendable {
  /// Money was paid in.
  case deposit
  /// An order was filled.
  case fill
  /// A market was settled.
  case settlement
  /// Complete sets were given back for 1 each.
  case merge
}

/// Entries that belong together: all of them are booked, or none.
public struct LedgerTransaction: Hashable, Sendable {
  /// Why it was made.
  public var kind: LedgerTransactionKind
  /// What it stands for, such as `fill/17`: it is booked once, however often it is committed.
  public var reference: String
  /// When it happened.
  public var time: Timestamp
  /// The entries; they sum to zero in each commodity.
  public var entries: [LedgerEntry]

  /// A transaction by its parts; entries of nothing are left out.
  public init(kind: LedgerTransactionKind, reference: String, time: Timestamp, entries: [LedgerEntry]) {
    self.kind = kind
    self.reference = reference
    self.time = time
    self.entries = entries.filter { $0.amount != 0 }
  }

  /// The commodities in which the entries do not sum to zero, with what is too much.
  public var imbalances: [String: Int128] {
    var sums: [String: Int128] = [:]
    for entry in entries { sums[entry.account.commodity, default: 0] += Int128(entry.amount) }
    return sums.filter { $0.value != 0 }
  }

  /// Checks that it may be committed.
  /// - Throws: `StoreError.Code.unbalanced` where the entries do not sum to zero in each commodity.
  public func validate() throws(StoreError) {
    guard let wrong = imbalances.min(by: { $0.key < $1.key }) else { return }
    throw StoreError(
      .unbalanced, operation: "validate \(reference)", message: "\(wrong.key) is off by \(wrong.value) units of 10^-8")
  }
}

/// What a position is of: each strategy has its own.
public struct PositionKey: Hashable, Sendable, CustomStringConvertible {
  /// Whose.
  public let strategy: Strategy
  /// Of what.
  public let instrument: InstrumentID

  /// A key by strategy and instrument.
  public init(_ strategy: Strategy, _ instrument: InstrumentID) {
    self.strategy = strategy
    self.instrument = instrument
  }

  /// `strategy/venue/symbol`.
  public var description: String { "\(strategy.rawValue)/\(instrument)" }
}

/// What a strategy holds of an instrument.
public struct Position: Hashable, Sendable {
  /// Whose, and of what.
  public var key: PositionKey
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// How many shares; negative where more were sold than bought (a set was split, or another strategy's were sold).
  public var quantity: Quantity
  /// What they cost together; negative for a short position: what was received.
  public var cost: Money

  /// A position by its parts.
  public init(key: PositionKey, marketID: String, quantity: Quantity, cost: Money) {
    self.key = key
    self.marketID = marketID
    self.quantity = quantity
    self.cost = cost
  }

  /// The market, with its venue.
  public var market: MarketKey { MarketKey(venue: key.instrument.venue, id: marketID) }
}

/// A market by its venue and the venue's id.
public struct MarketKey: Hashable, Sendable, CustomStringConvertible {
  /// Where it is traded.
  public let venue: Venue
  /// The venue's id.
  public let id: String

  /// A market by venue and id.
  public init(venue: Venue, id: String) {
    self.venue = venue
    self.id = id
  }

  /// `venue/id`.
  public var description: String { "\(venue.rawValue)/\(id)" }
}
