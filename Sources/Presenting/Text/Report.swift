package import Market
package import Web

/// One value of a report: exact for programs, rounded for people.
package enum Cell: Sendable {
  case text(String)
  case integer(Int64)
  /// A fixed-point value in units of 10⁻⁸, and how many decimals people see.
  case decimal(Int64, shown: Int)
  /// A floating-point number, and how many decimals people see.
  case number(Double, shown: Int)
  /// A share: a plain number for programs, per cent for people.
  case share(Double)
  /// Seconds: a plain number for programs, a duration for people.
  case seconds(Double)
  case boolean(Bool)
  case time(Timestamp)
  /// An id: whole for programs, shortened for people.
  case id(String)
  case none

  /// For people.
  package var shown: String {
    switch self {
    case .text(let text): text
    case .integer(let value): String(value)
    case .decimal(let raw, let decimals): Figures.decimal(raw, decimals)
    case .number(let value, let decimals): Figures.decimal(value, decimals)
    case .share(let share): Figures.percent(share)
    case .seconds(let seconds): Figures.duration(seconds: seconds)
    case .boolean(let value): value ? "yes" : "no"
    case .time(let time): time.description
    case .id(let id): Figures.short(id)
    case .none: "–"
    }
  }

  /// For programs.
  package func write(_ writer: inout JSONWriter) {
    switch self {
    case .text(let text), .id(let text): writer.value(text)
    case .integer(let value): writer.value(value)
    case .decimal(let raw, _): writer.value(number: Decimal.format(raw))
    case .number(let value, _), .share(let value), .seconds(let value):
      if value.isFinite { writer.value(number: "\(value)") } else { writer.null() }
    case .boolean(let value): writer.value(value)
    case .time(let time): writer.value(time.description)
    case .none: writer.null()
    }
  }
}

/// Rows of named values, as a table or as a JSON array of objects.
package struct Report: Sendable {
  /// One column.
  package struct Column: Sendable {
    /// Its name in JSON.
    package let key: String
    /// Its title in a table; nil where only programs see it.
    package let title: String?
    /// Whether it stands at the right of its column.
    package let isNumber: Bool

    /// A column by its names.
    package init(_ key: String, _ title: String?, isNumber: Bool = false) {
      self.key = key
      self.title = title
      self.isNumber = isNumber
    }
  }

  /// The columns.
  package let columns: [Column]
  /// The rows, each with a value for each column.
  package private(set) var rows: [[Cell]] = []

  /// A report without rows.
  package init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row.
  package mutating func add(_ cells: [Cell]) {
    precondition(cells.count == columns.count, "a row of \(cells.count) values for \(columns.count) columns")
    rows.append(cells)
  }

  /// The rows as a JSON array of objects.
  package func write(_ writer: inout JSONWriter) {
    writer.array { writer in
      for row in rows {
        writer.object { writer in
          for (column, cell) in zip(columns, row) {
            writer.key(column.key)
            cell.write(&writer)
          }
        }
      }
    }
  }

  /// The rows as JSON text with a newline.
  package var json: String {
    var writer = JSONWriter()
    write(&writer)
    return writer.text + "\n"
  }

  /// The rows as an aligned table with a line of titles.
  ///
  /// - Parameters:
  ///   - empty: what is said instead where there are no rows.
  ///   - detail: lines below a row, by its number.
  /// - Returns: lines, each with its newline.
  package func table(empty: String, detail: (Int) -> [String] = { _ in [] }) -> String {
    guard !rows.isEmpty else { return empty + "\n" }
    let shown = columns.indices.filter { columns[$0].title != nil }
    let titles = shown.map { columns[$0].title ?? "" }
    let texts = rows.map { row in shown.map { row[$0].shown } }
    let widths = shown.indices.map { place in texts.reduce(titles[place].count) { max($0, $1[place].count) } }
    func line(_ cells: [String]) -> String {
      var text = ""
      for (place, cell) in cells.enumerated() {
        let blanks = String(repeating: " ", count: widths[place] - cell.count)
        text += columns[shown[place]].isNumber ? blanks + cell : cell + blanks
        if place < cells.count - 1 { text += "  " }
      }
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }
    var result = line(titles)
    for (number, row) in texts.enumerated() {
      result += line(row)
      for extra in detail(number) { result += extra + "\n" }
    }
    return result
  }
}
