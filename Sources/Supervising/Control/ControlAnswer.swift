internal import Web

/// What a call answers: the XML of one value.
struct ControlAnswer {
  let xml: [UInt8]

  init(_ value: XMLRPCValue) {
    var writer = XMLRPCWriter()
    writer.value(value)
    xml = writer.bytes
  }

  init(_ writer: XMLRPCWriter) { xml = writer.bytes }

  static let yes = ControlAnswer(.boolean(true))
}

/// What comes of a call, now or later.
typealias ControlReply = (Result<ControlAnswer, ControlFault>) -> Void

/// What a method is: its name, how it is called, and what it does.
struct ControlMethod {
  typealias Body = (_ arguments: ControlArguments, _ reply: @escaping ControlReply) throws(ControlFault) -> Void

  /// One parameter; `type` is a word of XML-RPC's.
  struct Parameter {
    let type: String
    let name: String
    let help: String
    let isOptional: Bool

    init(_ type: String, _ name: String, _ help: String, isOptional: Bool = false) {
      self.type = type
      self.name = name
      self.help = help
      self.isOptional = isOptional
    }
  }

  let parameters: [Parameter]
  let result: String
  let help: String
  /// Whether it is done while everything ends, too.
  let isAlwaysDone: Bool
  let body: Body

  /// How many arguments there may be.
  var argumentCounts: ClosedRange<Int> { parameters.count { !$0.isOptional }...parameters.count }

  /// The types of the result and of the parameters.
  var signature: [String] { [result] + parameters.map(\.type) }

  /// The help text, with the types in the form in which supervisord's clients look for them.
  var helpText: String {
    var lines = [help, ""]
    for parameter in parameters { lines.append("@param \(parameter.type) \(parameter.name) \(parameter.help)") }
    lines.append("@return \(result) result")
    return lines.joined(separator: "\n")
  }
}
