internal import Daemon
internal import Synchronization

/// The way from the pump to the main loop for streams that the main loop listens to.
final class Taps: Sendable {
  /// Streams are not read while more than this waits to be taken, in bytes.
  static let backlogMax = 4 << 20

  private let mailbox: Mailbox<TapLetter>
  private let backlog = Atomic<Int>(0)

  init() throws(SystemError) { mailbox = try Mailbox() }

  /// Becomes readable when there is something for the main loop.
  var descriptor: Int32 { mailbox.descriptor }

  var isFull: Bool { backlog.load(ordering: .relaxed) > Self.backlogMax }

  func post(_ stream: OutputStream, _ item: TapItem) {
    backlog.add(item.count, ordering: .relaxed)
    mailbox.post(TapLetter(stream: stream, item: item))
  }

  /// Gives the main loop everything that waits; call it there.
  func deliver() {
    for letter in mailbox.take() {
      backlog.subtract(letter.item.count, ordering: .relaxed)
      letter.stream.handler?(letter.item)
    }
  }
}
