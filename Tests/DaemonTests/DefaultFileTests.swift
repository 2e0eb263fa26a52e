import Daemon
import Foundation
import TestSupport
import Testing

/// The `supervisor.conf` that users get.
@Suite struct DefaultFileTests {
  private let path = Places.package.appending(path: "supervisor.conf").path

  @Test func `it is right as a whole`() throws {
    let file = ConfigurationFile(path: path, environment: [:])
    let (_, errors) = Settings.read(file, environment: [:])
    #expect(errors.map(\.description) == [])
  }

  @Test func `it writes out every setting with its default`() throws {
    let written = try Settings.load(path: path, environment: [:])
    let directory = FilePaths.directory(of: path)
    let empty = ConfigurationFile(text: "", path: "empty", directory: directory)
    let defaults = Settings.read(empty, environment: [:]).settings
    for (found, expected) in zip(written.all, defaults.all) {
      let name = "[\(expected.definition.section)] \(expected.definition.key)"
      #expect(found.origin.hasPrefix(path + ":"), "\(name) is not in the file")
      #expect(found.text == expected.text, "\(name)")
    }
  }

  @Test func `it says the unit of every number that has one`() throws {
    let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
    let file = ConfigurationFile(path: path, environment: [:])
    for definition in Schema.workers where !definition.unit.isEmpty {
      let entry = try #require(file.section(definition.section)?.entry(definition.key), "\(definition.key)")
      #expect(lines[entry.line - 1].contains("; \(definition.unit): "), "\(definition.key)")
    }
  }
}
