internal import Daemon
internal import Market

/// What the shell keeps for each process.
struct RowState {
  let streams: ProcessStreams
  var child: Child?
  var tokens: [EventLoop.Token] = []
  /// The pid of the process that is just ending: its group may still be signalled.
  var endingPid: Int32?
  var startedAt: Timestamp?
  var endedAt: Timestamp?
  var status = ""
}
