internal import Daemon
public import Market
internal import Web

/// What one message of a crypto venue's stream says; a message may say several of these.
public enum SpotStreamEvent: Hashable, Sendable {
  /// Somebody traded; the side is the taker's, whatever the venue writes.
  case trade(Trade)
  /// The best prices.
  case ticker(Ticker)
  /// A candle, open or closed.
  case candle(symbol: String, Candle)
  /// The venue has taken a request of ours.
  case accepted
  /// The venue refuses a request of ours; the problem holds its words.
  case refused(VenueError)
  /// A sign of life without data: a heartbeat, the answer to our ping.
  case alive
  /// The venue closes the connection soon: connect anew at once.
  case closing
  /// A kind that is not read here.
  case ignored
}

/// What a request of ours asks of a stream; the raw value is the word that most venues have for it.
public enum StreamOperation: String, Sendable {
  /// To send the data of symbols.
  case subscribe
  /// To send them no longer.
  case unsubscribe
}

/// How a crypto venue's stream is spoken: one value for each connection, without I/O.
///
/// It may remember what a delta changes, so it belongs to one connection and is `reset` when that is lost.
public protocol SpotStreamFormat: Sendable {
  /// Which venue it is.
  var venue: Venue { get }

  /// What follows the venue's base URL, such as `/v5/public/spot`.
  var path: String { get }

  /// The most symbols that one connection may watch.
  var symbolsPerConnectionMax: Int { get }

  /// The least pause between two requests on one connection, in milliseconds.
  var requestPauseMilliseconds: Int { get }

  /// The text that keeps the connection alive, and how often it is sent, in seconds; nil where WebSocket's own ping serves.
  var ping: (text: String, everySeconds: Int)? { get }

  /// The requests that subscribe to symbols or end that, each within the venue's limits of one request.
  ///
  /// `firstID` is the number of the first of them; each takes the next.
  func requests(_ operation: StreamOperation, _ symbols: [String], firstID: Int) -> [String]

  /// How many `accepted` or `refused` come for the subscription of so many symbols, and for its end.
  func answers(toSubscribing symbols: Int) -> Int

  /// Reads one message.
  /// - Parameters:
  ///   - text: the message.
  ///   - receivedAt: the time of what brings none.
  ///   - body: gets each thing that the message says, in order.
  /// - Throws: `VenueError` that names kind and field; what was told before stands.
  mutating func read(
    _ text: UnsafeRawBufferPointer, receivedAt: Timestamp, _ body: (SpotStreamEvent) -> Void
  ) throws(VenueError)

  /// Forgets what it knows of a connection that was lost.
  mutating func reset()
}

extension SpotStreamFormat {
  /// The requests that subscribe to symbols.
  public func subscriptions(_ symbols: [String], firstID: Int) -> [String] {
    requests(.subscribe, symbols, firstID: firstID)
  }

  /// The requests that end subscriptions.
  public func unsubscriptions(_ symbols: [String], firstID: Int) -> [String] {
    requests(.unsubscribe, symbols, firstID: firstID)
  }

  /// A request for each part of what is subscribed, numbered upward.
  func numbered(_ parts: some Sequence<String>, firstID: Int, _ request: (_ part: String, _ id: Int) -> String)
    -> [String]
  {
    zip(parts, firstID...).map(request)
  }

  /// Reads the message as JSON.
  func json(_ text: UnsafeRawBufferPointer) throws(VenueError) -> Wire {
    do { return Wire(try JSONDocument(text).root) } catch {
      throw VenueError(venue: venue, kind: "stream", problem: "the message is no JSON that we take: \(error)")
    }
  }

  /// Forgets nothing, where there is nothing to remember.
  public mutating func reset() {}
}

extension Venues {
  /// How the streams of a venue are spoken, one for each kind of connection that its data need; none where the venue has
  /// no public stream of prices.
  public static func streams(of venue: Venue) -> [any SpotStreamFormat] {
    switch venue {
    case .binance: [BinanceStreamFormat()]
    case .coinbase: [CoinbaseStreamFormat()]
    case .kraken: [KrakenStreamFormat()]
    case .okx: [OKXStreamFormat(.tickersAndTrades), OKXStreamFormat(.candles)]
    case .bybit: [BybitStreamFormat()]
    case .polymarket, .kalshi, .coingecko: []
    }
  }
}

extension [String] {
  /// Parts of at most so many.
  func parts(of most: Int) -> [[String]] {
    stride(from: 0, to: count, by: most).map { Array(self[$0..<Swift.min($0 + most, count)]) }
  }

  /// A JSON array of these strings.
  var jsonArray: String { "[" + map(jsonQuoted).joined(separator: ",") + "]" }
}
