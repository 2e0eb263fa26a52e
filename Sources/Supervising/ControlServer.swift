internal import Daemon

final class ControlServer {
  init(supervisor: Supervisor) throws {}
  var timeoutMilliseconds: Int32 { -1 }
  func process() {}
  func stop() {}
}
