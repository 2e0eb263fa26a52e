/// The words that the questions of the simulated venue are made of.
enum Phrases {
  /// A kind of question with its fee.
  struct Topic: Sendable {
    let category: String
    let fees: FeeKind
    let subjects: [String]
    let claims: [String]
  }

  static let topics: [Topic] = [
    Topic(
      category: "Politics", fees: .politics,
      subjects: ["Andersson", "Baptiste", "Carvalho", "Dimitrov", "Eriksen", "Fontaine", "Grimaldi", "Hoffmann"],
      claims: ["win the nomination", "leave office", "sign the treaty", "call an early election"]),
    Topic(
      category: "Sports", fees: .sports,
      subjects: ["Harbour City", "Northfield", "Eastvale", "Redcliff", "Lakeside", "Stonebridge", "Westmoor"],
      claims: ["win the cup", "reach the final", "win the opening match", "finish in the top four"]),
    Topic(
      category: "Economics", fees: .economics,
      subjects: ["The central bank", "Inflation", "Unemployment", "The ten-year yield", "Industrial output"],
      claims: ["rise at the next reading", "fall below the forecast", "set a new high", "stay unchanged"]),
    Topic(
      category: "Finance", fees: .finance,
      subjects: ["Meridian Motors", "Atlas Semiconductors", "Polar Foods", "Quantum Freight", "Sirius Software"],
      claims: ["close above its target", "announce a merger", "beat earnings", "list in the spring"]),
    Topic(
      category: "Crypto", fees: .crypto,
      subjects: ["Bitcoin", "Ethereum", "Solana"],
      claims: ["close the month higher", "set a new high", "trade above its average"]),
    Topic(
      category: "Culture", fees: .none,
      subjects: ["The Long Winter", "Blue Meridian", "Paper Lanterns", "Two Rivers", "The Quiet Engine"],
      claims: ["win best picture", "top the charts", "be renewed", "break the opening record"]),
  ]

  static let contests = [
    "Governing council election", "League champion", "Best film award", "Rate decision", "Next prime minister",
    "Grand prix winner", "Tournament top scorer", "Album of the year", "Mayoral race", "Party leadership",
  ]

  static let givenNames = [
    "Alva", "Bruno", "Clara", "Davor", "Elin", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Luis", "Mira",
    "Nils", "Oriol", "Petra", "Quentin", "Rosa", "Stefan", "Tuva", "Ulrich", "Vera", "Wanda", "Yusuf", "Zora",
  ]

  static let familyNames = [
    "Abel", "Berger", "Costa", "Duarte", "Engel", "Ferro", "Gallo", "Holm", "Ivers", "Jansen", "Keller", "Lund",
    "Marek", "Novak", "Olsen", "Pinto", "Quist", "Ravel", "Santos", "Toth", "Urban", "Vidal", "Weiss", "Zimmer",
  ]

  /// A text as part of an address: lower case, words joined by hyphens.
  static func slug(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case 0x41...0x5A: result.unicodeScalars.append(Unicode.Scalar(byte + 32))
      case 0x61...0x7A, 0x30...0x39: result.unicodeScalars.append(Unicode.Scalar(byte))
      default: if !result.isEmpty, result.last != "-" { result += "-" }
      }
    }
    while result.last == "-" { result.removeLast() }
    return result
  }
}
