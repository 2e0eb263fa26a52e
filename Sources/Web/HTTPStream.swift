internal import CLinux
internal import CMicroHTTPD
internal import Glibc

/// A response without a known end: its source is asked for the next piece whenever the client can take one.
///
/// A client that does not read holds its source back, so nothing gathers. All of it belongs to the server's thread.
public final class HTTPStream {
  /// What a source has.
  public enum Piece {
    /// So many bytes, at least one, are in the buffer now.
    case bytes(Int)
    /// Nothing until `resume()`.
    case waits
    /// Nothing any more: the response ends.
    case ends
  }

  /// Header fields; without `Content-Length`.
  public let headers: HTTPHeaders
  let source: (UnsafeMutableRawBufferPointer) -> Piece
  private let onEnd: () -> Void
  private var hasEnded = false
  weak var link: StreamLink?

  /// A stream that is not yet given to a server.
  /// - Parameters:
  ///   - headers: header fields.
  ///   - onEnd: is called once, when the client is gone, the server stops, or the source has ended.
  ///   - source: fills the buffer with what comes next.
  public init(
    headers: HTTPHeaders = [:], onEnd: @escaping () -> Void = {},
    source: @escaping (UnsafeMutableRawBufferPointer) -> Piece
  ) {
    self.headers = headers
    self.onEnd = onEnd
    self.source = source
  }

  /// The source has something again.
  public func resume() { link?.resume() }

  func end() {
    guard !hasEnded else { return }
    hasEnded = true
    onEnd()
  }
}

/// A stream on its connection.
///
/// flowing → suspended (the source waits; the library does not look at the connection, so the server watches the
/// socket for the client's end) → flowing → … → over.
final class StreamLink {
  private let stream: HTTPStream
  private let connection: OpaquePointer
  private unowned let server: HTTPServer
  private var isSuspended = false
  /// The client is gone.
  private var isGone = false
  /// The server wants it to end.
  private var isClosing = false

  init(_ stream: HTTPStream, _ connection: OpaquePointer, _ server: HTTPServer) {
    self.stream = stream
    self.connection = connection
    self.server = server
    stream.link = self
  }

  func makeResponse() -> OpaquePointer? {
    let context = Unmanaged.passRetained(self)
    let made = bh_mhd_stream(
      { context, _, bytes, room in
        guard let context, let bytes else { return Int(MHD_CONTENT_READER_END_WITH_ERROR) }
        let link = Unmanaged<StreamLink>.fromOpaque(context).takeUnretainedValue()
        return link.read(UnsafeMutableRawBufferPointer(start: bytes, count: room))
      }, context.toOpaque(),
      { context in
        if let context { Unmanaged<StreamLink>.fromOpaque(context).release() }
      })
    if made == nil { context.release() }
    return made
  }

  private func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    if isGone { return Int(MHD_CONTENT_READER_END_WITH_ERROR) }
    if isClosing { return Int(MHD_CONTENT_READER_END_OF_STREAM) }
    switch stream.source(buffer) {
    case .bytes(let count):
      precondition(count > 0 && count <= buffer.count, "a piece of \(count) bytes")
      return count
    case .waits:
      isSuspended = true
      MHD_suspend_connection(connection)
      return 0
    case .ends:
      return Int(MHD_CONTENT_READER_END_OF_STREAM)
    }
  }

  func resume() {
    guard isSuspended else { return }
    isSuspended = false
    MHD_resume_connection(connection)
    server.wakeUp.signal()
  }

  func clientIsGone() {
    isGone = true
    resume()
  }

  func close() {
    isClosing = true
    resume()
  }

  func end() {
    stream.link = nil
    stream.end()
  }
}
