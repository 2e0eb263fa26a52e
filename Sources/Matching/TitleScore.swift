/// How alike two titles are.
public enum TitleScore {
  /// RapidFuzz's `fuzz.token_set_ratio` without a processor, from 0 to 100.
  ///
  /// Titles are split at white space into sets of tokens. With the common tokens s and the others a and b, each sorted
  /// by code point and joined by blanks, it is the best of the normalised Indel similarities of s + a and s + b, s and
  /// s + a, s and s + b; 100 where one set holds the other, and 0 where a title has no token.
  ///
  /// Source: RapidFuzz's documentation of `token_set_ratio` and of the Indel similarity.
  public static func tokenSetRatio(_ left: String, _ right: String) -> Double {
    tokenSetRatio(tokens(left), tokens(right))
  }

  /// The tokens of a title: sorted by code point, each once.
  static func tokens(_ title: String) -> [[UInt32]] {
    var tokens: [[UInt32]] = []
    var token: [UInt32] = []
    // RapidFuzz takes the two blanks of Latin 1 for letters where a text has no code point beyond it.
    let isWide = title.unicodeScalars.contains { $0.value > 0xFF }
    for scalar in title.unicodeScalars {
      if isSpace(scalar.value), isWide || scalar.value < 0x80 {
        if !token.isEmpty { tokens.append(token) }
        token.removeAll()
      } else {
        token.append(scalar.value)
      }
    }
    if !token.isEmpty { tokens.append(token) }
    tokens.sort { $0.lexicographicallyPrecedes($1) }
    var unique: [[UInt32]] = []
    for token in tokens where unique.last != token { unique.append(token) }
    return unique
  }

  static func tokenSetRatio(_ left: [[UInt32]], _ right: [[UInt32]]) -> Double {
    guard !left.isEmpty, !right.isEmpty else { return 0 }
    var shared = JoinedLength()
    var (leftOnly, rightOnly): ([UInt32], [UInt32]) = ([], [])
    var (l, r) = (0, 0)
    while l < left.count || r < right.count {
      if l < left.count, r < right.count, left[l] == right[r] {
        shared.add(left[l].count)
        l += 1
        r += 1
      } else if r == right.count || (l < left.count && left[l].lexicographicallyPrecedes(right[r])) {
        append(left[l], to: &leftOnly)
        l += 1
      } else {
        append(right[r], to: &rightOnly)
        r += 1
      }
    }
    return ratio(shared: shared.length, leftOnly, rightOnly)
  }

  /// The score by the length of the common tokens, joined, and the other tokens of each, joined.
  static func ratio(shared: Int, _ leftOnly: [UInt32], _ rightOnly: [UInt32]) -> Double {
    if shared > 0, leftOnly.isEmpty || rightOnly.isEmpty { return 100 }
    let blank = shared > 0 ? 1 : 0
    let (leftLength, rightLength) = (shared + blank + leftOnly.count, shared + blank + rightOnly.count)
    let distance = leftOnly.count + rightOnly.count - 2 * longestCommonSubsequence(leftOnly, rightOnly)
    var best = similarity(distance, leftLength + rightLength)
    if shared > 0 {
      best = max(
        best, similarity(leftOnly.count + 1, shared + leftLength), similarity(rightOnly.count + 1, shared + rightLength)
      )
    }
    return best
  }

  /// The normalised Indel similarity.
  private static func similarity(_ distance: Int, _ lengths: Int) -> Double {
    lengths == 0 ? 100 : 100 - 100 * Double(distance) / Double(lengths)
  }

  private static func append(_ token: [UInt32], to text: inout [UInt32]) {
    if !text.isEmpty { text.append(0x20) }
    text += token
  }

  /// The length of the longest common subsequence of two texts.
  ///
  /// Bit-parallel, 64 columns at a time: H. Hyyrö, "Bit-parallel LCS-length computation revisited" (2004).
  static func longestCommonSubsequence(_ left: [UInt32], _ right: [UInt32]) -> Int {
    let (pattern, text) = left.count <= right.count ? (left, right) : (right, left)
    guard !pattern.isEmpty else { return 0 }
    let words = (pattern.count + 63) / 64
    // Where each code point stands in the pattern: a few dozen different ones at most, sought in a line.
    var symbols: [UInt32] = []
    var masks: [UInt64] = []
    for (index, symbol) in pattern.enumerated() {
      var place = symbols.firstIndex(of: symbol) ?? symbols.count
      if place == symbols.count {
        symbols.append(symbol)
        masks += repeatElement(0, count: words)
      }
      place *= words
      masks[place + index / 64] |= 1 << UInt64(index % 64)
    }
    var state = [UInt64](repeating: .max, count: words)
    for symbol in text {
      guard let place = symbols.firstIndex(of: symbol) else { continue }
      var carry: UInt64 = 0
      for word in 0..<words {
        let old = state[word]
        let matches = old & masks[place * words + word]
        let (partial, first) = old.addingReportingOverflow(matches)
        let (sum, second) = partial.addingReportingOverflow(carry)
        carry = first || second ? 1 : 0
        state[word] = sum | (old & ~matches)
      }
    }
    var length = 0
    for (word, bits) in state.enumerated() {
      let used = min(64, pattern.count - word * 64)
      let mask: UInt64 = used == 64 ? .max : (1 << UInt64(used)) - 1
      length += (~bits & mask).nonzeroBitCount
    }
    return length
  }

  /// What Python's `str.split()` takes as white space.
  private static func isSpace(_ value: UInt32) -> Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}

/// How long tokens are when they are joined by blanks.
struct JoinedLength {
  private(set) var length = 0

  mutating func add(_ token: Int) { length += token + (length > 0 ? 1 : 0) }
}
