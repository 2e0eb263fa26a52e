import Foundation
import Market
import Matching
import TestSupport

/// Recorded pairs and titles of both venues, found by what their files look like.
enum HandLists {
  /// Where they are: `BULKHEAD_SHARED`, or a folder beside the package.
  static var folder: URL {
    let shared = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"]
    return (shared.map { URL(filePath: $0) } ?? Places.package.appending(path: "../shared")).appending(path: "data")
  }

  /// What is known of a pair.
  enum Label: String {
    /// A person, or the chain, says that they are the same.
    case equivalent
    /// They are not.
    case different
  }

  struct Pair {
    var list: String
    var polymarket: MarketText
    var kalshi: MarketText
    var label: Label
    /// Whether it was taken for the same by somebody's program, and differs in a strike, an hour or a day.
    var isNearMiss = false
    /// Where both are known as teams of one game: which outcome pays.
    var polarity: Polarity?
  }

  static func files(_ subfolder: String, _ pattern: String) throws -> [URL] {
    let files =
      (try? FileManager.default.contentsOfDirectory(
        at: folder.appending(path: subfolder), includingPropertiesForKeys: nil)) ?? []
    let regex = try Regex(pattern)
    return files.filter { $0.lastPathComponent.contains(regex) }.sorted { $0.path < $1.path }
  }

  static func text(_ file: URL) throws -> String {
    let data = file.pathExtension == "gz" ? try gunzip(file) : try Data(contentsOf: file)
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  static func json(_ file: URL) throws -> Any { try JSONSerialization.jsonObject(with: Data(try text(file).utf8)) }

  /// Rows of a file with a line of titles, each by these.
  static func rows(_ file: URL) throws -> [[String: String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var field = ""
    var isQuoted = false
    for scalar in try text(file).unicodeScalars {
      switch scalar {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted:
        row.append(field)
        field = ""
      case "\n" where !isQuoted:
        rows.append(row + [field])
        (row, field) = ([], "")
      case "\r": continue
      default: field.unicodeScalars.append(scalar)
      }
    }
    if !field.isEmpty || !row.isEmpty { rows.append(row + [field]) }
    guard let titles = rows.first else { return [] }
    return rows.dropFirst().filter { $0.count == titles.count }.map {
      Dictionary(zip(titles, $0)) { first, _ in first }
    }
  }

  // MARK: - Pairs

  /// All pairs of which something is known.
  static func pairs() throws -> [Pair] {
    try groundTruth() + crossArbitrage() + automatic() + labelled() + games()
  }

  /// `polymarket_title,kalshi_title,match_type`: SIMILAR_EVENT is another question.
  private static func groundTruth() throws -> [Pair] {
    try files("pairs", "ground_truth.*\\.csv").flatMap { file in
      try rows(file).compactMap { row in
        guard let left = row["polymarket_title"], let right = row["kalshi_title"], let type = row["match_type"] else {
          return nil
        }
        return Pair(
          list: "ground truth", polymarket: MarketText(title: left), kalshi: MarketText(title: right),
          label: type == "SAME_EVENT" ? .equivalent : .different)
      }
    }
  }

  /// `titulo_a,titulo_b,url_b`: what a program took for the same; equal only in strike, day and hour.
  private static func crossArbitrage() throws -> [Pair] {
    try files("pairs", "(cross_arb|nearmiss).*\\.csv").flatMap { file in
      try rows(file).compactMap { row -> Pair? in
        guard let left = row["titulo_a"], let right = row["titulo_b"], let url = row["url_b"],
          row["plataforma_b"] == "Kalshi",
          let ticker = url.split(separator: "/").last.map(String.init)
        else { return nil }
        var kalshi = MarketText(title: right)
        kalshi.ticker = ticker
        let strike = ticker.split(separator: "-").last.flatMap { $0.hasPrefix("T") ? Double($0.dropFirst()) : nil }
        if let strike { kalshi.strike = "greater \(strike)" }
        let isSame = isSameThreshold(left, strike) && ticker.contains("\(day(left))12-")
        return Pair(
          list: "other strike, hour or day", polymarket: MarketText(title: left), kalshi: kalshi,
          label: isSame ? .equivalent : .different, isNearMiss: !isSame)
      }
    }
  }

  private static func isSameThreshold(_ title: String, _ strike: Double?) -> Bool {
    guard let strike,
      let amount = title.split(separator: "$").dropFirst().first?.prefix(while: { "0123456789,.".contains($0) })
    else { return false }
    return Double(amount.filter { $0 != "," }).map { abs($0 - strike) < 0.02 } ?? false
  }

  /// The day at a title's end as tickers have it, such as `JUN30`.
  private static func day(_ title: String) -> String {
    let words = title.split(separator: " ").suffix(2).map { $0.filter { $0.isLetter || $0.isNumber } }
    guard words.count == 2 else { return "none" }
    return words[0].prefix(3).uppercased() + (words[1].count == 1 ? "0" : "") + words[1]
  }

  /// Objects with `kalshiMarket` and `polymarketMarket`: matches of a program, of which none was right.
  private static func automatic() throws -> [Pair] {
    try files("pairs", "bad_auto.*\\.json").flatMap { file in
      (try json(file) as? [[String: Any]] ?? []).compactMap { row in
        guard let left = row["polymarketMarket"] as? [String: Any], let right = row["kalshiMarket"] as? [String: Any]
        else { return nil }
        func text(_ row: [String: Any]) -> MarketText {
          var text = MarketText(title: row["title"] as? String ?? "")
          text.closesAt = (row["closeTime"] as? String).flatMap { try? Timestamp(rfc3339: $0) }
          return text
        }
        var kalshi = text(right)
        kalshi.ticker = right["id"] as? String ?? ""
        return Pair(list: "bad automatic matches", polymarket: text(left), kalshi: kalshi, label: .different)
      }
    }
  }

  /// Lines with `side_a`, `side_b` and `label`; one without a label says nothing.
  private static func labelled() throws -> [Pair] {
    try files("pairs", "xplat_.*\\.jsonl").flatMap { file in
      try text(file).split(separator: "\n").compactMap { line -> Pair? in
        guard let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
          let label = row["label"] as? String, let left = row["side_a"] as? [String: Any],
          let right = row["side_b"] as? [String: Any]
        else { return nil }
        let sides = [left, right].sorted {
          ($0["platform"] as? String) == "polymarket" && ($1["platform"] as? String) != "polymarket"
        }
        func text(_ side: [String: Any]) -> MarketText {
          var text = MarketText(title: side["title"] as? String ?? "")
          text.closesAt = (side["condition_date"] as? String).flatMap { try? Timestamp(rfc3339: $0) }
          return text
        }
        return Pair(
          list: "labelled events", polymarket: text(sides[0]), kalshi: text(sides[1]),
          label: label == "equivalent" ? .equivalent : .different)
      }
    }
  }

  /// A mapping of games, each with the tickers of both teams; and for each game the tickers of the next, which are wrong.
  private static func games() throws -> [Pair] {
    try files("pm_kalshi_same_events", "_mapping.*\\.json").flatMap { file -> [Pair] in
      let rows = (try json(file) as? [String: Any])?["markets"] as? [[String: Any]] ?? []
      var pairs: [Pair] = []
      let games = rows.compactMap(Game.init)
      for (index, game) in games.enumerated() {
        for other in [game, games[(index + 1) % games.count]] {
          for (team, polarity) in zip([other.first, other.second], [Polarity.same, .opposite]) {
            pairs.append(
              Pair(
                list: "games", polymarket: game.polymarket, kalshi: team,
                label: other.ticker == game.ticker ? .equivalent : .different,
                polarity: other.ticker == game.ticker ? polarity : nil))
          }
        }
      }
      return pairs
    }
  }

  private struct Game {
    var ticker: String
    var polymarket: MarketText
    var first: MarketText
    var second: MarketText

    init?(_ row: [String: Any]) {
      guard let title = row["poly_title"] as? String,
        let kalshi = (row["kalshi"] as? [String: Any])?["markets"] as? [String: String],
        let slug = ((row["polymarket"] as? [String: Any])?["markets"] as? [String: String])?["slug"],
        let main = kalshi["main"], let teams = row["teams"] as? [String: String], let a = teams["team_a"],
        let b = teams["team_b"],
        // Towns, as the venue writes them: other rows carry the nicknames of another source.
        a.first?.isUppercase == true, title.contains(" vs. "), let opponent = kalshi["opponent"]
      else { return nil }
      ticker = main
      let names = title.split(separator: ".").map { $0.replacing(" vs", with: "").trimmingCharacters(in: .whitespaces) }
      polymarket = MarketText(title: title, outcomes: names)
      polymarket.closesAt = try? Timestamp(rfc3339: slug.suffix(10) + "T23:30:00Z")
      func text(_ team: String, _ ticker: String) -> MarketText {
        var text = MarketText(title: "\(a) at \(b) Winner?")
        text.subtitle = team
        text.ticker = ticker
        return text
      }
      first = text(a, main)
      second = text(b, opponent)
    }
  }

  // MARK: - Titles

  /// Titles of both venues as they were recorded.
  static func titles() throws -> (polymarket: [String], kalshi: [String]) {
    var polymarket: [String] = []
    var kalshi: [String] = []
    for file in try files("pm_markets", "gamma_active.*\\.json") {
      polymarket += (try json(file) as? [[String: Any]] ?? []).compactMap { $0["question"] as? String }
    }
    for file in try files("pm_markets", "quotes.*\\.csv") { polymarket += try rows(file).compactMap { $0["question"] } }
    for file in try files("pm_kalshi_same_events", "kalshi_.*ev.*\\.json") {
      for event in try json(file) as? [[String: Any]] ?? [] {
        for market in event["markets"] as? [[String: Any]] ?? [] {
          kalshi.append("\(market["title"] as? String ?? "") \(market["yes_sub_title"] as? String ?? "")")
        }
      }
    }
    for file in try files("kalshi_markets", "kalshi_events.*\\.json") {
      kalshi += (try json(file) as? [[String: Any]] ?? []).compactMap { $0["title"] as? String }
    }
    return (polymarket.filter { !$0.isEmpty }, kalshi.filter { !$0.isEmpty })
  }
}
