internal import Market
internal import Web

/// The board over HTTP: `POST /faults` sets one, `GET /faults` tells all, `DELETE /faults` ends them.
enum FaultRoutes {
  /// What a request did to the board.
  enum Outcome {
    /// Nothing but an answer.
    case answer(HTTPServerResponse)
    /// A fault was set.
    case began(Fault)
    /// These are over.
    case ended([Fault])
  }

  /// Takes a request to `/faults`.
  static func take(_ request: HTTPServerRequest, _ board: inout FaultBoard, at now: Timestamp) -> Outcome {
    switch request.method {
    case "GET": return .answer(list(board))
    case "POST":
      do {
        return .began(try board.add(request.body, at: now))
      } catch {
        return .answer(refusal(error.text))
      }
    case "DELETE":
      var venue: Venue?
      if let name = request.query("venue"), name != "all" {
        guard let known = Venue(rawValue: name) else { return .answer(refusal("there is no venue \(name)")) }
        venue = known
      }
      var id: Int?
      if let text = request.query("id") {
        guard let number = Int(text) else { return .answer(refusal("there is no fault \(text)")) }
        id = number
      }
      return .ended(board.clear(venue: venue, id: id))
    default: return .answer(.json("{\"error\":\"GET, POST or DELETE\"}", status: 405))
    }
  }

  /// One fault as the board has it.
  static func answer(_ fault: Fault, _ board: FaultBoard) -> HTTPServerResponse {
    var writer = JSONWriter()
    write(board.faults.first { $0.id == fault.id } ?? fault, &writer)
    return .json(writer, status: 201)
  }

  static func refusal(_ text: String) -> HTTPServerResponse {
    var writer = JSONWriter()
    writer.object { $0.field("error", text) }
    return .json(writer, status: 400)
  }

  private static func list(_ board: FaultBoard) -> HTTPServerResponse {
    var writer = JSONWriter()
    writer.object { writer in
      writer.array("faults") { writer in for fault in board.faults { write(fault, &writer) } }
    }
    return .json(writer)
  }

  private static func write(_ fault: Fault, _ writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("id", fault.id)
      writer.field("venue", fault.venue?.rawValue ?? "all")
      writer.field("kind", fault.kind.rawValue)
      if fault.kind.valueDefault == nil { writer.null("value") } else { writer.field("value", fault.value) }
      writer.field("share_percent", fault.share)
      writer.field("path", fault.path)
      writer.field("symbol", fault.symbol)
      writer.field("active", fault.isActive)
      writer.field("started_at", fault.startedAt.description)
      if let end = fault.endsAt { writer.field("ends_at", end.description) } else { writer.null("ends_at") }
      writer.field("requests", fault.requests)
      writer.field("handshakes", fault.handshakes)
      writer.field("frames", fault.frames)
      writer.field("streams", fault.streams)
    }
  }
}
