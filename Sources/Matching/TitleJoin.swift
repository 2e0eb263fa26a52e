/// All pairs of two lists of titles whose score reaches a bound, without comparing each with each.
///
/// Nothing is lost: what is passed over cannot reach the bound. With the bound 1 − e, a pair reaches it in two ways only.
/// Either nearly all of one title's tokens are common: those that are not have, with a blank each, at most 2e/(1 + e) of
/// its length. So of its rarest tokens that are longer than this together one is common, and an index of tokens finds
/// the pair. Or both titles as wholes are nearly the same text: their distance is at most e of both lengths, and it is
/// never less than the difference of how often each letter stands in them. So lengths and counts of letters, 16 of them
/// in one instruction, rule out nearly all pairs.
public struct TitleJoin {
  /// A pair that reaches the bound.
  public struct Pair: Hashable, Sendable {
    /// The place in the left list.
    public var left: Int
    /// The place in the right list.
    public var right: Int
    /// Their score, from the bound to 100.
    public var score: Double

    /// A pair by its places and score.
    public init(left: Int, right: Int, score: Double) {
      self.left = left
      self.right = right
      self.score = score
    }
  }

  /// One title, ready to be compared.
  private struct Title {
    /// Ranks of its tokens in the sorted vocabulary, rising: their order is that of their texts.
    var tokens: [Int32] = []
    /// Joined by blanks.
    var length = 0
    var letters = SIMD16<UInt8>()
  }

  private let scoreMin: Double
  private var vocabulary: [[UInt32]] = []
  private var left: [Title] = []
  private var right: [Title] = []

  /// Prepares two lists.
  /// - Parameters:
  ///   - left: titles, already in the form that is to be compared.
  ///   - right: likewise.
  ///   - scoreMin: the bound, from 50 to 100.
  public init(_ left: [String], _ right: [String], scoreMin: Double) {
    self.scoreMin = max(50, min(100, scoreMin))
    let texts = [left.map(TitleScore.tokens), right.map(TitleScore.tokens)]
    var ranks: [[UInt32]: Int32] = [:]
    for titles in texts { for title in titles { for token in title { ranks[token] = 0 } } }
    vocabulary = ranks.keys.sorted { $0.lexicographicallyPrecedes($1) }
    for (rank, token) in vocabulary.enumerated() { ranks[token] = Int32(rank) }
    func title(_ tokens: [[UInt32]]) -> Title {
      var title = Title()
      var length = JoinedLength()
      var counts = [UInt8](repeating: 0, count: 16)
      for token in tokens {
        title.tokens.append(ranks[token] ?? 0)
        length.add(token.count)
        for letter in token { counts[Int(letter % 16)] = min(254, counts[Int(letter % 16)]) + 1 }
      }
      title.length = length.length
      for index in 0..<16 { title.letters[index] = counts[index] }
      return title
    }
    self.left = texts[0].map(title)
    self.right = texts[1].map(title)
  }

  /// The pairs, by left place and then by right place.
  public func pairs() -> [Pair] {
    var found: [Pair] = []
    let (byRight, byLeft) = (index(right), index(left))
    // Left titles that are nearly held by a right one; then right titles that are nearly held by a left one.
    var seen = [Int32](repeating: -1, count: right.count)
    var candidates = [[Int32]](repeating: [], count: left.count)
    for (place, title) in left.enumerated() {
      for token in rarest(title, byRight) { candidates[place] += byRight[Int(token)] }
    }
    for (place, title) in right.enumerated() {
      for token in rarest(title, byLeft) {
        for other in byLeft[Int(token)] { candidates[Int(other)].append(Int32(place)) }
      }
    }
    let byLength = right.indices.filter { right[$0].length > 0 }.sorted { right[$0].length < right[$1].length }
    let lengths = byLength.map { right[$0].length }
    let letters = byLength.map { right[$0].letters }
    let error = 1 - scoreMin / 100
    for (place, title) in left.enumerated() where title.length > 0 {
      for other in candidates[place] where seen[Int(other)] != Int32(place) {
        seen[Int(other)] = Int32(place)
        append(place, Int(other), &found)
      }
      // |L − R| ≤ e · (L + R)
      let shortest = Int(Double(title.length) * (1 - error) / (1 + error))
      var next = lengths.partitioningIndex { $0 >= shortest }
      while next < lengths.count {
        let limit = error * Double(title.length + lengths[next]) + 1e-9
        guard Double(lengths[next] - title.length) <= limit else { break }
        if Double(distance(title.letters, letters[next])) <= limit, seen[byLength[next]] != Int32(place) {
          seen[byLength[next]] = Int32(place)
          append(place, byLength[next], &found)
        }
        next += 1
      }
    }
    return found.sorted { ($0.left, $0.right) < ($1.left, $1.right) }
  }

  private func append(_ place: Int, _ other: Int, _ found: inout [Pair]) {
    let score = score(left[place], right[other])
    if score >= scoreMin { found.append(Pair(left: place, right: other, score: score)) }
  }

  /// The sum of the differences; counts that stand at their limit make it smaller, never larger.
  private func distance(_ left: SIMD16<UInt8>, _ right: SIMD16<UInt8>) -> Int {
    let larger = left.replacing(with: right, where: left .< right)
    let smaller = right.replacing(with: left, where: left .< right)
    return Int(SIMD16<UInt16>(truncatingIfNeeded: larger &- smaller).wrappedSum())
  }

  /// Which titles hold each token.
  private func index(_ titles: [Title]) -> [[Int32]] {
    var index = [[Int32]](repeating: [], count: vocabulary.count)
    for (place, title) in titles.enumerated() { for token in title.tokens { index[Int(token)].append(Int32(place)) } }
    return index
  }

  /// The tokens of a title of which one is common to every title that nearly holds it.
  private func rarest(_ title: Title, _ index: [[Int32]]) -> [Int32] {
    let error = 1 - scoreMin / 100
    let spared = 2 * error / (1 + error) * Double(title.length) + 1e-9
    var chosen: [Int32] = []
    var length = 0
    for token in title.tokens.sorted(by: { index[Int($0)].count < index[Int($1)].count }) {
      chosen.append(token)
      length += vocabulary[Int(token)].count + 1
      if Double(length) > spared { break }
    }
    return chosen
  }

  private func score(_ left: Title, _ right: Title) -> Double {
    var shared = JoinedLength()
    var (leftOnly, rightOnly): ([UInt32], [UInt32]) = ([], [])
    func append(_ token: Int32, to text: inout [UInt32]) {
      if !text.isEmpty { text.append(0x20) }
      text += vocabulary[Int(token)]
    }
    var (l, r) = (0, 0)
    while l < left.tokens.count || r < right.tokens.count {
      if l < left.tokens.count, r < right.tokens.count, left.tokens[l] == right.tokens[r] {
        shared.add(vocabulary[Int(left.tokens[l])].count)
        l += 1
        r += 1
      } else if r == right.tokens.count || (l < left.tokens.count && left.tokens[l] < right.tokens[r]) {
        append(left.tokens[l], to: &leftOnly)
        l += 1
      } else {
        append(right.tokens[r], to: &rightOnly)
        r += 1
      }
    }
    return TitleScore.ratio(shared: shared.length, leftOnly, rightOnly)
  }
}

extension Array {
  /// The first place from which on all elements fulfil a condition; those before do not.
  func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
