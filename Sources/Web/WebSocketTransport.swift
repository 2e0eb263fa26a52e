internal import CCurl
internal import CLinux
internal import Glibc

/// The bytes below a WebSocket: a socket of ours, or a connection that libcurl made, with or without TLS.
///
/// It owns its descriptor: `close()` must be called exactly once, which `WebSocketPeer` does.
struct WebSocketTransport {
  enum Outcome {
    case bytes(Int)
    case wouldBlock
    case end
    case failed(Int32)
  }

  private enum Base {
    case socket
    case curl(UnsafeMutableRawPointer, isPlain: Bool)
  }

  let descriptor: Int32
  private let base: Base

  /// Takes over a connected socket.
  static func socket(_ descriptor: Int32) -> WebSocketTransport {
    var on: Int32 = 1
    var off: Int32 = 0
    // Both fail on a unix socket, which needs neither.
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &off, socklen_t(MemoryLayout<Int32>.size))
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    _ = bh_fcntl(descriptor, F_SETFL, bh_fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK)
    return WebSocketTransport(descriptor: descriptor, base: .socket)
  }

  /// Takes over a handle that is connected by `CURLOPT_CONNECT_ONLY`.
  ///
  /// - Parameters:
  ///   - handle: the handle.
  ///   - isPlain: whether nothing lies between libcurl and the socket: no TLS of ours, and none of a proxy.
  /// - Returns: the transport; nil where the handle has no socket.
  static func curl(_ handle: UnsafeMutableRawPointer, isPlain: Bool) -> WebSocketTransport? {
    var descriptor: curl_socket_t = -1
    guard bh_curl_get_pointer(handle, CURLINFO_ACTIVESOCKET, &descriptor) == CURLE_OK, descriptor >= 0 else {
      return nil
    }
    return WebSocketTransport(descriptor: descriptor, base: .curl(handle, isPlain: isPlain))
  }

  /// Whether a read that fills less than its room has emptied everything: true of a socket, not of TLS records.
  var shortReadMeansDrained: Bool {
    switch base {
    case .socket: true
    case .curl(_, let isPlain): isPlain
    }
  }

  func receive(_ room: UnsafeMutableRawBufferPointer) -> Outcome {
    switch base {
    case .socket:
      while true {
        let count = recv(descriptor, room.baseAddress, room.count, 0)
        if count >= 0 { return count == 0 ? .end : .bytes(count) }
        if errno == EAGAIN { return .wouldBlock }
        if errno != EINTR { return .failed(errno) }
      }
    case .curl(let handle, _):
      var count = 0
      let code = curl_easy_recv(handle, room.baseAddress, room.count, &count)
      switch code {
      case CURLE_OK: return count == 0 ? .end : .bytes(count)
      case CURLE_AGAIN: return .wouldBlock
      default: return .failed(Int32(bitPattern: code.rawValue))
      }
    }
  }

  func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    switch base {
    case .socket:
      while true {
        let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .bytes(count) }
        if errno == EAGAIN { return .wouldBlock }
        if errno != EINTR { return .failed(errno) }
      }
    case .curl(let handle, _):
      var count = 0
      let code = curl_easy_send(handle, bytes.baseAddress, bytes.count, &count)
      switch code {
      case CURLE_OK: return .bytes(count)
      case CURLE_AGAIN: return .wouldBlock
      default: return .failed(Int32(bitPattern: code.rawValue))
      }
    }
  }

  func close() {
    switch base {
    case .socket: Glibc.close(descriptor)
    case .curl(let handle, _): curl_easy_cleanup(handle)
    }
  }
}
