/// Shares instruments out among shards by rendezvous hashing (highest random weight, Thaler and Ravishankar 1998).
///
/// Each shard has a weight for each key; the highest owns it. A shard that is added takes 1/(N+1) of the keys, an even
/// part from each of the others, and nothing moves between those. The figures are the same in every process, on every
/// machine, in every version: they are part of the protocol between shards.
public enum Rendezvous {
  /// The hash of a key: 64-bit FNV-1a of its UTF-8, mixed once more, because FNV's high bits are weak for short keys.
  public static func hash(_ key: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return mix(hash)
  }

  /// Which shard owns a key.
  ///
  /// - Parameters:
  ///   - hash: the key's `hash`.
  ///   - count: how many shards there are; with one or fewer, shard 0 owns everything.
  /// - Returns: the shard's index, counted from 0.
  /// - Complexity: O(`count`).
  public static func owner(of hash: UInt64, among count: Int) -> Int {
    var owner = 0
    var heaviest: UInt64 = 0
    for shard in 0..<max(1, count) {
      let weight = mix(hash ^ mix(UInt64(shard) &+ 1))
      // Of two equal weights the lower shard wins.
      if weight > heaviest || shard == 0 { (owner, heaviest) = (shard, weight) }
    }
    return owner
  }

  /// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

extension PredictionMarket {
  /// What a market is shared out by: a neg-risk market by its event, any other by itself.
  ///
  /// Both outcomes of a market are one mirrored book and must come from one publisher. So must all markets of a neg-risk
  /// event: an arbitrage there needs all of them, and when a shard dies, whole events are stale rather than one leg of
  /// many. Other markets are not kept together by event: an event id may change, a market's id never does, and smaller
  /// keys share out more evenly.
  public var shardKey: String { isNegRisk && !eventID.isEmpty ? eventID : id }
}
