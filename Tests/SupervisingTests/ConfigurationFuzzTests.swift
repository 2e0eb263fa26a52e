import Daemon
import Foundation
import Supervising
import Synchronization
import TestSupport
import Testing

/// Mutated configuration files through the whole reader, in memory.
///
/// `BULKHEAD_FUZZ` says how many, `BULKHEAD_FUZZ_SEED` with which seed the first of them is made.
@Suite struct ConfigurationFuzzTests {
  /// SplitMix64, so that a number is enough to make a file again.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  private static let bytes: [UInt8] =
    Array("[]=:;#%()\"'\\,\n\r\t \u{0}\u{1C}sd0159_-~/.*aZ".utf8) + [0x80, 0xC2, 0xFF]
  private static let pieces: [[UInt8]] = [
    "[program:x]\n", "[group:g]\nprograms=p,x\n", "[include]\nfiles=*.conf\n", "[eventlistener:l]\nevents=EVENT\n",
    "%(here)s", "%(ENV_A)s", "%(process_num)02d", "%%", "numprocs=3\n",
    "process_name=%(program_name)s_%(process_num)d\n",
    "environment=A=\"1\",B='2'\n", "\n  more\n", "command=/bin/cat 'a b'\n", "[DEFAULT]\n", "\r\n", " ; c\n", "[",
    "[bulkhead:program:p]\ndepends_on=x,g\n", "stdout_logfile=%(here)s/l\n", "18446744073709551616", "-1", "1e9",
    "\u{A0}",
    "[fcgi-program:f]\nsocket=unix:///s\n", "exitcodes=0,255,\n", "stopsignal=RTMIN\n", "50MB", "[supervisord]\n",
  ].map { Array($0.utf8) }

  private static let small: [[UInt8]] = StockCorpus.all.map { Array(("[supervisord]\n" + $0.text).utf8) }
  private static let large: [UInt8] =
    (try? Array(Data(contentsOf: Places.package.appending(path: "supervisor.conf")))) ?? []

  private static let source = ConfigurationFile.Source(
    read: { (path: String) throws(SystemError) -> [UInt8] in
      Array("[program:included]\ncommand=/bin/cat\nstdout_logfile=%(here)s/x\n[program:p]\nstartsecs=2\n".utf8)
    },
    matching: { $0.contains("*") ? ["/d/one.conf", "/d/sub/two.conf"] : [$0] })

  /// The file of a number.
  private static func file(_ number: UInt64) -> [UInt8] {
    var generator = Generator(state: number)
    var text = number % 256 == 0 && !large.isEmpty ? large : small[Int(generator.next() % UInt64(small.count))]
    for _ in 0...(generator.next() % 6) { mutate(&text, &generator) }
    return text
  }

  private static func mutate(_ text: inout [UInt8], _ generator: inout Generator) {
    func index() -> Int { text.isEmpty ? 0 : Int(generator.next() % UInt64(text.count)) }
    let place = index()
    switch generator.next() % 9 {
    case 0 where !text.isEmpty: text[place] = bytes[Int(generator.next() % UInt64(bytes.count))]
    case 1: text.insert(bytes[Int(generator.next() % UInt64(bytes.count))], at: place)
    case 2: text.removeSubrange(place..<min(text.count, place + Int(generator.next() % 9)))
    case 3: text.insert(contentsOf: pieces[Int(generator.next() % UInt64(pieces.count))], at: place)
    case 4: text.removeSubrange(place...)
    case 5:
      let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
      guard lines.count < 300 else { return }
      text += lines[Int(generator.next() % UInt64(lines.count))] + [0x0A]
    case 6:
      let end = min(text.count, place + Int(generator.next() % 64))
      text.insert(contentsOf: Array(text[place..<end]), at: index())
    case 7: text += pieces[Int(generator.next() % UInt64(pieces.count))]
    default: text.swapAt(place < text.count ? place : 0, text.isEmpty ? 0 : index())
    }
  }

  private static func read(_ text: [UInt8]) -> Int {
    let source = ConfigurationFile.Source(
      read: { (path: String) throws(SystemError) -> [UInt8] in
        path == "/d/main.conf" ? text : try Self.source.read(path)
      }, matching: Self.source.matching)
    let environment = ["A": "1", "B": "%"]
    let file = ConfigurationFile(path: "/d/main.conf", environment: environment, source: source)
    let (configuration, errors) = SupervisorConfiguration.read(
      file, environment: environment, surroundings: .imagined)
    precondition((configuration == nil) != errors.isEmpty, "neither a configuration nor a mistake")
    for error in errors { precondition(!error.file.isEmpty && !error.problem.isEmpty) }
    return configuration?.processes.count ?? 0
  }

  @Test(.timeLimit(.minutes(10))) func `mutated files do not crash or hang the reader`() {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["BULKHEAD_FUZZ"].flatMap { Int($0) } ?? 20_000
    let first = environment["BULKHEAD_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    let sum = Atomic<Int>(0)
    let started = Date()
    DispatchQueue.concurrentPerform(iterations: 2) { part in
      // Where it crashes, this says with which file: the last number that was written for this part.
      let note = "/tmp/configuration-fuzz-\(getpid())-\(part)"
      for number in stride(from: part, to: count, by: 2) {
        if number % 1024 == part {
          try? "\(first + UInt64(number))\n".write(toFile: note, atomically: false, encoding: .utf8)
        }
        sum.add(Self.read(Self.file(first + UInt64(number))), ordering: .relaxed)
      }
      try? FileManager.default.removeItem(atPath: note)
    }
    print(
      "fuzz: \(count) files from seed \(first), \(sum.load(ordering: .relaxed)) processes, \(Date().timeIntervalSince(started)) s"
    )
    #expect(sum.load(ordering: .relaxed) > 0)
  }
}
