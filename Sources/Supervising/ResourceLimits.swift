/// What a process may use; set before its program runs.
public struct ResourceLimits: Hashable, Sendable {
  /// Whether the process gets a control group of its own.
  public enum ControlGroupUse: String, Hashable, Sendable {
    /// Where a limit needs one and one can be had; else the limit is kept by simpler means.
    case auto
    /// Always; where none can be had, the process cannot be started.
    case on
    /// Never.
    case off
  }

  /// How much memory it gets, in bytes; 0: as much as there is.
  ///
  /// Kept by a control group for the process and all its descendants, else by `RLIMIT_DATA` for each of them.
  public var memoryMax = 0
  /// How many descriptors it may have; 0: as many as the supervisor. `RLIMIT_NOFILE`
  public var openFilesMax = 0
  /// The processors that it may run on; empty: all. `sched_setaffinity`
  public var cpus: [Int] = []
  /// Its niceness, −20 to 19; 0: that of the supervisor. `setpriority`
  public var nice = 0
  /// Whether it gets a control group of its own.
  public var controlGroup = ControlGroupUse.auto

  /// No limits.
  public init() {}

  /// Whether there is nothing to set.
  public var isEmpty: Bool {
    memoryMax == 0 && openFilesMax == 0 && cpus.isEmpty && nice == 0 && controlGroup != .on
  }

  /// The highest number of a processor.
  static let cpuMax = 8191

  /// Reads processors as the kernel writes them: `0,2-3`; nil where that is not understood.
  package static func cpus(_ text: String) -> [Int]? {
    var result: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
        Int($0.drop { $0 == " " }.prefix { $0 != " " })
      }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
        first >= 0, last <= cpuMax
      else { return nil }
      result.formUnion(first...last)
    }
    return result.sorted()
  }
}
