internal import Daemon
internal import Web

/// Arguments by place; a missing or wrong one is a fault.
struct ControlArguments {
  private let values: [XMLRPCValue]

  init(_ values: [XMLRPCValue]) { self.values = values }

  private subscript(index: Int) -> XMLRPCValue? { values.indices.contains(index) ? values[index] : nil }

  func text(_ index: Int) throws(ControlFault) -> String {
    guard let text = self[index]?.string else { throw ControlFault(.incorrectParameters) }
    return text
  }

  /// A text, or bytes.
  func bytes(_ index: Int) throws(ControlFault) -> [UInt8] {
    switch self[index] {
    case .string(let text): return Array(text.utf8)
    case .base64(let bytes): return bytes
    case .integer(let number): throw ControlFault(.incorrectParameters, String(number))
    default: throw ControlFault(.incorrectParameters)
    }
  }

  /// A number; clients send texts and fractions, too.
  func integer(_ index: Int) throws(ControlFault) -> Int {
    switch self[index] {
    case .integer(let number): return Int(clamping: number)
    case .boolean(let flag): return flag ? 1 : 0
    case .double(let number):
      guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw ControlFault(.incorrectParameters) }
      return whole
    case .string(let text):
      let trimmed = text.drop { $0.isWhitespace }
      guard let end = trimmed.lastIndex(where: { !$0.isWhitespace }), let number = Int(trimmed[...end]) else {
        throw ControlFault(.incorrectParameters)
      }
      return number
    default: throw ControlFault(.incorrectParameters)
    }
  }

  /// A truth value: what is empty or nought is false.
  func boolean(_ index: Int, default standard: Bool) -> Bool {
    switch self[index] {
    case nil: standard
    case .boolean(let flag): flag
    case .integer(let number): number != 0
    case .double(let number): number != 0
    case .string(let text), .dateTime(let text): !text.isEmpty
    case .base64(let bytes): !bytes.isEmpty
    case .array(let elements): !elements.isEmpty
    case .structure(let members): !members.isEmpty
    case .null: false
    }
  }

  func array(_ index: Int) throws(ControlFault) -> [XMLRPCValue] {
    guard let array = self[index]?.array else { throw ControlFault(.incorrectParameters) }
    return array
  }

  /// A signal as it was told: a name, or a number that may come as a text.
  func signalText(_ index: Int) throws(ControlFault) -> String {
    switch self[index] {
    case .string(let text): return text
    case .integer(let number): return String(number)
    default: throw ControlFault(.incorrectParameters)
    }
  }

  /// The number of a signal.
  static func signal(_ text: String) throws(ControlFault) -> Int32 {
    guard let number = SignalNames.number(text) else { throw ControlFault(.badSignal, text) }
    return number
  }
}
