/// Where processes meet: names become endpoints in the run directory.
public enum BusEndpoint {
  /// The endpoint that the process `name` binds.
  ///
  /// - Parameters:
  ///   - name: the process's name, unique in its group.
  ///   - runDirectory: the group's run directory.
  /// - Returns: an `ipc://` address.
  public static func ipc(name: String, runDirectory: String) -> String { "ipc://\(runDirectory)/bus/\(name)" }
}

/// The kinds of topics: `kind/…`, by which messages are subscribed.
public enum Topic {
  /// Books and their changes: `book/VENUE/PUBLISHER`, all that one socket read brought as one message.
  public static let book = "book/"
  /// Market metadata: `market/VENUE/PUBLISHER`.
  public static let market = "market/"
  /// Trades: `trade/VENUE/PUBLISHER`.
  public static let trade = "trade/"
  /// Best prices of crypto pairs: `ticker/VENUE/PUBLISHER`.
  public static let ticker = "ticker/"
  /// Candles of crypto pairs: `candle/VENUE/PUBLISHER`.
  public static let candle = "candle/"
  /// All prices of one cycle: `prices/PUBLISHER`, the last value on join.
  public static let prices = "prices/"
  /// What the scanner finds: `opportunity/STRATEGY`.
  public static let opportunity = "opportunity/"
  /// Orders as they change: `order/VENUE`.
  public static let order = "order/"
  /// Fills, once durable: `fill/VENUE`.
  public static let fill = "fill/"
  /// Settled markets: `settlement/VENUE`.
  public static let settlement = "settlement/"
  /// What is held: `position/VENUE`.
  public static let position = "position/"
  /// Profit and loss: `pnl/total`.
  public static let profit = "pnl/"
  /// The process table: `process/NAME`, the last value on join.
  public static let process = "process/"
  /// What needs a person: `alert/NAME` of whoever says so; the last ones on join.
  public static let alert = "alert/"
  /// Who of a program's shards owns what: `shards/PROGRAM`, the last value on join.
  public static let shards = "shards/"
  /// Counters of each process: `health/NAME`.
  public static let health = "health/"
  /// Whether a venue takes orders: `venue/VENUE/PUBLISHER`, once a second, and the last value on join.
  public static let venue = "venue/"
  /// What the simulator planted: `planted/STRATEGY`.
  public static let planted = "planted/"
  /// The current state, sent to one subscriber: `snapshot/SUBSCRIBER/NONCE/TOPIC`.
  public static let snapshot = "snapshot/"
}
