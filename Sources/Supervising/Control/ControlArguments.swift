internal import Daemon
internal import Web

/// Arguments by place; a missing or wrong one is a fault.
struct ControlArguments {
  private let values: [XMLRPCValue]

  init(_ values: [XMLRPCValue]) { self.values = values }

  func text(_ index: Int) throws(ControlFault) -> String {
    guard values.indices.contains(index), let text = values[index].string else {
      throw ControlFault(.incorrectParameters)
    }
    return text
  }

  func integer(_ index: Int) throws(ControlFault) -> Int {
    guard values.indices.contains(index), let number = values[index].number
    else { throw ControlFault(.incorrectParameters) }
    return number
  }

  func boolean(_ index: Int, default standard: Bool) throws(ControlFault) -> Bool {
    guard values.indices.contains(index) else { return standard }
    guard let value = values[index].flag else { throw ControlFault(.incorrectParameters) }
    return value
  }

  func array(_ index: Int) throws(ControlFault) -> [XMLRPCValue] {
    guard values.indices.contains(index), let array = values[index].array else {
      throw ControlFault(.incorrectParameters)
    }
    return array
  }

  /// A signal by name or number, which may come as a number.
  func signal(_ index: Int) throws(ControlFault) -> Int32 {
    guard values.indices.contains(index) else { throw ControlFault(.incorrectParameters) }
    let text = values[index].string ?? values[index].integer.map { String($0) } ?? ""
    guard let number = SignalNames.number(text) else { throw ControlFault(.badSignal, text) }
    return number
  }
}
