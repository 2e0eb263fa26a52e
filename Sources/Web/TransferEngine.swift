internal import CCurl
internal import Synchronization

/// The thread that drives all transfers of one client.
///
/// Sound to share: `inbox` has its lock, `curl_multi_wakeup` may be called from any thread, and all else belongs to
/// the thread of `run()`.
final class TransferEngine: @unchecked Sendable {
  enum Command {
    case add(Transfer)
    case cancel(Transfer)
  }

  private struct Inbox {
    var commands: [Command] = []
    var isStopped = false
  }

  private let inbox = Mutex(Inbox())
  private let multi: UnsafeMutableRawPointer
  private var active: [UnsafeMutableRawPointer: Transfer] = [:]

  /// An engine whose thread runs; nil where the system has none to give.
  static func started() -> TransferEngine? {
    CurlGlobal.start()
    guard let multi = curl_multi_init() else { return nil }
    let engine = TransferEngine(multi)
    return OwnThread.start { engine.run() } ? engine : nil
  }

  private init(_ multi: UnsafeMutableRawPointer) {
    self.multi = multi
    bh_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 256)
    bh_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 64)
  }

  // The thread keeps the engine until it has stopped, so nothing uses the handle any more.
  deinit { curl_multi_cleanup(multi) }

  /// From any thread.
  func post(_ command: Command) {
    let isStopped = inbox.withLock { inbox in
      if !inbox.isStopped { inbox.commands.append(command) }
      return inbox.isStopped
    }
    if isStopped, case .add(let transfer) = command {
      transfer.end(.failure(transfer.error(.cancelled)))
    }
    curl_multi_wakeup(multi)
  }

  /// From any thread: ends what is under way, and the thread.
  func stop() {
    inbox.withLock { $0.isStopped = true }
    curl_multi_wakeup(multi)
  }

  private func run() {
    while true {
      let (commands, isStopped) = inbox.withLock { inbox in
        defer { inbox.commands = [] }
        return (inbox.commands, inbox.isStopped)
      }
      for command in commands { perform(command) }
      if isStopped { break }
      var running: Int32 = 0
      curl_multi_perform(multi, &running)
      reapFinished()
      // The library's own timers shorten this wait.
      curl_multi_poll(multi, nil, 0, 60_000, nil)
    }
    for transfer in active.values { remove(transfer, ending: .failure(transfer.error(.cancelled))) }
  }

  private func perform(_ command: Command) {
    switch command {
    case .add(let transfer):
      guard !transfer.isCancelled else { return transfer.end(.failure(transfer.error(.cancelled))) }
      do throws(HTTPError) {
        let handle = try transfer.prepare()
        guard curl_multi_add_handle(multi, handle) == CURLM_OK else { throw transfer.error(.internal) }
        active[handle] = transfer
      } catch {
        transfer.release()
        transfer.end(.failure(error))
      }
    case .cancel(let transfer):
      remove(transfer, ending: .failure(transfer.error(.cancelled)))
    }
  }

  private func reapFinished() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      var code = CURLE_OK
      guard bh_curl_message_result(message, &code) != 0, let handle = message.pointee.easy_handle,
        let transfer = active[handle]
      else { continue }
      remove(transfer, ending: transfer.outcome(code))
    }
  }

  private func remove(_ transfer: Transfer, ending result: Result<HTTPResponse, HTTPError>) {
    guard let handle = transfer.handle, active.removeValue(forKey: handle) != nil else { return }
    curl_multi_remove_handle(multi, handle)
    transfer.release()
    transfer.end(result)
  }
}
