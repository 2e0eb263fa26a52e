import Foundation
import Matching
import TestSupport
import Testing

@Suite struct TitleScoreTests {
  @Test func `scores are RapidFuzz's`() throws {
    // 400 pairs with what RapidFuzz 3.14 says of them: white space of all kinds, other scripts, long titles, empty ones.
    let file = Places.package.appending(path: "Tests/Data/token_set_ratio.jsonl")
    let lines = try Data(contentsOf: file).split(separator: 0x0A)
    #expect(lines.count == 400)
    for line in lines {
      let row = try #require(try JSONSerialization.jsonObject(with: line) as? [Any])
      let (left, right) = (try #require(row[0] as? String), try #require(row[1] as? String))
      let expected = try #require(row[2] as? Double)
      let score = TitleScore.tokenSetRatio(left, right)
      #expect(abs(score - expected) < 0.01, "\(left) | \(right)")
      #expect(score == TitleScore.tokenSetRatio(right, left))
    }
  }

  @Test func `RapidFuzz itself agrees on ten thousand pairs of titles`() throws {
    guard ProcessInfo.processInfo.environment["BULKHEAD_PEERS"] == "1" else {
      print("skipped: RapidFuzz is asked with BULKHEAD_PEERS=1 only")
      return
    }
    let titles = try HandLists.titles()
    guard titles.polymarket.count > 100, titles.kalshi.count > 100 else {
      print("skipped: there are no recorded titles in \(HandLists.folder.path)")
      return
    }
    var random = SeededRandom(seed: 11)
    func text(_ list: [String]) -> String { list[Int(random.next() % UInt64(list.count))] }
    var pairs: [[String]] = []
    for number in 0..<10_000 {
      let left = text(titles.polymarket)
      // Half of the pairs share words, so that not all scores are low.
      let words = left.split(separator: " ").shuffled(using: &random).prefix(8).joined(separator: " ")
      pairs.append([left, number % 2 == 0 ? text(titles.kalshi) : words + " " + text(titles.kalshi).prefix(12)])
    }
    let expected = try rapidFuzz(pairs)
    #expect(expected.count == pairs.count)
    for (pair, score) in zip(pairs, expected) {
      #expect(abs(TitleScore.tokenSetRatio(pair[0], pair[1]) - score) < 0.01, "\(pair)")
    }
  }

  /// What the package from PyPI says, in a virtual environment that is kept in the user's cache.
  private func rapidFuzz(_ pairs: [[String]]) throws -> [Double] {
    let folder = ScratchDirectory()
    let (input, output) = (folder.file("pairs.json"), folder.file("scores.json"))
    try JSONSerialization.data(withJSONObject: pairs).write(to: URL(filePath: input))
    let script = """
      set -e
      cache="${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead/rapidfuzz"
      [ -x "$cache/bin/python" ] || python3 -m venv "$cache"
      "$cache/bin/python" -c 'import rapidfuzz' 2>/dev/null || "$cache/bin/python" -m pip install -q rapidfuzz
      "$cache/bin/python" -c '
      import json, sys
      from rapidfuzz import fuzz
      pairs = json.load(open(sys.argv[1]))
      json.dump([fuzz.token_set_ratio(a, b) for a, b in pairs], open(sys.argv[2], "w"))
      ' "$1" "$2"
      """
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["bash", "-c", script, "rapidfuzz", input, output]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let scores = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: output))) as? [Double]
    return try #require(scores)
  }

  @Test func `titles without a word are like nothing`() {
    #expect(TitleScore.tokenSetRatio("", "") == 0)
    #expect(TitleScore.tokenSetRatio(" \t", "a") == 0)
  }
}

@Suite struct TitleJoinTests {
  private func check(_ left: [String], _ right: [String], scoreMin: Double) -> Int {
    var expected: [TitleJoin.Pair] = []
    for (l, one) in left.enumerated() {
      for (r, other) in right.enumerated() {
        let score = TitleScore.tokenSetRatio(one, other)
        if score >= scoreMin { expected.append(TitleJoin.Pair(left: l, right: r, score: score)) }
      }
    }
    #expect(TitleJoin(left, right, scoreMin: scoreMin).pairs() == expected)
    return expected.count
  }

  @Test(arguments: [60.0, 80, 95, 100])
  func `no pair is lost among titles of few words`(scoreMin: Double) {
    var random = SeededRandom(seed: 5)
    let words = [
      "win", "wins", "2026", "2028", "election", "elections", "x", "ab", "abc", "iran", "iraq", "é", "strike", "a",
    ]
    func title() -> String {
      (0..<Int(random.next() % 7)).map { _ in
        var word = words[Int(random.next() % UInt64(words.count))]
        if random.next() % 5 == 0 { word += "s" }
        return word
      }.joined(separator: random.next() % 9 == 0 ? "" : " ")
    }
    let found = check((0..<250).map { _ in title() }, (0..<250).map { _ in title() }, scoreMin: scoreMin)
    #expect(found > 100)
  }

  @Test func `no pair is lost among long titles that differ by a letter`() {
    // No token is common: what finds them is that the whole texts are nearly the same.
    let left = [
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "onelongwordwithoutanyblank anotherlongwordwithoutany",
    ]
    let right = [
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxy", "onelongwordwithoutanyblanks anotherlongwordwithoutan",
    ]
    #expect(check(left, right, scoreMin: 95) == 2)
  }

  @Test func `no pair is lost among recorded titles`() throws {
    let titles = try HandLists.titles()
    guard titles.polymarket.count > 100, titles.kalshi.count > 100 else {
      print("skipped: there are no recorded titles in \(HandLists.folder.path)")
      return
    }
    func sample(_ list: [String]) -> [String] {
      stride(from: 0, to: list.count, by: max(1, list.count / 300)).map {
        MarketFacts(MarketText(title: list[$0])).scoredText
      }
    }
    #expect(check(sample(titles.polymarket), sample(titles.kalshi), scoreMin: 95) > 0)
  }
}
