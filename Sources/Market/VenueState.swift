/// Whether a venue takes orders now, as its ingestor knows it (X4).
///
/// Exits: any state → any other, as the venue's last sign has it; only `open` takes everything.
public enum VenueState: UInt8, CaseIterable, Sendable, Codable {
  /// It answers, and takes orders.
  case open = 0
  /// Its matching engine starts anew: it answers HTTP 425.
  case restarting = 1
  /// It takes resting orders and cancellations alone: what would trade at once is refused.
  case postOnly = 2
  /// It is there, and has stopped trading: a weekly pause, or maintenance.
  case paused = 3
  /// Its streams or its answers are not to be had, so that nothing is known of it.
  case unreachable = 4

  /// `open`, `restarting`, `post-only`, `paused` or `unreachable`.
  public var name: String {
    switch self {
    case .open: "open"
    case .restarting: "restarting"
    case .postOnly: "post-only"
    case .paused: "paused"
    case .unreachable: "unreachable"
    }
  }

  /// Whether new orders may be sent, and finds be executed.
  public var takesOrders: Bool { self == .open }

  /// Whether it is worth trying to sell back what is already held.
  ///
  /// Such orders trade at once: a venue that restarts, is paused or takes resting orders alone would refuse them. Of one
  /// that cannot be reached nothing is known, and it may take them.
  public var takesUnwinds: Bool { self == .open || self == .unreachable }
}
