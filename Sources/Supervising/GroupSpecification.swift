/// A group of processes: of a section of its own, of `[group:x]`, or of a pool of event listeners.
public struct GroupSpecification: Hashable, Sendable {
  /// What the processes have in common.
  public enum Kind: Hashable, Sendable {
    /// Programs.
    case programs
    /// Event listeners, which share the events of a pool.
    case eventListeners(EventPoolSpecification)
    /// Programs that share a listening socket.
    case fastCGI(SharedSocketSpecification)
  }

  /// The name.
  public let name: String
  /// Groups of a lower number start first and stop last.
  public let priority: Int
  /// What the processes have in common.
  public let kind: Kind
  /// The processes, in the order of starting; none where the programs have none.
  public internal(set) var processes: [ProcessSpecification]
}

/// What a pool of event listeners hears.
public struct EventPoolSpecification: Hashable, Sendable {
  /// How many events wait for a listener; the oldest is dropped for one more.
  public let bufferMax: Int
  /// The kinds of events.
  public let events: Set<EventKind>

  /// A pool by its parts.
  public init(bufferMax: Int, events: Set<EventKind>) {
    self.bufferMax = bufferMax
    self.events = events
  }
}

/// The listening socket of `[fcgi-program:x]`: the supervisor makes it, the children inherit it as descriptor 0.
public struct SharedSocketSpecification: Hashable, Sendable {
  /// Where it listens.
  public enum Address: Hashable, Sendable {
    /// A socket file.
    case unix(path: String, mode: Int, owner: Owner?)
    /// A port of an address or a host's name.
    case tcp(host: String, port: UInt16)
  }

  /// Who owns the socket file.
  public struct Owner: Hashable, Sendable {
    /// The user.
    public let uid: UInt32
    /// The group; nil: it stays as it is.
    public let gid: UInt32?
  }

  /// Where it listens.
  public let address: Address
  /// How many connections wait; nil: the most that the system allows.
  public let backlog: Int?
}
