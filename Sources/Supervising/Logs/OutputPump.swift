internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Moves what processes say from their pipes to their logs, on a thread of its own.
///
/// The main loop tells it what to do by orders and never waits for a disk. The corresponding C function is
/// `epoll_wait`.
///
/// It belongs to the main loop; everything in `state` belongs to the pump's thread.
final class OutputPump {
  enum Order: Sendable {
    case add(OutputStream)
    case begin
    case prepare([OutputStream])
    case restart([OutputStream])
    case ownLog(OwnLog)
    case takeOwnLog
    case remove([OutputStream], Completion?)
    case watch(InputChannel, descriptor: Int32)
    case drain([OutputStream], Completion?)
    case clear([String], Cleared)
    case reopen
    case end(Completion)
  }

  /// What became of an order to empty files.
  final class Cleared: Sendable {
    let completion: Completion
    let failure = Mutex<SystemError?>(nil)

    init() throws(SystemError) { completion = try Completion() }
  }

  /// What streams hand to the main loop.
  let taps: Taps
  private let orders: Mailbox<Order>
  private let state: PumpState
  private var hasOwnLog = false
  private var hasEnded = false

  /// Starts the thread.
  /// - Parameter runDirectory: where it notes what it is writing.
  /// - Throws: `SystemError`.
  init(runDirectory: String) throws(SystemError) {
    taps = try Taps()
    orders = try Mailbox()
    let watch = try PumpGuard()
    state = try PumpState(runDirectory: runDirectory, orders: orders, taps: taps, watch: watch)
    try watch.start()
    try PumpThread.start { [state] in state.run() }
  }

  // Where a start fails, somebody wants to read why.
  deinit { end(limitMilliseconds: 2000) }

  /// Reads a stream from now on, or from `begin` on.
  func add(_ stream: OutputStream) { orders.post(.add(stream)) }

  /// Reads streams from now on: those of which an earlier supervisor may have known are all there.
  func begin() { orders.post(.begin) }

  /// Makes the logs of streams where they are not there.
  func prepare(_ streams: [OutputStream]) { orders.post(.prepare(streams)) }

  /// Forgets what the processes of streams have left unfinished: they have ended.
  func restart(_ streams: [OutputStream]) { orders.post(.restart(streams)) }

  /// Writes what the supervisor itself has to say from now on, until the end.
  func add(_ log: OwnLog) {
    orders.post(.ownLog(log))
    log.start { [orders] in orders.post(.takeOwnLog) }
    hasOwnLog = true
    Log.redirect(to: { log.append($0) })
  }

  /// Reads what is in the streams once more, and then no more.
  func remove(_ streams: [OutputStream]) { orders.post(.remove(streams, nil)) }

  /// Goes on sending to a standard input as soon as the process reads.
  func watch(_ input: InputChannel, _ descriptor: Int32) { orders.post(.watch(input, descriptor: descriptor)) }

  /// Writes what is in the streams' pipes, and what the supervisor itself has said, before it returns, or gives up.
  func drain(_ streams: [OutputStream], limitMilliseconds: Int32) {
    guard let completion = try? Completion() else { return }
    orders.post(.drain(streams, completion))
    _ = completion.wait(milliseconds: limitMilliseconds)
  }

  /// Empties logs; what is in the pipes of their streams goes with it.
  /// - Throws: `SystemError` where one cannot be emptied, or not soon.
  func clear(_ paths: [String]) throws(SystemError) {
    let cleared = try Cleared()
    orders.post(.clear(paths, cleared))
    guard cleared.completion.wait(milliseconds: 1000) else { throw SystemError("clear logs", code: ETIMEDOUT) }
    if let failure = cleared.failure.withLock({ $0 }) { throw failure }
  }

  /// Opens all logs again, because somebody has moved them away.
  func reopen() { orders.post(.reopen) }

  /// Writes everything that is in the pipes, and ends the thread; what the supervisor says after that goes to standard
  /// error.
  /// - Parameter limitMilliseconds: how long it waits at most.
  func end(limitMilliseconds: Int32) {
    guard !hasEnded else { return }
    hasEnded = true
    if hasOwnLog { Log.redirect(to: nil) }
    guard let completion = try? Completion() else { return }
    orders.post(.end(completion))
    _ = completion.wait(milliseconds: limitMilliseconds)
  }
}
