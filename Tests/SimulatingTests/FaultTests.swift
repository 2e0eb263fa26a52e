import Foundation
import Market
import Simulating
import Testing
import Web

@Suite struct FaultBoardTests {
  func board(_ texts: String...) throws -> FaultBoard {
    var board = FaultBoard(seed: 1)
    for text in texts { _ = try board.add(Array(text.utf8), at: moment) }
    return board
  }

  func fate(_ board: inout FaultBoard, _ venue: Market.Venue, _ text: String, session: Int = 1) -> FrameFate {
    Array(text.utf8).withUnsafeBytes {
      board.frame(venue, session: session, target: "/x", $0, isLifeSign: false)
    }
  }

  @Test func `a fault strikes its venue, its path and its symbol, and no other`() throws {
    var board = try board(
      "{\"venue\":\"kraken\",\"kind\":\"status\",\"value\":502,\"path\":\"OHLC\",\"symbol\":\"XBT\"}")
    func kind(_ venue: Market.Venue, _ target: String) -> FaultKind? {
      board.request(venue, target: target, isHandshake: false).kind
    }
    #expect(kind(.kraken, "/kraken/0/public/OHLC?pair=xbtusd") == .status)
    #expect(kind(.kraken, "/kraken/0/public/OHLC?pair=ETHUSD") == nil)
    #expect(kind(.kraken, "/kraken/0/public/Trades?pair=XBTUSD") == nil)
    #expect(kind(.okx, "/okx/OHLC?pair=XBTUSD") == nil)
    #expect(board.faults[0].requests == 1)
  }

  @Test func `a fault ends by its time, by its venue, by its id, or with all`() throws {
    let text = "{\"venue\":\"okx\",\"kind\":\"timeout\",\"for_s\":30}"
    var board = try board(
      text, "{\"venue\":\"okx\",\"kind\":\"ban\"}", "{\"venue\":\"all\",\"kind\":\"latency\"}", text)
    #expect(board.expire(at: moment.advanced(bySeconds: 29)).isEmpty)
    #expect(board.clear(id: 4).map(\.id) == [4])
    #expect(board.expire(at: moment.advanced(bySeconds: 30)).map(\.id) == [1])
    #expect(board.clear(venue: .okx).map(\.id) == [2])
    #expect(!board.isQuiet && board.clear().map(\.id) == [3] && board.isQuiet)
  }

  @Test func `a share strikes about so many`() throws {
    var board = try board("{\"venue\":\"bybit\",\"kind\":\"timeout\",\"share_percent\":18}")
    let struck = (0..<10_000).count { _ in board.request(.bybit, target: "/bybit", isHandshake: false).isSilent }
    #expect((1600...2000).contains(struck))
    #expect(board.faults[0].requests == Int64(struck))
  }

  @Test func `frames are lost, doubled, swapped, lost in a row, or frozen`() throws {
    var drop = try board("{\"venue\":\"binance\",\"kind\":\"drop\",\"share_percent\":100,\"symbol\":\"btc\"}")
    #expect(fate(&drop, .binance, "{\"s\":\"BTCUSDT\"}").copies == 0)
    #expect(fate(&drop, .binance, "{\"s\":\"ETHUSDT\"}").copies == 1)
    var duplicate = try board("{\"venue\":\"binance\",\"kind\":\"duplicate\",\"share_percent\":100}")
    #expect(fate(&duplicate, .binance, "{}").copies == 2)
    var reorder = try board("{\"venue\":\"binance\",\"kind\":\"reorder\",\"share_percent\":100}")
    #expect(fate(&reorder, .binance, "{}").waitsFor == 1)
    var gap = try board("{\"venue\":\"binance\",\"kind\":\"gap\",\"value\":3,\"share_percent\":100}")
    #expect((0..<3).allSatisfy { _ in fate(&gap, .binance, "{}").copies == 0 })
    #expect(gap.faults[0].frames == 1)
    var freeze = try board("{\"venue\":\"binance\",\"kind\":\"freeze\"}")
    #expect(fate(&freeze, .binance, "{}").copies == 0)
    let heartbeat = Array("{}".utf8).withUnsafeBytes {
      freeze.frame(.binance, session: 1, target: "/x", $0, isLifeSign: true)
    }
    #expect(heartbeat.copies == 1)
  }

  @Test(arguments: [
    "[]", "{", "{\"venue\":\"nyse\",\"kind\":\"timeout\"}", "{\"venue\":\"okx\",\"kind\":\"meteor\"}",
    "{\"venue\":\"okx\",\"kind\":\"status\",\"value\":200}", "{\"venue\":\"okx\",\"kind\":\"timeout\",\"value\":1}",
    "{\"venue\":\"okx\",\"kind\":\"dns\",\"share_percent\":5}", "{\"venue\":\"okx\",\"kind\":\"timeout\",\"share\":5}",
    "{\"venue\":\"okx\",\"kind\":\"timeout\",\"share_percent\":0}",
  ])
  func `what is no fault is refused`(text: String) {
    var board = FaultBoard(seed: 1)
    #expect(throws: FaultRefusal.self) { try board.add(Array(text.utf8), at: moment) }
    #expect(board.isQuiet && board.faults.isEmpty)
  }

  func rewritten(_ text: String, _ changes: FaultChange...) -> String {
    String(decoding: FaultRewriter.apply(changes, to: Array(text.utf8), now: moment), as: UTF8.self)
  }

  @Test func `payloads lose sizes, types, or their second half`() {
    #expect(rewritten("{\"px\":\"1.5\",\"sz\":\"2\",\"ok\":true}", .missingSizes) == "{\"px\":\"1.5\",\"ok\":true}")
    #expect(
      rewritten("{\"bids\":[[\"0.4\",\"10\"],[\"0.3\",\"5\"]],\"asks\":[]}", .missingSizes)
        == "{\"bids\":[[\"0.4\",null],[\"0.3\",null]],\"asks\":[]}")
    #expect(
      rewritten("{\"X\":[[\"1.5\",\"0.2\",1762795433.97,\"b\",\"l\",\"\",7]]}", .missingSizes)
        == "{\"X\":[[\"1.5\",null,1762795433.97,\"b\",\"l\",\"\",7]]}")
    #expect(
      rewritten("{\"p\":\"1.5\",\"t\":12,\"s\":\"BTC\",\"n\":null}", .wrongTypes)
        == "{\"p\":true,\"t\":\"not a number\",\"s\":\"BTC\",\"n\":null}")
    #expect(rewritten("{\"a\":[1,2]}", .truncate) == "{\"a\":")
    #expect(rewritten("pong", .wrongTypes) == "pong")
  }

  @Test func `trades are made old whatever the venue's way to write a time, and other numbers stay`() {
    let past = moment.advanced(bySeconds: -60 * 86_400)
    let text = { (time: Timestamp) in
      "{\"T\":\(time.milliseconds),\"ts\":\"\(time.milliseconds)\",\"s\":[\(time.seconds).25,\"\(time.nanoseconds)\"],"
        + "\"time\":\"\(time.description.prefix(19)).123456Z\",\"id\":7181194219,\"p\":\"66215.66\"}"
    }
    #expect(rewritten(text(moment), .staleTrades(days: 60)) == text(past))
  }
}

@Suite struct FaultServiceTests {
  func options() -> SimulatorOptions {
    var options = SimulatorOptions()
    options.markets = 20
    options.events = 5
    options.opensMarkets = false
    return options
  }

  /// Sends and reads until something is there, or too much time has passed.
  func read(_ socket: WebSocketPeer, until isEnough: ([String]) -> Bool, seconds: Double = 300) async throws -> [String]
  {
    var texts: [String] = []
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline, !isEnough(texts), !socket.isClosed {
      do {
        try socket.receive { if $0.kind == .text { texts.append($0.text) } }
      } catch {
        break
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    return texts
  }

  @Test(.timeLimit(.minutes(10)))
  func `a paused exchange says so and refuses orders, and tells books and trades all the while`() async throws {
    try await serving(options()) { port in
      let base = "http://127.0.0.1:\(port)"
      let client = HTTPClient()
      let status = HTTPRequest(url: base + "/kalshi/trade-api/v2/exchange/status")
      #expect(try await client.send(status).text.contains("\"trading_active\":true"))
      for venue in ["kalshi", "polymarket"] {
        let body = Array("{\"venue\":\"\(venue)\",\"kind\":\"pause\"}".utf8)
        #expect(try await client.send(HTTPRequest(method: "POST", url: base + "/faults", body: body)).status == 201)
      }
      #expect(try await client.send(status).text.contains("\"trading_active\":false"))
      for order in ["/kalshi/trade-api/v2/portfolio/events/orders", "/polymarket/clob/order"] {
        let refused = try await client.send(HTTPRequest(method: "POST", url: base + order, body: Array("{}".utf8)))
        #expect(refused.status == 503 && refused.text.contains("paused"), "\(refused.text)")
      }
      let events = try await client.send(HTTPRequest(url: base + "/kalshi/trade-api/v2/events?limit=1"))
      #expect(events.status == 200)
      #expect(try await client.send(HTTPRequest(url: base + "/polymarket/clob/time")).status == 200)
    }
  }

  @Test(.timeLimit(.minutes(10)))
  func `a slow or silent venue holds up no other, and a refused one says so in its own words`() async throws {
    try await serving(options()) { port in
      let base = "http://127.0.0.1:\(port)"
      let client = HTTPClient()
      func set(_ text: String) async throws {
        let answer = try await client.send(HTTPRequest(method: "POST", url: base + "/faults", body: Array(text.utf8)))
        #expect(answer.status == 201, "\(answer.text)")
      }
      try await set("{\"venue\":\"kraken\",\"kind\":\"timeout\"}")
      try await set("{\"venue\":\"okx\",\"kind\":\"latency\",\"value\":700}")
      try await set("{\"venue\":\"bybit\",\"kind\":\"own_limit\"}")
      try await set("{\"venue\":\"binance\",\"kind\":\"ban\",\"value\":77}")
      try await set("{\"venue\":\"coinbase\",\"kind\":\"truncate\"}")
      async let silent = client.send(
        HTTPRequest(url: base + "/kraken/0/public/Time", timeoutMilliseconds: 1500))
      let started = Date()
      let slow = try await client.send(HTTPRequest(url: base + "/okx/api/v5/public/time"))
      #expect(slow.status == 200 && Date().timeIntervalSince(started) >= 0.7)
      let limited = try await client.send(HTTPRequest(url: base + "/bybit/v5/market/time"))
      #expect(limited.status == 200 && limited.text.contains("\"retCode\":10006"))
      let banned = try await client.send(HTTPRequest(url: base + "/binance/api/v3/time"))
      #expect(banned.status == 418 && banned.headers["Retry-After"] == "77" && banned.text.contains("-1003"))
      let cut = try await client.send(HTTPRequest(url: base + "/coinbase/products"))
      #expect(cut.status == 200 && (try? cut.json()) == nil)
      let well = try await client.send(HTTPRequest(url: base + "/coingecko/api/v3/ping"))
      #expect(well.status == 200)
      do {
        _ = try await silent
        Issue.record("a silent venue answered")
      } catch let error as HTTPError {
        #expect(error.code == .timeout)
      }
      let list = try await client.send(HTTPRequest(url: base + "/faults")).json().root
      let requests = try #require(list["faults"]).elements.map { $0["requests"]?.integer ?? 0 }
      #expect(requests == [1, 1, 1, 1, 1])
      let cleared = try await client.send(HTTPRequest(method: "DELETE", url: base + "/faults"))
      #expect(cleared.text == "{\"cleared\":5}")
      let again = try await client.send(HTTPRequest(url: base + "/kraken/0/public/Time"))
      #expect(again.status == 200)
      let dns = try await client.send(
        HTTPRequest(method: "POST", url: base + "/faults", body: Array("{\"venue\":\"okx\",\"kind\":\"dns\"}".utf8)))
      #expect(dns.status == 400 && dns.text.contains("run directory"))
    }
  }

  @Test(.timeLimit(.minutes(10)))
  func `a slow venue is slow with handshakes, and one that is asked too much refuses them and says how long to wait`()
    async throws
  {
    try await serving(options()) { port in
      let client = HTTPClient()
      func set(_ text: String) async throws {
        let url = "http://127.0.0.1:\(port)/faults"
        let answer = try await client.send(HTTPRequest(method: "POST", url: url, body: Array(text.utf8)))
        #expect(answer.status == 201, "\(answer.text)")
      }
      try await set("{\"venue\":\"okx\",\"kind\":\"latency\",\"value\":600}")
      let started = Date()
      let okx = try await WebSocketClient.connect(
        url: "ws://127.0.0.1:\(port)/okx/ws/v5/public", timeoutMilliseconds: 60_000)
      #expect(Date().timeIntervalSince(started) >= 0.6)
      try okx.send(text: "ping")
      #expect(try await read(okx, until: { $0.contains("pong") }).contains("pong"))
      okx.disconnect()
      try await set("{\"venue\":\"bybit\",\"kind\":\"rate_limit\",\"value\":17}")
      let error = await #expect(throws: WebSocketError.self) {
        try await WebSocketClient.connect(
          url: "ws://127.0.0.1:\(port)/bybit/v5/public/spot", timeoutMilliseconds: 60_000)
      }
      #expect(error?.code == .refused && error?.httpStatus == 429 && error?.retryAfterSeconds == 17)
      let list = try await client.send(HTTPRequest(url: "http://127.0.0.1:\(port)/faults")).json().root
      #expect(try #require(list["faults"]).elements.map { $0["handshakes"]?.integer } == [1, 1])
    }
  }

  @Test(.timeLimit(.minutes(10)))
  func `a frozen stream still pongs, a half-open one says nothing, and others go on until all are dropped`()
    async throws
  {
    try await serving(options()) { port in
      let client = HTTPClient()
      func set(_ text: String) async throws {
        let url = "http://127.0.0.1:\(port)/faults"
        let answer = try await client.send(HTTPRequest(method: "POST", url: url, body: Array(text.utf8)))
        #expect(answer.status == 201, "\(answer.text)")
      }
      let okx = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(port)/okx/ws/v5/public")
      let bybit = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(port)/bybit/v5/public/spot")
      let arg = "{\"channel\":\"tickers\",\"instId\":\"BTC-USDT\"}"
      try okx.send(text: "{\"op\":\"subscribe\",\"args\":[\(arg)]}")
      try bybit.send(text: "{\"op\":\"subscribe\",\"args\":[\"tickers.BTCUSDT\"]}")
      #expect(try await read(okx, until: { $0.count >= 4 }).count >= 4)
      #expect(try await read(bybit, until: { $0.count >= 4 }).count >= 4)
      try await set("{\"venue\":\"okx\",\"kind\":\"freeze\"}")
      _ = try await read(okx, until: { _ in false }, seconds: 0.3)
      #expect(try await read(okx, until: { !$0.isEmpty }, seconds: 1.5).isEmpty)
      try okx.send(text: "ping")
      let frozen = try await read(okx, until: { $0.contains("pong") })
      #expect(frozen == ["pong"])
      #expect(try await read(bybit, until: { $0.count >= 4 }).count >= 4)
      try await set("{\"venue\":\"bybit\",\"kind\":\"half_open\"}")
      _ = try await read(bybit, until: { _ in false }, seconds: 0.3)
      try bybit.send(text: "{\"op\":\"ping\"}")
      #expect(try await read(bybit, until: { !$0.isEmpty }, seconds: 1.5).isEmpty && !bybit.isClosed)
      _ = try await client.send(HTTPRequest(method: "DELETE", url: "http://127.0.0.1:\(port)/faults"))
      #expect(try await read(okx, until: { $0.count >= 3 }).count >= 3)
      try await set("{\"venue\":\"okx\",\"kind\":\"disconnect\"}")
      _ = try await read(okx, until: { _ in false })
      #expect(okx.isClosed && !bybit.isClosed)
      let list = try await client.send(HTTPRequest(url: "http://127.0.0.1:\(port)/faults")).json().root
      let streams = try #require(list["faults"]).elements.map { $0["streams"]?.integer ?? 0 }
      #expect(streams == [0, 1, 1])
      bybit.disconnect()
    }
  }
}
