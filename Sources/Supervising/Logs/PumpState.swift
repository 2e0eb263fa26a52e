internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the pump's thread works on.
///
/// Sound as `Sendable`: after `init`, everything happens on that thread.
final class PumpState: @unchecked Sendable {
  private enum Item {
    case stream(OutputStream)
    case input(InputChannel, descriptor: Int32)
  }

  /// A stream that says so much at a time says much, in bytes.
  private static let muchBytes = 32 << 10
  /// After a gulp from a busy stream the next waits so long, so that it is worth its cost.
  private static let pauseMilliseconds: Int32 = 2
  /// A stream is busy where it speaks again so soon.
  private static let busyNanoseconds: Int64 = 5_000_000
  /// A log that takes nothing for so long costs its processes what does not fit in their pipes.
  private static let patienceNanoseconds: Int64 = 250_000_000

  private let orders: Mailbox<OutputPump.Order>
  private let taps: Taps
  private let watch: PumpGuard
  private let epoll: Int32
  private let mover: OutputMover
  private var items: [UInt64: Item] = [:]
  private var files: [String: LogFile] = [:]
  /// Files that take nothing at present.
  private var blocked: [UInt64: LogFile] = [:]
  private var nextNumber: UInt64 = 1
  /// Streams that are read when all are there whose pipes another supervisor may have left half read; nil: from then on.
  private var waitingStreams: [OutputStream]? = []
  private var isEnding = false
  private var passedAt: Int64 = 0
  private var ownLog: OwnLog?
  private var ownFiles: [LogFile] = []

  init(
    runDirectory: String, orders: Mailbox<OutputPump.Order>, taps: Taps, watch: PumpGuard
  ) throws(SystemError) {
    self.orders = orders
    self.taps = taps
    self.watch = watch
    mover = try OutputMover(runDirectory: runDirectory, taps: taps)
    epoll = try systemCall("epoll_create1") { bh_epoll() }
    var event = epoll_event()
    event.events = UInt32(bh_epoll_in())
    event.data.u64 = 0
    try systemCall("epoll_ctl") { epoll_ctl(epoll, EPOLL_CTL_ADD, orders.descriptor, &event) }
  }

  deinit { close(epoll) }

  func run() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while !isEnding {
      let count = epoll_wait(epoll, &events, Int32(events.count), timeoutMilliseconds)
      if count == 0 { mover.buffer.release() }
      watch.began()
      var hasOrders = false
      var bytes = 0
      for event in events[..<max(0, Int(count))] {
        switch items[event.data.u64] {
        case .stream(let stream): bytes += stream.isWaiting ? relieve(stream) : move(stream)
        case .input(let input, let descriptor): if !input.flush() { forget(event.data.u64, descriptor) }
        case nil:
          if let file = blocked[event.data.u64] { unblock(file, event.data.u64) }
          hasOrders = hasOrders || event.data.u64 == 0
        }
      }
      if !blocked.isEmpty { giveUp() }
      if hasOrders { takeOrders() }
      mover.mark.clear()
      if bytes > 0 { rest(after: bytes) }
      watch.rested()
    }
    watch.end()
  }

  /// How long it waits: until the patience with a log ends, or until a buffer that was used is given back.
  private var timeoutMilliseconds: Int32 {
    let limit = blocked.values.compactMap { $0.isGivenUp ? nil : $0.blockedAt }.min()
    if let limit {
      let left = limit + Self.patienceNanoseconds - SystemClock.monotonicNanoseconds
      return Int32(clamping: max(0, left / 1_000_000 + 1))
    }
    return mover.buffer.isUsed ? 500 : -1
  }

  /// Lets busy streams fill their pipes for a moment: fewer wake-ups, and processes that are not disturbed.
  private func rest(after bytes: Int) {
    let now = SystemClock.monotonicNanoseconds
    let isBusy = now - passedAt < Self.busyNanoseconds
    passedAt = now
    guard isBusy, bytes < OutputStream.capacityMax / 2 else { return }
    var item = pollfd(fd: orders.descriptor, events: Int16(POLLIN), revents: 0)
    poll(&item, 1, Self.pauseMilliseconds)
    passedAt = SystemClock.monotonicNanoseconds
  }

  // MARK: - Orders

  private func takeOrders() {
    for order in orders.take() {
      switch order {
      case .add(let stream): add(stream)
      case .begin: begin()
      case .prepare(let streams): for stream in streams { stream.file?.prepare() }
      case .restart(let streams):
        for stream in streams {
          empty(stream)
          mover.restart(stream)
        }
      case .remove(let streams, let completion):
        for stream in streams { remove(stream) }
        completion?.finish()
      case .watch(let input, let descriptor): watch(input, descriptor)
      case .drain(let streams, let completion):
        for stream in streams { empty(stream) }
        writeOwnLog()
        completion?.finish()
      case .clear(let files, let cleared): clear(files, cleared)
      case .reopen: for file in files.values { file.reopen() }
      case .ownLog(let log): open(log)
      case .takeOwnLog: writeOwnLog()
      case .end(let completion):
        for case .stream(let stream) in Array(items.values) { empty(stream) }
        writeOwnLog()
        mover.mark.clear()
        if waitingStreams == nil { mover.mark.unlink() }
        isEnding = true
        completion.finish()
      }
    }
  }

  private func add(_ stream: OutputStream) {
    if let path = stream.specification.file { stream.file = file(path, stream.specification) }
    mover.inherit(stream)
    if waitingStreams == nil { read(stream) } else { waitingStreams?.append(stream) }
  }

  /// All streams are there of which another supervisor may have known.
  private func begin() {
    mover.mark.reset()
    for stream in waitingStreams ?? [] { read(stream) }
    waitingStreams = nil
  }

  private func read(_ stream: OutputStream) {
    stream.number = register(.stream(stream), stream.pipe.descriptor, events: UInt32(bh_epoll_in()))
    tellGuard()
  }

  private func tellGuard() {
    watch.set(items.values.compactMap { if case .stream(let stream) = $0 { stream } else { nil } })
  }

  /// Streams that name the same file share it.
  private func file(_ path: String, _ specification: OutputSpecification) -> LogFile {
    if let known = files[path] {
      known.sources += 1
      return known
    }
    let file = LogFile(path: path, sizeMax: specification.sizeMax, backups: specification.backups)
    file.sources = 1
    files[path] = file
    return file
  }

  private func remove(_ stream: OutputStream) {
    guard items[stream.number] != nil else { return }
    empty(stream)
    forget(stream.number, stream.pipe.descriptor)
    tellGuard()
    guard let file = stream.file else { return }
    stream.file = nil
    file.sources -= 1
    if file.sources == 0, !file.isBlocked { files[file.path] = nil }
  }

  private func clear(_ paths: [String], _ cleared: OutputPump.Cleared) {
    for path in paths {
      guard let file = files[path] else { continue }
      for stream in streams(of: file) { empty(stream) }
      do throws(SystemError) { try file.clear() } catch { cleared.failure.withLock { $0 = error } }
    }
    cleared.completion.finish()
  }

  private func watch(_ input: InputChannel, _ descriptor: Int32) {
    // It may have been sent, and its descriptor closed, since the order was given.
    guard input.flush() else { return }
    _ = register(.input(input, descriptor: descriptor), descriptor, events: EPOLLOUT.rawValue)
  }

  private func register(_ item: Item, _ descriptor: Int32, events: UInt32) -> UInt64 {
    items[nextNumber] = item
    return watch(descriptor, events: events)
  }

  /// Waits for a descriptor under the next number.
  @discardableResult
  private func watch(_ descriptor: Int32, events: UInt32) -> UInt64 {
    let number = nextNumber
    nextNumber += 1
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
    blocked[number] = nil
    var event = epoll_event()
    epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
  }

  private func streams(of file: LogFile) -> [OutputStream] {
    items.values.compactMap { item in
      if case .stream(let stream) = item, stream.file === file { stream } else { nil }
    }
  }

  // MARK: - The supervisor's own log

  private func open(_ log: OwnLog) {
    ownLog = log
    ownFiles = []
    if let path = log.output.file { ownFiles.append(file(path, log.output)) }
    if log.usesStandardError {
      ownFiles.append(file("/dev/stderr", OutputSpecification(file: "/dev/stderr", sizeMax: 0, backups: 0)))
    }
    writeOwnLog()
  }

  private func writeOwnLog() {
    guard let (bytes, droppedLines) = ownLog?.take() else { return }
    for file in ownFiles {
      _ = bytes.withUnsafeBytes { file.write($0) }
      if file.isBlocked { watchWritable(file) }
    }
    if droppedLines > 0 { Log.error("lines of this log were dropped", ["lines": "\(droppedLines)"]) }
  }

  // MARK: - Moving

  /// Moves what is in a pipe, but not so much that others wait long.
  /// - Returns: how many bytes.
  private func move(_ stream: OutputStream) -> Int {
    var total = 0
    while total < OutputStream.capacityMax, stream.file?.isBlocked != true {
      // Whoever waits for the main loop pauses, as after bytes.
      if isFull(stream) { return total + 1 }
      let count = mover.move(stream)
      watch.moved()
      total += count
      if count < Self.muchBytes { break }
    }
    if total >= Self.muchBytes {
      stream.enlarge()
      mover.enlarge()
    }
    // Its last bytes may be what waits.
    if stream.file?.isBlocked == true { block(stream) }
    return total
  }

  private func isFull(_ stream: OutputStream) -> Bool { stream.isTapped.load(ordering: .relaxed) && taps.isFull }

  /// Moves everything that is in a pipe now.
  private func empty(_ stream: OutputStream) {
    var left: Int32 = 0
    guard !stream.isWaiting, bh_bytes_waiting(stream.pipe.descriptor, &left) == 0 else { return }
    while left > 0, !isFull(stream) {
      let count = move(stream)
      guard count > 0, !stream.isWaiting else { return }
      left -= Int32(clamping: count)
    }
  }

  /// Stops reading a stream whose log takes nothing at present; from now on each piece of output is told of once.
  private func block(_ stream: OutputStream) {
    guard let file = stream.file, !stream.isWaiting else { return }
    stream.isWaiting = true
    stream.enlarge()
    setEvents(UInt32(bh_epoll_in()) | EPOLLET.rawValue, of: stream)
    watchWritable(file)
  }

  private func watchWritable(_ file: LogFile) {
    guard !blocked.values.contains(where: { $0 === file }) else { return }
    blocked[nextNumber] = file
    watch(file.descriptor, events: EPOLLOUT.rawValue)
  }

  /// Drops what is too much for the pipe of a stream that has waited long enough.
  /// - Returns: how many bytes.
  private func relieve(_ stream: OutputStream) -> Int {
    guard let file = stream.file, file.isGivenUp else { return 0 }
    let count = stream.relieve(through: mover.buffer.bytes)
    if count > 0 { file.lose(count, "it takes nothing") }
    return count
  }

  /// Relieves the streams of logs that have taken nothing for too long; those that speak later are relieved then.
  private func giveUp() {
    let limit = SystemClock.monotonicNanoseconds - Self.patienceNanoseconds
    for file in blocked.values where !file.isGivenUp {
      guard let blockedAt = file.blockedAt, blockedAt <= limit else { continue }
      file.isGivenUp = true
      for stream in streams(of: file) where stream.isWaiting { _ = relieve(stream) }
    }
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
