internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

/// Watches our accounts at venues, in the executor's poll loop: the streams of our orders, and the balances (X4).
///
/// Attempts to connect and requests run elsewhere and post their outcome.
final class AccountWatch {
  private enum Letter: Sendable {
    case connected(row: Int, Result<WebSocketPeer, VenueError>)
    case balance(row: Int, Result<Money, VenueError>)
  }

  /// One account, with its stream.
  private struct Row {
    let account: VenueAccount
    var state: AccountState
    var peer: WebSocketPeer?
    /// Its place in the poller; −1 where it is not there.
    var place = -1
    var isConnecting = false
    var failures = 0
    var connectAt: Int64 = 0
    var openedAt: Int64 = 0
    var pingAt: Int64 = 0
    var isAsking = false
    var askAt: Int64 = 0
    /// The problem that was last logged; nil where it answered.
    var told: String?
  }

  private let mailbox: Mailbox<Letter>
  private let checkNanoseconds: Int64
  private let silenceNanoseconds: Int64
  private var rows: [Row]
  private var mailboxPlace = -1
  private var random = SystemRandomNumberGenerator()
  private var orderCount: Int64 = 0
  private var fillCount: Int64 = 0
  private var refusedCount: Int64 = 0
  /// Whether a stream was opened or closed since the poller was filled.
  private(set) var pollSetChanged = false

  /// Accounts by the settings; none where `[executor] accounts` names none.
  ///
  /// - Throws: `ConfigurationError` for a venue without accounts, or an account that lacks something; `SystemError`.
  init(settings: Settings, runDirectory: String) throws {
    checkNanoseconds = Int64(settings.integer("executor", "account_check_s")) * 1_000_000_000
    silenceNanoseconds = Int64(settings.integer("executor", "account_silence_s")) * 1_000_000_000
    mailbox = try Mailbox()
    let names = settings.list("executor", "accounts")
    let transport = names.isEmpty ? nil : VenueTransport(HTTPClient())
    func problem(_ text: String) -> ConfigurationError {
      ConfigurationError(file: settings.path, section: "executor", key: "accounts", problem: text)
    }
    rows = []
    for name in names {
      guard let venue = Venue(rawValue: name), let transport else { throw problem("there is no venue \(name)") }
      let account: VenueAccount?
      do throws(VenueError) {
        account = try VenueAccount.configured(
          venue, settings: settings, runDirectory: runDirectory, transport: transport)
      } catch {
        throw problem("\(error)")
      }
      guard let account else { throw problem("there are no accounts at \(name)") }
      // One that comes late by a whole request is not yet too old.
      let state = AccountState(balanceAgeMaxNanoseconds: 2 * checkNanoseconds + 30_000_000_000)
      rows.append(Row(account: account, state: state, told: state.problem(0)))
    }
  }

  // MARK: - In the loop

  /// Adds what is to be waited for to a poller that was just filled anew.
  func add(to poller: Poller) {
    pollSetChanged = false
    mailboxPlace = rows.isEmpty ? -1 : poller.add(descriptor: mailbox.descriptor)
    for index in rows.indices {
      rows[index].place = -1
      guard let peer = rows[index].peer, !peer.isClosed else { continue }
      rows[index].place = poller.add(descriptor: peer.descriptor, writable: peer.wantsWrite)
    }
  }

  /// Takes what has come.
  func receive(_ poller: Poller) {
    guard !rows.isEmpty else { return }
    if poller.isReady(mailboxPlace) {
      for letter in mailbox.take() {
        switch letter {
        case .connected(let row, let result): connected(row, result)
        case .balance(let row, let result): take(result, row)
        }
      }
    }
    for index in rows.indices where rows[index].peer != nil {
      if rows[index].place < 0 || poller.isReady(rows[index].place) || rows[index].peer?.hasBufferedInput == true {
        drain(index)
      }
    }
  }

  /// What is done by the clock, about once a second.
  func tick(_ now: Int64) {
    for index in rows.indices {
      if rows[index].peer != nil {
        keep(index, now)
      } else if !rows[index].isConnecting, now >= rows[index].connectAt {
        connect(index)
      }
      if !rows[index].isAsking, now >= rows[index].askAt { ask(index, now) }
      tell(index, now)
    }
  }

  /// The venues whose account does not answer.
  func closed(_ now: Int64) -> [Venue: ClosedVenue] {
    var result: [Venue: ClosedVenue] = [:]
    for row in rows {
      guard let problem = row.state.problem(now) else { continue }
      result[row.account.venue] = ClosedVenue(.unreachable, "account: \(problem)")
    }
    return result
  }

  /// For the process's health.
  func counters(_ now: Int64) -> [String: Int64] {
    guard !rows.isEmpty else { return [:] }
    var values = ["account_orders": orderCount, "account_fills": fillCount, "account_refused": refusedCount]
    for row in rows {
      let venue = row.account.venue.rawValue
      values["account_open_\(venue)"] = row.state.problem(now) == nil ? 1 : 0
      if let balance = row.state.balance { values["account_cents_\(venue)"] = balance.raw / 1_000_000 }
    }
    return values
  }

  private func tell(_ index: Int, _ now: Int64) {
    let problem = rows[index].state.problem(now)
    guard problem != rows[index].told else { return }
    rows[index].told = problem
    let venue = rows[index].account.venue.rawValue
    if let problem {
      Log.warning("account does not answer: no new order goes there", ["venue": venue, "problem": problem])
    } else {
      Log.info("account answers", ["venue": venue, "balance": rows[index].state.balance?.description ?? ""])
    }
  }

  // MARK: - The stream of our orders

  private func connect(_ index: Int) {
    rows[index].isConnecting = true
    let (account, mailbox) = (rows[index].account, mailbox)
    Task {
      do throws(VenueError) {
        let peer = try await UserStream.open(account.stream, at: account.endpoint, now: SystemClock.now)
        mailbox.post(.connected(row: index, .success(peer)))
      } catch {
        mailbox.post(.connected(row: index, .failure(error)))
      }
    }
  }

  private func connected(_ index: Int, _ result: Result<WebSocketPeer, VenueError>) {
    rows[index].isConnecting = false
    switch result {
    case .failure(let error): lose(index, "\(error)")
    case .success(let peer):
      let now = SystemClock.monotonicNanoseconds
      rows[index].peer = peer
      rows[index].openedAt = now
      rows[index].pingAt = now
      rows[index].state.streamOpened(awaited: rows[index].account.stream.confirmations)
      pollSetChanged = true
      keep(index, now)
      drain(index)
    }
  }

  private func keep(_ index: Int, _ now: Int64) {
    guard let peer = rows[index].peer else { return }
    if peer.isClosed { return lose(index, "closed by the venue") }
    if now - peer.lastReceivedMonotonicNanoseconds > silenceNanoseconds {
      return lose(index, "silent for \(silenceNanoseconds / 1_000_000_000) s")
    }
    if now - rows[index].openedAt > 10_000_000_000 { rows[index].failures = 0 }
    guard let ping = rows[index].account.stream.ping, now >= rows[index].pingAt else { return }
    rows[index].pingAt = now + Int64(ping.everySeconds) * 1_000_000_000
    do throws(WebSocketError) { try peer.send(text: ping.text) } catch { lose(index, "\(error)") }
  }

  private func drain(_ index: Int) {
    guard let peer = rows[index].peer else { return }
    let stream = rows[index].account.stream
    var refusal: VenueError?
    do {
      try peer.receive { message in
        guard message.kind == .text else { return }
        rows[index].state.streamHeard()
        stream.read(message.bytes) { result in
          switch result {
          case .failure(let error): refuse(error)
          case .success(.refused(let error)): refusal = error
          case .success(.accepted): rows[index].state.streamConfirmed()
          case .success(.order): orderCount += 1
          case .success(.fill): fillCount += 1
          case .success(.position), .success(.ignored): break
          }
        }
      }
      if peer.wantsWrite { try peer.flush() }
    } catch {
      return lose(index, "\(error)")
    }
    if let refusal { return lose(index, "refused: \(refusal.problem)") }
    if peer.isClosed { lose(index, "closed by the venue") }
  }

  /// What cannot be read of our own orders is told each time: it may be money.
  private func refuse(_ error: VenueError) {
    refusedCount += 1
    Log.error(
      "message about our orders cannot be read",
      ["venue": error.venue.rawValue, "kind": error.kind, "field": error.field, "problem": error.problem])
  }

  private func lose(_ index: Int, _ problem: String) {
    if let peer = rows[index].peer {
      peer.disconnect()
      rows[index].peer = nil
      rows[index].place = -1
      pollSetChanged = true
    }
    rows[index].state.streamLost(problem)
    rows[index].failures += 1
    // Doubling from a second to half a minute, with up to a half of it at random.
    let pause = min(Int64(1000) << Int64(min(rows[index].failures - 1, 5)), 30_000) * 1_000_000
    rows[index].connectAt =
      SystemClock.monotonicNanoseconds + pause / 2 + Int64(random.next() % UInt64(pause / 2 + 1))
  }

  // MARK: - The balance

  private func ask(_ index: Int, _ now: Int64) {
    rows[index].isAsking = true
    rows[index].askAt = now + checkNanoseconds
    let (account, mailbox) = (rows[index].account, mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(.balance(row: index, .success(try await account.balance())))
      } catch {
        mailbox.post(.balance(row: index, .failure(error)))
      }
    }
  }

  private func take(_ result: Result<Money, VenueError>, _ index: Int) {
    rows[index].isAsking = false
    switch result {
    case .success(let balance): rows[index].state.take(balance: balance, now: SystemClock.monotonicNanoseconds)
    case .failure(let error): rows[index].state.balanceFailed("\(error)")
    }
  }
}
