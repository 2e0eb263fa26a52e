import Executing
import Market
import Testing

/// Fail-closed admission by our own account (X4).
@Suite struct AccountStateTests {
  private static let second: Int64 = 1_000_000_000

  private func answering(_ awaited: Int = 0) -> AccountState {
    var account = AccountState(balanceAgeMaxNanoseconds: 50 * Self.second)
    account.streamOpened(awaited: awaited)
    account.streamHeard()
    for _ in 0..<awaited { account.streamConfirmed() }
    account.take(balance: Money(dollars: 100), now: 0)
    return account
  }

  @Test func `before both have answered nothing is open`() {
    var account = AccountState(balanceAgeMaxNanoseconds: 50 * Self.second)
    #expect(account.problem(0)?.hasPrefix("stream") == true)
    account.streamOpened(awaited: 0)
    #expect(account.problem(0)?.hasPrefix("stream") == true)
    account.streamHeard()
    #expect(account.problem(0)?.hasPrefix("balance") == true && account.balance == nil)
    account.take(balance: Money(dollars: 100), now: 0)
    #expect(account.problem(0) == nil && account.balance == Money(dollars: 100))
  }

  @Test func `every subscription is to be confirmed where the venue confirms them`() {
    var account = AccountState(balanceAgeMaxNanoseconds: 50 * Self.second)
    account.take(balance: .zero, now: 0)
    account.streamOpened(awaited: 3)
    account.streamHeard()
    account.streamConfirmed()
    account.streamConfirmed()
    #expect(account.problem(0) != nil)
    account.streamConfirmed()
    #expect(account.problem(0) == nil)
    // A new connection begins from the start.
    account.streamLost("why")
    #expect(account.problem(0) == "stream of our orders: why")
    account.streamHeard()
    account.streamConfirmed()
    #expect(account.problem(0) != nil)
    account.streamOpened(awaited: 3)
    account.streamConfirmed()
    #expect(account.problem(0) != nil)
  }

  @Test func `one balance that fails closes it, and the next one that comes opens it`() {
    var account = answering()
    account.balanceFailed("503")
    #expect(account.problem(1) == "balance: 503")
    account.take(balance: Money(dollars: 5), now: Self.second)
    #expect(account.problem(Self.second) == nil && account.balance == Money(dollars: 5))
  }

  @Test func `a balance that is not told anew grows too old`() {
    let account = answering(3)
    #expect(account.problem(50 * Self.second) == nil)
    #expect(account.problem(50 * Self.second + 1) == "balance: what was told last is too old")
  }
}
