import Bus
import Supervising
import Testing

/// A plan with the processes that a shell would keep for it.
private struct Stage {
  var plan: ScalePlan
  var present: Set<Int>
  var up: Set<Int>
  var now: Int64 = 0
  var done: [ScalePlan.Action] = []

  init(count: Int, isSharded: Bool = true) {
    plan = ScalePlan(
      program: "p", count: count, generation: 10, limitNanoseconds: 60_000_000_000, overlapNanoseconds: 1_000_000_000)
    present = Set(0..<count)
    up = present
    if isSharded { _ = plan.declared() }
  }

  private var view: ScalePlan.View { ScalePlan.View(present: present, up: up) }

  /// Does what a shell does at once: processes come when they are started.
  private mutating func perform(_ actions: [ScalePlan.Action]) {
    done += actions
    for case .start(let indices) in actions {
      present.formUnion(indices)
      up.formUnion(indices)
    }
  }

  mutating func request(_ count: Int) { perform(plan.request(count, generation: 20, view, now: now)) }

  mutating func confirm(_ shards: [Int], _ phase: ShardPlan.Phase, generation: UInt64? = nil) {
    for shard in shards {
      perform(plan.confirm(shard, generation: generation ?? plan.generation, phase: phase, view, now: now))
    }
  }

  mutating func die(_ shard: Int) { perform(plan.lost(shard, view, now: now)) }

  mutating func pass(_ seconds: Int64) {
    now += seconds * 1_000_000_000
    perform(plan.passTime(view, now: now))
  }

  mutating func remove(_ shards: [Int]) {
    present.subtract(shards)
    up.subtract(shards)
    perform(plan.advance(view, now: now))
  }

  mutating func rest(_ shards: [Int]) {
    up.subtract(shards)
    perform(plan.advance(view, now: now))
  }

  mutating func resume(above generation: UInt64) { perform(plan.resume(above: generation, view, now: now)) }

  mutating func take() -> [ScalePlan.Action] {
    defer { done = [] }
    return done
  }
}

struct ScalePlanTests {
  @Test func `growing: the new ones take, both publish, the old ones drop`() {
    var stage = Stage(count: 1)
    stage.request(4)
    #expect(stage.take() == [.publish, .start(1..<4)])
    #expect(stage.plan.message.phase == .take && stage.plan.message.count == 4 && stage.plan.message.previousCount == 1)
    stage.confirm([0, 1, 2], .take)
    #expect(stage.plan.stage == .taking)
    stage.confirm([3], .take)
    #expect(stage.plan.stage == .overlapping && stage.plan.message.phase == .take)
    #expect(stage.take() == [])
    stage.pass(1)
    #expect(stage.take() == [.publish])
    #expect(stage.plan.stage == .dropping && stage.plan.message.phase == .drop)
    stage.confirm([0, 1, 2, 3], .drop)
    #expect(stage.take() == [.publish])
    #expect(stage.plan.isAtRest && stage.plan.message.phase == .done && stage.plan.deadline == nil)
  }

  @Test func `shrinking: those that stay take, the others drop and end`() {
    var stage = Stage(count: 4)
    stage.request(2)
    #expect(stage.take() == [.publish])
    stage.confirm([0, 1], .take)
    #expect(stage.plan.stage == .overlapping)
    stage.pass(1)
    stage.confirm([0, 1, 2], .drop)
    #expect(stage.plan.stage == .dropping)
    stage.confirm([3], .drop)
    #expect(stage.take() == [.publish, .stop(from: 2)])
    stage.remove([2])
    #expect(stage.plan.stage == .leaving)
    stage.remove([3])
    #expect(stage.take() == [.publish])
    #expect(stage.plan.isAtRest)
  }

  @Test func `a program without shards is started and stopped at once`() {
    var stage = Stage(count: 1, isSharded: false)
    stage.request(3)
    #expect(stage.take() == [.start(1..<3), .publish])
    #expect(stage.plan.isAtRest)
    stage.request(1)
    #expect(stage.take() == [.stop(from: 1)])
    #expect(!stage.plan.isAtRest)
    stage.remove([1, 2])
    #expect(stage.take() == [.publish])
    #expect(stage.plan.isAtRest)
  }

  @Test func `one that dies takes again`() {
    var stage = Stage(count: 1)
    stage.request(2)
    stage.confirm([0, 1], .take)
    #expect(stage.plan.stage == .overlapping)
    stage.die(1)
    #expect(stage.plan.stage == .taking)
    stage.pass(1)
    #expect(stage.plan.stage == .taking)
    stage.confirm([1], .take)
    #expect(stage.plan.stage == .overlapping)
  }

  @Test func `one that does not confirm is waited for only so long`() {
    var stage = Stage(count: 1)
    stage.request(2)
    stage.confirm([0], .take)
    _ = stage.take()
    stage.pass(59)
    #expect(stage.take() == [] && stage.plan.stage == .taking)
    stage.pass(1)
    #expect(stage.take() == [.overdue(.taking, missing: [1])])
    stage.pass(1)
    #expect(stage.take() == [.publish])
    stage.pass(60)
    #expect(stage.take() == [.overdue(.dropping, missing: [0, 1]), .publish])
    #expect(stage.plan.isAtRest)
  }

  @Test func `one that is at rest is not waited for`() {
    var stage = Stage(count: 3)
    stage.request(2)
    stage.confirm([0], .take)
    stage.rest([1])
    #expect(stage.plan.stage == .overlapping)
    stage.pass(1)
    stage.rest([2])
    stage.confirm([0], .drop)
    #expect(stage.plan.stage == .leaving)
  }

  @Test func `an old word counts nothing`() {
    var stage = Stage(count: 1)
    stage.request(2)
    stage.confirm([0, 1], .take, generation: 10)
    stage.confirm([0, 1], .drop)
    #expect(stage.plan.confirmed.isEmpty)
  }

  @Test func `a request during a hand-over is done after it, and only the last one`() {
    var stage = Stage(count: 1)
    stage.request(2)
    let generation = stage.plan.generation
    stage.request(5)
    stage.request(3)
    _ = stage.take()
    stage.confirm([0, 1], .take)
    stage.pass(1)
    stage.confirm([0, 1], .drop)
    #expect(stage.take() == [.publish, .publish, .publish, .start(2..<3)])
    #expect(stage.plan.count == 3 && stage.plan.previousCount == 2 && stage.plan.generation > generation)
    stage.request(3)
    #expect(stage.plan.next == nil)
  }

  @Test func `asking for what there is changes nothing`() {
    var stage = Stage(count: 2)
    stage.request(2)
    #expect(stage.take() == [] && stage.plan.generation == 10)
  }

  @Test func `after another supervisor's hand-over everybody takes and drops once more`() {
    var stage = Stage(count: 2)
    stage.resume(above: 50)
    #expect(stage.plan.generation == 51 && stage.plan.stage == .taking)
    #expect(stage.plan.message.previousCount == 2 && stage.plan.message.count == 2)
    #expect(stage.take() == [.publish])
    stage.resume(above: 50)
    #expect(stage.take() == [])
    stage.confirm([0, 1], .take)
    stage.pass(1)
    stage.confirm([0, 1], .drop)
    #expect(stage.plan.isAtRest)
  }

  @Test func `generations grow, whatever is asked for`() {
    var stage = Stage(count: 1, isSharded: false)
    _ = stage.plan.request(2, generation: 5, ScalePlan.View(present: [0], up: [0]), now: 0)
    #expect(stage.plan.generation == 11)
  }
}
