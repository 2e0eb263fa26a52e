internal import Daemon
internal import Market

/// What the shell keeps for each process.
final class RowState {
  let streams: ProcessStreams
  /// What it is spawned with; nil until it is first spawned, and where that has changed since.
  var order: SpawnOrder?
  var child: Child?
  var tokens: [EventLoop.Token] = []
  /// The pid of the process that is just ending: its group may still be signalled.
  var endingPid: Int32?
  var controlGroup: ControlGroup?
  /// Whether the process was sent SIGKILL by us.
  var wasKilled = false
  /// What the kernel had against the process that ended last; empty where it had nothing.
  var endNote = ""
  /// Whether that was not our child.
  var isEndingStranger = false
  /// When the process began, as the kernel counts; 0 until somebody asked.
  var startTicks: UInt64 = 0
  /// What the process was spawned with; empty until somebody asked.
  var fingerprint = ""
  var startedAt: Timestamp?
  var endedAt: Timestamp?
  var status = ""

  init(streams: ProcessStreams) { self.streams = streams }
}
