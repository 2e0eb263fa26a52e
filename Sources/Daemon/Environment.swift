internal import CLinux

/// The variables that the process was started with.
public enum Environment {
  /// All of them, by name.
  public static var current: [String: String] {
    var result: [String: String] = [:]
    guard var next = bh_environ() else { return result }
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        result[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return result
  }
}
