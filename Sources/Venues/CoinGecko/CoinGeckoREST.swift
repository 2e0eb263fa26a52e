public import Market
internal import Web

/// CoinGecko's prices in US dollars over REST, by its demo plan or without a key.
///
/// Symbols are the venue's ids of coins: `bitcoin`. It has no candles: its points have no open, high and low, and its
/// volumes are those of rolling 24 hours.
public struct CoinGeckoREST: PriceSource {
  private let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.coingecko.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: CoinGeckoREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .coingecko }

  /// The newest price; the venue keeps it for 30 to 60 s.
  public func price(symbol: String) async throws(VenueError) -> PricePoint {
    let points = try await connection.get(
      "price", "/api/v3/simple/price",
      query: [
        ("ids", symbol), ("vs_currencies", "usd"), ("include_last_updated_at", "true"), ("precision", "8"),
      ]
    ) { wire throws(WireProblem) in
      try CoinGeckoREST.parsePrices(wire)
    }
    guard let point = points.first(where: { $0.instrument.symbol == symbol }) else {
      throw VenueError(
        venue: .coingecko, kind: "price", field: symbol, problem: "the venue has no price of this coin", cause: .absent)
    }
    return point
  }

  /// Prices of a span: of every five minutes within the last day, of every hour within 90 days, else of every midnight
  /// (UTC); those of a demo plan reach back a year.
  public func prices(symbol: String, from: Timestamp, to: Timestamp) async throws(VenueError) -> [PricePoint] {
    guard from < to else { return [] }
    let points = try await connection.get(
      "prices", "/api/v3/coins/\(percentEncoded(symbol))/market_chart/range",
      query: [
        ("vs_currency", "usd"), ("from", "\(from.seconds)"), ("to", "\(to.advanced(bySeconds: 1).seconds)"),
        ("precision", "8"),
      ]
    ) { wire throws(WireProblem) in
      try CoinGeckoREST.parseRange(wire, symbol: symbol)
    }
    return points.filter { $0.time >= from && $0.time < to }
  }
}

extension CoinGeckoREST {
  /// Three bodies: `{"error":"coin not found"}`, `{"status":{"error_code":429,"error_message":"…"}}` and
  /// `{"error":{"status":{…}}}`; the HTTP status decides.
  ///
  /// The free plans count by the minute.
  static let format = AnswerFormat(venue: .coingecko) { status, body in
    guard !(200...299).contains(status) else { return nil }
    var words = AnswerFormat.words(body)
    if let told = body?.json["error"]?["status"] ?? body?.json["status"] {
      words = told["error_code"]?.decimalText.map { "code \($0.prefix(12))" } ?? ""
      if let text = told["error_message"]?.string, !text.isEmpty {
        words += (words.isEmpty ? "" : ", ") + quotedExcerpt(text, charactersMax: 200)
      }
    }
    return Refusal(words, retryAfterSeconds: status == 429 ? 60 : nil)
  }

  /// Reads the prices of coins; one without a price is left out, as the venue leaves out one that it does not know.
  ///
  /// `{"bitcoin":{"usd":76975,"usd_24h_vol":29096603418.89408,…,"last_updated_at":1779092258}}`
  static func parsePrices(_ wire: Wire) throws(WireProblem) -> [PricePoint] {
    guard wire.json.kind == .object else { throw WireProblem("", "expected an object, found \(wire.excerpt)") }
    var points: [PricePoint] = []
    for (coin, value) in wire.json.members {
      do throws(WireProblem) {
        let item = Wire(value)
        guard try item.optional("usd") != nil else { continue }
        let point = PricePoint(
          instrument: InstrumentID(venue: .coingecko, symbol: coin), price: try item.truncatedPrice("usd"),
          time: try item.seconds("last_updated_at"))
        guard point.price.raw > 0 else { throw WireProblem("usd", "expected a price above 0, found \(point.price)") }
        points.append(point)
      } catch {
        throw error.inside(String(coin.prefix(40)))
      }
    }
    return points
  }

  /// Reads the points of a span, oldest first; a point without a price is left out.
  ///
  /// `{"prices":[[1779027899041,77953.82550382407]],"market_caps":[…],"total_volumes":[…]}`, times in milliseconds.
  static func parseRange(_ wire: Wire, symbol: String) throws(WireProblem) -> [PricePoint] {
    try wire.inside("prices", "an array") { rows throws(WireProblem) in
      var last: Timestamp?
      return try rows.each { row throws(WireProblem) -> PricePoint? in
        let fields = try row.elements
        guard fields.count >= 2 else { throw WireProblem("", "expected 2 values, found \(fields.count)") }
        let time = try fields.milliseconds(0)
        if let last, time <= last { throw WireProblem("[0]", "expected rising times, found \(time) after \(last)") }
        last = time
        guard !fields[1].json.isNull else { return nil }
        let price = try fields.truncatedPrice(1)
        guard price.raw > 0 else { throw WireProblem("[1]", "expected a price above 0, found \(price)") }
        return PricePoint(instrument: InstrumentID(venue: .coingecko, symbol: symbol), price: price, time: time)
      }.compactMap { $0 }
    }
  }
}
