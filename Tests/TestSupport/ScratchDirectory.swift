internal import Foundation

/// A directory of its own under /tmp, with a path short enough for a socket's; removed when the value goes away.
public final class ScratchDirectory: Sendable {
  /// Where it is.
  public let path: String

  /// Makes one.
  public init() {
    var template = Array("/tmp/bh.XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "mkdtemp")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path of a file in it.
  public func file(_ name: String) -> String { path + "/" + name }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
