internal import Bus
public import Daemon
internal import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// The dashboard's process: what the bus tells, served to browsers, scripts and Prometheus.
///
/// `run` returns when the process is told to stop.
public final class DashboardService {
  private let context: WorkerContext
  private let options: DashboardOptions
  private let publisher: Publisher
  /// Everybody but the ingestors, with their state.
  private let subscriber: Subscriber
  /// The ingestors' counters: the state that they would send is every book that there is.
  private let counters: Subscriber
  private let directory: Directory
  private let control: ProcessControl
  private let healthTopic: TopicHandle
  private var server: HTTPServer?
  private var state: DashboardState
  private var desk: DashboardDesk
  private var ingestors: Set<String> = []
  private var requestCount: Int64 = 0
  private var refusedCount: Int64 = 0
  private var controlCount: Int64 = 0

  /// Binds its endpoint, subscribes, and makes the token.
  ///
  /// - Throws: `ConfigurationError` where the settings are wrong, `BusError` or `SystemError` where it cannot start.
  public init(context: WorkerContext) throws {
    self.context = context
    options = try DashboardOptions(settings: context.settings)
    let (settings, name) = (context.settings, context.name)
    let highWaterMark = settings.integer("bus", "high_water_mark_messages")
    let reconnect = settings.integer("bus", "reconnect_ms")
    publisher = try Publisher(name: name, runDirectory: context.runDirectory, highWaterMark: highWaterMark)
    healthTopic = publisher.topic(Topic.health + name)
    subscriber = try Subscriber(
      name: name,
      topics: [
        Topic.process, Topic.alert, Topic.health, Topic.opportunity, Topic.order, Topic.fill, Topic.position,
        Topic.settlement,
        Topic.profit,
      ], highWaterMark: highWaterMark, reconnectMilliseconds: reconnect)
    counters = try Subscriber(
      name: name, topics: [Topic.health, Topic.venue], wantsSnapshot: false, highWaterMark: highWaterMark,
      reconnectMilliseconds: reconnect)
    let fixed = settings.list("bus", "publishers")
    directory = try Directory(subscriber: subscriber, runDirectory: context.runDirectory, fixed: fixed) {
      $0 != name && !Self.isIngestor($0)
    }
    control = ProcessControl(runDirectory: context.runDirectory)
    state = DashboardState(startedAt: SystemClock.now)
    desk = DashboardDesk(
      access: DashboardAccess(token: try options.takeToken(runDirectory: context.runDirectory), hosts: options.hosts),
      name: name)
    for name in fixed where Self.isIngestor(name) { connectIngestor(name) }
  }

  private static func isIngestor(_ name: String) -> Bool { name.hasPrefix("ingestor") }

  /// Serves until told to stop.
  ///
  /// - Throws: `SystemError` where it cannot listen.
  public func run() throws {
    let server = try HTTPServer(
      listen: .tcp(host: options.host, port: options.port),
      options: HTTPServerOptions(connectionsMax: 64, bodyBytesMax: 64 << 10)
    ) { [unowned self] in reply(to: $0) }
    self.server = server
    defer { server.stop() }
    let address = options.address(port: server.port)
    let path = context.runDirectory + "/dashboard.address"
    try writeFileAtomically(Array((address + "\n").utf8), to: path)
    Log.info("dashboard listens", ["address": address, "token": "see `bulkhead dashboard`"])
    if !options.isLoopback { Log.warning("whoever is on the way can read what is served", ["address": address]) }
    context.notifyReady(status: "http://\(address)")
    loop(server)
    context.notify("STOPPING=1")
    // Only ours: another dashboard may have taken over.
    if let written = try? readFile(path, sizeMax: 1024), written == Array((address + "\n").utf8) { unlink(path) }
  }

  private func loop(_ server: HTTPServer) {
    let poller = Poller()
    let stop = poller.add(descriptor: context.stopDescriptor)
    let subscriptions = poller.add(publisher)
    poller.add(subscriber)
    poller.add(counters)
    poller.add(descriptor: server.descriptor)
    var nextHealth = SystemClock.monotonicNanoseconds
    while true {
      let untilHealth = max(0, Int((nextHealth - SystemClock.monotonicNanoseconds + 999_999) / 1_000_000))
      let timeout = Int(server.timeoutMilliseconds)
      poller.wait(timeoutMilliseconds: timeout < 0 ? untilHealth : min(timeout, untilHealth))
      if poller.isReady(stop), context.takeStop() { return }
      if poller.isReady(subscriptions) { publisher.processSubscriptions { publisher.endSnapshot($0) } }
      // A flood must not keep the loop from its clients.
      subscriber.receive(limit: 4096) { handle($0, subscriber) }
      counters.receive(limit: 4096) { handle($0, counters) }
      server.process()
      let now = SystemClock.monotonicNanoseconds
      if now >= nextHealth {
        nextHealth = now + 1_000_000_000
        publishHealth()
      }
    }
  }

  private func handle(_ event: BusEvent, _ subscriber: Subscriber) {
    switch event {
    case .message(let stream, _, _, var body):
      let topic = subscriber.topic(of: stream)
      if topic.hasPrefix(Topic.process) { follow(event) }
      state.take(topic: topic, epoch: subscriber.epoch(of: stream), body: &body, now: SystemClock.now)
    case .gap(let stream, let missed):
      state.miss(missed)
      Log.warning("messages are missing", ["topic": subscriber.topic(of: stream), "missed": "\(missed)"])
    case .restarted, .snapshotEnd: break
    }
  }

  /// Listens to whom the supervisor announces.
  private func follow(_ event: BusEvent) {
    directory.handle(event)
    guard case .message(_, _, _, var body) = event, let process = try? ProcessMessage(&body),
      Self.isIngestor(process.name)
    else { return }
    if process.state == "REMOVED" {
      ingestors.remove(process.name)
      counters.disconnect(BusEndpoint.ipc(name: process.name, runDirectory: context.runDirectory))
    } else {
      connectIngestor(process.name)
    }
  }

  private func connectIngestor(_ name: String) {
    guard ingestors.insert(name).inserted else { return }
    do {
      try counters.connect(BusEndpoint.ipc(name: name, runDirectory: context.runDirectory))
    } catch {
      ingestors.remove(name)
      Log.warning("cannot connect to a publisher", ["publisher": name, "error": "\(error)"])
    }
  }

  private func reply(to request: HTTPServerRequest) -> HTTPServerReply {
    requestCount += 1
    switch desk.answer(request, state, now: SystemClock.now) {
    case .response(let response):
      if response.status == 401 || response.status == 403 { refusedCount += 1 }
      return .response(response)
    case .control(let verb, let process):
      controlCount += 1
      Log.info("somebody wants something of a process", ["verb": verb.rawValue, "process": process])
      return .deferred(control.perform(verb, process))
    }
  }

  private func publishHealth() {
    let message = HealthMessage(
      name: context.name,
      counters: [
        "messages_received": Int64(subscriber.receivedCount + counters.receivedCount),
        "messages_missed": Int64(subscriber.missedCount + counters.missedCount),
        "messages_malformed": Int64(subscriber.malformedCount + counters.malformedCount + state.malformedCount),
        "requests": requestCount, "requests_refused": refusedCount, "controls": controlCount,
        "connections": Int64(server?.connectionCount ?? 0),
      ])
    publisher.publish(healthTopic) { message.encode($0) }
    state.add(message, epoch: publisher.epoch, now: SystemClock.now)
    context.readiness.watchdog()
  }
}
