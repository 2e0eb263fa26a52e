internal import Bus

/// What a process says of plans, by lines of `sd_notify(3)`.
///
/// - `X_BULKHEAD_SHARDED=GENERATION`: it takes part in hand-overs, and follows the plan of that generation; 0: none yet.
/// - `X_BULKHEAD_SHARD=GENERATION:PHASE`: it has done what that phase (`take`, `drop`, `done`) of that plan asks of it.
struct ShardWord {
  var follows: UInt64 = 0
  var confirms: (generation: UInt64, phase: ShardPlan.Phase)?

  /// Reads the lines of a message; nil where none is about plans.
  init?(_ lines: [Substring]) {
    var isSaid = false
    for line in lines {
      if line.hasPrefix("X_BULKHEAD_SHARDED="), let generation = UInt64(line.dropFirst(19)) {
        follows = generation
        isSaid = true
      } else if line.hasPrefix("X_BULKHEAD_SHARD=") {
        let parts = line.dropFirst(17).split(separator: ":")
        let phases: [ShardPlan.Phase] = [.take, .drop, .done]
        guard parts.count == 2, let generation = UInt64(parts[0]),
          let phase = phases.first(where: { $0.name == parts[1] })
        else { continue }
        confirms = (generation, phase)
        isSaid = true
      }
    }
    guard isSaid else { return nil }
  }
}
