internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the pump's thread works on; everything but `init` runs there.
final class PumpState: @unchecked Sendable {
  private enum Item {
    case stream(OutputStream)
    case file(LogFile)
    case input(InputChannel, descriptor: Int32)
  }

  /// Pipes of streams that say much are made as large as this, in bytes.
  static let pipeSize = 1 << 20
  /// A stream that says so much at a time says much, in bytes.
  private static let muchBytes = 32 << 10
  /// After a gulp from a busy stream the next waits so long, so that it is worth its cost.
  private static let pauseMilliseconds: Int32 = 2
  /// A stream is busy where it speaks again so soon.
  private static let busyNanoseconds: Int64 = 5_000_000

  private let orders: Mailbox<OutputPump.Order>
  private let taps: Taps
  private let epoll: Int32
  private let buffer: UnsafeMutableRawBufferPointer
  private var items: [UInt64: Item] = [:]
  private var files: [String: LogFile] = [:]
  private var nextNumber: UInt64 = 1
  private var isEnding = false
  private var passedAt: Int64 = 0

  init(orders: Mailbox<OutputPump.Order>, taps: Taps) throws(SystemError) {
    self.orders = orders
    self.taps = taps
    epoll = try systemCall("epoll_create1") { bh_epoll() }
    buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    var event = epoll_event()
    event.events = UInt32(bh_epoll_in())
    event.data.u64 = 0
    try systemCall("epoll_ctl") { epoll_ctl(epoll, EPOLL_CTL_ADD, orders.descriptor, &event) }
  }

  deinit {
    close(epoll)
    buffer.deallocate()
  }

  func run() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while !isEnding {
      let count = epoll_wait(epoll, &events, Int32(events.count), -1)
      guard count > 0 else { continue }
      var hasOrders = false
      var bytes = 0
      for event in events[..<Int(count)] {
        switch items[event.data.u64] {
        case .stream(let stream): bytes += move(stream)
        case .file(let file): unblock(file, event.data.u64)
        case .input(let input, let descriptor): if !input.flush() { forget(event.data.u64, descriptor) }
        case nil: hasOrders = hasOrders || event.data.u64 == 0
        }
      }
      if hasOrders { takeOrders() }
      if bytes > 0 { rest(after: bytes) }
    }
  }

  /// Lets busy streams fill their pipes for a moment: fewer wake-ups, and processes that are not disturbed.
  private func rest(after bytes: Int) {
    let now = SystemClock.monotonicNanoseconds
    let isBusy = now - passedAt < Self.busyNanoseconds
    passedAt = now
    guard isBusy, bytes < Self.pipeSize / 2 else { return }
    var item = pollfd(fd: orders.descriptor, events: Int16(POLLIN), revents: 0)
    poll(&item, 1, Self.pauseMilliseconds)
    passedAt = SystemClock.monotonicNanoseconds
  }

  // MARK: - Orders

  private func takeOrders() {
    for order in orders.take() {
      switch order {
      case .add(let stream): add(stream)
      case .prepare(let streams): for stream in streams { stream.file?.prepare() }
      case .remove(let streams, let completion):
        for stream in streams { remove(stream) }
        completion?.finish()
      case .watch(let input, let descriptor): watch(input, descriptor)
      case .drain(let streams, let completion):
        for stream in streams { empty(stream) }
        completion?.finish()
      case .clear(let streams, let cleared): clear(streams, cleared)
      case .reopen: for file in files.values { file.reopen() }
      case .end(let completion):
        for case .stream(let stream) in items.values { empty(stream) }
        isEnding = true
        completion.finish()
      }
    }
  }

  private func add(_ stream: OutputStream) {
    if let path = stream.specification.file { stream.file = file(path, stream.specification) }
    stream.number = register(.stream(stream), stream.pipe.descriptor, events: UInt32(bh_epoll_in()))
  }

  /// Streams that name the same file share it.
  private func file(_ path: String, _ specification: OutputSpecification) -> LogFile {
    if let known = files[path] { return known }
    let file = LogFile(path: path, sizeMax: specification.sizeMax, backups: specification.backups)
    files[path] = file
    return file
  }

  private func remove(_ stream: OutputStream) {
    guard items[stream.number] != nil else { return }
    empty(stream)
    forget(stream.number, stream.pipe.descriptor)
    guard let file = stream.file else { return }
    stream.file = nil
    if !streams(of: file).isEmpty || file.isBlocked { return }
    files[file.path] = nil
  }

  private func clear(_ streams: [OutputStream], _ cleared: OutputPump.Cleared) {
    for stream in streams {
      empty(stream)
      do throws(SystemError) { try stream.file?.clear() } catch { cleared.failure.withLock { $0 = error } }
    }
    cleared.completion.finish()
  }

  private func watch(_ input: InputChannel, _ descriptor: Int32) {
    // It may have been sent, and its descriptor closed, since the order was given.
    guard input.flush() else { return }
    _ = register(.input(input, descriptor: descriptor), descriptor, events: EPOLLOUT.rawValue)
  }

  private func register(_ item: Item, _ descriptor: Int32, events: UInt32) -> UInt64 {
    let number = nextNumber
    nextNumber += 1
    items[number] = item
    var event = epoll_event()
    event.events = events
    event.data.u64 = number
    if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 {
      Log.error("output is not watched", ["error": "\(SystemError.last("epoll_ctl"))"])
    }
    return number
  }

  private func forget(_ number: UInt64, _ descriptor: Int32) {
    items[number] = nil
    var event = epoll_event()
    epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
  }

  private func streams(of file: LogFile) -> [OutputStream] {
    items.values.compactMap { item in
      if case .stream(let stream) = item, stream.file === file { stream } else { nil }
    }
  }

  // MARK: - Moving

  /// Moves what is in a pipe, but not so much that others wait long.
  /// - Returns: how many bytes.
  private func move(_ stream: OutputStream) -> Int {
    var total = 0
    while total < Self.pipeSize {
      if stream.isTapped.load(ordering: .relaxed), taps.isFull { return total + 1 }
      if stream.file?.isBlocked == true {
        block(stream)
        break
      }
      let count = read(stream.pipe.descriptor, buffer.baseAddress, buffer.count)
      guard count > 0 else { break }
      stream.deliver(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: taps)
      total += count
      if count < buffer.count { break }
    }
    if total >= Self.muchBytes, !stream.isLarge {
      stream.isLarge = true
      _ = bh_set_pipe_size(stream.pipe.descriptor, Int32(Self.pipeSize))
    }
    return total
  }

  /// Moves everything that is in a pipe now.
  private func empty(_ stream: OutputStream) {
    var left: Int32 = 0
    guard bh_bytes_waiting(stream.pipe.descriptor, &left) == 0 else { return }
    while left > 0 {
      let count = move(stream)
      guard count > 0 else { return }
      left -= Int32(clamping: count)
    }
  }

  /// Stops reading a stream whose log takes nothing at present.
  private func block(_ stream: OutputStream) {
    guard let file = stream.file, !stream.isWaiting else { return }
    stream.isWaiting = true
    setEvents(0, of: stream)
    let isWatched = items.values.contains { if case .file(let other) = $0 { other === file } else { false } }
    if !isWatched { _ = register(.file(file), file.descriptor, events: EPOLLOUT.rawValue) }
  }

  /// Goes on writing to a pipe or a terminal that takes something again.
  private func unblock(_ file: LogFile, _ number: UInt64) {
    let descriptor = file.descriptor
    file.flush()
    guard !file.isBlocked else { return }
    forget(number, descriptor)
    for stream in streams(of: file) where stream.isWaiting {
      stream.isWaiting = false
      setEvents(UInt32(bh_epoll_in()), of: stream)
    }
  }

  private func setEvents(_ events: UInt32, of stream: OutputStream) {
    var event = epoll_event()
    event.events = events
    event.data.u64 = stream.number
    epoll_ctl(epoll, EPOLL_CTL_MOD, stream.pipe.descriptor, &event)
  }
}
