/// Somebody who waits for processes to come somewhere.
final class Waiter {
  private let check: () -> Bool
  private var isDone = false
  private var isChecking = false

  /// - Parameter check: looks whether it has come about, and answers whoever asked; true when there is nothing more to
  ///   wait for.
  init(_ check: @escaping () -> Bool) { self.check = check }

  /// Whether it is done; it answers once, even where its answer leads to the next change and so back to here.
  func poll() -> Bool {
    guard !isDone, !isChecking else { return isDone }
    isChecking = true
    isDone = check()
    isChecking = false
    return isDone
  }
}
