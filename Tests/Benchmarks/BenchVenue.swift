import Daemon
import Glibc
import Market
import Web

/// Polymarket as far as the ingestor needs it: a catalogue, books by REST, and the market stream, in our poll loop.
///
/// 27,460 markets with books of ten levels a side that hold no arbitrage; what is sent after that is the caller's.
final class BenchVenue {
  static let marketCount = 27_460
  static let levelCount = 10
  private static let eventsPerPage = 10
  private static let marketsPerEvent = 100

  private struct Client {
    let peer: WebSocketPeer
    var waiting: [Int] = []
    var next = 0
  }

  /// How many requests there were, and how many of them were for books.
  private(set) var requestCount = 0
  private(set) var bookRequestCount = 0
  /// How many books were sent by stream.
  private(set) var sentBookCount = 0
  private var server: HTTPServer!
  private var clients: [Client] = []
  /// Which client watches a book; −1 where none does.
  private var clientOfBook = [Int](repeating: -1, count: BenchVenue.marketCount * 2)
  private let text = BookText()

  init() throws(SystemError) {
    server = try HTTPServer(listen: .tcp(host: "127.0.0.1", port: 0)) { [weak self] in
      // Requests that were under way when it ended.
      self?.answer($0) ?? .response(.text("gone", status: 503))
    }
  }

  /// Such as `127.0.0.1:41234`.
  var address: String { "127.0.0.1:\(server.port)" }
  /// How many streams are open.
  var clientCount: Int { clients.count { !$0.peer.isClosed } }

  /// The 77 digits of a book's token.
  static func token(book: Int) -> String {
    "7132104567925221259462638553270691275\(padded(book, 20))\(padded(583_992_563 + book / 2, 20))"
  }

  /// The condition id of a market.
  static func condition(market: Int) -> String {
    let digits = String(market, radix: 16)
    return "0x" + String(repeating: "0", count: 64 - digits.count) + digits
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: width - digits.count) + digits
  }

  /// The stream on which a market's books are watched.
  func peer(ofMarket market: Int) -> WebSocketPeer? {
    let client = clientOfBook[market * 2]
    return client >= 0 && !clients[client].peer.isClosed ? clients[client].peer : nil
  }

  /// Breaks all streams without a word.
  func disconnectAll() {
    for client in clients { client.peer.disconnect() }
    clients.removeAll { $0.peer.isClosed }
    clientOfBook = [Int](repeating: -1, count: clientOfBook.count)
  }

  /// Books that nobody on an open stream was sent since it was opened.
  var unsentBookCount: Int {
    Self.marketCount * 2 - clients.reduce(0) { $0 + ($1.peer.isClosed ? 0 : $1.next) }
  }

  // MARK: - The loop

  /// Serves for some time.
  func serve(milliseconds: Int64) {
    let end = SystemClock.monotonicNanoseconds + milliseconds * 1_000_000
    repeat { turn(timeoutMilliseconds: 2) } while SystemClock.monotonicNanoseconds < end
  }

  /// Serves until something is so, or the time is over.
  /// - Returns: whether it came to be.
  func serve(until isDone: () -> Bool, seconds: Double) -> Bool {
    let end = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
    while SystemClock.monotonicNanoseconds < end {
      if isDone() { return true }
      turn(timeoutMilliseconds: 1)
    }
    return isDone()
  }

  private func turn(timeoutMilliseconds: Int32) {
    var items = [pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)]
    for client in clients {
      let wantsToWrite = client.peer.wantsWrite || client.next < client.waiting.count
      let events = Int16(POLLIN) | (wantsToWrite ? Int16(POLLOUT) : 0)
      items.append(pollfd(fd: client.peer.descriptor, events: events, revents: 0))
    }
    poll(&items, UInt(items.count), timeoutMilliseconds)
    server.process()
    for index in clients.indices where !clients[index].peer.isClosed {
      receive(index)
      sendBooks(index)
    }
  }

  private func receive(_ index: Int) {
    let peer = clients[index].peer
    do {
      try peer.receive { message in
        guard message.kind == .text else { return }
        if message.bytes.elementsEqual("PING".utf8) {
          try? peer.send(text: "PONG")
        } else {
          subscribe(index, message.bytes)
        }
      }
      if peer.wantsWrite { try peer.flush() }
    } catch {
      peer.disconnect()
    }
  }

  /// Takes the tokens of a subscription: the digits behind the common head are the book's number.
  private func subscribe(_ index: Int, _ request: UnsafeRawBufferPointer) {
    var place = 0
    while place < request.count {
      guard (0x30...0x39).contains(request[place]) else {
        place += 1
        continue
      }
      var end = place
      while end < request.count, (0x30...0x39).contains(request[end]) { end += 1 }
      if end - place == 77 {
        var book = 0
        for digit in request[(place + 37)..<(place + 57)] { book = book * 10 + Int(digit) - 0x30 }
        clients[index].waiting.append(book)
        clientOfBook[book] = index
      }
      place = end
    }
  }

  private func sendBooks(_ index: Int) {
    let peer = clients[index].peer
    var frame: [UInt8] = []
    while clients[index].next < clients[index].waiting.count, peer.queuedBytes < 1 << 20 {
      frame.removeAll(keepingCapacity: true)
      for _ in 0..<20 where clients[index].next < clients[index].waiting.count {
        WebSocketPeer.appendServerFrame(text: bookMessage(clients[index].waiting[clients[index].next]), to: &frame)
        clients[index].next += 1
        sentBookCount += 1
      }
      do { try peer.send(preframed: frame) } catch { return peer.disconnect() }
    }
  }

  // MARK: - Messages

  /// A book, no two of which make an arbitrage: YES asks from 0.50, NO asks from 0.51, bids from 0.46 down.
  private func bookMessage(_ book: Int) -> String {
    let levels = (0..<BenchVenue.levelCount).reversed()
    let bids = levels.map { (price: "0.\(46 - $0)", size: "100") }
    let asks = levels.map { (price: "0.\(50 + (book & 1) + $0)", size: "100") }
    return text.message(
      market: BenchVenue.condition(market: book / 2), asset: BenchVenue.token(book: book),
      timestamp: "\(SystemClock.now.milliseconds)", bids: BookText.side(bids), asks: BookText.side(asks))
  }

  private func answer(_ request: HTTPServerRequest) -> HTTPServerReply {
    requestCount += 1
    switch request.path {
    case "/ws/market":
      return .webSocket { [weak self] peer in
        guard let self else { return peer.disconnect() }
        clients.append(Client(peer: peer))
        receive(clients.count - 1)
      }
    case "/gamma/events/keyset": return .response(.json(eventsPage(request.query("after_cursor"))))
    case "/clob/books":
      bookRequestCount += 1
      return .response(.json(books(request.body)))
    default: return .response(.text("nothing here\n", status: 404))
    }
  }

  private func eventsPage(_ cursor: String?) -> String {
    let eventCount = (BenchVenue.marketCount + BenchVenue.marketsPerEvent - 1) / BenchVenue.marketsPerEvent
    let first = Int(cursor ?? "0") ?? 0
    let last = min(first + BenchVenue.eventsPerPage, eventCount)
    let events = (first..<last).map { event in
      let markets = (event * BenchVenue.marketsPerEvent)..<((event + 1) * BenchVenue.marketsPerEvent)
      let list = markets.clamped(to: 0..<BenchVenue.marketCount).map(market).joined(separator: ",")
      return "{\"id\":\"\(event)\",\"markets\":[\(list)]}"
    }
    let next = last < eventCount ? ",\"next_cursor\":\"\(last)\"" : ""
    return "{\"events\":[\(events.joined(separator: ","))]\(next)}"
  }

  private func market(_ market: Int) -> String {
    let tokens = (0..<2).map { "\\\"\(BenchVenue.token(book: market * 2 + $0))\\\"" }.joined(separator: ",")
    return "{\"id\":\"\(market)\",\"conditionId\":\"\(BenchVenue.condition(market: market))\","
      + "\"question\":\"Will \(market) happen?\",\"outcomes\":\"[\\\"Yes\\\",\\\"No\\\"]\","
      + "\"clobTokenIds\":\"[\(tokens)]\",\"orderPriceMinTickSize\":0.01,\"orderMinSize\":5,"
      + "\"endDate\":\"2099-12-31T00:00:00Z\",\"active\":true,\"closed\":false,\"acceptingOrders\":true,"
      + "\"enableOrderBook\":true,\"negRisk\":false,\"feesEnabled\":false}"
  }

  private func books(_ body: [UInt8]) -> String {
    let tokens = String(decoding: body, as: UTF8.self).split { !("0"..."9").contains($0) }.filter { $0.count == 77 }
    let books = tokens.compactMap { Int(String($0.dropFirst(37).prefix(20))) }
    return "[" + books.map(bookMessage).joined(separator: ",") + "]"
  }
}
