internal import Market

/// Makes the ordinary markets and events of the world from the seed and the day.
///
/// An event lives through cycles of days to months, with a new id in each, so that the world of a seed is the same
/// whenever it is built within one cycle and never consists of the past.
struct WorldBuilder {
  let seed: Seed
  let now: Timestamp
  var markets: [SimulatedMarket] = []
  var events: [SimulatedEvent] = []
  /// The middle of each market's book, in 10⁻³; those of a closed neg-risk event add up to 1000.
  var middles: [Int] = []

  init(seed: Seed, now: Timestamp) {
    self.seed = seed
    self.now = now
  }

  /// Adds neg-risk events until they have half of the markets, then single markets until both counts are reached.
  mutating func build(markets marketCount: Int, events eventCount: Int) {
    var number: UInt64 = 0
    while markets.count < marketCount / 2, events.count < max(1, eventCount / 2) || markets.count < marketCount / 4 {
      addContest(number)
      number += 1
    }
    while markets.count < marketCount || events.count < eventCount {
      addSingle(number)
      number += 1
    }
  }

  /// The cycle of days in which an event lives now.
  private func life(_ number: UInt64) -> (cycle: UInt64, startsAt: Timestamp, endsAt: Timestamp) {
    let bits = seed.bits(.event, number)
    let periods: [Int64] = [3, 5, 9, 14, 30, 45, 60, 90, 120, 180, 240, 360]
    let days = periods[Int(bits % UInt64(periods.count))]
    let period = days * 86_400
    let phase = Int64((bits >> 8) % UInt64(days * 24)) * 3600
    let cycle = (now.seconds - phase) / period
    let start = phase + cycle * period
    return (
      UInt64(cycle), Timestamp(nanoseconds: start * 1_000_000_000),
      Timestamp(nanoseconds: (start + period) * 1_000_000_000)
    )
  }

  private mutating func addSingle(_ number: UInt64) {
    let life = life(number)
    let bits = seed.bits(.market, number)
    let topic = Phrases.topics[Int(bits % UInt64(Phrases.topics.count))]
    let subject = topic.subjects[Int((bits >> 8) % UInt64(topic.subjects.count))]
    let claim = topic.claims[Int((bits >> 16) % UInt64(topic.claims.count))]
    let question = "Will \(subject) \(claim) in round \(number)?"
    let event = events.count
    var market = makeMarket(number << 16, event: event, question: question, fees: topic.fees, life: life)
    market.tick = (bits >> 24) % 3 == 0 ? WorldBuilder.fineTick : WorldBuilder.coarseTick
    market.spreadTicks = market.tick == WorldBuilder.fineTick ? 2 + Int((bits >> 32) % 9) : 1 + Int((bits >> 32) % 4)
    middles.append(60 + Int((bits >> 40) % 881))
    events.append(
      SimulatedEvent(
        id: WorldBuilder.eventID(number, life.cycle), slug: market.slug, title: question, category: topic.category,
        markets: [markets.count], startsAt: life.startsAt, endsAt: life.endsAt))
    markets.append(market)
  }

  private mutating func addContest(_ number: UInt64) {
    let life = life(number)
    let bits = seed.bits(.market, number)
    let topic = Phrases.topics[Int(bits % UInt64(Phrases.topics.count))]
    let title = "\(Phrases.contests[Int((bits >> 8) % UInt64(Phrases.contests.count))]) \(number)"
    let event = events.count
    let isAugmented = (bits >> 16) % 12 == 0
    let named = 3 + Int(seed.number(.event, number << 20, below: 28))
    var contest = SimulatedEvent(
      id: WorldBuilder.eventID(number, life.cycle), slug: Phrases.slug(title), title: title,
      category: topic.category, markets: [], startsAt: life.startsAt, endsAt: life.endsAt)
    contest.isNegRisk = true
    contest.isAugmented = isAugmented
    contest.negRiskMarketID = seed.hex256(.negRisk, number &+ life.cycle << 32)
    let fine = named > 6 || (bits >> 20) % 2 == 0
    let parts = shares(of: isAugmented ? 900 : 1000, among: named, number, least: fine ? 4 : 40, unit: fine ? 1 : 10)
    for outcome in 0..<named {
      let name = personName(number &* 64 &+ UInt64(outcome), outcome)
      var market = makeMarket(
        number << 16 | UInt64(outcome), event: event, question: "Will \(name) win the \(title)?", fees: topic.fees,
        life: life)
      market.groupItemTitle = name
      market.tick = fine ? WorldBuilder.fineTick : WorldBuilder.coarseTick
      market.spreadTicks = 2 + Int(seed.bits(.book, market.key) % 3)
      contest.markets.append(markets.count)
      markets.append(market)
      middles.append(parts[outcome])
    }
    if isAugmented { addPlaceholders(to: &contest, number, event: event, title: title, fees: topic.fees, life: life) }
    events.append(contest)
  }

  /// Unnamed outcomes without tokens, and the "other" outcome, which has tokens and shows no price that means anything.
  private mutating func addPlaceholders(
    to contest: inout SimulatedEvent, _ number: UInt64, event: Int, title: String, fees: FeeKind,
    life: (cycle: UInt64, startsAt: Timestamp, endsAt: Timestamp)
  ) {
    for place in 0..<3 {
      let isOther = place == 2
      let name = isOther ? "Other" : "Person \(Character(Unicode.Scalar(UInt8(65 + place))))"
      var market = makeMarket(
        number << 16 | UInt64(1000 + place), event: event, question: "Will \(name) win the \(title)?", fees: fees,
        life: life)
      market.groupItemTitle = name
      market.isPlaceholder = true
      market.isOther = isOther
      market.fees = .none
      if !isOther { market.tokens = [] }
      contest.markets.append(markets.count)
      markets.append(market)
      middles.append(0)
    }
  }

  private func makeMarket(
    _ key: UInt64, event: Int, question: String, fees: FeeKind,
    life: (cycle: UInt64, startsAt: Timestamp, endsAt: Timestamp)
  ) -> SimulatedMarket {
    let cycled = key &+ life.cycle << 40
    let id = 100_000_000 + Int64(key >> 16) * 64 + Int64(key & 0xFFFF) % 64 + Int64(life.cycle % 500) * 3_000_000
    var market = SimulatedMarket(
      id: id, event: event, conditionID: seed.hex256(.condition, cycled), questionID: seed.hex256(.question, cycled),
      slug: Phrases.slug(question), question: question,
      tokens: [seed.decimal256(.token, cycled << 1), seed.decimal256(.token, cycled << 1 | 1)],
      tick: WorldBuilder.coarseTick, fees: fees, startsAt: life.startsAt, endsAt: life.endsAt,
      resolvesAt: life.endsAt.advanced(bySeconds: 3 + Int64(seed.number(.delay, cycled, below: 6))))
    market.volumeDay = Money(dollars: seed.number(.volumeText, cycled, below: 90_000))
    market.volumeTotal = market.volumeDay + Money(dollars: seed.number(.volumeText, ~cycled, below: 2_000_000))
    return market
  }

  /// Cuts a whole into parts of a least size, none of them larger than two thirds of it.
  private func shares(of whole: Int, among count: Int, _ number: UInt64, least: Int, unit: Int) -> [Int] {
    var weights = (0..<count).map { 1 + Int(seed.bits(.book, number &* 64 &+ UInt64($0)) % 100) }
    weights[0] += 60
    let sum = weights.reduce(0, +)
    let free = whole - least * count
    var parts = weights.map { least + free * $0 / sum / unit * unit }
    parts[0] += whole - parts.reduce(0, +)
    return parts
  }

  private func personName(_ number: UInt64, _ outcome: Int) -> String {
    let bits = seed.bits(.question, number)
    let given = Phrases.givenNames[(Int(bits % 25) + outcome) % Phrases.givenNames.count]
    let family = Phrases.familyNames[Int((bits >> 8) % UInt64(Phrases.familyNames.count))]
    return "\(given) \(family) \(outcome + 1)"
  }

  static let coarseTick = Price(raw: 1_000_000)
  static let fineTick = Price(raw: 100_000)

  private static func eventID(_ number: UInt64, _ cycle: UInt64) -> Int64 {
    10_000 + Int64(number) + Int64(cycle % 500) * 200_000
  }
}

extension SimulatedMarket {
  /// A number for what the seed decides about this market alone.
  var key: UInt64 { UInt64(bitPattern: id) }
}
