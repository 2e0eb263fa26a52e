package import Market

/// Who has how much cash and how many shares: exact, and nothing is ever made or lost.
///
/// Accounts begin with an endowment, so what is kept is the difference to it. The market maker is the account that
/// has no name.
package struct Accounts: Sendable {
  /// What every account begins with.
  package var startingCash: Money
  /// How many shares of every token every account begins with.
  package var startingShares: Quantity
  /// All fees that takers paid.
  package private(set) var fees = Money.zero
  /// What stands behind the complete sets that were made, less those that were merged.
  package private(set) var collateral = Money.zero
  private var cash: [String: Money] = [:]
  private var shares: [String: [Int: Quantity]] = [:]

  package init(startingCash: Money = Money(dollars: 1_000_000), startingShares: Quantity = Quantity(units: 1_000_000)) {
    self.startingCash = startingCash
    self.startingShares = startingShares
  }

  static let maker = ""

  /// The cash of an account.
  package func cash(of account: String) -> Money { startingCash + (cash[account] ?? .zero) }

  /// The shares of a token that an account has.
  package func shares(of account: String, token: Int) -> Quantity {
    startingShares + (shares[account]?[token] ?? .zero)
  }

  /// All cash beyond the endowments, with fees and collateral: always zero.
  package var imbalance: Money { cash.values.reduce(fees + collateral, +) }

  /// All shares of a token beyond the endowments: equal for both tokens of a market.
  package func issued(token: Int) -> Quantity {
    shares.values.reduce(Quantity.zero) { $0 + ($1[token] ?? .zero) }
  }

  /// Books one fill: a sale from hand to hand, a set that is made (both buy) or a set that is merged (both sell).
  mutating func settle(
    taker: String?, maker: String?, token: Int, makerToken: Int, side: Side, price: Price, quantity: Quantity,
    fee: Money
  ) {
    let taker = taker ?? Accounts.maker
    let maker = maker ?? Accounts.maker
    let paid = Money(price, times: quantity, rounding: .down)
    let sign: Int64 = side == .buy ? 1 : -1
    move(taker, cash: Money(raw: -sign * paid.raw) - fee, token: token, shares: Quantity(raw: sign * quantity.raw))
    fees += fee
    if makerToken == token {
      move(maker, cash: Money(raw: sign * paid.raw), token: token, shares: Quantity(raw: -sign * quantity.raw))
    } else {
      let rest = Money(raw: quantity.raw) - paid
      move(maker, cash: Money(raw: -sign * rest.raw), token: makerToken, shares: Quantity(raw: sign * quantity.raw))
      collateral += Money(raw: sign * quantity.raw)
    }
  }

  private mutating func move(_ account: String, cash change: Money, token: Int, shares count: Quantity) {
    cash[account, default: .zero] += change
    shares[account, default: [:]][token, default: .zero] += count
  }
}
