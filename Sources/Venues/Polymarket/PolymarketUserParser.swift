internal import Market
internal import Web

/// Reads messages of Polymarket's user channel, and the same things over REST.
public enum PolymarketUserParser {
  /// Reads one frame: an object, an array of them, or a note in plain words, which says nothing.
  /// - Parameters:
  ///   - text: the frame.
  ///   - body: gets each message, or why it was refused, in order.
  public static func parse(
    _ text: UnsafeRawBufferPointer, _ body: (Result<PolymarketUserMessage, VenueError>) -> Void
  ) {
    guard let first = text.first(where: { $0 > 0x20 }), first == 0x7B || first == 0x5B else { return }
    let document: JSONDocument
    do { document = try JSONDocument(text) } catch {
      return body(
        .failure(
          VenueError(venue: .polymarket, kind: "user", problem: "the message is no JSON that we take: \(error)")))
    }
    let root = document.root
    for value in root.kind == .array ? Array(root.elements) : [root] {
      body(Result { () throws(VenueError) in try parse(Wire(value)) })
    }
  }

  /// Reads one message.
  static func parse(_ wire: Wire) throws(VenueError) -> PolymarketUserMessage {
    var kind = "user"
    do throws(WireProblem) {
      let type = try wire.optionalText("event_type")
      let hasTaker = try wire.optional("taker_order_id") != nil
      let hasMakers = try wire.optional("maker_orders") != nil
      switch type ?? (hasTaker || hasMakers ? "trade" : "order") {
      case "order":
        kind = "order"
        return .order(try order(wire))
      case "trade":
        kind = "trade"
        return .trade(try trade(wire))
      case let other: return .ignored(type: String(other.prefix(60)))
      }
    } catch {
      throw error.error(.polymarket, kind)
    }
  }

  static func order(_ wire: Wire) throws(WireProblem) -> PolymarketUserOrder {
    let changeText = try wire.optionalText("type") ?? "UPDATE"
    guard let change = PolymarketUserOrder.Change(rawValue: changeText) else {
      throw WireProblem("type", "expected PLACEMENT, UPDATE or CANCELLATION, found \(quotedExcerpt(changeText))")
    }
    return PolymarketUserOrder(
      id: try wire.text("id"), change: change, token: try wire.text("asset_id"), marketID: try wire.text("market"),
      side: try wire.side("side"), price: try price(wire), originalSize: try size(wire, "original_size"),
      matchedSize: try optionalSize(wire, "size_matched"), orderType: try wire.optionalText("order_type") ?? "",
      status: PolymarketUserOrder.Status(try wire.optionalText("status") ?? ""),
      trades: try wire.optionalTextList("associate_trades") ?? [], owner: try wire.optionalText("owner") ?? "",
      createdAt: try time(wire, "created_at"), time: try time(wire, "timestamp"))
  }

  static func trade(_ wire: Wire) throws(WireProblem) -> PolymarketUserTrade {
    var makers: [PolymarketUserTrade.Maker] = []
    for (index, row) in try (wire.optionalArray("maker_orders") ?? []).enumerated() {
      do throws(WireProblem) { makers.append(try maker(row)) } catch { throw error.inside("maker_orders[\(index)]") }
    }
    let hasShortName = try wire.optional("matchtime") != nil
    return PolymarketUserTrade(
      id: try wire.text("id"), status: try status(wire), marketID: try wire.text("market"),
      token: try wire.text("asset_id"), side: try wire.side("side"), price: try price(wire),
      size: try size(wire, "size"), takerOrderID: try wire.optionalText("taker_order_id") ?? "",
      isTaker: try role(wire), makers: makers, owner: try wire.optionalText("owner") ?? "",
      matchedAt: try time(wire, hasShortName ? "matchtime" : "match_time"),
      updatedAt: try time(wire, "last_update"), transactionHash: try wire.optionalText("transaction_hash") ?? "")
  }

  private static func maker(_ wire: Wire) throws(WireProblem) -> PolymarketUserTrade.Maker {
    let hasSide = try !(wire.optionalText("side") ?? "").isEmpty
    return PolymarketUserTrade.Maker(
      orderID: try wire.text("order_id"), token: try wire.text("asset_id"), size: try size(wire, "matched_amount"),
      price: try price(wire), side: hasSide ? try wire.side("side") : nil,
      owner: try wire.optionalText("owner") ?? "")
  }

  private static func status(_ wire: Wire) throws(WireProblem) -> PolymarketUserTrade.Status {
    let text = try wire.text("status")
    let word = text.hasPrefix("TRADE_STATUS_") ? String(text.dropFirst("TRADE_STATUS_".utf8.count)) : text
    guard let status = PolymarketUserTrade.Status(rawValue: word) else {
      throw WireProblem(
        "status", "expected MATCHED, MINED, CONFIRMED, RETRYING or FAILED, found \(quotedExcerpt(text))")
    }
    return status
  }

  private static func role(_ wire: Wire) throws(WireProblem) -> Bool? {
    switch try wire.optionalText("trader_side") {
    case "TAKER": return true
    case "MAKER": return false
    case nil, "": return nil
    case let other?: throw WireProblem("trader_side", "expected TAKER or MAKER, found \(quotedExcerpt(other))")
    }
  }

  private static func price(_ wire: Wire) throws(WireProblem) -> Price {
    let price = try wire.price("price")
    guard price.raw >= 0, price <= .one else {
      throw WireProblem("price", "expected a price from 0 to 1, found \(price)")
    }
    return price
  }

  private static func size(_ wire: Wire, _ name: String) throws(WireProblem) -> Quantity {
    let size = try wire.quantity(name)
    guard size.raw >= 0 else { throw WireProblem(name, "expected no negative number, found \(size)") }
    return size
  }

  private static func optionalSize(_ wire: Wire, _ name: String) throws(WireProblem) -> Quantity? {
    guard let member = try wire.optional(name), member.json.string != "" else { return nil }
    return try size(wire, name)
  }

  /// A time of this channel: ten digits are seconds, thirteen milliseconds, in older and newer messages.
  private static func time(_ wire: Wire, _ name: String) throws(WireProblem) -> Timestamp? {
    guard let member = try wire.optional(name), member.json.string != "" else { return nil }
    guard let text = member.json.decimalText else {
      throw WireProblem(name, "expected a time in seconds or milliseconds, found \(member.excerpt)")
    }
    return text.utf8.count > 11 ? try wire.milliseconds(name) : try wire.seconds(name)
  }
}
