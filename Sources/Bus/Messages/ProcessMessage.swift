public import Market

/// One process of the group, as the supervisor publishes it whenever it changes: the body of `process/NAME`.
public struct ProcessMessage: Hashable, Sendable {
  /// The process's name: its endpoint on the bus.
  public var name: String
  /// The group that it belongs to; its own name where it stands alone.
  public var group: String
  /// STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or STOPPED.
  public var state: String
  /// The process id; 0 where there is none.
  public var pid: Int32
  /// When it was last spawned.
  public var startedAt: Timestamp
  /// How often it was started again since the supervisor began.
  public var restarts: Int
  /// Whether it said that it is ready.
  public var isReady: Bool
  /// How it last ended; nil where it never did.
  public var exitStatus: Int?
  /// For people.
  public var description: String
  /// The section of the configuration that it comes from.
  public var program: String
  /// When it last ended; nil where it never did.
  public var endedAt: Timestamp?
  /// The signal that last ended it; nil where it ended otherwise or never.
  public var exitSignal: Int?
  /// Starts that failed in a row.
  public var failures: Int
  /// What it said of itself, by `STATUS=`.
  public var status: String
  /// What must be ready before it starts; empty where it does not wait.
  public var waitsFor: [String]

  /// A process by its parts.
  public init(
    name: String, group: String, state: String, pid: Int32, startedAt: Timestamp, restarts: Int, isReady: Bool,
    exitStatus: Int?, description: String, program: String = "", endedAt: Timestamp? = nil, exitSignal: Int? = nil,
    failures: Int = 0, status: String = "", waitsFor: [String] = []
  ) {
    self.name = name
    self.group = group
    self.state = state
    self.pid = pid
    self.startedAt = startedAt
    self.restarts = restarts
    self.isReady = isReady
    self.exitStatus = exitStatus
    self.description = description
    self.program = program.isEmpty ? group : program
    self.endedAt = endedAt
    self.exitSignal = exitSignal
    self.failures = failures
    self.status = status
    self.waitsFor = waitsFor
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(15)
    writer.text(name)
    writer.text(group)
    writer.text(state)
    writer.integer(Int64(pid))
    writer.integer(startedAt.nanoseconds)
    writer.integer(Int64(restarts))
    writer.boolean(isReady)
    writeOptional(exitStatus.map(Int64.init), writer)
    writer.text(description)
    writer.text(program)
    writeOptional(endedAt?.nanoseconds, writer)
    writeOptional(exitSignal.map(Int64.init), writer)
    writer.integer(Int64(failures))
    writer.text(status)
    writer.array(waitsFor.count)
    for name in waitsFor { writer.text(name) }
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no process.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 15)
    name = try reader.text()
    group = try reader.text()
    state = try reader.text()
    pid = Int32(try reader.integer(in: 0...Int64(Int32.max), "pid"))
    startedAt = try reader.time()
    restarts = Int(try reader.integer())
    isReady = try reader.boolean()
    exitStatus = try readOptional(&reader).map { Int($0) }
    description = try reader.text()
    program = try reader.text()
    endedAt = try readOptional(&reader).map { Timestamp(nanoseconds: $0) }
    exitSignal = try readOptional(&reader).map { Int($0) }
    failures = Int(try reader.integer())
    status = try reader.text()
    waitsFor = []
    for _ in 0..<(try reader.array()) { waitsFor.append(try reader.text()) }
    try reader.skip(fields - 15)
  }
}
