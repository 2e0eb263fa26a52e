import Bus
import Market
import Testing

struct ShardPlanTests {
  private let hashes = (0..<2000).map { Rendezvous.hash("m\($0)") }

  private func plan(_ from: Int, _ to: Int, _ phase: ShardPlan.Phase) -> ShardPlan {
    ShardPlan(program: "ingestor", generation: 100, previousCount: from, count: to, phase: phase)
  }

  @Test func `a plan survives the bus`() throws {
    for phase in [ShardPlan.Phase.take, .drop, .done] {
      let writer = MessagePackWriter(capacity: 64)
      plan(1, 4, phase).encode(writer)
      var reader = MessagePackReader(writer.written)
      #expect(try ShardPlan(&reader) == plan(1, 4, phase))
    }
  }

  @Test func `what is no plan is refused`() {
    let writer = MessagePackWriter(capacity: 64)
    writer.array(5)
    writer.text("ingestor")
    for value: UInt64 in [1, 1, 0, 0] { writer.unsigned(value) }
    var reader = MessagePackReader(writer.written)
    #expect(throws: MessageError.self) { try ShardPlan(&reader) }
  }

  @Test(arguments: [(1, 4), (4, 2), (2, 3), (5, 5)])
  func `while it is taken everything has its old owner and its new one, which has the higher term`(from: Int, to: Int) {
    for hash in hashes {
      let old = Rendezvous.owner(of: hash, among: from)
      let new = Rendezvous.owner(of: hash, among: to)
      for shard in 0..<max(from, to) {
        let term = plan(from, to, .take).term(of: hash, shard: shard)
        #expect(term == (shard == new ? 100 : shard == old ? 99 : nil))
        for phase in [ShardPlan.Phase.drop, .done] {
          #expect(plan(from, to, phase).term(of: hash, shard: shard) == (shard == new ? 100 : nil))
        }
      }
    }
  }
}
