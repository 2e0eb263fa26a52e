public import Market
public import Venues

/// What one source says the price was at one instant.
public struct PriceObservation: Hashable, Sendable {
  /// Who says it.
  public var source: String
  /// The price.
  public var price: Price
  /// For which instant it holds: the end of the candle that it closes, or the source's own moment.
  public var time: Timestamp
  /// Whether the source chooses its moments itself: then one that is near enough stands for the instant.
  public var isPoint: Bool

  /// An observation by its parts.
  public init(source: String, price: Price, time: Timestamp, isPoint: Bool = false) {
    self.source = source
    self.price = price
    self.time = time
    self.isPoint = isPoint
  }

  /// How far it is from an instant, in nanoseconds.
  func distance(from instant: Timestamp) -> UInt64 { time.nanoseconds(since: instant).magnitude }
}

/// A price on which enough sources agree.
public struct AgreedPrice: Hashable, Sendable {
  /// The mean of the sources, rounded to 10⁻⁸, a half away from zero.
  public var price: Price
  /// The highest less the lowest.
  public var spread: Price
  /// That in millionths of the mean, rounded up.
  public var spreadMillionths: Int64
  /// Who agrees, by name.
  public var sources: [String]
}

/// Whether the sources agree on a price (T1).
public enum PriceConsensus: Hashable, Sendable {
  /// They do.
  case agreed(AgreedPrice)
  /// Too few of them have a price for this instant; `absent` says why the others have none.
  case tooFew(have: Int, need: Int, absent: [String])
  /// One is farther from the mean than is tolerated; `observations` are all of them, the farthest first.
  case disagreement(observations: [PriceObservation], mean: Price)

  /// The agreed price; nil where there is none.
  public var agreedPrice: AgreedPrice? {
    if case .agreed(let price) = self { price } else { nil }
  }

  /// Why there is no price, for people; empty where there is one.
  public var problem: String {
    switch self {
    case .agreed: ""
    case .tooFew(let have, let need, let absent):
      "\(have) of \(need) sources have a price" + (absent.isEmpty ? "" : " (\(absent.joined(separator: "; ")))")
    case .disagreement(let observations, let mean):
      "the sources do not agree: mean \(mean), "
        + observations.map { "\($0.source) \($0.price)" }.joined(separator: ", ")
    }
  }

  /// How sources are brought together.
  public struct Rules: Hashable, Sendable {
    /// With fewer sources there is no price.
    public var sourcesMin: Int
    /// How far a source may be from the mean, in units of 10⁻⁸ of a per cent; 50,000,000 is 0.5 %.
    public var tolerancePercent: Int64
    /// How far from the instant the moment of a source may be that has no candles, in seconds.
    public var pointOffsetMaxSeconds: Int64

    /// Two sources, within 0.5 %, points from within a minute, unless told otherwise.
    public init(sourcesMin: Int = 2, tolerancePercent: Int64 = 50_000_000, pointOffsetMaxSeconds: Int64 = 60) {
      self.sourcesMin = sourcesMin
      self.tolerancePercent = tolerancePercent
      self.pointOffsetMaxSeconds = pointOffsetMaxSeconds
    }
  }

  /// Brings the observations of one instant together, in exact integer arithmetic.
  ///
  /// A source counts once, for exactly this instant (a point: for a moment near it), and with a price above zero; any
  /// other observation is absent. With
  /// n sources of sum S, a price p is within the tolerance where |n · p − S| · 100 % ≤ tolerance · S: the mean is never
  /// rounded before the comparison.
  /// - Parameters:
  ///   - observations: what the sources say.
  ///   - instant: the instant in question.
  ///   - rules: how many must agree, and how closely.
  /// - Returns: the price, or why there is none.
  public static func of(
    _ observations: [PriceObservation], at instant: Timestamp, rules: Rules
  ) -> PriceConsensus {
    var counted: [PriceObservation] = []
    var absent: [String] = []
    for observation in observations {
      let offsetMax = observation.isPoint ? UInt64(max(0, rules.pointOffsetMaxSeconds)) * 1_000_000_000 : 0
      if observation.distance(from: instant) > offsetMax {
        absent.append("\(observation.source): \(observation.time) is another instant")
      } else if observation.price.raw <= 0 {
        absent.append("\(observation.source): \(observation.price) is no price")
      } else if counted.contains(where: { $0.source == observation.source }) {
        absent.append("\(observation.source): named twice")
      } else {
        counted.append(observation)
      }
    }
    guard counted.count >= max(1, rules.sourcesMin) else {
      return .tooFew(have: counted.count, need: rules.sourcesMin, absent: absent)
    }
    let count = Int128(counted.count)
    let sum = counted.reduce(Int128(0)) { $0 + Int128($1.price.raw) }
    let mean = Price(raw: Int64((2 * sum + count) / (2 * count)))
    func distance(_ observation: PriceObservation) -> Int128 {
      let difference = count * Int128(observation.price.raw) - sum
      return difference < 0 ? -difference : difference
    }
    let wholePercents = 100 * Int128(fixedPointScale)
    guard counted.allSatisfy({ distance($0) * wholePercents <= Int128(rules.tolerancePercent) * sum }) else {
      return .disagreement(observations: counted.sorted { distance($0) > distance($1) }, mean: mean)
    }
    let highest = counted.map(\.price.raw).max() ?? 0
    let spread = highest - (counted.map(\.price.raw).min() ?? 0)
    // spread ÷ (sum ÷ count), rounded up.
    let millionths = (Int128(spread) * count * 1_000_000 + sum - 1) / sum
    return .agreed(
      AgreedPrice(
        price: mean, spread: Price(raw: spread), spreadMillionths: Int64(millionths),
        sources: counted.map(\.source).sorted()))
  }

  /// The observation that a source's candles give for an instant: the close of the closed candle that ends then (T1).
  ///
  /// Candles of any length that end at the instant close at the same trade.
  /// - Parameters:
  ///   - candles: candles of the source.
  ///   - periodSeconds: their length.
  ///   - source: its name.
  ///   - instant: the instant in question.
  /// - Returns: the observation; nil where no such candle is there, or it is not closed.
  public static func observation(
    _ candles: [Candle], periodSeconds: Int64 = 60, source: String, at instant: Timestamp
  ) -> PriceObservation? {
    let start = instant.advanced(bySeconds: -periodSeconds)
    let candle = candles.first { $0.start == start && $0.periodSeconds == periodSeconds && $0.isClosed }
    return candle.map { PriceObservation(source: source, price: $0.close, time: instant) }
  }

  /// The point of a source that is nearest to an instant; nil where it has none.
  public static func nearest(_ points: [PricePoint], source: String, to instant: Timestamp) -> PriceObservation? {
    points.map { PriceObservation(source: source, price: $0.price, time: $0.time, isPoint: true) }
      .min { $0.distance(from: instant) < $1.distance(from: instant) }
  }
}
