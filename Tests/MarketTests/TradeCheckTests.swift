import Market
import Testing

@Suite struct TradeCheckTests {
  private let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
  private let token = InstrumentID(venue: .polymarket, symbol: "71")

  private func price(_ text: String) -> Price { (try? Price(text)) ?? .zero }

  private func trade(_ price: String, _ size: String?, secondsAgo: Int64 = 1, _ symbol: String = "71") -> Trade {
    Trade(
      instrument: InstrumentID(venue: .polymarket, symbol: symbol), price: self.price(price),
      quantity: size.flatMap { try? Quantity($0) }, takerSide: .buy, time: now.advanced(bySeconds: -secondsAgo))
  }

  private func size(_ wanted: String, among trades: [Trade], secondsAgo: Int64 = 0) -> Quantity? {
    var search = TradeSizeSearch(among: trades, priceTolerance: price("0.01"), ageMaxSeconds: 60, now: now)
    return search.tradeSize(at: price(wanted), of: token, time: now.advanced(bySeconds: -secondsAgo))
  }

  // MARK: - The book against a trade

  @Test func `a best bid within the deviation is near enough, one step beyond is not`() {
    let near = BookPriceCheck(expected: price("0.95"), bestBid: price("0.85"))
    #expect(near.isWithin && near.bid == price("0.85"))
    let far = BookPriceCheck(expected: price("0.95"), bestBid: price("0.8499"))
    #expect(!far.isWithin)
    #expect(far.reason.contains("0.95") && far.reason.contains("0.8499"))
    #expect(!BookPriceCheck(expected: price("0.20"), bestBid: price("0.31")).isWithin)
    #expect(
      BookPriceCheck(expected: price("0.95"), bestBid: price("0.94"), deviationMax: price("0.005")).isWithin == false)
  }

  @Test func `an empty book counts as a price of zero`() {
    let check = BookPriceCheck(expected: price("0.95"), bestBid: nil)
    #expect(!check.isWithin && check.bid == .zero)
    #expect(check.reason.contains("no bid") && check.reason.contains("0.95"))
    var cache = BookCache()
    let book = cache.add(tick: price("0.01"))
    #expect(cache.verifyBookPrice(expected: price("0.95"), of: book) == check)
    let bids = [Level(price: price("0.90"), quantity: Quantity(raw: 1))]
    bids.withUnsafeBufferPointer {
      _ = cache.replace(
        book, bids: $0, asks: UnsafeBufferPointer(start: nil, count: 0), venueTime: now, receivedAt: now)
    }
    #expect(cache.verifyBookPrice(expected: price("0.95"), of: book).isWithin)
    #expect(!cache.verifyBookPrice(expected: price("0.95"), maxDeviation: price("0.04"), of: book).isWithin)
  }

  // MARK: - Sizes

  @Test func `a size is that of a trade within a cent and a minute`() {
    #expect(size("0.41", among: [trade("0.42", "7")]) == (try? Quantity("7")))
    #expect(size("0.41", among: [trade("0.4201", "7")]) == nil)
    #expect(size("0.41", among: [trade("0.41", "7", secondsAgo: 60)]) == (try? Quantity("7")))
    #expect(size("0.41", among: [trade("0.41", "7", secondsAgo: 61)]) == nil)
    #expect(size("0.41", among: [trade("0.41", "7", "72")]) == nil)
    #expect(size("0.41", among: [trade("0.41", nil)]) == nil)
    #expect(size("0.41", among: []) == nil)
  }

  @Test func `the nearest in time counts, then the nearest in price, and each lends its size once`() {
    let trades = [
      trade("0.42", "1", secondsAgo: 5), trade("0.41", "2", secondsAgo: 5), trade("0.41", "3", secondsAgo: 30),
    ]
    var search = TradeSizeSearch(among: trades, priceTolerance: price("0.01"), ageMaxSeconds: 60, now: now)
    func next() -> Quantity? {
      search.tradeSize(at: price("0.41"), of: token, time: now.advanced(bySeconds: -4))
    }
    #expect([next(), next(), next(), next()] == [try? Quantity("2"), try? Quantity("1"), try? Quantity("3"), nil])
  }
}
