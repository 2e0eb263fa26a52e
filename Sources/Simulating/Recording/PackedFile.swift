internal import CZlib
package import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Files of recorded data, packed by gzip or plain.
package enum PackedFile {
  /// The longest file that is read, unpacked.
  static let bytesMax = 1 << 30

  /// Reads a whole file and unpacks it where it is packed.
  ///
  /// The corresponding C functions are `gzopen` and `gzread`, which read plain files as they are.
  /// - Returns: the unpacked bytes.
  /// - Throws: `SystemError`.
  package static func read(_ path: String) throws(SystemError) -> [UInt8] {
    guard let file = gzopen(path, "rb") else { throw SystemError.last("gzopen \(path)") }
    defer { gzclose(file) }
    gzbuffer(file, 1 << 18)
    var bytes: [UInt8] = []
    let step = 1 << 20
    while true {
      let start = bytes.count
      guard start <= bytesMax else { throw SystemError("read \(path)", code: EFBIG) }
      bytes.append(contentsOf: repeatElement(0, count: step))
      let count = bytes.withUnsafeMutableBytes { buffer in
        gzread(file, buffer.baseAddress.map { $0 + start }, UInt32(step))
      }
      guard count >= 0 else { throw SystemError("gzread \(path)", code: EIO) }
      bytes.removeLast(step - Int(count))
      if count == 0 { return bytes }
    }
  }
}
