internal import Bus
public import Daemon
internal import Market
internal import Venues
internal import Web

/// Runs the scanner until it is told to stop; with `once --report FILE` as its first arguments, makes one pass over REST
/// and writes a `ScanReport` to the file.
///
/// - Parameter context: the process.
/// - Throws: `ConfigurationError` where the command line or a setting is wrong; otherwise what the service throws.
public func runScanner(_ context: WorkerContext) throws {
  guard let first = context.arguments.first else { return try ScanningService(context: context).run() }
  guard first == "once" else {
    throw ConfigurationError(file: "command line", problem: "expected once or nothing, found \"\(first)\"")
  }
  let request = try OnePass.Request(Array(context.arguments.dropFirst()))
  let transport = VenueTransport(HTTPClient())
  let settings = context.settings
  let sources: [any MarketSource & BookSource] = [
    PolymarketREST(settings: settings, runDirectory: context.runDirectory, transport: transport),
    KalshiREST(settings: settings, runDirectory: context.runDirectory, transport: transport),
  ]
  let options = try ScannerOptions(settings: settings)
  var pairFiles = PairFiles(settings: settings)
  let pairs = pairFiles.changed() ?? []
  let done = try Mailbox<ScanReport>()
  Task {
    var pass = OnePass(options: options, pairs: pairs)
    done.post(await pass.run(request, sources))
  }
  let poller = Poller()
  let stop = poller.add(descriptor: context.stopDescriptor)
  poller.add(descriptor: done.descriptor)
  while true {
    poller.wait(timeoutMilliseconds: 1000)
    if poller.isReady(stop), context.takeStop() { return }
    guard let report = done.take().first else { continue }
    let writer = MessagePackWriter(capacity: 1 << 16)
    report.encode(writer)
    return try writeFileAtomically(Array(writer.written), to: request.report, mode: 0o600)
  }
}
