public import Daemon
internal import Glibc
internal import Market
internal import Synchronization

/// Writes the history beside a poll loop, on a thread of its own: the loop never waits for the disk.
///
/// What cannot be written now is kept and tried again each second; what is not yet written when the process ends is
/// written by `finish`.
public final class HistoryWriter: Sendable {
  /// What it has done.
  public struct Counters: Hashable, Sendable {
    /// Rows that were new or have changed.
    public var rows: UInt64 = 0
    /// Batches that could not be written at once.
    public var failures: UInt64 = 0
    /// Trades that were dropped because too much waited.
    public var dropped: UInt64 = 0
    /// Trades that wait to be written.
    public var waiting = 0
  }

  fileprivate struct State {
    var batch = HistoryBatch(time: Timestamp(nanoseconds: 0))
    var counters = Counters()
    var isFinishing = false
    var isFinished = false
  }

  /// The terms of a market are kept for so long after it has closed, and looked through every so often.
  private static let termsKeptSeconds: Int64 = 30 * 86_400
  private static let termsCheckNanoseconds: Int64 = 86_400_000_000_000
  /// After so many texts and markets at once memory is given back.
  private static let muchRows = 1000

  private let path: String
  private let tradesWaitingMax: Int
  private let state = Mutex(State())
  // Sound: a semaphore is made to be shared; it is destroyed when the last reference is gone.
  private nonisolated(unsafe) let wake: UnsafeMutablePointer<sem_t>

  /// Starts the thread.
  /// - Parameters:
  ///   - path: the file, such as `DATA/history.db`.
  ///   - tradesWaitingMax: beyond so many waiting trades the newest are dropped, and counted: the disk has been full for
  ///     long.
  /// - Throws: `SystemError` where there is no thread.
  public init(path: String, tradesWaitingMax: Int = 1_000_000) throws(SystemError) {
    self.path = path
    self.tradesWaitingMax = tradesWaitingMax
    wake = .allocate(capacity: 1)
    sem_init(wake, 0, 0)
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // A new thread inherits the mask of the one that makes it: signals stay with the loop.
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<HistoryWriter>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw SystemError("pthread_create", code: code)
    }
    pthread_detach(thread)
  }

  deinit {
    sem_destroy(wake)
    wake.deallocate()
  }

  /// What it has done.
  public var counters: Counters { state.withLock { $0.counters } }

  /// Takes what is to be written; returns at once.
  public func post(_ batch: HistoryBatch) {
    guard !batch.isEmpty else { return }
    state.withLock { $0.add(batch, tradesMax: tradesWaitingMax) }
    sem_post(wake)
  }

  /// Writes what waits, and ends the thread.
  /// - Parameter withinMilliseconds: how long that may take.
  /// - Returns: whether it is all written.
  @discardableResult public func finish(withinMilliseconds: Int) -> Bool {
    state.withLock { $0.isFinishing = true }
    sem_post(wake)
    for _ in 0..<max(1, withinMilliseconds / 5) where !state.withLock({ $0.isFinished }) { usleep(5000) }
    return state.withLock { $0.isFinished && $0.batch.isEmpty }
  }

  private func run() {
    var store: HistoryStore?
    var termsDueAt = SystemClock.monotonicNanoseconds
    while true {
      var batch = HistoryBatch(time: SystemClock.now)
      let isFinishing = state.withLock { state in
        swap(&state.batch, &batch)
        return state.isFinishing
      }
      do throws(StoreError) {
        if !batch.isEmpty {
          let open: HistoryStore
          if let store { open = store } else { open = try HistoryStore(path: path) }
          store = open
          let rows = try open.write(batch)
          let tradeCount = batch.trades.count + batch.fetchedTrades.count
          state.withLock {
            $0.counters.rows += UInt64(rows)
            $0.counters.waiting -= tradeCount
          }
          let isMuch = batch.terms.count + batch.markets.count >= HistoryWriter.muchRows
          // It is written, whatever becomes of the rest.
          batch = HistoryBatch(time: batch.time)
          if SystemClock.monotonicNanoseconds >= termsDueAt {
            termsDueAt = SystemClock.monotonicNanoseconds + HistoryWriter.termsCheckNanoseconds
            try open.forgetTerms(closedBefore: batch.time.advanced(bySeconds: -HistoryWriter.termsKeptSeconds))
          }
          // A whole catalogue with its texts will not come again soon.
          if isMuch {
            try open.shrink()
            Footprint.shrink()
          }
        }
        if isFinishing { break }
        if state.withLock({ $0.batch.isEmpty && !$0.isFinishing }) { sem_wait(wake) }
      } catch {
        store = nil
        keep(batch, error)
        if isFinishing { break }
        pause()
      }
    }
    state.withLock { $0.isFinished = true }
  }

  private func keep(_ batch: HistoryBatch, _ error: StoreError) {
    let failures = state.withLock { state in
      let newer = state.batch
      state.batch = batch
      state.counters.waiting -= newer.trades.count + newer.fetchedTrades.count
      state.add(newer, tradesMax: tradesWaitingMax)
      state.counters.failures += 1
      return state.counters.failures
    }
    guard failures == 1 || failures % 60 == 0 else { return }
    Log.error("the history cannot be written", ["problem": "\(error)", "failures": "\(failures)"])
  }

  /// A second, or less where the process ends.
  private func pause() {
    for _ in 0..<20 where !state.withLock({ $0.isFinishing }) { usleep(50_000) }
  }
}

extension HistoryWriter.State {
  mutating func add(_ newer: HistoryBatch, tradesMax: Int) {
    batch.time = max(batch.time, newer.time)
    batch.candles += newer.candles
    batch.markets += newer.markets
    batch.terms += newer.terms
    let room = max(0, tradesMax - counters.waiting)
    let some = newer.trades.prefix(room)
    let fetched = newer.fetchedTrades.prefix(room - some.count)
    batch.trades += some
    batch.fetchedTrades += fetched
    counters.waiting += some.count + fetched.count
    counters.dropped += UInt64(newer.trades.count + newer.fetchedTrades.count - some.count - fetched.count)
    batch.watermarks.merge(newer.watermarks) { max($0, $1) }
    batch.breakers += newer.breakers
  }
}
