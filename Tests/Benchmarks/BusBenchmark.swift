import Bus
import Daemon
import Glibc
import Market

/// `bus.*`: our publisher and subscriber in two processes, one book change a message; the floor is libzmq with frames
/// of the same size.
enum BusBenchmark {
  static let names = ["bus.throughput", "bus.latency.p50", "bus.latency.p99"]
  static let publisherMode = "--bus-publisher"
  static let subscriberMode = "--bus-subscriber"
  private static let topic = "\(Topic.book)polymarket/ingestor-polymarket"

  static func run(_ bench: Bench) throws -> [Figure] {
    let batch = BookBatch()
    write(1, batch)
    // The topic, a zero byte, the head of 28 bytes, and the count of items before the item.
    let bytes = topic.utf8.count + 1 + 28 + 1 + batch.byteCount
    var ours: [[Double]] = [[], [], []]
    var floor: [[Double]] = [[], [], []]
    for repetition in 0..<bench.repetitions {
      let modes = [(rate: 0, count: 1_000_000), (rate: 1000, count: 1000)]
      for (rate, count) in modes where bench.wants(anyOf: rate == 0 ? [names[0]] : [names[1], names[2]]) {
        let keys = rate == 0 ? ["throughput"] : ["latency p50", "latency p99"]
        let place = rate == 0 ? 0 : 1
        if let results = pair(bench, rate: rate, count: count, repetition) {
          for (index, key) in keys.enumerated() { results[key].map { ours[place + index].append($0) } }
        }
        if let results = floorPair(bench, bytes: bytes, rate: rate, count: count, repetition) {
          for (index, key) in keys.enumerated() { results[key].map { floor[place + index].append($0) } }
        }
      }
    }
    let units = ["msg/s", "us", "us"]
    return names.indices.filter { bench.wants(names[$0]) && !ours[$0].isEmpty }.map { place in
      Figure(
        names[place], units[place], better: place == 0 ? .higher : .lower, ours: ours[place], floor: floor[place],
        note: "\(bytes) bytes\(place == 0 ? ", flat out" : ", 1,000 msg/s"); floor libzmq, one frame")
    }
  }

  private static func write(_ book: UInt32, _ batch: BookBatch) {
    batch.beginChange(book: 40_000 + book % 10_000, venueTime: SystemClock.now, receivedAt: SystemClock.now)
    batch.change(side: .ask, price: Price(raw: 48_000_000), quantity: Quantity(raw: 123_450_000_000))
    batch.endChange()
  }

  // MARK: - Two processes

  private static func pair(_ bench: Bench, rate: Int, count: Int, _ repetition: Int) -> [String: Double]? {
    let run = "\(bench.directory)/bus\(rate)-\(repetition)"
    let arguments = [run, "\(rate)", "\(count)"]
    guard let publisher = try? Child([Bench.executable, publisherMode] + arguments, captures: false),
      let subscriber = try? Child([Bench.executable, subscriberMode] + arguments)
    else { return nil }
    defer { publisher.kill() }
    let (text, isGood) = subscriber.finish(seconds: 60)
    guard isGood else {
      bench.remark("bus subscriber failed: \(text)")
      return nil
    }
    return Floors.parse(text)
  }

  private static func floorPair(
    _ bench: Bench, bytes: Int, rate: Int, count: Int, _ repetition: Int
  ) -> [String: Double]? {
    guard let program = bench.floors.program("zmqbench") else { return nil }
    let endpoint = "ipc://\(bench.directory)/floor\(rate)-\(repetition)"
    let arguments = [endpoint, endpoint + ".sync", "\(bytes)", "1", "\(rate)", "\(count)"]
    guard let publisher = try? Child([program, "pub"] + arguments, captures: false) else { return nil }
    defer { publisher.kill() }
    return bench.floors.results("zmqbench", ["sub"] + arguments)
  }

  /// The publisher's process: waits for the subscriber, sends, and stays until it is ended.
  static func publish(_ arguments: [String]) throws {
    let rate = Int64(arguments[1]) ?? 0
    let count = Int64(arguments[2]) ?? 0
    tightTimers()
    let publisher = try Publisher(name: "bench", runDirectory: arguments[0], highWaterMark: 0)
    let handle = publisher.topic(topic)
    let poller = Poller()
    poller.add(publisher)
    var isJoined = false
    while !isJoined {
      poller.wait(timeoutMilliseconds: 1000)
      publisher.processSubscriptions { _ in isJoined = true }
    }
    let batch = BookBatch()
    let start = SystemClock.monotonicNanoseconds
    for index in 0..<count {
      if rate > 0 { sleepUntil(start + index * 1_000_000_000 / rate) }
      write(UInt32(truncatingIfNeeded: index), batch)
      batch.publish(on: publisher, handle)
    }
    while true { pause() }
  }

  /// The subscriber's process: prints what it measured.
  static func subscribe(_ arguments: [String]) throws {
    let rate = Int(arguments[1]) ?? 0
    let count = Int(arguments[2]) ?? 0
    let subscriber = try Subscriber(name: "bench", topics: [Topic.book], highWaterMark: 0)
    try subscriber.connect(BusEndpoint.ipc(name: "bench", runDirectory: arguments[0]))
    let poller = Poller()
    poller.add(subscriber)
    var latencies: [Double] = []
    latencies.reserveCapacity(count)
    var received = 0
    var first: Int64 = 0
    var last: Int64 = 0
    while received < count {
      guard poller.wait(timeoutMilliseconds: 5000) > 0 else { break }
      subscriber.receive { event in
        guard case .message(_, false, let sentAt, _) = event else { return }
        if rate > 0 { latencies.append(Double(SystemClock.now.nanoseconds - sentAt.nanoseconds) / 1000) }
        received += 1
        if received == 1 { first = SystemClock.monotonicNanoseconds }
        if received == count { last = SystemClock.monotonicNanoseconds }
      }
    }
    guard received == count, subscriber.missedCount == 0 else {
      print("\(received) of \(count) messages came, \(subscriber.missedCount) were missed")
      exit(1)
    }
    print("R\tthroughput\t\(Double(count - 1) * 1e9 / Double(max(1, last - first)))\tmsg/s")
    guard rate > 0 else { return }
    print("R\tlatency p50\t\(percentile(latencies, 0.5))\tus")
    print("R\tlatency p99\t\(percentile(latencies, 0.99))\tus")
  }
}
