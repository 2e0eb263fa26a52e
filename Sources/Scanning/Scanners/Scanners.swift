internal import Market

/// A scanner: a batch of what has changed in, finds out to the board.
///
/// Each belongs to the engine's poll loop and keeps what it needs between batches. A scan allocates nothing unless it
/// finds something new.
protocol MarketScanner: AnyObject {
  /// Takes a market that is new or has changed.
  func marketChanged(_ place: Int, _ engine: Scanner)

  /// Looks at what has changed.
  func scan(_ batch: DirtyBatch, _ engine: Scanner)

  /// Looks at everything, whether it has changed or not: the safety net (S1).
  func scanAll(_ engine: Scanner)
}

extension MarketScanner {
  func marketChanged(_ place: Int, _ engine: Scanner) {}
}

/// All scanners, in the order in which they look at a batch.
enum Scanners {
  static func all(of engine: Scanner) -> [any MarketScanner] {
    [BinaryScanner(), NegRiskScanner(), engine.crossPlatform, engine.latency, engine.spike]
  }
}
