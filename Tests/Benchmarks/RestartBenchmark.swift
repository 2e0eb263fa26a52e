import Daemon
import Glibc

/// `restart.*`: from the SIGKILL of a child to the first instruction of the next, under our supervisor with one child
/// and with a hundred; the floor is a loop of `vfork`, `execve` and a blocking `waitpid`.
enum RestartBenchmark {
  static let names = ["restart.kill_to_first_instruction.1", "restart.kill_to_first_instruction.100"]
  private static let counts = [1, 100]

  static func run(_ bench: Bench) throws -> [Figure] {
    let supervisor = "\(bench.products)/supervisor"
    guard let child = bench.floors.program("child"), let floor = bench.floors.program("floor") else {
      bench.remark("restart.*: skipped, there is no child to restart")
      return []
    }
    guard access(supervisor, X_OK) == 0 else {
      bench.remark("restart.*: skipped, \(supervisor) is not built")
      return []
    }
    let wanted = counts.indices.filter { bench.wants(names[$0]) }
    var ours: [Int: Watched] = [:]
    var floors: [Int: Watched] = [:]
    for place in wanted {
      let count = counts[place]
      let directory = "\(bench.directory)/restart-\(count)"
      try FilePaths.makeDirectories(directory, mode: 0o700)
      ours[place] = try Watched(count: count, stamps: "\(directory)/stamps") { stamps in
        let path = try configuration(directory, count: count, child: child, stamps: stamps)
        return [supervisor, "-n", "-c", path]
      }
      floors[place] = try Watched(count: count, stamps: "\(directory)/floor-stamps") { [floor, $0, "\(count)", child] }
    }
    defer { for watched in Array(ours.values) + Array(floors.values) { watched.stop() } }
    for place in wanted where ours[place]?.waitForAll() != true || floors[place]?.waitForAll() != true {
      bench.remark("\(names[place]): skipped, the children did not start: \(ours[place]?.said ?? "")")
      return []
    }
    var times: [Int: (ours: [Double], floor: [Double])] = [:]
    for repetition in 0..<bench.repetitions {
      // Past every guard against children that end at once.
      usleep(1_200_000)
      for place in wanted {
        for turn in 0..<(counts[place] == 1 ? 1 : 5) {
          let victim = (repetition * 5 + turn) * 37 % counts[place]
          if let time = ours[place]?.killAndWait(victim) { times[place, default: ([], [])].ours.append(time) }
          if let time = floors[place]?.killAndWait(victim) { times[place, default: ([], [])].floor.append(time) }
        }
      }
    }
    return wanted.compactMap { place in
      guard let (ours, floor) = times[place] else { return nil }
      return Figure(
        names[place], "us", better: .lower, ours: ours, floor: floor,
        note: "\(counts[place]) children, \(ours.count) kills; floor vfork + waitpid")
    }
  }

  private static func configuration(
    _ directory: String, count: Int, child: String, stamps: String
  ) throws(SystemError) -> String {
    var text = "[bulkhead]\nrun_dir = \(directory)/run\ndata_dir = \(directory)/data\n[supervisord]\n"
    for number in 0..<count {
      let name = Watched.name(number)
      text += "[program:\(name)]\ncommand = \(child) stamp \(stamps) \(name)\nautorestart = true\nstartsecs = 0\n"
      text += "stdout_logfile = NONE\nstderr_logfile = NONE\n"
    }
    let path = "\(directory)/supervisor.conf"
    try writeFileAtomically(Array(text.utf8), to: path)
    return path
  }
}

/// A supervisor whose children write a line when they start: their name, their number and the time.
private final class Watched {
  private let process: Child
  private let stamps: String
  private let count: Int
  /// What the supervisor said.
  var said: String { process.takeLines().suffix(5).joined(separator: " | ") }

  init(count: Int, stamps: String, _ command: (String) throws -> [String]) throws {
    self.count = count
    self.stamps = stamps
    process = try Child(try command(stamps))
  }

  static func name(_ number: Int) -> String {
    let digits = String(number)
    return "c" + String(repeating: "0", count: 3 - digits.count) + digits
  }

  /// The newest start of each child.
  private func starts() -> [String: (pid: pid_t, time: Int64)] {
    guard let bytes = try? readFile(stamps, sizeMax: 1 << 24) else { return [:] }
    var newest: [String: (pid: pid_t, time: Int64)] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 3, let pid = pid_t(fields[1]), let time = Int64(fields[2]) {
        newest[String(fields[0])] = (pid, time)
      }
    }
    return newest
  }

  func waitForAll() -> Bool {
    let end = SystemClock.monotonicNanoseconds + 10_000_000_000
    while SystemClock.monotonicNanoseconds < end {
      if starts().count == count { return true }
      usleep(5000)
    }
    return false
  }

  /// Kills a child.
  /// - Returns: microseconds to the first instruction of the next one; nil where none came.
  func killAndWait(_ number: Int) -> Double? {
    let name = Watched.name(number)
    guard let victim = starts()[name] else { return nil }
    let start = SystemClock.monotonicNanoseconds
    Glibc.kill(victim.pid, SIGKILL)
    while SystemClock.monotonicNanoseconds - start < 10_000_000_000 {
      usleep(1000)
      if let next = starts()[name], next.pid != victim.pid { return Double(next.time - start) / 1000 }
    }
    return nil
  }

  func stop() { process.stop() }
}
