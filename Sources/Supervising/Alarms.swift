/// What is to be done at some time, beside the deadlines of processes; times are nanoseconds of the monotonic clock.
struct Alarms {
  private var entries: [String: (due: Int64, action: () -> Void)] = [:]

  /// When the next one is due; nil where there is none.
  var deadline: Int64? { entries.values.map(\.due).min() }

  /// Sets an alarm, in the place of the one of that name; nil: no longer.
  mutating func set(_ name: String, at due: Int64?, _ action: @escaping () -> Void) {
    entries[name] = due.map { ($0, action) }
  }

  /// Takes out those whose time has come, earliest first.
  mutating func takeDue(now: Int64) -> [() -> Void] {
    guard entries.contains(where: { $0.value.due <= now }) else { return [] }
    let due = entries.filter { $0.value.due <= now }
    for name in due.keys { entries[name] = nil }
    return due.values.sorted { $0.due < $1.due }.map(\.action)
  }
}
