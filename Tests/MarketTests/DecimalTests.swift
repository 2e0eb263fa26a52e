import Foundation
import Market
import TestSupport
import Testing

struct DecimalTests {
  @Test(arguments: [
    ("0", 0), ("-0", 0), ("0.48", 48_000_000), (".48", 48_000_000), ("-.5", -50_000_000), ("5.", 500_000_000),
    ("1000", 100_000_000_000), ("-3.5", -350_000_000), ("1e-7", 10), ("6.5E-7", 65), ("1e2", 10_000_000_000),
    ("1E+2", 10_000_000_000), ("-2e-8", -2), ("0.000000010000000000000000000", 1), ("00012.50", 1_250_000_000),
    ("92233720368.54775807", Int64.max), ("-92233720368.54775807", -Int64.max), ("0e99", 0),
  ])
  func `a decimal text is read exactly`(text: String, raw: Int64) throws {
    #expect(try Price(text).raw == raw)
  }

  @Test(arguments: [
    ("", DecimalError.empty), ("-", .malformed), (".", .malformed), ("+1", .malformed), ("1.2.3", .malformed),
    ("1e", .malformed), ("1e-", .malformed), ("e5", .malformed), ("1e1234", .malformed), ("1,5", .malformed),
    (" 1", .malformed), ("1 ", .malformed), ("0x10", .malformed), ("NaN", .malformed), ("Infinity", .malformed),
    ("٣", .malformed), ("1é", .malformed), ("0.123456789", .tooPrecise), ("1e-9", .tooPrecise),
    ("0.000000001", .tooPrecise), ("1.0000000000000000000001", .tooPrecise), ("92233720368.54775808", .tooLarge),
    ("-92233720368.54775808", .tooLarge), ("92233720369", .tooLarge), ("1e11", .tooLarge), ("1e999", .tooLarge),
    ("99999999999999999999999", .tooLarge), ("99999999999999999999.5", .tooLarge),
    ("92233720368.547758087", .tooLarge),
  ])
  func `a text that is no number of ours is refused with its reason`(text: String, error: DecimalError) {
    #expect(throws: error) { try Quantity(text) }
  }

  @Test func `statistics are cut after the eighth decimal, and not rounded`() throws {
    func cut(_ text: String) throws -> Int64 {
      try Array(text.utf8).withUnsafeBytes { try Decimal.parse($0, truncating: true) }
    }
    #expect(try cut("0.123456789") == 12_345_678)
    #expect(try cut("-0.999999999") == -99_999_999)
    #expect(try cut("4520.390000000000000100044") == 452_039_000_000)
    #expect(try cut("9.2233720368547758087999") == 922_337_203)
    #expect(try cut("1e-30") == 0)
  }

  @Test func `printing is the shortest text`() {
    #expect(Price(raw: 48_000_000).description == "0.48")
    #expect(Price(raw: 1).description == "0.00000001")
    #expect(Price(raw: -1_200_000_000).description == "-12")
    #expect(Price(raw: 100_000_000_001).description == "1000.00000001")
    #expect(Price(raw: 0).description == "0")
    #expect(Price(raw: Int64.max).description == "92233720368.54775807")
    #expect(Price(raw: Int64.min).description == "-92233720368.54775808")
  }

  @Test func `what is printed is read back`() throws {
    var random = SeededRandom(seed: 1)
    for _ in 0..<100_000 {
      let raw = Int64(truncatingIfNeeded: random.next()) >> Int64.random(in: 0...62, using: &random)
      guard raw != Int64.min else { continue }
      #expect(try Money(Money(raw: raw).description).raw == raw)
    }
  }

  @Test func `random texts agree with Foundation's decimals, and never crash`() throws {
    var random = SeededRandom(seed: 2)
    let letters = Array("0123456789012345678901234567890.-eE+")
    for _ in 0..<100_000 {
      let length = Int.random(in: 1...24, using: &random)
      let text = String((0..<length).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
      guard let raw = try? Price(text).raw else { continue }
      guard let value = Foundation.Decimal(string: text, locale: Locale(identifier: "C")) else { continue }
      #expect(value * 100_000_000 == Foundation.Decimal(raw), "\(text)")
    }
  }

  @Test(arguments: [
    ("1313200.01340410", "1313200.0134041"), ("0", "0"), (".5", "0.5"), ("7.", "7"),
    ("123456789012345678901234567890.123456789", "123456789012345678901234567890.12345678"),
  ])
  func `a volume holds what no quantity does`(text: String, printed: String) throws {
    #expect(try Volume(text).description == printed)
  }

  @Test(arguments: [
    ("", DecimalError.empty), (".", .malformed), ("-1", .malformed), ("1e5", .malformed), ("1.2.3", .malformed),
    ("1.éééééééé", .malformed), ("1.😀😀😀😀😀😀😀😀", .malformed), ("٣", .malformed),
    ("1234567890123456789012345678901", .tooLarge),
  ])
  func `a text that is no volume is refused`(text: String, error: DecimalError) {
    #expect(throws: error) { try Volume(text) }
  }
}
