/// One command of the tool: how it is called, and what it does.
package struct Command: Sendable {
  /// An option of a command.
  package struct Option: Sendable {
    /// Its names, the first of which is asked for.
    package let names: [String]
    /// What its value is called in the help; nil for a switch.
    package let value: String?
    /// What it is for.
    package let meaning: String

    package init(_ names: [String], value: String? = nil, _ meaning: String) {
      self.names = names
      self.value = value
      self.meaning = meaning
    }
  }

  /// Its name.
  package let name: String
  /// What may follow the name, for the help.
  package let operands: String
  /// How many operands it takes.
  package let operandCount: ClosedRange<Int>
  /// Its own options.
  package let options: [Option]
  /// What it does, in one line.
  package let summary: String
  /// Does it; what it returns is printed.
  package let run: @Sendable (ToolContext) throws -> String

  package init(
    _ name: String, operands: String = "", count: ClosedRange<Int> = 0...0, options: [Option] = [], _ summary: String,
    run: @escaping @Sendable (ToolContext) throws -> String
  ) {
    self.name = name
    self.operands = operands
    operandCount = count
    self.options = options
    self.summary = summary
    self.run = run
  }

  /// Options that every command takes.
  static let commonOptions = [
    Option(["-c", "--config"], value: "FILE", "the configuration; BULKHEAD_CONF or ./supervisor.conf otherwise"),
    Option(["-h", "--help"], "this text"),
  ]

  /// How it is called, in one line.
  package var usage: String {
    var text = "bulkhead " + name
    if !operands.isEmpty { text += " " + operands }
    for option in options { text += " [" + option.names[0] + (option.value.map { " " + $0 } ?? "") + "]" }
    return text
  }
}

/// A command line, taken apart.
package struct Invocation: Sendable {
  /// The command.
  package let command: Command
  /// What follows it and is no option.
  package let operands: [String]
  private let values: [String: String]
  private let switches: Set<String>

  /// Reads a command line.
  ///
  /// Options may stand before or after the operands, as `--limit 5` or `--limit=5`; `--` ends them.
  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - commands: those that there are.
  /// - Returns: the invocation.
  /// - Throws: `ToolError` of usage.
  package static func parse(_ arguments: [String], commands: [Command]) throws(ToolError) -> Invocation {
    // `bulkhead -c FILE status` reads as naturally as `bulkhead status -c FILE`.
    var leading: [String] = []
    var rest = arguments[...]
    while let argument = rest.first, argument == "-c" || argument == "--config", rest.count > 1 {
      leading += rest.prefix(2)
      rest = rest.dropFirst(2)
    }
    let name = rest.popFirst() ?? "help"
    let alias = ["-h": "help", "--help": "help", "--version": "version"][name] ?? name
    guard let command = commands.first(where: { $0.name == alias }) else {
      throw .usage("there is no command \(name)")
    }
    return try Invocation(command, leading + rest)
  }

  private init(_ command: Command, _ arguments: [String]) throws(ToolError) {
    var operands: [String] = []
    var values: [String: String] = [:]
    var switches: Set<String> = []
    var rest = arguments[...]
    var isOptionEnd = false
    while let argument = rest.popFirst() {
      guard !isOptionEnd, argument.hasPrefix("-"), argument != "-" else {
        operands.append(argument)
        continue
      }
      if argument == "--" {
        isOptionEnd = true
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let known = (command.options + Command.commonOptions).first { $0.names.contains(String(parts[0])) }
      guard let option = known else { throw .usage("\(command.name) has no option \(parts[0])") }
      if option.value == nil {
        guard parts.count == 1 else { throw .usage("\(parts[0]) takes no value") }
        switches.insert(option.names[0])
      } else {
        guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
          throw .usage("expected a value after \(argument)")
        }
        values[option.names[0]] = value
      }
    }
    let range = command.operandCount
    guard switches.contains("-h") || range.contains(operands.count) else {
      throw .usage(
        operands.count > range.upperBound
          ? "\(command.name) does not know what to do with \(operands[range.upperBound])"
          : "expected \(command.usage)")
    }
    self.command = command
    self.operands = operands
    self.values = values
    self.switches = switches
  }

  /// Whether a switch was given, by its first name.
  package func has(_ name: String) -> Bool { switches.contains(name) }

  /// The value of an option, by its first name; nil where it was not given.
  package func value(_ name: String) -> String? { values[name] }

  /// The value of an option that is a whole number; nil where it was not given.
  ///
  /// - Throws: `ToolError` of usage where it is no number, or outside of the range.
  package func integer(_ name: String, in range: ClosedRange<Int>) throws(ToolError) -> Int? {
    guard let text = values[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .usage("expected a number from \(range.lowerBound) to \(range.upperBound) after \(name), found \(text)")
    }
    return value
  }
}
