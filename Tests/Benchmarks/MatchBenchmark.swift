import Matching

/// `match.*`: the titles of one venue against those of another.
enum MatchBenchmark {
  static let names = ["match.join", "match.score"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let (left, right) = (titles(27_460, seed: 1), titles(5000, seed: 2))
    var figures: [Figure] = []
    // Every pair of a part, scaled to all.
    let parts = (left.prefix(300).map { $0 }, right.prefix(300).map { $0 })
    var brute: [Double] = []
    for _ in 0..<bench.repetitions {
      brute.append(
        seconds {
          for one in parts.0 { for other in parts.1 { sink &+= Int(TitleScore.tokenSetRatio(one, other)) } }
        })
    }
    let pairs = Double(parts.0.count * parts.1.count)
    if bench.wants("match.join") {
      var times: [Double] = []
      var found = 0
      for _ in 0..<bench.repetitions {
        times.append(seconds { found = TitleJoin(left, right, scoreMin: 95).pairs().count })
      }
      figures.append(
        Figure(
          "match.join", "s", better: .lower, ours: times,
          floor: brute.map { $0 / pairs * Double(left.count) * Double(right.count) },
          note:
            "\(left.count) × \(right.count) titles, \(found) pairs of 95 and more; the limit is each with each, scaled")
      )
    }
    if bench.wants("match.score") {
      figures.append(
        Figure("match.score", "ns", better: .lower, ours: brute.map { $0 / pairs * 1e9 }, note: "one pair, from text"))
    }
    return figures
  }

  /// Keeps the compiler from leaving work out.
  nonisolated(unsafe) private static var sink = 0

  private static func seconds(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    let time = (ContinuousClock.now - start).components
    return Double(time.seconds) + Double(time.attoseconds) / 1e18
  }

  /// Titles in the manner of both venues: many with the same words, and few words that are rare.
  private static func titles(_ count: Int, seed: UInt64) -> [String] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let subjects = ["bitcoin", "ethereum", "solana", "fed", "trump", "iran", "israel", "lakers", "celtics", "arsenal"]
    let verbs = ["above", "below", "win", "visit", "reach", "resign", "strike", "announce", "between", "nominate"]
    let syllables = ["ka", "ro", "mi", "ten", "lo", "sa", "vi", "dur", "bel", "an", "tor", "ne", "fa", "gu", "ris"]
    return (0..<count).map { _ in
      let name = (0..<(2 + next(2))).map { _ in syllables[next(syllables.count)] }.joined()
      switch next(3) {
      case 0: return "\(subjects[next(subjects.count)]) \(verbs[next(verbs.count)]) \((50 + next(600)) * 250)"
      case 1: return "\(name) \(verbs[next(verbs.count)]) \(subjects[next(subjects.count)]) election state \(next(50))"
      default: return "\(name) \(subjects[next(subjects.count)]) next leader party \(verbs[next(verbs.count)]) \(name)s"
      }
    }
  }
}
