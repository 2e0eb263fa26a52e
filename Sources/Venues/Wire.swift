internal import Market
internal import Web

/// One value of a venue's answer, read with problems that name the field.
struct Wire {
  /// The value.
  let json: JSONValue

  /// A value of a document.
  init(_ json: JSONValue) { self.json = json }

  /// The elements of this array.
  var elements: [Wire] {
    get throws(WireProblem) {
      guard json.kind == .array else { throw WireProblem("", "expected an array, found \(excerpt)") }
      return json.elements.map(Wire.init)
    }
  }

  // MARK: - Members

  /// The member, or nil where it is missing or null.
  func optional(_ name: String) throws(WireProblem) -> Wire? {
    guard json.kind == .object else { throw WireProblem("", "expected an object, found \(excerpt)") }
    guard let member = json[name], !member.isNull else { return nil }
    return Wire(member)
  }

  /// The member.
  func required(_ name: String, _ expected: String) throws(WireProblem) -> Wire {
    guard let member = try optional(name) else { throw WireProblem(name, "expected \(expected), found nothing") }
    return member
  }

  /// A member that is an array.
  func array(_ name: String) throws(WireProblem) -> [Wire] {
    let member = try required(name, "an array")
    do { return try member.elements } catch { throw error.inside(name) }
  }

  /// A member that is an array, or nil.
  func optionalArray(_ name: String) throws(WireProblem) -> [Wire]? {
    guard let member = try optional(name) else { return nil }
    do { return try member.elements } catch { throw error.inside(name) }
  }

  /// A member that is an object, or nil.
  func optionalObject(_ name: String) throws(WireProblem) -> Wire? {
    guard let member = try optional(name) else { return nil }
    guard member.json.kind == .object else { throw WireProblem(name, "expected an object, found \(member.excerpt)") }
    return member
  }

  /// A venue's own number of something, as a number or as text; nil where there is none of that kind.
  func number(_ name: String) -> Int64? {
    guard json.kind == .object, let member = json[name] else { return nil }
    return member.integer ?? member.string.flatMap { Int64($0) }
  }

  /// A member that is a string.
  func text(_ name: String) throws(WireProblem) -> String {
    let member = try required(name, "a string")
    guard let text = member.json.string else { throw WireProblem(name, "expected a string, found \(member.excerpt)") }
    return text
  }

  /// A member that is a string, or nil.
  func optionalText(_ name: String) throws(WireProblem) -> String? {
    guard try optional(name) != nil else { return nil }
    return try text(name)
  }

  /// A member that is a string which contains a JSON array of strings (Gamma writes lists so), or such an array.
  func optionalTextList(_ name: String) throws(WireProblem) -> [String]? {
    guard let member = try optional(name) else { return nil }
    var list = member
    if let text = member.json.string {
      guard !text.isEmpty else { return nil }
      do { list = Wire(try JSONDocument(text).root) } catch {
        throw WireProblem(name, "expected a JSON array in a string, found \(quotedExcerpt(text))")
      }
    }
    var texts: [String] = []
    do throws(WireProblem) {
      for (index, element) in try list.elements.enumerated() {
        guard let text = element.json.string else {
          throw WireProblem("[\(index)]", "expected a string, found \(element.excerpt)")
        }
        texts.append(text)
      }
    } catch {
      throw error.inside(name)
    }
    return texts
  }

  /// A member that is a truth value.
  func boolean(_ name: String) throws(WireProblem) -> Bool {
    let member = try required(name, "true or false")
    guard let value = member.json.bool else {
      throw WireProblem(name, "expected true or false, found \(member.excerpt)")
    }
    return value
  }

  /// A member that is a truth value, or nil.
  func optionalBoolean(_ name: String) throws(WireProblem) -> Bool? {
    guard try optional(name) != nil else { return nil }
    return try boolean(name)
  }

  /// A member that is a side, in the venue's words.
  func side(_ name: String, buy: String = "BUY", sell: String = "SELL") throws(WireProblem) -> Side {
    switch try text(name) {
    case buy: return .buy
    case sell: return .sell
    case let other: throw WireProblem(name, "expected \(buy) or \(sell), found \(quotedExcerpt(other))")
    }
  }

  // MARK: - Numbers

  /// A member that is a price, in a number or a string.
  func price(_ name: String) throws(WireProblem) -> Price {
    Price(raw: try required(name, "a decimal number").decimal(name))
  }

  /// A member that is a price, or nil where it is missing, null or an empty string.
  func optionalPrice(_ name: String) throws(WireProblem) -> Price? {
    guard let member = try optional(name), member.json.string != "" else { return nil }
    return Price(raw: try member.decimal(name))
  }

  /// A member that is a quantity, in a number or a string.
  func quantity(_ name: String) throws(WireProblem) -> Quantity {
    Quantity(raw: try required(name, "a decimal number").decimal(name))
  }

  /// A member that is a quantity, or nil where it is missing, null or an empty string.
  func optionalQuantity(_ name: String) throws(WireProblem) -> Quantity? {
    guard let member = try optional(name), member.json.string != "" else { return nil }
    return Quantity(raw: try member.decimal(name))
  }

  /// A member that is a decimal number of which the digits beyond the eighth decimal do not matter.
  func truncatedDecimal(_ name: String) throws(WireProblem) -> Int64 {
    try required(name, "a decimal number").decimal(name, truncating: true)
  }

  /// A member that is a volume: far larger than a quantity may be, and with a tail that does not matter.
  func volume(_ name: String) throws(WireProblem) -> Volume {
    try required(name, "a decimal number").volume(field: name)
  }

  /// A member that counts milliseconds since 1970.
  func milliseconds(_ name: String) throws(WireProblem) -> Timestamp {
    try required(name, "a time in milliseconds").milliseconds(field: name)
  }

  /// A member that counts seconds since 1970.
  func seconds(_ name: String) throws(WireProblem) -> Timestamp {
    try required(name, "a time in seconds").seconds(field: name)
  }

  /// A member that is an RFC 3339 time, or nil where it is missing, null or an empty string.
  func optionalTime(_ name: String) throws(WireProblem) -> Timestamp? {
    guard let text = try optionalText(name), !text.isEmpty else { return nil }
    do { return try Timestamp(rfc3339: text) } catch {
      throw WireProblem(name, "expected a time, found \(quotedExcerpt(text))")
    }
  }

  /// A member that is a price of which the digits beyond the eighth decimal do not matter.
  func truncatedPrice(_ name: String) throws(WireProblem) -> Price { Price(raw: try truncatedDecimal(name)) }

  /// A member that is a RFC 3339 time.
  func time(_ name: String) throws(WireProblem) -> Timestamp {
    guard let time = try optionalTime(name) else { throw WireProblem(name, "expected a time, found nothing") }
    return time
  }

  // MARK: - Walking

  /// Reads a member; a problem in it names it.
  func inside<Value>(
    _ name: String, _ expected: String, _ read: (Wire) throws(WireProblem) -> Value
  ) throws(WireProblem) -> Value {
    let member = try required(name, expected)
    do { return try read(member) } catch { throw error.inside(name) }
  }

  /// Reads each element of this array; a problem names its place.
  func each<Value>(_ read: (Wire) throws(WireProblem) -> Value) throws(WireProblem) -> [Value] {
    var values: [Value] = []
    for (index, element) in try elements.enumerated() {
      do throws(WireProblem) { values.append(try read(element)) } catch { throw error.inside("[\(index)]") }
    }
    return values
  }

  /// Reads each element of this array, also those after one that is bad; then a problem names the first bad one.
  func eachGood(_ read: (Wire) throws(WireProblem) -> Void) throws(WireProblem) {
    var first: WireProblem?
    for (index, element) in try elements.enumerated() {
      do throws(WireProblem) { try read(element) } catch { first = first ?? error.inside("[\(index)]") }
    }
    if let first { throw first }
  }

  // MARK: - Texts

  /// A price from text that was unpacked elsewhere.
  static func price(_ text: String, field: String) throws(WireProblem) -> Price {
    do { return try Price(text) } catch {
      throw WireProblem(field, "\(Wire.explanation(error)), found \(quotedExcerpt(text))")
    }
  }

  /// This value as a decimal in units of 10⁻⁸.
  fileprivate func decimal(_ field: String, truncating: Bool = false) throws(WireProblem) -> Int64 {
    let result: Result<Int64, DecimalError> = json.withText { bytes in
      Result { () throws(DecimalError) in
        guard let bytes else { throw DecimalError.malformed }
        return try Decimal.parse(bytes, truncating: truncating)
      }
    }
    do { return try result.get() } catch {
      throw WireProblem(field, "\(Wire.explanation(error)), found \(excerpt)")
    }
  }

  fileprivate func milliseconds(field: String) throws(WireProblem) -> Timestamp {
    guard let count = json.integer, let time = try? Timestamp(milliseconds: count) else {
      throw WireProblem(field, "expected a time in milliseconds, found \(excerpt)")
    }
    return time
  }

  fileprivate func seconds(field: String) throws(WireProblem) -> Timestamp {
    guard let count = json.integer, let time = try? Timestamp(seconds: count) else {
      throw WireProblem(field, "expected a time in seconds, found \(excerpt)")
    }
    return time
  }

  /// A time in seconds with decimals, of which those beyond the eighth do not matter.
  fileprivate func fractionalSeconds(field: String) throws(WireProblem) -> Timestamp {
    let raw: Int64
    do { raw = try decimal(field, truncating: true) } catch { raw = -1 }
    let (nanoseconds, overflow) = raw.multipliedReportingOverflow(by: 1_000_000_000 / fixedPointScale)
    guard raw >= 0, !overflow else { throw WireProblem(field, "expected a time in seconds, found \(excerpt)") }
    return Timestamp(nanoseconds: nanoseconds)
  }

  /// A volume: far larger than a quantity may be, and with a tail that does not matter.
  fileprivate func volume(field: String) throws(WireProblem) -> Volume {
    do {
      return Volume(raw: Int128(try decimal(field, truncating: true)))
    } catch {
      guard let text = json.decimalText, let volume = try? Volume(text) else { throw error }
      return volume
    }
  }

  private static func explanation(_ error: DecimalError) -> String {
    switch error {
    case .empty, .malformed: "expected a decimal number"
    case .tooLarge: "expected a number below \(Int64.max / fixedPointScale)"
    case .tooPrecise: "expected at most \(fixedPointDecimals) decimals"
    }
  }

  /// The value as an error shows it.
  var excerpt: String {
    switch json.kind {
    case .null: "null"
    case .bool: json.bool == true ? "true" : "false"
    case .number: String((json.numberText ?? "").prefix(60))
    case .string: quotedExcerpt(json.string ?? "")
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension Array<Wire> {
  /// A price at a place of a row.
  func price(_ place: Int) throws(WireProblem) -> Price { Price(raw: try self[place].decimal("[\(place)]")) }

  /// A volume at a place of a row.
  func volume(_ place: Int) throws(WireProblem) -> Volume { try self[place].volume(field: "[\(place)]") }

  /// A quantity at a place of a row.
  func quantity(_ place: Int) throws(WireProblem) -> Quantity { Quantity(raw: try self[place].decimal("[\(place)]")) }

  /// A price at a place of a row, of which the digits beyond the eighth decimal do not matter.
  func truncatedPrice(_ place: Int) throws(WireProblem) -> Price {
    Price(raw: try self[place].decimal("[\(place)]", truncating: true))
  }

  /// A string at a place of a row.
  func text(_ place: Int) throws(WireProblem) -> String {
    guard let text = self[place].json.string else {
      throw WireProblem("[\(place)]", "expected a string, found \(self[place].excerpt)")
    }
    return text
  }

  /// A count of milliseconds at a place of a row.
  func milliseconds(_ place: Int) throws(WireProblem) -> Timestamp { try self[place].milliseconds(field: "[\(place)]") }

  /// A time in seconds with decimals at a place of a row.
  func fractionalSeconds(_ place: Int) throws(WireProblem) -> Timestamp {
    try self[place].fractionalSeconds(field: "[\(place)]")
  }

  /// A count of seconds at a place of a row.
  func seconds(_ place: Int) throws(WireProblem) -> Timestamp { try self[place].seconds(field: "[\(place)]") }
}
