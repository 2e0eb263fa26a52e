internal import Synchronization
internal import Web

/// Notes which members the answers of a venue have, while a check of their shape is under way.
///
/// It belongs to the task that makes the check: requests of other tasks are not looked at.
final class ShapeRecorder: Sendable {
  @TaskLocal static var current: ShapeRecorder?

  /// A venue that invents names is not to fill the memory.
  private static let namesMax = 5000
  /// Members whose own members bear any name.
  private static let freeForm: Set<String> = ["custom_strike"]
  private let names = Mutex<[String: Set<String>]>([:])

  /// Notes the members of an answer, at any depth.
  func note(_ kind: String, _ wire: Wire) {
    var found: Set<String> = []
    ShapeRecorder.collect(wire.json, into: &found)
    names.withLock { $0[kind, default: []].formUnion(found) }
  }

  /// The names of members that answers of a kind had.
  func names(of kind: String) -> Set<String> { names.withLock { $0[kind] ?? [] } }

  private static func collect(_ value: JSONValue, into found: inout Set<String>) {
    guard found.count < namesMax else { return }
    switch value.kind {
    case .object:
      for (name, member) in value.members {
        found.insert(String(name.prefix(80)))
        if !freeForm.contains(name) { collect(member, into: &found) }
      }
    case .array: for element in value.elements { collect(element, into: &found) }
    default: break
    }
  }
}
