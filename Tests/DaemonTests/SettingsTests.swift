import Daemon
import Foundation
import Market
import Testing

@Suite struct SettingsTests {
  private func settings(
    _ text: String, environment: [String: String] = [:]
  ) -> (settings: Settings, errors: [ConfigurationError]) {
    let file = ConfigurationFile(text: text, path: "supervisor.conf", directory: "/srv/bulkhead")
    return Settings.read(file, environment: environment)
  }

  private func messages(_ text: String, environment: [String: String] = [:]) -> [String] {
    settings(text, environment: environment).errors.map(\.description)
  }

  @Test func `an empty file gives the defaults`() {
    let (settings, errors) = settings("")
    #expect(errors.isEmpty)
    #expect(settings.integer("scanner", "full_scan_s") == 5)
    #expect(settings.path("bulkhead", "run_dir") == "/srv/bulkhead/var/run")
    #expect(settings.list("binance", "symbols") == ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    #expect(settings.decimal("scanner", "minimum_profit") == 1_000_000)
    #expect(settings.boolean("polymarket", "verify_book_hash"))
    #expect(settings.text("bulkhead", "mode") == "paper")
    #expect(settings.text("polymarket", "gamma_url") == "simulator:/polymarket/gamma")
  }

  @Test func `the file overrides a default and the environment overrides the file`() {
    let text = "[scanner]\nfull_scan_s = 9 ; seconds\nQuantity_Max: 12.5\n"
    let (settings, errors) = settings(text, environment: ["BULKHEAD_SCANNER_FULL_SCAN_S": "11"])
    #expect(errors.isEmpty)
    #expect(settings.integer("scanner", "full_scan_s") == 11)
    #expect(settings.decimal("scanner", "quantity_max") == 1_250_000_000)
    let origins = settings.all.filter { $0.definition.section == "scanner" }.map(\.origin)
    #expect(origins.prefix(3) == ["environment BULKHEAD_SCANNER_FULL_SCAN_S", "default", "supervisor.conf:3"])
  }

  @Test func `a setting can have a second name in the environment`() {
    let (settings, _) = settings("", environment: ["BTC_SETTLEMENT_TOLERANCE_PCT": "0.75"])
    #expect(settings.decimal("settler", "tolerance_percent") == 75_000_000)
  }

  @Test(arguments: [
    ("BTC_FETCH_TIMEOUT", "candles", "fetch_timeout_s", "12.5"),
    ("BTC_FETCH_MAX_RETRIES", "candles", "fetch_retries_max", "4"),
    ("BTC_FETCH_RETRY_DELAY", "candles", "fetch_retry_delay_s", "1.5"),
    ("BTC_CACHE_STALE_MAX_AGE", "candles", "stale_age_max_s", "300"),
    ("BTC_SETTLEMENT_TOLERANCE_PCT", "settler", "tolerance_percent", "0.75"),
    ("DATABASE_URL", "bulkhead", "database_url", "postgres://host/db"),
  ])
  func `the original's names of variables work, and say that they did`(
    name: String, section: String, key: String, value: String
  ) throws {
    func found(_ environment: [String: String]) throws -> Settings.Effective {
      let (settings, errors) = settings("[\(section)]\n", environment: environment)
      #expect(errors.isEmpty)
      return try #require(
        settings.all.first { $0.definition.section == section && $0.definition.key == key })
    }
    #expect(try found([:]).origin == "default")
    let changed = try found([name: value])
    #expect(changed.text == value && changed.origin == "environment \(name)")
    // Our own name comes first.
    let own = "BULKHEAD_\(section)_\(key)".uppercased()
    #expect(try found([name: value, own: "1"]).origin == "environment \(own)")
  }

  @Test func `a database that this build does not know is refused without being repeated`() {
    let (none, _) = settings("")
    #expect(throws: Never.self) { try none.checkDatabase() }
    let (settings, errors) = settings("", environment: ["DATABASE_URL": "postgres://user:secret@host/db"])
    #expect(errors.isEmpty)
    let error = #expect(throws: ConfigurationError.self) { try settings.checkDatabase() }
    #expect(error?.description.contains("environment DATABASE_URL: [bulkhead] database_url: PostgreSQL") == true)
    #expect(error?.description.contains("secret") == false && error?.exitStatus == .misconfigured)
  }

  @Test func `what operations on the chain cost is read with its dates`() throws {
    let (usual, _) = settings("")
    #expect(try ChainCosts(settings: usual).isFree)
    let (dated, errors) = settings("[polymarket]\nchain_costs=2026-01-01=0.02,2026-09-01=0.05\n")
    #expect(errors.isEmpty)
    let costs = try ChainCosts(settings: dated)
    #expect(try costs.operation(at: .polymarket, Timestamp(rfc3339: "2026-08-31")) == Money("0.02"))
    #expect(try costs.operation(at: .polymarket, Timestamp(rfc3339: "2026-09-01")) == Money("0.05"))
  }

  @Test(arguments: ["0.02", "2026-01-01=", "yesterday=1", "2026-01-01=-1", "2026-01-01=1=2", "2026-01-01=1001"])
  func `a cost of the chain that is none is named`(text: String) {
    let (settings, _) = settings("[polymarket]\nchain_costs=\(text)\n")
    let error = #expect(throws: ConfigurationError.self) { try ChainCosts(settings: settings) }
    #expect(error?.description.contains("[polymarket] chain_costs: expected DATE=DOLLARS") == true)
    #expect(error?.description.contains("found \"\(text)\"") == true)
  }

  @Test func `a wrong number is named by file, line, section and key`() {
    #expect(
      messages("; head\n[scanner]\nfull_scan_s=abc\n") == [
        "supervisor.conf:3: [scanner] full_scan_s: expected an integer from 1 to 3600, found \"abc\""
      ])
  }

  @Test(arguments: [
    ("[bulkhead:scaner]\n", ":1: [bulkhead:scaner] expected a known section"),
    ("[scanner]\nfull_scan=1\n", ":2: [scanner] full_scan: unknown key; expected one of"),
    ("[scanner]\nfull_scan_s=0\n", "expected an integer from 1 to 3600, found \"0\""),
    ("[scanner]\nfull_scan_s=99999999999999999999\n", "found \"99999999999999999999\""),
    ("[scanner]\nminimum_profit=-1\n", "expected a number from 0 to 1000000, found \"-1\""),
    ("[polymarket]\nverify_book_hash=maybe\n", "expected true or false, found \"maybe\""),
    ("[polymarket]\ngamma_url=ftp://x\n", "expected a URL that begins with http: or https: or simulator:"),
    ("[bulkhead]\nmode=wild\n", "expected one of dry-run, paper, live, found \"wild\""),
    ("[bulkhead]\nrun_dir=%(ENV_NOPE)s/x\n", ":2: [bulkhead] run_dir: expected the environment variable NOPE"),
    ("[bulkhead]\nrun_dir=/a%b\n", "expected %(name)s or %% after a percent sign"),
    ("[bus\n", ":1: expected a section such as [name], found \"[bus\""),
    ("[bus]\nhello\n", ":2: [bus] expected \"key = value\", found \"hello\""),
    ("a=1\n", ":1: expected a section before the first key \"a\""),
    ("[bus]\n=1\n", ":2: [bus] expected a key before \"=\""),
    ("[program:x]\nstartsec=1\n", ":2: [program:x] startsec: unknown key"),
    ("[program:x]\nnumprocs=many\n", ":2: [program:x] numprocs: expected an integer from 0 to 10000"),
    ("[program:x]\nstopsignal=BLUE\n", "expected a signal such as TERM or 15, found \"BLUE\""),
    ("[program:x]\nstdout_logfile_maxbytes=5MBB\n", "expected a number of bytes"),
    ("[program:x]\nenvironment=A=\"1,B=2\n", "expected KEY=\"value\" pairs"),
    ("[program:x]\nexitcodes=0,256\n", "expected integers from 0 to 255"),
    ("[bulkhead:program:x]\nbackoff_initial_ms=0\n", ":2: [bulkhead:program:x] backoff_initial_ms"),
    ("[program:]\n", ":1: [program:] expected a name after the colon"),
  ])
  func `every mistake has a message with its place`(text: String, expected: String) {
    let found = messages(text)
    #expect(found.count == 1, "\(found)")
    #expect(found.first?.contains(expected) == true, "\(found)")
  }

  @Test func `all mistakes are found, not only the first`() {
    #expect(messages("[scanner]\nfull_scan_s=x\nwhat=1\n[nope]\n[bus]\nreconnect_ms=\n").count == 3)
  }

  @Test func `a wrong override names the variable`() {
    let found = messages("", environment: ["BULKHEAD_SIMULATOR_SEED": "x%y"])
    #expect(
      found == [
        "environment BULKHEAD_SIMULATOR_SEED: [simulator] seed: expected an integer of at least 0, found \"x%y\""
      ])
  }

  @Test func `comments, continuation lines and blanks are those of supervisord`() {
    let text = """
      # head
      [binance]   ; the venue
      symbols = BTCUSDT,   # first
        ETHUSDT ,

        XRPUSDT;no comment without a blank
      ; between
      [simulator]
      load = a;b#c
      """
    let file = ConfigurationFile(text: text, path: "x.conf", directory: "/d")
    #expect(file.errors.isEmpty)
    #expect(
      file.section("binance")?.entry("symbols")?.value == "BTCUSDT,\nETHUSDT ,\n\nXRPUSDT;no comment without a blank")
    #expect(file.section("binance")?.entry("symbols")?.line == 3)
    #expect(file.section("simulator")?.entry("load")?.value == "a;b#c")
  }

  @Test func `included files are read with their own here and their own lines`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString)")
    let sub = directory.appendingPathComponent("conf.d")
    try FileManager.default.createDirectory(at: sub, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let main = directory.appendingPathComponent("supervisor.conf").path
    try "[include]\nfiles = conf.d/*.conf %(ENV_MORE)s\n[bus]\n".write(toFile: main, atomically: true, encoding: .utf8)
    try "[bulkhead]\nrun_dir=%(here)s/run\ndata_dir=data\n"
      .write(toFile: sub.path + "/a.conf", atomically: true, encoding: .utf8)
    try "[scanner]\n\nfull_scan_s=zero\n".write(toFile: sub.path + "/b.conf", atomically: true, encoding: .utf8)
    let file = ConfigurationFile(path: main, environment: ["MORE": "missing/*.ini"])
    let (settings, errors) = Settings.read(file, environment: [:])
    #expect(settings.path("bulkhead", "run_dir") == sub.path + "/run")
    #expect(settings.path("bulkhead", "data_dir") == sub.path + "/data")
    #expect(errors.map(\.line) == [3])
    #expect(errors.first?.file == sub.path + "/b.conf")
    #expect(throws: ConfigurationError.self) { try Settings.load(path: main, environment: ["MORE": "x"]) }
  }

  @Test func `a file that cannot be read is a configuration error`() {
    #expect(throws: ConfigurationError.self) { try Settings.load(path: "/nonexistent/x.conf", environment: [:]) }
    do throws(ConfigurationError) {
      _ = try Settings.load(path: "/nonexistent/x.conf", environment: [:])
    } catch {
      #expect(error.exitStatus == .misconfigured)
      #expect(error.description.hasPrefix("/nonexistent/x.conf: could not be read: open /nonexistent/x.conf: No such"))
    }
  }

  @Test(arguments: [
    ("a%(x)s", "a7"), ("%(x)03d", "007"), ("%(x)3s|", "  7|"), ("%%(x)s", "%(x)s"), ("plain", "plain"),
    ("%(ENV_A)s", "b"), ("%(t)3s|%(t)-3s|", "  7|7  |"), ("%(x)-3d|%(x)+d|%(x)x", "7  |+7|7"),
  ])
  func `expansions are those of supervisord`(text: String, expected: String) throws {
    #expect(
      try Expansion.expand(text, names: .init(variables: ["A": "b"], texts: ["t": "7"], numbers: ["x": 7])) == expected)
  }

  @Test(arguments: ["%", "%(x", "%(x)", "%(x)q", "%(y)s", "%(name)d", "%(x)9999999999999999999d", "%x", "%(name)02d"])
  func `a form that is no expansion is refused`(text: String) {
    #expect(throws: Expansion.Failure.self) {
      try Expansion.expand(text, names: .init(texts: ["name": "n"], numbers: ["x": 7]))
    }
  }

  @Test func `environment values may be quoted`() {
    let text = "A=1, B=\"x,y z\" ,C='q=1',D=/bin:/usr/bin,"
    let value = SettingValue(text, kind: .keyValues, directory: "/")
    #expect(
      value
        == .keyValues([
          .init(key: "A", value: "1"), .init(key: "B", value: "x,y z"), .init(key: "C", value: "q=1"),
          .init(key: "D", value: "/bin:/usr/bin"),
        ]))
  }

  @Test func `mutated files never crash the parser`() {
    let seed = Array(
      "[include]\nfiles=a\n[scanner]\nfull_scan_s=9 ; x\n  more\n[program:a]\ncommand=%(here)s/%(ENV_X)02d\nenvironment=A=\"1\",B='2'\n"
        .utf8)
    var generator = SystemRandomNumberGenerator()
    let bytes: [UInt8] = Array("[]=:;#%()\"'\n\r\t \u{0}\u{FF}a0,".utf8)
    for _ in 0..<5000 {
      var text = seed
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let index = Int.random(in: 0..<text.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: text[index] = bytes.randomElement(using: &generator) ?? 0
        case 1: text.insert(bytes.randomElement(using: &generator) ?? 0, at: index)
        default: text.removeSubrange(index..<min(text.count, index + 5))
        }
        if text.isEmpty { text = seed }
      }
      let file = ConfigurationFile(text: String(decoding: text, as: UTF8.self), path: "f", directory: "/d")
      _ = Settings.read(file, environment: ["X": "1"])
    }
  }
}
