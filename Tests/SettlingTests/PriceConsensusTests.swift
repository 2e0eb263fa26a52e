import Market
import Settling
import Testing

@Suite struct PriceConsensusTests {
  private func observe(_ prices: [String], at time: Timestamp = noon) throws -> [PriceObservation] {
    try prices.enumerated().map { PriceObservation(source: "s\($0)", price: try price($1), time: time) }
  }

  private func consensus(_ prices: [String], rules: PriceConsensus.Rules = .init()) throws -> PriceConsensus {
    PriceConsensus.of(try observe(prices), at: noon, rules: rules)
  }

  @Test func `two sources that agree give their mean and their spread`() throws {
    let agreed = try consensus(["61000", "61100"]).agreedPrice
    #expect(agreed?.price == (try price("61050")))
    #expect(agreed?.spread == (try price("100")))
    // 100 ÷ 61,050 = 0.001638001…, rounded up.
    #expect(agreed?.spreadMillionths == 1639)
    #expect(agreed?.sources == ["s0", "s1"])
  }

  @Test func `one source is too few, and so is none`() throws {
    #expect(try consensus(["61000"]) == .tooFew(have: 1, need: 2, absent: []))
    #expect(try consensus([]) == .tooFew(have: 0, need: 2, absent: []))
    #expect(try consensus(["61000"], rules: .init(sourcesMin: 1)).agreedPrice?.price == (try price("61000")))
  }

  @Test func `exactly 0.5 per cent from the mean is near enough, the next number is not`() throws {
    // Mean 1000; 995 and 1005 are 0.5 % from it.
    #expect(try consensus(["995", "1005"]).agreedPrice?.price == (try price("1000")))
    // Mean 1000.000000005: 1005.00000001 is farther by 5 · 10⁻¹² of it.
    guard case .disagreement(let observations, let mean) = try consensus(["995", "1005.00000001"]) else {
      Issue.record("expected a disagreement")
      return
    }
    #expect(mean == (try price("1000.00000001")))
    #expect(observations.count == 2)
    // The largest prices that fit do not overflow.
    #expect(try consensus(["92233720368", "92233720368"]).agreedPrice?.price == (try price("92233720368")))
  }

  @Test func `one of three that is off spoils the price for all`() throws {
    let result = try consensus(["61000", "61010", "62000"])
    guard case .disagreement(let observations, _) = result else {
      Issue.record("expected a disagreement, got \(result)")
      return
    }
    #expect(observations.first?.source == "s2")
    #expect(result.problem.contains("s2 62000"))
  }

  @Test func `a price of zero or below is absent, and so is another instant or a second vote`() throws {
    #expect(try consensus(["61000", "0"]).agreedPrice == nil)
    #expect(try consensus(["0", "0"]).problem.contains("s0: 0 is no price"))
    #expect(try consensus(["61000", "0", "61000"]).agreedPrice?.sources == ["s0", "s2"])
    var late = try observe(["61000", "61000"])
    late[1].time = noon.advanced(bySeconds: 60)
    guard case .tooFew(have: 1, need: 2, let absent) = PriceConsensus.of(late, at: noon, rules: .init()) else {
      Issue.record("expected too few")
      return
    }
    #expect(absent.count == 1)
    late[1] = late[0]
    #expect(PriceConsensus.of(late, at: noon, rules: .init()).problem.contains("named twice"))
  }

  @Test func `the mean is rounded to the nearest unit, a half upward`() throws {
    #expect(try consensus(["1.00000001", "1.00000002"]).agreedPrice?.price == (try price("1.00000002")))
    #expect(try consensus(["1", "1", "1.00000001"]).agreedPrice?.price == (try price("1")))
    #expect(try consensus(["1", "1.00000001", "1.00000001"]).agreedPrice?.price == (try price("1.00000001")))
  }

  @Test func `any order of the sources gives the same answer`() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<500 {
      var observations: [PriceObservation] = []
      for source in 0..<Int.random(in: 1...5, using: &random) {
        let raw = Int64.random(in: 6_070_000_000_000...6_130_000_000_000, using: &random)
        observations.append(PriceObservation(source: "s\(source)", price: Price(raw: raw), time: noon))
      }
      let result = PriceConsensus.of(observations, at: noon, rules: .init())
      let other = PriceConsensus.of(observations.shuffled(using: &random), at: noon, rules: .init())
      #expect(result.agreedPrice == other.agreedPrice)
      guard let agreed = result.agreedPrice else { continue }
      // Against floating point, which is near enough to see a gross error.
      let mean = observations.reduce(0.0) { $0 + Double($1.price.raw) } / Double(observations.count)
      #expect(abs(Double(agreed.price.raw) - mean) <= 1)
      for observation in observations { #expect(abs(Double(observation.price.raw) / mean - 1) <= 0.005 + 1e-12) }
    }
  }

  @Test func `the price at an instant is the close of the closed minute that ends then`() throws {
    func candle(start seconds: Int64, close: String, isClosed: Bool = true, period: Int64 = 60) throws -> Candle {
      let close = try price(close)
      return Candle(
        start: noon.advanced(bySeconds: seconds), periodSeconds: period, open: close, high: close, low: close,
        close: close, volume: Volume(.one), isClosed: isClosed)
    }
    let candles = [
      try candle(start: -120, close: "1"), try candle(start: -60, close: "2"), try candle(start: 0, close: "3"),
    ]
    let observation = PriceConsensus.observation(candles, source: "s", at: noon)
    #expect(observation == PriceObservation(source: "s", price: try price("2"), time: noon))
    #expect(PriceConsensus.observation(candles, source: "s", at: noon.advanced(bySeconds: 30)) == nil)
    let open = [try candle(start: -60, close: "2", isClosed: false)]
    #expect(PriceConsensus.observation(open, source: "s", at: noon) == nil)
    let long = [try candle(start: -60, close: "2", period: 300)]
    #expect(PriceConsensus.observation(long, source: "s", at: noon) == nil)
  }
}
