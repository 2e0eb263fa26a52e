internal import Daemon

/// Keeps a subscriber connected to everybody who is there.
///
/// The supervisor publishes the process table (last value on join); each process of it binds an endpoint of its own
/// name. A process that is restarted keeps its endpoint, so only scaling changes anything here. Without our supervisor
/// a fixed list of names serves.
public final class Directory {
  private let runDirectory: String
  private let subscriber: Subscriber
  private let isWanted: (String) -> Bool
  private var known: Set<String> = []

  /// Connects to the supervisor and to the names of a fixed list.
  ///
  /// - Parameters:
  ///   - subscriber: whose connections are kept; it must subscribe to `process/`.
  ///   - runDirectory: the group's run directory.
  ///   - fixed: names that are there without being announced.
  ///   - isWanted: whether a process of this name is listened to.
  /// - Throws: `BusError`.
  public init(
    subscriber: Subscriber, runDirectory: String, fixed: [String], isWanted: @escaping (String) -> Bool
  ) throws(BusError) {
    self.subscriber = subscriber
    self.runDirectory = runDirectory
    self.isWanted = isWanted
    try subscriber.connect(BusEndpoint.ipc(name: "supervisor", runDirectory: runDirectory))
    for name in fixed { connect(name) }
  }

  /// Looks at one event; those that are not of the process table are left alone.
  ///
  /// - Returns: the process that is gone for good, where the event says so; its endpoint is left.
  @discardableResult public func handle(_ event: BusEvent) -> String? {
    guard case .message(let stream, _, _, var reader) = event else { return nil }
    guard subscriber.topic(of: stream).hasPrefix(Topic.process) else { return nil }
    guard let process = try? ProcessMessage(&reader), isWanted(process.name) else { return nil }
    guard process.state == "REMOVED" else {
      connect(process.name)
      return nil
    }
    known.remove(process.name)
    subscriber.disconnect(BusEndpoint.ipc(name: process.name, runDirectory: runDirectory))
    return process.name
  }

  private func connect(_ name: String) {
    guard isWanted(name), known.insert(name).inserted else { return }
    do {
      try subscriber.connect(BusEndpoint.ipc(name: name, runDirectory: runDirectory))
    } catch {
      known.remove(name)
      Log.warning("cannot connect to a publisher", ["publisher": name, "error": "\(error)"])
    }
  }
}
