internal import Daemon
internal import Market
internal import Store
internal import Synchronization

/// Hands the terms of markets to the history as listings read them: those alone that are new or have changed.
///
/// Of each market a number is kept, not its text. Takes calls from any thread.
final class TermsKeeper: Sendable {
  private let writer: HistoryWriter
  /// The digest that was handed over last, by a number of the market's id; of two markets with one number each is
  /// handed over again, which changes nothing.
  private let known: Mutex<[UInt32: UInt64]>

  /// A keeper that knows what is stored.
  /// - Parameters:
  ///   - venue: whose terms.
  ///   - writer: where they go.
  ///   - path: the history.
  init(_ venue: Venue, _ writer: HistoryWriter, path: String) {
    self.writer = writer
    var digests: [UInt32: UInt64] = [:]
    do throws(StoreError) {
      for (id, digest) in try HistoryStore(readingFrom: path).termsDigests(venue) {
        digests[id.shortHash] = digest
      }
    } catch {
      // All are written again, which changes nothing.
      Log.info("the terms are read anew", ["venue": venue.rawValue, "reason": "\(error)"])
    }
    known = Mutex(digests)
  }

  func take(_ terms: [MarketTerms]) {
    let news = known.withLock { known in
      terms.filter { known.updateValue($0.digest, forKey: $0.id.shortHash) != $0.digest }
    }
    guard !news.isEmpty else { return }
    var batch = HistoryBatch(time: SystemClock.now)
    batch.terms = news
    writer.post(batch)
  }
}

extension String {
  /// A number of a text, of which tables of tens of thousands keep four bytes; another text may have the same.
  var shortHash: UInt32 { UInt32(truncatingIfNeeded: hashValue) }
}

extension Money {
  /// Whether a day's volume is to be told anew where this one was told: it has changed by a quarter, and by ten dollars.
  func isNews(after told: Money) -> Bool {
    let change = (raw - told.raw).magnitude
    return change >= 10 * fixedPointScale.magnitude && change >= told.raw.magnitude / 4
  }
}
