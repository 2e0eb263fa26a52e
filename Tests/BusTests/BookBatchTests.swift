import Bus
import Market
import Testing

/// When what an ingestor has collected goes out: never between two changes of one moment.
@Suite("Book batch") struct BookBatchTests {
  private let bench = Bench()
  private let batch = BookBatch()

  private func change(moment: Int64) throws {
    let time = Timestamp(nanoseconds: moment)
    batch.beginChange(book: 1, venueTime: time, receivedAt: time)
    batch.change(side: .bid, price: try Price("0.4"), quantity: try Quantity("5"))
    batch.endChange()
  }

  @Test func `of a long burst whole moments go out while the rest is read`() throws {
    let publisher = try bench.publisher("p")
    let topic = publisher.topic("book/x/p")
    var sent: [Int] = []
    batch.onMomentEnd = { [unowned batch] in
      sent.append(batch.itemCount)
      batch.publish(on: publisher, topic)
    }
    // Few items wait for more, whatever their moments.
    for moment in 1...11 { try change(moment: Int64(moment)) }
    #expect(sent == [] && batch.itemCount == 11)
    // A moment is not cut, however long it is; one that comes late belongs to what is there.
    for _ in 0..<20 { try change(moment: 11) }
    try change(moment: 5)
    #expect(sent == [] && batch.itemCount == 32)
    try change(moment: 12)
    #expect(sent == [32] && batch.itemCount == 1)
    // It begins anew with what went out.
    for moment in 13...23 { try change(moment: Int64(moment)) }
    #expect(sent == [32])
    try change(moment: 24)
    #expect(sent == [32, 12] && batch.itemCount == 1)
  }

  @Test func `without anybody to publish it all waits together`() throws {
    for moment in 1...100 { try change(moment: Int64(moment)) }
    #expect(batch.itemCount == 100)
  }
}
