import Market
import Matching
import Testing

@Suite struct RejectionTests {
  /// A pair of titles, and what is the first thing that speaks against it; nil for a candidate.
  struct Example: CustomTestStringConvertible, Sendable {
    let left: String
    let right: String
    let reason: MatchRejection?

    init(_ left: String, _ right: String, _ reason: MatchRejection?) {
      (self.left, self.right, self.reason) = (left, right, reason)
    }

    var testDescription: String { "\(left) | \(right)" }
  }

  @Test(arguments: [
    Example("Will Gavin Newsom win the 2028 election?", "Will Gavin Newsom win the 2024 election?", .years),
    Example("Will Iran hold an election?", "Will Iran hold an election in 2027?", .years),
    Example("Will it snow in Boston on March 5?", "Will it snow in Boston on March 6?", .dates),
    Example("Fed rate cut in January?", "Fed rate cut in March?", .dates),
    Example("US strikes Iran by March 31, 2026?", "US strikes Iran by April 30, 2026?", .dates),
    Example("US strikes Iran by March 31, 2026?", "US strikes Iran before March 31, 2026?", .dates),
    Example("US strikes Iran by March 31, 2026?", "US strikes Iran on March 31, 2026?", .deadline),
    Example("US strikes Iran before March 31, 2026?", "US strikes Iran after March 30, 2026?", .deadline),
    Example("US strikes Iran by March 31, 2026?", "US strikes Iran in March 2026?", .deadline),
    Example("Bitcoin above $74,300 at 5pm ET on July 25?", "Bitcoin above $74,300 at 6pm ET on July 25?", .hours),
    Example("Bitcoin above $74,300 on July 25?", "Bitcoin above $74,300 at 5pm ET on July 25?", .hours),
    Example("Will Trump win in 2028?", "Will Trump win the popular vote in 2028?", .keywords),
    Example("Will Trump be president in 2028?", "Will Trump be sworn in as president in 2028?", .keywords),
    Example("Will Biden leave in 2026?", "Will Biden resign and leave in 2026?", .keywords),
    Example("Will Trump win the electoral college?", "Will Trump win?", .keywords),
    Example("Will Trump be impeached?", "Will Trump be convicted?", .keywords),
    Example("Arsenal vs Chelsea", "Arsenal vs Chelsea: First Half", .keywords),
    Example("Bitcoin above $74,300 on July 25?", "Bitcoin above $75,000 on July 25?", .strikes),
    Example("Will CPI be above 3.5% in May?", "Will CPI be above 3.4% in May?", .strikes),
    Example("Will SpaceX launch 5 rockets?", "Will SpaceX launch 6 rockets?", .numbers),
    Example("Lakers win Game 6?", "Lakers win Game 7?", .numbers),
    Example("Finish 2nd in the league?", "Finish 3rd in the league?", .ordinals),
    Example("Will X be the first to leave?", "Will X be the second to leave?", .ordinals),
    Example("Super Bowl LVIII winner Chiefs", "Super Bowl LIX winner Chiefs", .romanNumerals),
    Example("New album before GTA VI?", "New album before GTA V?", .romanNumerals),
    Example("Bitcoin above $74,300 on July 25?", "Bitcoin below $74,300 on July 25?", .directions),
    Example("More than 5 hurricanes in 2026?", "At least 5 hurricanes in 2026?", .directions),
    Example("At most 5 hurricanes in 2026?", "At least 5 hurricanes in 2026?", .directions),
    Example("Bitcoin between $70,000 and $72,000?", "Bitcoin above $70,000 or $72,000?", .directions),
    Example("Will there be no recession in 2026?", "Will there be recession in 2026?", .negation),
    Example("Will Trump fail to sign it in 2026?", "Will Trump sign it in 2026?", .negation),
    Example("Will Israel strike Iran in 2026?", "Will Iran strike Israel in 2026?", .order),
    Example("GTA released before Zelda?", "Zelda released before GTA?", .order),
    Example("Will the US strike Iran in 2026?", "Will the US or Israel strike Iran in 2026?", .words),
    Example("Who wins the primary in Texas?", "Who wins the primary in Ohio?", .words),
    Example("Bitcoin this week", "Something else altogether", .words),
  ])
  func `each difference is its own reason`(example: Example) {
    for (left, right) in [(example.left, example.right), (example.right, example.left)] {
      let verdict = MatchVerdict(MarketFacts(MarketText(title: left)), MarketFacts(MarketText(title: right)))
      #expect(verdict.reason == example.reason, "\(verdict.rejections)")
    }
  }

  @Test(arguments: [
    ("Will Bitcoin reach $150,000 by December 31, 2025?", "When will Bitcoin hit $150k? Before January 2026"),
    ("US recognizes Reza Pahlavi in 2026?", "Will the United States recognize Reza Pahlavi? Before 2027"),
    ("Will Reza Pahlavi visit Iran before Jan 1, 2027?", "Will Reza Pahlavi visit Iran by December 31, 2026?"),
    ("US strikes Iran before April 1, 2026?", "US strikes Iran by March 31?"),
    ("Will the U.S. confirm that aliens exist before 2027?", "Will the US confirm that aliens exist by end of 2026?"),
    ("BTC above 74,300.00 USD on 25 July 2026?", "Will BTC be above 74300 USD on Jul 25, 2026?"),
    ("Volodymyr Zelenskyy out in 2026?", "Volodymyr Zelensky out in 2026?"),
    ("Will Dilan Yeşilgöz-Zegerius win?", "Will Dilan Yesilgoz-Zegerius win?"),
    ("Katy Perry engaged by end of 2026?", "Katy Perry engaged in 2026? Before 2027"),
    ("Federal spending cut by $1.5 trillion?", "Federal spending cut by $1,500,000,000,000?"),
    ("2nd place for Norris?", "Second place for Norris?"),
    ("Bitcoin at or above… $74,300 or above on July 25?", "Bitcoin above $74,299.99 on July 25?"),
  ])
  func `the same question in other words is a candidate`(left: String, right: String) {
    let verdict = MatchVerdict(MarketFacts(MarketText(title: left)), MarketFacts(MarketText(title: right)))
    #expect(verdict.rejections.isEmpty)
    #expect(verdict.score >= 95)
    #expect(verdict.polarity == .same)
  }

  @Test func `a simple not turns the outcome round`() {
    let verdict = MatchVerdict(
      MarketFacts(MarketText(title: "Will Trump not run in 2028?")),
      MarketFacts(MarketText(title: "Will Trump run in 2028?")))
    #expect(verdict.isCandidate)
    #expect(verdict.polarity == .opposite)
    let wont = MatchVerdict(
      MarketFacts(MarketText(title: "Trump won’t run in 2028")), MarketFacts(MarketText(title: "Trump run in 2028")))
    #expect(wont.polarity == .opposite)
  }

  // MARK: - What is known beside the title

  private func facts(
    _ title: String, _ subtitle: String = "", outcomes: [String] = ["Yes", "No"], closes: String? = nil,
    ticker: String = "", rules: String = ""
  ) throws -> MarketFacts {
    var text = MarketText(title: title, outcomes: outcomes)
    text.subtitle = subtitle
    text.closesAt = try closes.map { try Timestamp(rfc3339: $0) }
    text.ticker = ticker
    text.rules = rules
    return MarketFacts(text)
  }

  @Test func `an hour of a ticker is met by the other market's close alone`() throws {
    let title = "Will the price of Bitcoin be above $60,000 on June 30?"
    let kalshi = try facts(
      "Bitcoin price on Jun 30, 2026?", "$60,000 or above", closes: "2026-06-30T16:00:00Z",
      ticker: "KXBTCD-26JUN3012-T59999.99")
    #expect(MatchVerdict(try facts(title, closes: "2026-06-30T16:00:00Z"), kalshi).isCandidate)
    #expect(MatchVerdict(try facts(title, closes: "2026-06-30T21:00:00Z"), kalshi).reason == .hours)
    #expect(MatchVerdict(try facts(title), kalshi).reason == .hours)
    let next = try facts("Will the price of Bitcoin be above $60,000 on July 1?", closes: "2026-07-01T16:00:00Z")
    #expect(MatchVerdict(next, kalshi).reason == .dates)
  }

  @Test func `an amount on a day without an hour is asked for the moment of the close`() throws {
    func both(_ title: String, _ other: String) throws -> MatchVerdict {
      MatchVerdict(try facts(title, closes: "2026-06-30T16:00:00Z"), try facts(title, closes: other))
    }
    let amount = "Will Bitcoin be above $60,000 on June 30?"
    #expect(try both(amount, "2026-06-30T16:04:00Z").isCandidate)
    #expect(try both(amount, "2026-06-30T21:00:00Z").reason == .hours)
    // What happens on a day happens at any time of it.
    #expect(try both("Will it rain on June 30?", "2026-06-30T21:00:00Z").isCandidate)
  }

  @Test func `markets that close too far apart are no candidates`() throws {
    let left = try facts("Will X visit Iran?", closes: "2026-06-30T16:00:00Z")
    let near = try facts("Will X visit Iran?", closes: "2026-07-30T16:00:00Z")
    let far = try facts("Will X visit Iran?", closes: "2026-08-02T16:00:00Z")
    #expect(MatchVerdict(left, near).isCandidate)
    #expect(MatchVerdict(left, far).reason == .closeTimes)
    #expect(MatchVerdict(left, near, limits: MatchLimits(closeDifferenceMaxSeconds: 86_400)).reason == .closeTimes)
  }

  @Test func `a team of either venue's naming decides which outcome pays`() throws {
    let game = try facts("Bucks vs. Lakers", outcomes: ["Bucks", "Lakers"], closes: "2026-01-10T03:30:00Z")
    func kalshi(_ team: String, _ ticker: String) throws -> MarketFacts {
      try facts("Milwaukee at Los Angeles L Winner?", team, closes: "2026-01-24T03:30:00Z", ticker: ticker)
    }
    let first = MatchVerdict(game, try kalshi("Milwaukee", "KXNBAGAME-26JAN09MILLAL-MIL"))
    let second = MatchVerdict(game, try kalshi("Los Angeles L", "KXNBAGAME-26JAN09MILLAL-LAL"))
    #expect(first.isCandidate && first.polarity == .same)
    #expect(second.isCandidate && second.polarity == .opposite)
    // Another day, another league, another team, and an outcome that is no team's.
    #expect(MatchVerdict(game, try kalshi("Milwaukee", "KXNBAGAME-26JAN11MILLAL-MIL")).reason == .dates)
    #expect(MatchVerdict(game, try kalshi("Tie", "KXNBAGAME-26JAN09MILLAL-TIE")).polarity == nil)
    let other = try facts(
      "Milwaukee at Los Angeles C Winner?", "Milwaukee", closes: "2026-01-10T03:30:00Z",
      ticker: "KXNBAGAME-26JAN09MILLAC-MIL")
    #expect(MatchVerdict(game, other).reason == .teams)
    let yesNo = try facts("Bucks vs. Lakers", closes: "2026-01-10T03:30:00Z")
    #expect(MatchVerdict(yesNo, try kalshi("Milwaukee", "KXNBAGAME-26JAN09MILLAL-MIL")).reason == .polarity)
  }

  @Test func `leagues that share a city are told apart`() throws {
    let hockey = try facts(
      "Milwaukee at Chicago", outcomes: ["Milwaukee", "Chicago"], closes: "2026-01-10T03:30:00Z",
      ticker: "KXMLBGAME-26JAN09MILCHC")
    let basketball = try facts(
      "Bucks vs. Bulls", outcomes: ["Bucks", "Bulls"], closes: "2026-01-10T03:30:00Z")
    #expect(MatchVerdict(basketball, hockey).rejections.contains(.teams))
  }

  @Test func `over and under follow the direction of the other market`() throws {
    let total = try facts("Total points: O/U 221.5", outcomes: ["Over", "Under"])
    let over = MatchVerdict(total, try facts("Total points over 221.5"))
    let under = MatchVerdict(total, try facts("Total points under 221.5"))
    #expect(over.isCandidate && over.polarity == .same)
    #expect(under.isCandidate && under.polarity == .opposite)
    #expect(MatchVerdict(total, try facts("Total points between 221.5 and 221.5")).reason == .directions)
    let whole = try facts("Total points: O/U 221", outcomes: ["Over", "Under"])
    #expect(MatchVerdict(whole, try facts("Total points at least 221")).reason == .directions)
    #expect(MatchVerdict(total, try facts("Total points 221.5")).polarity == nil)
  }

  @Test func `rules for what is called off are compared where both say them`() throws {
    let half = try facts("Will X win?", rules: "If the match is cancelled, it resolves 50-50.")
    let fair = try facts("Will X win?", rules: "If the match is canceled, it resolves to a fair market price.")
    let silent = try facts("Will X win?", rules: "Who wins, wins.")
    #expect(MatchVerdict(half, fair).reason == .voidRules)
    #expect(MatchVerdict(half, half).isCandidate)
    #expect(MatchVerdict(half, silent).isCandidate)
  }

  @Test func `a market of three outcomes is none of ours`() throws {
    let three = try facts("Will X win?", outcomes: ["A", "B", "C"])
    #expect(MatchVerdict(three, try facts("Will X win?")).reason == .notBinary)
  }

  @Test func `titles that are not alike enough are told so`() throws {
    let verdict = MatchVerdict(
      try facts("Will X win?"), try facts("Will X win?"), limits: MatchLimits(), score: 94.99)
    #expect(verdict.rejections == [.score])
  }

  @Test func `a search counts each pair once`() throws {
    func terms(_ venue: Venue, _ id: String, _ title: String) -> MarketTerms {
      MarketTerms(venue: venue, id: id, title: title)
    }
    let search = MatchSearch(
      polymarket: [
        terms(.polymarket, "0x1", "Will Trump win in 2028?"), terms(.polymarket, "0x2", "Will Trump win in 2024?"),
      ],
      kalshi: [terms(.kalshi, "K1", "Trump wins in 2028"), terms(.kalshi, "K2", "Trump wins the popular vote in 2028")])
    #expect(search.candidates.map { [$0.polymarket, $0.kalshi] } == [[0, 0]])
    #expect(search.counts == [.years: 2, .keywords: 1])
    #expect(search.rejected.count == 3)
  }
}
