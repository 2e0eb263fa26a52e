/// One place that an answer can come from.
public struct Source<Value: Sendable>: Sendable {
  /// Its name, such as `binance`.
  public let name: String
  /// Asks it.
  public let fetch: @Sendable () async throws -> Value

  /// A source by its parts.
  public init(_ name: String, fetch: @escaping @Sendable () async throws -> Value) {
    self.name = name
    self.fetch = fetch
  }
}

/// The answer that won, and who failed before it came.
public struct RaceOutcome<Value: Sendable>: Sendable {
  /// The answer.
  public let value: Value
  /// Who gave it.
  public let source: String
  /// Who gave none, or an invalid one, and why.
  public let failures: [SourceFailure]

  /// An outcome by its parts.
  public init(value: Value, source: String, failures: [SourceFailure]) {
    self.value = value
    self.source = source
    self.failures = failures
  }
}

/// A source that gave no answer.
public struct SourceFailure: Hashable, Sendable {
  /// Who.
  public let source: String
  /// Why.
  public let reason: String

  /// A failure by its parts.
  public init(source: String, reason: String) {
    self.source = source
    self.reason = reason
  }
}

/// Nobody gave a valid answer.
public struct AllSourcesFailed: Error, Hashable, CustomStringConvertible {
  /// Who failed, and why, in the order in which they did.
  public let failures: [SourceFailure]

  /// An error by who failed.
  public init(failures: [SourceFailure]) { self.failures = failures }

  /// For people.
  public var description: String {
    "no valid answer: " + failures.map { "\($0.source): \($0.reason)" }.joined(separator: "; ")
  }
}

/// Asks the primary, and when it has failed all fallbacks at once; the first valid answer wins.
///
/// An answer is checked before the others are cancelled, so an invalid one that came early costs nothing.
/// - Parameters:
///   - primary: is asked first, with the retries that it brings.
///   - fallbacks: are asked together.
///   - problem: says what is wrong with an answer; nil for a valid one.
/// - Returns: the answer, who gave it, and who failed.
/// - Throws: `AllSourcesFailed`, or `CancellationError` where the caller was cancelled.
public func firstValid<Value: Sendable>(
  primary: Source<Value>, fallbacks: [Source<Value>], problem: @escaping @Sendable (Value) -> String?
) async throws -> RaceOutcome<Value> {
  var failures: [SourceFailure] = []
  switch await answer(of: primary, problem: problem) {
  case .success(let value): return RaceOutcome(value: value, source: primary.name, failures: [])
  case .failure(let failure): failures.append(failure)
  }
  try Task.checkCancellation()
  guard !fallbacks.isEmpty else { throw AllSourcesFailed(failures: failures) }
  let (answers, post) = AsyncStream.makeStream(of: (String, Result<Value, SourceFailure>).self)
  let tasks = fallbacks.map { fallback in
    Task(executorPreference: TaskPlace.executor) {
      post.yield((fallback.name, await answer(of: fallback, problem: problem)))
    }
  }
  defer { for task in tasks { task.cancel() } }
  // The stream ends where the caller is cancelled.
  var waiting = tasks.count
  for await (name, result) in answers {
    switch result {
    case .success(let value): return RaceOutcome(value: value, source: name, failures: failures)
    case .failure(let failure): failures.append(failure)
    }
    waiting -= 1
    if waiting == 0 { break }
  }
  try Task.checkCancellation()
  throw AllSourcesFailed(failures: failures)
}

extension SourceFailure: Error {}

private func answer<Value: Sendable>(
  of source: Source<Value>, problem: @Sendable (Value) -> String?
) async -> Result<Value, SourceFailure> {
  do {
    let value = try await source.fetch()
    guard let reason = problem(value) else { return .success(value) }
    return .failure(SourceFailure(source: source.name, reason: reason))
  } catch {
    return .failure(SourceFailure(source: source.name, reason: "\(error)"))
  }
}
