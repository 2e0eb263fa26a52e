internal import Daemon
internal import Web

extension Command {
  static let dashboard = Command(
    "dashboard", "Tells the dashboard's address, with the token that lets you in: keep it to yourself"
  ) { context in
    let options = try DashboardOptions(settings: context.settings)
    guard let bytes = try? readFile(context.runDirectory + "/dashboard.address", sizeMax: 1024) else {
      throw notThere(context)
    }
    var address = String(String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace })
    // Listening everywhere is no address to go to.
    if address.hasPrefix("0.0.0.0:") { address = "127.0.0.1" + address.dropFirst("0.0.0.0".count) }
    if address.hasPrefix("[::]:") { address = "[::1]" + address.dropFirst("[::]".count) }
    let request = HTTPRequest(
      url: "http://\(address)/healthz", timeoutMilliseconds: 3000, connectTimeoutMilliseconds: 2000)
    guard let answer = try? HTTPClient().sendBlocking(request), answer.status == 200 else { throw notThere(context) }
    return "http://\(address)/?token=\(try options.readToken(runDirectory: context.runDirectory))\n"
  }

  private static func notThere(_ context: ToolContext) -> ToolError {
    context.supervisor.isThere
      ? ToolError(.failed, "dashboard is not running; see `bulkhead status`")
      : ToolError.nothingRuns(context.runDirectory)
  }
}
