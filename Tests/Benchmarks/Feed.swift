import Bus
import CZeroMQ
import Daemon
import Dispatch
import Glibc
import Market
import Synchronization
import Web

/// Sends frames at a pace, and notes for each when the opportunity that it makes has come.
///
/// A frame is known by its time: milliseconds that count up by one from frame to frame, and that the opportunity bears.
final class Feed {
  private let pipeline: Pipeline
  private let sink: Sink
  private var nextTime: Int64 = SystemClock.now.milliseconds
  private var nextFrame = 0

  /// What became of a run.
  struct Outcome {
    /// Microseconds from the socket to the opportunity, for each frame whose opportunity came.
    var latencies: [Double] = []
    /// Microseconds from the socket to the scan that saw it, from that to the publication, and from that to the listener, in
    /// the same order.
    var stages: [(scan: Double, publication: Double, arrival: Double)] = []
    /// How many frames led to nothing.
    var lost = 0
  }

  init(_ pipeline: Pipeline) throws {
    self.pipeline = pipeline
    sink = Sink(runDirectory: pipeline.runDirectory)
    sink.start()
    // The subscription is there when the first opportunity comes.
    for _ in 0..<200 {
      if try send(count: 1, rate: 1000, burst: 1).lost == 0 { return }
    }
    throw SystemError("waiting for an opportunity", code: ETIMEDOUT)
  }

  /// Ends the receiving thread.
  func stop() { sink.stop() }

  /// Sends `count` frames, `rate` a second, `burst` at a time, and waits for what they lead to.
  func send(count: Int, rate: Int64, burst: Int) throws -> Outcome {
    let base = nextTime
    nextTime += Int64(count)
    var frames: [UInt8] = []
    var ends: [Int] = []
    var peers: [WebSocketPeer] = []
    for index in 0..<count {
      let market = (nextFrame + index) * 7919 % BenchVenue.marketCount
      guard let peer = pipeline.venue.peer(ofMarket: market) else {
        let said = (pipeline.said + pipeline.newLines()).suffix(8).joined(separator: "\n")
        throw SystemError("the stream of market \(market):\n\(said)\n", code: ENOTCONN)
      }
      peers.append(peer)
      let text = Feed.change(market: market, frame: nextFrame + index, time: base + Int64(index))
      WebSocketPeer.appendServerFrame(text: text, to: &frames)
      ends.append(frames.count)
    }
    nextFrame += count
    sink.expect(base: base, count: count)
    var sentAt = [Int64](repeating: 0, count: count)
    try frames.withUnsafeBytes { bytes in
      let start = SystemClock.monotonicNanoseconds
      for index in 0..<count {
        if index % burst == 0 { sleepUntil(start + Int64(index) * 1_000_000_000 / rate) }
        let frame = UnsafeRawBufferPointer(rebasing: bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
        sentAt[index] = SystemClock.monotonicNanoseconds
        try Feed.write(frame, to: peers[index].descriptor)
      }
    }
    let received = sink.take(withinMilliseconds: count == 1 ? 50 : 3000)
    // The processes tell the time of day, which is a constant away from ours.
    let offset = SystemClock.now.nanoseconds - SystemClock.monotonicNanoseconds
    var outcome = Outcome()
    for index in 0..<count {
      let arrival = received[index]
      if arrival.receivedAt > 0 {
        outcome.latencies.append(Double(arrival.receivedAt - sentAt[index]) / 1000)
        outcome.stages.append(
          (
            Double(arrival.scannedAt - offset - sentAt[index]) / 1000,
            Double(arrival.publishedAt - arrival.scannedAt) / 1000,
            Double(arrival.receivedAt + offset - arrival.publishedAt) / 1000
          ))
      } else {
        outcome.lost += 1
      }
    }
    return outcome
  }

  /// Writes straight to the socket, as the floor's feeder does; nothing else is written to it meanwhile.
  private static func write(_ frame: UnsafeRawBufferPointer, to descriptor: Int32) throws(SystemError) {
    var rest = frame
    while !rest.isEmpty {
      let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      if count > 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      } else if errno == EAGAIN {
        var item = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&item, 1, 100)
      } else if errno != EINTR {
        throw SystemError("send", code: errno)
      }
    }
  }

  /// The frame that `limits/e2e` sends: YES asks 0.48 and NO asks 0.49, in sizes that always change.
  private static func change(market: Int, frame: Int, time: Int64) -> String {
    let sizes = ["\(frame % 900 + 10).25", "\(frame % 700 + 10).50"]
    let hashes = ["56621a121a47ed9333273e21c83b660cff37ae50", "1895759e4df7a796bf4f1c5a5950b748306923e2"]
    let changes = (0..<2).map { outcome in
      "{\"asset_id\":\"\(BenchVenue.token(book: market * 2 + outcome))\",\"price\":\"0.\(48 + outcome)\","
        + "\"size\":\"\(sizes[outcome])\",\"side\":\"SELL\",\"hash\":\"\(hashes[outcome])\",\"best_bid\":\"0.46\","
        + "\"best_ask\":\"0.\(48 + outcome)\"}"
    }
    return "{\"market\":\"\(BenchVenue.condition(market: market))\",\"price_changes\":["
      + changes.joined(separator: ",") + "],\"timestamp\":\"\(time)\",\"event_type\":\"price_change\"}"
  }
}

/// The thread that receives opportunities and takes the time of each.
final class Sink: Sendable {
  /// What is known of an opportunity that came: when it did in monotonic nanoseconds, 0 where it did not, and when it was
  /// seen and published in nanoseconds since 1970.
  struct Arrival {
    var receivedAt: Int64 = 0
    var scannedAt: Int64 = 0
    var publishedAt: Int64 = 0
  }

  private struct State {
    var base: Int64 = 0
    var arrivals: [Arrival] = []
    var count = 0
    /// Is signalled when all have come.
    var isComplete = DispatchSemaphore(value: 0)
  }

  private let runDirectory: String
  private let state = Mutex(State())
  private let isStopping = Atomic(false)
  private let thread = Mutex<pthread_t?>(nil)

  init(runDirectory: String) { self.runDirectory = runDirectory }

  /// Awaits opportunities of these times.
  func expect(base: Int64, count: Int) {
    state.withLock { $0 = State(base: base, arrivals: Array(repeating: Arrival(), count: count), count: 0) }
  }

  /// What came of each, when all have come or the time is over.
  func take(withinMilliseconds limit: Int) -> [Arrival] {
    _ = state.withLock(\.isComplete).wait(timeout: .now() + .milliseconds(limit))
    return state.withLock(\.arrivals)
  }

  func start() {
    let context = Unmanaged.passRetained(self).toOpaque()
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Sink>.fromOpaque(context).takeRetainedValue().receive() }
        return nil
      }, context)
    precondition(code == 0, "pthread_create: \(code)")
    self.thread.withLock { $0 = thread }
  }

  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
  }

  /// Receives as the floor's sink does, with libzmq alone: what is measured ends where the message has come.
  private func receive() {
    guard let context = zmq_ctx_new() else { return }
    defer { zmq_ctx_term(context) }
    guard let socket = zmq_socket(context, ZMQ_SUB) else { return }
    defer { zmq_close(socket) }
    var timeout: Int32 = 100
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, MemoryLayout<Int32>.size)
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, Topic.opportunity, Topic.opportunity.utf8.count)
    zmq_connect(socket, BusEndpoint.ipc(name: "scanner", runDirectory: runDirectory))
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !isStopping.load(ordering: .relaxed) {
      let count = zmq_recv(socket, &buffer, buffer.count, 0)
      let now = SystemClock.monotonicNanoseconds
      guard count > 0, Int(count) <= buffer.count else { continue }
      buffer.withUnsafeBytes { note(UnsafeRawBufferPointer(rebasing: $0[..<Int(count)]), at: now) }
    }
  }

  private func note(_ message: UnsafeRawBufferPointer, at now: Int64) {
    guard let end = message.firstIndex(of: 0) else { return }
    var reader = MessagePackReader(UnsafeRawBufferPointer(rebasing: message[(end + 1)...]))
    // Epoch and sequence stand before the time of sending; in the opportunity, eight fields before the time of the scan and
    // that of the venue.
    guard (try? reader.array()) == 4, (try? reader.skip(2)) != nil, let sentAt = try? reader.unsigned(),
      (try? reader.array()) ?? 0 >= 10, (try? reader.skip(8)) != nil, let scannedAt = try? reader.integer(),
      let venueTime = try? reader.integer()
    else { return }
    state.withLock { state in
      let place = Int(venueTime / 1_000_000 - state.base)
      guard place >= 0, place < state.arrivals.count, state.arrivals[place].receivedAt == 0 else { return }
      state.arrivals[place] = Arrival(
        receivedAt: now, scannedAt: scannedAt, publishedAt: Int64(truncatingIfNeeded: sentAt))
      state.count += 1
      if state.count == state.arrivals.count { state.isComplete.signal() }
    }
  }
}
