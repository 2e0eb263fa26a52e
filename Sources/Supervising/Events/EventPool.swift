/// Listeners that share events, and the events that wait for them: a pure state machine.
///
/// Every event goes to one listener of the pool. One that is refused, or whose listener dies or breaks the protocol, goes
/// first again. When too many wait, the oldest is dropped.
package struct EventPool: Sendable {
  /// An event with its numbers.
  package struct Item: Hashable, Sendable {
    package let event: SupervisorEvent
    /// Counts all events that anybody hears.
    package let serial: Int
    /// Counts those of this pool.
    package let poolSerial: Int
  }

  /// What is to be done.
  package enum Action: Hashable, Sendable {
    /// Give the event to the listener; report what goes wrong by `notSent`.
    case send(Item, to: ProcessID)
    /// Say so: an event was dropped.
    case dropped(Item)
    /// Say so: a listener refused an event.
    case refused(Item, by: ProcessID)
    /// Say so: a listener broke the protocol.
    case broken(ProcessID)
  }

  /// The group's name.
  package let name: String
  package let specification: EventPoolSpecification
  /// What waits, the oldest first.
  package private(set) var waiting: [Item] = []
  private var listeners: [(process: ProcessID, listener: EventListener, item: Item?)] = []
  private var nextSerial = 0

  package init(name: String, specification: EventPoolSpecification) {
    self.name = name
    self.specification = specification
  }

  /// Whether it hears events of this kind.
  package func hears(_ kind: EventKind) -> Bool { specification.events.contains { kind.isKind(of: $0) } }

  /// Where a listener stands; nil where it is none of this pool.
  package func state(of process: ProcessID) -> EventListener.State? {
    index(process).map { listeners[$0].listener.state }
  }

  /// Takes an event that it hears.
  package mutating func take(_ event: SupervisorEvent, serial: Int) -> [Action] {
    let item = Item(event: event, serial: serial, poolSerial: nextSerial)
    nextSerial += 1
    let dropped = makeRoom()
    waiting.append(item)
    return dropped + dispatch()
  }

  /// A listener is being started.
  package mutating func listenerStarts(_ process: ProcessID) -> [Action] {
    guard let index = index(process) else {
      listeners.append((process, EventListener(), nil))
      return []
    }
    let actions = giveBack(index)
    listeners[index].listener.restart()
    return actions + dispatch()
  }

  /// A listener is RUNNING, so that it may get events; or is not any more.
  package mutating func listener(_ process: ProcessID, isRunning: Bool) -> [Action] {
    guard let index = index(process) else { return [] }
    listeners[index].listener.isRunning = isRunning
    return dispatch()
  }

  /// A listener has ended.
  package mutating func listenerEnded(_ process: ProcessID) -> [Action] {
    guard let index = index(process) else { return [] }
    let actions = giveBack(index)
    listeners[index].listener.restart()
    return actions + dispatch()
  }

  /// A listener has said something.
  package mutating func hear(_ bytes: [UInt8], from process: ProcessID) -> [Action] {
    guard let index = index(process) else { return [] }
    var actions: [Action] = []
    for outcome in listeners[index].listener.hear(bytes) {
      switch outcome {
      case .done: listeners[index].item = nil
      case .refused:
        if let item = listeners[index].item { actions.append(.refused(item, by: process)) }
        actions += giveBack(index)
      case .broken:
        actions.append(.broken(process))
        actions += giveBack(index)
      }
    }
    return actions + dispatch()
  }

  /// An event did not reach its listener: it waits again, until the listener is started anew or another one is ready.
  package mutating func notSent(_ process: ProcessID) -> [Action] {
    guard let index = index(process) else { return [] }
    let actions = giveBack(index)
    listeners[index].listener.isRunning = false
    return actions + dispatch()
  }

  /// An event can never reach its listener: it is given up.
  package mutating func tooLarge(_ process: ProcessID) -> [Action] {
    guard let index = index(process) else { return [] }
    listeners[index].item = nil
    listeners[index].listener.takeBack()
    return dispatch()
  }

  private func index(_ process: ProcessID) -> Int? { listeners.firstIndex { $0.process == process } }

  /// What the listener had goes first again.
  private mutating func giveBack(_ index: Int) -> [Action] {
    guard let item = listeners[index].item else { return [] }
    listeners[index].item = nil
    let dropped = makeRoom()
    waiting.insert(item, at: 0)
    return dropped
  }

  private mutating func makeRoom() -> [Action] {
    guard waiting.count >= specification.bufferMax else { return [] }
    return [.dropped(waiting.removeFirst())]
  }

  private mutating func dispatch() -> [Action] {
    var actions: [Action] = []
    while let item = waiting.first, let index = listeners.firstIndex(where: { $0.listener.canTake }) {
      waiting.removeFirst()
      listeners[index].listener.give()
      listeners[index].item = item
      actions.append(.send(item, to: listeners[index].process))
    }
    return actions
  }
}
