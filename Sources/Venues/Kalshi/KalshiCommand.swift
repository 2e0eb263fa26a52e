internal import Web

/// What we send over Kalshi's WebSocket.
///
/// `{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"market_tickers":["…"],"use_yes_price":false}}`
public enum KalshiCommand {
  /// What an update of a subscription does.
  public enum Action: String, Sendable {
    /// Watches more markets.
    case add = "add_markets"
    /// Watches fewer.
    case remove = "delete_markets"
    /// Asks for whole books.
    case snapshot = "get_snapshot"
  }

  /// Subscribes channels.
  /// - Parameters:
  ///   - id: the number of the request, from 1.
  ///   - channels: such as `orderbook_delta`; each is answered by one `subscribed`.
  ///   - markets: which ones; with none, all of the channels that can be had so.
  /// - Returns: the text to send.
  public static func subscribe(id: Int64, channels: [String], markets: [String]) -> String {
    command("subscribe", id: id) { writer in
      writer.array("channels") { for channel in channels { $0.value(channel) } }
      if !markets.isEmpty { writer.array("market_tickers") { for market in markets { $0.value(market) } } }
      // The venue has announced that its default will change.
      if channels.contains("orderbook_delta") { writer.field("use_yes_price", false) }
    }
  }

  /// Ends subscriptions.
  public static func unsubscribe(id: Int64, sids: [Int64]) -> String {
    command("unsubscribe", id: id) { $0.array("sids") { for sid in sids { $0.value(sid) } } }
  }

  /// Changes what one subscription watches, or asks for snapshots.
  public static func update(id: Int64, sid: Int64, _ action: Action, markets: [String]) -> String {
    command("update_subscription", id: id) { writer in
      writer.array("sids") { $0.value(sid) }
      writer.array("market_tickers") { for market in markets { $0.value(market) } }
      writer.field("action", action.rawValue)
    }
  }

  private static func command(_ name: String, id: Int64, _ parameters: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("id", id)
      writer.field("cmd", name)
      writer.object("params", parameters)
    }
    return writer.text
  }
}
