internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A spawned process: its pid, a descriptor that stands for it, and the reading ends of its output.
final class Child {
  let pid: Int32
  /// Readable when the process has ended.
  let pidDescriptor: Int32
  /// Reading ends, with the log that each goes to.
  private(set) var outputs: [(descriptor: Int32, log: LogFile)]

  private init(pid: Int32, pidDescriptor: Int32, outputs: [(descriptor: Int32, log: LogFile)]) {
    self.pid = pid
    self.pidDescriptor = pidDescriptor
    self.outputs = outputs
  }

  deinit {
    close(pidDescriptor)
    for output in outputs { close(output.descriptor) }
  }

  /// Spawns a process in a group of its own.
  /// - Throws: `SystemError` that names the step which failed.
  static func spawn(
    _ specification: ProcessSpecification, environment: [String: String], umask: Int, output: LogFile,
    errorOutput: LogFile
  ) throws(SystemError) -> Child {
    let null = try systemCall("open /dev/null") { bh_open("/dev/null", O_RDWR | O_CLOEXEC, 0) }
    defer { close(null) }
    output.prepare()
    if !specification.redirectsErrors { errorOutput.prepare() }
    let out = try Pipe(for: output, else: null)
    let error: Pipe
    do throws(SystemError) {
      error = specification.redirectsErrors ? Pipe(sharing: out) : try Pipe(for: errorOutput, else: null)
    } catch {
      out.closeAll()
      throw error
    }
    defer {
      out.closeWriting()
      error.closeWriting()
    }
    let pid: Int32
    do throws(SystemError) {
      pid = try start(
        specification, environment: environment, umask: umask, input: null, output: out.writing,
        errorOutput: error.writing)
    } catch let failure {
      out.closeReading()
      error.closeReading()
      throw failure
    }
    let pidDescriptor = bh_pidfd_open(pid)
    guard pidDescriptor >= 0 else {
      let failure = SystemError.last("pidfd_open")
      kill(-pid, SIGKILL)
      waitpid(pid, nil, 0)
      out.closeReading()
      error.closeReading()
      throw failure
    }
    var outputs: [(descriptor: Int32, log: LogFile)] = []
    if let reading = out.reading { outputs.append((reading, output)) }
    if let reading = error.reading { outputs.append((reading, errorOutput)) }
    return Child(pid: pid, pidDescriptor: pidDescriptor, outputs: outputs)
  }

  /// Sends a signal; one that finds nobody is no failure.
  func signal(_ number: Int32, group: Bool) throws(SystemError) {
    let result = group ? kill(-pid, number) : bh_pidfd_send_signal(pidDescriptor, number)
    if result != 0, errno != ESRCH { throw SystemError.last("signal \(number) to \(pid)") }
  }

  /// Moves what the process has written to the logs.
  /// - Parameters:
  ///   - index: which output.
  ///   - buffer: where it passes through.
  ///   - readsMax: how many times it reads at most, so that one chatty process does not keep the others waiting.
  /// - Returns: whether the output has ended.
  func move(output index: Int, through buffer: UnsafeMutableRawBufferPointer, readsMax: Int) -> Bool {
    let (descriptor, log) = outputs[index]
    for _ in 0..<readsMax {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count > 0 {
        log.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        if count < buffer.count { return false }
        continue
      }
      if count == 0 { return true }
      if errno == EINTR { continue }
      return errno != EAGAIN
    }
    return false
  }

  private static func start(
    _ specification: ProcessSpecification, environment: [String: String], umask: Int, input: Int32, output: Int32,
    errorOutput: Int32
  ) throws(SystemError) -> Int32 {
    var variables = environment.merging(specification.environment) { $1 }
    if let user = specification.user, specification.environment["HOME"] == nil {
      variables["HOME"] = user.home
      variables["USER"] = user.name
      variables["LOGNAME"] = user.name
    }
    let arguments = CStringArray(specification.arguments)
    let pairs = CStringArray(variables.map { "\($0.key)=\($0.value)" })
    let path = CStringArray([specification.executable, specification.directory ?? ""])
    let groups = specification.user?.groups ?? []
    return try groups.withUnsafeBufferPointer { groups throws(SystemError) in
      var order = bh_spawn_order()
      order.path = UnsafePointer(path.pointer[0])
      order.argv = UnsafePointer(arguments.pointer)
      order.envp = UnsafePointer(pairs.pointer)
      order.directory = specification.directory == nil ? nil : UnsafePointer(path.pointer[1])
      order.stdin_fd = input
      order.stdout_fd = output
      order.stderr_fd = errorOutput
      order.umask = Int32(specification.umask ?? umask)
      if let user = specification.user, user.uid != geteuid() {
        order.changes_user = 1
        order.uid = user.uid
        order.gid = user.gid
        order.groups = groups.baseAddress
        order.groups_count = groups.count
      }
      var step: UnsafePointer<CChar>?
      let pid = bh_spawn(&order, &step)
      if pid < 0 {
        let code = errno
        let name = step.map { String(cString: $0) } ?? "spawn"
        throw SystemError(
          "\(name) \(name == "chdir" ? specification.directory ?? "" : specification.executable)", code: code)
      }
      return pid
    }
  }
}

/// The way of one output: a pipe to a log, or the null device.
private struct Pipe {
  let reading: Int32?
  let writing: Int32
  private let ownsWriting: Bool

  init(for log: LogFile, else null: Int32) throws(SystemError) {
    guard log.specification.file != nil else {
      reading = nil
      writing = null
      ownsWriting = false
      return
    }
    var ends: [Int32] = [-1, -1]
    try systemCall("pipe2") { bh_pipe_for_reading(&ends) }
    _ = bh_set_pipe_size(ends[0], 1 << 20)
    reading = ends[0]
    writing = ends[1]
    ownsWriting = true
  }

  init(sharing other: Pipe) {
    reading = nil
    writing = other.writing
    ownsWriting = false
  }

  func closeWriting() { if ownsWriting { close(writing) } }
  func closeReading() { if let reading { close(reading) } }
  func closeAll() {
    closeReading()
    closeWriting()
  }
}

/// C strings, ended by a null pointer, for as long as it lives.
private final class CStringArray {
  let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointer = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
    (pointer + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { free(pointer[index]) }
    pointer.deallocate()
  }
}
