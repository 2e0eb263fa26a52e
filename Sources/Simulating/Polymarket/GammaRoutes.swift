internal import Market
internal import Web

/// Gamma: the venue's lists of markets and events.
struct GammaRoutes {
  let world: World

  private static let pageMax = 500
  private static let eventPageMax = 100
  private static let defaultPage = 20

  /// Answers a request below `/polymarket/gamma`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return .clobError("method not allowed", status: 405) }
    switch (path.first, path.count) {
    case ("markets", 1): return list(request, Markets(world: world), max: GammaRoutes.pageMax)
    case ("events", 1): return list(request, Events(world: world), max: GammaRoutes.eventPageMax)
    case ("markets", 2) where path[1] == "keyset": return pages(request, Markets(world: world), name: "markets")
    case ("events", 2) where path[1] == "keyset": return pages(request, Events(world: world), name: "events")
    case ("markets", 3) where path[1] == "slug":
      return one(Markets(world: world), world.listing.first { world.markets[$0].slug == path[2] })
    case ("events", 3) where path[1] == "slug":
      return one(Events(world: world), world.eventListing.first { world.events[$0].slug == path[2] })
    case ("markets", 2): return one(Markets(world: world), Int64(path[1]).flatMap { world.marketOfID[$0] })
    case ("events", 2): return one(Events(world: world), Int64(path[1]).flatMap { world.eventOfID[$0] })
    case ("tags", 1): return .json("[]")
    default: return .clobError("not found", status: 404)
    }
  }

  private func one(_ collection: some GammaCollection, _ item: Int?) -> HTTPServerResponse {
    guard let item else { return .json("{\"type\":\"not found error\",\"error\":\"id not found\"}", status: 404) }
    var writer = ByteWriter(capacity: 4096)
    collection.write(item, to: &writer)
    return .json(writer)
  }

  /// A page by `limit` and `offset`: a bare array.
  private func list(_ request: HTTPServerRequest, _ collection: some GammaCollection, max: Int) -> HTTPServerResponse {
    if let refusal = refusal(request) { return refusal }
    let limit = Int(request.number("limit") ?? Int64(GammaRoutes.defaultPage))
    let offset = Int(request.number("offset") ?? 0)
    guard limit >= 0, offset >= 0 else { return invalid("limit and offset must not be negative") }
    var found = collection.candidates(request).filter { collection.matches($0, request) }
    if request.query("ascending") == "false" { found.reverse() }
    var writer = ByteWriter(capacity: 4096)
    write(found.dropFirst(offset).prefix(min(limit, max)), of: collection, &writer)
    return .json(writer)
  }

  /// A page by `limit` and `after_cursor`: an object with the cursor of the next.
  private func pages(_ request: HTTPServerRequest, _ collection: some GammaCollection, name: String)
    -> HTTPServerResponse
  {
    if let refusal = refusal(request) { return refusal }
    guard request.query("offset") == nil else { return invalid("offset is not supported with keyset pagination") }
    let limit = min(Int(clamping: request.number("limit") ?? Int64(GammaRoutes.defaultPage)), 100)
    var after: Int64 = -1
    if let cursor = request.query("after_cursor"), !cursor.isEmpty {
      guard let value = Base64.number(cursor) else { return invalid("invalid cursor") }
      after = value
    }
    let found = collection.candidates(request).lazy.filter {
      collection.id($0) > after && collection.matches($0, request)
    }
    let page = Array(found.prefix(max(0, limit) + 1))
    var writer = ByteWriter(capacity: 4096)
    writer.byte(0x7B)
    writer.quoted(name)
    writer.byte(0x3A)
    write(page.prefix(max(0, limit)), of: collection, &writer)
    if page.count > limit, let last = page.dropLast().last {
      writer.raw(",\"next_cursor\":")
      writer.quoted(Base64.text(of: collection.id(last)))
    }
    writer.byte(0x7D)
    return .json(writer)
  }

  private func write(_ items: some Sequence<Int>, of collection: some GammaCollection, _ writer: inout ByteWriter) {
    writer.byte(0x5B)
    var isFirst = true
    for item in items {
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      collection.write(item, to: &writer)
    }
    writer.byte(0x5D)
  }

  /// A list as one value with commas is refused, as are numbers that are none.
  private func refusal(_ request: HTTPServerRequest) -> HTTPServerResponse? {
    for name in ["id", "condition_ids", "clob_token_ids"] {
      for value in request.values(name) where value.contains(",") { return invalid("\(name) must be repeated") }
    }
    if request.values("condition_ids").count > 100 { return invalid("at most 100 condition_ids") }
    for name in ["limit", "offset"] where request.query(name) != nil && request.number(name) == nil {
      return invalid("\(name) must be a number")
    }
    return nil
  }

  private func invalid(_ problem: String) -> HTTPServerResponse {
    var writer = ByteWriter()
    writer.raw("{\"type\":\"validation error\",\"error\":")
    writer.quoted(problem)
    writer.byte(0x7D)
    return .json(writer, status: 422)
  }
}

/// What Gamma lists: markets or events, in the order of their ids.
protocol GammaCollection {
  /// What a request can only be about, by its ids; everything where it names none.
  func candidates(_ request: HTTPServerRequest) -> [Int]
  func matches(_ item: Int, _ request: HTTPServerRequest) -> Bool
  func id(_ item: Int) -> Int64
  func write(_ item: Int, to writer: inout ByteWriter)
}

private struct Markets: GammaCollection {
  let world: World

  func candidates(_ request: HTTPServerRequest) -> [Int] {
    let named = [
      request.values("id").map { Int64($0).flatMap { world.marketOfID[$0] } },
      request.values("condition_ids").map { world.marketOfCondition[$0] },
      request.values("clob_token_ids").map { world.tokenOfID[$0].map { $0 / 2 } },
    ]
    guard let list = named.first(where: { !$0.isEmpty }) else { return world.listing }
    let slots = Set(list.compactMap { $0 })
    return slots.sorted { world.markets[$0].id < world.markets[$1].id }
  }

  func matches(_ item: Int, _ request: HTTPServerRequest) -> Bool {
    let market = world.markets[item]
    if let closed = request.flag("closed"), closed != market.isClosed { return false }
    if let active = request.flag("active"), active != market.isActive { return false }
    if request.flag("archived") == true { return false }
    let slugs = request.values("slug")
    if !slugs.isEmpty, !slugs.contains(market.slug) { return false }
    return world.isWithin(market.endsAt, request)
  }

  func id(_ item: Int) -> Int64 { world.markets[item].id }
  func write(_ item: Int, to writer: inout ByteWriter) { writer.gammaMarket(world, item, withEvent: true) }
}

private struct Events: GammaCollection {
  let world: World

  func candidates(_ request: HTTPServerRequest) -> [Int] {
    let ids = request.values("id")
    guard !ids.isEmpty else { return world.eventListing }
    return Set(ids.compactMap { Int64($0).flatMap { world.eventOfID[$0] } }).sorted { id($0) < id($1) }
  }

  func matches(_ item: Int, _ request: HTTPServerRequest) -> Bool {
    let event = world.events[item]
    if let closed = request.flag("closed"), closed != world.isClosed(event) { return false }
    if request.flag("active") == false || request.flag("archived") == true { return false }
    let slugs = request.values("slug")
    if !slugs.isEmpty, !slugs.contains(event.slug) { return false }
    return world.isWithin(event.endsAt, request)
  }

  func id(_ item: Int) -> Int64 { world.events[item].id }
  func write(_ item: Int, to writer: inout ByteWriter) { writer.gammaEvent(world, item) }
}

extension World {
  /// Whether an end lies within `end_date_min` and `end_date_max`, where these are given.
  func isWithin(_ end: Timestamp, _ request: HTTPServerRequest) -> Bool {
    if let text = request.query("end_date_min"), let time = try? Timestamp(rfc3339: text), end < time { return false }
    if let text = request.query("end_date_max"), let time = try? Timestamp(rfc3339: text), end > time { return false }
    return true
  }
}

/// Numbers as cursors: base64 of their decimal text.
enum Base64 {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// `MA==` for 0, `LTE=` for −1.
  static func text(of number: Int64) -> String {
    let bytes = Array(String(number).utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = bytes[start..<min(start + 3, bytes.count)]
      var bits = part.reduce(0) { $0 << 8 | Int($1) }
      bits <<= (3 - part.count) * 8
      for place in 0..<4 {
        result.append(place <= part.count ? digits[bits >> (18 - place * 6) & 63] : 0x3D)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The number behind a cursor; nil where it is none.
  static func number(_ text: String) -> Int64? {
    var bits = 0
    var count = 0
    var bytes: [UInt8] = []
    for byte in text.utf8 where byte != 0x3D {
      guard let digit = digits.firstIndex(of: byte) else { return nil }
      bits = (bits << 6 | digit) & 0xFFFFFF
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(bits >> count & 0xFF))
      }
    }
    return Int64(String(decoding: bytes, as: UTF8.self))
  }
}
