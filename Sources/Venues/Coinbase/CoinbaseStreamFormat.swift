internal import Daemon
public import Market
internal import Web

/// Coinbase Exchange's stream: tickers, trades and heartbeats; it has no candles.
///
/// Only the first subscription has a deadline: it must come within 5 s.
public struct CoinbaseStreamFormat: SpotStreamFormat {
  private static let symbolsPerRequest = 50

  /// A format; it remembers nothing.
  public init() {}

  /// Which venue it is.
  public var venue: Venue { .coinbase }
  /// Nothing: the base URL is the stream's.
  public var path: String { "" }
  /// The venue names no limit; this keeps the connections small.
  public var symbolsPerConnectionMax: Int { 100 }
  /// The venue takes 8 requests in a second.
  public var requestPauseMilliseconds: Int { 125 }
  /// None: the venue tells a heartbeat of each product every second.
  public var ping: (text: String, everySeconds: Int)? { nil }

  /// `{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker","matches","heartbeat"]}`; requests bear no number.
  public func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String] {
    symbols.parts(of: Self.symbolsPerRequest).map {
      "{\"type\":\"\(operation.rawValue)\",\"product_ids\":\($0.jsonArray),"
        + "\"channels\":[\"ticker\",\"matches\",\"heartbeat\"]}"
    }
  }

  /// One for each request: all that is subscribed.
  public func answers(toSubscribing symbols: Int) -> Int {
    (symbols + Self.symbolsPerRequest - 1) / Self.symbolsPerRequest
  }

  /// Reads one message.
  public mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError) {
    let message = try json(text)
    var kind = "stream"
    do throws(WireProblem) {
      switch try message.text("type") {
      case "ticker":
        kind = "ticker"
        body(try ticker(message, receivedAt).map { .ticker($0) } ?? .ignored)
      case "match":
        kind = "trade"
        body(.trade(try trade(message)))
      case "heartbeat": body(.alive)
      case "subscriptions": body(.accepted)
      case "error":
        kind = "subscription"
        let reason = try message.optionalText("reason").map { ": " + quotedExcerpt($0, charactersMax: 200) } ?? ""
        let words = quotedExcerpt(try message.text("message"), charactersMax: 200)
        body(
          .refused(
            VenueError(venue: .coinbase, kind: kind, problem: words + reason, cause: .refused(isTemporary: false))))
      // `last_match`, which comes first of all, may be hours old.
      default: body(.ignored)
      }
    } catch {
      throw error.error(.coinbase, kind)
    }
  }

  /// Reads a ticker.
  ///
  /// `{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","best_bid":"1285.04",`
  /// `"best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","time":"2022-10-19T23:28:22.061769Z",…}`
  ///
  /// nil where one side of the market is empty.
  private func ticker(_ message: Wire, _ receivedAt: Timestamp) throws(WireProblem) -> Ticker? {
    let symbol = try message.text("product_id")
    let bid = try message.optionalPrice("best_bid")
    let ask = try message.optionalPrice("best_ask")
    guard let bid, let ask, bid.raw != 0, ask.raw != 0 else { return nil }
    let ticker = Ticker(
      instrument: InstrumentID(venue: .coinbase, symbol: symbol),
      bid: Level(price: bid, quantity: try message.optionalQuantity("best_bid_size") ?? .zero),
      ask: Level(price: ask, quantity: try message.optionalQuantity("best_ask_size") ?? .zero),
      time: try message.optionalTime("time") ?? receivedAt)
    try ticker.check(bidField: "best_bid")
    return ticker
  }

  /// Reads a trade.
  ///
  /// `{"type":"match","trade_id":10,"sequence":50,"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD",`
  /// `"size":"5.23512","price":"400.23","side":"sell",…}`; `side` is the maker's.
  private func trade(_ message: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .coinbase, symbol: try message.text("product_id")),
      price: try message.price("price"), quantity: try message.quantity("size"),
      takerSide: try message.side("side", buy: "buy", sell: "sell").opposite, time: try message.time("time"),
      number: message.number("trade_id"))
    try trade.check(price: "price", quantity: "size")
    return trade
  }
}
