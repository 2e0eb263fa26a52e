internal import Market

/// Numbers as people read them.
enum Figures {
  /// A fixed-point value with a fixed number of decimals, rounded half away from zero.
  static func decimal(_ raw: Int64, _ decimals: Int) -> String {
    let (unit, width) = (pow10(fixedPointDecimals - decimals), decimals)
    let rounded = (raw.magnitude + unit / 2) / unit
    let scale = pow10(width)
    let whole = rounded / scale
    let sign = raw < 0 && rounded > 0 ? "-" : ""
    guard width > 0 else { return sign + grouped(whole) }
    let fraction = String(rounded % scale)
    return sign + grouped(whole) + "." + String(repeating: "0", count: width - fraction.count) + fraction
  }

  /// The same with its sign, a plus too.
  static func signed(_ raw: Int64, _ decimals: Int) -> String {
    let text = decimal(raw, decimals)
    return text.hasPrefix("-") ? text : "+" + text
  }

  /// A floating-point value with a fixed number of decimals; a dash where it is no number.
  static func decimal(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 9e9 else { return "–" }
    return decimal(Int64((value * Double(fixedPointScale)).rounded()), decimals)
  }

  /// `1,203,004`.
  static func grouped(_ value: some BinaryInteger) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (offset, digit) in digits.enumerated() {
      if offset > 0, (digits.count - offset) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "-" + text : text
  }

  /// A share such as 0.0123 as `1.23 %`.
  static func percent(_ share: Double) -> String { decimal(share * 100, 2) + " %" }

  /// `0:42`, `12:05`, `3:00:00`, `2 d 3:00:00`.
  static func duration(seconds: Double) -> String {
    let total = Int64(max(0, min(seconds, 1e12)))
    func pad(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let clock = "\(pad(total / 60 % 60)):\(pad(total % 60))"
    if total < 3600 { return "\(total / 60):\(pad(total % 60))" }
    let hours = "\(total / 3600 % 24):\(clock)"
    return total < 86_400 ? hours : "\(total / 86_400) d \(hours)"
  }

  /// Nanoseconds as `0.42 ms`, `12.3 ms`, `1,204 ms`.
  static func milliseconds(_ nanoseconds: Int64) -> String {
    let value = Double(nanoseconds) / 1e6
    return decimal(value, value < 10 ? 2 : value < 100 ? 1 : 0) + " ms"
  }

  /// `1 restart`, `2 restarts`.
  static func count(_ number: Int, _ noun: String) -> String {
    "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
  }

  /// A long id, such as a token's 78 digits, as its first six and last four characters.
  static func short(_ id: String) -> String { id.count <= 24 ? id : "\(id.prefix(6))…\(id.suffix(4))" }

  /// A text cut to a width.
  static func cut(_ text: String, _ width: Int) -> String {
    text.count <= width ? text : "\(text.prefix(width - 1))…"
  }

  private static func pow10(_ exponent: Int) -> UInt64 { (0..<exponent).reduce(1) { value, _ in value * 10 } }
}
