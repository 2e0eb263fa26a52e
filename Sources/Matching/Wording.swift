/// The words of titles: which mean the same, which say nothing, and which change what is asked.
enum Wording {
  /// Several words that stand for one; the longest are listed first.
  static let phrases: [(words: [String], meaning: String)] = {
    let lines = """
      united states of america=us
      federal open market committee=fed
      gross domestic product=gdp
      consumer price index=cpi
      pro football championship=superbowl
      league championship series=lcs
      both teams to score=bothscore
      new all time high=alltimehigh
      seen in public=publicly
      united states=us
      united kingdom=uk
      united nations=un
      european union=eu
      federal reserve=fed
      white house=whitehouse
      super bowl=superbowl
      prime minister=primeminister
      artificial intelligence=ai
      supreme court=scotus
      all time high=alltimehigh
      market capitalization=marketcap
      market cap=marketcap
      fully diluted valuation=fdv
      popular vote=popularvote
      electoral college=electoral
      electoral vote=electoral
      electoral votes=electoral
      sworn in=sworn
      swearing in=sworn
      step down=resign
      steps down=resign
      stepping down=resign
      first half=firsthalf
      1st half=firsthalf
      half time=firsthalf
      second half=secondhalf
      2nd half=secondhalf
      first quarter=firstquarter
      first inning=firstinning
      first round=firstround
      1st round=firstround
      second round=secondround
      2nd round=secondround
      run off=runoff
      over under=total
      o u=total
      up or down=updown
      exact score=exactscore
      correct score=exactscore
      extra time=overtime
      how high=touch
      how low=touch
      this year=
      this month=
      this week=
      """
    return lines.split(separator: "\n").map { line in
      let parts = line.split(separator: "=", omittingEmptySubsequences: false)
      return (parts[0].split(separator: " ").map(String.init), String(parts[1]))
    }
  }()

  /// Words of one meaning, the first of each line.
  static let meanings: [String: String] = {
    let lines = """
      bitcoin btc xbt
      ethereum eth ether
      solana sol
      dogecoin doge
      us usa america american
      uk britain british
      republican republicans gop rep
      democrat democratic democrats dem dems
      president presidential presidency
      election elections
      win wins winner winning won
      temperature temp temperatures
      nomin nominee nominees nominate nominates nominated nomination nominations
      inaugur inauguration inaugurated inaugural
      resign resigns resigned resignation
      impeach impeached impeachment impeaches
      convict convicted conviction convictions
      indict indicted indictment
      arrest arrested arrests
      acquit acquitted acquittal
      remov remove removed removal removes
      confirm confirmed confirmation confirms
      pardon pardoned pardons
      invade invades invasion invaded
      announce announces announced announcement
      declare declares declared declaration
      ceasefire ceasefires truce
      touch hit hits reach reaches touches touched reached dip dips dipped crash crashes
      spread spreads handicap
      total totals
      champion champions championship championships
      qualify qualifies qualified qualifiers qualifier
      advance advances advanced
      sweep sweeps
      final finals
      semifinal semifinals semis
      quarterfinal quarterfinals
      primary primaries
      firsthalf 1h halftime ht
      secondhalf 2h
      overtime ot
      draw tie tied draws
      close closes closing closed
      open opens opening opened
      average avg averages
      launch launches launched
      approve approval approves approved
      recogni recognize recognizes recognise recognised recognized
      israel israeli israelis
      iran iranian iranians
      russia russian
      ukraine ukrainian
      china chinese
      governor gubernatorial
      senate senator senatorial
      mayor mayoral
      seat seats
      cut cuts
      hike hikes
      say says said
      visit visits
      strike strikes
      meet meets meeting meetings
      leader leaders leadership
      fed fomc
      """
    var meanings: [String: String] = [:]
    for line in lines.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      for word in words { meanings[word] = words[0] }
    }
    return meanings
  }()

  /// Words that say nothing of their own.
  static let silent = Set(
    """
    a an the of to be is are was were been being do does did has have had will would shall should can could may might \
    on in at by for with from into than that this these those it its as and or if then there their his her he she they \
    who whom whose what which when where how many much any some all vs v versus et est edt ct pt utc gmt am pm \
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun x price value level \
    yes official officially race take takes place get gets got become becomes during until till through
    """.split(separator: " ").map(String.init))

  /// Words of clubs' and companies' full names, which one venue writes and the other leaves out.
  static let affixes = Set(
    "fc cf sc ac afc ssc rc as cd ud sd sv tsv vfl vfb tsg fk sk bk nk if ik club calcio de do fbc cs inc corp ltd plc"
      .split(separator: " ").map(String.init))

  /// What changes the question where one title says it alone: how an office, a game or a price is decided.
  static let keywords = Set(
    """
    popularvote electoral inaugur sworn resign impeach convict indict arrest acquit remov confirm pardon nomin primary \
    runoff firstround secondround recall ceasefire invade declare announce firsthalf secondhalf firstquarter \
    firstinning quarter period inning map set spread total bothscore exactscore corner corners card cards overtime \
    regulation qualify advance sweep final semifinal quarterfinal champion draw margin seat majority plurality turnout \
    touch alltimehigh updown close open average launch marketcap fdv mvp approve dies death assassinated
    """.split(separator: " ").map(String.init))

  /// Words that deny what follows in another way than `not`, so that who pays is not just the other side.
  static let denials = Set(
    "no never without fail fails failed neither nor none nobody nothing except unless".split(separator: " ").map(
      String.init))

  /// Words between who does and whom it is done to: their order is part of the question.
  static let relations = Set(
    """
    beat beats defeat defeats defeated over strike invade attack attacks attacked bomb bombs endorse endorses endorsed \
    before after above below than outperform outperforms fire fires sue sues pardon acquire acquires buy \
    buys visit succeed succeeds replace replaces
    """.split(separator: " ").map(String.init))

  static let months: [String: Int] = {
    let names = [
      "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
      "september sep sept", "october oct", "november nov", "december dec",
    ]
    var months: [String: Int] = [:]
    for (index, line) in names.enumerated() {
      for name in line.split(separator: " ") { months[String(name)] = index + 1 }
    }
    return months
  }()

  static let cardinals: [String: Int] = [
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12,
  ]
  static let ordinals: [String: Int] = [
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10,
  ]

  /// One word for all of its forms.
  static func stem(_ word: String) -> String {
    if let meaning = meanings[word] { return meaning }
    guard word.utf8.count > 3, word.hasSuffix("s"), !["ss", "us", "is"].contains(String(word.suffix(2))) else {
      return word
    }
    let singular = String(word.dropLast())
    return meanings[singular] ?? singular
  }

  /// The value of a Roman numeral; nil where a word is none, or is as likely an abbreviation.
  static func roman(_ word: String, isUpper: Bool) -> Int? {
    guard word.utf8.count >= (isUpper ? 2 : 3), !notNumerals.contains(word) else { return nil }
    let values: [Character: Int] = ["i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000]
    var total = 0
    var previous = 0
    for letter in word.reversed() {
      guard let value = values[letter] else { return nil }
      total += value < previous ? -value : value
      previous = max(previous, value)
    }
    return total > 0 && total < 4000 && numeral(total) == word ? total : nil
  }

  private static let notNumerals: Set = [
    "mi", "md", "dc", "cd", "di", "mc", "mm", "cc", "ci", "mix", "dim", "cv", "dix", "mid",
  ]

  private static func numeral(_ value: Int) -> String {
    var (rest, text) = (value, "")
    let parts = [
      (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
      (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
    ]
    for (part, letters) in parts {
      while rest >= part {
        text += letters
        rest -= part
      }
    }
    return text
  }
}
