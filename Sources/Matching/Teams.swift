/// The teams of four leagues: one venue names them by their city, the other by their nickname.
enum Teams {
  enum League: String, CaseIterable, Hashable {
    case nba, nfl, mlb, nhl
  }

  /// A team: what Kalshi's tickers call it, its city as Kalshi writes it, its nickname.
  struct Team: Hashable {
    var league: League
    var code: String
    var city: [String]
    var nickname: [String]

    /// One word that means it within its league.
    var key: String { "team-" + code }
  }

  /// The team that words name: by city, nickname, both, or code.
  static func team(_ words: [String], _ league: League) -> Team? { byWords[league]?[words] }

  /// The teams of a game and the leagues in which both play; nil where the two are not known as one league's teams.
  static func game(_ first: [String], _ second: [String], _ hint: League?) -> [League: (Team, Team)] {
    var games: [League: (Team, Team)] = [:]
    for league in hint.map({ [$0] }) ?? League.allCases {
      if let one = team(first, league), let two = team(second, league), one != two { games[league] = (one, two) }
    }
    return games
  }

  /// Teams by the full name, city and nickname, which is one league's alone.
  static let byFullName: [[String]: Team] = {
    var teams: [[String]: Team] = [:]
    for team in all { teams[plainCity(team) + team.nickname] = team }
    return teams
  }()

  private static let byWords: [League: [[String]: Team]] = {
    var result: [League: [[String]: Team]] = [:]
    for team in all {
      for name in [team.city, team.nickname, plainCity(team) + team.nickname, team.city + team.nickname, [team.code]] {
        result[team.league, default: [:]][name] = team
      }
    }
    return result
  }()

  /// Without the letter by which Kalshi tells teams of one city apart.
  private static func plainCity(_ team: Team) -> [String] {
    guard let last = team.city.last, last.count <= 2, team.city.count > 1 else { return team.city }
    return Array(team.city.dropLast())
  }

  private static let all: [Team] = {
    var teams: [Team] = []
    for (league, lines) in [(League.nba, nba), (.nfl, nfl), (.mlb, mlb), (.nhl, nhl)] {
      for line in lines.split(separator: "\n") {
        let parts = line.split(separator: ",").map { $0.split(separator: " ").map(String.init) }
        teams.append(Team(league: league, code: parts[0][0], city: parts[1], nickname: parts[2]))
      }
    }
    return teams
  }()

  private static let nba = """
    atl,atlanta,hawks
    bos,boston,celtics
    bkn,brooklyn,nets
    cha,charlotte,hornets
    chi,chicago,bulls
    cle,cleveland,cavaliers
    dal,dallas,mavericks
    den,denver,nuggets
    det,detroit,pistons
    gsw,golden state,warriors
    hou,houston,rockets
    ind,indiana,pacers
    lac,los angeles c,clippers
    lal,los angeles l,lakers
    mem,memphis,grizzlies
    mia,miami,heat
    mil,milwaukee,bucks
    min,minnesota,timberwolves
    nop,new orleans,pelicans
    nyk,new york,knicks
    okc,oklahoma city,thunder
    orl,orlando,magic
    phi,philadelphia,76ers
    phx,phoenix,suns
    por,portland,trail blazers
    sac,sacramento,kings
    sas,san antonio,spurs
    tor,toronto,raptors
    uta,utah,jazz
    was,washington,wizards
    """

  private static let nfl = """
    ari,arizona,cardinals
    atl,atlanta,falcons
    bal,baltimore,ravens
    buf,buffalo,bills
    car,carolina,panthers
    chi,chicago,bears
    cin,cincinnati,bengals
    cle,cleveland,browns
    dal,dallas,cowboys
    den,denver,broncos
    det,detroit,lions
    gb,green bay,packers
    hou,houston,texans
    ind,indianapolis,colts
    jax,jacksonville,jaguars
    kc,kansas city,chiefs
    lac,los angeles c,chargers
    lar,los angeles r,rams
    lv,las vegas,raiders
    mia,miami,dolphins
    min,minnesota,vikings
    ne,new england,patriots
    no,new orleans,saints
    nyg,new york g,giants
    nyj,new york j,jets
    phi,philadelphia,eagles
    pit,pittsburgh,steelers
    sea,seattle,seahawks
    sf,san francisco,49ers
    tb,tampa bay,buccaneers
    ten,tennessee,titans
    was,washington,commanders
    """

  private static let mlb = """
    az,arizona,diamondbacks
    ath,athletics,athletics
    atl,atlanta,braves
    bal,baltimore,orioles
    bos,boston,red sox
    chc,chicago c,cubs
    cws,chicago ws,white sox
    cin,cincinnati,reds
    cle,cleveland,guardians
    col,colorado,rockies
    det,detroit,tigers
    hou,houston,astros
    kc,kansas city,royals
    laa,los angeles a,angels
    lad,los angeles d,dodgers
    mia,miami,marlins
    mil,milwaukee,brewers
    min,minnesota,twins
    nym,new york m,mets
    nyy,new york y,yankees
    phi,philadelphia,phillies
    pit,pittsburgh,pirates
    sd,san diego,padres
    sea,seattle,mariners
    sf,san francisco,giants
    stl,st louis,cardinals
    tb,tampa bay,rays
    tex,texas,rangers
    tor,toronto,blue jays
    wsh,washington,nationals
    """

  private static let nhl = """
    ana,anaheim,ducks
    bos,boston,bruins
    buf,buffalo,sabres
    cgy,calgary,flames
    car,carolina,hurricanes
    chi,chicago,blackhawks
    col,colorado,avalanche
    cbj,columbus,blue jackets
    dal,dallas,stars
    det,detroit,red wings
    edm,edmonton,oilers
    fla,florida,panthers
    la,los angeles,kings
    min,minnesota,wild
    mtl,montreal,canadiens
    nsh,nashville,predators
    nj,new jersey,devils
    nyi,new york i,islanders
    nyr,new york r,rangers
    ott,ottawa,senators
    phi,philadelphia,flyers
    pit,pittsburgh,penguins
    sj,san jose,sharks
    sea,seattle,kraken
    stl,st louis,blues
    tb,tampa bay,lightning
    tor,toronto,maple leafs
    uta,utah,mammoth
    van,vancouver,canucks
    vgk,vegas,golden knights
    wsh,washington,capitals
    wpg,winnipeg,jets
    """
}
