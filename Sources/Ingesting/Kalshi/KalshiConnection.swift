internal import Market
internal import Venues
internal import Web

/// One WebSocket of Kalshi's ingestor: its markets, the fold of its messages, and its subscriptions.
struct KalshiConnection: IngestingConnection {
  /// A channel's subscription on this connection.
  struct Subscription {
    /// Its number; nil before the venue has told it.
    var sid: Int64?
    /// Markets that are to be added as soon as the number is known.
    var waiting: [String] = []
  }

  var stream = StreamConnection()
  /// The markets that it watches, by their places.
  var markets: [Int] = []
  var isUnused: Bool { markets.isEmpty }
  var fold = KalshiBooks(numbering: .complete)
  /// The subscriptions by channel.
  var subscriptions: [String: Subscription] = [:]
  var lastID: Int64 = 0
  /// When snapshots were last asked for, in monotonic nanoseconds, and how often in vain.
  var askedAt: Int64 = 0
  var asks = 0
  /// When markets without a book were last asked for again, in monotonic nanoseconds.
  var repairedAt: Int64 = 0

  /// The number of the next request.
  mutating func nextID() -> Int64 {
    lastID += 1
    return lastID
  }

  /// Forgets what belonged to a connection that was lost.
  mutating func reset() {
    fold.reconnected()
    subscriptions = [:]
    asks = 0
  }

  /// Channels with a list of markets, each a subscription of its own.
  static let channels = ["orderbook_delta", "trade"]
  /// The channel of all markets' lives, which takes no list.
  static let lifecycle = "market_lifecycle_v2"

  /// The requests that subscribe its markets on a new connection: the first part of them for each channel; the rest
  /// waits until the venue has told the subscription's number.
  mutating func subscribe(_ tickers: [String], perRequest: Int, withLifecycle: Bool) -> [String] {
    var texts: [String] = []
    for channel in Self.channels {
      subscriptions[channel] = Subscription(sid: nil, waiting: Array(tickers.dropFirst(perRequest)))
      texts.append(
        KalshiCommand.subscribe(id: nextID(), channels: [channel], markets: Array(tickers.prefix(perRequest))))
    }
    if withLifecycle {
      texts.append(KalshiCommand.subscribe(id: nextID(), channels: [Self.lifecycle], markets: []))
    }
    return texts
  }

  /// The requests that add markets to an open connection.
  mutating func add(_ tickers: [String], perRequest: Int) -> [String] {
    var texts: [String] = []
    for channel in Self.channels {
      guard let sid = subscriptions[channel]?.sid else {
        subscriptions[channel, default: Subscription()].waiting += tickers
        continue
      }
      texts += updates(sid, .add, tickers, perRequest)
    }
    return texts
  }

  /// The requests that take markets away.
  mutating func remove(_ tickers: [String], perRequest: Int) -> [String] {
    let gone = Set(tickers)
    var texts: [String] = []
    for channel in Self.channels {
      subscriptions[channel]?.waiting.removeAll { gone.contains($0) }
      if let sid = subscriptions[channel]?.sid { texts += updates(sid, .remove, tickers, perRequest) }
    }
    for ticker in tickers { fold.forget(market: ticker) }
    return texts
  }

  /// Notes a subscription's number; the requests that add what waited for it.
  mutating func subscribed(channel: String, sid: Int64, perRequest: Int) -> [String] {
    guard var subscription = subscriptions[channel] else { return [] }
    subscription.sid = sid
    let waiting = subscription.waiting
    subscription.waiting = []
    subscriptions[channel] = subscription
    return updates(sid, .add, waiting, perRequest)
  }

  /// The requests that ask for whole books; none where nothing is wanted, or the subscription has no number yet.
  mutating func snapshots(perRequest: Int) -> [String] {
    guard !fold.wanted.isEmpty, let sid = subscriptions["orderbook_delta"]?.sid else { return [] }
    return updates(sid, .snapshot, fold.wanted.sorted(), perRequest)
  }

  private mutating func updates(
    _ sid: Int64, _ action: KalshiCommand.Action, _ tickers: [String], _ perRequest: Int
  ) -> [String] {
    var texts: [String] = []
    var rest = tickers[...]
    while !rest.isEmpty {
      texts.append(KalshiCommand.update(id: nextID(), sid: sid, action, markets: Array(rest.prefix(perRequest))))
      rest = rest.dropFirst(perRequest)
    }
    return texts
  }
}
