import Bus
import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Web

extension SystemTests {
  /// The group plays recorded streams as if they were the venue; at the end each book shows what was recorded last.
  @Test func `recorded streams end in the books that were recorded`() throws {
    guard let shared = Places.shared else { return }
    let data = shared.appending(path: "data")
    let expected = try Recording.lastBest(in: data)
    try #require(!expected.isEmpty, "no recorded price changes in \(data.path)")
    let deployment = try Deployment(settings: [
      "simulator.load": data.path, "simulator.speed": "0", "polymarket.metadata_refresh_s": "3600",
    ])
    try deployment.start()
    try deployment.waitUntilReady(seconds: 120)
    try wait("the end of the recording", seconds: 240) { try Recording.isDone(deployment) }

    let subscriber = try Subscriber(name: "recorded-test", topics: ["book/", "market/"])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor-polymarket", runDirectory: deployment.runDirectory))
    let feed = BookFeed()
    let poller = Poller()
    poller.add(subscriber)
    var isWhole = false
    try wait("the ingestor's books", seconds: 60) {
      poller.wait(timeoutMilliseconds: 100)
      subscriber.receive { event in
        if case .snapshotEnd = event { isWhole = true }
        feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
      }
      return isWhole && mismatches(expected, feed).isEmpty
    }
    #expect(mismatches(expected, feed).isEmpty)
    #expect(try deployment.stop() == 0)
  }

  private func mismatches(_ expected: [String: Recording.Best], _ feed: BookFeed) -> [String] {
    var wrong: [String] = []
    for (token, best) in expected {
      guard let book = feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)) else {
        wrong.append("\(token): no book")
        continue
      }
      let bid = feed.cache.best(.bid, of: book)?.price ?? .zero
      let ask = feed.cache.best(.ask, of: book)?.price ?? .one
      if bid != best.bid || ask != best.ask {
        wrong.append("\(token): \(bid)/\(ask), recorded \(best.bid)/\(best.ask)")
      }
    }
    return wrong
  }
}

/// What the recordings say of themselves.
enum Recording {
  struct Best: Equatable {
    var bid: Price
    var ask: Price
  }

  /// The last best bid and ask of each token in the recorded price changes; an empty side is 0 or 1.
  static func lastBest(in data: URL) throws -> [String: Best] {
    let folder = data.appending(path: "ws_books")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    var result: [String: Best] = [:]
    for name in names.sorted() where name.hasPrefix("pm_price_change_") && name.hasSuffix(".csv.gz") {
      let text = String(decoding: try gunzip(folder.appending(path: name)) ?? Data(), as: UTF8.self)
      var columns: [Substring: Int] = [:]
      for (number, line) in text.split(separator: "\n").enumerated() {
        let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        if number == 0 {
          for (index, field) in fields.enumerated() { columns[field] = index }
          continue
        }
        guard let kind = columns["event_type"], fields[kind] == "PRICE_CHANGE", let token = columns["asset_id"],
          let bid = columns["best_bid"], let ask = columns["best_ask"]
        else { continue }
        result[String(fields[token])] = Best(bid: try Price(fields[bid]), ask: try Price(fields[ask]))
      }
    }
    return result
  }

  /// Whether the simulator has played everything.
  static func isDone(_ deployment: Deployment) throws -> Bool {
    let file = deployment.runDirectory + "/simulator.address"
    guard let address = try? String(contentsOfFile: file, encoding: .utf8) else { return false }
    let url = "http://\(address.trimmingCharacters(in: .whitespacesAndNewlines))/polymarket/clob/recording"
    guard let response = try? HTTPClient().sendBlocking(HTTPRequest(url: url)) else { return false }
    return try JSONDocument(response.body).root["done"]?.bool == true
  }
}
