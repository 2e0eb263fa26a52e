internal import Daemon

extension Command {
  static let config = Command(
    "config", options: [.json], "Shows every setting: its value, its unit, and where the value came from"
  ) { context in
    var report = Report([
      .init("section", nil), .init("key", nil), .init("setting", "SETTING"), .init("value", "VALUE"),
      .init("unit", "UNIT"), .init("origin", "FROM"), .init("environment", nil), .init("meaning", nil),
    ])
    for setting in context.settings.all {
      let definition = setting.definition
      report.add([
        .text(definition.section), .text(definition.key), .text("[\(definition.section)] \(definition.key)"),
        .text(definition.isSecret && !setting.text.isEmpty ? "(not shown)" : setting.text), .text(definition.unit),
        .text(setting.origin), .text(definition.environmentName),
        .text(definition.meaning),
      ])
    }
    return context.print(report, empty: "there are no settings")
  }
}
