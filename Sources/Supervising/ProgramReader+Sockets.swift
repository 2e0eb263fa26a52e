internal import Daemon

/// Pools of event listeners, and sockets that children share.
extension ProgramReader {
  mutating func readPool(_ reader: inout SectionReader) -> EventPoolSpecification? {
    let bufferMax = reader.integer("buffer_size")
    let handler = reader.text("result_handler")
    if !handler.isEmpty, handler != "supervisor.dispatchers:default_handler",
      let entry = reader.section.entry("result_handler")
    {
      warnings.append(reader.section.error(entry, "is not known here: OK is taken as done, anything else as refused"))
    }
    if reader.boolean("redirect_stderr") {
      reader.fail("redirect_stderr", "expected false, because standard output carries the answers to events")
    }
    var events: Set<EventKind> = []
    for name in reader.words("events") {
      if let kind = EventKind(rawValue: name.uppercased()) {
        events.insert(kind)
      } else {
        reader.fail("events", "expected kinds of events such as PROCESS_STATE, found \(jsonQuoted(name))")
      }
    }
    if events.isEmpty { reader.fail("events", "expected kinds of events such as PROCESS_STATE") }
    return events.isEmpty ? nil : EventPoolSpecification(bufferMax: bufferMax, events: events)
  }

  mutating func readSocket(_ section: ConfigurationFile.Section) -> SharedSocketSpecification? {
    var reader = SectionReader(section, family: "fcgi-program:", names: setting.names)
    defer { add(reader.errors) }
    let backlog = reader.has("socket_backlog") ? reader.integer("socket_backlog") : nil
    let owner = readOwner(&reader)
    let mode = reader.integer("socket_mode")
    reader.names.texts["program_name"] = Self.name(section, family: "fcgi-program:")
    guard let text = reader.optionalText("socket") else {
      reader.fail("socket", "expected unix:///PATH or tcp://HOST:PORT")
      return nil
    }
    if text.hasPrefix("unix://") {
      let path = text.dropFirst("unix://".count)
      guard path.hasPrefix("/") else {
        reader.fail("socket", "expected an absolute path after unix://, found \(jsonQuoted(text))")
        return nil
      }
      return SharedSocketSpecification(
        address: .unix(path: FilePaths.absolute(String(path)), mode: mode, owner: owner ?? userOwner(&reader)),
        backlog: backlog)
    }
    for key in ["socket_owner", "socket_mode"] where reader.has(key) {
      reader.fail(key, "expected none, because the socket is no file")
    }
    guard let (host, port) = Self.hostAndPort(text) else {
      reader.fail("socket", "expected unix:///PATH or tcp://HOST:PORT, found \(jsonQuoted(text))")
      return nil
    }
    return SharedSocketSpecification(address: .tcp(host: host, port: port), backlog: backlog)
  }

  /// `tcp://HOST:PORT`.
  private static func hostAndPort(_ text: String) -> (String, UInt16)? {
    guard text.hasPrefix("tcp://") else { return nil }
    let parts = text.dropFirst("tcp://".count).split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains(where: \.isWhitespace),
      parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(parts[1]), port > 0
    else { return nil }
    return (parts[0].lowercased(), port)
  }

  private func readOwner(_ reader: inout SectionReader) -> SharedSocketSpecification.Owner? {
    guard reader.has("socket_owner") else { return nil }
    let text = reader.text("socket_owner")
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let group = parts.count == 2 ? setting.surroundings.group(parts[1]) : nil
    guard let user = setting.surroundings.user(parts[0]), parts.count == 1 || group != nil else {
      reader.fail("socket_owner", "expected USER or USER:GROUP of this host, found \(jsonQuoted(text))")
      return nil
    }
    return SharedSocketSpecification.Owner(uid: user.uid, gid: group)
  }

  /// A socket of children that run as somebody else belongs to them.
  private func userOwner(_ reader: inout SectionReader) -> SharedSocketSpecification.Owner? {
    guard let name = reader.optionalText("user"), let user = setting.surroundings.user(name) else { return nil }
    return SharedSocketSpecification.Owner(uid: user.uid, gid: user.gid)
  }
}
