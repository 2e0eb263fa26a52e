public import Market
internal import Synchronization

/// How often requests of this process to each venue have failed, by what stood in the way: `dns`, `connect`, `tls`,
/// `timeout`, `lost`, `status`, `limit` (429 and 418), `busy` (by the venue's own words, for now), `refused` (for good),
/// `malformed`, `absent`, `impossible`, `other`.
///
/// All clients of a venue count here, so that no failure is left out, whoever asked. Safe to use from any task.
public enum RequestFailures {
  private static let counts = Mutex<[Venue: [String: UInt64]]>([:])

  /// Counts a failure; a request that was cancelled, or never sent, has not failed.
  public static func count(_ error: VenueError) {
    guard let name = name(error) else { return }
    counts.withLock { $0[error.venue, default: [:]][name, default: 0] += 1 }
  }

  /// The counters of a venue so far, with words before their names.
  public static func values(_ venue: Venue, prefix: String) -> [String: Int64] {
    let some = counts.withLock { $0[venue] ?? [:] }
    return Dictionary(uniqueKeysWithValues: some.map { (prefix + $0.key, Int64(clamping: $0.value)) })
  }

  private static func name(_ error: VenueError) -> String? {
    if let obstacle = error.obstacle { return obstacle.rawValue }
    switch error.cause {
    case .malformed: return "malformed"
    case .status(let code): return code == 429 || code == 418 ? "limit" : "status"
    case .refused(let isTemporary): return isTemporary ? "busy" : "refused"
    case .absent: return "absent"
    case .unreachable: return "other"
    case .cancelled, .heldBack: return nil
    case .impossible: return "impossible"
    }
  }
}
