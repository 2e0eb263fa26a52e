internal import Market

/// Who of a program's shards owns what, as the supervisor publishes it whenever it changes: the body of
/// `shards/PROGRAM`, the last value on join.
///
/// A change of the count is a hand-over in three phases: the new owners take, the old ones drop, done. Who owns a key is
/// never listed: each shard finds it by `Rendezvous`.
public struct ShardPlan: Hashable, Sendable {
  /// How far a hand-over is.
  public enum Phase: UInt8, Sendable {
    /// New owners take what will be theirs; nobody drops anything.
    case take = 0
    /// All was taken: old owners drop what is no longer theirs.
    case drop = 1
    /// Everybody has what is his, and nothing else.
    case done = 2

    /// `take`, `drop` or `done`, as confirmations name it.
    public var name: String {
      switch self {
      case .take: "take"
      case .drop: "drop"
      case .done: "done"
      }
    }
  }

  /// The program whose processes are the shards.
  public var program: String
  /// Grows with each change of the count, also over restarts of the supervisor.
  public var generation: UInt64
  /// How many shards there were.
  public var previousCount: Int
  /// How many there are to be.
  public var count: Int
  /// How far the hand-over is.
  public var phase: Phase

  /// A plan by its parts.
  public init(program: String, generation: UInt64, previousCount: Int, count: Int, phase: Phase) {
    self.program = program
    self.generation = generation
    self.previousCount = previousCount
    self.count = count
    self.phase = phase
  }

  /// Under which term a shard publishes what belongs to a key; nil where it is not to publish it.
  ///
  /// Of two publishers of one book the one with the higher term owns it: while both have it, that is the new owner.
  /// - Parameters:
  ///   - hash: the key's `Rendezvous.hash`.
  ///   - shard: the shard's index.
  /// - Returns: the generation for an owner, one less for an old owner that keeps the key until it is taken.
  public func term(of hash: UInt64, shard: Int) -> UInt64? {
    if Rendezvous.owner(of: hash, among: count) == shard { return generation }
    guard phase == .take, Rendezvous.owner(of: hash, among: previousCount) == shard else { return nil }
    return generation > 0 ? generation - 1 : 0
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(5)
    writer.text(program)
    writer.unsigned(generation)
    writer.unsigned(UInt64(previousCount))
    writer.unsigned(UInt64(count))
    writer.unsigned(UInt64(phase.rawValue))
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no plan.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 5)
    program = try reader.text()
    generation = try reader.unsigned()
    previousCount = Int(try reader.integer(in: 0...100_000, "previousCount"))
    count = Int(try reader.integer(in: 1...100_000, "count"))
    guard let phase = Phase(rawValue: UInt8(try reader.integer(in: 0...255, "phase"))) else {
      throw .outOfRange(field: "phase")
    }
    self.phase = phase
    try reader.skip(fields - 5)
  }
}
