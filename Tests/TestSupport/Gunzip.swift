public import Foundation

/// What `gzip -dc` makes of a file.
///
/// - Parameter file: a compressed file.
/// - Returns: its content, or nil where gzip refuses it.
/// - Throws: where gzip cannot be started or read.
public func gunzip(_ file: URL) throws -> Data? {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = ["gzip", "-dc", file.path]
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  return process.terminationStatus == 0 ? data : nil
}
