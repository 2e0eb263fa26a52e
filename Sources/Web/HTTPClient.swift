internal import CCurl
internal import Glibc
internal import Synchronization

/// An HTTP client: many requests at once over one thread of its own, which starts with the first request.
///
/// Connections are kept and shared, HTTP/2 where the server has it. TLS is verified; the proxy comes from the
/// environment, except towards the loopback; bodies are decompressed. Redirects are not followed.
///
/// The corresponding C interface is libcurl's multi interface.
public final class HTTPClient: Sendable {
  private let engine = Mutex<TransferEngine?>(nil)

  /// A client; it costs nothing until the first request.
  public init() {}

  /// Ends the transfers that are still under way, as cancelled.
  deinit { engine.withLock { $0?.stop() } }

  /// Sends a request and waits for the whole response.
  ///
  /// When the task is cancelled, the transfer is removed at once, and its connection is closed.
  /// - Throws: `HTTPError`.
  public func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    let transfer = Transfer(request)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>) in
        transfer.onEnd { continuation.resume(returning: $0) }
        submit(transfer)
      }
    } onCancel: {
      transfer.cancel()
    }
    return try result.get()
  }

  /// Sends a request and calls `completion` with the outcome, on the client's thread.
  ///
  /// For poll loops: let `completion` hand the outcome over and wake the loop.
  /// - Returns: what cancels it.
  @discardableResult
  public func start(
    _ request: HTTPRequest, completion: @escaping @Sendable (Result<HTTPResponse, HTTPError>) -> Void
  ) -> HTTPTransfer {
    let transfer = Transfer(request)
    transfer.onEnd(completion)
    submit(transfer)
    return HTTPTransfer(transfer: transfer)
  }

  /// Sends a request and blocks the calling thread until the response is there.
  ///
  /// For command-line tools; never from a task.
  /// - Throws: `HTTPError`.
  public func sendBlocking(_ request: HTTPRequest) throws(HTTPError) -> HTTPResponse {
    let outcome = Outcome()
    start(request) { outcome.set($0) }
    return try outcome.wait().get()
  }

  private func submit(_ transfer: Transfer) {
    let engine = engine.withLock { engine in
      if let engine { return engine as TransferEngine? }
      engine = TransferEngine.started()
      return engine
    }
    guard let engine else {
      return transfer.end(.failure(transfer.error(.internal, detail: "no thread")))
    }
    transfer.submit(to: engine)
  }
}

/// A request under way.
public struct HTTPTransfer: Sendable {
  let transfer: Transfer

  /// Ends it at once, with `HTTPError.Code.cancelled`, unless it has ended already.
  public func cancel() { transfer.cancel() }
}

/// One value that a thread waits for.
private final class Outcome: Sendable {
  private let result = Mutex<Result<HTTPResponse, HTTPError>?>(nil)
  // Sound: a semaphore is made to be shared; it is destroyed when the last reference is gone.
  private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

  init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func set(_ value: Result<HTTPResponse, HTTPError>) {
    result.withLock { $0 = value }
    sem_post(semaphore)
  }

  func wait() -> Result<HTTPResponse, HTTPError> {
    while true {
      if let value = result.withLock({ $0 }) { return value }
      sem_wait(semaphore)
    }
  }
}
