internal import Market
internal import Web

/// How venues say that a request is refused.
enum FaultAnswers {
  /// The answer instead of the truth.
  /// - Parameters:
  ///   - kind: `status`, `rateLimit`, `ownLimit`, `pause` or `ban`.
  ///   - value: the status, or the seconds to wait.
  ///   - venue: whose words.
  ///   - now: for the end of a ban.
  ///   - target: what was asked for.
  /// - Returns: the answer.
  static func answer(_ kind: FaultKind, _ value: Int64, _ venue: Venue, _ now: Timestamp, target: String = "")
    -> HTTPServerResponse
  {
    switch kind {
    case .rateLimit:
      var answer = refusal(429, venue, "too many requests")
      answer.headers["Retry-After"] = "\(value)"
      return answer
    case .ban:
      var answer = refusal(
        418, venue, "Way too much request weight used; IP banned until \(now.milliseconds + value * 1000).")
      answer.headers["Retry-After"] = "\(value)"
      return answer
    case .ownLimit: return ownLimit(venue, now)
    case .pause:
      return isExchangeStatus(target)
        ? .json("{\"exchange_active\":true,\"trading_active\":false}") : refusal(503, venue, "trading is paused")
    default: return refusal(Int(value), venue, text(Int(value)))
    }
  }

  /// Whether a request is an order, or asks whether orders are taken.
  static func isOfTrading(_ target: String) -> Bool {
    let path = target.prefix { $0 != "?" }
    return ["/clob/order", "/clob/orders", "/portfolio/events/orders"].contains { path.hasSuffix($0) }
      || isExchangeStatus(target)
  }

  /// Whether a request asks Kalshi how it is.
  static func isExchangeStatus(_ target: String) -> Bool { target.prefix { $0 != "?" }.hasSuffix("/exchange/status") }

  private static func text(_ status: Int) -> String {
    switch status {
    case 400: "Bad request"
    case 401, 403: "Unauthorized"
    case 404: "NotFound"
    case 425: "Too Early"
    case 429: "too many requests"
    case 451: "Service unavailable from a restricted location"
    case 500: "Internal server error"
    case 502: "Bad gateway"
    case 503: "Service unavailable"
    case 504: "Gateway timeout"
    default: "error"
    }
  }

  private static func ownLimit(_ venue: Venue, _ now: Timestamp) -> HTTPServerResponse {
    switch venue {
    case .kraken: return KrakenRoutes.refusal("EAPI:Rate limit exceeded")
    case .bybit:
      var answer = HTTPServerResponse.json(
        "{\"retCode\":10006,\"retMsg\":\"Too many visits!\",\"result\":{},\"retExtInfo\":{},\"time\":\(now.milliseconds)}"
      )
      answer.headers["X-Bapi-Limit"] = "120"
      answer.headers["X-Bapi-Limit-Status"] = "0"
      answer.headers["X-Bapi-Limit-Reset-Timestamp"] = "\(now.milliseconds + 1000)"
      return answer
    default: return refusal(429, venue, "too many requests")
    }
  }

  private static func refusal(_ status: Int, _ venue: Venue, _ text: String) -> HTTPServerResponse {
    switch venue {
    case .polymarket: return .clobError(text, status: status)
    case .kalshi:
      guard status != 429 else { return .json("{\"error\":\"\(text)\"}", status: status) }
      return .json(
        "{\"error\":{\"code\":\"\(status == 404 ? "not_found" : "service_error")\",\"message\":\"\(text)\"}}",
        status: status)
    case .binance:
      let code = status == 429 || status == 418 ? -1003 : status == 404 ? -1121 : status < 500 ? -1100 : -1000
      return BinanceRoutes.refusal(code, text, status: status)
    case .coinbase: return .json("{\"message\":\"\(text)\"}", status: status)
    case .kraken:
      return .text("<html><body><h1>\(status) \(text)</h1></body></html>", status: status, type: "text/html")
    case .okx:
      return OKXRoutes.refusal(status == 429 ? "50011" : status < 500 ? "51000" : "50001", text, status: status)
    case .bybit: return .text("{\"message\":\"\(text)\"}", status: status, type: "application/json")
    case .coingecko:
      return .json("{\"status\":{\"error_code\":\(status),\"error_message\":\"\(text)\"}}", status: status)
    }
  }
}
