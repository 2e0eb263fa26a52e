internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the doctor looks at on this machine.
struct DoctorHost {
  private let context: ToolContext

  /// With less room than this, journal and ledger are in danger.
  private static let freeBytesMin: UInt64 = 200 << 20
  /// With less room than this, somebody should look.
  private static let freeBytesLow: UInt64 = 2 << 30

  init(_ context: ToolContext) { self.context = context }

  func check(_ report: inout DoctorReport) {
    checkConfiguration(&report)
    for (name, path) in [("run_dir", context.runDirectory), ("data_dir", context.dataDirectory)] {
      checkDirectory(name, path, &report)
    }
    checkDisk(&report)
    checkSockets(&report)
  }

  private func checkConfiguration(_ report: inout DoctorReport) {
    let path = context.settings.path
    do throws(ConfigurationError) {
      try context.settings.checkDatabase()
      report.add("configuration", path, .ok, "mode \(context.settings.text("bulkhead", "mode"))")
    } catch {
      report.add("configuration", path, .failed, "\(error)", field: error.key)
    }
  }

  /// Writes a file there and takes it away again; a directory that is missing is made by the first process.
  private func checkDirectory(_ name: String, _ path: String, _ report: inout DoctorReport) {
    var place = path
    while access(place, F_OK) != 0, place.count > 1 { place = FilePaths.directory(of: place) }
    let isMissing = place != path
    let probe = place + "/.doctor-\(getpid())"
    let descriptor = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      return report.add("directory", path, .failed, "\(name) is not writable: \(String(cString: strerror(errno)))")
    }
    close(descriptor)
    unlink(probe)
    report.add("directory", path, .ok, isMissing ? "\(name) will be made" : "\(name) is writable")
  }

  private func checkDisk(_ report: inout DoctorReport) {
    var place = context.dataDirectory
    while access(place, F_OK) != 0, place.count > 1 { place = FilePaths.directory(of: place) }
    var status = statvfs()
    guard statvfs(place, &status) == 0 else {
      return report.add("disk", place, .failed, "cannot be asked: \(String(cString: strerror(errno)))")
    }
    let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
    let text = "\(free >> 20) MiB free"
    let verdict: DoctorReport.Verdict =
      free < Self.freeBytesMin ? .failed : free < Self.freeBytesLow ? .note : .ok
    report.add("disk", place, verdict, text)
  }

  /// Every running process that has bound its endpoint must answer there, and so must the supervisor.
  private func checkSockets(_ report: inout DoctorReport) {
    guard context.supervisor.isThere else {
      return report.add("socket", context.supervisor.socketPath, .note, "nothing is running")
    }
    let processes: [ProcessRow]
    do { processes = try context.supervisor.processes() } catch {
      return report.add("socket", context.supervisor.socketPath, .failed, "\(error)")
    }
    let running = processes.filter { $0.state == "RUNNING" }
    report.add(
      "socket", context.supervisor.socketPath, running.count == processes.count ? .ok : .note,
      "\(running.count) of \(processes.count) processes run")
    for process in running {
      let path = context.runDirectory + "/bus/" + process.name
      // Programs that are not ours have none.
      guard access(path, F_OK) == 0 else { continue }
      let answers = isListening(path)
      report.add(
        "socket", process.name, answers ? .ok : .failed,
        answers ? "listens on the bus" : "runs, and does not listen at \(path)")
    }
  }
}
