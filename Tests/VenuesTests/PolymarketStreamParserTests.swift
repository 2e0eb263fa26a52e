import Market
import Testing
import Venues

/// Runs one frame through a parser that knows token 1 as book 0 and token 2 as book 1, and writes down what it tells.
private func told(_ frame: String, tick: String = "0.01") throws -> [String] {
  let parser = PolymarketStreamParser()
  parser.bind(token: "1", book: 0, tick: try Price(tick))
  parser.bind(token: "2", book: 1, tick: try Price(tick))
  var lines: [String] = []
  let bytes = Array(frame.utf8)
  let padded = bytes + [UInt8](repeating: 0x20, count: 64)
  padded.withUnsafeBytes { buffer in
    parser.parse(UnsafeRawBufferPointer(rebasing: buffer[0..<bytes.count])) { event in
      switch event {
      case .book(let book, let time, let bids, let asks, let tick, _, _):
        let levels = [bids, asks].map { $0.map { "\($0.price)x\($0.quantity)" }.joined(separator: " ") }
        lines.append("book \(book) \(time.milliseconds) [\(levels[0])] [\(levels[1])] \(tick.map { "\($0)" } ?? "-")")
      case .changes(let time, let changes):
        let list = changes.map { "\($0.book):\($0.side == 0 ? "bid" : "ask") \($0.price)x\($0.quantity)" }
        lines.append("changes \(time.milliseconds) \(list.joined(separator: ", "))")
      case .trade(let book, let time, let price, let quantity, let side):
        lines.append("trade \(book) \(time.milliseconds) \(price)x\(quantity.map { "\($0)" } ?? "?") \(side)")
      case .tick(let book, let tick): lines.append("tick \(book) \(tick)")
      case .metadataChanged: lines.append("metadata")
      case .ignored: lines.append("ignored")
      case .refused(let fault, let field, let market): lines.append("refused \(fault) \(field) \(market)")
      }
    }
  }
  return lines
}

@Test func `a book is read worst level first`() throws {
  let frame = """
    [{"event_type":"book","asset_id":"2","market":"0xa","timestamp":"1728799418260","hash":"h",
     "bids":[{"price":".48","size":"30"},{"price":"0.490","size":"10.5"}],
     "asks":[{"price":"0.99","size":"1000"},{"price":"0.52","size":"0.000001"}]}]
    """
  #expect(try told(frame) == ["book 1 1728799418260 [0.48x30 0.49x10.5] [0.99x1000 0.52x0.000001] -"])
}

@Test func `a book sent best level first is turned round`() throws {
  let frame = """
    {"bids":[{"size":"10","price":"0.49"},{"size":"30","price":"0.48"}],"asks":[],"tick_size":"0.001",
     "timestamp":"1","asset_id":"1","event_type":"book"}
    """
  #expect(try told(frame) == ["book 0 1 [0.48x30 0.49x10] [] 0.001"])
}

@Test func `the three shapes of price_change are one`() throws {
  let flat =
    #"{"event_type":"price_change","asset_id":"1","market":"m","price":"0.5","side":"BUY","size":"7","timestamp":"5"}"#
  #expect(try told(flat) == ["changes 5 0:bid 0.5x7"])
  let list = """
    {"market":"m","changes":[{"price":"0.4","side":"SELL","size":"3300"},{"price":"0.5","side":"SELL","size":"0"}],
     "event_type":"price_change","timestamp":"6","asset_id":"2"}
    """
  #expect(try told(list) == ["changes 6 1:ask 0.4x3300, 1:ask 0.5x0"])
  let both = """
    {"market":"m","price_changes":[
     {"asset_id":"1","price":"0.5","size":"200","side":"BUY","hash":"x","best_bid":"0.5","best_ask":"1"},
     {"asset_id":"2","price":"0.5","size":"200","side":"SELL","hash":"x","best_bid":"0","best_ask":"0.5"},
     {"asset_id":"3","price":"0.5","size":"200","side":"SELL"}],"timestamp":"7","event_type":"price_change"}
    """
  #expect(try told(both) == ["changes 7 0:bid 0.5x200, 1:ask 0.5x200, -1:ask 0.5x200"])
}

@Test func `trades, ticks and listings are told apart`() throws {
  let trade = """
    {"event_type":"last_trade_price","asset_id":"2","market":"m","price":"0.491","side":"SELL","size":"85.36",
     "fee_rate_bps":"0","timestamp":"1724564136087"}
    """
  #expect(try told(trade) == ["trade 1 1724564136087 0.491x85.36 sell"])
  let bare = #"{"event_type":"last_trade_price","asset_id":"2","price":"0.491","side":"BUY","timestamp":"8"}"#
  #expect(try told(bare) == ["trade 1 8 0.491x? buy"])
  let tick =
    #"{"event_type":"tick_size_change","asset_id":"1","old_tick_size":"0.01","new_tick_size":"0.001","timestamp":"9"}"#
  #expect(try told(tick) == ["tick 0 0.001"])
  #expect(try told(#"{"event_type":"new_market","market":"m"}"#) == ["metadata"])
  #expect(try told(#"{"event_type":"something_else"}"#) == ["ignored"])
  #expect(try told("PONG") == ["ignored"])
}

@Test(arguments: [
  (#""bids":[{"price":"0.5","size":"-1"}],"asks":[]"#, "refused negative bids.size[0] m"),
  (#""bids":[{"price":"0.5"}],"asks":[]"#, "refused missing bids.size[0] m"),
  (#""bids":[{"price":"1.0","size":"1"}],"asks":[]"#, "refused outOfRange bids.price[0] m"),
  (#""bids":[{"price":"abc","size":"1"}],"asks":[]"#, "refused notANumber bids.price[0] m"),
  (#""bids":[{"price":"0.505","size":"1"}],"asks":[]"#, "refused offGrid bids.price[0] m"),
  (#""bids":[],"asks":[{"price":"0.5","size":"99999999999999999999999"}]"#, "refused tooLarge asks.size[0] m"),
  (#""bids":[],"asks":[{"price":"0.5","size":"1.000000001"}]"#, "refused tooPrecise asks.size[0] m"),
  (
    #""bids":[{"price":"0.4","size":"1"},{"price":"0.6","size":"1"},{"price":"0.5","size":"1"}],"asks":[]"#,
    "refused unsorted bids[2] m"
  ),
  (#""bids":[{"price":"0.6","size":"1"}],"asks":[{"price":"0.5","size":"1"}]"#, "refused crossed bids m"),
  (#""bids":7,"asks":[]"#, "refused badValue bids m"),
  (#""bids":[]"#, "refused missing asks m"),
])
func `a book that may be wrong is refused, and the field is named`(body: String, expected: String) throws {
  let frame = #"{"market":"m","event_type":"book","asset_id":"1","timestamp":"1",\#(body)}"#
  #expect(try told(frame) == [expected])
}

@Test(arguments: ["{", "[{]", #"{"event_type":"book""#, "[]]", #"{"a":1} {"b":2}"#, "[1,2]"])
func `a frame that breaks off is refused whole`(frame: String) throws {
  #expect(try told(frame) == ["refused badJSON frame "])
}

@Test func `one bad message does not spoil its neighbours`() throws {
  let frame = """
    [{"event_type":"book","asset_id":"1","market":"a","timestamp":"1","bids":[],"asks":[{"price":"2","size":"1"}]},
     {"event_type":"book","asset_id":"2","market":"b","timestamp":"2","bids":[],"asks":[{"price":"0.2","size":"1"}]}]
    """
  let lines = try told(frame)
  #expect(lines == ["refused outOfRange asks.price[0] a", "book 1 2 [] [0.2x1] -"])
}

@Test func `a list to the letter and the same list with a blank in it are read alike`() throws {
  var random = SystemRandomNumberGenerator()
  func number(_ whole: Int, _ decimals: Int) -> String {
    let head = (0..<whole).map { _ in "\(Int.random(in: 0...9, using: &random))" }.joined()
    let tail = (0..<decimals).map { _ in "\(Int.random(in: 0...9, using: &random))" }.joined()
    return decimals == 0 ? head : head + "." + tail
  }
  for _ in 0..<500 {
    let sizes = (0..<4).map { _ in number(.random(in: 0...9), .random(in: 0...9)) }
    let prices = ["0.4\(number(0, .random(in: 1...7)).dropFirst())", number(1, 2), "-0.5", ".51", "0.52", "5.", ""]
    let levels = zip(prices.shuffled(using: &random), sizes).map { "{\"price\":\"\($0)\",\"size\":\"\($1)\"}" }
    let text =
      "{\"asset_id\":\"1\",\"market\":\"m\",\"timestamp\":\"5\",\"bids\":[\(levels.joined(separator: ","))],"
      + "\"asks\":[],\"event_type\":\"book\"}"
    #expect(try told(text, tick: "0.00000001") == told(text.replacing("\"}", with: "\" }"), tick: "0.00000001"))
  }
  for size in ["200", "0", "1.25", "12345678.5", "-1", "x", "1.123456789", ""] {
    let text = """
      {"market":"m","price_changes":[{"asset_id":"2","price":"0.5","size":"\(size)","side":"SELL",\
      "hash":"56621a121a47ed9333273e21c83b660cff37ae50","best_bid":"0.4","best_ask":"0.5"}],\
      "timestamp":"7","event_type":"price_change"}
      """
    #expect(try told(text) == told(text.replacing("\"}]", with: "\" }]")))
  }
}
