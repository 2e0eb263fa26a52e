/// One measured figure, beside what the machine can do.
struct Figure {
  let name: String
  let value: Double
  let unit: String
  /// The floor of the same run; nil where it could not be measured.
  let limit: Double?
  let note: String

  /// Ours ÷ floor, so that 1.0 is equal.
  var ratio: Double? { limit.flatMap { $0 > 0 ? value / $0 : nil } }

  /// A figure by its repetitions: the median of ours, and of the floor's where there are any.
  init(
    _ name: String, _ unit: String, better: Better, ours: [Double], floor: [Double] = [], note: String = ""
  ) {
    self.name = name
    self.unit = unit
    value = median(ours)
    limit = floor.isEmpty ? nil : median(floor)
    let spread = ours.count > 1 ? "\(short(ours.min() ?? 0))..\(short(ours.max() ?? 0))" : ""
    self.note = [better.rawValue, spread, note].filter { !$0.isEmpty }.joined(separator: "; ")
  }

  /// Which way is better.
  enum Better: String {
    case lower = "lower is better"
    case higher = "higher is better"
  }

  /// One JSON object, in one line.
  var json: String {
    func number(_ value: Double?) -> String { value.map { $0.isFinite ? short($0) : "null" } ?? "null" }
    return "{\"name\":\(quoted(name)),\"value\":\(number(value)),\"unit\":\(quoted(unit)),"
      + "\"limit\":\(number(limit)),\"ratio\":\(number(ratio)),\"note\":\(quoted(note))}"
  }

  /// One row of the table.
  var row: String {
    padded(name, 34) + padded(short(value), -12) + " " + padded(unit, 10)
      + padded(limit.map(short) ?? "-", -12) + padded(ratio.map { fixed($0, 2) } ?? "-", -8) + "  " + note
  }

  /// What stands above the rows.
  static var head: String {
    padded("figure", 34) + padded("value", -12) + " " + padded("unit", 10) + padded("limit", -12)
      + padded("ratio", -8) + "  note"
  }
}

/// A JSON string.
private func quoted(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": out += "\\\(scalar)"
    case _ where scalar.value < 0x20: out += " "
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}

/// Blanks up to a width; a negative one puts them in front.
private func padded(_ text: String, _ width: Int) -> String {
  let blanks = String(repeating: " ", count: max(0, abs(width) - text.count))
  return width < 0 ? blanks + text : text + blanks
}
