public import Market

/// What a venue allows of its REST interface, and what requests cost there.
///
/// The figures are those that the venues publish for one address, as of July 2026.
public struct RateTable: Sendable {
  /// One of a venue's limits.
  public struct Limit: Hashable, Sendable {
    /// Its name, for people.
    public let name: String
    /// What may be spent within any `seconds`.
    public let units: Int64
    /// The length of the window.
    public let seconds: Int64
    /// How much of it may be spent at once; the rest comes evenly.
    public let burst: Int64
    /// The member of the query by whose values the limit counts apart; nil where it counts all requests.
    public var countsApartBy: String?
    /// Whether the venue itself counts by a bucket that holds `burst` and refills with `units`: then both may be spent.
    public var isBucket = false
  }

  /// What a request costs.
  public struct Cost: Hashable, Sendable {
    /// The beginning of the path.
    public let path: String
    /// The limit's name.
    public let limit: String
    /// The units.
    public let units: Int64
  }

  /// The limits; the first one is that of paths that no cost names.
  public let limits: [Limit]
  /// The costs; the longest path that fits decides.
  public let costs: [Cost]
  /// How long a refusal for too many requests lasts where the venue does not say, in seconds.
  public let patienceSeconds: Int
  /// A request that would wait longer for its turn is not sent at all: it is better made somewhere else, or later.
  public var waitMaxSeconds: Int64 = 20
  /// How long a ban (418) lasts where the venue does not say: Binance's begin with two minutes.
  static let banSeconds = 120

  /// The cost of a request.
  func cost(ofPath path: String) -> (limit: Limit, units: Int64) {
    let cost = costs.filter { path.hasPrefix($0.path) }.max { $0.path.utf8.count < $1.path.utf8.count }
    guard let cost, let limit = limits.first(where: { $0.name == cost.limit }) else { return (limits[0], 1) }
    return (limit, cost.units)
  }

  /// The table of a venue.
  public static func of(_ venue: Venue) -> RateTable {
    switch venue {
    case .polymarket: polymarket
    case .kalshi: kalshi
    case .binance: binance
    case .coinbase: coinbase
    case .kraken: kraken
    case .okx: okx
    case .bybit: bybit
    case .coingecko: coingecko
    }
  }

  /// Documentation, "Rate limits": sliding windows of 10 s for each path; what is too much is queued first.
  private static let polymarket = RateTable(
    limits: [
      Limit(name: "all", units: 9000, seconds: 10, burst: 900),
      Limit(name: "/books", units: 500, seconds: 10, burst: 200),
      Limit(name: "/book", units: 1500, seconds: 10, burst: 500),
      Limit(name: "/events", units: 500, seconds: 10, burst: 200),
      Limit(name: "/markets", units: 300, seconds: 10, burst: 100),
      Limit(name: "/trades", units: 200, seconds: 10, burst: 60),
      Limit(name: "/positions", units: 150, seconds: 10, burst: 50),
    ],
    costs: ["/books", "/book", "/events", "/markets", "/trades", "/positions"].map {
      Cost(path: $0, limit: $0, units: 1)
    }, patienceSeconds: 10)

  /// Documentation, "Rate limits", tier Basic: 200 tokens in a second for reading, of which an ordinary request costs 10.
  private static let kalshi = RateTable(
    limits: [Limit(name: "read", units: 200, seconds: 1, burst: 200, isBucket: true)],
    costs: [Cost(path: "/", limit: "read", units: 10)], patienceSeconds: 1)

  /// `rest-api.md`: weights of endpoints, 6,000 in a minute; `exchangeInfo` has the figure.
  private static let binance = RateTable(
    limits: [Limit(name: "weight", units: 6000, seconds: 60, burst: 600)],
    costs: [
      Cost(path: "/api/v3/", limit: "weight", units: 4), Cost(path: "/api/v3/klines", limit: "weight", units: 2),
      Cost(path: "/api/v3/ticker/bookTicker", limit: "weight", units: 2),
      Cost(path: "/api/v3/trades", limit: "weight", units: 25), Cost(path: "/api/v3/ping", limit: "weight", units: 1),
    ], patienceSeconds: 60)

  /// "REST rate limits": public endpoints 10 in a second and bursts of up to 15, as a bucket that is filled lazily.
  private static let coinbase = RateTable(
    limits: [Limit(name: "public", units: 10, seconds: 1, burst: 15, isBucket: true)], costs: [], patienceSeconds: 1)

  /// Recommended: about one request in a second for each pair.
  private static let kraken = RateTable(
    limits: [
      Limit(name: "pair", units: 1, seconds: 1, burst: 2, countsApartBy: "pair", isBucket: true)
    ], costs: [], patienceSeconds: 5)

  /// Documentation v5: each endpoint has its own limit by address, in windows of 2 s.
  private static let okx = RateTable(
    limits: [
      Limit(name: "others", units: 10, seconds: 2, burst: 5),
      Limit(name: "candles", units: 40, seconds: 2, burst: 20),
      Limit(name: "history-candles", units: 20, seconds: 2, burst: 10),
      Limit(name: "ticker", units: 20, seconds: 2, burst: 10), Limit(name: "trades", units: 100, seconds: 2, burst: 50),
    ],
    costs: ["candles", "history-candles", "ticker", "trades"].map {
      Cost(path: "/api/v5/market/" + $0, limit: $0, units: 1)
    }, patienceSeconds: 2)

  /// `docs/v5/rate-limit`: 600 in any 5 s by address; more is answered with 403 for 10 minutes.
  private static let bybit = RateTable(
    limits: [Limit(name: "address", units: 600, seconds: 5, burst: 200)], costs: [], patienceSeconds: 5)

  /// "Errors & Rate Limits": the free plans have had 30 in a minute and have 100 now; this keeps under both.
  private static let coingecko = RateTable(
    limits: [Limit(name: "minute", units: 30, seconds: 60, burst: 10)], costs: [], patienceSeconds: 60,
    waitMaxSeconds: 6)
}
