internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

/// What every ingestor's service is built around: the bus, the letters of other threads, and what the poll loop waits for.
final class IngestingLoop<Letter: Sendable> {
  let context: WorkerContext
  let venue: Venue
  let publisher: Publisher
  let healthTopic: TopicHandle
  let venueTopic: TopicHandle
  let mailbox: Mailbox<Letter>
  let shards: ShardFollower
  let poller = Poller()
  /// When the process began, in monotonic nanoseconds.
  let startedAt = SystemClock.monotonicNanoseconds
  /// Whether a stream was opened or closed since the last wait.
  var pollSetChanged = true
  /// Which stream waits at each place of the poller; −1 where none does.
  var streamAtPlace: [Int] = []
  /// Streams that have more for us than the last read took, whatever the poller says.
  var unfinished: [Int] = []
  var random = SystemRandomNumberGenerator()
  /// Whether the venue takes orders.
  var watch: VenueWatch
  let probeEnd = ProbeEnd()
  let shapeWatch = ShapeWatch()
  /// Until when the venue asks us to open no stream, in monotonic nanoseconds.
  var streamsHeldUntil: Int64 = 0
  /// How often streams have failed, by what stood in the way.
  var streamFailures: [String: Int64] = [:]

  /// Binds the process's endpoint, and connects to the supervisor.
  ///
  /// - Throws: `ConfigurationError`, `BusError` or `SystemError`.
  init(context: WorkerContext, venue: Venue) throws {
    self.context = context
    self.venue = venue
    shards = try ShardFollower(context: context)
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: context.settings.integer("bus", "high_water_mark_messages"))
    healthTopic = publisher.topic(Topic.health + context.name)
    venueTopic = publisher.topic("\(Topic.venue)\(venue.rawValue)/\(context.name)")
    watch = VenueWatch(
      probeNanoseconds: Int64(context.settings.integer("bulkhead", "venue_status_s")) * 1_000_000_000,
      now: SystemClock.now)
    mailbox = try Mailbox()
  }

  /// A topic of this process: the kind with venue and name behind it.
  func topic(_ kind: String) -> TopicHandle { publisher.topic("\(kind)\(venue.rawValue)/\(context.name)") }
}

/// One stream of a service, with what it watches.
protocol IngestingConnection {
  var stream: StreamConnection { get set }
  /// Whether it watches nothing, so that it is not to be opened.
  var isUnused: Bool { get }
}

/// An ingestor's service: one loop owns its streams and its publisher; REST requests and connection attempts run
/// elsewhere and post their results.
///
/// The frame is here, for all venues: the loop, the streams' lives (`IngestingService+Streams.swift`) and the health. What
/// a venue does its own way is what the protocol asks for.
protocol IngestingService: AnyObject, SendableMetatype {
  associatedtype Letter: Sendable
  associatedtype Connection: IngestingConnection

  var loop: IngestingLoop<Letter> { get }
  var connections: [Connection] { get set }
  /// A stream without any frame for so long is dead.
  var silenceNanoseconds: Int64 { get }
  /// How many attempts to connect are under way at once.
  var attemptsMax: Int { get }
  /// Whether it has told what it watches: before that, nothing is known of the venue.
  var isReady: Bool { get }
  /// Who can be asked whether the venue takes orders; nil where nobody can.
  var statusSource: (any StatusSource)? { get }
  /// One line for people.
  var statusText: String { get }
  /// How many markets or symbols are this shard's, as logs name them.
  var holding: (name: String, count: Int) { get }

  func take(_ letter: Letter)
  /// Follows a new plan of the supervisor.
  func follow(_ plan: ShardPlan)
  /// Sends the state to whoever has just joined, now or in parts.
  func welcome(_ request: SnapshotRequest)
  /// Goes on with what is done in parts, one in each turn of the loop.
  /// - Returns: whether there is more.
  func continueWork() -> Bool
  /// Everything that is done by the clock, ten times a second.
  func tick(_ now: Int64)
  /// The loop has ended: what waits is to be brought to its end.
  func stopped()

  /// Where a stream is, and what its handshake carries.
  func handshake(_ index: Int) throws(VenueError) -> (url: String, headers: HTTPHeaders)
  static func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) -> Letter
  /// A stream is open: its subscriptions are to be sent.
  func opened(_ index: Int, _ now: Int64)
  /// A stream was closed, by whomever.
  func closed(_ index: Int)
  /// What an open stream wants by the clock.
  func keep(_ index: Int, _ now: Int64)
  /// Takes what has arrived on a stream, and publishes it.
  func drain(_ index: Int)
}

extension IngestingService {
  var context: WorkerContext { loop.context }
  var venue: Venue { loop.venue }
  var publisher: Publisher { loop.publisher }
  var mailbox: Mailbox<Letter> { loop.mailbox }
  var shards: ShardFollower { loop.shards }

  func continueWork() -> Bool { false }
  func stopped() {}
  var statusSource: (any StatusSource)? { nil }

  /// Ingests until told to stop.
  func runLoop() {
    var nextTick = SystemClock.monotonicNanoseconds
    var hasMore = false
    while true {
      rebuildPollSet()
      let now = SystemClock.monotonicNanoseconds
      let isIdle = !hasMore && loop.unfinished.isEmpty
      loop.poller.wait(timeoutMilliseconds: isIdle ? Int(max(0, (nextTick - now + 999_999) / 1_000_000)) : 0)
      if loop.poller.isReady(0), context.takeStop() { break }
      if loop.poller.isReady(1) { publisher.processSubscriptions { welcome($0) } }
      if loop.poller.isReady(2) { for letter in mailbox.take() { take(letter) } }
      if loop.poller.isReady(3), shards.receive() { follow(shards.plan) }
      drainReady()
      hasMore = continueWork()
      let after = SystemClock.monotonicNanoseconds
      guard after >= nextTick else { continue }
      nextTick = after + 100_000_000
      tick(after)
      watchVenue(after)
    }
    context.notify("STOPPING=1")
    for connection in connections { connection.stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "") }
    stopped()
  }

  /// Takes what has arrived on the streams that have something.
  private func drainReady() {
    var rest = loop.unfinished
    loop.unfinished.removeAll(keepingCapacity: true)
    for place in loop.poller.readyPlaces where loop.streamAtPlace[place] >= 0 {
      let index = loop.streamAtPlace[place]
      rest.removeAll { $0 == index }
      // It may have been closed in this very turn.
      if connections[index].stream.place == place { drainOnce(index) }
    }
    for index in rest { drainOnce(index) }
  }

  /// Takes what has arrived on one stream, and notes whether there is more.
  func drainOnce(_ index: Int) {
    drain(index)
    guard connections[index].stream.peer?.hasBufferedInput == true, !loop.unfinished.contains(index) else { return }
    loop.unfinished.append(index)
  }

  private func rebuildPollSet() {
    guard loop.pollSetChanged else { return }
    loop.pollSetChanged = false
    let poller = loop.poller
    poller.removeAll()
    poller.add(descriptor: context.stopDescriptor)
    poller.add(publisher)
    poller.add(descriptor: mailbox.descriptor)
    let last = poller.add(shards.subscriber)
    loop.streamAtPlace = [Int](repeating: -1, count: last + 1)
    for index in connections.indices {
      guard let peer = connections[index].stream.peer, !peer.isClosed else {
        connections[index].stream.place = -1
        continue
      }
      connections[index].stream.place = poller.add(descriptor: peer.descriptor, writable: peer.wantsWrite)
      loop.streamAtPlace.append(index)
    }
  }

  // MARK: - What is told of it

  /// Says that the process lives, and what it has counted: the venue's own beside what all ingestors count.
  func publishHealth(_ own: [String: Int64]) {
    context.readiness.watchdog()
    var values = own.merging(RequestFailures.values(venue, prefix: "request_failures_")) { $1 }
    values.merge(RequestBreakers.values(venue)) { $1 }
    values.merge(loop.shapeWatch.health) { $1 }
    for (name, count) in loop.streamFailures { values["stream_failures_" + name] = count }
    values["venue_state"] = Int64(loop.watch.state.rawValue)
    values["connections"] = Int64(connections.count)
    values["connections_open"] = Int64(connections.count { $0.stream.state == .open })
    values["reconnections"] = Int64(connections.reduce(0) { $0 + max(0, $1.stream.openCount - 1) })
    values["messages_published"] = Int64(publisher.sentCount)
    values["snapshot_requests"] = Int64(publisher.snapshotRequestCount)
    values["shard"] = Int64(shards.shard)
    values["shards"] = Int64(shards.plan.count)
    values["hand_over_ms"] = shards.lastHandOverNanoseconds / 1_000_000
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(loop.healthTopic) { message.encode($0) }
  }

  /// Says what a new plan has moved.
  func logPlan(taken: String, dropped: String) {
    Log.info(
      "shard plan",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)", "from": "\(shards.plan.previousCount)",
        "to": "\(shards.plan.count)", "taken": taken, "dropped": dropped, holding.name: "\(holding.count)",
      ])
  }

  /// Tells the supervisor that this shard has all that the plan gives it, and nothing else.
  func confirm(_ now: Int64) {
    guard shards.confirm(now, status: statusText), shards.plan.generation > 0 else { return }
    Log.info(
      "shard plan is done",
      [
        "phase": shards.plan.phase.name, "shard": "\(shards.shard)/\(shards.plan.count)",
        holding.name: "\(holding.count)", "ms": "\(shards.lastHandOverNanoseconds / 1_000_000)",
      ])
  }
}
