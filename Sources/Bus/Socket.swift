internal import CZeroMQ

#if canImport(Glibc)
  internal import Glibc
#endif

/// The process's ZeroMQ context: one I/O thread, made at first use and kept to the end.
///
/// libzmq's contexts are thread-safe, so sharing the pointer is sound.
private let sharedContext = ContextPointer(pointer: zmq_ctx_new())

private struct ContextPointer: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer?
}

/// A ZeroMQ socket that closes itself.
public final class BusSocket {
  let handle: UnsafeMutableRawPointer
  /// Becomes readable when something happens to the socket; it does so once, so what happened must be asked for.
  let descriptor: Int32
  /// Whether something was done with the socket since it was last found empty: any call may swallow the one sign that
  /// `descriptor` gives.
  var mayHaveInput = true
  /// Whether something was sent since then.
  ///
  /// That swallows a sign only where one came at the same moment, so it is asked about a little later, and once for all
  /// that was sent meanwhile.
  private var hasSent = false
  /// When the socket was last asked, in monotonic nanoseconds.
  private var askedAt: Int64 = 0
  /// How long it is not asked again because of what was sent.
  private static let pauseNanoseconds: Int64 = 10_000_000

  init(type: Int32) throws(BusError) {
    guard let handle = zmq_socket(sharedContext.pointer, type) else { throw BusError.last("zmq_socket") }
    self.handle = handle
    var descriptor: Int32 = -1
    var size = MemoryLayout<Int32>.size
    guard zmq_getsockopt(handle, ZMQ_FD, &descriptor, &size) == 0 else { throw BusError.last("zmq_getsockopt ZMQ_FD") }
    self.descriptor = descriptor
  }

  /// In how many nanoseconds from now the socket is to be asked because of what was sent; nil where it need not be.
  func askDue(_ now: Int64) -> Int64? { hasSent ? max(0, askedAt + Self.pauseNanoseconds - now) : nil }

  /// Whether a message can be received; asks the socket only where it may be so.
  func hasInput(_ now: Int64) -> Bool {
    guard mayHaveInput || askDue(now) == 0 else { return false }
    hasSent = false
    askedAt = now
    var events: Int32 = 0
    var size = MemoryLayout<Int32>.size
    guard zmq_getsockopt(handle, ZMQ_EVENTS, &events, &size) == 0 else {
      mayHaveInput = true
      return true
    }
    mayHaveInput = events & ZMQ_POLLIN != 0
    return mayHaveInput
  }

  deinit { zmq_close(handle) }

  func set(_ option: Int32, _ value: Int32) throws(BusError) {
    mayHaveInput = true
    var value = value
    guard zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size) == 0 else {
      throw BusError.last("zmq_setsockopt \(option)")
    }
  }

  func set(_ option: Int32, _ text: String) throws(BusError) {
    mayHaveInput = true
    var text = text
    let result = text.withUTF8 { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
    guard result == 0 else { throw BusError.last("zmq_setsockopt \(option)") }
  }

  func bind(_ endpoint: String) throws(BusError) {
    mayHaveInput = true
    guard zmq_bind(handle, endpoint) == 0 else { throw BusError.last("zmq_bind \(endpoint)") }
  }

  func connect(_ endpoint: String) throws(BusError) {
    mayHaveInput = true
    guard zmq_connect(handle, endpoint) == 0 else { throw BusError.last("zmq_connect \(endpoint)") }
  }

  func disconnect(_ endpoint: String) {
    mayHaveInput = true
    zmq_disconnect(handle, endpoint)
  }

  /// Sends one frame; a publisher's socket drops for slow subscribers and never blocks.
  func send(_ bytes: UnsafeRawBufferPointer) {
    hasSent = true
    while zmq_send(handle, bytes.baseAddress, bytes.count, ZMQ_DONTWAIT) < 0 {
      guard zmq_errno() == EINTR else { return }
    }
  }

  /// Receives one frame without waiting; nil where there is none.
  ///
  /// What does not fit the buffer is cut off.
  func receive(into buffer: inout [UInt8]) -> Int? {
    while true {
      let length = buffer.withUnsafeMutableBytes { zmq_recv(handle, $0.baseAddress, $0.count, ZMQ_DONTWAIT) }
      if length >= 0 { return Int(length) }
      guard zmq_errno() == EINTR else {
        mayHaveInput = false
        return nil
      }
    }
  }
}
