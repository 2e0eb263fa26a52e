internal import Daemon
public import Market
public import Web

/// What a venue tells about our own orders, the same for each venue.
public enum UserStreamEvent: Hashable, Sendable {
  /// An order has changed.
  case order(UserOrderUpdate)
  /// An order was filled, or such a fill has taken a step.
  case fill(UserFillUpdate)
  /// What we hold of an instrument has changed.
  case position(VenuePosition)
  /// A subscription was taken.
  case accepted
  /// The venue refuses a request of ours; the problem holds its words.
  case refused(VenueError)
  /// A kind that is not read here.
  case ignored
}

/// An order of ours as the venue sees it now.
public struct UserOrderUpdate: Hashable, Sendable {
  /// Where it is in its life.
  public enum State: Hashable, Sendable {
    /// It rests, or waits to.
    case open
    /// Nothing of it is left: all was filled.
    case filled
    /// It is over with something left, perhaps after fills; the venue's words.
    case canceled(reason: String)
    /// It was refused.
    case rejected
    /// The venue uses a word that we do not know: ask for the order.
    case unknown(String)
  }

  /// The venue's id of it.
  public var orderID: String
  /// Our id of it, where the venue has one.
  public var clientOrderID: String?
  /// What it is for.
  public var instrument: InstrumentID
  /// Which way it goes.
  public var side: Side
  /// Its limit, in prices of the instrument.
  public var price: Price
  /// How many it was for.
  public var quantity: Quantity
  /// How many were filled; nil where the venue does not say.
  public var filled: Quantity?
  /// Where it is in its life.
  public var state: State
}

/// A fill of an order of ours.
public struct UserFillUpdate: Hashable, Sendable {
  /// How sure it is (X2).
  public enum State: Hashable, Sendable {
    /// It was matched, and may still fail.
    case provisional
    /// It holds.
    case final
    /// It was taken back.
    case failed
  }

  /// The venue's id of the trade; with the order it names the fill.
  public var tradeID: String
  /// The venue's id of the order.
  public var orderID: String
  /// Our id of the order, where the venue has one.
  public var clientOrderID: String?
  /// What was traded.
  public var instrument: InstrumentID
  /// Which way.
  public var side: Side
  /// At which price of the instrument.
  public var price: Price
  /// How many.
  public var quantity: Quantity
  /// What the venue took; nil where it does not say.
  public var fee: Money?
  /// How sure it is.
  public var state: State
  /// When it was matched; nil where the venue does not say.
  public var time: Timestamp?
}

/// How a venue's stream of our own orders is spoken: a value without I/O.
public protocol UserStreamFormat: Sendable {
  /// Which venue it is.
  var venue: Venue { get }

  /// Header fields of the opening handshake at a time.
  /// - Throws: `VenueError` where they cannot be made.
  func headers(url: String, now: Timestamp) throws(VenueError) -> HTTPHeaders

  /// What is said first on a new connection; it may hold secrets, and belongs in no log.
  var opening: [String] { get }

  /// How many subscriptions the venue confirms; 0 where it confirms none.
  var confirmations: Int { get }

  /// The text that keeps the connection alive, and how often it is sent, in seconds; nil where WebSocket's own ping serves.
  var ping: (text: String, everySeconds: Int)? { get }

  /// Reads one frame.
  /// - Parameters:
  ///   - text: the frame.
  ///   - body: gets what each message says, or why it was refused.
  func read(_ text: UnsafeRawBufferPointer, _ body: (Result<UserStreamEvent, VenueError>) -> Void)
}

/// Opens connections to streams of our own orders.
public enum UserStream {
  /// Connects, and says what is to be said first.
  /// - Parameters:
  ///   - format: how the venue's stream is spoken.
  ///   - endpoint: where it is.
  ///   - now: the time of day.
  ///   - timeoutMilliseconds: how long connecting may take.
  /// - Returns: the open connection, which belongs to the caller's poll loop.
  /// - Throws: `VenueError`; it never holds what was said.
  public static func open(
    _ format: some UserStreamFormat, at endpoint: Endpoint, now: Timestamp, timeoutMilliseconds: Int = 10_000
  ) async throws(VenueError) -> WebSocketPeer {
    let url = try endpoint.resolve(format.venue)
    let headers = try format.headers(url: url, now: now)
    do {
      let peer = try await WebSocketClient.connect(
        url: url, headers: headers, timeoutMilliseconds: timeoutMilliseconds)
      for text in format.opening { try peer.send(text: text) }
      return peer
    } catch {
      throw VenueError(
        venue: format.venue, kind: "user stream", problem: "\(error)",
        cause: error.isRetriable ? .unreachable : .impossible)
    }
  }
}

/// Kalshi's stream of our own orders: channels `user_orders`, `fill` and `market_positions`, signed at the handshake.
public struct KalshiUserStream: UserStreamFormat {
  private let signer: KalshiSigner?

  /// A format that signs; without a signer only a simulator answers.
  public init(signer: KalshiSigner?) { self.signer = signer }

  /// Which venue it is.
  public var venue: Venue { .kalshi }

  /// The three fields of a signature.
  public func headers(url: String, now: Timestamp) throws(VenueError) -> HTTPHeaders {
    guard let signer else { return KalshiSigner.standIn(time: now) }
    return try signer.headers(method: "GET", url: url, time: now)
  }

  private static let channels = ["user_orders", "fill", "market_positions"]

  /// All markets of the three channels.
  public var opening: [String] { [KalshiCommand.subscribe(id: 1, channels: Self.channels, markets: [])] }

  /// One for each channel.
  public var confirmations: Int { Self.channels.count }

  /// The venue pings.
  public var ping: (text: String, everySeconds: Int)? { nil }

  /// Reads one message.
  public func read(_ text: UnsafeRawBufferPointer, _ body: (Result<UserStreamEvent, VenueError>) -> Void) {
    do throws(VenueError) { body(.success(Self.event(try KalshiStreamParser.parse(text).body))) } catch {
      body(.failure(error))
    }
  }

  private static func event(_ message: KalshiStreamMessage.Body) -> UserStreamEvent {
    switch message {
    case .order(let order):
      let state: UserOrderUpdate.State =
        switch order.status {
        case .pending, .resting: .open
        case .executed: .filled
        case .canceled: .canceled(reason: order.updateReason ?? "")
        }
      return .order(
        UserOrderUpdate(
          orderID: order.id, clientOrderID: order.clientOrderID,
          instrument: KalshiOutcome.yes.instrument(ofMarket: order.ticker), side: order.outcome == .yes ? .buy : .sell,
          price: order.yesPrice, quantity: order.initialCount, filled: order.filledCount, state: state))
    case .fill(let fill):
      return .fill(
        UserFillUpdate(
          tradeID: fill.tradeID, orderID: fill.orderID, clientOrderID: fill.clientOrderID,
          instrument: KalshiOutcome.yes.instrument(ofMarket: fill.ticker), side: fill.outcome == .yes ? .buy : .sell,
          price: fill.yesPrice, quantity: fill.count, fee: fill.fee, state: .final, time: fill.time))
    case .position(let position):
      // Nothing held is told as none of YES.
      return .position(
        position.common
          ?? VenuePosition(
            instrument: KalshiOutcome.yes.instrument(ofMarket: position.ticker), marketID: position.ticker,
            quantity: .zero, averagePrice: .zero))
    case .subscribed, .accepted: return .accepted
    case .refused(let refusal):
      return .refused(
        VenueError(
          venue: .kalshi, kind: "user stream", problem: "code \(refusal.code): \(quotedExcerpt(refusal.text))",
          cause: .refused(isTemporary: refusal.endsSubscription)))
    default: return .ignored
    }
  }
}

/// The key of Polymarket's API, which is not the key that signs orders.
///
/// Prints without its secrets.
public struct PolymarketCredentials: Sendable, CustomStringConvertible {
  /// The key's name.
  public let apiKey: String
  let secret: String
  let passphrase: String

  /// Credentials by their parts.
  public init(apiKey: String, secret: String, passphrase: String) {
    self.apiKey = apiKey
    self.secret = secret
    self.passphrase = passphrase
  }

  /// Credentials by the text that the venue hands out: `{"apiKey":"…","secret":"…","passphrase":"…"}`.
  /// - Throws: `VenueError` of the cause `impossible` that names the member; it holds nothing of the text.
  public init(json bytes: [UInt8]) throws(VenueError) {
    func problem(_ field: String) -> VenueError {
      VenueError(
        venue: .polymarket, kind: "credentials", field: field, problem: "expected a text that is not empty",
        cause: .impossible)
    }
    guard let root = try? JSONDocument(bytes).root, root.kind == .object else { throw problem("") }
    guard let apiKey = root["apiKey"]?.string, !apiKey.isEmpty else { throw problem("apiKey") }
    guard let secret = root["secret"]?.string, !secret.isEmpty else { throw problem("secret") }
    guard let passphrase = root["passphrase"]?.string, !passphrase.isEmpty else { throw problem("passphrase") }
    self.init(apiKey: apiKey, secret: secret, passphrase: passphrase)
  }

  /// Credentials by the file that holds that text.
  /// - Throws: `VenueError` of the cause `impossible` that names the file or the member.
  public init(file: String) throws(VenueError) {
    let bytes: [UInt8]
    do { bytes = try readFile(file, sizeMax: 65_536) } catch {
      throw VenueError(
        venue: .polymarket, kind: "credentials", field: "file", problem: "\(error)", cause: .impossible)
    }
    try self.init(json: bytes)
  }

  /// The key's name alone.
  public var description: String { "PolymarketCredentials(\(apiKey))" }
}

/// Polymarket's stream of our own orders: the key is told in the first message.
public struct PolymarketUserStream: UserStreamFormat {
  private let credentials: PolymarketCredentials
  private let markets: [String]

  /// A format of a key.
  /// - Parameters:
  ///   - credentials: the key.
  ///   - markets: condition ids; none for all.
  public init(credentials: PolymarketCredentials, markets: [String] = []) {
    self.credentials = credentials
    self.markets = markets
  }

  /// Which venue it is.
  public var venue: Venue { .polymarket }

  /// None.
  public func headers(url: String, now: Timestamp) throws(VenueError) -> HTTPHeaders { [:] }

  /// The key, and the markets.
  ///
  /// `{"auth":{"apiKey":"…","secret":"…","passphrase":"…"},"markets":[],"type":"user"}`
  public var opening: [String] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.object("auth") { writer in
        writer.field("apiKey", credentials.apiKey)
        writer.field("secret", credentials.secret)
        writer.field("passphrase", credentials.passphrase)
      }
      writer.array("markets") { writer in for market in markets { writer.value(market) } }
      writer.field("type", "user")
    }
    return [writer.text]
  }

  /// None; a wrong key is answered by a close.
  public var confirmations: Int { 0 }

  /// `PING` every ten seconds; the answer `PONG` is no message.
  public var ping: (text: String, everySeconds: Int)? { ("PING", 10) }

  /// Reads one frame; a trade is told once for each order of ours in it.
  public func read(_ text: UnsafeRawBufferPointer, _ body: (Result<UserStreamEvent, VenueError>) -> Void) {
    PolymarketUserParser.parse(text) { result in
      switch result {
      case .failure(let error): body(.failure(error))
      case .success(.ignored): body(.success(.ignored))
      case .success(.order(let order)): body(.success(.order(Self.update(order))))
      case .success(.trade(let trade)): for fill in Self.fills(trade) { body(.success(.fill(fill))) }
      }
    }
  }

  private static func update(_ order: PolymarketUserOrder) -> UserOrderUpdate {
    let state: UserOrderUpdate.State =
      switch order.status {
      case .canceled(let reason): .canceled(reason: reason)
      case _ where order.change == .cancellation: .canceled(reason: "")
      case .matched where order.matchedSize ?? .zero >= order.originalSize: .filled
      case .live, .matched, .delayed, .unmatched: .open
      case .invalid: .rejected
      case .other(let word): .unknown(word)
      }
    return UserOrderUpdate(
      orderID: order.id, clientOrderID: nil, instrument: InstrumentID(venue: .polymarket, symbol: order.token),
      side: order.side, price: order.price, quantity: order.originalSize, filled: order.matchedSize, state: state)
  }

  private static func fills(_ trade: PolymarketUserTrade) -> [UserFillUpdate] {
    let state: UserFillUpdate.State =
      switch trade.status {
      case .matched, .mined, .retrying: .provisional
      case .confirmed: .final
      case .failed: .failed
      }
    return trade.fills.map { fill in
      UserFillUpdate(
        tradeID: trade.id, orderID: fill.orderID, clientOrderID: nil,
        instrument: InstrumentID(venue: .polymarket, symbol: fill.token), side: fill.side, price: fill.price,
        quantity: fill.size, fee: nil, state: state, time: trade.matchedAt)
    }
  }
}
